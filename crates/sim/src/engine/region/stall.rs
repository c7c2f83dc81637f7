//! Who is not served though its connection stands: behind a stopped process, a broker that says
//! nothing, or a cut link.
//!
//! That is the world's own account: neither the client nor any node decides by it. A client whose
//! way stalls asks with its next PINGREQ, which goes the way that its connection goes and waits
//! where that is stuck. If the answer comes in time, the client never knew.

use std::time::Duration;

use super::Region;
use super::place::{Far, NOWHERE, Seat, Sitter, Who, Whose};
use super::terms::{Event, Letter, Reply, Say};
use crate::engine::broker::Process;
use crate::engine::crowd::{Mood, Trait};

/// What the world's account says of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// A fault takes away what it is connected through.
    Struck,
    /// And its connection with it; it is about to hear so.
    Reset,
    /// And its connection with it, in silence.
    Lost,
    /// Its way stalls at the site it speaks to, or does so no more.
    Stuck(bool),
    /// The same at the site that its flow is carried to.
    Far(bool),
}

/// Who asks whether it is still known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asker {
    /// A client of this region on a broker here.
    Client(Who),
    /// A flow with a seat.
    Seat(Seat),
}

impl Region {
    /// Looks again at every flow that runs through this site.
    pub(super) fn stalls(&mut self) {
        for no in 0..self.clients.len() as u32 {
            let client = self.clients[no as usize];
            let here = usize::from(client.site) == self.me && client.seat == NOWHERE;
            if here && client.is_connected() && !client.is(Trait::Lost) {
                let stuck = self.is_stuck_at(usize::from(client.node), client.broker);
                self.marked(no, Mark::Stuck(stuck));
            }
        }
        self.seats_stall();
    }

    /// The same of flows with seats only.
    pub(super) fn seats_stall(&mut self) {
        for seat in self.seats.find(|sitter| matches!(sitter, Sitter::Holds(_))) {
            self.seat_stalls(seat);
        }
    }

    fn is_stuck_at(&self, node: usize, broker: u16) -> bool {
        self.is_stopped(node) || self.brokers[usize::from(broker)].process != Process::Runs
    }

    /// A client has just been settled.
    pub(super) fn settled(&mut self, no: u32) {
        let client = self.clients[no as usize];
        if self.is_stuck_at(usize::from(client.node), client.broker) {
            self.marked(no, Mark::Stuck(true));
        }
    }

    pub(super) fn seat_stalls(&mut self, seat: Seat) {
        let Some(Sitter::Holds(held)) = self.seats.at(seat).map(|chair| &chair.sitter) else {
            return;
        };
        let (whose, node, before) = (held.whose, usize::from(held.node), held.stuck);
        let tunnel = held.tunnel.0;
        let at_broker = held.token.as_ref().map(|token| (token.broker().0, held.life));
        let away = held.passage.is_some().then_some(held.tunnel.1);
        let stuck = self.is_stopped(node)
            || at_broker.is_some_and(|(broker, life)| {
                let there = &self.brokers[usize::from(broker)];
                there.process != Process::Runs || there.life != life
            })
            || away.is_some_and(|far| self.ways[self.node_of(far).0].is_cut());
        if stuck == before {
            return;
        }
        if let Some(Sitter::Holds(held)) = self.seats.at(seat).map(|chair| &mut chair.sitter) {
            held.stuck = stuck;
        }
        match whose {
            Whose::Client(who) => self.marks(who, node, Mark::Stuck(stuck)),
            Whose::Carried(far, _) => self.marks_far(far, tunnel, node, Mark::Far(stuck)),
        }
    }

    /// Tells a client's own region.
    pub(super) fn marks(&mut self, who: Who, node: usize, mark: Mark) {
        let home = usize::from(who.site);
        if home == self.me {
            return self.marked_in_turn(who, mark);
        }
        let key = self.node_key(node);
        let at = self.now() + self.client_way(home);
        self.send(home, at, key, Letter::Mark(who, mark));
    }

