//! Answers, as another implementation reads them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{RData, Record, RecordType};
use hickory_proto::serialize::binary::BinDecodable;
use isobar_core::entry::{Locality, Networks};
use isobar_core::id::SiteId;
use isobar_core::outlook::{Entrance, Heard, Outlook, Standing};
use isobar_core::policy::{AllDown, EntryPolicy, Ranking};

use super::answer::fault;
use super::query::tests::{asking, ecs, opt};
use super::query::{self, kind};
use super::zone::wire;
use super::*;
use crate::guide::Guide;
use crate::settings::{DnsSettings, EntryName, NameServer};

mod edges;
mod hostile;
mod steering;

const PEER: &str = "203.0.113.53";

/// Three sites and a server for m.example: clients of 10.0.n.0/24 belong to site n.
struct Desk {
    answers: Answers,
    guide: Guide,
    outlook: Outlook,
    draws: u64,
}

impl Desk {
    fn new() -> Desk {
        Desk::with(Ranking::Nearest, AllDown::LastGood)
    }

    fn with(ranking: Ranking, all_down: AllDown) -> Desk {
        let mut desk = Desk::silent(ranking, all_down);
        desk.outlook.sites = ["fra", "nyc", "sin"].map(str::to_owned).to_vec();
        desk.outlook.services = vec![Vec::new(); 2];
        let entrance = |site: u16| Entrance {
            site: SiteId(site),
            standing: Standing::Reachable,
            brokers_up: 2,
            free: 1_000,
            capacity: 2_000,
            heard: Heard::default(),
            addresses: Arc::from(vec![
                format!("192.0.2.{}:1883", 10 * site + 1),
                format!("192.0.2.{}:1883", 10 * site + 2),
                format!("[2001:db8::{}]:1883", 10 * site + 1),
            ]),
        };
        desk.outlook.entrances = vec![(0..3).map(entrance).collect(), Vec::new()];
        desk.hears();
        desk
    }

    /// It has heard of nothing yet.
    fn silent(ranking: Ranking, all_down: AllDown) -> Desk {
        let nets = ["fra", "nyc", "sin"].into_iter().enumerate();
        let nets = nets.flat_map(|(n, site)| {
            let site = Locality::Site(site.into());
            let v4 = format!("10.0.{n}.0/24").parse().unwrap();
            let v6 = format!("2001:db8:{n}::/48").parse().unwrap();
            [(v4, site.clone()), (v6, site)]
        });
        let policy = EntryPolicy {
            ranking,
            all_down,
            ttl: Duration::from_secs(30),
            networks: Networks::new(nets.collect()).unwrap(),
            ..EntryPolicy::default()
        };
        let policy = Arc::new(policy);
        let guide = Guide::new(policy.clone(), vec!["mqtt".into(), "tls".into()]);
        let name =
            |name: &str, service: &str| EntryName { name: name.into(), service: service.into() };
        let settings = DnsSettings {
            bind: Vec::new(),
            zone: "m.example".into(),
            ns: vec![
                NameServer { name: "ns.other.example".into(), addrs: Vec::new() },
                NameServer {
                    name: "ns2.m.example".into(),
                    addrs: vec!["203.0.113.2".parse().unwrap(), "2001:db8::2".parse().unwrap()],
                },
            ],
            names: vec![name("m.example", "mqtt"), name("a.b.m.example", "tls")],
            per_prefix_per_second: 0,
        };
        let answers = Answers::new(&settings, guide.clone(), None, policy.ttl);
        Desk { answers, guide, outlook: Outlook::default(), draws: 0 }
    }

    fn says(&mut self, service: usize, site: usize, change: impl FnOnce(&mut Entrance)) {
        change(&mut self.outlook.entrances[service][site]);
        self.hears();
    }

    fn hears(&mut self) {
        self.outlook.generation += 1;
        assert!(self.guide.hear(&self.outlook));
    }

    fn answer(&mut self, bytes: &[u8], way: Way) -> Vec<u8> {
        let mut out = vec![0xff; 7];
        self.draws += 1;
        let peer: IpAddr = PEER.parse().unwrap();
        let outcome = match query::read(bytes) {
            Ok(query) => self.answers.answer(&query, (peer, way), self.draws, &mut out),
            Err(why) => fault(why, &mut out).expect("it deserves a word"),
        };
        let message = Message::from_bytes(&out).expect("others can read it");
        assert_eq!(message.metadata.truncation, outcome.is_cut);
        assert_eq!(u16::from(message.metadata.response_code), outcome.rcode.number());
        assert!(message.all_sections().all(|record| record.ttl > 0), "{message}");
        out
    }

    fn asks(&mut self, bytes: &[u8]) -> Message {
        Message::from_bytes(&self.answer(bytes, Way::Udp)).unwrap()
    }

    fn ask(&mut self, name: &str, kind: u16) -> Message {
        self.asks(&asking(&wire(name), kind, 1, &opt(1232, 0, 0, &[])))
    }

    /// What a client of that network is told.
    fn from(&mut self, family: u16, source: u8, octets: &[u8], kind: u16) -> (Vec<String>, u8) {
        let subnet = opt(1232, 0, 0, &ecs(family, source, 0, octets));
        let told = self.asks(&asking(&wire("m.example"), kind, 1, &subnet));
        let edns = told.edns.as_ref().expect("it was asked with EDNS");
        let Some(EdnsOption::Subnet(subnet)) = edns.option(EdnsCode::Subnet) else {
            panic!("the subnet is given back: {told}")
        };
        assert_eq!(subnet.source_prefix(), source);
        (ips(&told), subnet.scope_prefix())
    }
}

fn ips(told: &Message) -> Vec<String> {
    let ip = |record: &Record| match &record.data {
        RData::A(ip) => Some(ip.0.to_string()),
        RData::AAAA(ip) => Some(ip.0.to_string()),
        _ => None,
    };
    let mut ips: Vec<String> = told.answers.iter().filter_map(ip).collect();
    ips.sort();
    ips
}

/// It says that there is no such thing, and for how long that may be kept.
fn is_denied(told: &Message, code: ResponseCode) -> bool {
    is_denied_for(told, code, 30)
}

/// There is no such thing, and that may be kept for so many seconds.
fn is_denied_for(told: &Message, code: ResponseCode, seconds: u32) -> bool {
    let soa = told.authorities.iter().filter(|record| record.record_type() == RecordType::SOA);
    let soa: Vec<&Record> = soa.collect();
    let lasts = soa.len() == 1 && soa[0].name.to_ascii() == "m.example." && soa[0].ttl == seconds;
    told.metadata.response_code == code
        && told.answers.is_empty()
        && told.metadata.authoritative
        && lasts
}
