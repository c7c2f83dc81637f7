//! A small drill to build on, and a stage that shows what its script says.

use std::convert::Infallible;
use std::time::Duration;

use isobar_core::policy::{Balance, Mode, OnMarkedDown, ServicePolicy};

use crate::drill::quantity::duration;
use crate::drill::*;
use crate::rehearsal::record::Record;
use crate::rehearsal::{Became, BrokerScene, Finale, Scene, SiteScene, Stage, rehearse};

/// `2s`, `500ms`.
pub(crate) fn t(text: &str) -> Duration {
    duration(text).unwrap()
}

/// Two sites, `fra` and `nyc`, with a node and two brokers each; nothing happens, and nothing is
/// expected.
pub(crate) fn drill(duration: &str) -> Drill {
    let site = |name: &str, region: &str| Site {
        name: name.to_owned(),
        region: region.to_owned(),
        spot: None,
        nodes: 1,
        brokers: 2,
        clients: 100,
        broker: Broker {
            maxconn: Some(100),
            max_connections: None,
            connect_rate: 1_000,
            backlog: 100,
        },
    };
    let wan = Wan {
        rtt_us: vec![vec![0, 80_000], vec![80_000, 0]],
        jitter_ppm: 0,
        loss_ppm: 0,
        bursts: None,
        lan: Duration::from_micros(500),
    };
    Drill {
        name: "small".to_owned(),
        hypothesis: "All is well".to_owned(),
        duration: t(duration),
        seeds: Seeds { first: 1, last: 1 },
        topology: Topology { sites: vec![site("fra", "eu"), site("nyc", "na")], wan },
        service: service(),
        check: None,
        slow_start: t("30s"),
        drain_timeout: t("1m"),
        entry: Entry { policy: EntryPolicy::Nearest, all_down: AllDown::LastGood, ttl: t("30s") },
        clients: Clients {
            keepalive: t("1m"),
            ping_timeout: t("10s"),
            backoff: vec![Backoff::parse_share("fixed 5s").unwrap()],
            stale_dns_ppm: 0,
            v5_ppm: 0,
            persistent_ppm: 0,
            rejected_ppm: 0,
            patience: t("30s"),
            access: t("20ms"),
            arrive: Duration::ZERO,
            stay: None,
            away: t("1m"),
        },
        faults: Vec::new(),
        expectations: Vec::new(),
        stops: Vec::new(),
        without: None,
        must_fail: Vec::new(),
    }
}

fn service() -> ServicePolicy {
    ServicePolicy {
        name: "mqtt".to_owned(),
        mode: Mode::Mqtt,
        balance: Balance::LeastConn,
        maxconn: 1_000,
        retries: 3,
        redispatch: true,
        connect_timeout: t("2s"),
        connack_timeout: t("5s"),
        deadline: t("15s"),
        opening_timeout: t("10s"),
        opening_max: 65_536,
        affinity: true,
        takeover: true,
        on_marked_down: OnMarkedDown::Keep,
        max_new_per_second: 0,
        spill: Default::default(),
        members: Vec::new(),
    }
}

impl Drill {
    /// A site goes down at this moment; `on`, `for` and `every` as a drill has them.
    pub(crate) fn loses(self, name: &str, at: &str, on: &str, lasts: &str) -> Drill {
        let lasts = (!lasts.is_empty()).then(|| t(lasts));
        self.strikes_with(name, at, Deed::SiteDown(Down::Silent), on, lasts)
    }

    pub(crate) fn strikes_with(
        mut self,
        name: &str,
        at: &str,
        deed: Deed,
        on: &str,
        lasts: Option<Duration>,
    ) -> Drill {
        let at = Moment::parse(at, &self.fault_names()).unwrap();
        let on = Selector::parse(on, None).unwrap();
        self.faults.push(Fault { name: Some(name.to_owned()), at, deed, on, lasts, every: None });
        self
    }

    /// The fault before comes to its targets in turn.
    pub(crate) fn every(mut self, every: &str) -> Drill {
        self.faults.last_mut().unwrap().every = Some(t(every));
        self
    }

    pub(crate) fn recovers(self, bound: &str, within: &str, from: &str, until: &str) -> Drill {
        let (from, until) = (self.moment(from), self.moment(until));
        self.expects(bound, Kind::Recover { within: t(within), from, until })
    }

    pub(crate) fn sustains(self, bound: &str, from: &str, until: &str) -> Drill {
        let (from, until) = (self.moment(from), self.moment(until));
        self.expects(bound, Kind::Sustain { from, until })
    }

