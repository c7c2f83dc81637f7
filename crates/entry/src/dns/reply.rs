//! Writes an answer, octet by octet, within what its way takes.
//!
//! Names of the zone are pointers into the question, so they come back in the very letters that
//! were asked for: resolvers mix upper and lower case to know their own answers again. What does
//! not fit is left out from the back, and if that is more than additional records, the answer is
//! cut and says so (TC): the client comes again by TCP.

use std::net::IpAddr;

use super::query::{CLASS_IN, Edns, HEADER, Query, Subnet, kind};

/// Octets of our own answers by UDP, and of questions that we take: what fits an Ethernet frame
/// by IPv6 (DNS flag day 2020).
pub const UDP_MAX: usize = 1_232;
/// Where the question's name stands.
const QUESTION: u16 = HEADER as u16;
const POINTER: u16 = 0xc000;
const CODE_SUBNET: u16 = 8;

/// Response codes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rcode {
    /// An answer, or that there is no such record.
    NoError,
    /// The question is not well formed.
    FormErr,
    /// It cannot be answered now.
    ServFail,
    /// There is no such name.
    NxDomain,
    /// Not something that is done here.
    NotImp,
    /// Not something that is answered here.
    Refused,
    /// A later version of EDNS than ours.
    BadVers,
}

impl Rcode {
    /// All of them, in order of their numbers.
    pub const ALL: [Rcode; 7] = [
        Rcode::NoError,
        Rcode::FormErr,
        Rcode::ServFail,
        Rcode::NxDomain,
        Rcode::NotImp,
        Rcode::Refused,
        Rcode::BadVers,
    ];

    /// Its number: of 12 bits, the upper eight in EDNS.
    pub fn number(self) -> u16 {
        match self {
            Rcode::NoError => 0,
            Rcode::FormErr => 1,
            Rcode::ServFail => 2,
            Rcode::NxDomain => 3,
            Rcode::NotImp => 4,
            Rcode::Refused => 5,
            Rcode::BadVers => 16,
        }
    }

    /// The stable word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Rcode::NoError => "noerror",
            Rcode::FormErr => "formerr",
            Rcode::ServFail => "servfail",
            Rcode::NxDomain => "nxdomain",
            Rcode::NotImp => "notimp",
            Rcode::Refused => "refused",
            Rcode::BadVers => "badvers",
        }
    }
}

/// A section of an answer, by its count's place in the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    Answer = 6,
    Authority = 8,
    Additional = 10,
}

/// Whose record it is.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// The name that was asked for.
    Asked,
    /// The last octets of the name that was asked for: the zone.
    Tail(usize),
    /// Another name, as it stands on the wire.
    Name(&'a [u8]),
}

