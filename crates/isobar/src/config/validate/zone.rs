//! `[entry.dns]`: the zone that this node answers for, and where it listens.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use isobar_entry::settings::{DnsSettings, EntryName, NameServer};
use isobar_net::settings::ServiceSettings;

use super::binds::Binds;
use super::{Validation, entry};
use crate::config::address;
use crate::config::bounds::{
    self, DNS_BINDS_MAX, ENTRY_NAMES_MAX, NAME_SERVER_ADDRS_MAX, NAME_SERVERS_MAX, ZONE_MAX,
};
use crate::config::file::{self, Dns, TextOrTable};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;

/// The server, if there is to be one and it can be told what it answers.
pub(super) fn read(
    v: &mut Validation<'_>,
    typed: &Placed<Dns>,
    services: &[ServiceSettings],
    binds: &mut Binds,
) -> Option<DnsSettings> {
    let scope = Scope { name: "[entry.dns]".to_owned(), at: typed.at.clone() };
    let dns = &typed.value;
    let limit = dns.limit.as_ref().and_then(|limit| limit.value.per_prefix_per_second.as_ref());
    let key = "limit.per_prefix_per_second";
    let limit = v.report.count(&scope, key, limit, bounds::DNS_LIMIT);
    let Some(typed_zone) = &dns.zone else {
        let help = "say which zone is delegated to the nodes: zone = \"mqtt.example.com\"";
        let of_a_zone = [
            ("bind", dns.bind.as_ref().map(|key| &key.at)),
            ("ns", dns.ns.as_ref().map(|key| &key.at)),
            ("names", dns.names.as_ref().map(|key| &key.at)),
            ("limit", dns.limit.as_ref().map(|key| &key.at)),
        ];
        for (key, at) in of_a_zone.into_iter().filter_map(|(key, at)| Some((key, at?))) {
            v.report.error(&scope, at, format!("{key} without zone"), help);
        }
        return None;
    };
    let bind = dns.bind.as_ref().map_or_else(Vec::new, |bind| self::binds(v, &scope, bind, binds));
    let zone = name(v, &scope, "zone", typed_zone)?;
    if zone.len() > ZONE_MAX {
        let help = format!("at most {ZONE_MAX} characters: names below it are longer");
        v.report.refuse(&scope, "zone", &typed_zone.at, Refusal::new("too long", help));
    }
    let names = names(v, &scope, dns.names.as_ref(), &zone, services);
    let ns = match (&dns.ns, &dns.bind) {
        (None, None) => Vec::new(),
        (ns, _) => name_servers(v, &scope, ns.as_ref(), &zone, &names),
    };
    entry::refuse_untold(v, &scope, services, |service| {
        names.iter().any(|name| name.service == service.policy.name)
    });
    Some(DnsSettings { bind, zone, ns, names, per_prefix_per_second: limit })
}

fn binds(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: &Placed<Vec<Placed<String>>>,
    taken: &mut Binds,
) -> Vec<SocketAddr> {
    let help = "addresses of this machine, with the port: bind = [\"203.0.113.10:53\"]";
    if typed.value.is_empty() || typed.value.len() > DNS_BINDS_MAX {
        let refusal = Refusal::new(format!("must have 1 to {DNS_BINDS_MAX} addresses"), help);
        v.report.refuse(scope, "bind", &typed.at, refusal);
        return Vec::new();
    }
    let mut binds = Vec::new();
    for entry in &typed.value {
        match address::listen(&entry.value) {
            Ok(addr) if addr.ip().is_unspecified() => {
                let problem = "a wildcard: answers might leave from another address than was \
                               asked, and resolvers drop those";
                v.report.refuse(scope, "bind", &entry.at, Refusal::new(problem, help));
            }
            Ok(addr) => {
                taken.add(&mut v.report, scope, addr, &entry.at);
                binds.push(addr);
            }
            Err(refusal) => v.report.refuse(scope, "bind", &entry.at, refusal),
        }
    }
    binds
}

/// A DNS name in lower case, without a dot at its end.
fn name(
    v: &mut Validation<'_>,
    scope: &Scope,
    key: &str,
    typed: &Placed<String>,
) -> Option<String> {
    match address::dns_name(&typed.value) {
        Ok(()) => {
            let name = typed.value.strip_suffix('.').unwrap_or(&typed.value);
            Some(name.to_ascii_lowercase())
        }
        Err(Refusal { problem, .. }) => {
            let refusal = Refusal::new(problem, "names look like \"mqtt.example.com\"");
            v.report.refuse(scope, key, &typed.at, refusal);
            None
        }
    }
}

fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn names(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Vec<Placed<file::EntryName>>>>,
    zone: &str,
    services: &[ServiceSettings],
) -> Vec<EntryName> {
    let help = format!("write names = [{{ name = \"{zone}\", service = \"mqtt\" }}]");
    let Some(typed) = typed else {
        return match services {
            [only] => {
                vec![EntryName { name: zone.to_owned(), service: only.policy.name.clone() }]
            }
            [] => Vec::new(),
            _ => {
                v.report.missing(scope, "no names, and more than one service", help);
                Vec::new()
            }
        };
    };
    if typed.value.is_empty() || typed.value.len() > ENTRY_NAMES_MAX {
        let refusal = Refusal::new(format!("must have 1 to {ENTRY_NAMES_MAX} names"), help);
        v.report.refuse(scope, "names", &typed.at, refusal);
        return Vec::new();
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut names = Vec::new();
    for Placed { value, at } in &typed.value {
        let (Some(typed_name), Some(service)) = (&value.name, &value.service) else {
            let refusal = Refusal::new("must have name and service", help.clone());
            v.report.refuse(scope, "names", at, refusal);
            continue;
        };
        if !services.iter().any(|known| known.policy.name == service.value) {
            let known: Vec<_> = services.iter().map(|service| &*service.policy.name).collect();
            let help = format!("the services are {}", known.join(", "));
            let refusal = Refusal::new("no such service", help);
            v.report.refuse(scope, "names.service", &service.at, refusal);
        }
        let Some(name) = name(v, scope, "names.name", typed_name) else { continue };
        let line = v.report.source.line(typed_name.at.start);
        let refusal = if !is_within(&name, zone) {
            Refusal::new("not in the zone", format!("names end in {zone}"))
        } else if name.starts_with('_') {
            Refusal::new(
                "names with _ are those of services",
                "_mqtt._tcp below each name is answered without being named",
            )
        } else if let Some(other) = seen.insert(name.clone(), line) {
            Refusal::new(format!("line {other} has this name"), "one service for each name")
        } else {
            names.push(EntryName { name, service: service.value.clone() });
            continue;
        };
        v.report.refuse(scope, "names.name", &typed_name.at, refusal);
    }
    names
}

fn name_servers(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Vec<Placed<TextOrTable<file::NameServer>>>>>,
    zone: &str,
    names: &[EntryName],
) -> Vec<NameServer> {
    let help = "the names under which the parent zone delegates to the nodes: \
                ns = [\"fra-1.ns.example.com\"]";
    let Some(typed) = typed else {
        v.report.missing(scope, "no ns", help);
        return Vec::new();
    };
    if typed.value.is_empty() || typed.value.len() > NAME_SERVERS_MAX {
        let refusal = Refusal::new(format!("must have 1 to {NAME_SERVERS_MAX} names"), help);
        v.report.refuse(scope, "ns", &typed.at, refusal);
        return Vec::new();
    }
    let mut servers: Vec<NameServer> = Vec::new();
    for Placed { value, at } in &typed.value {
        let text = Placed { value: String::new(), at: at.clone() };
        let (typed_name, addrs) = match value {
            TextOrTable::Text(name) => (&Placed { value: name.clone(), ..text }, None),
            TextOrTable::Table(file::NameServer { name: Some(name), addrs }) => {
                (name, addrs.as_ref())
            }
            TextOrTable::Table(_) => {
                v.report.refuse(scope, "ns", at, Refusal::new("no name", help));
                continue;
            }
        };
        let Some(name) = name(v, scope, "ns", typed_name) else { continue };
        let addrs_at = addrs.map_or(at, |addrs| &addrs.at).clone();
        let addrs = addrs.map_or_else(Vec::new, |addrs| self::addrs(v, scope, addrs));
        if is_within(&name, zone) && addrs.is_empty() {
            let help = format!(
                "it is in the zone, so nobody else says where it is: {{ name = \"{name}\", addrs = \
                 [\"203.0.113.10\"] }}"
            );
            v.report.refuse(scope, "ns", at, Refusal::new("no addrs", help));
        } else if !is_within(&name, zone) && !addrs.is_empty() {
            let message = "ns.addrs has no effect: the name is in another zone, which says its own";
            v.report.warn(scope, &addrs_at, message, "remove addrs");
        }
        if names.iter().any(|entry| entry.name == name) {
            let refusal = Refusal::new(
                "clients are told this name",
                "give name servers names of their own, such as \"ns1\" below the zone",
            );
            v.report.refuse(scope, "ns", &typed_name.at, refusal);
        } else if servers.iter().any(|server| server.name == name) {
            let refusal = Refusal::new("stands there already", "name each server once");
            v.report.refuse(scope, "ns", &typed_name.at, refusal);
        } else {
            servers.push(NameServer { name, addrs });
        }
    }
    servers
}

fn addrs(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: &Placed<Vec<Placed<String>>>,
) -> Vec<IpAddr> {
    let help = "addresses without a port: addrs = [\"203.0.113.10\", \"2001:db8::10\"]";
    if typed.value.len() > NAME_SERVER_ADDRS_MAX {
        let refusal = Refusal::new(format!("at most {NAME_SERVER_ADDRS_MAX}"), help);
        v.report.refuse(scope, "ns.addrs", &typed.at, refusal);
    }
    let mut addrs = Vec::new();
    for entry in &typed.value {
        match entry.value.parse::<IpAddr>() {
            Ok(ip) if !ip.is_unspecified() && !ip.is_multicast() => addrs.push(ip),
            Ok(_) => {
                let refusal = Refusal::new("no address that can be asked", help);
                v.report.refuse(scope, "ns.addrs", &entry.at, refusal);
            }
            Err(_) => {
                let refusal = Refusal::new("not an IP address", help);
                v.report.refuse(scope, "ns.addrs", &entry.at, refusal);
            }
        }
    }
    addrs
}
