//! Records as a run might leave them: one site goes dark, its clients find others. The curves
//! follow from the seed by plain rules; they rehearse the page, not the mesh.

use std::collections::BTreeMap;

use isobar_core::rng::mix;
use isobar_sim::drill::{Check, cities};
use isobar_sim::rehearsal::record::{
    Checked, FORMAT, Found, Judged, Occurrence, Outcome, Phases, Point, Record, SiteRecord, Spread,
    Step,
};

/// A second, in a record's unit.
pub const S: u64 = 1_000_000;
const LOST: u64 = 60;
const BACK: u64 = 300;
const LENGTH: u64 = 360;

/// What a sample is of.
#[derive(Clone, Copy)]
pub struct Loss {
    /// Sites; the first is lost.
    pub sites: usize,
    /// Clients at home in each.
    pub clients: u64,
    /// Room in each.
    pub room: u64,
}

impl Loss {
    /// Eight sites with room to spare.
    pub fn small() -> Loss {
        Loss { sites: 8, clients: 2_000, room: 2_600 }
    }

    /// Fifty large ones.
    pub fn large() -> Loss {
        Loss { sites: 50, clients: 200_000, room: 250_000 }
    }

    /// One run with this seed.
    pub fn run(self, seed: u64) -> Record {
        let draw = |what: u64, most: u64| mix(mix(seed) ^ what) % most.max(1);
        // Every seventh seed is slow to recover.
        let slow = if seed % 7 == 4 { 22 * S } else { 0 };
        let p99 = 36 * S + draw(1, 8 * S) + slow;
        let sites = self.curves(p99, seed);
        let served = self.clients - self.lost_for_good(seed);
        let judged = expectations(p99, &sites, draw(4, 300_000));
        let failed = judged.iter().any(|judged| judged.held == Some(false));
        let why = format!(
            "served-once-noticed: 99% were served within {}.{:03}s of noticing, not within 45s",
            p99 / S,
            p99 % S / 1000
        );
        Record {
            format: FORMAT,
            version: "0.1.0".to_owned(),
            drill: "site-loss-silent".to_owned(),
            hypothesis: "Losing Frankfurt in silence: whoever notices is served elsewhere within 45 s, and nobody else feels it".to_owned(),
            file: "simulations/site-loss-silent.toml".to_owned(),
            source: String::new(),
            seed,
            live: false,
            outcome: if failed { Outcome::Failed } else { Outcome::Passed },
            why: if failed { vec![why] } else { Vec::new() },
            duration_us: LENGTH * S,
            ended_us: LENGTH * S,
            hash: mix(seed),
            events: 1_234_567 + draw(2, 9_999),
            metrics: metrics(&judged),
            expectations: judged,
            checks: checks(),
            faults: faults(),
            phases: phases(served, p99),
            served: (0..=120).map(|n| Step { us: n * n * p99 / 14_400, count: served * n / 120 }).collect(),
            never_served: self.never_served(seed),
            went: self.went(served, seed),
            sites,
        }
    }

    fn lost_for_good(self, seed: u64) -> u64 {
        if seed % 7 == 4 { self.clients / 190 } else { 0 }
    }

    fn never_served(self, seed: u64) -> BTreeMap<String, u64> {
        let lost = self.lost_for_good(seed);
        let causes = [("no answer", lost - lost / 3), ("refused: server busy", lost / 3)];
        causes.into_iter().filter(|(_, n)| *n > 0).map(|(cause, n)| (cause.to_owned(), n)).collect()
    }

    /// How much of the lost site's clients each other site took: most went to what is near.
    fn shares(self, seed: u64) -> Vec<u64> {
        let weight = |site: usize| match site {
            0 => 0,
            _ => (4_000 / site as u64) + mix(seed ^ site as u64) % 200,
        };
        (0..self.sites).map(weight).collect()
    }

    fn went(self, served: u64, seed: u64) -> Vec<Vec<u64>> {
        let shares = self.shares(seed);
        let all: u64 = shares.iter().sum::<u64>().max(1);
        let mut went = vec![vec![0; self.sites]; self.sites];
        went[0] = shares.iter().map(|share| served * share / all).collect();
        // A few of others were guests there when it went.
        for (home, row) in went.iter_mut().enumerate().skip(1).step_by(3) {
            row[home] = mix(seed ^ 77 ^ home as u64) % 90;
        }
        went
    }

