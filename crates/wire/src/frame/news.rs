//! The messages of a news connection: `core`'s values to frames and back.
//!
//! What is kept here are the layouts and the limits of `isobar_core::mesh::message`, nothing
//! else: whether a number was named, or a page exists, is for `core` to judge. No limit of a
//! list or a string is passed in either direction; what would not be read is not written.

mod digest;
mod greet;
mod pulse;
mod siblings;
mod spell;
mod sync;

use isobar_core::mesh::Channel;
use isobar_core::mesh::message::{DATAGRAM_MAX, LoadPage, Message};

use super::{DecodeError, EncodeError, Frame, Kind, STREAM_MAX, read_body, write_frame};
use digest::{AboutV1, LoadV1, ShapeV1};
use greet::{HelloV1, LeaveV1, NamesV1};
use pulse::{EarsV1, HeartbeatV1, HeldV1, PingV1, PongV1, VerdictV1, VoteV1, WitnessAskV1};
use siblings::{CountsV2, PlacesV1, TakenV1};
use spell::Spell;
use sync::{OfferV1, PeersV1, WantV1};

/// A frame that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decoded<'a> {
    /// What it says.
    Message(Message),
    /// Of a kind that this version does not know on a news connection: to be skipped and
    /// counted.
    Unknown(Frame<'a>),
}

/// The longest frame of a channel, header and all.
pub fn frame_max(channel: Channel) -> usize {
    match channel {
        Channel::Datagram => DATAGRAM_MAX,
        Channel::Stream => STREAM_MAX,
    }
}

/// Appends a message's frame to `out`; after an error `out` is as it was. The frame is no longer
/// than [`frame_max`].
///
/// Every message that keeps its limits fits the channel it is meant for, but for
/// [`Message::Load`] in a datagram: see [`encode_all`].
pub fn encode(message: &Message, channel: Channel, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let max = frame_max(channel);
    match message {
        Message::Hello(hello) => write_frame(Kind::HelloV1, &HelloV1::spell(hello), max, out),
        Message::Names(names) => write_frame(Kind::NamesV1, &NamesV1::spell(names), max, out),
        Message::Heartbeat(beat) => {
            write_frame(Kind::HeartbeatV1, &HeartbeatV1::spell(beat), max, out)
        }
        Message::Ping { token } => {
            write_frame(Kind::PingV1, &PingV1 { token: Spell::spell(token) }, max, out)
        }
        Message::Pong { token } => {
            write_frame(Kind::PongV1, &PongV1 { token: Spell::spell(token) }, max, out)
        }
        Message::Held(held) => write_frame(Kind::HeldV1, &HeldV1::spell(held), max, out),
        Message::WitnessAsk { site } => {
            write_frame(Kind::WitnessAskV1, &WitnessAskV1 { site: *site }, max, out)
        }
        Message::Vote(vote) => write_frame(Kind::VoteV1, &VoteV1::spell(vote), max, out),
        Message::Ears(ears) => write_frame(Kind::EarsV1, &EarsV1::spell(ears), max, out),
        Message::Verdict(verdict) => {
            write_frame(Kind::VerdictV1, &VerdictV1::spell(verdict), max, out)
        }
        Message::About(about) => write_frame(Kind::AboutV1, &AboutV1::spell(about), max, out),
        Message::Shape(page) => {
            digest::check_shape(page).map_err(limit(Kind::ShapeV1))?;
            write_frame(Kind::ShapeV1, &ShapeV1::spell(page), max, out)
        }
        Message::Load(pages) => encode_load(pages, max, out),
        Message::Counts(page) => write_frame(Kind::CountsV2, &CountsV2::spell(page), max, out),
        Message::PlacesAsk(places) => {
            write_frame(Kind::PlacesAskV1, &PlacesV1::spell(places), max, out)
        }
        Message::PlacesGive(places) => {
            write_frame(Kind::PlacesGiveV1, &PlacesV1::spell(places), max, out)
        }
        Message::Taken(takings) => {
            let body = TakenV1 { clients: spell::list(takings) };
            write_frame(Kind::TakenV1, &body, max, out)
        }
        Message::Offer(offer) => write_frame(Kind::OfferV1, &OfferV1::spell(offer), max, out),
        Message::Want(want) => write_frame(Kind::WantV1, &WantV1::spell(want), max, out),
        Message::Peers(peers) => write_frame(Kind::PeersV1, &PeersV1::spell(peers), max, out),
        Message::Leave { owner, incarnation } => {
            let body = LeaveV1 { owner: *owner, incarnation: *incarnation };
            write_frame(Kind::LeaveV1, &body, max, out)
        }
    }
}

/// Spells a message into `scratch` and hands out its frame: one, but for a [`Message::Load`]
/// whose pages do not fit one datagram together. Those go as two or more messages, of which
/// each stands alone.
pub fn encode_all(
    message: &Message,
    channel: Channel,
    scratch: &mut Vec<u8>,
    mut send: impl FnMut(&[u8]),
) -> Result<(), EncodeError> {
    scratch.clear();
    match message {
        Message::Load(pages) => halve_load(pages, frame_max(channel), scratch, &mut send),
        _ => {
            encode(message, channel, scratch)?;
            send(scratch);
            Ok(())
        }
    }
}

