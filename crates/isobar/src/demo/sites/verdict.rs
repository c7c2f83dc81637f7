//! Whether what was promised of three sites held, and whether every fault bit.

use std::time::Duration;

use super::site::BROKERS;
use super::{FRA, NAMES, NYC, SITES, rtt, site_of};
use crate::demo::act::Act;
use crate::demo::fleet::Fleet;
use crate::demo::ledger::{Figures, Ledger, Visit};
use crate::demo::verdict::{Check, bitten, by_name, spread, table, told};

const ACTS: [Act; 7] =
    [Act::Calm, Act::Cut, Act::Full, Act::Killed, Act::Home, Act::Lost, Act::After];

/// A node that sends flows abroad takes sites from 100 to 200 ms for equally near, and one that was
/// there once until it is a tenth nearer. On a busy machine `nyc` is, and `sin` is another.
const SAME_RING: Duration = Duration::from_millis(90);

/// Below the table.
const LOST: &str = "\n  Lost letters were written to clients that were away or served in another site than \
                    the writer:\n  topics do not cross between these sites, and these sessions are \
                    clean ones.\n";

/// What the demo itself saw, beside the clients.
#[derive(Clone, Default, Debug)]
pub(super) struct Seen {
    /// Newcomers that come together; in the full act, beyond the places.
    pub(super) newcomers: usize,
    /// Clients that were led to the nearest site and served there while nothing was wrong.
    pub(super) home_in_calm: usize,
    /// What nodes said of each other while the link was cut.
    pub(super) noticed_cut: Vec<String>,
    /// Datagrams that the cut stopped.
    pub(super) lost_by_cut: u64,
    /// Places left before the site was filled.
    pub(super) free: usize,
    /// The median of the round trips to `nyc` that `fra` measured until all newcomers had places.
    pub(super) nyc_rtt: Option<Duration>,
    /// Clients on the brokers that were killed, by their own account.
    pub(super) on_killed: usize,
    /// Flows carried from there afterwards.
    pub(super) carried_after_kill: usize,
    /// Clients that live near there, and were led to other sites.
    pub(super) led_after_kill: usize,
    /// For how long the name still led to the site without brokers, if that ended.
    pub(super) killed_named: Option<Duration>,
    /// Clients connected or carried to the site that was killed.
    pub(super) on_lost: usize,
    /// Whether both others called it dead.
    pub(super) called_dead: bool,
    /// For how long the name still led to the site that was killed, if that ended.
    pub(super) lost_named: Option<Duration>,
    /// Arrivals at sites that were no longer named, and were carried: by act.
    pub(super) stale: [u64; Act::ALL.len()],
    /// Answers that resolvers were given.
    pub(super) given: u64,
    /// DNS questions that the nodes answered.
    pub(super) answered: u64,
    /// Redispatches within sites, by act.
    pub(super) redispatched: [u64; Act::ALL.len()],
    /// Clients that are served at the end.
    pub(super) served: usize,
    /// Whether no node finds a broker down at the end.
    pub(super) none_down: bool,
    /// Whether every node finds the other sites reachable at the end.
    pub(super) all_well: bool,
}

/// The table and the checks, and whether all of them held.
pub(super) fn judge(fleet: &Fleet, seen: &Seen) -> (String, bool) {
    let ledger = &fleet.ledger;
    let mut checks = well(fleet, seen);
    checks.extend(full(ledger, seen));
    checks.extend(killed(ledger, seen));
    checks.extend(lost(ledger, seen));
    let (checks, held) = told(&checks);
    (table(ledger, &ACTS, &seen.redispatched) + LOST + &checks, held)
}

/// Where newcomers are served, a line for each way there, with the time to their CONNACK.
pub(super) fn visits(visits: &[Visit]) -> Vec<String> {
    let ways = (0..SITES).flat_map(|door| (0..SITES).map(move |host| (door, host)));
    let line = |(door, host): (usize, usize)| {
        let there: Vec<&Visit> =
            visits.iter().filter(|visit| way(visit) == Some((door, host))).collect();
        let region = there.first()?.stay.region;
        let took: Vec<Duration> = there.iter().map(|visit| visit.took).collect();
        let (count, spread) = (took.len(), spread(&took));
        let (name, by) = (NAMES[host], NAMES[door]);
        let how = if door != host {
            let rtt = rtt(door, host).as_millis();
            format!("led to {by} and carried to {name} ({rtt} ms away)")
        } else if door != region {
            format!("led by the name to {name}")
        } else {
            format!("served at home in {name}")
        };
        Some(format!("{count} {how}, CONNACK after {spread}"))
    };
    ways.filter_map(line).collect()
}

