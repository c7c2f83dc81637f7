//! The frames of the mesh: a header of six bytes, then a body.
//!
//! ```text
//!   0      4      8                24                       48
//!   | 0xB  | major| kind (u16)     | length of body (u24)   | body ...
//! ```
//!
//! All numbers are big-endian. The kind is a number and a version, and names one layout for
//! ever ([`Kind`]): a body that must change becomes a new kind, beside the old one. A reader
//! skips kinds it does not know by their length, so nodes of two versions can talk. Bodies are
//! bincode 2 with variable integers, written and read by structs that nothing else uses, so
//! that the types of `core` stay free to change.
//!
//! - [`news`]: the messages of a news connection, in datagrams and on its stream.
//! - [`tunnel`](crate::tunnel): the words of a data connection.
//! - [`FrameReader`]: frames out of a stream's bytes as they come.
//! - [`Code`]: why a stream or a connection ends.
//!
//! `docs/protocol.md` is the reference; a change of a body changes both in one commit.

mod body;
mod code;
mod error;
mod kind;
mod layout;
pub mod news;
mod reader;

pub use code::Code;
pub use error::{DecodeError, EncodeError, Fault};
pub use kind::Kind;
pub use reader::FrameReader;

pub(crate) use body::{List, Text, bad_value, read_body, write_frame};
pub(crate) use layout::{layout, words};

/// The application protocol that both ends name in the TLS handshake (RFC 7301).
pub const ALPN: &[u8] = b"isobar/1";

/// Bytes before the body.
pub const HEADER: usize = 6;
/// The upper half of a frame's first byte.
pub const MAGIC: u8 = 0xb;
/// The lower half. Another major is another protocol, with an ALPN of its own.
pub const MAJOR: u8 = 1;
/// The longest frame of a stream, header and all.
pub const STREAM_MAX: usize = 256 * 1024;

/// A whole frame, its body not yet looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Its kind, known ([`Kind::from_number`]) or not.
    pub kind: u16,
    /// All its bytes.
    pub raw: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that a datagram of at most `max` bytes is. One datagram, one frame.
    pub fn of_datagram(bytes: &'a [u8], max: usize) -> Result<Frame<'a>, DecodeError> {
        let Some(header) = bytes.first_chunk() else { return Err(DecodeError::Cut) };
        let header = Header::parse(header, max)?;
        match bytes.len().cmp(&(HEADER + header.length)) {
            std::cmp::Ordering::Less => Err(DecodeError::Cut),
            std::cmp::Ordering::Equal => Ok(Frame { kind: header.kind, raw: bytes }),
            std::cmp::Ordering::Greater => Err(DecodeError::Trailing),
        }
    }

    /// What follows the header.
    pub fn body(&self) -> &'a [u8] {
        self.raw.get(HEADER..).unwrap_or_default()
    }
}

/// What the first six bytes say.
#[derive(Clone, Copy, Debug)]
struct Header {
    kind: u16,
    /// Of the body.
    length: usize,
}

impl Header {
    /// `max` is the limit of the whole frame.
    fn parse(bytes: &[u8; HEADER], max: usize) -> Result<Header, DecodeError> {
        let &[first, k1, k0, l2, l1, l0] = bytes;
        check_first(first)?;
        let kind = u16::from_be_bytes([k1, k0]);
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if HEADER + length > max {
            return Err(DecodeError::TooLong { kind, length: HEADER + length, max });
        }
        Ok(Header { kind, length })
    }

    /// `length` is below 2^24, as everything within [`STREAM_MAX`] is.
    fn bytes(kind: Kind, length: usize) -> [u8; HEADER] {
        let [k1, k0] = kind.number().to_be_bytes();
        let [.., l2, l1, l0] = length.to_be_bytes();
        [MAGIC << 4 | MAJOR, k1, k0, l2, l1, l0]
    }
}

/// A first byte that is wrong is known before the rest of the header has come.
fn check_first(first: u8) -> Result<(), DecodeError> {
    if first >> 4 != MAGIC {
        return Err(DecodeError::Magic { found: first });
    }
    if first & 0x0f != MAJOR {
        return Err(DecodeError::Major { found: first & 0x0f });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
