//! Large messages: a closed loop with one message under way a flow.

use super::flows::Flows;
use crate::failure::{Failure, Result};
use crate::mqtt;

/// Sends `count` messages of `payload` bytes over the open flows and waits until all are back.
pub(super) fn run(flows: &mut Flows, payload: usize, count: u32) -> Result<()> {
    // Topics are of one length, so that packets are, too.
    let slots = flows.open_slots();
    let length = mqtt::publish(&Flows::topic(0), payload).len();
    let mut packets = vec![Vec::new(); slots.last().map_or(0, |last| last + 1)];
    for &slot in &slots {
        packets[slot] = mqtt::publish(&Flows::topic(slot), payload);
    }
    let (mut sent, mut returned) = (0, 0);
    for &slot in slots.iter().take(count as usize) {
        flows.send(slot, &packets[slot])?;
        sent += 1;
    }
    while returned < count {
        flows.wait(None)?;
        let ready = flows.take_ready();
        for &one in &ready {
            let (mut back, mut wrong) = (0, false);
            flows.receive(one, |packet| {
                back += 1;
                wrong |= packet.len() != length;
            })?;
            if wrong {
                return Err(Failure::new("a message came back with another length"));
            }
            returned += back;
            for _ in 0..back {
                if sent < count {
                    flows.send(one.slot, &packets[one.slot])?;
                    sent += 1;
                }
            }
        }
        flows.put_ready(ready);
    }
    Ok(())
}
