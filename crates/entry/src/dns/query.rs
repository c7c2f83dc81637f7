//! Reads what a resolver asks, and nothing else: a header, one question, and EDNS.
//!
//! A query is small and has one form, so it is read in place, without allocation, and whatever is
//! not of that form is told apart: what deserves no answer at all (it may be an answer itself, or
//! too short to have an id), and what is answered with its fault. Sources: RFC 1035 section 4,
//! RFC 6891 (EDNS), RFC 7871 (client subnet), RFC 9619 (one question).

use std::net::IpAddr;

use isobar_core::entry::Prefix;

/// Octets of a header.
pub const HEADER: usize = 12;
/// Octets of a name, with its last, empty label.
const NAME_MAX: usize = 255;
const LABEL_MAX: u8 = 63;
/// Octets of a response by UDP that need no EDNS.
pub const PLAIN_MAX: usize = 512;

/// Record types that mean something here.
pub mod kind {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// A name server.
    pub const NS: u16 = 2;
    /// The zone's own.
    pub const SOA: u16 = 6;
    /// What ANY is answered with.
    pub const HINFO: u16 = 13;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
    /// A host and a port.
    pub const SRV: u16 = 33;
    /// EDNS.
    pub const OPT: u16 = 41;
    /// What is new of a zone.
    pub const IXFR: u16 = 251;
    /// A whole zone.
    pub const AXFR: u16 = 252;
    /// Whatever there is.
    pub const ANY: u16 = 255;
}

/// The internet's class.
pub const CLASS_IN: u16 = 1;
const CODE_SUBNET: u16 = 8;

/// A query that can be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'a> {
    /// Given back as it came.
    pub id: u16,
    /// The client would like recursion: given back too, and not done.
    pub recursion: bool,
    /// The question as it came, letter by letter: name, type, class.
    pub question: &'a [u8],
    /// The name within it.
    pub name: &'a [u8],
    /// The type of the records.
    pub kind: u16,
    /// Their class.
    pub class: u16,
    /// What EDNS says; `None` without it.
    pub edns: Option<Edns>,
}

/// What a client says by EDNS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edns {
    /// Octets that it takes by UDP.
    pub size: u16,
    /// Above 0, nothing else of it is understood.
    pub version: u8,
    /// DNSSEC records are welcome: there are none, but the bit goes back.
    pub dnssec_ok: bool,
    /// For whom it asks.
    pub subnet: Option<Subnet>,
}

/// The network of a resolver's client (RFC 7871).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subnet {
    /// 1 for IPv4, 2 for IPv6, 0 where it is not told.
    pub family: u16,
    /// How many bits are told.
    pub source: u8,
    /// The address, as many octets as the bits need; the others are 0.
    pub octets: [u8; 16],
}

/// Why there is no query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// An answer, or too short for a header: it gets no word.
    Silence,
    /// Not well formed: FORMERR. The question is given back where it could be read.
    Malformed {
        /// Given back as it came.
        id: u16,
        /// The first octet of flags, as it came.
        flags: u8,
    },
    /// Something else than a query: NOTIMP.
    NotQuery {
        /// Given back as it came.
        id: u16,
        /// The first octet of flags, as it came.
        flags: u8,
    },
}

impl Subnet {
    /// Octets that are said of the address.
    pub fn said(&self) -> usize {
        usize::from(self.source.div_ceil(8))
    }

    /// The network, if one is told.
    pub fn prefix(&self) -> Option<Prefix> {
        let ip = match self.family {
            1 => IpAddr::from([self.octets[0], self.octets[1], self.octets[2], self.octets[3]]),
            2 => IpAddr::from(self.octets),
            _ => return None,
        };
        Prefix::new(ip, self.source).ok()
    }
}