/// The site that a newcomer is connected to and the one that serves it, by its own account.
fn way(visit: &Visit) -> Option<(usize, usize)> {
    visit.stay.broker.map(|broker| (visit.stay.door, site_of(broker)))
}

fn count(visits: &[Visit], host: usize) -> usize {
    visits.iter().filter(|visit| way(visit).is_some_and(|(_, served)| served == host)).count()
}

/// Those among them that came to another node than that of their site.
fn led(visits: &[Visit]) -> usize {
    visits.iter().filter(|visit| visit.stay.door != visit.stay.region).count()
}

fn parted(visits: Vec<Visit>) -> (Vec<Visit>, Vec<Visit>) {
    visits.into_iter().partition(|visit| !visit.party.late)
}

fn well(fleet: &Fleet, seen: &Seen) -> Vec<Check> {
    let Fleet { ledger, size, .. } = fleet;
    let (served, clients) = (seen.served, *size);
    // One party each at home and after, two each with the full site and the dead brokers, and one
    // after the loss.
    let newcomers = seen.free + 7 * seen.newcomers;
    let mut checks = vec![
        Check {
            held: served == clients,
            promise: format!("at the end {served} of {clients} clients are served"),
        },
        Check {
            held: seen.none_down && seen.all_well,
            promise: "at the end no broker is down, and all sites are reachable".to_owned(),
        },
        by_name(fleet, newcomers, seen.given, seen.answered),
        Check {
            held: seen.home_in_calm == clients,
            promise: format!(
                "calm: {} of {clients} clients were led to the nearest site and served there",
                seen.home_in_calm
            ),
        },
    ];
    for act in [Act::Calm, Act::Cut, Act::Full] {
        let Figures { sent, arrived, crossed, .. } = ledger.figures(act);
        checks.push(Check {
            held: sent == arrived && crossed > 0,
            promise: format!(
                "{}: {arrived} of {sent} letters arrived, {crossed} of them across brokers",
                act.name()
            ),
        });
    }
    let cut = ledger.figures(Act::Cut);
    let noticed = seen.noticed_cut.first().map_or("nothing", String::as_str);
    checks.push(Check {
        held: cut.cut == 0 && cut.refused == 0 && seen.lost_by_cut > 0,
        promise: format!(
            "the cut stopped {} datagrams and cost no client its session ({} cut)",
            seen.lost_by_cut, cut.cut
        ),
    });
    checks.push(Check {
        held: !seen.noticed_cut.is_empty() && seen.noticed_cut.iter().all(|said| said != "dead"),
        promise: format!("the cut was noticed ({noticed}), and nobody was called dead"),
    });
    checks
}

fn full(ledger: &Ledger, seen: &Seen) -> Vec<Check> {
    let figures = ledger.figures(Act::Full);
    let (came, late) = parted(ledger.visits(Act::Full));
    let (home, nearest) = (count(&came, FRA), count(&came, NYC));
    let (beyond, led) = (came.len() - home, led(&came));
    let is_near = seen.nyc_rtt.is_some_and(|rtt| rtt < SAME_RING);
    let to_nyc = match seen.nyc_rtt {
        Some(rtt) if is_near => {
            format!("{nearest} to nyc, the nearest ({} ms away by fra's measure)", rtt.as_millis())
        }
        Some(rtt) => format!(
            "{nearest} to nyc; whether these are most was not judged: fra measured it {} ms away, \
             and from {} ms on sites may count as equally near",
            rtt.as_millis(),
            SAME_RING.as_millis()
        ),
        None => format!(
            "{nearest} to nyc; whether these are most was not judged: fra did not measure how far \
             it is"
        ),
    };
    vec![
        all_in(Act::Full, ledger, seen.free + 2 * seen.newcomers),
        Check {
            held: home == seen.free
                && beyond == seen.newcomers
                && (nearest * 2 > beyond || !is_near),
            promise: format!(
                "full: {home} filled the {} places of fra, and only the {beyond} beyond went \
                 elsewhere: {} carried, {led} led by the name; {to_nyc}",
                seen.free,
                beyond.saturating_sub(led)
            ),
        },
        led_past("full", &late, FRA, seen.newcomers),
        Check {
            held: figures.cut == 0 && figures.refused == 0,
            promise: format!("full: no client lost its session ({} cut)", figures.cut),
        },
    ]
}

