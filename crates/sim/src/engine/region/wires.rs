//! The wires between a site's nodes and its brokers: nothing is lost on them, and it takes its
//! time.

use std::time::Duration;

use super::place::Seat;
use super::terms::Event;
use super::{Region, class};
use crate::drill::Death;
use crate::engine::broker::{Conn, Segment, Signal};
use crate::engine::draw::Purpose;
use crate::engine::wheel::Key;

/// From a node to a broker or back.
pub(super) const ONE_WAY: Duration = Duration::from_micros(100);
/// A SYN is sent again after this, then twice as long, as Linux does.
const SYN_AGAIN: Duration = Duration::from_secs(1);

/// Who on a node holds a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    Flow(Seat),
    /// Node, kind.
    Probe(u8, u8),
    /// It was hung up, and its FIN is on the way.
    Nobody,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Asked,
    Stands,
    Closed,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    life: u32,
    broker: u16,
    owner: Owner,
    state: State,
    count: u32,
    used: bool,
    /// It is a probe's.
    probe: bool,
}

/// Connections in the making, and those of probes.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: Vec<Line>,
    free: Vec<u32>,
}

impl Lines {
    /// Whose flow that is on.
    pub(crate) fn seat_of(&self, conn: Conn) -> Option<Seat> {
        match self.lines.get(conn.slot as usize)?.owner {
            Owner::Flow(seat) => Some(seat),
            Owner::Probe(..) | Owner::Nobody => None,
        }
    }

    fn open(&mut self, broker: u16, owner: Owner) -> Conn {
        let slot = self.free.pop().unwrap_or_else(|| {
            let (owner, state) = (Owner::Nobody, State::Closed);
            let line =
                Line { life: 0, broker: 0, owner, state, count: 0, used: false, probe: false };
            self.lines.push(line);
            (self.lines.len() - 1) as u32
        });
        let line = &mut self.lines[slot as usize];
        (line.broker, line.owner, line.state, line.used) = (broker, owner, State::Asked, true);
        line.probe = matches!(owner, Owner::Probe(..));
        Conn { slot, life: line.life }
    }

    fn at(&mut self, conn: Conn) -> Option<&mut Line> {
        let line = self.lines.get_mut(conn.slot as usize)?;
        (line.used && line.life == conn.life).then_some(line)
    }

    fn close(&mut self, conn: Conn) {
        if let Some(line) = self.at(conn) {
            line.used = false;
            line.life = line.life.wrapping_add(1);
            self.free.push(conn.slot);
        }
    }

    /// Whether a flow's connection to it is in the making, or on its way out.
    pub(crate) fn busy(&self, broker: u16) -> bool {
        self.lines.iter().any(|line| line.used && line.broker == broker && !line.probe)
    }

    fn of(&self, broker: u16) -> Vec<Conn> {
        let lines = self.lines.iter().enumerate();
        let here = lines.filter(|(_, line)| line.used && line.broker == broker);
        here.map(|(slot, line)| Conn { slot: slot as u32, life: line.life }).collect()
    }
}

impl Region {
    fn line_key(&mut self, conn: Conn) -> Key {
        let Some(line) = self.lines.lines.get_mut(conn.slot as usize) else { return Key(0) };
        line.count += 1;
        Key::new(class::LINE, conn.slot, line.count)
    }

    pub(super) fn broker_key(&mut self, broker: u16) -> Key {
        let count = &mut self.brokers[usize::from(broker)].count;
        *count += 1;
        Key::new(class::BROKER, u32::from(broker), *count)
    }

    /// Opens a connection.
    pub(super) fn dial(&mut self, broker: u16, owner: Owner) -> Conn {
        let conn = self.lines.open(broker, owner);
        let slow = self.slowness(owner);
        self.tells_broker(conn, Segment::Syn(0), ONE_WAY + slow);
        conn
    }

    /// Sends something on a connection.
    pub(super) fn tells_broker(&mut self, conn: Conn, segment: Segment, after: Duration) {
        let key = self.line_key(conn);
        self.agenda.push(self.now() + after, key, Event::Reaches(conn, segment));
    }

