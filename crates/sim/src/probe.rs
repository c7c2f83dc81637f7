//! Carrying out the probes that a pool asks for.

use isobar_core::health::ProbeKind;
use isobar_core::id::BrokerId;
use isobar_core::pool::Fact;
use isobar_core::report::CheckResult;
use isobar_core::retry::Level;
use isobar_core::time::Time;

use crate::agenda::Event;
use crate::broker::{ConnNo, Hello, Segment, Signal};
use crate::client::Nature;
use crate::world::{Owner, World};

/// The three kinds, as indices.
pub(crate) fn index(kind: ProbeKind) -> usize {
    match kind {
        ProbeKind::Tcp => 0,
        ProbeKind::Mqtt => 1,
        ProbeKind::Fresh => 2,
    }
}

const KINDS: [ProbeKind; 3] = [ProbeKind::Tcp, ProbeKind::Mqtt, ProbeKind::Fresh];

/// One kind of probe at one broker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Probe {
    conn: Option<ConnNo>,
    /// A CONNACK has come on this connection: a session stands.
    stands: bool,
    /// Since when an answer is awaited.
    asked: Option<Time>,
    number: u64,
}

impl World {
    /// The pool wants to know.
    pub(crate) fn probe(&mut self, broker: BrokerId, kind: ProbeKind, until: Time) {
        let k = index(kind);
        self.probes[broker.index()][k].number += 1;
        let number = self.probes[broker.index()][k].number;
        let probe = &mut self.probes[broker.index()][k];
        if probe.asked.is_some() {
            let now = self.now;
            self.desk.note(now, || format!("two {kind:?} probes at once at {broker:?}"));
        }
        let probe = &mut self.probes[broker.index()][k];
        probe.asked = Some(self.now);
        match probe.conn {
            Some(conn) if probe.stands => self.send(conn, Segment::Ping),
            _ => {
                let conn = self.dial(broker, Owner::Probe(broker, kind));
                self.probes[broker.index()][k].conn = Some(conn);
            }
        }
        self.agenda.push(until, Event::ProbeTimer(broker, k, number));
    }

    /// Something came on a probe's connection.
    pub(crate) fn probe_hears(&mut self, broker: BrokerId, kind: ProbeKind, signal: Signal) {
        let k = index(kind);
        let stands = self.probes[broker.index()][k].stands;
        let conn = self.probes[broker.index()][k].conn;
        match (signal, kind) {
            (Signal::SynAck, ProbeKind::Tcp) => {
                self.probed(broker, kind, CheckResult::Alive, None, true);
            }
            (Signal::SynAck, ProbeKind::Mqtt | ProbeKind::Fresh) => {
                let number = self.probes[broker.index()][k].number;
                let fresh = kind == ProbeKind::Fresh;
                let id = 4 << 40 | u64::from(broker.0) << 32 | if fresh { number } else { 0 };
                let nature = match self.site.probe_unknown {
                    true => Nature::WrongPassword,
                    false => Nature::Good,
                };
                let hello = Hello { id: Some(id), persistent: false, nature, level: Level::V3 };
                if let Some(conn) = conn {
                    self.send(conn, Segment::Hello(hello));
                }
            }
            (Signal::Refused, _) => self.probed(broker, kind, CheckResult::Refused, None, true),
            (Signal::Connack { code, .. }, _) => {
                let keep = kind == ProbeKind::Mqtt && code == 0;
                self.probes[broker.index()][k].stands = keep;
                self.probed(broker, kind, CheckResult::Alive, Some(code), !keep);
            }
            (Signal::Pong, _) => self.probed(broker, kind, CheckResult::Alive, None, false),
            (Signal::Closed | Signal::Reset, _) if stands => {
                self.probed(broker, kind, CheckResult::SessionLost, None, true);
            }
            (Signal::Reset, _) => self.probed(broker, kind, CheckResult::Refused, None, true),
            (Signal::Closed, _) => {
                self.probed(broker, kind, CheckResult::ClosedSilently, None, true);
            }
            (Signal::Auth, _) => self.probed(broker, kind, CheckResult::NotMqtt, None, true),
        }
    }

    /// A probe's time is up.
    pub(crate) fn probe_late(&mut self, broker: BrokerId, kind: usize, number: u64) {
        let probe = self.probes[broker.index()][kind];
        if probe.number == number && probe.asked.is_some() {
            self.probed(broker, KINDS[kind], CheckResult::TimedOut, None, true);
        }
    }

    fn probed(
        &mut self,
        broker: BrokerId,
        kind: ProbeKind,
        result: CheckResult,
        code: Option<u8>,
        hang_up: bool,
    ) {
        let probe = &mut self.probes[broker.index()][index(kind)];
        let asked = probe.asked.take();
        let conn = probe.conn;
        if hang_up {
            probe.conn = None;
            probe.stands = false;
        }
        if let (Some(conn), true) = (conn, hang_up) {
            self.hang_up(conn);
        }
        if asked.is_none() && result != CheckResult::SessionLost {
            return;
        }
        let took = asked.map_or_else(Default::default, |at| self.now.since(at));
        let name = match result {
            CheckResult::Alive => "alive",
            CheckResult::Refused => "refused",
            CheckResult::TimedOut => "timed out",
            CheckResult::ClosedSilently => "closed silently",
            CheckResult::SessionLost => "session lost",
            CheckResult::NotMqtt => "not mqtt",
        };
        *self.figures.probes.entry(name).or_default() += 1;
        self.trace.note(self.now, 30 + index(kind) as u64, u64::from(broker.0), result as u64);
        self.desk.handle(self.now, Fact::Probed { broker, kind, result, code, took });
    }
}
