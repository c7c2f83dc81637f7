//! Whether what was promised of three sites held, and whether every fault bit.

use std::time::Duration;

use super::site::BROKERS;
use super::{FRA, NAMES, NYC, SITES, rtt, site_of};
use crate::demo::ledger::{Act, Figures, Ledger, Visit, percentile};
use crate::demo::verdict::{Check, bitten, spread, table, told};

const ACTS: [Act; 7] =
    [Act::Calm, Act::Cut, Act::Full, Act::Killed, Act::Home, Act::Lost, Act::After];

/// Below the table.
const LOST: &str = "\n  Lost letters were written to clients that were away or served in another site than \
                    the writer:\n  topics do not cross between these sites, and these sessions are \
                    clean ones.\n";

/// What the demo itself saw, beside the clients.
#[derive(Clone, Default, Debug)]
pub(super) struct Seen {
    /// Newcomers in each act that has some; in the full one, those beyond the places.
    pub(super) newcomers: usize,
    /// Clients that were carried while nothing was wrong.
    pub(super) carried_in_calm: usize,
    /// What nodes said of each other while the link was cut.
    pub(super) noticed_cut: Vec<String>,
    /// Datagrams that the cut stopped.
    pub(super) lost_by_cut: u64,
    /// Places left before the site was filled.
    pub(super) free: usize,
    /// Clients on the brokers that were killed, by their own account.
    pub(super) on_killed: usize,
    /// Flows carried from there afterwards.
    pub(super) carried_after_kill: usize,
    /// Clients connected or carried to the site that was killed.
    pub(super) on_lost: usize,
    /// Whether both others called it dead.
    pub(super) called_dead: bool,
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
pub(super) fn judge(ledger: &Ledger, seen: &Seen, clients: usize) -> (String, bool) {
    let mut checks = well(ledger, seen, clients);
    checks.extend(full(ledger, seen));
    checks.extend(killed(ledger, seen));
    checks.extend(lost(ledger, seen));
    let (checks, held) = told(&checks);
    (table(ledger, &ACTS, &seen.redispatched) + LOST + &checks, held)
}

/// Where newcomers are served, a line for each site, with the time to their CONNACK.
pub(super) fn visits(visits: &[Visit]) -> Vec<String> {
    let line = |host: usize| {
        let (took, door) = served_by(visits, host)?;
        let name = NAMES[host];
        let spread = spread(&took);
        let count = took.len();
        Some(if host == door {
            format!("{count} served at home in {name}, CONNACK after {spread}")
        } else {
            let rtt = rtt(door, host).as_millis();
            format!("{count} carried to {name} ({rtt} ms away), CONNACK after {spread}")
        })
    };
    (0..SITES).filter_map(line).collect()
}

/// Times to the CONNACK of those whom that site serves, and whence the last of them came.
fn served_by(visits: &[Visit], host: usize) -> Option<(Vec<Duration>, usize)> {
    let mut there = visits.iter().filter(|visit| visit.stay.broker.map(site_of) == Some(host));
    let took: Vec<Duration> = there.clone().map(|visit| visit.took).collect();
    there.next_back().map(|visit| (took, visit.stay.door))
}

fn count(visits: &[Visit], host: usize) -> usize {
    served_by(visits, host).map_or(0, |(took, _)| took.len())
}

fn well(ledger: &Ledger, seen: &Seen, clients: usize) -> Vec<Check> {
    let served = seen.served;
    let mut checks = vec![
        Check {
            held: served == clients,
            promise: format!("at the end {served} of {clients} clients are served"),
        },
        Check {
            held: seen.none_down && seen.all_well,
            promise: "at the end no broker is down, and all sites are reachable".to_owned(),
        },
        Check {
            held: seen.carried_in_calm == 0,
            promise: format!("calm: {} clients were carried", seen.carried_in_calm),
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
    let came = ledger.visits(Act::Full);
    let (home, nearest) = (count(&came, FRA), count(&came, NYC));
    let carried = came.len() - home;
    let expected = seen.free + seen.newcomers;
    vec![
        all_in(Act::Full, ledger, expected),
        Check {
            held: home == seen.free && carried == seen.newcomers && nearest * 2 > carried,
            promise: format!(
                "full: {home} filled the {} places of fra, and only the {carried} beyond were \
                 carried, {nearest} to nyc, the nearest",
                seen.free
            ),
        },
        Check {
            held: figures.cut == 0 && figures.refused == 0,
            promise: format!("full: no client lost its session ({} cut)", figures.cut),
        },
    ]
}

fn killed(ledger: &Ledger, seen: &Seen) -> Vec<Check> {
    let (away, back) = (ledger.visits(Act::Killed), ledger.visits(Act::Home));
    let back_home = count(&back, FRA);
    let cost = percentile(&away.iter().map(|visit| visit.took).collect::<Vec<_>>(), 50);
    vec![
        bitten("death of fra's brokers", seen.on_killed, &ledger.figures(Act::Killed)),
        none_else_cut(Act::Killed, ledger, seen.on_killed),
        all_in(Act::Killed, ledger, seen.newcomers),
        Check {
            held: count(&away, FRA) == 0 && seen.carried_after_kill >= seen.on_killed,
            promise: format!(
                "killed: {} flows were carried from fra, CONNACK after {} ms (median)",
                seen.carried_after_kill,
                cost.map_or(0, |cost| cost.as_millis())
            ),
        },
        all_in(Act::Home, ledger, seen.newcomers),
        Check {
            held: back_home == seen.newcomers,
            promise: format!("home: {back_home} of {} newcomers are served in fra", seen.newcomers),
        },
    ]
}

fn lost(ledger: &Ledger, seen: &Seen) -> Vec<Check> {
    let back = ledger.visits(Act::After);
    let back_home = count(&back, NYC);
    vec![
        bitten("death of nyc", seen.on_lost, &ledger.figures(Act::Lost)),
        none_else_cut(Act::Lost, ledger, seen.on_lost),
        Check { held: seen.called_dead, promise: "lost: fra and sin called nyc dead".to_owned() },
        all_in(Act::After, ledger, seen.newcomers),
        Check {
            held: back_home == seen.newcomers,
            promise: format!(
                "after: {back_home} of {} newcomers are served in nyc",
                seen.newcomers
            ),
        },
    ]
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
