//! `[entry]`: where clients and sites are, and who tells clients where to go.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use isobar_core::entry::{Locality, NETWORKS_MAX, Networks, Place, Prefix, PrefixError};
use isobar_core::policy::EntryPolicy;
use isobar_entry::geo::Geo;
use isobar_entry::settings::{EntrySettings, ProvisionSettings};
use isobar_net::settings::ServiceSettings;

use super::binds::Binds;
use super::node::{self, Top};
use super::{Validation, rules, tls, zone};
use crate::config::address;
use crate::config::bounds::{self, ENTRY_SITES_MAX};
use crate::config::file::{self, Entry};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;
use crate::config::settings::Location;

/// What the entry needs to know of the rest of the file.
pub(super) struct Around<'a> {
    pub(super) top: &'a Top,
    pub(super) services: &'a [ServiceSettings],
    pub(super) binds: &'a mut Binds,
    /// `[tls.NAME]`.
    pub(super) tables: Option<&'a tls::Tables>,
}

pub(super) fn read(
    v: &mut Validation<'_>,
    typed: Option<&Placed<Entry>>,
    around: Around<'_>,
) -> EntrySettings {
    let absent = Placed { value: Entry::default(), at: 0..0 };
    let typed = typed.unwrap_or(&absent);
    let scope = Scope { name: "[entry]".to_owned(), at: typed.at.clone() };
    let entry = &typed.value;
    let rules = rules::read(v, entry.dns.as_ref());
    let policy = EntryPolicy {
        ranking: rules.ranking,
        all_down: rules.all_down,
        ttl: rules.ttl,
        order: rules.order,
        places: places(v, &scope, entry.places.as_ref(), around.top),
        networks: networks(v, &scope, entry.networks.as_ref()),
    };
    let geo_db = entry.geo_db.as_ref().and_then(|file| geo_db(v, &scope, file));
    let Around { services, binds, tables, .. } = around;
    let dns = entry.dns.as_ref().and_then(|dns| zone::read(v, dns, services, binds));
    let provision = entry.provision.as_ref();
    let provision =
        provision.and_then(|typed| self::provision(v, typed, services, (binds, tables)));
    EntrySettings { policy: Arc::new(policy), geo_db, dns, provision }
}

/// Services whose clients are told an address must have one to tell.
pub(super) fn refuse_untold(
    v: &mut Validation<'_>,
    scope: &Scope,
    services: &[ServiceSettings],
    is_told: impl Fn(&ServiceSettings) -> bool,
) {
    let silent = |service: &&ServiceSettings| {
        service.public.is_empty() && service.binds.iter().all(|bind| bind.ip().is_unspecified())
    };
    for service in services.iter().filter(|service| is_told(service)).filter(silent) {
        let name = &service.policy.name;
        let message = format!(
            "clients of service {name:?} cannot be told where it is: it binds wildcards only"
        );
        let help = "say in the service where clients reach it: public = [\"203.0.113.10:1883\"]";
        v.report.missing(scope, &message, help);
    }
}

fn place(location: Location) -> Place {
    let micro = |degrees: f64| (degrees * 1e6).round() as i32;
    Place::at_microdegrees(micro(location.latitude), micro(location.longitude))
}

