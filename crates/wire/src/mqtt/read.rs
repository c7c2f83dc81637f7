//! MQTT's data types (section 1.5), read from a packet that is already whole.
//!
//! Every read either takes its bytes from the front or fails; nothing is copied.

/// The bytes are not what the standard asks for. Where and why is the broker's to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// What is left of a packet's body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Reader { rest: body }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes, as they are.
    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[b]| b)
    }

    pub(super) fn two(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn four(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// Binary Data (1.5.6): two bytes of length, then so many bytes.
    pub(super) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.two()?;
        self.take(usize::from(n))
    }

    /// A UTF-8 Encoded String (1.5.4): well-formed, without U+0000.
    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let text = std::str::from_utf8(self.binary()?).map_err(|_| Malformed)?;
        if text.contains('\0') { Err(Malformed) } else { Ok(text) }
    }

    /// A Variable Byte Integer (1.5.5) inside a body, in its shortest form as 5.0 demands.
    pub(super) fn varint(&mut self) -> Result<usize, Malformed> {
        let (value, used) = varint(self.rest)?.ok_or(Malformed)?;
        if used > 1 && self.rest[used - 1] == 0 {
            return Err(Malformed);
        }
        self.rest = &self.rest[used..];
        Ok(value)
    }
}

/// A Variable Byte Integer at the head of `bytes`: its value and its length, or `None` while its
/// end has not come. At most four bytes; longer forms than needed are taken, since 3.1.1 (2.2.3)
/// does not forbid them and mosquitto accepts them in a fixed header.
pub(super) fn varint(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut value = 0;
    for (i, &b) in bytes.iter().take(4).enumerate() {
        value |= usize::from(b & 0x7f) << (7 * i);
        if b < 0x80 {
            return Ok(Some((value, i + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Malformed) }
}