fn killed(ledger: &Ledger, seen: &Seen) -> Vec<Check> {
    let (back, visits) = (ledger.visits(Act::Home), ledger.visits(Act::Killed));
    let elsewhere = count(&visits, FRA) == 0;
    let (away, late) = parted(visits);
    let back_home = count(&back, FRA);
    let carried: Vec<Duration> =
        away.iter().filter(|visit| visit.stay.door == FRA).map(|visit| visit.took).collect();
    let Seen { carried_after_kill, led_after_kill, .. } = *seen;
    vec![
        bitten("death of fra's brokers", seen.on_killed, &ledger.figures(Act::Killed)),
        none_else_cut(Act::Killed, ledger, seen.on_killed),
        all_in(Act::Killed, ledger, 2 * seen.newcomers),
        no_longer_named(Act::Killed, FRA, seen.killed_named),
        Check {
            held: elsewhere
                && carried_after_kill + led_after_kill == seen.on_killed + 2 * seen.newcomers,
            promise: format!(
                "killed: {carried_after_kill} were carried from fra ({} after it had left the \
                 answers; newcomers' CONNACK after {}), {led_after_kill} led elsewhere by the name",
                seen.stale[Act::Killed as usize],
                spread(&carried)
            ),
        },
        led_past("killed", &late, FRA, seen.newcomers),
        all_in(Act::Home, ledger, seen.newcomers),
        Check {
            held: back_home == seen.newcomers && led(&back) == 0,
            promise: format!("home: {back_home} of {} newcomers are served in fra", seen.newcomers),
        },
    ]
}

fn lost(ledger: &Ledger, seen: &Seen) -> Vec<Check> {
    let (back, figures) = (ledger.visits(Act::After), ledger.figures(Act::Lost));
    let back_home = count(&back, NYC);
    vec![
        bitten("death of nyc", seen.on_lost, &figures),
        none_else_cut(Act::Lost, ledger, seen.on_lost),
        Check { held: seen.called_dead, promise: "lost: fra and sin called nyc dead".to_owned() },
        Check {
            promise: format!(
                "{}; {} connections came to nothing, {} sessions began at the second address of an answer",
                named_for(Act::Lost, NYC, seen.lost_named),
                figures.refused,
                figures.came_second
            ),
            held: seen.lost_named.is_some(),
        },
        all_in(Act::Lost, ledger, seen.newcomers),
        led_past("lost", &ledger.visits(Act::Lost), NYC, seen.newcomers),
        all_in(Act::After, ledger, seen.newcomers),
        Check {
            held: back_home == seen.newcomers && led(&back) == 0,
            promise: format!(
                "after: {back_home} of {} newcomers are served in nyc",
                seen.newcomers
            ),
        },
    ]
}

fn no_longer_named(act: Act, site: usize, named: Option<Duration>) -> Check {
    Check { held: named.is_some(), promise: named_for(act, site, named) }
}

fn named_for(act: Act, site: usize, named: Option<Duration>) -> String {
    let (act, site) = (act.name(), NAMES[site]);
    match named {
        Some(named) => {
            format!("{act}: the name led to {site} for {:.1} s more", named.as_secs_f64())
        }
        None => format!("{act}: the name still leads to {site}"),
    }
}

/// Those who come late are told of another site.
fn led_past(act: &str, late: &[Visit], site: usize, expected: usize) -> Check {
    let past = late.iter().filter(|visit| visit.stay.door != site).count();
    let to = |door: usize| {
        let count = late.iter().filter(|visit| visit.stay.door == door).count();
        (count > 0).then(|| format!("{count} to {}", NAMES[door]))
    };
    let to: Vec<String> = (0..SITES).filter_map(to).collect();
    Check {
        held: past == expected,
        promise: format!(
            "{act}: {past} of {expected} who came later were led past {} by the name ({})",
            NAMES[site],
            to.join(", ")
        ),
    }
}

/// Who was not on what died notices nothing.
fn none_else_cut(act: Act, ledger: &Ledger, there: usize) -> Check {
    let cut = ledger.figures(act).cut;
    Check {
        held: u32::try_from(there).is_ok_and(|there| cut <= there),
        promise: format!("{}: no session elsewhere ended ({cut} of {there})", act.name()),
    }
}

fn all_in(act: Act, ledger: &Ledger, expected: usize) -> Check {
    let Figures { newcomers, turned_away, .. } = ledger.figures(act);
    let mut promise =
        format!("{}: {} of {expected} newcomers were let in at once", act.name(), newcomers.len());
    if let Some(why) = turned_away.first() {
        promise += &format!("; one heard: {why}");
    }
    Check { held: newcomers.len() == expected, promise }
}

const _: () = assert!(BROKERS > 1, "letters cross between the brokers of a site");
