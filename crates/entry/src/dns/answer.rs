//! What is answered to a question.
//!
//! Which sites are named is core's to say; here is which records say it. One snapshot makes one
//! answer. Before the first word of the mesh that answer is SERVFAIL: an empty one would be kept
//! as if there were nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use isobar_core::entry::{
    Absence, Address, Answer, Ask, Client, Endpoint, Form, Host, Prefix, TTL_NEAR, represent,
};

use super::query::{CLASS_IN, Edns, Fault, PLAIN_MAX, Query, Subnet, kind};
use super::reply::{self, Data, Owner, Rcode, Reply, Section, UDP_MAX};
use super::zone::{self, Found, Node, Zone};
use crate::geo::Geo;
use crate::guide::{Guide, Snapshot};
use crate::settings::DnsSettings;

/// How long the zone's own records may be kept, in seconds: who serves it changes seldom.
const TTL_ZONE: u32 = 3_600;
/// Hosts and ports in one answer: as many as fit a datagram with their addresses. Of each site that
/// is named there is one, as far as that goes ([`represent`]).
pub const SRV_MAX: usize = 8;
const TCP_MAX: usize = 65_535;

/// How a question came, and so how much of an answer it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// In one datagram.
    Udp,
    /// On a connection.
    Tcp,
}

/// What became of a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What was said.
    pub rcode: Rcode,
    /// It could not all be said.
    pub is_cut: bool,
}

/// What answers are made from.
#[derive(Clone, Debug)]
pub struct Answers {
    zone: Zone,
    guide: Guide,
    /// Where clients are that no configured network holds.
    geo: Option<Arc<Geo>>,
    /// How long a "no" may be kept.
    negative: Duration,
}

impl Answers {
    /// For this zone, about the sites that `guide` knows. `negative` is how long a "no" may be kept.
    pub fn new(
        settings: &DnsSettings,
        guide: Guide,
        geo: Option<Arc<Geo>>,
        negative: Duration,
    ) -> Answers {
        let zone = Zone::new(settings, &guide);
        Answers { zone, guide, geo, negative }
    }

