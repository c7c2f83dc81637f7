//! The words that expectations are made of: what can be measured in a world, and in which unit.
//!
//! One list for each thing that is measured. `docs/drills.md` is generated from it, and whoever runs a
//! drill answers with one `match` for each: a word without an answer does not compile.

use std::fmt;

use super::misread::Misread;

/// What a value counts. All values are whole numbers of these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Unit {
    /// Things. Written `5`.
    Count,
    /// A part of a whole, in millionths. Written `0.99` or `99%`.
    Ratio,
    /// Microseconds. Written `500ms`, `45s`.
    Time,
    /// Per second. Written `1000/s`.
    Rate,
    /// Bytes per second. Written `125000B/s`.
    Bytes,
}

/// When a value is known, and so what can be expected of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// At every moment: it rises and falls.
    Now,
    /// At every moment, but it never falls.
    SoFar,
    /// At the end.
    AtEnd,
    /// At every moment, of those clients for whom `within` is over.
    PerClient,
}

/// Which clients are meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Whose {
    /// Those whose connection, or whose home site's door, ran through something that a fault took
    /// away, at the moment it did; and those of a surge.
    Affected,
    /// All others.
    Unaffected,
    /// All.
    All,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Metric {
    /// `affected.…`, `unaffected.…`, `all.…`
    Clients(Whose, ClientMetric),
    /// `broker.…`
    Broker(BrokerMetric),
    /// `site.…`
    Site(SiteMetric),
    /// `flow.…`
    Flow(FlowMetric),
    /// `mesh.…`
    Mesh(MeshMetric),
    /// `entry.…`
    Entry(EntryMetric),
}

macro_rules! vocabulary {
    ($(#[$about:meta])* $name:ident $($variant:ident $word:literal $unit:ident $known:ident $doc:literal)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $(#[doc = $doc] $variant,)* }

        impl $name {
            /// All of them, as documented.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// As a drill spells it, behind the dot.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// What its values count.
            pub fn unit(self) -> Unit {
                match self { $($name::$variant => Unit::$unit,)* }
            }

            /// When it is known.
            pub fn known(self) -> Known {
                match self { $($name::$variant => Known::$known,)* }
            }

            /// What it is.
            pub fn doc(self) -> &'static str {
                match self { $($name::$variant => $doc,)* }
            }
        }
    };
}

vocabulary! {
    /// Of clients.
    ClientMetric
    ServedRatio "served_ratio" Ratio Now "Of those that want a connection, the part that has one."
    ServedSinceNotice "served_since_notice" Ratio PerClient
        "Of those that noticed the loss of their connection at least `within` ago, the part that had \
         another within `within` of noticing: each client's clock starts when it notices."
    Served "served" Count Now "Those that have a connection."
    Unserved "unserved" Count Now "Those that want one and have none."
    HomeRatio "home_ratio" Ratio Now "Of those served, the part on brokers of their home site."
    Abroad "abroad" Count Now "Those served by another site than their home."
    Disconnected "disconnected" Count SoFar
        "Connections that ended without their client having asked for it."
    Noticed "noticed" Count SoFar "Losses of a connection that its client has noticed."
    Attempts "attempts" Count SoFar "Connections opened to a node."
    Refused "refused" Count SoFar "CONNACKs that said no, whoever said it."
    Failed "failed" Count SoFar "Connections that ended before any CONNACK."
    NeverServed "never_served" Count AtEnd
        "Those that wanted a connection after the first fault, and never had one again."
    NoticeP50 "notice_p50" Time AtEnd "From the loss of a connection until its client notices: the median."
    NoticeP99 "notice_p99" Time AtEnd "The same, for all but one in a hundred."
    ReconnectP50 "reconnect_p50" Time AtEnd "From noticing to the next CONNACK that says yes: the median."
    ReconnectP99 "reconnect_p99" Time AtEnd "The same, for all but one in a hundred."
    ReconnectMax "reconnect_max" Time AtEnd "The same, at most; who was never served counts to the end."
    OutageP50 "outage_p50" Time AtEnd "From the loss of a connection to the next CONNACK that says yes: the median."
    OutageP99 "outage_p99" Time AtEnd "The same, for all but one in a hundred."
    OutageMax "outage_max" Time AtEnd "The same, at most; who was never served counts to the end."
    ConnectP50 "connect_p50" Time AtEnd "From opening a connection to its CONNACK: the median."
    ConnectP99 "connect_p99" Time AtEnd "The same, for all but one in a hundred."
}

