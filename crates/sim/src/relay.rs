//! The node, from a flow's commit to its end.

use isobar_core::committed::{Close, Committed, End};
use isobar_core::id::{BrokerId, FlowId, ServiceId};
use isobar_core::policy::Mode;

use crate::agenda::Event;
use crate::broker::{Segment, Signal};
use crate::client::{ClientNo, Leaving, Nature, Place, key};
use crate::node::CLIENT_TAKES;
use crate::task::{Stage, Task};
use crate::world::World;

impl World {
    /// A broker has answered: from here on there is no way back.
    pub(crate) fn commit(&mut self, mut task: Task, committed: Committed) {
        task.timer += 1;
        let id = task.id;
        match self.site.services[task.service.index()].mode {
            Mode::Mqtt => {
                let said = task.said;
                task.stage = Stage::After(committed);
                self.tasks.insert(id, task);
                if let Some(signal) = said {
                    self.client_hears(id, signal);
                }
            }
            Mode::Tcp => {
                self.say_hello(&mut task);
                task.stage = Stage::After(committed);
                self.tasks.insert(id, task);
            }
        }
    }

    /// The first answer of a broker reaches the client.
    fn client_hears(&mut self, id: FlowId, signal: Signal) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if task.answered {
            return;
        }
        task.answered = true;
        let (no, service, hello) = (task.client, task.service, task.hello);
        let (broker, took) = (task.broker(), self.now.since(task.since));
        self.in_time(id, service, took);
        let client = &mut self.clients[no.0];
        let Signal::Connack { code: 0, session_present, .. } = signal else {
            let code = match signal {
                Signal::Connack { code, .. } => code,
                _ => 0x18,
            };
            *self.figures.passed_on.entry(code).or_default() += 1;
            client.place = Place::Refused(id);
            self.agenda.push(self.now + CLIENT_TAKES, Event::Leaves(no, id));
            return;
        };
        self.figures.accepted += 1;
        client.place = Place::Served(id);
        client.served += 1;
        if hello.persistent && client.has_session {
            self.figures.sessions.0 += u64::from(session_present);
            self.figures.sessions.1 += u64::from(!session_present);
        }
        client.has_session = hello.persistent;
        if let Some(hold) = client.kind.hold {
            self.agenda.push(self.now + hold, Event::Leaves(no, id));
        }
        let policy = &self.site.services[service.index()];
        if let (true, Some(client), Some(broker)) = (policy.takeover, hello.id, broker)
            && hello.nature != Nature::Verbatim
        {
            let since = self.tasks.get(&id).map_or(self.now, |task| task.since);
            let takeover = &mut self.takeovers[service.index()];
            let older = takeover.accepted(key(client), id, broker, since);
            if let Some(older) = older {
                self.figures.takeovers += 1;
                self.ends(older, End::TakenOver);
            }
        }
    }

    /// A committed flow's broker says something.
    pub(crate) fn relays(&mut self, id: FlowId, signal: Signal) {
        match signal {
            Signal::Closed => self.ends(id, End::BrokerEof),
            Signal::Reset => self.ends(id, End::BrokerError),
            signal => self.client_hears(id, signal),
        }
    }

    /// Something of a committed flow has ended.
    pub(crate) fn ends(&mut self, id: FlowId, end: End) {
        let Some(mut task) = self.tasks.remove(&id) else { return };
        let Stage::After(committed) = &mut task.stage else {
            self.tasks.insert(id, task);
            return;
        };
        let half = match committed.next(end) {
            Close::Finish { ending, .. } => {
                self.give_back(&mut task);
                return self.over(&task, ending);
            }
            // The DISCONNECT went ahead: the broker closes.
            Close::AwaitBroker(half) => {
                if let Some(conn) = task.conn {
                    self.send(conn, Segment::Fin);
                }
                Some(half)
            }
            Close::ShutdownBroker(half) => {
                if let Some(conn) = task.conn {
                    self.send(conn, Segment::Fin);
                }
                half
            }
            Close::ShutdownClient(half) => {
                self.agenda.push(self.now + CLIENT_TAKES, Event::Leaves(task.client, id));
                half
            }
        };
        if !task.half_closed {
            task.half_closed = true;
            task.timer += 1;
            if let Some(half) = half {
                let until = self.now + half;
                self.agenda.push(until, Event::Timer(id, task.timer));
            }
        }
        self.tasks.insert(id, task);
    }

    /// A client ends its flow after an answer.
    pub(crate) fn client_leaves(&mut self, no: ClientNo, id: FlowId) {
        let client = &self.clients[no.0];
        let served = client.place == Place::Served(id);
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let Stage::After(committed) = &mut task.stage else { return };
        match client.kind.leaving {
            Leaving::Disconnect if served => {
                committed.said_goodbye();
                self.ends(id, End::ClientEof);
            }
            Leaving::Silent if served => {
                let limit = committed.idle_limit();
                match limit {
                    _ if task.half_closed => {}
                    Some(limit) => {
                        task.timer += 1;
                        let timer = task.timer;
                        self.agenda.push(self.now + limit, Event::Timer(id, timer));
                    }
                    None => self.ends(id, End::ClientError),
                }
            }
            Leaving::Reset => self.ends(id, End::ClientError),
            Leaving::Disconnect | Leaving::Silent | Leaving::Eof => self.ends(id, End::ClientEof),
        }
    }

    /// `on_marked_down = "shutdown-sessions"`.
    pub(crate) fn shut_down(&mut self, service: ServiceId, broker: BrokerId) {
        let there = |task: &&Task| task.service == service && task.broker() == Some(broker);
        let ids: Vec<_> = self.tasks.values().filter(there).map(|task| task.id).collect();
        for id in ids {
            self.ends(id, End::MarkedDown);
        }
    }
}