    /// Answers a query from `peer`, with what chance decides decided by `draw`.
    pub fn answer(
        &self,
        query: &Query<'_>,
        (peer, way): (IpAddr, Way),
        draw: u64,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let mut reply = Reply::to(query, most(query, way), out);
        if query.edns.is_some_and(|edns| edns.version > 0) {
            return end(reply, Rcode::BadVers, false, 0);
        }
        let is_transfer = matches!(query.kind, kind::AXFR | kind::IXFR);
        if query.class != CLASS_IN || is_transfer {
            return end(reply, Rcode::Refused, false, 0);
        }
        let snapshot = self.guide.snapshot();
        let host;
        let node = match self.zone.find(query.name) {
            Found::Elsewhere => return end(reply, Rcode::Refused, false, 0),
            Found::Node(node) => node,
            Found::Host(ip) if snapshot.entry.knows(ip) => {
                host = Node { addrs: vec![ip], ..Node::default() };
                &host
            }
            // Whoever has heard nothing knows no host; and one not heard of may be another site's.
            Found::Host(_) if snapshot.entry.generation() == 0 => {
                return end(reply, Rcode::ServFail, false, 0);
            }
            Found::Host(_) => {
                self.deny(&mut reply, &snapshot, self.negative.min(TTL_NEAR));
                return end(reply, Rcode::NxDomain, true, 0);
            }
            Found::Nothing => {
                self.deny(&mut reply, &snapshot, self.negative);
                return end(reply, Rcode::NxDomain, true, 0);
            }
        };
        let asked = |service, form| {
            let client = client(query.edns.and_then(|edns| edns.subnet), peer, self.geo.as_deref());
            let answer = snapshot.entry.ask(&Ask { service, client, form, draw });
            // Nothing was told of the client, so nothing depends on it.
            let told = query.edns.and_then(|edns| edns.subnet).is_some_and(|told| told.source > 0);
            Answer { scope: if told { answer.scope } else { 0 }, ..answer }
        };
        match (query.kind, node) {
            (kind::A, Node { service: Some(service), .. }) => {
                let answer = asked(*service, Form::V4);
                self.tell(reply, &snapshot, answer, |reply, ttl, endpoints| {
                    reply.addresses(ttl, endpoints);
                })
            }
            (kind::AAAA, Node { service: Some(service), .. }) => {
                let answer = asked(*service, Form::V6);
                self.tell(reply, &snapshot, answer, |reply, ttl, endpoints| {
                    reply.addresses(ttl, endpoints);
                })
            }
            (kind::SRV, Node { srv: Some((service, secure)), .. }) => {
                let form = if *secure { Form::Secure } else { Form::Plain };
                let answer = asked(*service, form);
                self.tell(reply, &snapshot, answer, |reply, ttl, endpoints| {
                    reply.hosts(&self.zone, ttl, endpoints);
                })
            }
            (kind::ANY, _) => {
                reply.add(Section::Answer, Owner::Asked, TTL_ZONE, Data::Rfc8482);
                end(reply, Rcode::NoError, true, 0)
            }
            (kind::SOA, Node { is_apex: true, .. }) => {
                self.soa(&mut reply, &snapshot, Section::Answer, self.negative);
                end(reply, Rcode::NoError, true, 0)
            }
            (kind::NS, Node { is_apex: true, .. }) => {
                self.servers(&mut reply);
                end(reply, Rcode::NoError, true, 0)
            }
            (kind::A | kind::AAAA, Node { addrs, .. }) => {
                let wanted = |ip: &&IpAddr| ip.is_ipv4() == (query.kind == kind::A);
                for ip in addrs.iter().filter(wanted) {
                    reply.add(Section::Answer, Owner::Asked, TTL_ZONE, Data::Ip(*ip));
                }
                if !addrs.iter().any(|ip| wanted(&ip)) {
                    self.deny(&mut reply, &snapshot, self.negative);
                }
                end(reply, Rcode::NoError, true, 0)
            }
            _ => {
                self.deny(&mut reply, &snapshot, self.negative);
                end(reply, Rcode::NoError, true, 0)
            }
        }
    }

    /// Tells where to go, or why nowhere.
    fn tell(
        &self,
        mut reply: Reply<'_>,
        snapshot: &Snapshot,
        answer: Answer,
        say: impl FnOnce(&mut Reply<'_>, u32, &[Endpoint]),
    ) -> Outcome {
        match answer.endpoints {
            Ok(endpoints) => {
                say(&mut reply, seconds(answer.ttl), &endpoints);
                end(reply, Rcode::NoError, true, answer.scope)
            }
            Err(Absence::NoSuchAddress) => {
                self.deny(&mut reply, snapshot, answer.ttl);
                end(reply, Rcode::NoError, true, answer.scope)
            }
            Err(Absence::NotReady | Absence::AllDown) => {
                end(reply, Rcode::ServFail, false, answer.scope)
            }
        }
    }

    /// How long it may be kept that there is no such thing.
    fn deny(&self, reply: &mut Reply<'_>, snapshot: &Snapshot, negative: Duration) {
        self.soa(reply, snapshot, Section::Authority, negative);
    }

    fn soa(
        &self,
        reply: &mut Reply<'_>,
        snapshot: &Snapshot,
        section: Section,
        negative: Duration,
    ) {
        let zone = self.zone.name.len();
        let negative = seconds(negative);
        // Whoever looks sees which news a node answers from.
        let serial = (snapshot.entry.generation() as u32).max(1);
        let ttl = if section == Section::Answer { TTL_ZONE } else { negative };
        let soa = Data::Soa(&self.zone.servers[0].name, zone, serial, negative);
        reply.add(section, Owner::Tail(zone), ttl, soa);
    }

    fn servers(&self, reply: &mut Reply<'_>) {
        for server in &self.zone.servers {
            reply.add(Section::Answer, Owner::Asked, TTL_ZONE, Data::Ns(&server.name));
        }
        for server in &self.zone.servers {
            let inside = matches!(self.zone.find(&server.name), Found::Node(_));
            for ip in server.addrs.iter().filter(|_| inside) {
                let owner = Owner::Name(&server.name);
                reply.add(Section::Additional, owner, TTL_ZONE, Data::Ip(*ip));
            }
        }
    }
}

impl Reply<'_> {
    fn addresses(&mut self, ttl: u32, endpoints: &[Endpoint]) {
        for ip in endpoints.iter().filter_map(|endpoint| endpoint.address.ip()) {
            self.add(Section::Answer, Owner::Asked, ttl, Data::Ip(ip));
        }
    }

