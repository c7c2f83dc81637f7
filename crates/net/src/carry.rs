//! One flow's task: drives core's `Flow` to its commit, then relays.
//!
//! The way to the commit is boxed, so that a committed flow, which may be idle for days, does
//! not keep the room for it.

mod abroad;
pub mod inbound;
mod reception;
mod way;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use isobar_core::ending::{Cause, Ending, Phase};
use isobar_core::flow::{Event, Flow, OpeningFault};
use isobar_core::policy::Mode;
use isobar_core::pool::Left;
use isobar_wire::mqtt::say;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;

use self::way::{Way, attempts, stopped};
use crate::client::Client;
use crate::counters::Reason;
use crate::farewell;
use crate::leg::Leg;
use crate::relay::Relay;
use crate::service::Service;
use crate::story::Story;
use crate::worker::Worker;

/// A client beyond `maxconn` has this long to say which protocol it wants to be refused in.
const TURN_AWAY_WITHIN: Duration = Duration::from_secs(2);
/// A client that takes no packet this large gets no reason string (MQTT 5.0 section 3.2.2.3.9).
const REASON_ROOM: u32 = 300;

/// Carries one client from accept to end. The future is small: what each stage needs is in a
/// box of its own, gone when the stage is over. `permit` is what a client holds that came
/// beyond `maxconn`; any other one has been counted in.
pub fn carry(
    worker: Arc<Worker>,
    service: Arc<Service>,
    listener: u16,
    stream: TcpStream,
    addr: SocketAddr,
    permit: Option<OwnedSemaphorePermit>,
) -> impl Future<Output = ()> {
    // Begun here and not in the task: from now on it can be told to stop.
    let mut story = Story::begin(&worker, &service, listener, addr);
    story.counted = permit.is_none();
    let opening = Box::pin(open(story, Client::new(Leg::Tcp(stream), addr), permit));
    async move {
        if let Some(relay) = opening.await {
            relay.run().await;
        }
    }
}

/// From accept to commit, or to the end.
async fn open(
    mut story: Story,
    client: Client,
    permit: Option<OwnedSemaphorePermit>,
) -> Option<Box<Relay>> {
    if let Err(reason) = story.watch() {
        story.refused(reason);
        let ending = Ending::new(Cause::Policy, Phase::Opening);
        story.end(ending, (0, 0), Left::default(), Some(reason));
        return None;
    }
    if permit.is_none() {
        let flow = Flow::new(&story.service.policy, story.since());
        return attempts(Way::new(story, client, None), flow, Event::Accepted).await;
    }
    turn_away(story, client).await;
    drop(permit);
    None
}

/// The node's `maxconn` is reached: the client is told so in its own protocol, if it says which
/// soon enough: others wait for its permit.
async fn turn_away(story: Story, mut client: Client) {
    let ending = Ending::new(Cause::Resource, Phase::Opening);
    let policy = story.service.policy.clone();
    story.refused(Reason::NodeFull);
    if policy.mode == Mode::Tcp {
        return story.end(ending, (0, 0), Left::default(), Some(Reason::NodeFull));
    }
    let until = story.now() + policy.opening_timeout.min(TURN_AWAY_WITHIN);
    let until = story.worker.node.clock.instant(until);
    let opening = client.open(policy.opening_max, false);
    let opened = tokio::select! {
        opened = timeout_at(until, opening) => opened,
        () = stopped(&story.card) => Ok(Err(OpeningFault::ClientGone)),
    };
    story.end(ending, (0, 0), Left::default(), Some(Reason::NodeFull));
    if let Ok(Ok(_)) = opened {
        refuse(client, true, Reason::NodeFull.label()).await;
    }
}

/// Says the honest CONNACK and closes.
async fn refuse(client: Client, busy: bool, reason: &str) {
    let refusal = if busy { say::Refusal::Busy } else { say::Refusal::Unavailable };
    let small = client.hello.as_ref().and_then(|hello| hello.packet_max);
    let reason = if small.is_some_and(|max| max < REASON_ROOM) { "" } else { reason };
    let mut bytes = Vec::new();
    say::refusal(client.protocol(), refusal, reason, &mut bytes);
    farewell::say_and_close(client.stream, &bytes).await;
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    /// What an idle flow keeps, beside its two sockets: a task of this size and a box.
    #[test]
    fn an_idle_flow_is_small() {
        fn future_of<A, B, C, D, E, F, G>(_: fn(A, B, C, D, E, F) -> G) -> usize {
            size_of::<G>()
        }
        assert!(future_of(super::carry) <= 64, "{}", future_of(super::carry));
        // It keeps its broker, so that no table is looked at while bytes move.
        assert!(size_of::<super::Relay>() <= 392, "{}", size_of::<super::Relay>());
    }
}
