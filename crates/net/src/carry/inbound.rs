//! The receiver's end of a tunnel: a flow of another site, placed here or refused.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use isobar_core::ending::{Cause, Ending, Phase};
use isobar_core::flow::{Event, Flow, OpeningFault};
use isobar_core::id::{PeerId, SiteId};
use isobar_core::policy::Mode;
use isobar_core::pool::{Carried, Declined, Left};
use isobar_core::retry::TunnelRefusal;
use isobar_wire::frame::FrameReader;
use isobar_wire::tunnel::{
    self, Committed, OPENING_MAX, Open, Refused, SKIPPED_MAX, WORD_MAX, Word,
};
use tokio::time::timeout;

use super::abroad::refused;
use super::way::{Way, attempts};
use crate::buffer;
use crate::client::{Client, HELD_MAX};
use crate::farewell;
use crate::leg::Leg;
use crate::mesh::lease;
use crate::mesh::tunnel::Tunnel;
use crate::service::Service;
use crate::story::{Far, Story};
use crate::worker::Worker;

/// The head of a tunnel and its opening come at once, or not at all.
const HEAD: Duration = Duration::from_secs(5);
/// The head of a stream is read in pieces of at most this.
const PIECE: usize = 16 * 1024;

/// Who sends flows on a connection.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Its site.
    pub site: SiteId,
    /// Its name.
    pub site_name: Arc<str>,
    /// The node.
    pub peer: PeerId,
}

/// What a stream begins with.
enum Came {
    /// A flow.
    Flow(Head),
    /// A question for places, of a service that may not be ours.
    Asks(Option<Arc<Service>>, u32),
}

/// What stands at the head of a tunnel.
struct Head {
    service: Option<Arc<Service>>,
    client: SocketAddr,
    listener: SocketAddr,
    mode: tunnel::Mode,
    left: Duration,
    hop: u8,
    leased: bool,
    opening: usize,
    said: Vec<u8>,
}

/// Carries one flow of another site from its tunnel's head to its end.
pub async fn carry(
    worker: Arc<Worker>,
    services: Arc<[Arc<Service>]>,
    from: Sender,
    tunnel: Tunnel,
) {
    let mut leg = Leg::Tunnel(Box::new(tunnel));
    let head = match timeout(HEAD, read_head(&mut leg, &services)).await {
        Ok(Ok(Came::Flow(head))) => head,
        Ok(Ok(Came::Asks(service, n))) => {
            let lent = service.map(|s| s.pools.grant_lease(s.id, from.peer, n));
            let (n, ttl) = lent.unwrap_or_default();
            return lease::answer(leg, n, ttl).await;
        }
        // Dropped, and so reset.
        Ok(Err(())) | Err(_) => return,
    };
    if let Some(relay) = Box::pin(open(worker, from, leg, head)).await {
        relay.run().await;
    }
}

async fn open(
    worker: Arc<Worker>,
    from: Sender,
    leg: Leg,
    head: Head,
) -> Option<Box<crate::relay::Relay>> {
    let Some(service) = head.service else {
        decline(leg, Declined::no_service()).await;
        return None;
    };
    let speaks = match service.policy.mode {
        Mode::Mqtt => tunnel::Mode::Mqtt,
        Mode::Tcp => tunnel::Mode::Tcp,
    };
    let Some(listener) = service.tunnels else {
        decline(leg, Declined::no_service()).await;
        return None;
    };
    let carried = Carried { from: from.site, peer: from.peer, leased: head.leased };
    let turn_away = |reason| service.pools.decline(service.id, carried.from, reason);
    if speaks != head.mode {
        decline(leg, turn_away(TunnelRefusal::NoService)).await;
        return None;
    }
    if !worker.node.limit.enter() {
        decline(leg, turn_away(TunnelRefusal::Full)).await;
        return None;
    }
    let mut story = Story::begin(&worker, &service, listener, head.client);
    story.counted = true;
    story.far = Some(Box::new(Far::SentBy(from.site_name)));
    let mut flow = Flow::new(&service.policy, story.since());
    if let Err(reason) = flow.carried(head.hop, head.left, story.now()) {
        let declined = turn_away(reason);
        let ending = Ending::new(Cause::Policy, Phase::Opening);
        story.end(ending, (0, 0), Left::default(), None);
        decline(leg, declined).await;
        return None;
    }
    let mut client = Client::new(leg, head.client);
    client.to = Some(head.listener);
    client.said = head.said;
    let first = match service.policy.mode {
        Mode::Tcp => Event::Accepted,
        // It is whole: what is not understood is an end, as at home.
        Mode::Mqtt => {
            let opening = client.open(head.opening, service.log_clients);
            match timeout(HEAD, opening).await {
                Ok(Ok(opening)) => {
                    story.introduce(&mut client);
                    Event::Opened(opening)
                }
                Ok(Err(fault)) => Event::OpeningFailed(fault),
                Err(_) => Event::OpeningFailed(OpeningFault::TooSlow),
            }
        }
    };
    attempts(Way::new(story, client, Some(carried)), flow, first).await
}

