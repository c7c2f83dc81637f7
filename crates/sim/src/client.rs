//! Clients: what they say, how long they stay, how they go.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Duration;

use isobar_core::id::{ClientKey, FlowId, ServiceId};
use isobar_core::retry::Level;

/// A client's index in the world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ClientNo(pub(crate) usize);

/// Which client id a client gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Id {
    /// One of its own, always the same.
    Own,
    /// One that others may give too.
    Shared(u64),
    /// Another one every time.
    Fresh,
    /// None: the broker invents one.
    Empty,
}

/// What a broker will think of the CONNECT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nature {
    /// Nothing wrong with it.
    Good,
    /// mosquitto closes on it without a word: a Will topic with a wildcard, say.
    Rude,
    /// Bad user name or password.
    WrongPassword,
    /// It begins an MQTT 5 enhanced authentication.
    Auth,
    /// Framed as a CONNECT, and not understood by the node; the broker takes it.
    Verbatim,
}

/// What comes in the place of a CONNECT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Junk {
    /// Other bytes.
    NotMqtt,
    /// Too many.
    TooLong,
    /// Half a CONNECT, for ever.
    Slow,
    /// Half a CONNECT, then the client is gone.
    Gone,
}

/// How a client ends a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// DISCONNECT, FIN.
    Disconnect,
    /// FIN.
    Eof,
    /// RST.
    Reset,
    /// Not at all: it falls silent, and only its keepalive will tell.
    Silent,
}

/// A sort of client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// Which client id it gives.
    pub id: Id,
    /// Its session outlives its connections.
    pub persistent: bool,
    /// What a broker thinks of its CONNECT.
    pub nature: Nature,
    /// Its protocol.
    pub level: Level,
    /// The house whose address it shares; `None` for an address of its own.
    pub house: Option<u32>,
    /// What it sends instead of a CONNECT.
    pub junk: Option<Junk>,
    /// Seconds of keepalive.
    pub keepalive: u16,
    /// How long it stays once served; `None` for ever.
    pub hold: Option<Duration>,
    /// How it goes then.
    pub leaving: Leaving,
    /// How long it waits for its CONNACK before it goes (with a reset); `None` for ever.
    pub patience: Option<Duration>,
    /// How long after a flow's end it comes back, up to twice as long; `None` for never.
    pub returns: Option<Duration>,
}

impl Kind {
    /// Clean session, stays for ever, comes back never: what most scripts want.
    pub const CLEAN: Kind = Kind {
        id: Id::Own,
        persistent: false,
        nature: Nature::Good,
        level: Level::V3,
        house: None,
        junk: None,
        keepalive: 60,
        hold: None,
        leaving: Leaving::Disconnect,
        patience: None,
        returns: None,
    };
    /// The same with a session that outlives connections.
    pub const PERSISTENT: Kind = Kind { persistent: true, ..Kind::CLEAN };
    /// Closed in silence by every broker.
    pub const RUDE: Kind = Kind { nature: Nature::Rude, ..Kind::CLEAN };
}

/// Where a client is; always in exactly one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// No flow, and perhaps none to come.
    Away,
    /// Its flow has not been answered yet.
    Opening(FlowId),
    /// A broker took it.
    Served(FlowId),
    /// It was told no, and its flow is not over yet.
    Refused(FlowId),
}

/// One client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) kind: Kind,
    pub(crate) service: ServiceId,
    pub(crate) place: Place,
    /// Flows it has opened.
    pub(crate) flows: u64,
    /// Of these, taken by a broker.
    pub(crate) served: u64,
    /// It comes back no more, whatever its kind says.
    pub(crate) retired: bool,
    /// Its broker has a session for it, as far as it knows.
    pub(crate) has_session: bool,
}

impl Client {
    pub(crate) fn new(kind: Kind, service: ServiceId) -> Client {
        let (place, flows, served, retired, has_session) = (Place::Away, 0, 0, false, false);
        Client { kind, service, place, flows, served, retired, has_session }
    }

    /// The client id that this flow gives, as a number.
    pub(crate) fn id(&self, no: ClientNo, flow: FlowId) -> Option<u64> {
        match self.kind.id {
            Id::Own => Some(1 << 40 | no.0 as u64),
            Id::Shared(id) => Some(2 << 40 | id),
            Id::Fresh => Some(3 << 40 | flow.0),
            Id::Empty => None,
        }
    }

    pub(crate) fn source(&self, no: ClientNo) -> IpAddr {
        let net = 10 << 24;
        let host = self.kind.house.map_or(no.0 as u32 | 1 << 20, |house| house);
        IpAddr::V4(Ipv4Addr::from(net | host))
    }
}

/// The key of a client id.
pub(crate) fn key(id: u64) -> ClientKey {
    ClientKey::of(&id.to_be_bytes())
}

/// Clients that arrived together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crowd(pub(crate) Range<usize>);

impl Crowd {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
