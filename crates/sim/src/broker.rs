//! Brokers as unkind as mosquitto 2.0.
//!
//! One thread takes connections and packets in order, each at its cost. What it has not come
//! to yet lies in the kernel: connections up to the backlog, beyond which SYNs are dropped. At
//! `max_connections` it accepts and closes without a word; it also does so on a CONNECT that it
//! dislikes. Stopped, it leaves the kernel to accept; dead, the kernel refuses for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use isobar_core::id::BrokerId;
use isobar_core::retry::Level;

use crate::client::Nature;

/// A TCP connection between the node and a broker; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ConnNo(pub(crate) u64);

/// A CONNECT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hello {
    /// The client id, `None` for an empty one.
    pub(crate) id: Option<u64>,
    pub(crate) persistent: bool,
    pub(crate) nature: Nature,
    pub(crate) level: Level,
}

/// From the node to a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Segment {
    /// The n-th SYN of this connection, from zero.
    Syn(u32),
    Hello(Hello),
    Ping,
    /// FIN or RST, after a DISCONNECT or without.
    Fin,
}

/// From a broker to the node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    SynAck,
    Refused,
    Connack { code: u8, reference: Option<BrokerId>, session_present: bool },
    Auth,
    Pong,
    Closed,
    Reset,
}

/// What becomes of a SYN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Knock {
    Answered(Signal),
    Dropped,
}

/// How a broker behaves while it is well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Habits {
    /// Connections at most; beyond, accepted and closed in silence.
    pub max_connections: Option<u32>,
    /// Connections that the kernel holds for it.
    pub backlog: usize,
    /// To take a connection, or to notice its end.
    pub accept_cost: Duration,
    /// To answer a CONNECT.
    pub connect_cost: Duration,
    /// Answers every CONNECT with "server unavailable" (3, or this code in MQTT 5).
    pub refuses: Option<u8>,
    /// Answers every MQTT 5 CONNECT with a reference to this broker.
    pub sends_to: Option<BrokerId>,
    /// Every so many-th CONNECT is lost in some plugin and never answered.
    pub forgets: Option<u64>,
    /// Its sessions outlive its process.
    pub persistence: bool,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            max_connections: None,
            backlog: 100,
            accept_cost: Duration::from_micros(20),
            connect_cost: Duration::from_micros(150),
            refuses: None,
            sends_to: None,
            forgets: None,
            persistence: true,
        }
    }
}

/// What may befall a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// SIGSTOP.
    Hang,
    /// SIGKILL: resets, then refusals.
    Crash,
    /// Its host is gone: nothing comes back, not even a refusal.
    Vanish,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Process {
    Runs,
    Hung,
    Dead,
    Vanished,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Accept(ConnNo),
    Packet(ConnNo, Segment),
}

/// One broker.
#[derive(Clone, Debug)]
pub(crate) struct Mosquitto {
    pub(crate) habits: Habits,
    process: Process,
    /// Counts its lives, so that work of an earlier one is not finished.
    pub(crate) life: u32,
    busy: bool,
    inbox: VecDeque<Work>,
    /// Connections in the inbox that have not been taken yet.
    backlog: usize,
    peers: BTreeMap<ConnNo, Option<u64>>,
    online: BTreeMap<u64, ConnNo>,
    sessions: BTreeSet<u64>,
    /// Connections that do not come through the node.
    pub(crate) outsiders: u32,
    /// CONNECTs looked at.
    pub(crate) hellos: u64,
    /// Connections taken and closed in silence.
    pub(crate) silenced: u64,
    /// SYNs dropped.
    pub(crate) dropped: u64,
    /// Most connections at once.
    pub(crate) most: usize,
}

impl Mosquitto {
    pub(crate) fn new(habits: Habits) -> Mosquitto {
        Mosquitto {
            habits,
            process: Process::Runs,
            life: 0,
            busy: false,
            inbox: VecDeque::new(),
            backlog: 0,
            peers: BTreeMap::new(),
            online: BTreeMap::new(),
            sessions: BTreeSet::new(),
            outsiders: 0,
            hellos: 0,
            silenced: 0,
            dropped: 0,
            most: 0,
        }
    }

    /// A SYN reaches its host.
    pub(crate) fn knock(&mut self, conn: ConnNo) -> Knock {
        match self.process {
            Process::Dead => Knock::Answered(Signal::Refused),
            Process::Vanished => Knock::Dropped,
            Process::Runs | Process::Hung if self.backlog >= self.habits.backlog => {
                self.dropped += 1;
                Knock::Dropped
            }
            Process::Runs | Process::Hung => {
                self.backlog += 1;
                self.inbox.push_back(Work::Accept(conn));
                Knock::Answered(Signal::SynAck)
            }
        }
    }

    /// Anything else reaches its host.
    pub(crate) fn receive(&mut self, conn: ConnNo, segment: Segment) {
        if matches!(self.process, Process::Runs | Process::Hung) {
            self.inbox.push_back(Work::Packet(conn, segment));
        }
    }

