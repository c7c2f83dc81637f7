//! A healed world that is left alone: what must come about in it, and what must not go on.
//!
//! The world is *healed* while no strike that lasts goes on, from the end of the last one; what
//! strikes once heals at once, and everyone's arrival is over. A strike without an end never heals.
//! From then on, and as long as nothing strikes again:
//!
//! - *converges*: within [`CONVERGES`] there is a look at which nodes hold of sites what is so, but
//!   for one pair in a hundred, which losses of the network may cost at any moment.
//! - *serves-all*: within [`recovery`] there is a look at which everyone who wants to be served is.
//!   Clients without a keepalive never notice silence, and those who come and go are on their way
//!   at any moment: one in a hundred. So are those who were just called home, as long as no more are
//!   called than were away: who is called again and again is not on its way home.
//! - *calms*: in the [`CALM`] after that, tries in vain and redispatches are fewer than one client
//!   in a hundred. A limit that nodes must find out is tried upwards for ever, by each of them once in
//!   [`TRY_LAST`]: where clients come and go, these redispatches go on.
//!
//! The last two hold where capacity suffices: the brokers that run take all clients who want to be
//! served, and leave each site's reserve; and those who may go nowhere else have room at home.
//! Where a drill ends before the time is over, nothing is judged.
//!
//! *drains* is another matter: a site that is told to drain is empty when its time and
//! [`DRAINED`] are over, if it has been drained for so long.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use isobar_core::fullness::TRY_LAST;

use super::Findings;
use crate::drill::{Backoff, Broker, Check, Deed, Down, Drill, Site, SiteNo, Strike, Targets};
use crate::engine::plan::PROBES;
use crate::explore;
use crate::rehearsal::{Crowd, Scene, SiteScene};

/// Anti-entropy comes every 30 s with jitter, and dials wait up to that long.
const CONVERGES: Duration = Duration::from_secs(60);
/// For retries to have fallen back.
const CALM: Duration = Duration::from_secs(10);
/// Calls beyond one for each who is away.
const AGAIN: u64 = 10;
/// A drained site's last flows may take so much longer.
const DRAINED: Duration = Duration::from_secs(15);

/// How long everyone's way back may take: who has not noticed notices, rests, is told an old
/// address, rests again, and is served at the pace of brokers and nodes.
pub(crate) fn recovery(drill: &Drill) -> Duration {
    let clients = &drill.clients;
    let rest = longest_rest(drill);
    let sites = &drill.topology.sites;
    let paced = sites.iter().map(|site| {
        let brokers = u64::from(site.brokers) * u64::from(site.broker.connect_rate.max(1));
        let nodes = match drill.service.max_new_per_second {
            0 => u64::MAX,
            pace => u64::from(pace) * u64::from(site.nodes),
        };
        u64::from(site.clients).div_ceil(brokers.min(nodes).max(1))
    });
    let paced = Duration::from_secs(paced.max().unwrap_or(0));
    clients.keepalive
        + clients.ping_timeout
        + rest * 2
        + clients.patience * 2
        + drill.entry.ttl
        + drill.slow_start
        + paced * 3
        + Duration::from_secs(20)
}

/// The most that a client waits before it tries again.
fn longest_rest(drill: &Drill) -> Duration {
    let rests = drill.clients.backoff.iter().map(|(_, backoff)| match *backoff {
        Backoff::Fixed { every } => every,
        Backoff::FullJitter { most, .. } | Backoff::Exponential { most, .. } => most,
    });
    rests.max().unwrap_or_default()
}

/// Flows that are called home, since the world has healed.
#[derive(Clone, Debug, Default)]
struct Homecoming {
    /// Calls so far, second by second, for as long as who was called may be on its way.
    lately: VecDeque<(Duration, u64)>,
    /// Calls before.
    before: Option<u64>,
    /// And since.
    called: u64,
    /// The most that were away at once.
    away: u64,
}

impl Homecoming {
    /// How many may be on their way just now.
    fn look(&mut self, scene: &Scene, on_its_way: Duration) -> u64 {
        let flows = || scene.sites.iter().map(|site| &site.flow);
        let called: u64 = flows().map(|flow| flow.came_home).sum();
        self.away = self.away.max(flows().map(|flow| u64::from(flow.carried)).sum());
        let before = *self.before.get_or_insert(called);
        if self.lately.back().is_none_or(|(at, _)| scene.at >= *at + Duration::from_secs(1)) {
            self.lately.push_back((scene.at, called));
        }
        while self.lately.get(1).is_some_and(|(at, _)| *at + on_its_way <= scene.at) {
            self.lately.pop_front();
        }
        let lately = self.lately.front().map_or(called, |(_, then)| *then);
        self.called = called - before;
        called - lately
    }

