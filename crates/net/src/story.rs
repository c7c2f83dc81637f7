//! What is told of a flow when it ends: one log line, its counters, its places given back.
//!
//! Everything that was counted in for a flow is counted out when its [`Story`] is dropped,
//! also where its task was cancelled or panicked: then the ending told is "internal".

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use isobar_core::admission::TooMany;
use isobar_core::ending::{Cause, Ending, Phase};
use isobar_core::flow::Refusal;
use isobar_core::id::BrokerId;
use isobar_core::pool::{Left, Rejection};
use isobar_core::time::Time;

use crate::client::Client;
use crate::counters::Reason;
use crate::log::{FlowRecord, Personal};
use crate::registry::Card;
use crate::service::{Listener, Service};
use crate::settings::FlowLog;
use crate::worker::Worker;

/// One flow's story, from accept to end.
#[derive(Debug)]
pub struct Story {
    /// Who carries it.
    pub worker: Arc<Worker>,
    /// What it came to.
    pub service: Arc<Service>,
    /// Its card.
    pub card: Arc<Card>,
    /// Where it comes from.
    pub client: SocketAddr,
    /// Index into the service's listeners.
    pub listener: u16,
    /// Attempts after the first.
    pub retries: u8,
    /// The code of the CONNACK the client saw.
    pub connack: Option<u8>,
    /// The broker of the last attempt.
    pub broker: Option<BrokerId>,
    /// Another site that has to do with it. In a box, for most flows have none.
    pub far: Option<Box<Far>>,
    /// Whether another broker was tried before.
    pub redispatched: bool,
    /// Holds one of the node's places.
    pub counted: bool,
    /// Holds one of its source's places.
    pub watched: bool,
    ended: bool,
    accepted: Time,
    waited_us: u32,
    connected_us: u32,
    /// Id and version, where the log names clients.
    pub personal: Option<Box<Who>>,
}

/// What another site has to do with a flow.
#[derive(Debug)]
pub enum Far {
    /// It carries it.
    CarriedBy(Arc<str>),
    /// It sent it here.
    SentBy(Arc<str>),
}

/// A client's id and version.
#[derive(Debug)]
pub struct Who {
    /// Client id.
    pub id: Box<[u8]>,
    /// MQTT version.
    pub version: &'static str,
}

/// Not measured.
const NONE: u32 = u32::MAX;

impl Story {
    /// A client was accepted.
    pub fn begin(
        worker: &Arc<Worker>,
        service: &Arc<Service>,
        listener: u16,
        client: SocketAddr,
    ) -> Story {
        let now = worker.node.clock.now();
        let second = now.0 / 1_000_000_000;
        service.listeners[usize::from(listener)].gauge.enter(second);
        Story {
            card: worker.registry.enter(service.index),
            worker: worker.clone(),
            service: service.clone(),
            client,
            listener,
            retries: 0,
            connack: None,
            broker: None,
            far: None,
            redispatched: false,
            counted: false,
            watched: false,
            ended: false,
            accepted: now,
            waited_us: NONE,
            connected_us: NONE,
            personal: None,
        }
    }

    /// When its client came.
    pub fn since(&self) -> Time {
        self.accepted
    }

    /// Counts it in at its source address, if that has limits.
    pub fn watch(&mut self) -> Result<(), Reason> {
        let Some(sources) = &self.service.sources else { return Ok(()) };
        let now = self.now();
        // A panic between two operations on the table leaves it whole.
        let mut sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
        self.watched = match sources.enter(self.client.ip(), now) {
            Ok(watched) => watched,
            Err(TooMany::Flows) => return Err(Reason::SourceFull),
            Err(TooMany::Rate) => return Err(Reason::SourceRate),
        };
        Ok(())
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.worker.node.clock.now()
    }

    /// The listener it came to.
    pub fn listener(&self) -> &Listener {
        &self.service.listeners[usize::from(self.listener)]
    }

    /// It was placed, after waiting so long in all.
    pub fn placed(&mut self, broker: BrokerId, waited: Duration) {
        self.redispatched |= self.broker.is_some_and(|before| before != broker);
        self.broker = Some(broker);
        if let Some(Far::CarriedBy(_)) = self.far.as_deref() {
            self.far = None;
        }
        self.waited_us = waited.as_micros().min(u128::from(NONE - 1)) as u32;
    }

