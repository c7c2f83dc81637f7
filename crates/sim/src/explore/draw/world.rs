//! The world of a scenario: sites, the network between them, clients, what nodes are told.

use std::time::Duration;

use isobar_core::policy::{
    Balance, CheckKind, CheckPolicy, Mode, OnMarkedDown, ServicePolicy, SpillPolicy,
};

use crate::drill::quantity::MILLION;
use crate::drill::{
    AllDown, Backoff, Broker, Bursts, Clients, Entry, EntryPolicy, Site, Topology, Wan, cities,
};
use crate::explore::dice::Dice;

/// The round trip within a site, as every drill has it.
const LAN: Duration = Duration::from_micros(500);

/// Sites and what is between them.
pub(super) fn topology(seed: u64) -> Topology {
    let sites = sites(seed);
    let wan = wan(seed, &sites);
    Topology { sites, wan }
}

fn sites(seed: u64) -> Vec<Site> {
    let mut dice = Dice::new(seed, "sites");
    // What half of the others takes, and five witnesses, shows in larger worlds only.
    let count = if dice.percent(20) { dice.between(9, 16) } else { dice.between(1, 8) } as usize;
    let alike = dice.percent(50);
    let size = |dice: &mut Dice| (dice.between(1, 3), dice.between(1, 6), dice.by_size(10, 600));
    let common = size(&mut dice);
    let mut sites = Vec::new();
    for city in dice.some(cities(), count) {
        let (nodes, brokers, clients) = if alike { common } else { size(&mut dice) };
        sites.push(Site {
            name: city.code.to_owned(),
            region: city.region.to_owned(),
            spot: Some(city.spot),
            nodes: small(nodes),
            brokers: small(brokers),
            clients,
            broker: Broker {
                maxconn: None,
                max_connections: None,
                connect_rate: dice.by_size(100, 2_000),
                backlog: dice.between(10, 128),
            },
        });
    }
    limit(&mut dice, &mut sites);
    sites
}

/// Gives brokers their limits, so that clients are 20 % to 130 % of all places.
fn limit(dice: &mut Dice, sites: &mut [Site]) {
    let load = u64::from(dice.between(20, 130));
    let all: u64 = sites.iter().map(|site| u64::from(site.clients)).sum();
    let brokers: u64 = sites.iter().map(|site| u64::from(site.brokers)).sum();
    let all_alike = dice.percent(40);
    // What a node is told may be less than what there is, more, or nothing: then it finds out.
    let told = dice.pick(&[(true, false), (true, false), (false, true), (true, true)]);
    for site in sites {
        let (clients, among) = match all_alike {
            true => (all, brokers),
            false => (u64::from(site.clients), u64::from(site.brokers)),
        };
        let places = (clients * 100).div_ceil(load * among).max(8);
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        site.broker.maxconn = told.0.then_some(places);
        // Where a broker's own limit is all there is, nodes probe within it.
        let probes = 2 * u32::from(site.nodes);
        let own = if told.0 { places - places / 5 } else { places } + probes;
        site.broker.max_connections = told.1.then_some(own);
    }
}

fn small(count: u32) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn wan(seed: u64, sites: &[Site]) -> Wan {
    let mut dice = Dice::new(seed, "wan");
    let flat = dice.percent(25).then(|| dice.by_size(1, 300));
    let between = |a: &Site, b: &Site| match (flat, a.spot, b.spot) {
        _ if a.name == b.name => 0,
        (Some(millis), ..) => millis * 1_000,
        (None, Some(here), Some(there)) => {
            let round_trip = here.round_trip(there).as_millis();
            u32::try_from(round_trip).unwrap_or(u32::MAX).clamp(1, 1_000) * 1_000
        }
        (None, ..) => 80_000,
    };
    let loss_ppm = match dice.between(0, 3) {
        0 | 1 => 0,
        2 => dice.by_size(100, 10_000),
        _ => dice.by_size(10_000, 50_000),
    };
    let bursts = dice
        .percent(25)
        .then(|| Bursts { length: dice.millis(20, 200), share_ppm: dice.by_size(500, 10_000) });
    Wan {
        rtt_us: sites.iter().map(|a| sites.iter().map(|b| between(a, b)).collect()).collect(),
        jitter_ppm: dice.between(0, 20) * 10_000,
        loss_ppm,
        bursts,
        lan: LAN,
    }
}

