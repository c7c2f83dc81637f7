//! Faults: what happens in a drill, to whom, when and for how long.

use std::time::Duration;

use super::moment::Moment;
use super::quantity::{show_duration, show_ppm};
use super::selector::{Selector, Target, Targets};

/// One `[[at]]` of a drill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What moments, expectations and reports call it.
    pub name: Option<String>,
    /// When it begins.
    pub at: Moment,
    /// What happens.
    pub deed: Deed,
    /// To whom.
    pub on: Selector,
    /// How long; `None` for what ends in itself, or lasts to the end.
    pub lasts: Option<Duration>,
    /// Not to all at once, but to one after the other, this far apart.
    pub every: Option<Duration>,
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// A broker is killed; it is started anew when the fault ends.
    BrokerCrash(Death),
    /// A broker is stopped (SIGSTOP), and continued when the fault ends.
    BrokerHang,
    /// Outsiders hold every connection that a broker has left, and give them back at the end.
    BrokerFull,
    /// A broker takes so many times as long for everything.
    BrokerSlow(u32),
    /// A node is killed; it is started anew when the fault ends.
    NodeCrash(Death),
    /// A node is stopped (SIGSTOP), and continued when the fault ends.
    NodePause,
    /// Everything that a node does comes so much later.
    NodeSlow(Duration),
    /// A node says of its site what is not so.
    NodeLie(Lie),
    /// A whole site goes: its nodes and its brokers.
    SiteDown(Down),
    /// Nothing comes through.
    LinkCut,
    /// Cut for half of this time, whole for the other half, and so on.
    LinkFlap(Duration),
    /// So many packets in a million are lost on top of what the WAN loses; with a length, in
    /// bursts of that length.
    LinkLoss(u32, Option<Duration>),
    /// Every packet takes so much longer, one way.
    LinkDelay(Duration),
    /// A node's clock shows another time at once; its timers do not.
    ClockStep {
        /// By so much.
        by: Duration,
        /// Backwards.
        back: bool,
    },
    /// More clients than there were come to each site, and stay until the fault ends.
    ClientsSurge {
        /// So many to each.
        clients: u32,
        /// Evenly over this time.
        over: Duration,
    },
    /// Clients lose the connection they have.
    ClientsDrop(Death),
}

/// How something ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Death {
    /// The process dies; its kernel resets every connection and refuses new ones.
    Rst,
    /// The machine is gone, or the path to it: nothing comes back.
    Silent,
}

/// How a site goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Down {
    /// Its processes die, its machines reset what they are asked.
    Rst,
    /// Nothing comes back.
    Silent,
    /// The operator drains it: every node tells its clients, within `drain_timeout`.
    Drain,
}

/// What a lying node says of its site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    /// All its places are free.
    Empty,
    /// None is.
    Full,
}

/// A fault that comes to its targets: at once, or to one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Strike {
    /// An index into [`Drill::faults`](super::Drill::faults).
    pub fault: usize,
    /// When.
    pub at: Moment,
    /// To whom.
    pub targets: Targets,
    /// For how long.
    pub lasts: Option<Duration>,
}

/// What a drill can do, as it is documented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeedDoc {
    /// As `do = "…"` spells it.
    pub word: &'static str,
    /// What it befalls.
    pub target: Target,
    /// What `how` takes, the default first.
    pub how: &'static [&'static str],
    /// Other keys it needs.
    pub needs: &'static [&'static str],
    /// Other keys it takes.
    pub takes: &'static [&'static str],
    /// Whether it lasts, and may have a `for`.
    pub lasts: bool,
    /// What it does.
    pub doc: &'static str,
}

const HOW_DEATH: &[&str] = &["rst", "silent"];
const HOW_DOWN: &[&str] = &["rst", "silent", "drain"];

const fn deed(word: &'static str, target: Target, doc: &'static str) -> DeedDoc {
    DeedDoc { word, target, how: &[], needs: &[], takes: &[], lasts: true, doc }
}

/// Everything that a drill can do.
pub const DEEDS: &[DeedDoc] = &[
    DeedDoc {
        how: HOW_DEATH,
        ..deed(
            "broker.crash",
            Target::Brokers,
            "Kills the broker; with `for`, it starts anew then, and has forgotten its connections.",
        )
    },
    deed("broker.hang", Target::Brokers, "Stops the broker's process: its kernel still accepts."),
    deed(
        "broker.full",
        Target::Brokers,
        "Outsiders take every connection that the broker has left: it closes in silence.",
    ),
    DeedDoc {
        needs: &["by"],
        ..deed(
            "broker.slow",
            Target::Brokers,
            "The broker takes `by` times as long for everything.",
        )
    },
    DeedDoc {
        how: HOW_DEATH,
        ..deed(
            "node.crash",
            Target::Nodes,
            "Kills the node; with `for`, it starts anew then, in a new incarnation.",
        )
    },
    deed("node.pause", Target::Nodes, "Stops the node's process."),
    DeedDoc {
        needs: &["delay"],
        ..deed("node.slow", Target::Nodes, "Everything that the node does comes `delay` later.")
    },
    DeedDoc {
        how: &["empty", "full"],
        ..deed(
            "node.lie",
            Target::Nodes,
            "The node tells others that its site has all its places free, or none.",
        )
    },
    DeedDoc {
        how: HOW_DOWN,
        ..deed(
            "site.down",
            Target::Sites,
            "The whole site goes, nodes and brokers: with resets, in silence, or drained.",
        )
    },
    deed(
        "link.cut",
        Target::Links,
        "Nothing comes through; `<->` cuts both ways, `->` the one way.",
    ),
    DeedDoc {
        needs: &["period"],
        ..deed("link.flap", Target::Links, "Cut for half of `period`, whole for the other half.")
    },
    DeedDoc {
        needs: &["loss"],
        takes: &["burst"],
        ..deed(
            "link.loss",
            Target::Links,
            "This share of packets is lost as well, each by itself or in bursts of `burst`.",
        )
    },
    DeedDoc {
        needs: &["delay"],
        ..deed("link.delay", Target::Links, "Every packet takes `delay` longer, one way.")
    },
    DeedDoc {
        how: &["back", "ahead"],
        needs: &["step"],
        lasts: false,
        ..deed(
            "clock.step",
            Target::Nodes,
            "The clock that people set shows another time; if the node starts anew, it believes it.",
        )
    },
    DeedDoc {
        needs: &["clients"],
        takes: &["over"],
        ..deed(
            "clients.surge",
            Target::Sites,
            "So many more clients come to each site, evenly over `over`, and leave when it ends.",
        )
    },
    DeedDoc {
        how: HOW_DEATH,
        lasts: false,
        ..deed("clients.drop", Target::Clients, "Clients lose the connection they have.")
    },
];