vocabulary! {
    /// Of brokers, as they are in truth, whatever anybody believes.
    BrokerMetric
    LoadMax "load_max" Ratio Now "Connections over its limit, of the broker where that is most."
    LoadMin "load_min" Ratio Now "The same, of the broker that is up where it is least."
    Spread "spread" Ratio Now
        "Most minus fewest connections over their mean, among the brokers that are up in one site; \
         of the site where that is most."
    OverLimit "over_limit" Count SoFar "Connections placed on a broker beyond its `maxconn`."
    SilentCloses "silent_closes" Count SoFar "Connections that a full broker took and closed without a word."
    SynDrops "syn_drops" Count SoFar "SYNs dropped because a backlog was full."
    OpeningsMax "openings_max" Count SoFar "Most unanswered CONNECTs that one broker had at once."
    ConnectsMax "connects_max" Rate SoFar "Most CONNECTs that one broker got within one second."
}

vocabulary! {
    /// Of sites, as they are in truth.
    SiteMetric
    LoadMax "load_max" Ratio Now "Connections over the capacity of its brokers, of the site where that is most."
    LoadMin "load_min" Ratio Now "The same, of the site with a broker up where it is least."
    CarriedMax "carried_max" Ratio Now
        "The part of its brokers' capacity that clients of other sites hold, of the site where that is most."
    WaitingMax "waiting_max" Count Now "Openings in the waiting room of one node, where they are most."
}

vocabulary! {
    /// Of flows, all nodes together.
    FlowMetric
    Redispatches "redispatches" Count SoFar "Attempts after the first."
    AttemptsMax "attempts_max" Count SoFar "Most attempts that one flow made."
    RetryRatio "retry_ratio" Ratio Now "Attempts after the first, over flows, since the start."
    TurnedAway "turned_away" Count SoFar "Flows that a node itself answered with a CONNACK, nothing being left to try."
    Carried "carried" Count Now "Flows carried to another site."
    Tunnels "tunnels" Count SoFar "Tunnels opened."
    TunnelsRefused "tunnels_refused" Count SoFar "Tunnels that the other site refused."
    HopsMax "hops_max" Count SoFar "Most sites that one flow was carried through, one after the other."
    CameHome "came_home" Count SoFar "Carried flows that were called home."
}

vocabulary! {
    /// Of what sites believe of each other.
    MeshMetric
    AvoidedP50 "avoided_p50" Time AtEnd "From a site's loss until another sends no new flow there: the median over the others."
    AvoidedP99 "avoided_p99" Time AtEnd "The same, for all but one in a hundred."
    AvoidedMax "avoided_max" Time AtEnd "The same, at most; never counts to the end."
    DeadP50 "dead_p50" Time AtEnd "From a site's loss until another holds it dead: the median over the others."
    DeadP99 "dead_p99" Time AtEnd "The same, for all but one in a hundred."
    DeadMax "dead_max" Time AtEnd "The same, at most; never counts to the end."
    BackMax "back_max" Time AtEnd "From a site's return, or a cut's end, until all that lost it hold it reachable."
    FalseDead "false_dead" Count SoFar "Verdicts of death on a site that was alive and could be reached by most."
    FalseAvoided "false_avoided" Count SoFar "Times that a site which was alive and could be reached was avoided."
    Agreement "agreement" Ratio Now
        "Of all pairs of a living node and another site, those where the node holds of the site what is so."
    BytesMax "bytes_max" Bytes AtEnd "Bytes a second that the node which says most says, over the whole run, with headers."
}

vocabulary! {
    /// Of how clients find a site.
    EntryMetric
    StaleArrivals "stale_arrivals" Count SoFar
        "Clients that came to a site which no answer named any more when they came."
    DeadNamed "dead_named" Count SoFar "Answers that named a site which the node that gave them held dead."
}

impl Whose {
    /// All three.
    pub const ALL: [Whose; 3] = [Whose::Affected, Whose::Unaffected, Whose::All];

