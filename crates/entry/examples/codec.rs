//! What one answer costs without the network: our reader and writer beside hickory-proto's, with the
//! same question, the same decision and the same records.
//!
//!     cargo run --release -p isobar-entry --example codec

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{RData, Record};
use hickory_proto::serialize::binary::BinDecodable;
use isobar_core::entry::{Ask, Client, Form, Prefix};
use isobar_core::id::{ServiceId, SiteId};
use isobar_core::outlook::{Entrance, Heard, Outlook, Standing};
use isobar_core::policy::EntryPolicy;
use isobar_entry::Guide;
use isobar_entry::dns::{Answers, Way, query};
use isobar_entry::settings::{DnsSettings, EntryName, NameServer};

const TIMES: u32 = 1_000_000;
/// `dig m.example A +subnet=198.51.100.0/24`.
const QUESTION: &[u8] = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01m\x07example\x00\x00\x01\
    \x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0b\x00\x08\x00\x07\x00\x01\x18\x00\xc6\x33\x64";

fn main() {
    let policy = Arc::new(EntryPolicy { ttl: Duration::from_secs(30), ..EntryPolicy::default() });
    let guide = Guide::new(policy, vec!["mqtt".into()]);
    guide.hear(&outlook());
    let settings = DnsSettings {
        bind: Vec::new(),
        zone: "m.example".into(),
        ns: vec![NameServer { name: "ns.example.com".into(), addrs: Vec::new() }],
        names: vec![EntryName { name: "m.example".into(), service: "mqtt".into() }],
        per_prefix_per_second: 0,
    };
    let answers = Answers::new(&settings, guide.clone(), None, Duration::from_secs(30));
    let peer = IpAddr::from([192, 0, 2, 53]);
    let mut out = Vec::with_capacity(1_232);
    time("ours: read, decide, write", || {
        let query = query::read(black_box(QUESTION)).expect("it is a query");
        answers.answer(&query, (peer, Way::Udp), 7, &mut out);
        out.len()
    });
    time("hickory-proto: read, decide, write", || theirs(&guide, black_box(QUESTION)).len());
    time("the decision alone", || decide(&guide).len());
}

fn outlook() -> Outlook {
    let entrance = |site: u16| Entrance {
        site: SiteId(site),
        standing: Standing::Reachable,
        brokers_up: 2,
        free: 1_000,
        capacity: 2_000,
        heard: Heard::default(),
        addresses: Arc::from([format!("192.0.2.{site}:1883"), format!("192.0.2.1{site}:1883")]),
    };
    Outlook {
        generation: 1,
        sites: ["fra", "nyc", "sin"].map(str::to_owned).to_vec(),
        services: vec![Vec::new()],
        entrances: vec![(0..3).map(entrance).collect()],
    }
}

fn decide(guide: &Guide) -> Vec<IpAddr> {
    let network = "198.51.100.0/24".parse::<Prefix>().ok();
    let client = Client { network, located: None };
    let answer = guide.ask(&Ask { service: ServiceId(0), client, form: Form::V4, draw: 7 });
    answer.endpoints.iter().flatten().filter_map(|endpoint| endpoint.address.ip()).collect()
}

fn theirs(guide: &Guide, question: &[u8]) -> Vec<u8> {
    let query = Message::from_bytes(question).expect("it is a query");
    let mut answer = Message::response(query.metadata.id, OpCode::Query);
    answer.metadata.authoritative = true;
    answer.metadata.recursion_desired = query.metadata.recursion_desired;
    answer.metadata.response_code = ResponseCode::NoError;
    let name = query.queries[0].name().clone();
    for ip in decide(guide) {
        if let IpAddr::V4(ip) = ip {
            answer.add_answer(Record::from_rdata(name.clone(), 30, RData::A(ip.into())));
        }
    }
    let asked = query.edns.as_ref().and_then(|edns| edns.option(EdnsCode::Subnet));
    let mut edns = Edns::new();
    edns.set_max_payload(1_232);
    if let Some(EdnsOption::Subnet(subnet)) = asked {
        let echoed = ClientSubnet::new(subnet.addr(), subnet.source_prefix(), 0);
        edns.options_mut().insert(EdnsOption::Subnet(echoed));
    }
    answer.add_queries(query.queries);
    answer.set_edns(edns);
    answer.to_vec().expect("it is an answer")
}

fn time(what: &str, mut once: impl FnMut() -> usize) {
    let start = Instant::now();
    for _ in 0..TIMES {
        black_box(once());
    }
    println!("{what}: {:.0} ns", start.elapsed().as_nanos() as f64 / f64::from(TIMES));
}