    pub(super) fn send_hello(&mut self, conn: Conn) {
        let slow = self.slowness(self.owner_of(conn));
        self.tells_broker(conn, Segment::Hello, ONE_WAY + slow);
    }

    pub(super) fn send_ping(&mut self, conn: Conn) {
        let slow = self.slowness(self.owner_of(conn));
        self.tells_broker(conn, Segment::Ping, ONE_WAY + slow);
    }

    pub(super) fn owner_of(&self, conn: Conn) -> Owner {
        let line = self.lines.lines.get(conn.slot as usize);
        let here = line.filter(|line| line.used && line.life == conn.life);
        here.map_or(Owner::Nobody, |line| line.owner)
    }

    /// How much later than others its node does all that it does.
    fn slowness(&self, owner: Owner) -> Duration {
        let node = match owner {
            Owner::Flow(seat) => self.seats.node_of(seat),
            Owner::Probe(node, _) => Some(node),
            Owner::Nobody => None,
        };
        node.map_or(Duration::ZERO, |node| self.nodes[usize::from(node)].slow)
    }

    /// Ends a connection, and hears no more of it.
    pub(super) fn hang_up(&mut self, conn: Conn) {
        let slow = self.slowness(self.owner_of(conn));
        self.hangs_up_after(conn, ONE_WAY + slow);
    }

    fn hangs_up_after(&mut self, conn: Conn, after: Duration) {
        if let Some(line) = self.lines.at(conn) {
            line.owner = Owner::Nobody;
            self.tells_broker(conn, Segment::Fin, after);
        }
    }

    /// A flow is committed on this connection: it is one of many from now on.
    pub(super) fn stands(&mut self, conn: Conn) {
        self.lines.close(conn);
    }

    /// One of those that stand is closed by the node.
    pub(super) fn leaves_broker(&mut self, broker: u16, life: u32) {
        let key = self.broker_key(broker);
        self.leaving[usize::from(broker)] += 1;
        self.agenda.push(self.now() + ONE_WAY, key, Event::Leaves { broker, life });
    }

    pub(super) fn leaves(&mut self, broker: u16, life: u32) {
        let leaving = &mut self.leaving[usize::from(broker)];
        *leaving = leaving.saturating_sub(1);
        if self.brokers[usize::from(broker)].life == life {
            let none = Conn { slot: u32::MAX, life: 0 };
            self.brokers[usize::from(broker)].receive(none, Segment::Leave);
            self.works(broker);
        }
    }

    /// Something reaches a broker.
    pub(super) fn reaches(&mut self, conn: Conn, segment: Segment) {
        let Some(line) = self.lines.at(conn) else { return };
        let (broker, owner, probe) = (line.broker, line.owner, line.probe);
        let now = self.now();
        let there = &mut self.brokers[usize::from(broker)];
        match segment {
            // It was given up before this SYN was sent again.
            Segment::Syn(n) if n > 0 && owner == Owner::Nobody => {}
            Segment::Syn(n) => match there.knock(conn) {
                Some(signal) => self.answers(conn, signal),
                None => {
                    let again = SYN_AGAIN * (1 << u32::from(n.min(5)));
                    self.tells_broker(conn, Segment::Syn(n.saturating_add(1)), again);
                }
            },
            segment => {
                let received = there.receive(conn, segment);
                if received && segment == Segment::Hello && !probe {
                    there.asked(now);
                }
                if !received && segment == Segment::Fin {
                    self.lines.close(conn);
                }
            }
        }
        self.works(broker);
    }

    fn answers(&mut self, conn: Conn, signal: Signal) {
        let key = self.line_key(conn);
        self.agenda.push(self.now() + ONE_WAY, key, Event::Hears(conn, signal));
    }

    /// A broker begins its next piece of work, if it can.
    pub(super) fn works(&mut self, broker: u16) {
        if let Some(cost) = self.brokers[usize::from(broker)].begin() {
            let key = self.broker_key(broker);
            let entity = (self.me as u64) << 16 | u64::from(broker);
            let there = &self.brokers[usize::from(broker)];
            let (shift, count) = (there.shift, u64::from(there.count));
            let more = self.draws.within(cost / 4, entity, Purpose::Work, count);
            self.agenda.push(self.now() + cost + more, key, Event::Worked { broker, shift });
        }
    }