    /// As a drill spells it, before the dot.
    pub fn word(self) -> &'static str {
        match self {
            Whose::Affected => "affected",
            Whose::Unaffected => "unaffected",
            Whose::All => "all",
        }
    }
}

impl Metric {
    /// Every word there is, as documented.
    pub fn all() -> Vec<Metric> {
        let mut all = Vec::new();
        for whose in Whose::ALL {
            all.extend(ClientMetric::ALL.iter().map(|metric| Metric::Clients(whose, *metric)));
        }
        all.extend(BrokerMetric::ALL.iter().copied().map(Metric::Broker));
        all.extend(SiteMetric::ALL.iter().copied().map(Metric::Site));
        all.extend(FlowMetric::ALL.iter().copied().map(Metric::Flow));
        all.extend(MeshMetric::ALL.iter().copied().map(Metric::Mesh));
        all.extend(EntryMetric::ALL.iter().copied().map(Metric::Entry));
        all
    }

    /// Reads `broker.load_max`.
    pub fn parse(text: &str) -> Result<Metric, Misread> {
        let all = Metric::all();
        let found = all.iter().find(|metric| metric.to_string() == text);
        found.copied().ok_or_else(|| {
            let group = text.split('.').next().unwrap_or_default();
            let same: Vec<&Metric> = all.iter().filter(|metric| metric.group() == group).collect();
            if same.is_empty() {
                Misread::unknown("metric", text, &all)
            } else {
                Misread::unknown("metric", text, &same)
            }
        })
    }

    /// What stands before the dot.
    pub fn group(self) -> &'static str {
        match self {
            Metric::Clients(whose, _) => whose.word(),
            Metric::Broker(_) => "broker",
            Metric::Site(_) => "site",
            Metric::Flow(_) => "flow",
            Metric::Mesh(_) => "mesh",
            Metric::Entry(_) => "entry",
        }
    }

    /// What stands behind the dot.
    pub fn word(self) -> &'static str {
        match self {
            Metric::Clients(_, metric) => metric.word(),
            Metric::Broker(metric) => metric.word(),
            Metric::Site(metric) => metric.word(),
            Metric::Flow(metric) => metric.word(),
            Metric::Mesh(metric) => metric.word(),
            Metric::Entry(metric) => metric.word(),
        }
    }

    /// What its values count.
    pub fn unit(self) -> Unit {
        match self {
            Metric::Clients(_, metric) => metric.unit(),
            Metric::Broker(metric) => metric.unit(),
            Metric::Site(metric) => metric.unit(),
            Metric::Flow(metric) => metric.unit(),
            Metric::Mesh(metric) => metric.unit(),
            Metric::Entry(metric) => metric.unit(),
        }
    }

    /// When it is known.
    pub fn known(self) -> Known {
        match self {
            Metric::Clients(_, metric) => metric.known(),
            Metric::Broker(metric) => metric.known(),
            Metric::Site(metric) => metric.known(),
            Metric::Flow(metric) => metric.known(),
            Metric::Mesh(metric) => metric.known(),
            Metric::Entry(metric) => metric.known(),
        }
    }

    /// What it is.
    pub fn doc(self) -> &'static str {
        match self {
            Metric::Clients(_, metric) => metric.doc(),
            Metric::Broker(metric) => metric.doc(),
            Metric::Site(metric) => metric.doc(),
            Metric::Flow(metric) => metric.doc(),
            Metric::Mesh(metric) => metric.doc(),
            Metric::Entry(metric) => metric.doc(),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.group(), self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_word_is_read_as_what_it_is() {
        let all = Metric::all();
        let words: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), all.len(), "a word stands twice");
        for metric in all {
            assert_eq!(Metric::parse(&metric.to_string()), Ok(metric));
            assert!(metric.doc().ends_with('.'), "{metric}");
        }
    }

    #[test]
    fn what_is_no_word_names_those_that_are() {
        let misread = Metric::parse("broker.load").unwrap_err();
        assert!(misread.known.iter().all(|known| known.starts_with("broker.")), "{misread:?}");
        assert_eq!(Metric::parse("brokers").unwrap_err().known.len(), Metric::all().len());
    }
}