    /// No more were called than were away.
    fn is_all(&self) -> bool {
        self.called <= self.away + AGAIN
    }
}

/// Of a look that something is counted from.
#[derive(Clone, Copy, Debug)]
struct Mark {
    since: Duration,
    in_vain: u64,
    again: u64,
}

/// What a healed world comes to.
#[derive(Debug)]
pub(crate) struct Calm {
    recovery: Duration,
    /// Clients in a hundred that may be on their way.
    comes_and_goes: bool,
    /// Redispatches within [`CALM`] that say nothing.
    trials: u64,
    rejected: bool,
    keepalive: bool,
    /// With nothing broken there is a place for everyone that may be theirs.
    has_room: bool,
    /// Some may be served at home alone.
    bound: bool,
    reserve: u64,
    /// By site: clients that each of its brokers takes beside probes; `None` for any number.
    places: Vec<Option<u64>>,
    drain_timeout: Duration,
    /// Strikes that go on.
    active: BTreeSet<usize>,
    /// Since when there are none.
    healed: Duration,
    converged: bool,
    served: bool,
    judged: [bool; 3],
    mark: Option<Mark>,
    homecoming: Homecoming,
    /// How long who was called home may be on its way.
    on_its_way: Duration,
    /// Sites that are drained: by which strike, and when they must be empty.
    drains: Vec<(usize, SiteNo, Duration)>,
    pub(crate) found: Findings,
}

impl Calm {
    pub(crate) fn new(drill: &Drill) -> Calm {
        Calm {
            recovery: recovery(drill),
            comes_and_goes: drill.clients.stay.is_some(),
            trials: trials(drill),
            rejected: drill.clients.rejected_ppm > 0,
            keepalive: !drill.clients.keepalive.is_zero(),
            has_room: explore::suffices(drill),
            bound: explore::is_bound(drill),
            reserve: u64::from(drill.service.spill.reserve),
            places: drill.topology.sites.iter().map(places).collect(),
            drain_timeout: drill.drain_timeout,
            active: BTreeSet::new(),
            healed: drill.clients.arrive,
            converged: false,
            served: false,
            judged: [false; 3],
            mark: None,
            homecoming: Homecoming::default(),
            on_its_way: longest_rest(drill) + drill.clients.patience,
            drains: Vec::new(),
            found: Findings::default(),
        }
    }

    /// A strike begins.
    pub(crate) fn begins(&mut self, number: usize, strike: &Strike, deed: Deed, now: Duration) {
        if deed.doc().lasts {
            self.active.insert(number);
        }
        if let (Deed::SiteDown(Down::Drain), Targets::Sites(sites)) = (deed, &strike.targets) {
            let due = now + self.drain_timeout + DRAINED;
            self.drains.extend(sites.iter().map(|site| (number, *site, due)));
        }
        self.heals(now);
    }

    /// And is undone.
    pub(crate) fn ends(&mut self, number: usize, now: Duration) {
        self.active.remove(&number);
        self.drains.retain(|(strike, ..)| *strike != number);
        self.heals(now);
    }

    fn heals(&mut self, now: Duration) {
        self.healed = self.healed.max(now);
        (self.converged, self.served, self.judged, self.mark) = (false, false, [false; 3], None);
        self.homecoming = Homecoming::default();
    }

    /// How things stand.
    pub(crate) fn look(&mut self, scene: &Scene) {
        self.look_at_drains(scene);
        if !self.active.is_empty() || scene.at < self.healed {
            return;
        }
        let since = scene.at - self.healed;
        self.look_at_beliefs(scene, since);
        if self.has_room && self.suffices(scene) {
            self.look_at_clients(scene, since);
        } else {
            self.mark = None;
        }
    }

    /// Whether the brokers that run take all who want to be served.
    fn suffices(&self, scene: &Scene) -> bool {
        let mut all = 0;
        for (site, places) in scene.sites.iter().zip(&self.places) {
            let running = site.brokers.iter().filter(|broker| broker.up).count() as u64;
            match places {
                None if running > 0 => return true,
                None => {}
                Some(places) => all += places * running,
            }
        }
        let crowds = scene.sites.iter().flat_map(|site| [&site.affected, &site.unaffected]);
        let wanting: u64 =
            crowds.map(|c| u64::from(c.home) + u64::from(c.abroad) + u64::from(c.unserved)).sum();
        wanting * 100 <= all * (100 - self.reserve.min(100))
    }