    fn curves(self, p99: u64, seed: u64) -> Vec<SiteRecord> {
        let went = self.went(self.clients, seed);
        let site = |number: usize| SiteRecord {
            name: cities()[number].code.to_owned(),
            clients: self.clients,
            curve: (0..=LENGTH)
                .map(|t| self.point(number, t, went[0][number], p99, seed))
                .collect(),
        };
        (0..self.sites).map(site).collect()
    }

    fn point(self, site: usize, t: u64, guests: u64, p99: u64, seed: u64) -> Point {
        let dark = (LOST..BACK).contains(&t);
        // They notice within a minute and a half, and come home slowly afterwards.
        let gone = t.saturating_sub(LOST).min(90 + p99 / S) * 1000 / (90 + p99 / S);
        let moved = gone * gone * (3_000 - 2 * gone) / 1_000_000;
        let home = t.saturating_sub(BACK + 10).min(45) * 1000 / 45;
        let abroad = if t < LOST { 0 } else { moved.min(1000 - home) };
        let noise = mix(seed ^ (site as u64) << 32 ^ t) % (self.clients / 100).max(1);
        let storm = t > LOST + 40 && t < LOST + 130 && site > 0 && guests > self.room / 9;
        let point = Point {
            at_us: t * S,
            guests: guests * abroad / 1000,
            capacity: Some(if site == 0 && dark { 0 } else { self.room }),
            ..Point::default()
        };
        if site == 0 {
            let connected = if dark { 0 } else { self.clients * (1000 - abroad) / 1000 };
            let unserved = if dark { self.clients * (1000 - moved) / 1000 } else { 0 };
            let attempts = if dark { unserved / 40 } else { 0 };
            return Point { connected, unserved, attempts, ..point };
        }
        let own = self.clients - noise;
        let connected = (own + point.guests).min(self.room);
        let refused = if storm { noise / 3 } else { 0 };
        Point {
            connected,
            unserved: noise / 9,
            refused,
            attempts: refused * 3 + noise / 20,
            ..point
        }
    }
}

fn expectations(p99: u64, sites: &[SiteRecord], free: u64) -> Vec<Judged> {
    let within = |part: u64| 1_000_000 - 10_000 * p99 / (45 * S) * part / 100;
    let load = 1_000_000 - free;
    let noticed = within(92);
    let last = sites[0].curve.len() as u64;
    vec![
        at_least(
            "served-once-noticed",
            "recover",
            "affected.served_since_notice >= 0.99",
            990_000,
            noticed,
            Some((LOST + 45, last)),
        ),
        at_least(
            "served-again",
            "recover",
            "affected.served_ratio >= 0.99",
            990_000,
            998_700,
            Some((LOST + 150, BACK)),
        ),
        at_most("nobody-overloaded", "sustain", "broker.load_max <= 1.0", "Ratio", 1_000_000, load),
        at_most("others-undisturbed", "total", "unaffected.disconnected == 0", "Count", 0, 0),
        at_most(
            "avoided-at-once",
            "total",
            "mesh.avoided_p99 <= 1s",
            "Time",
            S,
            640_000 + p99 % 90_000,
        ),
        at_most(
            "dead-soon",
            "total",
            "mesh.dead_p99 <= 3s",
            "Time",
            3 * S,
            2_100_000 + p99 % 400_000,
        ),
    ]
}

fn at_least(
    name: &str,
    kind: &str,
    bound: &str,
    wanted: u64,
    value: u64,
    span: Option<(u64, u64)>,
) -> Judged {
    let margin = value as i64 - wanted as i64;
    Judged {
        from_us: span.map(|(from, _)| from * S),
        until_us: span.map(|(_, until)| until * S),
        worst_us: span.map(|(from, _)| (from + 3) * S),
        recovered_us: (margin >= 0).then_some(44 * S),
        held: Some(margin >= 0),
        margin: Some(margin),
        ..judged(name, kind, bound, "Ratio", wanted, value)
    }
}

fn at_most(name: &str, kind: &str, bound: &str, unit: &str, wanted: u64, value: u64) -> Judged {
    let margin = wanted as i64 - value as i64;
    let span = kind == "sustain";
    Judged {
        from_us: span.then_some(LOST * S),
        until_us: span.then_some(LENGTH * S),
        worst_us: span.then_some((LOST + 99) * S),
        held: Some(margin >= 0),
        margin: Some(margin),
        ..judged(name, kind, bound, unit, wanted, value)
    }
}

