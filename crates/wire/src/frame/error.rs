//! What may be wrong with a frame, and what follows from it.

use std::fmt;

use isobar_core::mesh::Channel;

use super::Kind;

/// Bytes that are no frame of ours. [`DecodeError::closes`] says what follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// Not the beginning of a frame: the other end is out of step, or no Isobar. Where the next
    /// frame would begin is not known, so the connection is closed.
    Magic {
        /// The byte that came.
        found: u8,
    },
    /// Another protocol than the one its ALPN promised. The connection is closed.
    Major {
        /// Its major version.
        found: u8,
    },
    /// The header announces more than is held for one frame. Nothing was allocated for it. The
    /// connection is closed: skipping it would mean reading whatever is announced.
    TooLong {
        /// The number of its kind, known or not.
        kind: u16,
        /// Bytes of the frame as announced.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// A datagram shorter than its frame. It is dropped and counted.
    Cut,
    /// A datagram longer than its frame. It is dropped and counted.
    Trailing,
    /// A body that does not keep to its layout or its limits. The frame is refused whole: a
    /// datagram is dropped and counted; on a stream, where what is said must be right, the
    /// connection is closed; on a tunnel's stream that stream is reset.
    Body {
        /// Which.
        kind: Kind,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// It ends before its layout does.
    Cut,
    /// It goes on after its layout has ended.
    Trailing,
    /// A list, or several together, of more entries than allowed.
    TooMany,
    /// A string of more bytes than allowed, or a length beyond its limit.
    TooLong,
    /// A list or string that claims more than the frame has left. Nothing was allocated for it.
    Claim,
    /// A string that is not UTF-8.
    NotUtf8,
    /// A value that its field cannot have: an unknown variant, a bool of 2.
    BadValue,
}

/// Why something was not written. The buffer is as it was before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// The frame would be longer than its channel takes.
    TooLong {
        /// What.
        kind: Kind,
        /// The limit of the whole frame in bytes.
        max: usize,
    },
    /// A list or a string is beyond its limit: the other end would refuse it.
    Limit {
        /// What.
        kind: Kind,
        /// Which limit: [`Fault::TooMany`] or [`Fault::TooLong`].
        fault: Fault,
    },
}

impl DecodeError {
    /// Whether the connection is to be closed, with [`DecodeError::code`]. Otherwise the frame
    /// is dropped and counted.
    pub fn closes(self, channel: Channel) -> bool {
        match self {
            DecodeError::Magic { .. } | DecodeError::Major { .. } | DecodeError::TooLong { .. } => {
                true
            }
            DecodeError::Cut | DecodeError::Trailing | DecodeError::Body { .. } => {
                channel == Channel::Stream
            }
        }
    }

    /// What the other end is told.
    pub fn code(self) -> super::Code {
        match self {
            DecodeError::Magic { .. } | DecodeError::Cut | DecodeError::Trailing => {
                super::Code::NotFrames
            }
            DecodeError::Major { .. } => super::Code::OtherMajor,
            DecodeError::TooLong { .. } => super::Code::FrameTooLong,
            DecodeError::Body { .. } => super::Code::BadBody,
        }
    }
}

impl Fault {
    /// The stable word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Fault::Cut => "cut",
            Fault::Trailing => "trailing",
            Fault::TooMany => "too_many",
            Fault::TooLong => "too_long",
            Fault::Claim => "claim",
            Fault::NotUtf8 => "not_utf8",
            Fault::BadValue => "bad_value",
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Magic { found } => write!(f, "no frame begins with 0x{found:02x}"),
            DecodeError::Major { found } => {
                write!(f, "a frame of major {found}, not {}", super::MAJOR)
            }
            DecodeError::TooLong { kind, length, max } => {
                write!(f, "a frame of {length} bytes (kind 0x{kind:04x}), limit {max}")
            }
            DecodeError::Cut => f.write_str("a datagram shorter than its frame"),
            DecodeError::Trailing => f.write_str("a datagram longer than its frame"),
            DecodeError::Body { kind, fault } => write!(f, "{}: {}", kind.label(), fault.label()),
        }
    }
}

impl std::error::Error for DecodeError {}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::TooLong { kind, max } => {
                write!(f, "{} does not fit into {max} bytes", kind.label())
            }
            EncodeError::Limit { kind, fault } => {
                write!(f, "{} is beyond its limits: {}", kind.label(), fault.label())
            }
        }
    }
}

impl std::error::Error for EncodeError {}
