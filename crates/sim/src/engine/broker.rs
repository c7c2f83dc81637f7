//! A broker at scale, as unkind as the one of a small world (`crate::broker`) and with the same
//! habits: one thread, a backlog beyond which SYNs are dropped, accepted and closed in silence at
//! its limit, stopped it leaves the kernel to accept, dead the kernel refuses for it.
//!
//! It knows the connections that are in the making one by one, by [`Conn`]; those that stand are a
//! number.

use std::collections::VecDeque;
use std::time::Duration;

use isobar_core::time::Time;

use super::region::stall::Asker;
use crate::broker::Habits;

/// A connection in the making, or a probe's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Conn {
    pub(crate) slot: u32,
    pub(crate) life: u32,
}

/// From a node to a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Segment {
    /// The n-th SYN of this connection, from zero.
    Syn(u8),
    Hello,
    Ping,
    /// It is closed.
    Fin,
    /// One of those that stand is closed.
    Leave,
}

/// From a broker to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    SynAck,
    Refused,
    Connack,
    Pong,
    Closed,
    Reset,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Process {
    Runs,
    Hung,
    Dead,
    Vanished,
}

/// One broker.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) habits: Habits,
    pub(crate) process: Process,
    /// Counts its lives: a new one begins where it is started anew.
    pub(crate) life: u32,
    /// Counts what has interrupted its work.
    pub(crate) shift: u32,
    /// Counts what it has done, for keys and draws.
    pub(crate) count: u32,
    busy: bool,
    inbox: VecDeque<(Conn, Segment)>,
    backlog: usize,
    /// Connections it holds.
    pub(crate) connections: u32,
    /// Connections that do not come through nodes.
    pub(crate) outsiders: u32,
    /// They take what is given back too, as quickly as real ones that ask ten times a second.
    is_filled: bool,
    /// Everything takes so many times as long.
    pub(crate) slow: u32,
    /// Who waits for the answer to a PINGREQ, while it hangs.
    pub(crate) askers: Vec<Asker>,
    /// Most at once.
    pub(crate) most: u32,
    /// SYNs dropped, connections closed in silence, CONNECTs answered.
    pub(crate) dropped: u64,
    pub(crate) silenced: u64,
    pub(crate) hellos: u64,
    /// Of the connections, those of nodes' probes.
    pub(crate) probes: u32,
    /// CONNECTs of clients that are not answered, and most at once.
    unanswered: u32,
    pub(crate) unanswered_max: u32,
    /// CONNECTs of clients in each of the last tenths of a second, and most within a second.
    tenths: [u32; TENTHS],
    tenth: u64,
    pub(crate) connects_max: u32,
}

/// Of a second.
const TENTHS: usize = 10;

impl Broker {
    pub(crate) fn new(habits: Habits) -> Broker {
        Broker {
            habits,
            process: Process::Runs,
            life: 0,
            shift: 0,
            count: 0,
            busy: false,
            inbox: VecDeque::new(),
            backlog: 0,
            connections: 0,
            outsiders: 0,
            is_filled: false,
            slow: 1,
            askers: Vec::new(),
            most: 0,
            dropped: 0,
            silenced: 0,
            hellos: 0,
            probes: 0,
            unanswered: 0,
            unanswered_max: 0,
            tenths: [0; TENTHS],
            tenth: 0,
            connects_max: 0,
        }
    }

    /// A SYN reaches its host: what comes back, if anything.
    pub(crate) fn knock(&mut self, conn: Conn) -> Option<Signal> {
        match self.process {
            Process::Dead => Some(Signal::Refused),
            Process::Vanished => None,
            Process::Runs | Process::Hung if self.backlog >= self.habits.backlog => {
                self.dropped += 1;
                None
            }
            Process::Runs | Process::Hung => {
                self.backlog += 1;
                self.inbox.push_back((conn, Segment::Syn(0)));
                Some(Signal::SynAck)
            }
        }
    }