    /// Tells the client of a flow that has a seat here.
    pub(super) fn marks_seat(&mut self, seat: Seat, mark: Mark) {
        let (whose, node, tunnel) = match self.seats.at(seat).map(|chair| &chair.sitter) {
            Some(Sitter::Holds(held)) => (held.whose, held.node, held.tunnel.0),
            Some(Sitter::Opens(task)) => (task.whose, task.node, task.tunnel.0),
            Some(Sitter::Knocks { node, who, .. }) => (Whose::Client(*who), *node, 0),
            _ => return,
        };
        match whose {
            Whose::Client(who) => self.marks(who, usize::from(node), mark),
            Whose::Carried(far, _) => self.marks_far(far, tunnel, usize::from(node), mark),
        }
    }

    /// Tells the site that has sent a flow here, which tells its client's region.
    pub(super) fn marks_far(&mut self, far: Far, tunnel: u32, node: usize, mark: Mark) {
        let (site, _) = self.node_of(far.node);
        let key = self.node_key(node);
        let at = self.now() + self.rtts[site] / 2;
        self.send(site, at, key, Letter::MarkSeat(far.seat, tunnel, mark));
    }

    /// A flow that was sent on from here, by that tunnel.
    pub(super) fn marked_far(&mut self, seat: Seat, tunnel: u32, mark: Mark) {
        if let Some(Sitter::Holds(held)) = self.seats.at(seat).map(|chair| &chair.sitter)
            && held.tunnel.0 == tunnel
        {
            self.marks_seat(seat, mark);
        }
    }

    pub(super) fn marked_in_turn(&mut self, who: Who, mark: Mark) {
        let client = self.clients[who.no as usize];
        if client.flow != who.turn {
            return;
        }
        match mark {
            _ if client.is_connected() => self.marked(who.no, mark),
            Mark::Struck => self.affects(who.no),
            Mark::Lost if client.mood == Mood::Opening => {
                self.clients[who.no as usize].set(Trait::Orphan, true);
            }
            _ => {}
        }
    }

    fn marked(&mut self, no: u32, mark: Mark) {
        match mark {
            Mark::Struck => self.affects(no),
            Mark::Reset => {
                self.affects(no);
                self.loses(no);
            }
            Mark::Lost => {
                self.affects(no);
                self.stirs(no);
            }
            Mark::Stuck(so) => self.stalled(no, Trait::Stuck, so),
            Mark::Far(so) => self.stalled(no, Trait::Far, so),
        }
    }

    fn stalled(&mut self, no: u32, what: Trait, so: bool) {
        if self.clients[no as usize].is(what) == so {
            return;
        }
        if so {
            self.affects(no);
        }
        self.becomes(no, what, so);
        self.asks_soon_if_unserved(no);
    }

    fn asks_soon_if_unserved(&mut self, no: u32) {
        let client = &self.clients[no as usize];
        if client.is_connected() && !client.is_served() {
            self.asks_soon(no);
        }
    }

    /// A client of any region asks whether it is still known here; with a seat, if it has one.
    pub(super) fn pinged(&mut self, who: Who, node: usize, slot: u32) {
        use super::mesh::Machine;
        match self.nodes[node].machine {
            Machine::Vanished => return,
            Machine::Dead => return self.reply(who, node, Reply::Closed, NOWHERE),
            Machine::Up => {}
        }
        if slot == NOWHERE && usize::from(who.site) == self.me {
            let client = self.clients[who.no as usize];
            if client.flow == who.turn && client.is_connected() && !client.is(Trait::Lost) {
                return self.asks_broker(Asker::Client(who));
            }
        } else if let Some(seat) = self.seats.seat_of(slot)
            && let Some(Sitter::Holds(held)) = self.seats.at(seat).map(|chair| &chair.sitter)
            && held.whose == Whose::Client(who)
        {
            if held.passage.is_none() {
                return self.asks_broker(Asker::Seat(seat));
            }
            let (tunnel, road) = (held.tunnel.0, held.road);
            let far = Far { node: self.gnode(node), seat };
            return self.says_on_road(node, road, Say::Ping { far, tunnel });
        }
        // Nothing here knows of it: what it was connected to is no more.
        self.reply(who, node, Reply::Closed, NOWHERE);
    }

    /// A PINGREQ of a carried client comes by its tunnel.
    pub(super) fn ping_comes(&mut self, far: Far, tunnel: u32) {
        if let Some(seat) = self.tunnels.get(&(far.node, far.seat, tunnel)).copied() {
            self.asks_broker(Asker::Seat(seat));
        }
    }