/// Reads one message.
pub fn read(message: &[u8]) -> Result<Query<'_>, Fault> {
    let Some((header, body)) = message.split_at_checked(HEADER) else {
        return Err(Fault::Silence);
    };
    let at = |n: usize| u16::from_be_bytes([header[n], header[n + 1]]);
    let (id, flags) = (at(0), header[2]);
    if flags & 0x80 != 0 {
        return Err(Fault::Silence);
    }
    if flags & 0x78 != 0 {
        return Err(Fault::NotQuery { id, flags });
    }
    let malformed = Fault::Malformed { id, flags };
    // One question and at most a few records behind it: EDNS, and a signature that is not read.
    let [questions, answers, authorities, additionals] = [at(4), at(6), at(8), at(10)];
    if questions != 1 || answers != 0 || authorities != 0 || additionals > 2 {
        return Err(malformed);
    }
    let (name, rest) = split_name(body).ok_or(malformed)?;
    let (asked, mut rest) = rest.split_at_checked(4).ok_or(malformed)?;
    let mut edns = None;
    for _ in 0..additionals {
        let (record, behind) = Record::split(rest).ok_or(malformed)?;
        rest = behind;
        if record.kind == kind::OPT {
            if edns.is_some() || !record.of_root {
                return Err(malformed);
            }
            edns = Some(record.edns().ok_or(malformed)?);
        }
    }
    if !rest.is_empty() {
        return Err(malformed);
    }
    Ok(Query {
        id,
        recursion: flags & 1 != 0,
        question: &body[..name.len() + 4],
        name,
        kind: u16::from_be_bytes([asked[0], asked[1]]),
        class: u16::from_be_bytes([asked[2], asked[3]]),
        edns,
    })
}

/// A name without pointers, with its last, empty label, and what is behind it.
fn split_name(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        let length = *body.get(at)?;
        // Pointers begin with two bits set; in a question there is nothing to point at.
        if length > LABEL_MAX {
            return None;
        }
        at += 1 + usize::from(length);
        if at > NAME_MAX {
            return None;
        }
        if length == 0 {
            return body.split_at_checked(at);
        }
    }
}

struct Record<'a> {
    of_root: bool,
    kind: u16,
    class: u16,
    ttl: [u8; 4],
    data: &'a [u8],
}

impl<'a> Record<'a> {
    /// The first record, and what is behind it.
    fn split(bytes: &'a [u8]) -> Option<(Record<'a>, &'a [u8])> {
        let (name, rest) = split_name(bytes)?;
        let (head, rest) = rest.split_at_checked(10)?;
        let at = |n: usize| u16::from_be_bytes([head[n], head[n + 1]]);
        let (data, rest) = rest.split_at_checked(usize::from(at(8)))?;
        let ttl = [head[4], head[5], head[6], head[7]];
        Some((Record { of_root: name == [0], kind: at(0), class: at(2), ttl, data }, rest))
    }

    /// What an OPT record says; of a later version, only that.
    fn edns(&self) -> Option<Edns> {
        let [_, version, flags, _] = self.ttl;
        let mut edns =
            Edns { size: self.class, version, dnssec_ok: flags & 0x80 != 0, subnet: None };
        if version > 0 {
            return Some(edns);
        }
        let mut options = self.data;
        while !options.is_empty() {
            let (head, rest) = options.split_at_checked(4)?;
            let at = |n: usize| u16::from_be_bytes([head[n], head[n + 1]]);
            let (data, rest) = rest.split_at_checked(usize::from(at(2)))?;
            options = rest;
            if at(0) == CODE_SUBNET {
                if edns.subnet.is_some() {
                    return None;
                }
                edns.subnet = Some(subnet(data)?);
            }
        }
        Some(edns)
    }
}

/// Reads a client subnet: the scope of a query is 0, the address has as many octets as its bits
/// need, and none of those that do not count is set (RFC 7871, sections 6 and 7.1.2).
fn subnet(data: &[u8]) -> Option<Subnet> {
    let (head, said) = data.split_at_checked(4)?;
    let family = u16::from_be_bytes([head[0], head[1]]);
    let [_, _, source, scope] = [head[0], head[1], head[2], head[3]];
    let most = match family {
        0 => 0,
        1 => 32,
        2 => 128,
        _ => return None,
    };
    let mut octets = [0; 16];
    if scope != 0 || source > most || said.len() != usize::from(source.div_ceil(8)) {
        return None;
    }
    octets[..said.len()].copy_from_slice(said);
    let beyond = (8 - source % 8) % 8;
    if said.last().is_some_and(|last| last & ((1 << beyond) - 1) != 0) {
        return None;
    }
    Some(Subnet { family, source, octets })
}

#[cfg(test)]
#[path = "query/tests.rs"]
pub(super) mod tests;
