//! The sites: counted and named by cities, or in tables of their own.

use std::collections::HashMap;

use isobar_sim::drill::{self, City, Spot, cities, city_of};

use super::Validation;
use super::read::unknown;
use crate::config::finding::{Refusal, Scope, member_name};
use crate::config::placed::Placed;
use crate::config::units::show_count;
use crate::drill::bounds::{self, BROKERS_ALL, CLIENTS_ALL, NODES_ALL, SITES_MAX};
use crate::drill::file::{Broker, File, Mesh, Site};

/// What a site is like that says nothing of itself.
struct Common {
    nodes: u16,
    brokers: u16,
    clients: u32,
    broker: drill::Broker,
}

pub(super) fn read(v: &mut Validation<'_>, file: &File) -> Vec<drill::Site> {
    let absent = Mesh::default();
    let mesh = file.mesh.as_ref().map_or(&absent, |mesh| &mesh.value);
    let at = file.mesh.as_ref().map_or(0..0, |mesh| mesh.at.clone());
    let scope = Scope { name: "mesh".to_owned(), at };
    let common = Common {
        nodes: small(v.report.count(
            &scope,
            "nodes_per_site",
            mesh.nodes_per_site.as_ref(),
            bounds::NODES,
        )),
        brokers: small(v.report.count(
            &scope,
            "brokers_per_site",
            mesh.brokers_per_site.as_ref(),
            bounds::BROKERS,
        )),
        clients: v.report.count(
            &scope,
            "clients_per_site",
            mesh.clients_per_site.as_ref(),
            bounds::CLIENTS,
        ),
        broker: broker(v, &scope, mesh.broker.as_ref(), STANDARD),
    };
    let counted = v.count(&scope, "sites", mesh.sites.as_ref(), bounds::SITES, "");
    let typed = file.sites.as_deref().unwrap_or_default();
    let sites = match (mesh.sites.as_ref(), typed) {
        (Some(count), [_, ..]) => {
            let help = "remove one of the two: sites by number, or each by its [[site]]";
            v.refuse(&scope, "sites", &count.at, "there are [[site]] tables as well", help);
            Vec::new()
        }
        (None, []) => {
            let help = "write sites = 3 in [mesh], or a [[site]] for each";
            v.report.missing(&scope, "no sites", help);
            Vec::new()
        }
        (Some(_), []) => {
            let count = counted.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
            cities().iter().take(count).map(|city| common.city(city)).collect()
        }
        (None, typed) => named(v, typed, &common),
    };
    refuse_too_many(v, &scope, &sites);
    sites
}

const STANDARD: drill::Broker =
    drill::Broker { maxconn: None, max_connections: None, connect_rate: 5_000, backlog: 100 };

impl Common {
    fn city(&self, city: &City) -> drill::Site {
        drill::Site {
            name: city.code.to_owned(),
            region: city.region.to_owned(),
            spot: Some(city.spot),
            nodes: self.nodes,
            brokers: self.brokers,
            clients: self.clients,
            broker: self.broker,
        }
    }
}

fn named(v: &mut Validation<'_>, typed: &[Placed<Site>], common: &Common) -> Vec<drill::Site> {
    let mut sites = Vec::new();
    let mut lines = HashMap::new();
    for (index, typed) in typed.iter().take(SITES_MAX).enumerate() {
        let site = one(v, index, typed, common);
        let line = v.report.source.line(typed.at.start);
        if let Some(other) = lines.insert(site.name.clone(), line) {
            let scope = scope(index, typed);
            let at = typed.value.name.as_ref().map_or(&typed.at, |name| &name.at);
            let help = format!("give it another: name = \"{}-2\"", site.name);
            let problem = format!("the site of line {other} has the name {:?}", site.name);
            v.report.error(&scope, at, problem, help);
        }
        sites.push(site);
    }
    if let Some(beyond) = typed.get(SITES_MAX) {
        let help = format!("a drill has at most {SITES_MAX}");
        v.report.error(&Scope::top(), &beyond.at, "too many sites", help);
    }
    sites
}

fn scope(index: usize, typed: &Placed<Site>) -> Scope {
    let name = typed.value.name.as_ref().or(typed.value.city.as_ref());
    let name = member_name("site", name.map(|name| name.value.as_str()), index);
    Scope { name, at: typed.at.clone() }
}

