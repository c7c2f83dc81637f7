//! Moments, and what is known of their times before anything has happened.

use std::time::Duration;

use isobar_sim::drill::{Event, Fault, Moment, Topology};

use super::Validation;
use crate::config::finding::Scope;
use crate::config::placed::Placed;
use crate::config::units::show_duration;

/// Reads a moment that refers to these faults.
pub(super) fn read(
    v: &mut Validation<'_>,
    scope: &Scope,
    key: &str,
    typed: &Placed<String>,
    faults: &[Fault],
) -> Option<Moment> {
    let names: Vec<_> = faults.iter().map(|fault| fault.name.clone()).collect();
    let moment = v.accept(scope, key, &typed.at, Moment::parse(&typed.value, &names))?;
    match &moment {
        Moment::After(Event::Ends(fault), _) if !faults[*fault].deed.doc().lasts => {
            let name = names[*fault].clone().unwrap_or_default();
            let help = format!("its beginning is its end: {key} = \"{name}\"");
            v.refuse(scope, key, &typed.at, format!("{name} takes no time"), help);
            return None;
        }
        Moment::After(Event::Ends(fault), _) if faults[*fault].lasts.is_none() => {
            let name = names[*fault].clone().unwrap_or_default();
            let help = "give that fault a for = \"…\"";
            v.refuse(scope, key, &typed.at, format!("{name} lasts to the end"), help);
            return None;
        }
        Moment::After(Event::Becomes(sites, _), _) => {
            if let Some(topology) = v.topology.clone() {
                v.accept(scope, key, &typed.at, sites.check(&topology))?;
            }
        }
        _ => {}
    }
    if let (Some(time), Some(end)) = (time(&moment, faults, v.topology.as_ref()), v.duration)
        && time >= end
    {
        let problem = format!("at {}, and the drill ends at {}", shown(time), shown(end));
        v.refuse(scope, key, &typed.at, problem, "make it earlier, or the drill longer");
        return None;
    }
    Some(moment)
}

/// When a moment is, if that can be known before a run.
pub(super) fn time(
    moment: &Moment,
    faults: &[Fault],
    topology: Option<&Topology>,
) -> Option<Duration> {
    let (event, wait) = match moment {
        Moment::At(time) => return Some(*time),
        Moment::After(event, wait) => (event, *wait),
    };
    let time = match event {
        Event::Begins(fault) => time(&faults[*fault].at, faults, topology)?,
        Event::Ends(fault) => end(&faults[*fault], faults, topology)?,
        Event::Becomes(..) => return None,
    };
    Some(time.saturating_add(wait))
}

/// When a fault has ended with the last of its targets, if it does and that can be known.
pub(super) fn end(
    fault: &Fault,
    faults: &[Fault],
    topology: Option<&Topology>,
) -> Option<Duration> {
    let lasts = match fault.deed.doc().lasts {
        true => fault.lasts?,
        false => Duration::ZERO,
    };
    Some(last_strike(fault, faults, topology)?.saturating_add(lasts))
}

/// When it comes to the last of its targets.
pub(super) fn last_strike(
    fault: &Fault,
    faults: &[Fault],
    topology: Option<&Topology>,
) -> Option<Duration> {
    let begins = time(&fault.at, faults, topology)?;
    let Some(every) = fault.every else { return Some(begins) };
    // How many there are does not depend on the seed.
    let turns = u32::try_from(fault.on.resolve(topology?, 0).len()).unwrap_or(u32::MAX);
    Some(begins.saturating_add(every.saturating_mul(turns.saturating_sub(1))))
}

pub(super) fn shown(time: Duration) -> String {
    show_duration(time)
}