/// Data of a record.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// An address, of either family.
    Ip(IpAddr),
    /// A name server.
    Ns(&'a [u8]),
    /// Priority, weight, port and target.
    Srv(u16, u16, u16, &'a [u8]),
    /// The first name server, the octets of the zone's name, serial number, and how long a "no"
    /// may be kept.
    Soa(&'a [u8], usize, u32, u32),
    /// That ANY is not answered in full (RFC 8482).
    Rfc8482,
}

/// An answer that is being written.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    /// Where records must end; EDNS has its place behind.
    end: usize,
    /// Octets of the question's name.
    name: usize,
    edns: Option<Edns>,
    is_cut: bool,
}

impl<'a> Reply<'a> {
    /// Begins the answer to a question, of at most `most` octets, in `out`.
    pub fn to(query: &Query<'_>, most: usize, out: &'a mut Vec<u8>) -> Reply<'a> {
        head(query.id, u8::from(query.recursion), out);
        out[5] = 1;
        out.extend_from_slice(query.question);
        let reserved = query.edns.map_or(0, |edns| edns_length(&edns));
        let name = query.name.len();
        Reply { out, end: most.saturating_sub(reserved), name, edns: query.edns, is_cut: false }
    }

    /// One more record of a section. Where it does not fit, the answer is cut, or, if it is only
    /// an additional one, goes without it.
    pub fn add(&mut self, section: Section, owner: Owner<'_>, ttl: u32, data: Data<'_>) {
        if self.is_cut {
            return;
        }
        let start = self.out.len();
        self.owner(owner);
        let (kind, length) = data.form();
        self.u16(kind);
        self.u16(CLASS_IN);
        self.out.extend_from_slice(&ttl.to_be_bytes());
        self.u16(length);
        self.data(data);
        if self.out.len() <= self.end {
            // No section comes near 255 records.
            self.out[section as usize + 1] += 1;
        } else if section == Section::Additional {
            self.out.truncate(start);
        } else {
            self.is_cut = true;
        }
    }

    /// Cuts the answer: nothing but the question goes out, and that there would be more.
    pub fn cut(&mut self) {
        self.is_cut = true;
    }

    /// Ends it. Whether it was cut.
    pub fn end(mut self, rcode: Rcode, is_authoritative: bool, scope: u8) -> bool {
        if self.is_cut {
            self.out.truncate(HEADER + self.name + 4);
            self.out[6..HEADER].fill(0);
            self.out[2] |= 0x02;
        }
        if is_authoritative {
            self.out[2] |= 0x04;
        }
        let number = rcode.number();
        self.out[3] = (number & 0x0f) as u8;
        if let Some(edns) = self.edns {
            self.edns(&edns, (number >> 4) as u8, scope);
        }
        self.is_cut
    }

    fn edns(&mut self, edns: &Edns, rcode: u8, scope: u8) {
        self.out[11] += 1;
        self.out.push(0);
        self.u16(kind::OPT);
        self.u16(UDP_MAX as u16);
        self.out.extend_from_slice(&[rcode, 0, if edns.dnssec_ok { 0x80 } else { 0 }, 0]);
        self.u16((edns_length(edns) - 11) as u16);
        if let Some(subnet) = edns.subnet {
            self.u16(CODE_SUBNET);
            self.u16((4 + subnet.said()) as u16);
            self.u16(subnet.family);
            self.out.extend_from_slice(&[subnet.source, scope]);
            self.out.extend_from_slice(&subnet.octets[..subnet.said()]);
        }
    }

    fn owner(&mut self, owner: Owner<'_>) {
        match owner {
            Owner::Asked => self.u16(POINTER | QUESTION),
            Owner::Tail(octets) => self.u16(POINTER | self.tail(octets)),
            Owner::Name(name) => self.out.extend_from_slice(name),
        }
    }

    /// Where the last octets of the question's name stand.
    fn tail(&self, octets: usize) -> u16 {
        QUESTION + (self.name - octets) as u16
    }

    fn data(&mut self, data: Data<'_>) {
        match data {
            Data::Ip(IpAddr::V4(ip)) => self.out.extend_from_slice(&ip.octets()),
            Data::Ip(IpAddr::V6(ip)) => self.out.extend_from_slice(&ip.octets()),
            Data::Ns(name) => self.out.extend_from_slice(name),
            Data::Srv(priority, weight, port, target) => {
                self.u16(priority);
                self.u16(weight);
                self.u16(port);
                self.out.extend_from_slice(target);
            }
            Data::Soa(server, zone, serial, negative) => {
                self.out.extend_from_slice(server);
                self.out.extend_from_slice(HOSTMASTER);
                self.u16(POINTER | self.tail(zone));
                for n in [serial, REFRESH, RETRY, EXPIRE, negative] {
                    self.out.extend_from_slice(&n.to_be_bytes());
                }
            }
            Data::Rfc8482 => self.out.extend_from_slice(HINFO),
        }
    }

    fn u16(&mut self, n: u16) {
        self.out.extend_from_slice(&n.to_be_bytes());
    }
}

/// SOA: whom to write to, at the zone (RFC 2142).
const HOSTMASTER: &[u8] = b"\x0ahostmaster";
/// SOA: for secondary servers, of which there are none.
const REFRESH: u32 = 3_600;
const RETRY: u32 = 600;
const EXPIRE: u32 = 86_400;
/// Octets of its five numbers.
const SOA_NUMBERS: usize = 20;
const HINFO: &[u8] = b"\x07RFC8482\x00";

impl Data<'_> {
    /// Its type, and how many octets it has.
    fn form(&self) -> (u16, u16) {
        match self {
            Data::Ip(IpAddr::V4(_)) => (kind::A, 4),
            Data::Ip(IpAddr::V6(_)) => (kind::AAAA, 16),
            Data::Ns(name) => (kind::NS, name.len() as u16),
            Data::Srv(_, _, _, target) => (kind::SRV, 6 + target.len() as u16),
            Data::Soa(server, ..) => {
                (kind::SOA, (server.len() + HOSTMASTER.len() + 2 + SOA_NUMBERS) as u16)
            }
            Data::Rfc8482 => (kind::HINFO, HINFO.len() as u16),
        }
    }
}

fn edns_length(edns: &Edns) -> usize {
    11 + edns.subnet.as_ref().map_or(0, |subnet: &Subnet| 8 + subnet.said())
}

fn head(id: u16, flags: u8, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&[0x80 | flags, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/// A whole answer to what could not be read: a header that says so. `flags` are the query's.
pub fn fault(id: u16, flags: u8, rcode: Rcode, out: &mut Vec<u8>) {
    head(id, flags & 0x79, out);
    out[3] = rcode.number() as u8;
}