/// Places of sites, our own first.
fn places(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Vec<Placed<file::SitePlace>>>>,
    top: &Top,
) -> Vec<(String, Place)> {
    let own = top.location.map(|location| (top.site.clone(), place(location)));
    let mut places: Vec<(String, Place)> = own.into_iter().collect();
    let Some(typed) = typed else { return places };
    if typed.value.len() > ENTRY_SITES_MAX {
        let refusal = Refusal::new("too many", format!("at most {ENTRY_SITES_MAX}"));
        v.report.refuse(scope, "places", &typed.at, refusal);
        return places;
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for Placed { value, at } in &typed.value {
        let (Some(site), Some(location)) = (&value.site, &value.location) else {
            let help = "write { site = \"nyc\", location = [40.71, -74.01] }";
            let refusal = Refusal::new("must have site and location", help);
            v.report.refuse(scope, "places", at, refusal);
            continue;
        };
        let Some(name) = v.report.name(scope, "places.site", Some(site)) else { continue };
        let line = v.report.source.line(site.at.start);
        if let Some(other) = seen.insert(&site.value, line) {
            let refusal = Refusal::new(format!("line {other} has its place"), "say it once");
            v.report.refuse(scope, "places.site", &site.at, refusal);
            continue;
        }
        let Some(found) = node::location(v, scope, "places.location", location) else { continue };
        match places.first() {
            // One file may be the same on all nodes.
            Some((own, known)) if *own == name => {
                if *known != place(found) {
                    let message = "places: this site's own place is location, which holds";
                    v.report.warn(scope, at, message, "write the same place in both");
                }
            }
            _ => places.push((name, place(found))),
        }
    }
    places
}

fn networks(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Vec<Placed<file::Networks>>>>,
) -> Networks {
    let Some(typed) = typed else { return Networks::default() };
    let mut seen: HashMap<Prefix, usize> = HashMap::new();
    let mut all = Vec::new();
    for Placed { value, at } in &typed.value {
        let Some(locality) = locality(v, scope, value, at) else { continue };
        let Some(nets) = value.nets.as_ref().filter(|nets| !nets.value.is_empty()) else {
            let help = "write { site = \"fra\", nets = [\"198.51.100.0/24\"] }";
            v.report.refuse(scope, "networks", at, Refusal::new("no nets", help));
            continue;
        };
        for net in &nets.value {
            let refusal = match net.value.parse::<Prefix>() {
                Ok(prefix) => match seen.insert(prefix, v.report.source.line(net.at.start)) {
                    None => {
                        all.push((prefix, locality.clone()));
                        continue;
                    }
                    Some(line) => {
                        Refusal::new(format!("line {line} has this network"), "say it once")
                    }
                },
                Err(PrefixError::NoAddress) => {
                    Refusal::new("not a network", "write \"198.51.100.0/24\" or \"2001:db8::/32\"")
                }
                Err(PrefixError::BadLength) => Refusal::new(
                    "no such length",
                    "0 to 32 bits for IPv4, 0 to 128 for IPv6: \"198.51.100.0/24\"",
                ),
            };
            v.report.refuse(scope, "networks.nets", &net.at, refusal);
        }
    }
    Networks::new(all).unwrap_or_else(|_| {
        let help = format!("at most {NETWORKS_MAX}; name larger networks");
        v.report.refuse(scope, "networks", &typed.at, Refusal::new("too many", help));
        Networks::default()
    })
}

fn locality(
    v: &mut Validation<'_>,
    scope: &Scope,
    networks: &file::Networks,
    at: &std::ops::Range<usize>,
) -> Option<Locality> {
    match (&networks.site, &networks.location) {
        (Some(site), None) => {
            let name = v.report.name(scope, "networks.site", Some(site))?;
            Some(Locality::Site(Arc::from(name)))
        }
        (None, Some(location)) => {
            let found = node::location(v, scope, "networks.location", location)?;
            Some(Locality::Place(place(found)))
        }
        _ => {
            let help = "say to which site they belong, or where they are: { site = \"fra\", nets = \
                        [\"198.51.100.0/24\"] }";
            let refusal = Refusal::new("must have either site or location", help);
            v.report.refuse(scope, "networks", at, refusal);
            None
        }
    }
}

fn geo_db(v: &mut Validation<'_>, scope: &Scope, typed: &Placed<String>) -> Option<PathBuf> {
    let path = v.folder.join(&typed.value);
    let problem = match std::fs::metadata(&path) {
        Ok(found) if found.is_file() => match Geo::open(&path) {
            Ok(_) => return Some(path),
            Err(error) => format!("{}: {error}", path.display()),
        },
        Ok(_) => format!("not a file: {}", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("no such file: {}", path.display())
        }
        Err(error) => format!("{} cannot be read: {error}", path.display()),
    };
    let help = "a city database in MaxMind's format, or remove geo_db";
    v.report.refuse(scope, "geo_db", &typed.at, Refusal::new(problem, help));
    None
}

fn provision(
    v: &mut Validation<'_>,
    typed: &Placed<file::Provision>,
    services: &[ServiceSettings],
    (binds, tables): (&mut Binds, Option<&tls::Tables>),
) -> Option<ProvisionSettings> {
    let scope = Scope { name: "[entry.provision]".to_owned(), at: typed.at.clone() };
    let provision = &typed.value;
    let tls = provision.tls.as_ref().and_then(|typed| tls::named(v, &scope, tables, typed));
    refuse_untold(v, &scope, services, |_| true);
    let rate = v.report.count(&scope, "rate", provision.rate.as_ref(), bounds::PROVISION_RATE);
    let Some(bind) = &provision.bind else {
        let help = "say where to listen: bind = \"203.0.113.10:8443\"";
        v.report.missing(&scope, "no bind", help);
        return None;
    };
    let addr = match address::listen(&bind.value) {
        Ok(addr) => addr,
        Err(refusal) => {
            v.report.refuse(&scope, "bind", &bind.at, refusal);
            return None;
        }
    };
    binds.add(&mut v.report, &scope, addr, &bind.at);
    if provision.tls.is_none() && !addr.ip().to_canonical().is_loopback() {
        let message = "no tls: who is on the way can read and change what devices are told";
        let help = "add tls = \"edge\" and [tls.edge], or end TLS in front of this node";
        v.report.warn(&scope, &bind.at, message, help);
    }
    Some(ProvisionSettings {
        bind: addr,
        tls,
        mqtt: provision.mqtt.as_ref().is_some_and(|on| on.value),
        rate,
    })
}
