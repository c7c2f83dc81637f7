//! The sender's end of a tunnel: a flow that another site shall carry.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use isobar_core::flow::{Answer, Event};
use isobar_core::id::{PeerId, SiteId};
use isobar_core::policy::Mode;
use isobar_core::retry::{TunnelFailure, TunnelRefusal};
use isobar_core::spill::{AskAbroad, Crossing};
use isobar_core::time::Time;
use isobar_wire::frame::FrameReader;
use isobar_wire::tunnel::{self, Open, Reason, Refused, SKIPPED_MAX, WORD_MAX, Word};
use tokio::io::AsyncWriteExt;

use super::way::{Way, watch};
use crate::answer::{First, first_answer};
use crate::buffer;
use crate::dial::Upstream;
use crate::leg::Leg;
use crate::mesh::MeshHandle;
use crate::pools::AwayReply;

/// The head of a stream of answers is read in pieces of at most this.
const HEAD_MAX: usize = 16 * 1024;

/// A tunnel that was committed over there.
struct Crossed {
    leg: Leg,
    /// In mode `tcp` none is waited for.
    answer: Option<(Answer, Option<u8>)>,
}

impl Way {
    /// Learns whether another site could take the flow.
    pub(super) fn look_abroad(&mut self) {
        let service = &self.story.service;
        let spills = service.policy.spill.enabled && self.story.worker.node.mesh.get().is_some();
        self.sees_sites = spills && self.carried.is_none() && service.pools.may_spill(service.id);
    }

    pub(super) fn place_abroad(&mut self, ask: &AskAbroad, tried: &[SiteId]) -> Event {
        let service = &self.story.service;
        match service.pools.place_abroad(service.id, self.story.card.id, ask, tried) {
            AwayReply::Site(away) => {
                let course = away.course();
                let mesh = self.story.worker.node.mesh.get();
                let site = mesh.map(|mesh| mesh.site_name(course.site));
                self.story.goes_to(site, self.waited);
                self.away = Some(away);
                Event::Site(course)
            }
            AwayReply::Later(at) => Event::SiteLater(at),
            AwayReply::Nowhere(nowhere) => Event::NoSite(nowhere),
        }
    }

    /// A flow that another site takes has come late if nobody is told to come here any more.
    pub(super) fn count_stale(&self) {
        let service = &self.story.service;
        let mesh = self.story.worker.node.mesh.get();
        if mesh.is_some_and(|mesh| !mesh.is_home_named(service.index)) {
            service.counters.stale_arrivals.up();
        }
    }

    /// What became of the way to another site. Unless the flow stays there, that is given up.
    pub(super) fn cross(&mut self, crossing: Crossing, commits: bool) {
        if let Some(away) = &mut self.away {
            away.settle(crossing);
        }
        if !commits {
            self.away = None;
            self.upstream = None;
        }
    }

    /// Opens a tunnel and waits for its one answer.
    pub(super) async fn tunnel(
        &mut self,
        door: PeerId,
        until: Time,
        left: Duration,
        hop: u8,
    ) -> Event {
        let failed = Event::TunnelFailed(TunnelFailure::NoLink);
        let Some(mesh) = self.story.worker.node.mesh.get().cloned() else { return failed };
        let Some(head) = self.head(left, hop) else { return failed };
        let protocol = self.client.hello.as_ref().map(|hello| hello.protocol);
        let is_mqtt = self.story.service.policy.mode == Mode::Mqtt;
        let mut answer = std::mem::take(&mut self.answer);
        answer.clear();
        let (story, alarm) = (&self.story, &mut self.alarm);
        let crossing = async {
            let mut crossed = open(&mesh, door, &head, &mut answer).await?;
            if is_mqtt {
                let leg = &mut crossed.leg;
                match first_answer(leg, &mut answer, protocol, &story.service).await {
                    First::Answer(said, code) => crossed.answer = Some((said, code)),
                    First::Silence => return Err(Event::TunnelFailed(TunnelFailure::Lost)),
                }
            }
            Ok(crossed)
        };
        let came = watch(story, &mut self.client, alarm, until, crossing).await;
        self.answer = answer;
        match came {
            Ok(Ok(Crossed { leg, answer })) => {
                self.upstream = Some(Upstream { stream: leg, _lease: None });
                self.story.connected();
                self.story.connack = answer.and_then(|(_, code)| code);
                Event::TunnelCommitted(answer.map(|(answer, _)| answer))
            }
            Ok(Err(event)) => event,
            Err(interrupt) => interrupt.into(),
        }
    }