    /// And has done it.
    pub(super) fn worked(&mut self, broker: u16, shift: u32) {
        let there = &mut self.brokers[usize::from(broker)];
        if there.shift != shift {
            return;
        }
        if let Some((conn, segment)) = there.finish() {
            if segment == Segment::Hello {
                there.answered(self.lines.at(conn).is_some_and(|line| line.probe));
            }
            match segment {
                Segment::Leave => there.leave(),
                segment => self.does(conn, segment),
            }
        }
        self.works(broker);
    }

    fn does(&mut self, conn: Conn, segment: Segment) {
        let Some(line) = self.lines.at(conn) else { return };
        let there = &mut self.brokers[usize::from(line.broker)];
        match (segment, line.state) {
            (Segment::Syn(_), _) => {
                if there.accept() {
                    line.state = State::Stands;
                    there.probes += u32::from(line.probe);
                } else {
                    line.state = State::Closed;
                    self.answers(conn, Signal::Closed);
                }
            }
            (Segment::Hello, State::Stands) => {
                there.hellos += 1;
                self.answers(conn, Signal::Connack);
            }
            (Segment::Ping, State::Stands) => self.answers(conn, Signal::Pong),
            (Segment::Hello | Segment::Ping, _) => self.answers(conn, Signal::Closed),
            (Segment::Fin, state) => {
                if state == State::Stands {
                    there.probes -= u32::from(line.probe);
                    there.leave();
                }
                self.lines.close(conn);
            }
            (Segment::Leave, _) => {}
        }
    }

    /// Something reaches a node.
    pub(super) fn hears(&mut self, conn: Conn, signal: Signal) {
        let Some(line) = self.lines.at(conn) else { return };
        let (owner, broker) = (line.owner, line.broker);
        let over = matches!(signal, Signal::Refused | Signal::Closed | Signal::Reset);
        if over && owner != Owner::Nobody {
            self.lines.close(conn);
        }
        match owner {
            Owner::Flow(seat) => self.flow_hears(seat, signal),
            Owner::Probe(node, kind) => self.probe_hears(usize::from(node), broker, kind, signal),
            Owner::Nobody => {}
        }
    }

    /// A broker is no more: whose connection was in the making is told.
    pub(super) fn broker_is_gone(&mut self, broker: u16) {
        for conn in self.lines.of(broker) {
            let Some(line) = self.lines.at(conn) else { continue };
            line.state = State::Closed;
            match line.owner {
                Owner::Nobody => self.lines.close(conn),
                Owner::Flow(_) | Owner::Probe(..) => self.answers(conn, Signal::Reset),
            }
        }
    }

    /// A broker's machine is no more, and says nothing: it knows of no connection any more.
    pub(super) fn broker_vanishes(&mut self, broker: u16) {
        for conn in self.lines.of(broker) {
            if let Some(line) = self.lines.at(conn) {
                line.state = State::Closed;
            }
        }
    }

    /// A node is no more: its kernel closes what was in the making; or nobody does, until the
    /// broker has waited for long enough.
    pub(super) fn lines_are_gone(&mut self, node: usize, how: Death) {
        for broker in 0..self.brokers.len() as u16 {
            for conn in self.lines.of(broker) {
                let is_its = match self.owner_of(conn) {
                    Owner::Flow(seat) => self.seats.node_of(seat).map(usize::from) == Some(node),
                    Owner::Probe(of, _) => usize::from(of) == node,
                    Owner::Nobody => false,
                };
                let after = match how {
                    Death::Rst => Some(ONE_WAY),
                    Death::Silent => self.haunts(u64::from(conn.slot)),
                };
                if let (true, Some(after)) = (is_its, after) {
                    self.hangs_up_after(conn, after);
                } else if is_its && let Some(line) = self.lines.at(conn) {
                    line.owner = Owner::Nobody;
                }
            }
        }
    }
}
