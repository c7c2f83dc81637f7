//! A fault on trial: what is said of it must be so with the fault, and not without it.

use super::super::*;
use crate::drill::{Fault, Moment, Selector};
use crate::rehearsal::{LOOK, SiteScene};

/// Where faults strike mostly.
pub(super) const NYC: usize = 1;

/// Five sites of 200 clients, two nodes and 20 brokers with twice as many places; clients speak
/// every 20 s, and wait 8 s for an answer.
pub(super) struct Trial {
    pub(super) stage: Simulated,
    strikes: Vec<Strike>,
    /// In tenths of a second, at each of which is looked.
    now: u32,
    /// The first fault is not switched off.
    on: bool,
}

/// Of all who are at home in a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Count {
    pub(super) home: u32,
    pub(super) abroad: u32,
    pub(super) unserved: u32,
    pub(super) noticed: u64,
    pub(super) disconnected: u64,
}

pub(super) type Change = fn(&mut Drill);

pub(super) fn as_it_is(_: &mut Drill) {}

/// The world of a trial, with these faults.
pub(super) fn drill(faults: &[(Deed, &str)], change: Change) -> Drill {
    Drill::plain(5, 200).with(|drill| {
        drill.topology.sites.iter_mut().for_each(|site| site.broker.maxconn = Some(20));
        let secs = Duration::from_secs;
        (drill.clients.keepalive, drill.clients.ping_timeout) = (secs(20), secs(8));
        drill.faults.extend(faults.iter().map(|(deed, on)| Fault {
            name: None,
            at: Moment::At(secs(5)),
            deed: *deed,
            on: Selector::parse(on, None).unwrap(),
            lasts: None,
            every: None,
        }));
        change(drill);
    })
}

impl Trial {
    pub(super) fn of(drill: &Drill, on: bool, threads: usize) -> Trial {
        let stage = Simulated::new(drill, 1, threads);
        Trial { stage, strikes: drill.strikes(1), now: 0, on }
    }

    /// Time passes until then, in tenths of a second.
    pub(super) fn at(&mut self, tenths: u32) -> &mut Trial {
        while self.now < tenths {
            self.now += 1;
            self.stage.pass_until(LOOK * self.now).unwrap();
            self.stage.look().unwrap();
        }
        self.stage.planet().check();
        self
    }

    pub(super) fn begin(&mut self, number: usize) -> &mut Trial {
        if self.on || number > 0 {
            let strike = self.strikes[number].clone();
            self.stage.begin(number, &strike).unwrap();
        }
        self
    }

    pub(super) fn end(&mut self, number: usize) -> &mut Trial {
        self.stage.end(number).unwrap();
        self
    }

    pub(super) fn site(&mut self, site: usize) -> SiteScene {
        self.stage.look().unwrap().sites[site].clone()
    }

    pub(super) fn count(&mut self, site: usize) -> Count {
        let site = self.site(site);
        let (a, b) = (&site.affected, &site.unaffected);
        Count {
            home: a.home + b.home,
            abroad: a.abroad + b.abroad,
            unserved: a.unserved + b.unserved,
            noticed: a.noticed + b.noticed,
            disconnected: a.disconnected + b.disconnected,
        }
    }

    /// Of those at home in New York: not served, and losses noticed.
    pub(super) fn nyc(&mut self) -> (u32, u64) {
        let count = self.count(NYC);
        (count.unserved, count.noticed)
    }

    /// Everyone is served, and brokers hold as many connections as there are clients.
    pub(super) fn is_well(&mut self, clients: u32) -> bool {
        let scene = self.stage.look().unwrap();
        let crowds = scene.sites.iter().flat_map(|site| [&site.affected, &site.unaffected]);
        let served: u32 = crowds.map(|crowd| crowd.home + crowd.abroad).sum();
        let brokers = scene.sites.iter().flat_map(|site| &site.brokers);
        let held: u32 = brokers.map(|broker| broker.connections).sum();
        (served, held) == (clients, clients)
    }

    /// The round trip to New York's first node, as others' meshes were told of it: by how much it
    /// is more than it should be.
    pub(super) fn longer(&mut self) -> Duration {
        let pairs = [0, 2, 3, 4].into_iter().flat_map(|site| [(site, 0), (site, 1)]);
        let found = pairs.filter_map(|(site, node)| {
            let told = self.region(site).told_rtt(node, (NYC, 0))?;
            let plan = self.stage.drill.topology.rtt(site as SiteNo, NYC as SiteNo);
            Some(told.saturating_sub(plan))
        });
        found.max().unwrap()
    }

    pub(super) fn region(&mut self, site: usize) -> &crate::engine::region::Region {
        self.stage.planet().region(site)
    }
}

/// What is said must be so with the first fault, which must have taken effect, and not so without.
pub(super) fn bites(faults: &[(Deed, &str)], change: Change, said: impl Fn(&mut Trial) -> bool) {
    let drill = drill(faults, change);
    let mut with = Trial::of(&drill, true, 2);
    assert!(said(&mut with), "it does not bite: {:?}, {:?}", with.count(0), with.count(NYC));
    assert!(with.stage.took_effect(0), "it bites, and does not say so");
    let finale = with.stage.finish().unwrap();
    assert_eq!(finale.findings, [], "checks find nothing wrong with a world that suffers");
    let mut without = Trial::of(&drill, false, 2);
    assert!(!said(&mut without), "the same is so without the fault");
    assert!(!without.stage.took_effect(0));
}