    pub(crate) fn totals(self, bound: &str) -> Drill {
        self.expects(bound, Kind::Total)
    }

    pub(crate) fn moment(&self, text: &str) -> Option<Moment> {
        (!text.is_empty()).then(|| Moment::parse(text, &self.fault_names()).unwrap())
    }

    pub(crate) fn expects(mut self, bound: &str, kind: Kind) -> Drill {
        let name = format!("expect-{}", self.expectations.len() + 1);
        let bound = Bound::parse(bound).unwrap();
        self.expectations.push(Expectation { name, bound, kind, of: None });
        self
    }

    /// The expectation before is measured of these.
    pub(crate) fn of(mut self, of: &str) -> Drill {
        self.expectations.last_mut().unwrap().of = Some(Selector::parse(of, None).unwrap());
        self
    }

    pub(crate) fn stops(mut self, when: &str, holds: &str, after: &str, fails: bool) -> Drill {
        let (when, after) = (Bound::parse(when).unwrap(), self.moment(after));
        self.stops.push(Stop { when, of: None, holds: t(holds), after, fails });
        self
    }
}

/// A stage that does nothing, and shows what it was told to.
pub(crate) struct Script {
    pub scenes: Box<dyn Fn(Duration) -> Scene>,
    /// In order of time.
    pub became: Vec<Became>,
    /// Strikes that strike nothing.
    pub idle: Vec<usize>,
    pub finale: Finale,
    /// A wait takes so much longer than it should.
    pub late: fn(Duration) -> Duration,
    now: Duration,
    /// What was done, and when.
    pub log: Vec<String>,
    /// What was seen.
    pub looks: Vec<Scene>,
}

impl Script {
    pub(crate) fn new(scenes: impl Fn(Duration) -> Scene + 'static) -> Script {
        Script {
            scenes: Box::new(scenes),
            became: Vec::new(),
            idle: Vec::new(),
            finale: Finale::default(),
            late: |_| Duration::ZERO,
            now: Duration::ZERO,
            log: Vec::new(),
            looks: Vec::new(),
        }
    }

    /// So many of a hundred clients at home in the first site are served.
    pub(crate) fn served(served: impl Fn(Duration) -> u32 + 'static) -> Script {
        Script::new(move |at| {
            let mut scene = quiet();
            scene.sites[0].affected.home = served(at);
            scene.sites[0].affected.unserved = 100 - served(at);
            scene
        })
    }

    /// The site of this number becomes this.
    pub(crate) fn becomes(mut self, at: &str, site: SiteNo, what: Become) -> Script {
        self.became.push(Became { at: t(at), site, what });
        self
    }

    pub(crate) fn runs(&mut self, drill: &Drill) -> Record {
        rehearse(drill, 1, false, self, |_| ()).unwrap_or_else(|never| match never {})
    }
}

/// Two sites in which nobody is, with two idle brokers each.
pub(crate) fn quiet() -> Scene {
    let broker = BrokerScene { up: true, capacity: Some(100), ..BrokerScene::default() };
    let site = SiteScene { brokers: vec![broker; 2], ..SiteScene::default() };
    Scene { at: Duration::ZERO, sites: vec![site; 2] }
}

impl Stage for Script {
    type Error = Infallible;

    fn pass_until(&mut self, at: Duration) -> Result<(), Infallible> {
        assert!(at >= self.now, "time only passes");
        self.now = at + (self.late)(at);
        Ok(())
    }

    fn begin(&mut self, number: usize, _: &Strike) -> Result<(), Infallible> {
        self.log.push(format!("{} begins {number}", quantity::show_duration(self.now)));
        Ok(())
    }

    fn end(&mut self, number: usize) -> Result<(), Infallible> {
        self.log.push(format!("{} ends {number}", quantity::show_duration(self.now)));
        Ok(())
    }

    fn look(&mut self) -> Result<Scene, Infallible> {
        let scene = Scene { at: self.now, ..(self.scenes)(self.now) };
        self.looks.push(scene.clone());
        Ok(scene)
    }

    fn became(&mut self) -> Vec<Became> {
        let come = self.became.iter().take_while(|became| became.at <= self.now).count();
        self.became.drain(..come).collect()
    }

    fn took_effect(&self, number: usize) -> bool {
        !self.idle.contains(&number)
    }

    fn finish(&mut self) -> Result<Finale, Infallible> {
        Ok(self.finale.clone())
    }
}