impl Deed {
    /// As `do = "…"` spells it.
    pub fn word(&self) -> &'static str {
        match self {
            Deed::BrokerCrash(_) => "broker.crash",
            Deed::BrokerHang => "broker.hang",
            Deed::BrokerFull => "broker.full",
            Deed::BrokerSlow(_) => "broker.slow",
            Deed::NodeCrash(_) => "node.crash",
            Deed::NodePause => "node.pause",
            Deed::NodeSlow(_) => "node.slow",
            Deed::NodeLie(_) => "node.lie",
            Deed::SiteDown(_) => "site.down",
            Deed::LinkCut => "link.cut",
            Deed::LinkFlap(_) => "link.flap",
            Deed::LinkLoss(..) => "link.loss",
            Deed::LinkDelay(_) => "link.delay",
            Deed::ClockStep { .. } => "clock.step",
            Deed::ClientsSurge { .. } => "clients.surge",
            Deed::ClientsDrop(_) => "clients.drop",
        }
    }

    /// What is documented of it.
    pub fn doc(&self) -> &'static DeedDoc {
        let word = self.word();
        DEEDS.iter().find(|deed| deed.word == word).expect("a test looks every deed up")
    }

    /// Its keys beside `do`, `on`, `for` and `every`, with their values as a drill spells them.
    pub fn keys(&self) -> Vec<(&'static str, String)> {
        let quoted = |text: String| format!("\"{text}\"");
        let how = |word: &str| vec![("how", quoted(word.to_owned()))];
        let time = |key, time| vec![(key, quoted(show_duration(time)))];
        match *self {
            Deed::BrokerHang | Deed::BrokerFull | Deed::NodePause | Deed::LinkCut => Vec::new(),
            Deed::BrokerCrash(death) | Deed::NodeCrash(death) | Deed::ClientsDrop(death) => {
                how(death.word())
            }
            Deed::SiteDown(down) => how(down.word()),
            Deed::NodeLie(lie) => how(lie.word()),
            Deed::BrokerSlow(by) => vec![("by", quoted(format!("{by}x")))],
            Deed::NodeSlow(delay) | Deed::LinkDelay(delay) => time("delay", delay),
            Deed::LinkFlap(period) => time("period", period),
            Deed::LinkLoss(ppm, burst) => {
                let loss = ("loss", quoted(show_ppm(ppm)));
                let burst = burst.map(|burst| ("burst", quoted(show_duration(burst))));
                [Some(loss), burst].into_iter().flatten().collect()
            }
            Deed::ClockStep { by, back } => {
                let mut keys = how(if back { "back" } else { "ahead" });
                keys.extend(time("step", by));
                keys
            }
            Deed::ClientsSurge { clients, over } => {
                let mut keys = vec![("clients", clients.to_string())];
                keys.extend(time("over", over));
                keys
            }
        }
    }
}

impl Death {
    /// As `how = "…"` spells it.
    pub fn word(self) -> &'static str {
        match self {
            Death::Rst => "rst",
            Death::Silent => "silent",
        }
    }
}

impl Down {
    /// As `how = "…"` spells it.
    pub fn word(self) -> &'static str {
        match self {
            Down::Rst => "rst",
            Down::Silent => "silent",
            Down::Drain => "drain",
        }
    }
}

impl Lie {
    /// As `how = "…"` spells it.
    pub fn word(self) -> &'static str {
        match self {
            Lie::Empty => "empty",
            Lie::Full => "full",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deed_is_documented_with_its_keys() {
        let second = Duration::from_secs(1);
        let all = [
            Deed::BrokerCrash(Death::Rst),
            Deed::BrokerHang,
            Deed::BrokerFull,
            Deed::BrokerSlow(10),
            Deed::NodeCrash(Death::Silent),
            Deed::NodePause,
            Deed::NodeSlow(second),
            Deed::NodeLie(Lie::Empty),
            Deed::SiteDown(Down::Drain),
            Deed::LinkCut,
            Deed::LinkFlap(second),
            Deed::LinkLoss(1, Some(second)),
            Deed::LinkDelay(second),
            Deed::ClockStep { by: second, back: true },
            Deed::ClientsSurge { clients: 1, over: second },
            Deed::ClientsDrop(Death::Rst),
        ];
        assert_eq!(all.len(), DEEDS.len());
        for (deed, doc) in all.iter().zip(DEEDS) {
            assert_eq!(deed.doc(), doc);
            let keys: Vec<_> = deed.keys().into_iter().map(|(key, _)| key).collect();
            let how: &[&str] = if doc.how.is_empty() { &[] } else { &["how"] };
            assert_eq!(keys, [how, doc.needs, doc.takes].concat(), "{}", doc.word);
        }
    }
}
