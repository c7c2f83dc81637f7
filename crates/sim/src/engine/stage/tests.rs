//! What a small stage shows and tells: scenes as things are, what becomes of sites, detections.

mod crowd;
mod links;
mod machines;
mod trial;
mod unkind;

use super::*;
use crate::drill::{Become, Down, Fault, Moment, NodeAt, Selector};
use crate::rehearsal::{Crowd, LOOK};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Five sites with twice as many places as clients; one fault, if any.
fn drill(fault: Option<(Deed, &str)>) -> Drill {
    Drill::plain(5, 200).with(|drill| {
        drill.topology.sites.iter_mut().for_each(|site| site.broker.maxconn = Some(20));
        (drill.clients.keepalive, drill.clients.ping_timeout) = (secs(20), secs(8));
        drill.faults.extend(fault.map(|(deed, on)| Fault {
            name: None,
            at: Moment::At(secs(5)),
            deed,
            on: Selector::parse(on, None).unwrap(),
            lasts: None,
            every: None,
        }));
    })
}

/// A stage and what it showed, look by look.
struct Play {
    stage: Simulated,
    scenes: Vec<Scene>,
    became: Vec<Became>,
}

impl Play {
    fn of(drill: &Drill) -> Play {
        let stage = Simulated::new(drill, 1, 2);
        Play { stage, scenes: Vec::new(), became: Vec::new() }
    }

    fn until(&mut self, end: u64) -> &Scene {
        let mut at = self.scenes.last().map_or(Duration::ZERO, |scene| scene.at);
        while at < secs(end) {
            at += LOOK;
            self.stage.pass_until(at).unwrap();
            self.scenes.push(self.stage.look().unwrap());
            self.became.extend(self.stage.became());
        }
        self.scenes.last().unwrap()
    }

    /// All that befalls the world, at once.
    fn begin(&mut self) {
        let strikes = self.stage.drill.strikes(1);
        strikes.iter().enumerate().for_each(|(n, strike)| self.stage.begin(n, strike).unwrap());
    }

    fn what_became(&self, site: SiteNo) -> Vec<(Become, Duration)> {
        let of = self.became.iter().filter(|became| became.site == site);
        of.map(|became| (became.what, became.at)).collect()
    }
}

#[test]
fn a_quiet_world_is_as_it_was_planned() {
    let mut play = Play::of(&drill(None));
    let scene = play.until(10).clone();
    for site in &scene.sites {
        let all = &site.unaffected;
        assert_eq!((all.home, all.abroad, all.unserved, all.away), (200, 0, 0, 0));
        assert_eq!(site.affected, Crowd::default());
        assert_eq!(site.brokers.iter().map(|broker| broker.connections).sum::<u32>(), 200);
        assert!(site.brokers.iter().all(|b| b.up && b.capacity == Some(20) && b.over_limit == 0));
        assert!(site.nodes.iter().all(|node| node.up && node.bytes > 10_000), "{:?}", site.nodes);
        assert_eq!((site.mesh.pairs, site.mesh.agree), (8, 8));
        assert_eq!((site.guests, site.flow.flows, site.entry.stale_arrivals), (0, 0, 0));
    }
    assert_eq!(play.became, []);
    let finale = play.stage.finish().unwrap();
    assert_eq!((finale.detections.len(), finale.findings.len()), (0, 0));
}

#[test]
fn a_lost_site_is_shown_as_it_is_and_as_others_find_out() {
    let mut play = Play::of(&drill(Some((Deed::SiteDown(Down::Silent), "site:nyc"))));
    play.until(5);
    play.begin();
    let scene = play.until(6);
    let lost = &scene.sites[1];
    assert_eq!((lost.affected.unserved, lost.affected.noticed), (200, 0), "nobody knows yet");
    assert!(lost.brokers.iter().all(|broker| !broker.up && broker.connections == 0));
    assert_eq!(scene.sites[0].unaffected.home, 200);
    play.until(60);
    play.stage.end(0).unwrap();
    let scene = play.until(90).clone();
    let mut guests = 0;
    for site in &scene.sites {
        let crowds = [&site.affected, &site.unaffected];
        assert_eq!(crowds.iter().map(|crowd| crowd.unserved).sum::<u32>(), 0);
        assert_eq!((site.mesh.pairs, site.mesh.agree), (8, 8));
        assert_eq!((site.mesh.false_dead, site.mesh.false_avoided), (0, 0));
        guests += site.guests;
    }
    assert_eq!(guests, scene.sites[1].affected.abroad);
    let became = play.what_became(1);
    let words: Vec<Become> = became.iter().map(|(what, _)| *what).collect();
    assert_eq!(words, [Become::Empty, Become::Avoided, Become::Dead, Become::Reachable]);
    assert!(became[1].1 > secs(5) && became[2].1 < secs(8), "{became:?}");
    // Near ones have as many places left as there were clients.
    for site in [0, 2, 3, 4] {
        assert!(play.what_became(site).iter().all(|(what, _)| *what == Become::Full));
    }
    let finale = play.stage.finish().unwrap();
    let by = |site, node| NodeAt { site, node };
    let found: Vec<NodeAt> = finale.detections.iter().map(|detection| detection.by).collect();
    assert_eq!(found, [0, 2, 3, 4].iter().flat_map(|s| [by(*s, 0), by(*s, 1)]).collect::<Vec<_>>());
    for detection in &finale.detections {
        assert_eq!((detection.lost, detection.returned), (secs(5), Some(secs(60))));
        assert!(detection.avoided <= Some(secs(1)) && detection.avoided.is_some(), "{detection:?}");
        assert!(detection.dead <= Some(secs(3)) && detection.dead.is_some(), "{detection:?}");
        assert!(detection.back <= Some(secs(15)) && detection.back.is_some(), "{detection:?}");
    }
}

#[test]
fn who_is_not_served_in_the_end_is_told_by_cause() {
    // Nobody has a place but at the lost site, which does not come back.
    let drill = drill(Some((Deed::SiteDown(Down::Silent), "site:nyc")));
    let drill = drill.with(|drill| {
        for site in [0, 2, 3, 4] {
            drill.topology.sites[site].broker.maxconn = Some(10);
        }
    });
    let mut play = Play::of(&drill);
    play.until(5);
    play.begin();
    let scene = play.until(60).clone();
    assert_eq!(scene.sites[1].affected.unserved, 200);
    let finale = play.stage.finish().unwrap();
    let crowd = &finale.sites[1].affected;
    assert_eq!(crowd.never_served.values().sum::<u64>(), 200, "{:?}", crowd.never_served);
    // As no site has room, its own is what was good last.
    assert_eq!(crowd.never_served.keys().collect::<Vec<_>>(), ["no answer in time"]);
    assert_eq!((crowd.outage.count(), crowd.outage.most()), (200, Some(secs(55))));
    assert_eq!((crowd.reconnect.count(), crowd.admit.count()), (200, 0));
}
