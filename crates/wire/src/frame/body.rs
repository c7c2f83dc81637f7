//! Bodies to bytes and back, through bincode, which only this file and `layout` know.
//!
//! bincode's own limit is a constant of its configuration and counts the *memory* of what is
//! read: eight for a `u64` that took one byte. So it is set to what the longest frame could
//! amount to, and all but this frame's part of it is spent before reading begins. It is the
//! second lock. The first: bincode is built without `alloc`, so a body can have no bare `Vec` or
//! `String`, only [`List`] and [`Text`], which hold what is claimed against their limit and
//! against the bytes the frame has left, before anything is allocated.

use bincode::config::{BigEndian, Configuration, Limit, Varint};
use bincode::de::read::{BorrowReader, Reader, SliceReader};
use bincode::de::{BorrowDecoder, Decoder, DecoderImpl};
use bincode::enc::write::Writer;
use bincode::enc::{Encoder, EncoderImpl};
use bincode::error::{DecodeError as Unread, EncodeError as Unwritten};
use bincode::{BorrowDecode, Decode, Encode};

use super::{DecodeError, EncodeError, Fault, HEADER, Header, Kind, STREAM_MAX};

/// The most memory that bincode accounts for one byte: a small `u64`.
const ACCOUNTED: usize = size_of::<u64>();
const BUDGET: usize = ACCOUNTED * STREAM_MAX;
const SPELLING: Configuration<BigEndian, Varint, Limit<BUDGET>> =
    bincode::config::standard().with_big_endian().with_limit::<BUDGET>();

/// A list of at most `MAX` entries, each of which takes at least one byte.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct List<T, const MAX: usize>(pub(crate) Vec<T>);

/// A string of at most `MAX` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Text<'a, const MAX: usize>(pub(crate) &'a str);

/// Appends a whole frame of at most `max` bytes; after an error `out` is as it was.
pub(crate) fn write_frame(
    kind: Kind,
    body: &impl Encode,
    max: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    let mut encoder = EncoderImpl::new(Bounded { out, end: start + max }, SPELLING);
    if let Err(error) = body.encode(&mut encoder) {
        out.truncate(start);
        return Err(match error {
            Unwritten::Other(word) => EncodeError::Limit { kind, fault: fault_of(word) },
            _ => EncodeError::TooLong { kind, max },
        });
    }
    let length = out.len() - start - HEADER;
    out[start..start + HEADER].copy_from_slice(&Header::bytes(kind, length));
    Ok(())
}

/// Reads a body, all of it.
pub(crate) fn read_body<'a, T>(kind: Kind, body: &'a [u8]) -> Result<T, DecodeError>
where
    T: BorrowDecode<'a, ()>,
{
    let mut decoder = DecoderImpl::new(SliceReader::new(body), SPELLING, ());
    let spent = BUDGET.saturating_sub(ACCOUNTED * body.len());
    let read = decoder
        .claim_bytes_read(spent)
        .and_then(|()| T::borrow_decode(&mut decoder))
        .map_err(|error| DecodeError::Body { kind, fault: fault(error) })?;
    match decoder.reader().peek_read(1) {
        None => Ok(read),
        Some(_) => Err(DecodeError::Body { kind, fault: Fault::Trailing }),
    }
}

/// A `Vec` that takes no byte beyond `end`.
struct Bounded<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
}

impl Writer for Bounded<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), Unwritten> {
        if self.out.len() + bytes.len() > self.end {
            return Err(Unwritten::UnexpectedEnd);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

impl<T: Encode, const MAX: usize> Encode for List<T, MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), Unwritten> {
        if self.0.len() > MAX {
            return Err(Unwritten::Other(TOO_MANY));
        }
        (self.0.len() as u64).encode(encoder)?;
        self.0.iter().try_for_each(|entry| entry.encode(encoder))
    }
}

impl<'de, C, T: BorrowDecode<'de, C>, const MAX: usize> BorrowDecode<'de, C> for List<T, MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, Unread> {
        let length = claimed(decoder, MAX, TOO_MANY)?;
        let mut list = Vec::with_capacity(length);
        for _ in 0..length {
            list.push(T::borrow_decode(decoder)?);
        }
        Ok(List(list))
    }
}

impl<const MAX: usize> Encode for Text<'_, MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), Unwritten> {
        if self.0.len() > MAX {
            return Err(Unwritten::Other(TOO_LONG));
        }
        (self.0.len() as u64).encode(encoder)?;
        encoder.writer().write(self.0.as_bytes())
    }
}

impl<'de: 'a, 'a, C, const MAX: usize> BorrowDecode<'de, C> for Text<'a, MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, Unread> {
        let length = claimed(decoder, MAX, TOO_LONG)?;
        let bytes = decoder.borrow_reader().take_bytes(length)?;
        str::from_utf8(bytes).map(Text).map_err(|inner| Unread::Utf8 { inner })
    }
}

/// The length of a list or string, within its limit and within what the frame has left.
fn claimed<D: Decoder>(decoder: &mut D, max: usize, word: &'static str) -> Result<usize, Unread> {
    let length = <u64 as Decode<D::Context>>::decode(decoder)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > max {
        return Err(Unread::Other(word));
    }
    match decoder.reader().peek_read(length) {
        Some(_) => Ok(length),
        None => Err(Unread::Other(CLAIM)),
    }
}

// bincode passes an error of ours through as a static string.
const TOO_MANY: &str = "too_many";
const TOO_LONG: &str = "too_long";
const CLAIM: &str = "claim";

/// What a byte is that stands for none of the words of its field.
pub(crate) fn bad_value() -> Unread {
    Unread::Other("bad_value")
}

fn fault_of(word: &str) -> Fault {
    match word {
        TOO_MANY => Fault::TooMany,
        TOO_LONG => Fault::TooLong,
        CLAIM => Fault::Claim,
        _ => Fault::BadValue,
    }
}

fn fault(error: Unread) -> Fault {
    match error {
        // Only fields count towards bincode's limit: it is met where they outrun the bytes.
        Unread::UnexpectedEnd { .. } | Unread::LimitExceeded => Fault::Cut,
        Unread::Utf8 { .. } => Fault::NotUtf8,
        Unread::Other(word) => fault_of(word),
        _ => Fault::BadValue,
    }
}