    /// What is said at the head of a tunnel: header and CONNECT.
    fn head(&self, left: Duration, hop: u8) -> Option<Vec<u8>> {
        let service = &self.story.service;
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let opening = &self.client.said[..self.client.opening];
        let ms = |time: Duration| time.as_millis().min(u128::from(u32::MAX)) as u32;
        let open = Open {
            service: &service.name,
            client: self.client.addr,
            listener: self.client.came_to().unwrap_or(unknown),
            mode: match service.policy.mode {
                Mode::Mqtt => tunnel::Mode::Mqtt,
                Mode::Tcp => tunnel::Mode::Tcp,
            },
            deadline_ms: ms(left),
            hop,
            flow: self.story.card.id.0,
            attempt: self.story.retries,
            age_ms: ms(self.story.now().since(self.story.since())),
            lease: self.away.as_ref().is_some_and(|away| away.is_leased()).then_some(0),
            opening: u32::try_from(opening.len()).ok()?,
        };
        let mut head = Vec::with_capacity(256 + opening.len());
        // An opening beyond the tunnel's own limit stays at home.
        Word::Open(open).encode(&mut head).ok()?;
        head.extend_from_slice(opening);
        Some(head)
    }
}

/// Opens a stream to a node, says `head`, and reads until the flow is committed. What follows that
/// word is the broker's, and begins `answer`.
async fn open(
    mesh: &MeshHandle,
    door: PeerId,
    head: &[u8],
    answer: &mut Vec<u8>,
) -> Result<Crossed, Event> {
    let lost = || Event::TunnelFailed(TunnelFailure::Lost);
    let tunnel = mesh.data.tunnel(door).await;
    let tunnel = tunnel.map_err(|_| Event::TunnelFailed(TunnelFailure::NoLink))?;
    let mut leg = Leg::Tunnel(Box::new(tunnel));
    leg.write_all(head).await.map_err(|_| lost())?;
    let mut reader = FrameReader::new(WORD_MAX);
    let mut came = Vec::new();
    let mut skipped = 0;
    loop {
        came.clear();
        let read = poll_fn(|cx| buffer::poll_read_onto(&mut leg, &mut came, HEAD_MAX, cx)).await;
        if !matches!(read, Ok(n) if n > 0) {
            return Err(lost());
        }
        let mut input = &came[..];
        while let Some(frame) = reader.next(&mut input).map_err(|_| lost())? {
            match Word::decode(frame).map_err(|_| lost())? {
                Word::Committed(_) => {
                    answer.extend_from_slice(input);
                    return Ok(Crossed { leg, answer: None });
                }
                Word::Refused(refused) => return Err(declined(refused)),
                _ => skipped += 1,
            }
            if skipped > SKIPPED_MAX {
                return Err(lost());
            }
        }
    }
}

fn declined(refused: Refused) -> Event {
    let Refused { reason, headroom, retry_after_ms } = refused;
    let reason = match reason {
        Reason::Full => TunnelRefusal::Full,
        Reason::TooFast | Reason::Busy => TunnelRefusal::TooFast,
        Reason::Draining | Reason::Stopping => TunnelRefusal::Draining,
        Reason::NoService => TunnelRefusal::NoService,
        Reason::NoBroker => TunnelRefusal::NoBroker,
        Reason::Failed | Reason::Other(_) => TunnelRefusal::Failed,
        Reason::Deadline => TunnelRefusal::Deadline,
        Reason::Hop => TunnelRefusal::Hop,
        Reason::AtFault => TunnelRefusal::AtFault,
        Reason::Silent => TunnelRefusal::Silent,
    };
    let retry_after = Duration::from_millis(u64::from(retry_after_ms));
    Event::TunnelRefused { reason, headroom, retry_after }
}

/// What a broker of ours could not do for a client, in the words of a tunnel.
pub(super) fn refused(reason: TunnelRefusal) -> Reason {
    match reason {
        TunnelRefusal::Full => Reason::Full,
        TunnelRefusal::TooFast => Reason::TooFast,
        TunnelRefusal::Draining => Reason::Draining,
        TunnelRefusal::NoService => Reason::NoService,
        TunnelRefusal::NoBroker => Reason::NoBroker,
        TunnelRefusal::Failed => Reason::Failed,
        TunnelRefusal::Deadline => Reason::Deadline,
        TunnelRefusal::Hop => Reason::Hop,
        TunnelRefusal::AtFault => Reason::AtFault,
        TunnelRefusal::Silent => Reason::Silent,
    }
}