    /// It goes to another site, after waiting so long in all.
    pub fn goes_to(&mut self, site: Option<Arc<str>>, waited: Duration) {
        let elsewhere = matches!(self.far.as_deref(), Some(Far::CarriedBy(_)));
        self.redispatched |= self.broker.is_some() || elsewhere;
        self.broker = None;
        self.far = site.map(|site| Box::new(Far::CarriedBy(site)));
        self.waited_us = waited.as_micros().min(u128::from(NONE - 1)) as u32;
    }

    /// Notes who its client is, where the log names clients.
    pub fn introduce(&mut self, client: &mut Client) {
        if let Some(hello) = &mut client.hello
            && let Some(id) = hello.id.take()
        {
            self.personal = Some(Box::new(Who { id, version: hello.protocol.as_str() }));
        }
    }

    /// A broker's connection stands.
    pub fn connected(&mut self) {
        let took = self.now().since(self.accepted).as_micros().min(u128::from(NONE - 1)) as u32;
        let waited = if self.waited_us == NONE { 0 } else { self.waited_us };
        self.connected_us = took.saturating_sub(waited);
    }

    /// The CONNACK came.
    pub fn committed(&mut self, code: Option<u8>) {
        self.connack = code;
        let took = self.now().since(self.accepted);
        self.service.counters.connack.add(took);
    }

    /// A limit or fault turned it down.
    pub fn refused(&self, reason: Reason) {
        self.service.counters.refused(reason);
        match reason {
            Reason::NodeFull
            | Reason::SourceFull
            | Reason::SourceRate
            | Reason::Refused(Refusal::Pool(Rejection::ServiceFull)) => {
                self.listener().denied.up();
            }
            Reason::NotMqtt | Reason::TooLong | Reason::TooSlow | Reason::ClientGone => {
                self.listener().bad_openings.up();
            }
            Reason::Refused(_) | Reason::ProvisionRate => {}
        }
    }

    /// The end.
    pub fn end(mut self, ending: Ending, bytes: (u64, u64), left: Left, reason: Option<Reason>) {
        self.tell(ending, bytes, left, reason);
    }

    fn tell(
        &mut self,
        ending: Ending,
        (bytes_in, bytes_out): (u64, u64),
        left: Left,
        reason: Option<Reason>,
    ) {
        self.ended = true;
        let service = &self.service;
        service.counters.ended(ending);
        if service.log == FlowLog::Off {
            return;
        }
        let us = |us: u32| (us != NONE).then(|| Duration::from_micros(u64::from(us)));
        let node = &self.worker.node;
        // The clock on the wall is asked at the end alone: a flow has no room for what it said.
        let total = self.now().since(self.accepted);
        let personal = self.personal.take().map(|personal| Personal {
            client_id: personal.id,
            version: personal.version,
            connack: self.connack,
        });
        node.logger.log(FlowRecord {
            form: service.log,
            accepted: SystemTime::now().checked_sub(total).unwrap_or(SystemTime::UNIX_EPOCH),
            client: self.client,
            listener: self.listener().addr,
            flow: self.card.id,
            service: service.name.clone(),
            broker: self.broker.map(|id| service.broker(id).name.clone()),
            site: match self.far.as_deref() {
                Some(Far::CarriedBy(site)) => Some(site.clone()),
                _ => None,
            },
            via: match self.far.as_deref() {
                Some(Far::SentBy(site)) => Some(site.clone()),
                _ => None,
            },
            waited: us(self.waited_us),
            connected: us(self.connected_us),
            total,
            bytes_in,
            bytes_out,
            ending,
            reason: reason.map(Reason::label),
            left: [node.limit.figures().0, self.listener().gauge.now(), left.service, left.broker],
            retries: self.retries,
            redispatched: self.redispatched,
            personal,
        });
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if !self.ended {
            let ending = Ending::new(Cause::Internal, Phase::Done);
            self.tell(ending, (0, 0), Left::default(), None);
        }
        self.worker.registry.leave(self.card.id);
        self.listener().gauge.leave();
        if self.counted {
            self.worker.node.limit.leave();
        }
        if let (true, Some(sources)) = (self.watched, &self.service.sources) {
            let mut sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
            sources.leave(self.client.ip(), self.worker.node.clock.now());
        }
    }
}
