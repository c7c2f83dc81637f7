//! Whether a drill that was changed by hand is still one: what it names is there, what it waits for
//! comes, and all of it ends in time.
//!
//! The same questions that reading a file asks, without places in a file. Bounds of single values
//! are not asked: whoever changes a drill only makes them smaller.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::drill::metric::Whose;
use crate::drill::quantity::MILLION;
use crate::drill::{
    Deed, Drill, Event, Expectation, Fault, Kind, Metric, Misread, Moment, Reason, What, times,
};

/// What is wrong with it, first thing first.
pub fn is_sound(drill: &Drill) -> Result<(), String> {
    world(drill)?;
    for (index, fault) in drill.faults.iter().enumerate() {
        fault_is_sound(drill, index, fault)
            .map_err(|wrong| format!("{}: {wrong}", drill.fault_name(index)))?;
    }
    if drill.expectations.is_empty() {
        return Err("it expects nothing".to_owned());
    }
    for one in &drill.expectations {
        expectation(drill, one).map_err(|wrong| format!("{}: {wrong}", one.name))?;
    }
    for stop in &drill.stops {
        let after = stop.after.as_ref().map_or(Ok(()), |after| moment(drill, after, usize::MAX));
        after.and_then(|()| {
            stop.of.as_ref().map_or(Ok(()), |of| of.check(&drill.topology).map_err(said))
        })?;
    }
    let is_there = |reason: &Reason| match reason {
        Reason::Expectation(place) => *place < drill.expectations.len(),
        Reason::Check(_) => true,
    };
    if drill.must_fail.iter().all(is_there) {
        Ok(())
    } else {
        Err("what must fail is gone".to_owned())
    }
}

fn said(misread: Misread) -> String {
    misread.problem
}

fn world(drill: &Drill) -> Result<(), String> {
    let topology = &drill.topology;
    let count = topology.sites.len();
    let names: BTreeSet<&str> = topology.sites.iter().map(|site| site.name.as_str()).collect();
    let rtt = &topology.wan.rtt_us;
    let shares: u64 = drill.clients.backoff.iter().map(|(share, _)| u64::from(*share)).sum();
    let wrong = if count == 0 {
        "no site"
    } else if names.len() < count {
        "two sites of one name"
    } else if rtt.len() != count || rtt.iter().any(|row| row.len() != count) {
        "round trips of other sites"
    } else if topology.sites.iter().any(|site| site.nodes == 0 || site.brokers == 0) {
        "a site of nothing"
    } else if shares != u64::from(MILLION) {
        "not everyone has one back-off"
    } else if drill.duration.is_zero() {
        "no time"
    } else {
        return Ok(());
    };
    Err(wrong.to_owned())
}

fn fault_is_sound(drill: &Drill, index: usize, fault: &Fault) -> Result<(), String> {
    let topology = &drill.topology;
    moment(drill, &fault.at, index)?;
    fault.on.check(topology).map_err(said)?;
    if let (Deed::BrokerFull, What::Brokers(sites, _)) = (fault.deed, &fault.on.what) {
        let unlimited = |site| topology.at(site).broker.capacity().is_none();
        if sites.sites(topology).into_iter().any(unlimited) {
            return Err("a broker without a limit is never full".to_owned());
        }
    }
    let last = times::last_strike(fault, &drill.faults, Some(topology));
    let end = times::end(fault, &drill.faults, Some(topology));
    let in_time = last.is_none_or(|last| last < drill.duration)
        && end.is_none_or(|end| end <= drill.duration);
    if in_time { Ok(()) } else { Err("it ends after the drill".to_owned()) }
}

/// A moment of a drill, or of the fault with this index: it refers to faults above only.
fn moment(drill: &Drill, moment: &Moment, index: usize) -> Result<(), String> {
    if let Moment::After(event, _) = moment {
        let above = &drill.faults[..index.min(drill.faults.len())];
        match event {
            Event::Begins(other) if *other < above.len() => {}
            Event::Ends(other)
                if above.get(*other).is_some_and(|f| f.lasts.is_some() && f.deed.doc().lasts) => {}
            Event::Becomes(sites, _) => sites.check(&drill.topology).map_err(said)?,
            Event::Begins(_) | Event::Ends(_) => return Err("it follows nothing".to_owned()),
        }
    }
    let comes = times::of(moment, &drill.faults, Some(&drill.topology));
    if comes.is_none_or(|time| time < drill.duration) {
        Ok(())
    } else {
        Err("the drill is over by then".to_owned())
    }
}

fn expectation(drill: &Drill, one: &Expectation) -> Result<(), String> {
    if let Some(of) = &one.of {
        of.check(&drill.topology).map_err(said)?;
    }
    let some_clients =
        matches!(one.bound.metric, Metric::Clients(Whose::Affected | Whose::Unaffected, _));
    if some_clients && drill.faults.is_empty() {
        return Err("nobody is affected where nothing happens".to_owned());
    }
    let (from, until, within) = match &one.kind {
        Kind::Total => return Ok(()),
        Kind::Sustain { from, until } => (from, until, Duration::ZERO),
        Kind::Recover { within, from, until } => {
            if from.is_none() && drill.faults.is_empty() {
                return Err("there is nothing to recover from".to_owned());
            }
            (from, until, *within)
        }
    };
    for one in [from, until].into_iter().flatten() {
        moment(drill, one, usize::MAX)?;
    }
    let at = |moment: &Moment| times::of(moment, &drill.faults, Some(&drill.topology));
    let begins = match from {
        Some(from) => at(from),
        None => times::first(&drill.faults, Some(&drill.topology)),
    };
    let ends = until.as_ref().and_then(at).unwrap_or(drill.duration);
    match begins {
        Some(begins) if begins + within > ends => Err("it is due after the end".to_owned()),
        _ => Ok(()),
    }
}