/// What clients are like.
pub(super) fn clients(seed: u64) -> Clients {
    let mut dice = Dice::new(seed, "clients");
    let share = |dice: &mut Dice, most: u32| match dice.percent(50) {
        true => dice.between(1, most) * 10_000,
        false => 0,
    };
    let stay = dice.percent(25).then(|| dice.seconds(60, 600));
    Clients {
        keepalive: dice.seconds(5, 30),
        ping_timeout: dice.seconds(2, 10),
        backoff: backoff(&mut dice),
        stale_dns_ppm: share(&mut dice, 50),
        v5_ppm: share(&mut dice, 100),
        persistent_ppm: share(&mut dice, 50),
        rejected_ppm: if dice.percent(25) { share(&mut dice, 10) } else { 0 },
        patience: dice.seconds(10, 30),
        access: dice.millis(1, 100),
        // Who is there when time begins was shared out by nodes that had not heard of each other.
        arrive: dice.seconds(5, 30),
        stay,
        // A drill without `stay` has no `away` to spell.
        away: if stay.is_some() { dice.seconds(5, 60) } else { Duration::from_secs(60) },
    }
}

fn backoff(dice: &mut Dice) -> Vec<(u32, Backoff)> {
    let one = |dice: &mut Dice| {
        let (first, most) = (dice.millis(200, 3_000), dice.seconds(5, 30));
        match dice.between(0, 2) {
            0 => Backoff::FullJitter { first, most },
            1 => Backoff::Exponential { first, most },
            _ => Backoff::Fixed { every: dice.seconds(1, 10) },
        }
    };
    let first = one(dice);
    match dice.percent(50) {
        true => vec![(MILLION, first)],
        false => {
            let share = dice.between(1, 99) * 10_000;
            vec![(share, first), (MILLION - share, one(dice))]
        }
    }
}

/// What nodes are told of the service, of checks, and of answers to clients.
pub(super) fn policy(seed: u64) -> (ServicePolicy, CheckPolicy, Entry) {
    let mut dice = Dice::new(seed, "policy");
    let second = Duration::from_secs(1);
    let service = ServicePolicy {
        name: "mqtt".to_owned(),
        mode: Mode::Mqtt,
        balance: dice.pick(&[
            Balance::LeastConn,
            Balance::LeastConn,
            Balance::LeastConn,
            Balance::Random,
            Balance::RoundRobin,
        ]),
        maxconn: 200_000,
        retries: small_count(dice.between(1, 5)),
        redispatch: true,
        connect_timeout: dice.seconds(1, 3),
        connack_timeout: dice.seconds(2, 5),
        deadline: dice.seconds(8, 20),
        // What a drill cannot say, as a node has it that is told nothing.
        opening_timeout: 10 * second,
        opening_max: 64 * 1024,
        affinity: dice.percent(75),
        takeover: dice.percent(75),
        on_marked_down: OnMarkedDown::Keep,
        max_new_per_second: if dice.percent(20) { dice.between(20, 200) } else { 0 },
        spill: SpillPolicy {
            enabled: dice.percent(85),
            persistent: dice.percent(50),
            reserve: small_count(dice.between(0, 30)),
            accept_per_second: dice.by_size(50, 1_000),
            failback_per_second: if dice.percent(20) { 0 } else { dice.between(20, 200) },
        },
        members: Vec::new(),
    };
    let check = CheckPolicy {
        kind: CheckKind::Mqtt,
        inter: 2 * second,
        fastinter: second,
        rise: 2,
        fall: 3,
    };
    let entry = Entry {
        policy: dice.pick(&[
            EntryPolicy::Nearest,
            EntryPolicy::Nearest,
            EntryPolicy::Headroom,
            EntryPolicy::Failover,
        ]),
        all_down: dice.pick(&[AllDown::LastGood, AllDown::All, AllDown::Servfail]),
        ttl: dice.seconds(1, 60),
    };
    (service, check, entry)
}

fn small_count(count: u32) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}
