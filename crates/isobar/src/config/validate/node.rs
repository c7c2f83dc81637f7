//! What stands at the top of the file.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use super::Validation;
use crate::config::bounds;
use crate::config::file::File;
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;
use crate::config::settings::Location;

/// The values of the top.
pub(super) struct Top {
    pub(super) site: String,
    pub(super) node: String,
    pub(super) location: Option<Location>,
    pub(super) maxconn: u32,
    pub(super) drain_timeout: Duration,
    pub(super) workers: usize,
    pub(super) seed: u64,
}

pub(super) fn read(v: &mut Validation<'_>, file: &File) -> Top {
    let scope = Scope::top();
    let node = node_name(v, file.node.as_ref());
    let report = &mut v.report;
    let workers = report.count_given(&scope, "workers", file.workers.as_ref(), bounds::WORKERS);
    Top {
        site: report
            .name(&scope, "site", file.site.as_ref())
            .unwrap_or_else(|| bounds::SITE.to_owned()),
        node,
        location: file.location.as_ref().and_then(|at| location(v, &scope, "location", at)),
        maxconn: v.report.count(&scope, "maxconn", file.maxconn.as_ref(), bounds::NODE_MAXCONN),
        drain_timeout: v.report.duration(
            &scope,
            "drain_timeout",
            file.drain_timeout.as_ref(),
            bounds::DRAIN_TIMEOUT,
        ),
        workers: workers
            .and_then(|workers| usize::try_from(workers).ok())
            .unwrap_or_else(|| v.host.cores.clamp(1, 256)),
        seed: seed(v, file.seed.as_ref()),
    }
}

/// The host name is made of the same alphabet as our names, but nothing enforces that.
fn node_name(v: &mut Validation<'_>, typed: Option<&Placed<String>>) -> String {
    if typed.is_none() && super::name(&v.host.name).is_err() {
        let message = format!("the host name, {:?}, cannot be the name of the node", v.host.name);
        let help = "add a name at the top: node = \"node-1\"";
        v.report.error(&Scope::top(), &(0..0), message, help);
    }
    let node = v.report.name(&Scope::top(), "node", typed);
    node.unwrap_or_else(|| v.host.name.clone())
}

/// A place on Earth.
pub(super) fn location(
    v: &mut Validation<'_>,
    scope: &Scope,
    key: &str,
    typed: &Placed<Vec<f64>>,
) -> Option<Location> {
    let example = "latitude first, then longitude, in degrees: location = [50.11, 8.68]";
    let problem = match typed.value.as_slice() {
        // Not-a-number is in no range.
        [latitude, _] if !(-90.0..=90.0).contains(latitude) => "latitude must be -90 to 90",
        [_, longitude] if !(-180.0..=180.0).contains(longitude) => "longitude must be -180 to 180",
        [latitude, longitude] => {
            return Some(Location { latitude: *latitude, longitude: *longitude });
        }
        _ => "must be two numbers",
    };
    v.report.refuse(scope, key, &typed.at, Refusal::new(problem, example));
    None
}

fn seed(v: &mut Validation<'_>, typed: Option<&Placed<i64>>) -> u64 {
    match typed.map(|typed| (u64::try_from(typed.value), typed)) {
        Some((Ok(seed), _)) if seed > 0 => seed,
        Some((Err(_), typed)) => {
            let refusal = Refusal::new(
                "must not be negative",
                "leave the key out, or write 0, for a new seed at every start",
            );
            v.report.refuse(&Scope::top(), "seed", &typed.at, refusal);
            0
        }
        _ => drawn(),
    }
}

/// The standard library keys its hash maps from the system's randomness; so is this. Never 0.
fn drawn() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}
