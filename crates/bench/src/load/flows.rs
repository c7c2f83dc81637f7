//! The flows of a load, on one epoll instance: opening them, and moving packets on them.

use std::io;
use std::net::SocketAddr;
use std::process;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Registry, Token};

use super::AT_ONCE;
use crate::conn::{Chunk, Conn};
use crate::failure::{Context, Failure, Result};
use crate::mqtt;
use crate::sockets::Dialer;

/// What follows a CONNACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    /// DISCONNECT and close.
    Disconnect,
    /// Nothing.
    Keep,
    /// A subscription to the flow's own topic; a real broker echoes then, too.
    Subscribe,
}

/// How an opening went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Opened {
    pub(super) done: u64,
    pub(super) failed: u64,
}

/// What epoll said of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) slot: usize,
    readable: bool,
    ended: bool,
}

/// All flows of a load.
pub(super) struct Flows {
    poll: Poll,
    events: Events,
    ready: Vec<Ready>,
    flows: Vec<Option<Flow>>,
    free: Vec<usize>,
    scratch: Vec<u8>,
    dialer: Dialer,
    born: u64,
    /// Open flows that ended by themselves.
    lost: u64,
    deadline: Instant,
}

struct Flow {
    conn: Conn,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Dialing,
    Asked,
    Subscribing,
    Open,
}

impl Flows {
    /// Flows go to each of `targets` in turn; every wait ends with an error after `limit`.
    pub(super) fn new(targets: Vec<SocketAddr>, limit: Duration) -> Result<Self> {
        Ok(Self {
            poll: Poll::new().context("making an epoll instance")?,
            events: Events::with_capacity(1024),
            ready: Vec::new(),
            flows: Vec::new(),
            free: Vec::new(),
            scratch: vec![0; 256 << 10],
            dialer: Dialer::new(targets, process::id().wrapping_mul(7919)),
            born: 0,
            lost: 0,
            deadline: Instant::now() + limit,
        })
    }

    /// Where a timer can be registered, with [`Flows::OTHER`] as its token.
    pub(super) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// A token that is no flow's: its events end a wait and are not listed.
    pub(super) const OTHER: Token = Token(usize::MAX);

    /// The topic of the flow in a slot.
    pub(super) fn topic(slot: usize) -> String {
        format!("b/{slot:05}")
    }

    /// Slots of the flows that are open.
    pub(super) fn open_slots(&self) -> Vec<usize> {
        let is_open = |f: &Option<Flow>| f.as_ref().is_some_and(|f| f.stage == Stage::Open);
        (0..self.flows.len()).filter(|&slot| is_open(&self.flows[slot])).collect()
    }

    /// Opens `count` flows, [`AT_ONCE`] at once.
    ///
    /// # Errors
    /// When the time is over. A flow that fails is counted.
    pub(super) fn open(&mut self, count: u32, then: Then) -> Result<Opened> {
        let mut opened = Opened::default();
        let (mut started, mut waiting) = (0, 0);
        loop {
            while waiting < AT_ONCE && started < count {
                started += 1;
                match self.start() {
                    Ok(()) => waiting += 1,
                    Err(_) => opened.failed += 1,
                }
            }
            if waiting == 0 {
                return Ok(opened);
            }
            self.wait(None)?;
            for i in 0..self.ready.len() {
                match self.advance(self.ready[i], then) {
                    None => {}
                    Some(true) => (waiting, opened.done) = (waiting - 1, opened.done + 1),
                    Some(false) => (waiting, opened.failed) = (waiting - 1, opened.failed + 1),
                }
            }
        }
    }

    /// Opens flows, every one of which must succeed.
    pub(super) fn open_all(&mut self, count: u32, then: Then) -> Result<()> {
        let opened = self.open(count, then)?;
        if opened.failed > 0 {
            return Err(Failure::new(format!(
                "{} of {count} flows were not opened",
                opened.failed
            )));
        }
        Ok(())
    }

