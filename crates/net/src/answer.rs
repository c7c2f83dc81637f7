//! The broker's side before the commit: the first packet that comes back.
//!
//! Only read and spelled out here. What it means for the flow is core's to judge.

use std::future::poll_fn;

use isobar_core::flow::Answer;
use isobar_core::retry::Level;
use isobar_wire::mqtt::Protocol;
use isobar_wire::mqtt::connack::{self, scan_answer};

use crate::buffer;
use crate::leg::Leg;
use crate::service::Service;

/// What came back first.
#[derive(Debug)]
pub enum First {
    /// An answer, and the CONNACK's code if it is one.
    Answer(Answer, Option<u8>),
    /// The end, before any byte.
    Silence,
}

/// Reads until the broker's first packet is whole, or it closes; `answer` is what came of it so
/// far. `protocol` is `None` for a CONNECT that was not understood: then any byte is the answer.
pub async fn first_answer(
    stream: &mut Leg,
    answer: &mut Vec<u8>,
    protocol: Option<Protocol>,
    service: &Service,
) -> First {
    let mut closed = false;
    loop {
        if let Some(first) = scan(answer, closed, protocol, service) {
            return first;
        }
        let max = connack::ANSWER_MAX;
        let read = poll_fn(|cx| buffer::poll_read_onto(stream, answer, max, cx)).await;
        closed = !matches!(read, Ok(n) if n > 0);
    }
}

/// What has come so far means; `None` where more may follow.
fn scan(
    answer: &[u8],
    closed: bool,
    protocol: Option<Protocol>,
    service: &Service,
) -> Option<First> {
    if answer.is_empty() {
        return closed.then_some(First::Silence);
    }
    let Some(protocol) = protocol else { return Some(First::Answer(Answer::Other, None)) };
    match scan_answer(answer, protocol) {
        Ok(Some(connack::Answer::Connack(connack))) => {
            let level = match protocol {
                Protocol::V31 | Protocol::V311 => Level::V3,
                Protocol::V5 => Level::V5,
            };
            let reference = connack.server_reference.and_then(|r| service.broker_named(r));
            let keepalive = connack.server_keepalive;
            let facts = Answer::Connack { level, code: connack.code, reference, keepalive };
            Some(First::Answer(facts, Some(connack.code)))
        }
        Ok(Some(connack::Answer::Auth { .. })) => Some(First::Answer(Answer::Auth, None)),
        Ok(None) if !closed => None,
        Ok(None) | Err(_) => Some(First::Answer(Answer::Other, None)),
    }
}
