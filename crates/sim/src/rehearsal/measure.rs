//! What every metric is worth, at a moment or at the end. One `match` for each list of words, without
//! a wildcard: a word that nobody can measure does not compile.
//!
//! Ratios are in millionths. Where less is better they are rounded up and elsewhere down, so that no
//! bound holds by rounding. A ratio of nothing has no value, but where nobody wants to be served,
//! everybody is.

mod ending;

pub(super) use ending::{micros, missed};

use std::time::Duration;

use super::scope::Scope;
use super::{BrokerScene, Crowd, Finale, Scene, SinceNotice, SiteScene};
use crate::drill::Metric;
use crate::drill::metric::{
    BrokerMetric, ClientMetric, EntryMetric, FlowMetric, MeshMetric, SiteMetric, Whose,
};
use crate::drill::quantity::MILLION;

/// What a value is taken from.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// How things stand.
    pub scene: &'a Scene,
    /// Measured of these.
    pub scope: &'a Scope,
    /// What is known in the end, and when that was; `None` while the drill goes on.
    pub ending: Option<(&'a Finale, Duration)>,
    /// Which of the `within` is meant, and what had been counted when its time began.
    pub noticed: Option<(usize, SinceNotice)>,
}

/// What a metric is worth; `None` where it has no value, or none yet.
pub fn measure(metric: Metric, view: &View<'_>) -> Option<u64> {
    match metric {
        Metric::Clients(whose, metric) => clients(whose, metric, view),
        Metric::Broker(metric) => brokers(metric, view),
        Metric::Site(metric) => sites(metric, view),
        Metric::Flow(metric) => flows(metric, view),
        Metric::Mesh(metric) => mesh(metric, view),
        Metric::Entry(metric) => Some(entry(metric, view)),
    }
}

impl<'a> View<'a> {
    /// Everything at this moment.
    pub fn now(scene: &'a Scene, scope: &'a Scope) -> View<'a> {
        View { scene, scope, ending: None, noticed: None }
    }

    fn sites(&self) -> impl Iterator<Item = &'a SiteScene> {
        self.scope.scenes(self.scene)
    }

    fn sum<T: Into<u64>>(&self, of: impl Fn(&SiteScene) -> T) -> u64 {
        self.sites().map(|site| of(site).into()).sum()
    }

    fn most(&self, of: impl Fn(&SiteScene) -> u32) -> u64 {
        self.sites().map(|site| u64::from(of(site))).max().unwrap_or(0)
    }

    fn crowds(&self, whose: Whose) -> impl Iterator<Item = &'a Crowd> {
        self.sites().flat_map(move |site| {
            let (affected, unaffected) = match whose {
                Whose::Affected => (Some(&site.affected), None),
                Whose::Unaffected => (None, Some(&site.unaffected)),
                Whose::All => (Some(&site.affected), Some(&site.unaffected)),
            };
            affected.into_iter().chain(unaffected)
        })
    }

    fn count<T: Into<u64>>(&self, whose: Whose, of: impl Fn(&Crowd) -> T) -> u64 {
        self.crowds(whose).map(|crowd| of(crowd).into()).sum()
    }

    /// Those who noticed a loss, and for whom this `within` is over.
    pub fn since_notice(&self, whose: Whose, within: usize) -> SinceNotice {
        let mut sum = SinceNotice::default();
        for since in self.crowds(whose).filter_map(|crowd| crowd.since_notice.get(within)) {
            sum.due += since.due;
            sum.served += since.served;
        }
        sum
    }
}

fn clients(whose: Whose, metric: ClientMetric, view: &View<'_>) -> Option<u64> {
    use ClientMetric as M;
    let count = |of: fn(&Crowd) -> u64| Some(view.count(whose, of));
    let home = || view.count(whose, |crowd| crowd.home);
    let abroad = || view.count(whose, |crowd| crowd.abroad);
    let unserved = || view.count(whose, |crowd| crowd.unserved);
    match metric {
        M::ServedRatio => {
            let served = home() + abroad();
            Some(share(served, served + unserved()).unwrap_or(u64::from(MILLION)))
        }
        M::ServedSinceNotice => {
            let (within, before) = view.noticed?;
            let now = view.since_notice(whose, within);
            let served = now.served.saturating_sub(before.served);
            share(served, now.due.saturating_sub(before.due))
        }
        M::Served => Some(home() + abroad()),
        M::Unserved => Some(unserved()),
        M::HomeRatio => share(home(), home() + abroad()),
        M::Abroad => Some(abroad()),
        M::Disconnected => count(|crowd| crowd.disconnected),
        M::Noticed => count(|crowd| crowd.noticed),
        M::Attempts => count(|crowd| crowd.attempts),
        M::Refused => count(|crowd| crowd.refused),
        M::Failed => count(|crowd| crowd.failed),
        M::NeverServed => view.ended(whose, ending::never_served),
        M::NoticeP50 => view.time(whose, |crowd| &crowd.notice, |times| times.permille(500)),
        M::NoticeP99 => view.time(whose, |crowd| &crowd.notice, |times| times.permille(990)),
        M::ReconnectP50 => view.time(whose, |crowd| &crowd.reconnect, |times| times.permille(500)),
        M::ReconnectP99 => view.time(whose, |crowd| &crowd.reconnect, |times| times.permille(990)),
        M::ReconnectMax => view.time(whose, |crowd| &crowd.reconnect, |times| times.most()),
        M::OutageP50 => view.time(whose, |crowd| &crowd.outage, |times| times.permille(500)),
        M::OutageP99 => view.time(whose, |crowd| &crowd.outage, |times| times.permille(990)),
        M::OutageMax => view.time(whose, |crowd| &crowd.outage, |times| times.most()),
        M::ConnectP50 => view.time(whose, |crowd| &crowd.connect, |times| times.permille(500)),
        M::ConnectP99 => view.time(whose, |crowd| &crowd.connect, |times| times.permille(990)),
    }
}

