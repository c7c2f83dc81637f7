//! When things are, as far as that is known before anything has happened.
//!
//! What follows an event of the world (`site:fra dead`) has no such time, and neither has what follows
//! that. A topology is needed only for faults that come to their targets in turn: how many there are
//! does not depend on the seed.

use std::time::Duration;

use super::{Event, Fault, Moment, Topology};

/// When the first fault begins, of those whose time is known.
pub fn first(faults: &[Fault], topology: Option<&Topology>) -> Option<Duration> {
    faults.iter().filter_map(|fault| of(&fault.at, faults, topology)).min()
}

/// When the last fault has ended, of those that end at a known time.
pub fn last_end(faults: &[Fault], topology: Option<&Topology>) -> Option<Duration> {
    faults.iter().filter_map(|fault| end(fault, faults, topology)).max()
}

/// When a moment is, if that can be known before a run.
pub fn of(moment: &Moment, faults: &[Fault], topology: Option<&Topology>) -> Option<Duration> {
    let (event, wait) = match moment {
        Moment::At(time) => return Some(*time),
        Moment::After(event, wait) => (event, *wait),
    };
    let time = match event {
        Event::Begins(fault) => of(&faults[*fault].at, faults, topology)?,
        Event::Ends(fault) => end(&faults[*fault], faults, topology)?,
        Event::Becomes(..) => return None,
    };
    Some(time.saturating_add(wait))
}

/// When a fault has ended with the last of its targets, if it does and that can be known.
pub fn end(fault: &Fault, faults: &[Fault], topology: Option<&Topology>) -> Option<Duration> {
    let lasts = match fault.deed.doc().lasts {
        true => fault.lasts?,
        false => Duration::ZERO,
    };
    Some(last_strike(fault, faults, topology)?.saturating_add(lasts))
}

/// When it comes to the last of its targets.
pub fn last_strike(
    fault: &Fault,
    faults: &[Fault],
    topology: Option<&Topology>,
) -> Option<Duration> {
    let begins = of(&fault.at, faults, topology)?;
    let Some(every) = fault.every else { return Some(begins) };
    let turns = u32::try_from(fault.on.resolve(topology?, 0).len()).unwrap_or(u32::MAX);
    Some(begins.saturating_add(every.saturating_mul(turns.saturating_sub(1))))
}