    /// Anything else reaches its host; whether there is anybody to read it.
    pub(crate) fn receive(&mut self, conn: Conn, segment: Segment) -> bool {
        let there = matches!(self.process, Process::Runs | Process::Hung);
        if there {
            self.inbox.push_back((conn, segment));
        }
        there
    }

    /// Starts on the next piece of work, if it can: its cost.
    pub(crate) fn begin(&mut self) -> Option<Duration> {
        if self.busy || self.process != Process::Runs {
            return None;
        }
        let (_, segment) = self.inbox.front()?;
        self.busy = true;
        let cost = match segment {
            Segment::Hello => self.habits.connect_cost,
            Segment::Syn(_) | Segment::Ping | Segment::Fin | Segment::Leave => {
                self.habits.accept_cost
            }
        };
        Some(cost.saturating_mul(self.slow))
    }

    /// Finishes it.
    pub(crate) fn finish(&mut self) -> Option<(Conn, Segment)> {
        self.busy = false;
        let (conn, segment) = self.inbox.pop_front()?;
        self.backlog -= usize::from(matches!(segment, Segment::Syn(_)));
        Some((conn, segment))
    }

    /// Takes a connection, unless it is full.
    pub(crate) fn accept(&mut self) -> bool {
        let held = self.connections + self.outsiders;
        let full = self.habits.max_connections.is_some_and(|max| held >= max);
        if full {
            self.silenced += 1;
            return false;
        }
        self.connections += 1;
        self.most = self.most.max(self.connections);
        true
    }

    /// One is closed.
    pub(crate) fn leave(&mut self) {
        assert!(self.connections > 0, "who leaves was there");
        self.connections -= 1;
        if self.is_filled {
            self.fill();
        }
    }

    /// Outsiders take what is left, and what is given back from now on; whether anything was.
    pub(crate) fn fill(&mut self) -> bool {
        let Some(max) = self.habits.max_connections else { return false };
        self.is_filled = true;
        let before = self.outsiders;
        self.outsiders = max.saturating_sub(self.connections);
        self.outsiders > before
    }

    /// They go.
    pub(crate) fn empties(&mut self) {
        (self.is_filled, self.outsiders) = (false, 0);
    }

    /// The CONNECT of a client has come.
    pub(crate) fn asked(&mut self, now: Time) {
        self.unanswered += 1;
        self.unanswered_max = self.unanswered_max.max(self.unanswered);
        let tenth = now.0 / 100_000_000;
        for past in self.tenth + 1..=tenth.min(self.tenth + TENTHS as u64) {
            self.tenths[past as usize % TENTHS] = 0;
        }
        if tenth > self.tenth + TENTHS as u64 {
            self.tenths = [0; TENTHS];
        }
        self.tenth = tenth;
        self.tenths[tenth as usize % TENTHS] += 1;
        self.connects_max = self.connects_max.max(self.tenths.iter().sum());
    }

    /// One of those that have come is dealt with; a probe's is none of them.
    pub(crate) fn answered(&mut self, probe: bool) {
        self.unanswered = self.unanswered.saturating_sub(u32::from(!probe));
    }

    /// Whether nothing waits for it.
    pub(crate) fn is_idle(&self) -> bool {
        self.inbox.is_empty() && !self.busy
    }

    /// SYNs that its kernel holds for it.
    pub(crate) fn backlog(&self) -> usize {
        self.backlog
    }

    /// Connections of clients.
    pub(crate) fn of_clients(&self) -> u32 {
        self.connections.saturating_sub(self.probes)
    }

    pub(crate) fn die(&mut self, how: Process) {
        self.process = how;
        self.shift += 1;
        self.busy = false;
        self.inbox.clear();
        self.askers.clear();
        self.backlog = 0;
        (self.connections, self.outsiders) = (0, 0);
        (self.probes, self.unanswered) = (0, 0);
    }

    /// Starts anew, and knows nobody.
    pub(crate) fn start(&mut self) {
        self.life += 1;
        self.process = Process::Runs;
    }

    /// Goes on where it was stopped: what it was about is done again from the start.
    pub(crate) fn goes_on(&mut self) {
        self.shift += 1;
        self.busy = false;
        self.process = Process::Runs;
    }
}
