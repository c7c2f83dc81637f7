//! Why a connection or a stream of the mesh ends, as a number in QUIC's CONNECTION_CLOSE,
//! RESET_STREAM and STOP_SENDING.
//!
//! Ranges: 0 says nothing, 1 to 0xff are `core`'s [`CloseReason`], 0x100 on are of connections,
//! 0x200 on of streams. A number that is not known is logged as it is and means no more than
//! "ended".

use isobar_core::mesh::CloseReason;

/// An error code. Numbers are never used again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// Connection: nothing to say. Also what a stack sends of itself.
    Nothing,
    /// Connection: the mesh's own reasons.
    Mesh(CloseReason),
    /// Connection: bytes that are no frames.
    NotFrames,
    /// Connection: another major version.
    OtherMajor,
    /// Connection: a frame beyond its limit.
    FrameTooLong,
    /// Connection or stream: a body that does not keep to its layout.
    BadBody,
    /// Connection: its certificate does not name a node of this mesh.
    NoIdentity,
    /// Connection: its certificate is denied.
    Denied,
    /// Connection: it has not said its hello in time, or not read what was sent to it.
    TooSlow,
    /// Connection: it is old, and was replaced by one with newer certificates.
    Replaced,
    /// Connection: too many of them.
    TooMany,
    /// Stream: the flow was given up before its answer, for its deadline or for another site.
    GivenUp,
    /// Stream: the flow was refused; the rest of its opening is of no use.
    Refused,
    /// Stream: the client's connection was reset.
    ClientReset,
    /// Stream: the broker's connection was reset.
    BrokerReset,
    /// Stream: the flow was ended by this node (idle, taken over, shut down by an operator).
    Ended,
    /// Stream: the node stops.
    Stopping,
    /// Stream: it does not begin with a word that belongs there.
    Unexpected,
    /// Stream: dropped without a reason, as after a panic.
    Dropped,
}

impl Code {
    /// All that are not of `core`.
    pub const OWN: [Code; 18] = [
        Code::Nothing,
        Code::NotFrames,
        Code::OtherMajor,
        Code::FrameTooLong,
        Code::BadBody,
        Code::NoIdentity,
        Code::Denied,
        Code::TooSlow,
        Code::Replaced,
        Code::TooMany,
        Code::GivenUp,
        Code::Refused,
        Code::ClientReset,
        Code::BrokerReset,
        Code::Ended,
        Code::Stopping,
        Code::Unexpected,
        Code::Dropped,
    ];

    /// The code on the wire.
    pub fn number(self) -> u32 {
        match self {
            Code::Nothing => 0,
            Code::Mesh(reason) => reason.code(),
            Code::NotFrames => 0x100,
            Code::OtherMajor => 0x101,
            Code::FrameTooLong => 0x102,
            Code::BadBody => 0x103,
            Code::NoIdentity => 0x104,
            Code::Denied => 0x105,
            Code::TooSlow => 0x106,
            Code::Replaced => 0x107,
            Code::TooMany => 0x108,
            Code::GivenUp => 0x200,
            Code::Refused => 0x201,
            Code::ClientReset => 0x202,
            Code::BrokerReset => 0x203,
            Code::Ended => 0x204,
            Code::Stopping => 0x205,
            Code::Unexpected => 0x206,
            Code::Dropped => 0x207,
        }
    }

    /// The code of a number that came: QUIC's own type for them has 62 bits.
    pub fn from_number(number: u64) -> Option<Code> {
        let number = u32::try_from(number).ok()?;
        match CloseReason::from_code(number) {
            Some(reason) => Some(Code::Mesh(reason)),
            None => Code::OWN.into_iter().find(|code| code.number() == number),
        }
    }

    /// The stable word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Code::Nothing => "nothing",
            Code::Mesh(reason) => reason.label(),
            Code::NotFrames => "not_frames",
            Code::OtherMajor => "other_major",
            Code::FrameTooLong => "frame_too_long",
            Code::BadBody => "bad_body",
            Code::NoIdentity => "no_identity",
            Code::Denied => "denied",
            Code::TooSlow => "too_slow",
            Code::Replaced => "replaced",
            Code::TooMany => "too_many",
            Code::GivenUp => "given_up",
            Code::Refused => "refused",
            Code::ClientReset => "client_reset",
            Code::BrokerReset => "broker_reset",
            Code::Ended => "ended",
            Code::Stopping => "stopping",
            Code::Unexpected => "unexpected",
            Code::Dropped => "dropped",
        }
    }
}