async fn read_head(leg: &mut Leg, services: &[Arc<Service>]) -> Result<Came, ()> {
    let mut reader = FrameReader::new(WORD_MAX);
    let mut came = Vec::new();
    let mut skipped = 0;
    let mut head = loop {
        came.clear();
        read(leg, &mut came, PIECE).await?;
        let mut input = &came[..];
        let mut found = None;
        while let Some(frame) = reader.next(&mut input).map_err(|_| ())? {
            match Word::decode(frame).map_err(|_| ())? {
                Word::Open(open) => {
                    found = Some(Head::of(&open, services));
                    break;
                }
                Word::LeaseAsk(ask) => {
                    return Ok(Came::Asks(named(services, ask.service), ask.n));
                }
                Word::Unknown(_) if skipped < SKIPPED_MAX => skipped += 1,
                _ => return Err(()),
            }
        }
        if let Some(mut head) = found {
            head.said.extend_from_slice(input);
            break head;
        }
    };
    let max = (head.opening + HELD_MAX).min(OPENING_MAX as usize + HELD_MAX);
    while head.said.len() < head.opening {
        read(leg, &mut head.said, max).await?;
    }
    Ok(Came::Flow(head))
}

fn named(services: &[Arc<Service>], name: &str) -> Option<Arc<Service>> {
    services.iter().find(|service| *service.name == *name).cloned()
}

async fn read(leg: &mut Leg, into: &mut Vec<u8>, max: usize) -> Result<(), ()> {
    match poll_fn(|cx| buffer::poll_read_onto(leg, into, max, cx)).await {
        Ok(n) if n > 0 => Ok(()),
        _ => Err(()),
    }
}

impl Head {
    fn of(open: &Open<'_>, services: &[Arc<Service>]) -> Head {
        Head {
            service: named(services, open.service),
            client: open.client,
            listener: open.listener,
            mode: open.mode,
            left: Duration::from_millis(u64::from(open.deadline_ms)),
            hop: open.hop,
            leased: open.lease.is_some(),
            opening: open.opening as usize,
            said: Vec::new(),
        }
    }
}

/// The word that goes before a broker's answer.
pub(super) fn committed(story: &Story) -> Vec<u8> {
    let broker = story.broker.map(|id| story.service.broker(id).name.clone());
    let broker = broker.as_deref().unwrap_or_default();
    let mut word = Vec::new();
    let committed = Committed { code: story.connack, broker };
    // It is short.
    let _ = Word::Committed(committed).encode(&mut word);
    word
}

/// Tells the sender that its flow is not taken.
pub(super) async fn decline(leg: Leg, declined: Declined) {
    let Declined { reason, headroom, retry_after } = declined;
    let retry_after_ms = retry_after.as_millis().min(u128::from(u32::MAX)) as u32;
    let refused = Refused { reason: refused(reason), headroom, retry_after_ms };
    let mut word = Vec::new();
    if Word::Refused(refused).encode(&mut word).is_ok() {
        farewell::say_and_close(leg, &word).await;
    }
}