fn judged(name: &str, kind: &str, bound: &str, unit: &str, wanted: u64, value: u64) -> Judged {
    Judged {
        name: name.to_owned(),
        kind: kind.to_owned(),
        bound: bound.to_owned(),
        of: String::new(),
        unit: unit.to_owned(),
        wanted,
        value: Some(value),
        margin: None,
        held: None,
        from_us: None,
        until_us: None,
        worst_us: None,
        recovered_us: None,
        must_fail: false,
    }
}

/// All checks, as a quiet run leaves them.
pub fn checks() -> Vec<Checked> {
    let quiet = |check: &Check| Checked {
        check: check.word().to_owned(),
        doc: check.doc().to_owned(),
        found: 0,
        findings: Vec::new(),
        must_fail: false,
    };
    Check::ALL.iter().map(quiet).collect()
}

fn faults() -> Vec<Occurrence> {
    let occurrence =
        |fault: &str, deed: &str, targets: &str, span: (u64, Option<u64>)| Occurrence {
            fault: fault.to_owned(),
            deed: deed.to_owned(),
            targets: targets.to_owned(),
            sites: vec![targets[..3].to_owned()],
            begins_us: span.0 * S,
            ends_us: span.1.map(|end| end * S),
            took_effect: true,
        };
    vec![
        occurrence("lost", "site.down how = \"silent\"", "fra", (LOST, Some(BACK))),
        occurrence("slow-link", "link.delay delay = \"200ms\"", "nyc<->sin", (150, None)),
    ]
}

fn phases(count: u64, p99: u64) -> Phases {
    let spread = |count: u64, p50_us: u64, p99_us: u64| Spread {
        count,
        p50_us,
        p90_us: p50_us + (p99_us - p50_us) * 6 / 10,
        p99_us,
        max_us: p99_us + p99_us / 9,
    };
    Phases {
        detect: spread(14, 410_000, 690_000),
        notice: spread(count, 44 * S, 68 * S),
        reconnect: spread(count, 9 * S, p99 - S),
        admit: spread(count, 31_000, 870_000),
        outage: spread(count, 55 * S, 68 * S + p99),
    }
}

fn metrics(judged: &[Judged]) -> BTreeMap<String, u64> {
    let of = |judged: &Judged| {
        let name = judged.bound.split(' ').next().unwrap_or_default().to_owned();
        judged.value.map(|value| (name, value))
    };
    let more = [
        ("flow.redispatches", 1_402),
        ("mesh.bytes_max", 41_250),
        ("broker.connects_max", 731),
        ("all.outage_p99", 104 * S),
    ];
    judged.iter().filter_map(of).chain(more.map(|(name, value)| (name.to_owned(), value))).collect()
}

/// A drill that must fail, and does; an expectation beside it fails as well.
pub fn negative(seed: u64) -> Record {
    let mut run = Loss { sites: 3, clients: 500, room: 700 }.run(seed * 7);
    run.drill = "no-reserve".to_owned();
    run.file = "simulations/negative/no-reserve.toml".to_owned();
    run.hypothesis = "Without a reserve, guests take the room of a site's own clients".to_owned();
    run.outcome = Outcome::Passed;
    run.why.clear();
    let mut checks = run.checks.iter_mut();
    let reserve = checks.find(|checked| checked.check == "keeps-reserve").expect("it is a check");
    reserve.must_fail = true;
    reserve.found = 1_204;
    reserve.findings = (0..10)
        .map(|n| Found {
            at_us: (64 + n) * S,
            what: format!("nyc/2: a flow of fra on broker {n}, 70 of 70 places taken"),
        })
        .collect();
    run.expectations[2].must_fail = true;
    run.expectations[2].value = Some(1_070_000);
    run.expectations[2].margin = Some(-70_000);
    run.expectations[2].held = Some(false);
    run
}

/// A drill whose fault never took effect, so that nothing could be measured.
pub fn inconclusive(seed: u64) -> Record {
    let mut run = Loss { sites: 2, clients: 300, room: 700 }.run(seed * 7);
    run.drill = "link-flap".to_owned();
    run.file = "simulations/link flap.toml".to_owned();
    run.hypothesis =
        "A link that flaps every four seconds is not worse than one that is cut".to_owned();
    run.outcome = Outcome::Inconclusive;
    run.why = vec!["slow-link never took effect: nothing ran over nyc<->sin".to_owned()];
    run.faults.remove(0);
    run.faults[0].took_effect = false;
    run.expectations.truncate(2);
    for judged in &mut run.expectations {
        (judged.value, judged.margin, judged.held, judged.recovered_us, judged.worst_us) =
            (None, None, None, None, None);
    }
    run.served.clear();
    run.never_served.clear();
    run.phases = Phases::default();
    run.went.clear();
    run
}
