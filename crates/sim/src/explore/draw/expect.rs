//! What must hold in every scenario, and how long a healed world may take.

use std::time::Duration;

use crate::drill::metric::{BrokerMetric, ClientMetric, FlowMetric, MeshMetric, Whose};
use crate::drill::quantity::MILLION;
use crate::drill::{
    Backoff, Bound, Compare, Death, Deed, Drill, EntryPolicy, Expectation, Kind, Metric, Moment,
};

/// Views agree so long after everything has healed: the detector's own times and a round of
/// anti-entropy, which alone repairs what a lossy path has swallowed.
const AGREED: Duration = Duration::from_secs(45);

/// How long the slowest client may take once everything has healed: it must notice, be told another
/// address, and try again twice, behind everyone else.
pub(super) fn settling(drill: &Drill) -> Duration {
    let clients = &drill.clients;
    let notices = clients.keepalive * 3 / 2 + clients.ping_timeout;
    let waits = clients.backoff.iter().map(|(_, backoff)| match *backoff {
        Backoff::FullJitter { most, .. } | Backoff::Exponential { most, .. } => most,
        Backoff::Fixed { every } => every,
    });
    let waits = waits.max().unwrap_or_default();
    let tries = clients.patience + waits;
    let all = notices + tries * 3 + drill.entry.ttl + drill.slow_start + queues(drill);
    Duration::from_secs(all.as_secs() + 1)
}

/// Until everyone has had a turn where turns are counted by the second.
fn queues(drill: &Drill) -> Duration {
    let all = u32::try_from(drill.topology.clients()).unwrap_or(u32::MAX);
    let spill = &drill.service.spill;
    let paces =
        [drill.service.max_new_per_second, spill.failback_per_second, spill.accept_per_second];
    let slowest = paces.into_iter().filter(|pace| *pace > 0).min().unwrap_or(1_000);
    Duration::from_secs((all / slowest).into()) + Duration::from_secs(20)
}

/// Expectations, of a world that has healed by then and is left alone for `wait`.
pub(super) fn expectations(drill: &Drill, healed: Duration, wait: Duration) -> Vec<Expectation> {
    let total = |metric, value| (bound(metric, Compare::AtMost, value), Kind::Total);
    let always = |metric, value| {
        (bound(metric, Compare::AtMost, value), Kind::Sustain { from: None, until: None })
    };
    let recover = |metric, value, within| {
        let from = Some(Moment::At(healed));
        (bound(metric, Compare::AtLeast, value), Kind::Recover { within, from, until: None })
    };
    let mut all = vec![
        ("carried-once", total(Metric::Flow(FlowMetric::HopsMax), 1)),
        ("no-false-verdict", total(Metric::Mesh(MeshMetric::FalseDead), 0)),
    ];
    if !may_share_wrongly(drill) {
        all.push(("no-place-twice", total(Metric::Broker(BrokerMetric::OverLimit), 0)));
        all.push((
            "nobody-over-limit",
            always(Metric::Broker(BrokerMetric::LoadMax), MILLION.into()),
        ));
    }
    if drill.topology.sites.len() > 1 && is_kind(drill) {
        let agreement = Metric::Mesh(MeshMetric::Agreement);
        all.push(("views-agree", recover(agreement, MILLION.into(), AGREED.min(wait))));
    }
    let served = Metric::Clients(Whose::All, ClientMetric::ServedRatio);
    // Whoever is called home is on its way for a moment, in its turn: how many may be so is for the
    // check `serves-all` to say, which knows who was called.
    let spill = &drill.service.spill;
    let called = spill.enabled && spill.failback_per_second > 0 && drill.topology.sites.len() > 1;
    if drill.topology.clients() >= 50 || drill.clients.stay.is_none() {
        if !suffices(drill) || is_bound(drill) {
            all.push(("served-what-fits", recover(served, what_fits(drill), wait)));
        } else if !called {
            // Clients that come and go are on their way now and then.
            let ratio = if drill.clients.stay.is_some() { 900_000 } else { 990_000 };
            all.push(("served-again", recover(served, ratio, wait)));
        }
    }
    let expectation = |(name, (bound, kind)): (&str, _)| Expectation {
        name: name.to_owned(),
        bound,
        kind,
        of: None,
    };
    all.into_iter().map(expectation).collect()
}

