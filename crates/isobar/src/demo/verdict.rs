//! The summary at the end: what the clients noticed, and whether what was promised held.
//!
//! A fault must also have bitten: a hang that nobody met shows nothing, and is a failed check.

use std::fmt::Write as _;
use std::time::Duration;

use super::act::Act;
use super::fleet::Fleet;
use super::ledger::{Figures, Ledger, percentile};
use super::names::NAME;
use super::script::Seen;

/// The acts of the script of one site that are told of.
const ACTS: [Act; 5] = [Act::Calm, Act::Full, Act::Hung, Act::Killed, Act::After];

/// Below the table.
const LOST: &str = "\n  Lost letters were written to clients that were away, or were on the broker that hung or died:\n  these sessions are clean ones, for which no broker keeps anything.\n";

/// One promise, kept or not.
pub(super) struct Check {
    /// Whether it was kept.
    pub(super) held: bool,
    /// What was promised, with figures.
    pub(super) promise: String,
}

/// The checks, a line each, and whether all of them held.
pub(super) fn told(checks: &[Check]) -> (String, bool) {
    let mut text = String::from("\n");
    for check in checks {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}  {}", if check.held { "ok  " } else { "FAIL" }, check.promise);
    }
    (text, checks.iter().all(|check| check.held))
}

/// The table and the checks, and whether all of them held.
pub(super) fn judge(fleet: &Fleet, seen: &Seen) -> (String, bool) {
    let ledger = &fleet.ledger;
    let (checks, held) = told(&checks(fleet, seen));
    (table(ledger, &ACTS, &seen.redispatched) + LOST + &checks, held)
}

/// One act's figures in words.
pub(super) fn noticed(figures: &Figures) -> String {
    let mut words = match figures.cut {
        0 => "no session ended".to_owned(),
        cut => format!(
            "{cut} sessions ended, without service for {} (p50/p99/max)",
            spread(&figures.outages)
        ),
    };
    if !figures.newcomers.is_empty() {
        let _ = write!(
            words,
            "; {} newcomers, CONNACK after {}",
            figures.newcomers.len(),
            spread(&figures.newcomers)
        );
    }
    if !figures.turned_away.is_empty() {
        let _ = write!(words, "; {} turned away", figures.turned_away.len());
    }
    words
}

/// Whether everybody found a node by the name: its clients and so many newcomers at least. `given`
/// answers came to their resolvers, and nodes answered so many questions.
pub(super) fn by_name(fleet: &Fleet, newcomers: usize, given: u64, answered: u64) -> Check {
    let came = fleet.ledger.came();
    let is_all = usize::try_from(came).is_ok_and(|came| came >= fleet.size + newcomers);
    Check {
        held: is_all && given > 0 && answered >= given && fleet.names.strange() == 0,
        promise: format!(
            "{came} sessions began, each where {NAME} led; resolvers got {given} answers, of \
             {answered} that nodes gave, and clients none {} times",
            fleet.ledger.unanswered()
        ),
    }
}

fn checks(fleet: &Fleet, seen: &Seen) -> Vec<Check> {
    let Fleet { ledger, size: clients, .. } = fleet;
    let (full, hung, killed) =
        (ledger.figures(Act::Full), ledger.figures(Act::Hung), ledger.figures(Act::Killed));
    let served = seen.served;
    let mut checks = vec![
        Check {
            held: served == *clients,
            promise: format!("at the end {served} of {clients} clients are served"),
        },
        Check {
            held: seen.none_down,
            promise: "at the end the node finds no broker down".to_owned(),
        },
        by_name(fleet, 3 * seen.newcomers, seen.given, seen.answered),
        Check {
            held: seen.strangers.is_some() && seen.refused_by_full > 0,
            promise: format!(
                "the full broker really was full: it refused the node {} times",
                seen.refused_by_full
            ),
        },
        Check {
            held: full.cut == 0 && full.refused == 0,
            promise: format!(
                "the full broker cost no client its session ({} cut, {} refused)",
                full.cut, full.refused
            ),
        },
        bitten("hang", seen.on_hung, &hung),
        bitten("kill", seen.on_killed, &killed),
    ];
    for (act, figures) in [("full", &full), ("hung", &hung), ("killed", &killed)] {
        let mut promise = format!(
            "{act}: {} of {} newcomers were let in at once",
            figures.newcomers.len(),
            seen.newcomers
        );
        if let Some(why) = figures.turned_away.first() {
            let _ = write!(promise, "; one heard: {why}");
        }
        checks.push(Check { held: figures.newcomers.len() == seen.newcomers, promise });
    }
    for act in [Act::Calm, Act::Full, Act::After] {
        let Figures { sent, arrived, crossed, .. } = ledger.figures(act);
        checks.push(Check {
            held: sent == arrived && crossed > 0,
            promise: format!(
                "{}: {arrived} of {sent} letters arrived, {crossed} of them across brokers",
                act.name()
            ),
        });
    }
    checks
}

/// Whether a fault met clients, and all of them came back.
pub(super) fn bitten(fault: &str, there: usize, figures: &Figures) -> Check {
    let back = figures.outages.len();
    Check {
        held: there > 0 && figures.cut > 0 && u32::try_from(back) == Ok(figures.cut),
        promise: format!(
            "the {fault} met {there} clients: {} sessions ended, {back} of them came back",
            figures.cut
        ),
    }
}

/// What the clients noticed in each of these acts, with redispatches by act.
pub(super) fn table(ledger: &Ledger, acts: &[Act], redispatched: &[u64]) -> String {
    let row = |words: [&str; 9]| {
        let [act, cut, outage, connack, redispatched, sent, arrived, lost, twice] = words;
        format!(
            "  {act:<7} {cut:>8}  {outage:<18} {connack:<18} {redispatched:>12} {sent:>8} \
             {arrived:>8} {lost:>6} {twice:>6}\n"
        )
    };
    let mut text = String::from("\nWhat the clients noticed (times are p50/p99/max)\n\n");
    text += &row(["", "sessions", "without", "newcomers'", "redispatched", "letters", "", "", ""]);
    text += &row([
        "act",
        "ended",
        "service",
        "CONNACK",
        "by the node",
        "sent",
        "arrived",
        "lost",
        "twice",
    ]);
    for act in acts.iter().copied() {
        let Figures { cut, outages, newcomers, sent, arrived, again, .. } = ledger.figures(act);
        text += &row([
            act.name(),
            &cut.to_string(),
            &spread(&outages),
            &spread(&newcomers),
            &redispatched[act as usize].to_string(),
            &sent.to_string(),
            &arrived.to_string(),
            &(sent - arrived).to_string(),
            &again.to_string(),
        ]);
    }
    text
}

/// Median, 99th percentile, and the longest.
pub(super) fn spread(values: &[Duration]) -> String {
    let at = |percent| percentile(values, percent).map(short);
    match (at(50), at(99), at(100)) {
        (Some(p50), Some(p99), Some(max)) => format!("{p50}/{p99}/{max}"),
        _ => "-".to_owned(),
    }
}

fn short(time: Duration) -> String {
    if time < Duration::from_millis(10) {
        format!("{:.1}ms", time.as_secs_f64() * 1000.0)
    } else if time < Duration::from_secs(1) {
        format!("{}ms", time.as_millis())
    } else {
        format!("{:.1}s", time.as_secs_f64())
    }
}
