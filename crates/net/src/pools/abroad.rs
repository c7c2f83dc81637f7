//! Places at other sites, and what a pool says to them.

use std::sync::Arc;

use isobar_core::id::{BrokerId, FlowId, ServiceId, SiteId};
use isobar_core::outlook::Candidate;
use isobar_core::pool::{Declined, Left, Load};
use isobar_core::retry::TunnelRefusal;
use isobar_core::spill::{Abroad, AskAbroad, Course, Crossing, Nowhere, Passage};
use isobar_core::takeover::Taken;
use isobar_core::time::Time;

use super::{Placed, Pools};

impl Pools {
    /// Whether another site could take a flow of this service now.
    pub fn may_spill(&self, service: ServiceId) -> bool {
        let now = self.clock.now();
        self.lock().pool.may_spill(now, service)
    }

    /// Asks for a site.
    pub fn place_abroad(
        self: &Arc<Pools>,
        service: ServiceId,
        flow: FlowId,
        ask: &AskAbroad,
        tried: &[SiteId],
    ) -> AwayReply {
        let now = self.clock.now();
        let mut inner = self.lock();
        let abroad = inner.pool.place_abroad(now, service, flow, ask, tried);
        self.finish(inner);
        match abroad {
            Abroad::Site(passage) => {
                AwayReply::Site(Away { pools: self.clone(), passage: Some(passage) })
            }
            Abroad::Later(at) => AwayReply::Later(at),
            Abroad::Nowhere(nowhere) => AwayReply::Nowhere(nowhere),
        }
    }

    /// Takes in what the mesh has published for a service.
    pub fn handle_candidates(&self, service: ServiceId, candidates: &[Candidate]) {
        let now = self.clock.now();
        self.lock().pool.handle_candidates(now, service, candidates);
    }

    /// What a service says of itself to others.
    pub fn load(&self, service: ServiceId) -> Load {
        let now = self.clock.now();
        self.lock().pool.load(now, service)
    }

    /// A flow that came by tunnel is not taken: what is said to its sender.
    pub fn decline(&self, service: ServiceId, from: SiteId, reason: TunnelRefusal) -> Declined {
        let now = self.clock.now();
        self.lock().pool.decline(now, service, from, reason)
    }

    /// No flows of other sites are taken from now on.
    pub fn close_to_others(&self) {
        self.lock().pool.drain(true);
    }
}

/// Where a committed flow is.
#[derive(Debug)]
pub enum Place {
    /// On a broker of ours.
    Broker(Placed),
    /// At another site; in a box, for most flows never go there.
    Site(Box<Away>),
}

impl Place {
    /// The broker, if it is one of ours.
    pub fn broker(&self) -> Option<BrokerId> {
        match self {
            Place::Broker(placed) => Some(placed.broker()),
            Place::Site(_) => None,
        }
    }

    /// Who holds the client.
    pub fn taken(&self) -> Taken {
        match self {
            Place::Broker(placed) => placed.broker().into(),
            Place::Site(away) => away.course().site.into(),
        }
    }

    /// Gives the place back and says who is left.
    pub fn release(self) -> Left {
        match self {
            Place::Broker(placed) => placed.release(),
            Place::Site(_) => Left::default(),
        }
    }
}

/// A place on the way to a site; given back when dropped.
#[derive(Debug)]
pub struct Away {
    pools: Arc<Pools>,
    passage: Option<Passage>,
}

/// What a request for a site came to.
#[derive(Debug)]
pub enum AwayReply {
    /// Go there.
    Site(Away),
    /// There is room, and a turn at this time.
    Later(Time),
    /// No other site will do.
    Nowhere(Nowhere),
}

impl Away {
    /// Where.
    pub fn course(&self) -> Course {
        self.passage().course()
    }

    /// Whether it uses a place that was lent ahead.
    pub fn is_leased(&self) -> bool {
        self.passage().is_leased()
    }

    /// Says what became of the tunnel.
    pub fn settle(&mut self, crossing: Crossing) {
        let Some(passage) = &mut self.passage else { return };
        let now = self.pools.clock.now();
        let mut inner = self.pools.lock();
        inner.pool.settle_abroad(now, passage, crossing);
        self.pools.finish(inner);
    }

    fn passage(&self) -> &Passage {
        self.passage.as_ref().expect("a passage is taken out only when this is dropped")
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let Some(passage) = self.passage.take() else { return };
        let now = self.pools.clock.now();
        let mut inner = self.pools.lock();
        inner.pool.release_abroad(now, passage);
        self.pools.finish(inner);
    }
}
