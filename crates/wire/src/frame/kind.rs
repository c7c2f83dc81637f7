//! Which frames there are.

/// A frame's kind: what it says, and in which version. The upper byte of its number is the
/// message, the lower one the version. Numbers are never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u16)]
pub enum Kind {
    /// News: the first word on a link.
    HelloV1 = 0x0101,
    /// News: spells what is numbered later.
    NamesV1 = 0x0201,
    /// News: "I live."
    HeartbeatV1 = 0x0301,
    /// News: to be answered at once.
    PingV1 = 0x0401,
    /// News: the answer.
    PongV1 = 0x0501,
    /// News: what the sender holds of the receiver.
    HeldV1 = 0x0601,
    /// News: a question to a witness.
    WitnessAskV1 = 0x0701,
    /// News: its answer.
    VoteV1 = 0x0801,
    /// News: what the sender's links hear.
    EarsV1 = 0x0901,
    /// News: whom the sender's site holds dead.
    VerdictV1 = 0x0a01,
    /// News: a node of itself.
    AboutV1 = 0x0b01,
    /// News: a page of services and brokers.
    ShapeV1 = 0x0c01,
    /// News: pages of load.
    LoadV1 = 0x0d01,
    /// News: a page of flows per broker.
    CountsV2 = 0x0e02,
    /// News: "this is what I have."
    OfferV1 = 0x0f01,
    /// News: "then tell me of these."
    WantV1 = 0x1001,
    /// News: whom one might dial.
    PeersV1 = 0x1101,
    /// News: an owner goes for good.
    LeaveV1 = 0x1201,
    /// News: a sibling asks for places of a broker's `maxconn`.
    PlacesAskV1 = 0x1301,
    /// News: and gets them.
    PlacesGiveV1 = 0x1401,
    /// News: clients that a sibling has taken.
    TakenV1 = 0x1501,
    /// Data: who speaks.
    DataHelloV1 = 0x4001,
    /// Data: a flow to be carried.
    TunnelOpenV1 = 0x4101,
    /// Data: it is carried.
    CommittedV1 = 0x4201,
    /// Data: it is not.
    RefusedV1 = 0x4301,
    /// Data: capacity asked for ahead.
    LeaseAskV1 = 0x4401,
    /// Data: and given.
    LeaseGrantV1 = 0x4501,
}

impl Kind {
    /// All of them, by number.
    pub const ALL: [Kind; 27] = [
        Kind::HelloV1,
        Kind::NamesV1,
        Kind::HeartbeatV1,
        Kind::PingV1,
        Kind::PongV1,
        Kind::HeldV1,
        Kind::WitnessAskV1,
        Kind::VoteV1,
        Kind::EarsV1,
        Kind::VerdictV1,
        Kind::AboutV1,
        Kind::ShapeV1,
        Kind::LoadV1,
        Kind::CountsV2,
        Kind::OfferV1,
        Kind::WantV1,
        Kind::PeersV1,
        Kind::LeaveV1,
        Kind::PlacesAskV1,
        Kind::PlacesGiveV1,
        Kind::TakenV1,
        Kind::DataHelloV1,
        Kind::TunnelOpenV1,
        Kind::CommittedV1,
        Kind::RefusedV1,
        Kind::LeaseAskV1,
        Kind::LeaseGrantV1,
    ];

    /// As in the header.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The kind of a number; `None` for one that this version does not know.
    pub fn from_number(number: u16) -> Option<Kind> {
        let at = Kind::ALL.binary_search_by_key(&number, |kind| kind.number()).ok()?;
        Some(Kind::ALL[at])
    }

    /// The stable word for logs and metrics, without its version.
    pub fn label(self) -> &'static str {
        match self {
            Kind::HelloV1 => "hello",
            Kind::NamesV1 => "names",
            Kind::HeartbeatV1 => "heartbeat",
            Kind::PingV1 => "ping",
            Kind::PongV1 => "pong",
            Kind::HeldV1 => "held",
            Kind::WitnessAskV1 => "witness_ask",
            Kind::VoteV1 => "vote",
            Kind::EarsV1 => "ears",
            Kind::VerdictV1 => "verdict",
            Kind::AboutV1 => "about",
            Kind::ShapeV1 => "shape",
            Kind::LoadV1 => "load",
            Kind::CountsV2 => "counts",
            Kind::OfferV1 => "offer",
            Kind::WantV1 => "want",
            Kind::PeersV1 => "peers",
            Kind::LeaveV1 => "leave",
            Kind::PlacesAskV1 => "places_ask",
            Kind::PlacesGiveV1 => "places_give",
            Kind::TakenV1 => "taken",
            Kind::DataHelloV1 => "data_hello",
            Kind::TunnelOpenV1 => "tunnel_open",
            Kind::CommittedV1 => "committed",
            Kind::RefusedV1 => "refused",
            Kind::LeaseAskV1 => "lease_ask",
            Kind::LeaseGrantV1 => "lease_grant",
        }
    }
}
