//! Moments: what they refer to is there, and comes before the end as far as that is known.

use std::time::Duration;

use isobar_sim::drill::{Event, Fault, Moment, times};

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
    if let (Some(time), Some(end)) = (times::of(&moment, faults, v.topology.as_ref()), v.duration)
        && time >= end
    {
        let problem = format!("at {}, and the drill ends at {}", shown(time), shown(end));
        v.refuse(scope, key, &typed.at, problem, "make it earlier, or the drill longer");
        return None;
    }
    Some(moment)
}

pub(super) fn shown(time: Duration) -> String {
    show_duration(time)
}