/// Any single page fits, so this goes at most five halvings deep.
fn halve_load(
    pages: &[LoadPage],
    max: usize,
    scratch: &mut Vec<u8>,
    send: &mut impl FnMut(&[u8]),
) -> Result<(), EncodeError> {
    scratch.clear();
    match encode_load(pages, max, scratch) {
        Ok(()) => {
            send(scratch);
            Ok(())
        }
        Err(EncodeError::TooLong { .. }) if pages.len() > 1 => {
            let (first, second) = pages.split_at(pages.len() / 2);
            halve_load(first, max, scratch, send)?;
            halve_load(second, max, scratch, send)
        }
        Err(error) => Err(error),
    }
}

fn encode_load(pages: &[LoadPage], max: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    digest::check_load(pages).map_err(limit(Kind::LoadV1))?;
    write_frame(Kind::LoadV1, &LoadV1 { pages: spell::list(pages) }, max, out)
}

fn limit(kind: Kind) -> impl Fn(super::Fault) -> EncodeError {
    move |fault| EncodeError::Limit { kind, fault }
}

/// Reads a frame.
///
/// What it allocates is bounded by the limits of the message and, entry by byte, by the length
/// of the frame.
pub fn decode(frame: Frame<'_>) -> Result<Decoded<'_>, DecodeError> {
    let Some(kind) = Kind::from_number(frame.kind) else { return Ok(Decoded::Unknown(frame)) };
    let body = frame.body();
    let message = match kind {
        Kind::HelloV1 => Message::Hello(read_body::<HelloV1>(kind, body)?.read()),
        Kind::NamesV1 => Message::Names(read_body::<NamesV1>(kind, body)?.read()),
        Kind::HeartbeatV1 => Message::Heartbeat(read_body::<HeartbeatV1>(kind, body)?.read()),
        Kind::PingV1 => Message::Ping { token: read_body::<PingV1>(kind, body)?.token.read() },
        Kind::PongV1 => Message::Pong { token: read_body::<PongV1>(kind, body)?.token.read() },
        Kind::HeldV1 => Message::Held(read_body::<HeldV1>(kind, body)?.read()),
        Kind::WitnessAskV1 => {
            Message::WitnessAsk { site: read_body::<WitnessAskV1>(kind, body)?.site }
        }
        Kind::VoteV1 => Message::Vote(read_body::<VoteV1>(kind, body)?.read()),
        Kind::EarsV1 => Message::Ears(read_body::<EarsV1>(kind, body)?.read()),
        Kind::VerdictV1 => Message::Verdict(read_body::<VerdictV1>(kind, body)?.read()),
        Kind::AboutV1 => Message::About(read_body::<AboutV1>(kind, body)?.read()),
        Kind::ShapeV1 => {
            let page = read_body::<ShapeV1>(kind, body)?.read();
            digest::check_shape(&page).map_err(|fault| DecodeError::Body { kind, fault })?;
            Message::Shape(page)
        }
        Kind::LoadV1 => {
            let pages: Vec<LoadPage> = read_body::<LoadV1>(kind, body)?.pages.read();
            digest::check_load(&pages).map_err(|fault| DecodeError::Body { kind, fault })?;
            Message::Load(pages)
        }
        Kind::CountsV2 => Message::Counts(read_body::<CountsV2>(kind, body)?.read()),
        Kind::PlacesAskV1 => Message::PlacesAsk(read_body::<PlacesV1>(kind, body)?.read()),
        Kind::PlacesGiveV1 => Message::PlacesGive(read_body::<PlacesV1>(kind, body)?.read()),
        Kind::TakenV1 => Message::Taken(read_body::<TakenV1>(kind, body)?.clients.read()),
        Kind::OfferV1 => Message::Offer(read_body::<OfferV1>(kind, body)?.read()),
        Kind::WantV1 => Message::Want(read_body::<WantV1>(kind, body)?.read()),
        Kind::PeersV1 => Message::Peers(read_body::<PeersV1>(kind, body)?.read()),
        Kind::LeaveV1 => {
            let LeaveV1 { owner, incarnation } = read_body(kind, body)?;
            Message::Leave { owner, incarnation }
        }
        Kind::DataHelloV1
        | Kind::TunnelOpenV1
        | Kind::CommittedV1
        | Kind::RefusedV1
        | Kind::LeaseAskV1
        | Kind::LeaseGrantV1 => return Ok(Decoded::Unknown(frame)),
    };
    Ok(Decoded::Message(message))
}

/// Reads the frame that a datagram is.
pub fn decode_datagram(bytes: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    decode(Frame::of_datagram(bytes, DATAGRAM_MAX)?)
}
