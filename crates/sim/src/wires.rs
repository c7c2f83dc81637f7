//! The wires between the node and its brokers: nothing is lost on them, and it takes its time.

use std::time::Duration;

use isobar_core::id::BrokerId;

use crate::agenda::Event;
use crate::broker::{ConnNo, Knock, Segment, Signal};
use crate::chance::Purpose;
use crate::world::{Owner, World};

/// From the node to a broker or back.
const ONE_WAY: Duration = Duration::from_micros(100);
/// A SYN is sent again after this, then twice as long, as Linux does.
const SYN_AGAIN: Duration = Duration::from_secs(1);

impl World {
    /// Opens a connection.
    pub(crate) fn dial(&mut self, broker: BrokerId, owner: Owner) -> ConnNo {
        self.last_conn += 1;
        let conn = ConnNo(self.last_conn);
        self.conns.insert(conn, (broker, owner));
        self.agenda.push(self.now + ONE_WAY, Event::Out(broker, conn, Segment::Syn(0)));
        conn
    }

    /// Sends something on a connection.
    pub(crate) fn send(&mut self, conn: ConnNo, segment: Segment) {
        if let Some((broker, _)) = self.conns.get(&conn) {
            self.agenda.push(self.now + ONE_WAY, Event::Out(*broker, conn, segment));
        }
    }

    /// Ends a connection, and hears no more of it.
    pub(crate) fn hang_up(&mut self, conn: ConnNo) {
        self.send(conn, Segment::Fin);
        self.conns.remove(&conn);
    }

    /// Something reaches a broker.
    pub(crate) fn delivered(&mut self, broker: BrokerId, conn: ConnNo, segment: Segment) {
        match segment {
            // It was given up before this SYN was sent again.
            Segment::Syn(n) if n > 0 && !self.conns.contains_key(&conn) => {}
            Segment::Syn(n) => match self.brokers[broker.index()].knock(conn) {
                Knock::Answered(signal) => self.say(vec![(conn, signal)]),
                Knock::Dropped => {
                    let again = self.now + SYN_AGAIN * (1 << n.min(5));
                    self.agenda.push(again, Event::Out(broker, conn, Segment::Syn(n + 1)));
                }
            },
            segment => self.brokers[broker.index()].receive(conn, segment),
        }
        self.work(broker);
    }

    /// Something reaches the node.
    pub(crate) fn heard(&mut self, conn: ConnNo, signal: Signal) {
        let Some((_, owner)) = self.conns.get(&conn).copied() else { return };
        if matches!(signal, Signal::Closed | Signal::Reset | Signal::Refused) {
            self.conns.remove(&conn);
        }
        match owner {
            Owner::Flow(flow) => self.flow_hears(flow, signal),
            Owner::Probe(broker, kind) => self.probe_hears(broker, kind, signal),
        }
    }

    /// What a broker says is on its way.
    pub(crate) fn say(&mut self, says: Vec<(ConnNo, Signal)>) {
        for (conn, signal) in says {
            self.agenda.push(self.now + ONE_WAY, Event::In(conn, signal));
        }
    }

    /// A broker begins its next piece of work, if it can.
    pub(crate) fn work(&mut self, broker: BrokerId) {
        if let Some(cost) = self.brokers[broker.index()].begin() {
            self.worked += 1;
            let most = cost.as_nanos() as u64 / 4;
            let more = self.chance.below(most, u64::from(broker.0), Purpose::Work, self.worked);
            let at = self.now + cost + Duration::from_nanos(more);
            self.agenda.push(at, Event::Worked(broker, self.brokers[broker.index()].life));
        }
    }
}