fn one(v: &mut Validation<'_>, index: usize, typed: &Placed<Site>, common: &Common) -> drill::Site {
    let scope = scope(index, typed);
    let site = &typed.value;
    let city = site.city.as_ref().and_then(|typed| {
        let city = city_of(&typed.value);
        if city.is_none() {
            v.report.refuse(&scope, "city", &typed.at, unknown_city(&typed.value));
        }
        city
    });
    let name = v.report.name(&scope, "name", site.name.as_ref());
    if site.name.is_none() && site.city.is_none() {
        let help = "name = \"plant-1\", or city = \"fra\" for a built-in place";
        v.report.missing(&scope, "no name", help);
    }
    let region = v.report.name(&scope, "region", site.region.as_ref());
    let count = |v: &mut Validation<'_>, key, typed: Option<&Placed<i64>>, limits, common: u32| {
        let absent = format!("without the key it is {}", show_count(common.into()));
        v.count(&scope, key, typed, limits, &absent).unwrap_or(common)
    };
    let nodes = count(v, "nodes", site.nodes.as_ref(), bounds::NODES, common.nodes.into());
    let brokers =
        count(v, "brokers", site.brokers.as_ref(), bounds::BROKERS, common.brokers.into());
    let clients = count(v, "clients", site.clients.as_ref(), bounds::CLIENTS, common.clients);
    drill::Site {
        name: name
            .or_else(|| city.map(|city| city.code.to_owned()))
            .unwrap_or_else(|| format!("site-{}", index + 1)),
        region: region.or_else(|| city.map(|city| city.region.to_owned())).unwrap_or_default(),
        spot: location(v, &scope, site.location.as_ref()).or(city.map(|city| city.spot)),
        nodes: small(nodes),
        brokers: small(brokers),
        clients,
        broker: broker(v, &scope, site.broker.as_ref(), common.broker),
    }
}

fn unknown_city(typed: &str) -> Refusal {
    let is_meant = |city: &&City| {
        [city.code, city.name].iter().any(|word| word.eq_ignore_ascii_case(typed.trim()))
    };
    if let Some(City { code, name, .. }) = cities().iter().find(is_meant) {
        let problem = format!("unknown city; did you mean `{code}`?");
        return Refusal::new(problem, format!("{name} is city = \"{code}\""));
    }
    let codes: Vec<&str> = cities().iter().map(|city| city.code).collect();
    unknown("city", typed, &codes)
}

/// Counts whose bounds fit.
fn small(count: u32) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn broker(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Broker>>,
    standard: drill::Broker,
) -> drill::Broker {
    let Some(typed) = typed else { return standard };
    let Broker { maxconn, max_connections, connect_rate, backlog } = &typed.value;
    let without = |limit: Option<u32>| match limit {
        Some(limit) => format!("without the key it is {}", show_count(limit.into())),
        None => "leave the key out for no limit".to_owned(),
    };
    let (key, absent) = ("broker.maxconn", without(standard.maxconn));
    let maxconn = v.count(scope, key, maxconn.as_ref(), bounds::MAXCONN, &absent);
    let (key, absent) = ("broker.max_connections", without(standard.max_connections));
    let max_connections = v.count(scope, key, max_connections.as_ref(), bounds::MAXCONN, &absent);
    let (key, limits) = ("broker.connect_rate", bounds::CONNECT_RATE);
    let connect_rate = v.suffixed(scope, key, connect_rate.as_ref(), "/s", limits);
    let (key, absent) = ("broker.backlog", without(Some(standard.backlog)));
    let backlog = v.count(scope, key, backlog.as_ref(), bounds::BACKLOG, &absent);
    drill::Broker {
        maxconn: maxconn.or(standard.maxconn),
        max_connections: max_connections.or(standard.max_connections),
        connect_rate: connect_rate.unwrap_or(standard.connect_rate),
        backlog: backlog.unwrap_or(standard.backlog),
    }
}

fn location(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Vec<f64>>>,
) -> Option<Spot> {
    let typed = typed?;
    let help = "latitude first, then longitude, in degrees: location = [50.11, 8.68]";
    let problem = match typed.value.as_slice() {
        // Not-a-number is in no range.
        [latitude, _] if !(-90.0..=90.0).contains(latitude) => "latitude must be -90 to 90",
        [_, longitude] if !(-180.0..=180.0).contains(longitude) => "longitude must be -180 to 180",
        [latitude, longitude] => {
            // Written out and read back: the plan has no floating point.
            let text = |degrees: &f64| format!("{degrees:.6}");
            return Spot::read(&text(latitude), &text(longitude));
        }
        _ => "must be two numbers",
    };
    v.refuse(scope, "location", &typed.at, problem, help);
    None
}

fn refuse_too_many(v: &mut Validation<'_>, scope: &Scope, sites: &[drill::Site]) {
    let sum = |of: fn(&drill::Site) -> u64| sites.iter().map(of).sum::<u64>();
    let totals = [
        ("clients", sum(|site| site.clients.into()), CLIENTS_ALL),
        ("nodes", sum(|site| site.nodes.into()), NODES_ALL),
        ("brokers", sum(|site| site.brokers.into()), BROKERS_ALL),
    ];
    for (what, total, most) in totals.into_iter().filter(|(_, total, most)| total > most) {
        let message = format!("{} {what} in all sites together", show_count(total));
        v.report.missing(scope, &message, format!("a drill has at most {}", show_count(most)));
    }
}