    /// Hosts and ports by rank, and behind them the addresses of hosts that have no other name.
    fn hosts(&mut self, zone: &Zone, ttl: u32, endpoints: &[Endpoint]) {
        let mut name = Vec::new();
        let endpoints = represent(endpoints, SRV_MAX);
        for Endpoint { rank, address: Address { host, port, .. }, .. } in &endpoints {
            match host {
                Host::Ip(ip) => zone.host(*ip, &mut name),
                Host::Name(text) => {
                    name.clear();
                    name.extend_from_slice(&zone::wire(text));
                }
            }
            self.add(Section::Answer, Owner::Asked, ttl, Data::Srv(*rank, 1, *port, &name));
        }
        for (at, ip) in
            endpoints.iter().enumerate().filter_map(|(at, e)| Some((at, e.address.ip()?)))
        {
            if endpoints[..at].iter().all(|before| before.address.ip() != Some(ip)) {
                zone.host(ip, &mut name);
                self.add(Section::Additional, Owner::Name(&name), ttl, Data::Ip(ip));
            }
        }
    }
}

/// What is known of where a client is.
pub fn client(subnet: Option<Subnet>, peer: IpAddr, geo: Option<&Geo>) -> Client {
    let told = subnet.and_then(|subnet| subnet.prefix()).filter(|prefix| prefix.length() > 0);
    let network = told.unwrap_or_else(|| Prefix::host(peer.to_canonical()));
    let located = geo.map(|geo| geo.locate(network.address()));
    Client { network: Some(network), located }
}

/// Answers what could not be read as a query. `None` where silence is best.
pub fn fault(fault: Fault, out: &mut Vec<u8>) -> Option<Outcome> {
    let (id, flags, rcode) = match fault {
        Fault::Silence => return None,
        Fault::Malformed { id, flags } => (id, flags, Rcode::FormErr),
        Fault::NotQuery { id, flags } => (id, flags, Rcode::NotImp),
    };
    reply::fault(id, flags, rcode, out);
    Some(Outcome { rcode, is_cut: false })
}

/// Says that the answer is to be had by TCP, and nothing else.
pub fn slip(query: &Query<'_>, out: &mut Vec<u8>) {
    let mut reply = Reply::to(query, most(query, Way::Udp), out);
    reply.cut();
    reply.end(Rcode::NoError, false, 0);
}

fn most(query: &Query<'_>, way: Way) -> usize {
    let by_udp = |edns: Edns| usize::from(edns.size).clamp(PLAIN_MAX, UDP_MAX);
    match way {
        Way::Udp => query.edns.map_or(PLAIN_MAX, by_udp),
        Way::Tcp => TCP_MAX,
    }
}

fn end(reply: Reply<'_>, rcode: Rcode, is_authoritative: bool, scope: u8) -> Outcome {
    Outcome { rcode, is_cut: reply.end(rcode, is_authoritative, scope) }
}

/// At least one: devices break on 0.
fn seconds(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).max(1)
}
