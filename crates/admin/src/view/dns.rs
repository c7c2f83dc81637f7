//! The DNS server, and what clients are told: `/v1/dns/ask` and `/v1/dns/records`.

use isobar_core::report::DnsReport;
use serde::{Deserialize, Serialize};

use super::Counted;

/// What the DNS server has done since the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dns {
    /// The zone it answers for.
    pub zone: String,
    /// Messages by UDP.
    pub queries_udp: u64,
    /// Messages by TCP.
    pub queries_tcp: u64,
    /// Answers by their response code.
    pub answers: Vec<Counted>,
    /// Of those, cut: their clients come again by TCP.
    pub truncated: u64,
    /// Questions beyond a network's rate that were sent to TCP.
    pub slipped: u64,
    /// Questions beyond a network's rate that were not answered.
    pub silenced: u64,
    /// Messages that are no query.
    pub malformed: u64,
    /// Answers that the system did not take.
    pub unsent: u64,
    /// Connections by TCP.
    pub connections: u64,
    /// Connections for which there was no room.
    pub connections_refused: u64,
}

impl From<DnsReport> for Dns {
    fn from(dns: DnsReport) -> Dns {
        let counted = |(label, count): (&str, u64)| Counted { label: label.to_owned(), count };
        Dns {
            zone: dns.zone,
            queries_udp: dns.queries_udp,
            queries_tcp: dns.queries_tcp,
            answers: dns.answers.into_iter().map(counted).collect(),
            truncated: dns.truncated,
            slipped: dns.slipped,
            silenced: dns.silenced,
            malformed: dns.malformed,
            unsent: dns.unsent,
            connections: dns.connections,
            connections_refused: dns.connections_refused,
        }
    }
}

/// A question of an operator: what would a client be told?
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// The name that the client asks for.
    pub name: String,
    /// Its address or network.
    pub from: String,
    /// `A`, `AAAA` or `SRV`.
    #[serde(default = "a", rename = "type")]
    pub kind: String,
}

fn a() -> String {
    "A".to_owned()
}

/// What a client would be told, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Told {
    /// The name that is asked for.
    pub name: String,
    /// The type of the records.
    #[serde(rename = "type")]
    pub kind: String,
    /// The service it is for.
    pub service: String,
    /// The client's network.
    pub from: String,
    /// `nearest`, `headroom` or `failover`.
    pub policy: String,
    /// Whether the city database knows where it is.
    pub located: bool,
    /// Of the news that the answer is made from.
    pub generation: u64,
    /// The response code: `noerror` or `servfail`.
    pub rcode: String,
    /// Why nobody is named: `not_ready`, `all_down`, `no_such_address`; `null` otherwise.
    pub absence: Option<String>,
    /// How long it may be kept.
    pub ttl_seconds: u64,
    /// The bits of the client's address that it depends on; 0 where it is for everyone.
    pub scope: u8,
    /// The answer, in its order.
    pub records: Vec<Record>,
    /// Every site, by name.
    pub sites: Vec<Site>,
}

/// One record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its owner, with a dot at its end.
    pub name: String,
    /// How long it may be kept.
    pub ttl_seconds: u64,
    /// `A`, `AAAA` or `SRV`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says.
    pub data: String,
    /// The site it leads to.
    pub site: String,
}

/// What became of one site.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Site {
    /// Its name.
    pub site: String,
    /// Its place in the order, from 0; `null` where it is not named.
    pub rank: Option<u16>,
    /// Why it is named, or why not.
    pub why: String,
}

/// The records that the zone should have now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Records {
    /// The zone.
    pub zone: String,
    /// Of the news that they are made from.
    pub generation: u64,
    /// All of them.
    pub records: Vec<Record>,
}
