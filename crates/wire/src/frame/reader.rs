//! Frames out of a stream, whose bytes come in any pieces.

use super::{DecodeError, Frame, HEADER, Header, check_first};

/// What a reader keeps of its buffer between two frames.
const KEPT: usize = 4 * 1024;

/// Collects one frame at a time. It holds no more than that frame, and allocates for bytes that
/// have come, never for those that are announced.
///
/// ```
/// # use isobar_wire::frame::{FrameReader, STREAM_MAX};
/// let pieces: [&[u8]; 2] = [&[0xb1, 0x7f, 0x01, 0, 0], &[2, b'h', b'i', 0xb1, 0x7f]];
/// let mut reader = FrameReader::new(STREAM_MAX);
/// let mut bodies = Vec::new();
/// for mut piece in pieces {
///     while let Some(frame) = reader.next(&mut piece)? {
///         bodies.push(frame.body().to_vec());
///     }
/// }
/// assert_eq!(bodies, [b"hi"]);
/// # Ok::<(), isobar_wire::frame::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameReader {
    buf: Vec<u8>,
    max: usize,
    /// `buf` is a frame that was given out.
    whole: bool,
}

impl FrameReader {
    /// A reader before a frame's first byte. `max` is the limit of a whole frame in bytes.
    pub fn new(max: usize) -> FrameReader {
        FrameReader { buf: Vec::new(), max, whole: false }
    }

    /// Takes from the front of `input` what the next frame lacks, and no byte more: what is
    /// left of it follows that frame. `None` once `input` is used up.
    ///
    /// After an error the stream is to be ended; asked again, the reader gives the same error.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame<'_>>, DecodeError> {
        if self.whole {
            self.buf.clear();
            self.buf.shrink_to(KEPT);
            self.whole = false;
        }
        self.fill(HEADER, input);
        let Some(header) = self.buf.first_chunk() else {
            // Junk is known by its first byte, however long it waits with the others.
            return self.buf.first().map_or(Ok(None), |&first| check_first(first).map(|()| None));
        };
        let header = Header::parse(header, self.max)?;
        let length = HEADER + header.length;
        self.fill(length, input);
        if self.buf.len() < length {
            return Ok(None);
        }
        self.whole = true;
        Ok(Some(Frame { kind: header.kind, raw: &self.buf }))
    }

    /// No part of a frame is waiting for the rest: the stream may end here.
    pub fn at_boundary(&self) -> bool {
        self.whole || self.buf.is_empty()
    }

    fn fill(&mut self, length: usize, input: &mut &[u8]) {
        let lacking = length.saturating_sub(self.buf.len()).min(input.len());
        let (taken, rest) = input.split_at(lacking);
        self.buf.extend_from_slice(taken);
        *input = rest;
    }
}