fn brokers(metric: BrokerMetric, view: &View<'_>) -> Option<u64> {
    use BrokerMetric as M;
    let sites = || view.scope.broker_scenes(view.scene);
    let sum = |of: fn(&BrokerScene) -> u64| Some(sites().flatten().map(of).sum());
    let most = |of: fn(&BrokerScene) -> u32| sites().flatten().map(|b| u64::from(of(b))).max();
    match metric {
        M::LoadMax => sites()
            .flatten()
            .filter_map(|broker| excess(broker.connections.into(), broker.capacity?.into()))
            .max(),
        M::LoadMin => sites()
            .flatten()
            .filter(|broker| broker.up)
            .filter_map(|broker| share(broker.connections.into(), broker.capacity?.into()))
            .min(),
        M::Spread => sites().filter_map(|brokers| spread(&brokers)).max(),
        M::OverLimit => sum(|broker| broker.over_limit),
        M::SilentCloses => sum(|broker| broker.silent_closes),
        M::SynDrops => sum(|broker| broker.syn_drops),
        M::OpeningsMax => most(|broker| broker.openings_max),
        M::ConnectsMax => most(|broker| broker.connects_max),
    }
}

/// Most minus fewest over the mean.
fn spread(brokers: &[&BrokerScene]) -> Option<u64> {
    let up = || brokers.iter().filter(|broker| broker.up).map(|b| u64::from(b.connections));
    let apart = up().max()? - up().min()?;
    excess(apart * up().count() as u64, up().sum())
}

fn sites(metric: SiteMetric, view: &View<'_>) -> Option<u64> {
    use SiteMetric as M;
    match metric {
        M::LoadMax => view.sites().filter_map(|site| excess(held(site), capacity(site)?)).max(),
        M::LoadMin => view
            .sites()
            .filter(|site| site.brokers.iter().any(|broker| broker.up))
            .filter_map(|site| share(held(site), capacity(site)?))
            .min(),
        M::CarriedMax => {
            view.sites().filter_map(|site| excess(site.guests.into(), capacity(site)?)).max()
        }
        M::WaitingMax => {
            let nodes = view.sites().flat_map(|site| &site.nodes);
            nodes.map(|node| u64::from(node.waiting)).max()
        }
    }
}

fn held(site: &SiteScene) -> u64 {
    site.brokers.iter().map(|broker| u64::from(broker.connections)).sum()
}

/// Of all its brokers, up or not: those who are connected to one that hangs hold places there.
fn capacity(site: &SiteScene) -> Option<u64> {
    site.brokers.iter().map(|broker| broker.capacity.map(u64::from)).sum()
}

fn flows(metric: FlowMetric, view: &View<'_>) -> Option<u64> {
    use FlowMetric as M;
    Some(match metric {
        M::Redispatches => view.sum(|site| site.flow.redispatches),
        M::AttemptsMax => view.most(|site| site.flow.attempts_max),
        M::RetryRatio => {
            let again = view.sum(|site| site.flow.redispatches);
            return excess(again, view.sum(|site| site.flow.flows));
        }
        M::TurnedAway => view.sum(|site| site.flow.turned_away),
        M::Carried => view.sum(|site| site.flow.carried),
        M::Tunnels => view.sum(|site| site.flow.tunnels),
        M::TunnelsRefused => view.sum(|site| site.flow.tunnels_refused),
        M::HopsMax => view.most(|site| site.flow.hops_max),
        M::CameHome => view.sum(|site| site.flow.came_home),
    })
}

fn mesh(metric: MeshMetric, view: &View<'_>) -> Option<u64> {
    use MeshMetric as M;
    match metric {
        M::AvoidedP50 => view.lost(|detection| detection.avoided, 500),
        M::AvoidedP99 => view.lost(|detection| detection.avoided, 990),
        M::AvoidedMax => view.lost(|detection| detection.avoided, 1_000),
        M::DeadP50 => view.lost(|detection| detection.dead, 500),
        M::DeadP99 => view.lost(|detection| detection.dead, 990),
        M::DeadMax => view.lost(|detection| detection.dead, 1_000),
        M::BackMax => view.back(),
        M::FalseDead => Some(view.sum(|site| site.mesh.false_dead)),
        M::FalseAvoided => Some(view.sum(|site| site.mesh.false_avoided)),
        M::Agreement => share(view.sum(|site| site.mesh.agree), view.sum(|site| site.mesh.pairs)),
        M::BytesMax => view.bytes(),
    }
}

fn entry(metric: EntryMetric, view: &View<'_>) -> u64 {
    use EntryMetric as M;
    match metric {
        M::StaleArrivals => view.sum(|site| site.entry.stale_arrivals),
        M::DeadNamed => view.sum(|site| site.entry.dead_named),
    }
}

/// Millionths, rounded down; `None` of nothing.
fn share(part: u64, whole: u64) -> Option<u64> {
    let millionths = u128::from(part) * u128::from(MILLION);
    let share = millionths.checked_div(u128::from(whole))?;
    Some(u64::try_from(share).unwrap_or(u64::MAX))
}

/// Millionths, rounded up; `None` of nothing.
fn excess(part: u64, whole: u64) -> Option<u64> {
    let millionths = u128::from(part) * u128::from(MILLION);
    let whole = u128::from(whole);
    (whole > 0).then(|| u64::try_from(millionths.div_ceil(whole)).unwrap_or(u64::MAX))
}
