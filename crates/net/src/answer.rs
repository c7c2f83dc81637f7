//! The broker's side before the commit: the first packet that comes back.
//!
//! Only read and spelled out here. What it means for the flow is core's to judge.

use std::future::poll_fn;

use isobar_core::flow::Answer;
use isobar_core::retry::Level;
use isobar_wire::mqtt::Protocol;
use isobar_wire::mqtt::connack::{self, scan_answer};
use tokio::net::TcpStream;

use crate::buffer;
use crate::service::Service;

/// What came back first.
#[derive(Debug)]
pub enum First {
    /// An answer, and the CONNACK's code if it is one.
    Answer(Answer, Option<u8>),
    /// The end, before any byte.
    Silence,
}

/// Reads until the broker's first packet is whole, or it closes. `protocol` is `None` for a
/// CONNECT that was not understood: then any byte is the answer.
pub async fn first_answer(
    stream: &mut TcpStream,
    answer: &mut Vec<u8>,
    protocol: Option<Protocol>,
    service: &Service,
) -> First {
    loop {
        let max = connack::ANSWER_MAX;
        let read = poll_fn(|cx| buffer::poll_read_onto(stream, answer, max, cx)).await;
        let closed = !matches!(read, Ok(n) if n > 0);
        if answer.is_empty() {
            return First::Silence;
        }
        let Some(protocol) = protocol else { return First::Answer(Answer::Other, None) };
        match scan_answer(answer, protocol) {
            Ok(Some(connack::Answer::Connack(connack))) => {
                let level = match protocol {
                    Protocol::V31 | Protocol::V311 => Level::V3,
                    Protocol::V5 => Level::V5,
                };
                let reference = connack.server_reference.and_then(|r| service.broker_named(r));
                let keepalive = connack.server_keepalive;
                let facts = Answer::Connack { level, code: connack.code, reference, keepalive };
                return First::Answer(facts, Some(connack.code));
            }
            Ok(Some(connack::Answer::Auth { .. })) => return First::Answer(Answer::Auth, None),
            Ok(None) if !closed => {}
            Ok(None) | Err(_) => return First::Answer(Answer::Other, None),
        }
    }
}