    /// Clients who are not served and whose own site others have filled.
    fn kept_out(&self, scene: &Scene) -> u64 {
        if !self.bound {
            return 0;
        }
        let sites = scene.sites.iter().zip(&self.places);
        let full = sites.filter(|(site, places)| {
            let mut up = site.brokers.iter().filter(|broker| broker.up);
            places.is_some_and(|places| up.all(|broker| u64::from(broker.connections) >= places))
        });
        let unserved = |site: &SiteScene| site.affected.unserved + site.unaffected.unserved;
        full.map(|(site, _)| u64::from(unserved(site))).sum()
    }

    fn look_at_drains(&mut self, scene: &Scene) {
        let found = &mut self.found;
        self.drains.retain(|(_, site, due)| {
            if scene.at < *due {
                return true;
            }
            let there = &scene.sites[usize::from(*site)];
            let left: u32 = there.brokers.iter().map(|broker| broker.connections).sum();
            if left > 0 {
                found.note_at(scene.at, Check::Drains, || {
                    format!("site {site}: {left} connections are left of a drain")
                });
            }
            false
        });
    }

    fn look_at_beliefs(&mut self, scene: &Scene, since: Duration) {
        let sum = |of: fn(&crate::rehearsal::MeshScene) -> u32| -> u64 {
            scene.sites.iter().map(|site| u64::from(of(&site.mesh))).sum()
        };
        let (pairs, agree) = (sum(|mesh| mesh.pairs), sum(|mesh| mesh.agree));
        self.converged |= (pairs - agree.min(pairs)) * 100 <= pairs;
        if since >= CONVERGES && !self.judged[0] {
            self.judged[0] = true;
            if !self.converged {
                self.found.note_at(scene.at, Check::Converges, || {
                    format!("{agree} of {pairs} pairs agree a minute after all is well")
                });
            }
        }
    }

    fn look_at_clients(&mut self, scene: &Scene, since: Duration) {
        let crowds = || scene.sites.iter().flat_map(|site| [&site.affected, &site.unaffected]);
        let sum = |of: fn(&Crowd) -> u64| -> u64 { crowds().map(of).sum() };
        let unserved = sum(|crowd| crowd.unserved.into());
        let clients = sum(|c| u64::from(c.home) + u64::from(c.abroad) + u64::from(c.unserved));
        let hundredth = clients / 100;
        let comes_home = self.homecoming.look(scene, self.on_its_way);
        let allowed = if self.comes_and_goes { hundredth + 10 } else { 0 };
        let allowed = allowed + self.kept_out(scene);
        self.served |= unserved <= allowed;
        if since < self.recovery {
            return;
        }
        if !self.judged[1] {
            self.judged[1] = true;
            // Once nobody is called any more, all must be there.
            let but_for_called = unserved <= allowed + comes_home && self.homecoming.is_all();
            let served = self.served || but_for_called;
            if self.keepalive && !served {
                let recovery = self.recovery;
                self.found.note_at(scene.at, Check::ServesAll, || {
                    format!("{unserved} of {clients} are not served {recovery:?} after all is well")
                });
            }
        }
        // Those with a wrong password try for ever, and are refused.
        let refused = if self.rejected { 0 } else { sum(|crowd| crowd.refused) };
        let in_vain = refused + sum(|crowd| crowd.failed);
        let again = scene.sites.iter().map(|site| site.flow.redispatches).sum();
        let mark = *self.mark.get_or_insert(Mark { since, in_vain, again });
        if since >= mark.since + CALM && !self.judged[2] {
            self.judged[2] = true;
            let (in_vain, again) = (in_vain - mark.in_vain, again - mark.again);
            if in_vain > hundredth + 10 || again > hundredth + 10 + self.trials {
                self.found.note_at(scene.at, Check::Calms, || {
                    format!("{in_vain} tries in vain and {again} redispatches within {CALM:?}")
                });
            }
        }
    }
}

/// Trials of limits that nobody is told, within [`CALM`].
fn trials(drill: &Drill) -> u64 {
    if drill.clients.stay.is_none() {
        return 0;
    }
    let learns = |site: &&Site| {
        let Broker { maxconn, max_connections, .. } = site.broker;
        max_connections.is_some_and(|own| maxconn.is_none_or(|told| own < told))
    };
    let learning = drill.topology.sites.iter().filter(learns);
    let pairs: u64 = learning.map(|site| u64::from(site.nodes) * u64::from(site.brokers)).sum();
    (pairs * CALM.as_secs()).div_ceil(TRY_LAST.as_secs())
}

/// Clients that a broker of a site takes. Of its own limit, probes need a part.
fn places(site: &Site) -> Option<u64> {
    let Broker { maxconn, max_connections, .. } = site.broker;
    let own = max_connections.map(|most| most.saturating_sub(u32::from(site.nodes) * PROBES));
    [maxconn, own].into_iter().flatten().min().map(u64::from)
}

#[cfg(test)]
mod tests;
