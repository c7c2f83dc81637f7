//! The DNS server alone, with three sites that never change: for profiles, and for whoever wants to try
//! it with `dig` before there is a node.
//!
//!     cargo run --release -p isobar-entry --example serve -- 127.0.0.1:5300

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use isobar_core::id::SiteId;
use isobar_core::outlook::{Entrance, Heard, Outlook, Standing};
use isobar_core::policy::EntryPolicy;
use isobar_entry::Guide;
use isobar_entry::dns::Server;
use isobar_entry::settings::{DnsSettings, EntryName, EntrySettings, NameServer};

fn main() {
    let addr: Option<SocketAddr> = std::env::args().nth(1).and_then(|addr| addr.parse().ok());
    let Some(addr) = addr else {
        eprintln!("usage: serve ADDRESS:PORT");
        std::process::exit(2);
    };
    let policy = EntryPolicy { ttl: Duration::from_secs(30), ..EntryPolicy::default() };
    let policy = Arc::new(policy);
    let guide = Guide::new(policy.clone(), vec!["mqtt".into()]);
    guide.hear(&outlook());
    let dns = DnsSettings {
        bind: vec![addr],
        zone: "m.example".into(),
        ns: vec![NameServer { name: "ns.example.com".into(), addrs: Vec::new() }],
        names: vec![EntryName { name: "m.example".into(), service: "mqtt".into() }],
        per_prefix_per_second: 0,
    };
    let entry = EntrySettings { policy, geo_db: None, dns: Some(dns.clone()), provision: None };
    match Server::start(&entry, &dns, (guide, None), 1) {
        Ok(server) => {
            println!("m.example is answered at {:?}", server.addrs);
            loop {
                std::thread::park();
            }
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

fn outlook() -> Outlook {
    let entrance = |site: u16| Entrance {
        site: SiteId(site),
        standing: Standing::Reachable,
        brokers_up: 2,
        free: 1_000,
        capacity: 2_000,
        heard: Heard::default(),
        addresses: Arc::from([
            format!("192.0.2.{}:1883", site + 1),
            format!("[2001:db8::{}]:1883", site + 1),
        ]),
    };
    Outlook {
        generation: 1,
        sites: ["fra", "nyc", "sin"].map(str::to_owned).to_vec(),
        services: vec![Vec::new()],
        entrances: vec![(0..3).map(entrance).collect()],
    }
}