    /// Starts on the next piece of work, if it can: its cost.
    pub(crate) fn begin(&mut self) -> Option<Duration> {
        if self.busy || self.process != Process::Runs {
            return None;
        }
        let cost = match self.inbox.front()? {
            Work::Packet(_, Segment::Hello(_)) => self.habits.connect_cost,
            Work::Accept(_) | Work::Packet(..) => self.habits.accept_cost,
        };
        self.busy = true;
        Some(cost)
    }

    /// Finishes that piece of work; says what it sends.
    pub(crate) fn finish(&mut self, says: &mut Vec<(ConnNo, Signal)>) {
        self.busy = false;
        match self.inbox.pop_front() {
            None => {}
            Some(Work::Accept(conn)) => self.accept(conn, says),
            Some(Work::Packet(conn, segment)) if self.peers.contains_key(&conn) => match segment {
                Segment::Hello(hello) => self.hello(conn, hello, says),
                Segment::Ping => says.push((conn, Signal::Pong)),
                Segment::Fin => self.close(conn, says),
                Segment::Syn(_) => {}
            },
            // It knows nothing of this connection, or no more.
            Some(Work::Packet(conn, _)) => says.push((conn, Signal::Closed)),
        }
    }

    /// Something befalls it; says who is reset.
    pub(crate) fn suffer(&mut self, fault: Fault, says: &mut Vec<(ConnNo, Signal)>) {
        match (fault, self.process) {
            (Fault::Hang, Process::Runs) => self.process = Process::Hung,
            (Fault::Hang, _) | (_, Process::Dead | Process::Vanished) => {}
            (Fault::Crash, _) => {
                let untaken = self.inbox.iter().filter_map(|work| match work {
                    Work::Accept(conn) => Some(*conn),
                    Work::Packet(..) => None,
                });
                says.extend(untaken.chain(self.peers.keys().copied()).map(|c| (c, Signal::Reset)));
                self.die(Process::Dead);
            }
            (Fault::Vanish, _) => self.die(Process::Vanished),
        }
    }

    /// Goes on, or starts anew.
    pub(crate) fn mend(&mut self) {
        if self.process == Process::Hung {
            // What it was about is done again from the start.
            self.life += 1;
            self.busy = false;
        }
        self.process = Process::Runs;
    }

    pub(crate) fn is_well(&self) -> bool {
        self.process == Process::Runs
    }

    /// Connections it holds.
    pub(crate) fn connections(&self) -> u32 {
        self.peers.len() as u32 + self.outsiders
    }

    fn die(&mut self, how: Process) {
        self.process = how;
        self.life += 1;
        self.busy = false;
        self.inbox.clear();
        self.backlog = 0;
        self.peers.clear();
        self.online.clear();
        self.outsiders = 0;
        if !self.habits.persistence {
            self.sessions.clear();
        }
    }

    fn accept(&mut self, conn: ConnNo, says: &mut Vec<(ConnNo, Signal)>) {
        self.backlog -= 1;
        if self.habits.max_connections.is_some_and(|max| self.connections() >= max) {
            self.silenced += 1;
            says.push((conn, Signal::Closed));
            return;
        }
        self.peers.insert(conn, None);
        self.most = self.most.max(self.peers.len());
    }

    fn hello(&mut self, conn: ConnNo, hello: Hello, says: &mut Vec<(ConnNo, Signal)>) {
        self.hellos += 1;
        if self.habits.forgets.is_some_and(|n| self.hellos.is_multiple_of(n)) {
            return;
        }
        let plain = |code| Signal::Connack { code, reference: None, session_present: false };
        let (v3, v5) = (hello.level == Level::V3, hello.level == Level::V5);
        let no = match (self.habits.refuses, self.habits.sends_to, hello.nature) {
            (_, _, Nature::Rude) => {
                self.silenced += 1;
                return self.close(conn, says);
            }
            (Some(code), ..) => Some(plain(if v3 { 3 } else { code })),
            (_, Some(other), _) if v5 => {
                Some(Signal::Connack { code: 0x9C, reference: Some(other), session_present: false })
            }
            (_, _, Nature::WrongPassword) => Some(plain(if v3 { 5 } else { 0x86 })),
            (_, _, Nature::Good | Nature::Auth | Nature::Verbatim) => None,
        };
        if let Some(no) = no {
            says.push((conn, no));
            return self.close(conn, says);
        }
        if hello.nature == Nature::Auth {
            says.push((conn, Signal::Auth));
            return;
        }
        let session_present = match hello.id {
            Some(id) if hello.persistent => !self.sessions.insert(id),
            Some(id) => {
                self.sessions.remove(&id);
                false
            }
            None => false,
        };
        if let Some(id) = hello.id {
            // MQTT's takeover, which a broker does for itself.
            if let Some(older) = self.online.insert(id, conn) {
                self.peers.insert(older, None);
                self.close(older, says);
            }
            self.peers.insert(conn, Some(id));
        }
        says.push((conn, Signal::Connack { code: 0, reference: None, session_present }));
    }

    fn close(&mut self, conn: ConnNo, says: &mut Vec<(ConnNo, Signal)>) {
        if let Some(Some(id)) = self.peers.remove(&conn) {
            self.online.remove(&id);
        }
        says.push((conn, Signal::Closed));
    }
}