    /// And its answer comes back.
    pub(super) fn pong_comes(&mut self, seat: Seat, tunnel: u32) {
        if let Some(Sitter::Holds(held)) = self.seats.at(seat).map(|chair| &chair.sitter)
            && let Whose::Client(who) = held.whose
            && held.tunnel.0 == tunnel
        {
            let node = usize::from(held.node);
            self.reply(who, node, Reply::Pong, NOWHERE);
        }
    }

    /// A PINGREQ reaches a broker. One that hangs answers when it goes on.
    pub(super) fn asks_broker(&mut self, asker: Asker) {
        let (node, broker, life) = match asker {
            Asker::Client(who) => {
                let client = self.clients[who.no as usize];
                if client.flow != who.turn || !client.is_connected() {
                    return;
                }
                let life = self.brokers[usize::from(client.broker)].life;
                (usize::from(client.node), client.broker, life)
            }
            Asker::Seat(seat) => {
                let Some(Sitter::Holds(held)) = self.seats.at(seat).map(|chair| &chair.sitter)
                else {
                    return;
                };
                let Some(token) = &held.token else { return };
                (usize::from(held.node), token.broker().0, held.life)
            }
        };
        let there = &mut self.brokers[usize::from(broker)];
        match there.process {
            Process::Vanished => {}
            Process::Hung => there.askers.push(asker),
            Process::Runs if there.life == life => self.is_answered(node, asker),
            // It starts to speak of what the broker knows nothing of.
            Process::Runs | Process::Dead => {
                if let Asker::Seat(seat) = asker {
                    self.ends(seat);
                }
            }
        }
    }

    fn is_answered(&mut self, node: usize, asker: Asker) {
        let seat = match asker {
            Asker::Client(who) => return self.reply(who, node, Reply::Pong, NOWHERE),
            Asker::Seat(seat) => seat,
        };
        let Some(Sitter::Holds(held)) = self.seats.at(seat).map(|chair| &chair.sitter) else {
            return;
        };
        let (tunnel, road) = (held.tunnel.0, held.road);
        match held.whose {
            Whose::Client(who) => self.reply(who, node, Reply::Pong, NOWHERE),
            Whose::Carried(far, _) => {
                self.says_on_road(node, road, Say::Pong { seat: far.seat, tunnel });
            }
        }
    }

    /// Its PINGREQ is answered: all is well, as far as it knows.
    pub(super) fn ponged(&mut self, no: u32) {
        if self.clients[no as usize].mood != Mood::Asking {
            return;
        }
        let now = self.now();
        self.stays(no, now);
        // Something else may have struck since.
        self.asks_soon_if_unserved(no);
    }

    /// How long a broker waits for somebody who is silent from now on: one and a half keepalives
    /// after its last word. Without a keepalive, for ever.
    pub(super) fn haunts(&self, whose: u64) -> Option<Duration> {
        let keepalive = self.plan.drill.clients.keepalive;
        if keepalive.is_zero() {
            return None;
        }
        let quiet = self.draws.within(keepalive, whose, crate::engine::draw::Purpose::Phase, 1);
        Some(keepalive * 3 / 2 - quiet)
    }

    /// A client has closed its connection, whoever hears of it.
    pub(super) fn hangs_up(&mut self, no: u32) {
        let client = self.clients[no as usize];
        // Where nothing is left of it, or nothing arrives, nobody is told.
        if client.is(Trait::Lost) || client.is(Trait::Deaf) {
            return;
        }
        if usize::from(client.site) == self.me && client.seat == NOWHERE {
            let at = self.now() + self.client_way(self.me);
            self.parts_at(no, at);
        } else {
            let who = Who { site: self.me as u16, no, turn: client.flow };
            self.client_says(no, usize::from(client.site), Letter::Gone(who, client.seat));
        }
    }

    /// The place that a client of this region has on a broker here is given back then.
    pub(super) fn parts_at(&mut self, no: u32, at: isobar_core::time::Time) {
        let client = self.clients[no as usize];
        let (node, broker) = (client.node, client.broker);
        let lives = self.nodes[usize::from(node)].lives;
        let life = self.brokers[usize::from(broker)].life;
        let key = crate::engine::wheel::Key::new(super::class::PARTS, no, u32::from(client.turn));
        self.agenda.push(at, key, Event::Parts { node, broker, lives, life });
    }
}