    /// Waits for events, at most `limit`; they are then in [`Flows::take_ready`].
    pub(super) fn wait(&mut self, limit: Option<Duration>) -> Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::new("the load did not finish in time"));
        }
        self.ready.clear();
        match self.poll.poll(&mut self.events, Some(limit.unwrap_or(left).min(left))) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other.context("waiting for events")?,
        }
        let of_flows = self.events.iter().filter(|event| event.token() != Self::OTHER);
        self.ready.extend(of_flows.map(|event| Ready {
            slot: event.token().0,
            readable: event.is_readable() || event.is_error(),
            ended: event.is_read_closed(),
        }));
        Ok(())
    }

    /// The events of the last wait. Give the buffer back with [`Flows::put_ready`].
    pub(super) fn take_ready(&mut self) -> Vec<Ready> {
        std::mem::take(&mut self.ready)
    }

    /// Gives the buffer of [`Flows::take_ready`] back for the next wait.
    pub(super) fn put_ready(&mut self, ready: Vec<Ready>) {
        self.ready = ready;
    }

    /// Reads what an open flow has received.
    ///
    /// # Errors
    /// When the flow has ended: no flow may, while messages are measured.
    pub(super) fn receive(&mut self, ready: Ready, mut handle: impl FnMut(&[u8])) -> Result<()> {
        let Some(flow) = self.flows.get_mut(ready.slot).and_then(Option::as_mut) else {
            return Ok(());
        };
        let conn = &mut flow.conn;
        conn.flush().context("sending on a flow")?;
        if !ready.readable {
            return Ok(());
        }
        loop {
            match conn.read(&mut self.scratch, &mut handle).context("reading a flow")? {
                Chunk::More => {}
                Chunk::Drained if !ready.ended => return Ok(()),
                Chunk::Drained | Chunk::Closed => {
                    return Err(Failure::new("a flow was closed on the load"));
                }
            }
        }
    }

    /// Sends on an open flow.
    pub(super) fn send(&mut self, slot: usize, bytes: &[u8]) -> Result<()> {
        match self.flows.get_mut(slot).and_then(Option::as_mut) {
            Some(flow) => flow.conn.send(bytes).context("sending on a flow"),
            None => Err(Failure::new("sending on a flow that has ended")),
        }
    }

    /// How many of the flows have ended by themselves.
    pub(super) fn count_lost(&mut self) -> Result<u64> {
        loop {
            self.wait(Some(Duration::ZERO))?;
            if self.ready.is_empty() {
                return Ok(self.lost);
            }
            self.lost += self.ready.iter().filter(|ready| ready.ended).count() as u64;
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let mut conn = Conn::new(self.dialer.dial()?);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.flows.push(None);
            self.flows.len() - 1
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(conn.stream_mut(), Token(slot), interest)?;
        self.flows[slot] = Some(Flow { conn, stage: Stage::Dialing });
        Ok(())
    }

    /// Takes a flow further. True when it is open, false when it failed, `None` on the way.
    fn advance(&mut self, ready: Ready, then: Then) -> Option<bool> {
        // An event of a flow that ended earlier in this batch may name a slot that is empty or
        // used anew: edge-triggered, such a one is harmless.
        let flow = self.flows.get_mut(ready.slot)?.as_mut()?;
        let before = flow.stage;
        if before == Stage::Dialing {
            self.born += 1;
        }
        let stepped = step(flow, ready, then, self.born, &mut self.scratch);
        match stepped {
            Ok(Stage::Open) if then == Then::Disconnect => {
                self.drop_flow(ready.slot);
                Some(true)
            }
            Ok(Stage::Open) => (before != Stage::Open).then_some(true),
            Ok(_) => None,
            Err(_) => {
                self.drop_flow(ready.slot);
                self.lost += u64::from(before == Stage::Open);
                (before != Stage::Open).then_some(false)
            }
        }
    }

    fn drop_flow(&mut self, slot: usize) {
        self.flows[slot] = None;
        self.free.push(slot);
    }
}

fn step(
    flow: &mut Flow,
    ready: Ready,
    then: Then,
    number: u64,
    scratch: &mut [u8],
) -> io::Result<Stage> {
    if flow.stage == Stage::Dialing {
        if flow.conn.connected()? {
            flow.conn.send(&mqtt::connect(&format!("bench-{number}")))?;
            flow.stage = Stage::Asked;
        }
        return Ok(flow.stage);
    }
    if !ready.readable {
        return Ok(flow.stage);
    }
    let (mut accepted, mut granted) = (false, false);
    let chunk = flow.conn.read(scratch, |packet| {
        accepted |= mqtt::is_accepted(packet);
        granted |= mqtt::kind_of(packet) == mqtt::kind::SUBACK;
    })?;
    flow.stage = match (flow.stage, then) {
        (Stage::Asked, Then::Disconnect) if accepted => {
            flow.conn.send(&mqtt::DISCONNECT)?;
            Stage::Open
        }
        (Stage::Asked, Then::Keep) if accepted => Stage::Open,
        (Stage::Asked, Then::Subscribe) if accepted => {
            flow.conn.send(&mqtt::subscribe(&Flows::topic(ready.slot)))?;
            Stage::Subscribing
        }
        (Stage::Subscribing, _) if granted => Stage::Open,
        _ if chunk == Chunk::Closed || ready.ended => {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (stage, _) => stage,
    };
    Ok(flow.stage)
}
