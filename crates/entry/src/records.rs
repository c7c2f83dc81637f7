//! The records that a zone should have now, for those who keep it themselves.
//!
//! Every site that may be named, and every node of it, where a server of ours would choose: whoever
//! keeps the zone puts them in, or into the pools of a DNS service that has rules of its own. When
//! none may be named they are those of the last answer, as `all_down` has it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use isobar_core::entry::{Address, Ask, Client, ENDPOINTS_MAX, Endpoint, Form, Host};

use crate::dns::target;
use crate::explain::name;
use crate::guide::Guide;
use crate::settings::DnsSettings;

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Its owner, with a dot at its end.
    pub name: String,
    /// How long it may be kept.
    pub ttl: Duration,
    /// `A`, `AAAA` or `SRV`.
    pub kind: &'static str,
    /// What it says.
    pub data: String,
    /// The site it leads to.
    pub site: String,
}

/// All records that are wanted, and the generation of the news they are made from.
pub fn wanted(guide: &Guide, settings: &DnsSettings) -> (u64, Vec<Wanted>) {
    let snapshot = guide.snapshot();
    let mut records: Vec<Wanted> = Vec::new();
    let mut add = |record: Wanted| {
        let same = |other: &Wanted| (&other.name, &other.data) == (&record.name, &record.data);
        if !records.iter().any(same) {
            records.push(record);
        }
    };
    for entry in &settings.names {
        let Some(service) = guide.service(&entry.service) else { continue };
        let asked = |form| {
            let ask = Ask { service, client: Client::default(), form, draw: 0 };
            let answer = snapshot.entry.ask(&ask);
            (answer.ttl, answer.endpoints.unwrap_or_default())
        };
        let (ttl, all) = asked(Form::Endpoints);
        for Endpoint { site, address, .. } in &all {
            let Some(ip) = address.ip() else { continue };
            let site = name(&snapshot, *site);
            add(of_ip(&format!("{}.", entry.name), ttl, ip, site));
        }
        for (prefix, form) in [("_mqtt", Form::Plain), ("_secure-mqtt", Form::Secure)] {
            let (ttl, endpoints) = asked(form);
            let owner = format!("{prefix}._tcp.{}.", entry.name);
            for Endpoint { site, rank, address: Address { host, port, .. }, .. } in endpoints {
                let site = name(&snapshot, site);
                let target = target(&host, &settings.zone);
                let data = format!("{rank} 1 {port} {target}");
                add(Wanted { name: owner.clone(), ttl, kind: "SRV", data, site: site.clone() });
                if let Host::Ip(ip) = host {
                    add(of_ip(&target, ttl, ip, site));
                }
            }
        }
    }
    debug_assert!(records.len() <= settings.names.len() * ENDPOINTS_MAX * 4);
    (snapshot.entry.generation(), records)
}

fn of_ip(owner: &str, ttl: Duration, ip: IpAddr, site: String) -> Wanted {
    let kind = if ip.is_ipv4() { "A" } else { "AAAA" };
    Wanted { name: owner.to_owned(), ttl, kind, data: ip.to_string(), site }
}

impl fmt::Display for Wanted {
    /// As a line of a zone file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wanted { name, ttl, kind, data, site } = self;
        write!(f, "{name} {} IN {kind} {data} ; {site}", ttl.as_secs().max(1))
    }
}