fn bound(metric: Metric, compare: Compare, value: u64) -> Bound {
    Bound { metric, compare, value }
}

/// Where the sum of what nodes know of a broker is not what it holds, it may pass `maxconn`, and the
/// broker's own limit rules. Nodes of one site that have begun, as all have at first, take all places
/// for their own until they have heard each other; a node that stands still while its siblings go on
/// gives its share away without knowing. The check `limits` of every drill allows these moments, and
/// no other. A node that falls silent leaves connections behind that nobody counts.
fn may_share_wrongly(drill: &Drill) -> bool {
    let has_siblings = drill.topology.sites.iter().any(|site| site.nodes > 1);
    let falls_silent = |deed| matches!(deed, Deed::NodeCrash(Death::Silent));
    has_siblings || drill.faults.iter().any(|fault| falls_silent(fault.deed))
}

/// A network on which nobody is ever avoided for a moment.
fn is_kind(drill: &Drill) -> bool {
    let wan = &drill.topology.wan;
    wan.loss_ppm <= 1_000 && wan.bursts.is_none()
}

/// Places of a site that its clients find for certain: nodes probe, and share what is left in
/// portions, so the last ones may be in the wrong hands.
fn places(drill: &Drill, site: u16) -> u64 {
    let site = drill.topology.at(site);
    let (nodes, brokers) = (u64::from(site.nodes), u64::from(site.brokers));
    let Some(each) = site.broker.capacity() else { return u64::MAX / 1_000 };
    (u64::from(each) * brokers * 95 / 100).saturating_sub(2 * nodes * brokers)
}

/// Of those, what clients of other sites may have: all but the reserve.
fn open_places(drill: &Drill, site: u16) -> u64 {
    places(drill, site) * (100 - u64::from(drill.service.spill.reserve.min(100))) / 100
}

/// Whether there are clients whom nobody else may serve, though others, who came by name while their
/// own sites were in trouble and whom nobody calls back, may have taken all of their site.
pub fn is_bound(drill: &Drill) -> bool {
    drill.clients.persistent_ppm > 0 && !drill.service.spill.persistent
}

/// Whether everyone has a place when nothing is broken, wherever entry may have sent them.
pub fn suffices(drill: &Drill) -> bool {
    let topology = &drill.topology;
    let clients = |site: u16| u64::from(topology.at(site).clients);
    let sum = |of: &dyn Fn(u16) -> u64| topology.site_numbers().map(of).sum::<u64>();
    let spill = &drill.service.spill;
    let may_go = spill.enabled && !is_bound(drill);
    if drill.entry.policy != EntryPolicy::Nearest {
        // Any site may be the door of all: what it has no place for must find one elsewhere.
        let alone = topology.site_numbers().all(|site| topology.clients() <= places(drill, site));
        return alone
            || may_go && topology.clients() * 10 <= sum(&|site| open_places(drill, site)) * 8;
    }
    let excess = sum(&|site| clients(site).saturating_sub(places(drill, site)));
    let room = sum(&|site| open_places(drill, site).saturating_sub(clients(site)));
    excess == 0 || may_go && excess * 10 <= room * 8
}

/// Where there is not room for all: more than half of what has room at home is served all the same.
fn what_fits(drill: &Drill) -> u64 {
    let topology = &drill.topology;
    let all = topology.clients().max(1);
    let fits = |site: u16| u64::from(topology.at(site).clients).min(places(drill, site));
    let fits: u64 = match drill.entry.policy {
        EntryPolicy::Nearest => topology.site_numbers().map(fits).sum(),
        // All may be at one door, and nobody may be let through it.
        _ => topology.site_numbers().map(|site| places(drill, site)).min().unwrap_or(0).min(all),
    };
    fits * u64::from(MILLION) * 6 / 10 / all
}
