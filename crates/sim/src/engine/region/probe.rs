//! Carrying out the probes that a pool asks for.

use isobar_core::health::ProbeKind;
use isobar_core::id::BrokerId;
use isobar_core::pool::Fact;
use isobar_core::report::CheckResult;
use isobar_core::time::Time;

use super::Region;
use super::terms::Event;
use super::wires::Owner;
use crate::engine::broker::{Conn, Signal};

const KINDS: [ProbeKind; 3] = [ProbeKind::Tcp, ProbeKind::Mqtt, ProbeKind::Fresh];

/// One kind of probe at one broker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Probe {
    conn: Option<Conn>,
    /// A session stands.
    stands: bool,
    asked: Option<Time>,
    number: u32,
}

fn index(kind: ProbeKind) -> u8 {
    match kind {
        ProbeKind::Tcp => 0,
        ProbeKind::Mqtt => 1,
        ProbeKind::Fresh => 2,
    }
}

impl Region {
    fn prober(&mut self, node: usize, broker: u16, kind: u8) -> Option<&mut Probe> {
        let life = self.nodes[node].life.as_mut()?;
        life.probes[usize::from(broker)].get_mut(usize::from(kind))
    }

    /// The pool wants to know.
    pub(super) fn probes(&mut self, node: usize, broker: u16, kind: ProbeKind, until: Time) {
        let now = self.now();
        let kind = index(kind);
        let Some(probe) = self.prober(node, broker, kind) else { return };
        probe.number += 1;
        probe.asked = Some(now);
        let number = probe.number;
        match (probe.conn, probe.stands) {
            (Some(conn), true) => self.send_ping(conn),
            _ => {
                let conn = self.dial(broker, Owner::Probe(node as u8, kind));
                if let Some(probe) = self.prober(node, broker, kind) {
                    probe.conn = Some(conn);
                }
            }
        }
        let key = self.node_key(node);
        let late = Event::ProbeLate { broker, node: node as u8, kind, number };
        self.agenda.push(until, key, late);
    }

    /// Something came on a probe's connection.
    pub(super) fn probe_hears(&mut self, node: usize, broker: u16, kind: u8, signal: Signal) {
        let Some(probe) = self.prober(node, broker, kind) else { return };
        if matches!(signal, Signal::Refused | Signal::Closed | Signal::Reset) {
            probe.conn = None;
        }
        let (stands, conn) = (probe.stands, probe.conn);
        let (result, code, hang_up) = match (signal, KINDS[usize::from(kind)]) {
            (Signal::SynAck, ProbeKind::Tcp) => (CheckResult::Alive, None, true),
            (Signal::SynAck, ProbeKind::Mqtt | ProbeKind::Fresh) => {
                if let Some(conn) = conn {
                    self.send_hello(conn);
                }
                return;
            }
            (Signal::Refused, _) => (CheckResult::Refused, None, true),
            (Signal::Connack, of) => {
                probe.stands = of == ProbeKind::Mqtt;
                (CheckResult::Alive, Some(0), of != ProbeKind::Mqtt)
            }
            (Signal::Pong, _) => (CheckResult::Alive, None, false),
            (Signal::Closed | Signal::Reset, _) if stands => (CheckResult::SessionLost, None, true),
            (Signal::Reset, _) => (CheckResult::Refused, None, true),
            (Signal::Closed, _) => (CheckResult::ClosedSilently, None, true),
        };
        self.probed(node, broker, kind, result, code, hang_up);
    }

    /// A probe's time is up.
    pub(super) fn probe_late(&mut self, broker: u16, node: usize, kind: u8, number: u32) {
        let Some(probe) = self.prober(node, broker, kind) else { return };
        if probe.number == number && probe.asked.is_some() {
            self.probed(node, broker, kind, CheckResult::TimedOut, None, true);
        }
    }

    fn probed(
        &mut self,
        node: usize,
        broker: u16,
        kind: u8,
        result: CheckResult,
        code: Option<u8>,
        hang_up: bool,
    ) {
        let now = self.now();
        let Some(probe) = self.prober(node, broker, kind) else { return };
        let asked = probe.asked.take();
        let conn = if hang_up { probe.conn.take() } else { None };
        probe.stands &= !hang_up;
        if let Some(conn) = conn {
            self.hang_up(conn);
        }
        if asked.is_none() && result != CheckResult::SessionLost {
            return;
        }
        let took = asked.map_or_else(Default::default, |at| now.since(at));
        let (broker, kind) = (BrokerId(broker), KINDS[usize::from(kind)]);
        if let Some(life) = &mut self.nodes[node].life {
            life.pool.handle(now, Fact::Probed { broker, kind, result, code, took });
        }
        self.dirty |= 1 << node;
    }
}
