//! The nodes of one site: what they tell each other, which may be late or lost, their clients
//! that come to two of them at once, and what becomes of the others when one is started again.

use std::collections::BTreeMap;
use std::time::Duration;

use isobar_core::id::{BrokerId, ClientKey, FlowId};
use isobar_core::mesh::{By, Input, Taken};
use isobar_core::takeover::{Heard, Taken as TakenBy};
use isobar_core::time::Time;

use super::news::key;
use super::{Event, Id, Node, Place, S, Sites, Task, Whose};
use crate::chance::Purpose;
use crate::mesh::ToPool;

/// Nodes that have just met have settled what each of them may place after this long.
const FIRST: Duration = Duration::from_secs(3);

/// How words between siblings travel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Post {
    /// Of counts and places, so many in a hundred do not arrive.
    pub(super) lost: u64,
    /// All are late by so much, at most.
    pub(super) late: Duration,
}

impl Sites {
    /// From now on, of what siblings say of counts and places so many in a hundred are lost, and
    /// all words are late by up to that.
    pub fn siblings_lose(&mut self, percent: u64, late: Duration) {
        self.post = Post { lost: percent, late };
    }

    /// Two nodes do not hear each other any longer.
    pub fn split(&mut self, a: usize, b: usize) {
        self.globe.advance(self.now);
        self.globe.cut_nodes(a, b);
        self.globe.cut_nodes(b, a);
        self.excused_until = Time::NEVER;
    }

    /// All hear each other again.
    pub fn heal(&mut self) {
        self.globe.advance(self.now);
        self.globe.heal();
        // Until links stand again, and they have met.
        self.excused_until = self.now + Duration::from_secs(5) + FIRST;
    }

    /// A node's process is killed and started again at once: its flows end, and it knows nothing.
    pub fn restart(&mut self, node: usize) {
        self.globe.advance(self.now);
        let here = |task: &&Task| task.node == node;
        let ids: Vec<Id> = self.tasks.values().filter(here).map(|task| task.id).collect();
        for id in ids {
            self.ends(id);
        }
        self.pump();
        let Node { life, draining, .. } = self.nodes[node];
        self.nodes[node] = self.node(node, life + 1);
        self.drain(node, draining);
        self.globe.kill(node);
        self.looks(node);
        self.globe.restart(node, 2_000 + u64::from(life));
        // Until the link stands, it knows of nobody.
        self.excused_until = self.excused_until.max(self.now + FIRST);
        self.pump();
    }

    /// `n` clients come to a node, each with a second connection under its name that comes to the
    /// next node of the site, earlier or later by up to that. Who is ended for the other one does
    /// not come back.
    pub fn twins(&mut self, node: usize, n: usize, apart: Duration) -> std::ops::Range<usize> {
        let first = self.clients.len();
        let site = self.site_of(node);
        let next = site * self.per + (node % self.per + 1) % self.per;
        for i in 0..n {
            let one = self.client(node);
            let other = self.client(next);
            (self.clients[one].twin, self.clients[other].twin) = (Some(other), Some(one));
            let span = apart.as_nanos() as u64 * 2;
            let draw = self.chance.below(span, one as u64, Purpose::Arrival, self.now.0);
            let base = Duration::from_millis(20 * i as u64);
            self.push(base + apart, Event::Arrives(one));
            self.push(base + Duration::from_nanos(draw), Event::Arrives(other));
        }
        first..self.clients.len()
    }

    /// Of these twins: how many are not served, and how many are served twice.
    pub fn astray(&self, twins: std::ops::Range<usize>) -> (usize, usize) {
        let served = |no: usize| matches!(self.clients[no].place, Place::Served(..));
        let pairs = twins.filter_map(|no| Some((no, self.clients[no].twin.filter(|b| no < *b)?)));
        pairs.fold((0, 0), |(none, both), (a, b)| match (served(a), served(b)) {
            (false, false) => (none + 1, both),
            (true, true) => (none, both + 1),
            _ => (none, both),
        })
    }

    /// What a word's way does to it: it comes now, later, or never.
    pub(super) fn posts(&mut self, node: usize, word: ToPool) -> Option<ToPool> {
        let Post { lost, late } = self.post;
        if matches!(word, ToPool::Outlook(_)) || (lost == 0 && late.is_zero()) {
            return Some(word);
        }
        self.pushed += 1;
        let may_be_lost = !matches!(word, ToPool::Taken(_));
        let (draws, no) = (self.chance, self.pushed);
        if may_be_lost && draws.below(100, node as u64, Purpose::Mail, no) < lost {
            return None;
        }
        let late = draws.below(late.as_nanos() as u64 + 1, node as u64, Purpose::Work, no);
        // Each kind comes in the order in which it was said.
        let here = &mut self.nodes[node];
        let comes_at = match word {
            ToPool::Siblings(_) => &mut here.counts_at,
            _ => &mut here.orders_at,
        };
        *comes_at = (*comes_at).max(self.now + Duration::from_nanos(late));
        let (wait, life) = (comes_at.since(self.now), here.life);
        self.push(wait, Event::Word(node, life, word));
        None
    }

    pub(super) fn word_comes(&mut self, node: usize, life: u32, word: ToPool) {
        if self.nodes[node].life == life {
            self.takes_in(node, word);
        }
    }

    /// A client was accepted at last: an older flow of it ends. `false` if that is this one.
    pub(super) fn accepted(&mut self, task: &Task, no: usize) -> bool {
        if self.clients[no].twin.is_none() {
            return true;
        }
        let client = self.name_of(no);
        let by = match (&task.token, &task.passage) {
            (Some(token), _) => TakenBy::Here(token.broker()),
            (None, Some(passage)) => TakenBy::There(passage.course().site),
            (None, None) => return true,
        };
        let here = &mut self.nodes[task.node];
        let older = here.takeovers.accepted(client, FlowId(task.id), by, task.since);
        if older == Some(FlowId(task.id)) {
            return false;
        }
        here.taken.push((client, by, task.since));
        if let Some(FlowId(older)) = older {
            self.is_taken_over(older);
        }
        true
    }

    /// A committed flow of a client is over.
    pub(super) fn client_ended(&mut self, node: usize, no: usize, id: Id) {
        if self.clients[no].twin.is_some() {
            let client = self.name_of(no);
            self.nodes[node].takeovers.ended(client, FlowId(id));
        }
    }

    /// The broker ends the older connection of the same name, as MQTT says.
    pub(super) fn broker_takes_over(&mut self, task: Id, no: usize) {
        let Some(twin) = self.clients[no].twin else { return };
        let at = |id: Id| {
            let task = self.tasks.get(&id)?;
            Some((self.site_of(task.node), task.token.as_ref()?.broker()))
        };
        if let Place::Served(other, _) = self.clients[twin].place
            && at(other).is_some()
            && at(other) == at(task)
        {
            self.is_taken_over(other);
        }
    }

    fn is_taken_over(&mut self, id: Id) {
        if let Some(Task { whose: Whose::Client(no), .. }) = self.tasks.get(&id) {
            self.clients[*no].retired = true;
        }
        self.ends(id);
    }

    /// Twins have one name.
    fn name_of(&self, no: usize) -> ClientKey {
        let one = self.clients[no].twin.map_or(no, |twin| twin.min(no));
        ClientKey::from_bits(one as u128)
    }

    /// Tells siblings who was accepted since the last look.
    pub(super) fn tells_taken(&mut self, node: usize) {
        let site = self.site_of(node);
        let now = self.now;
        let taken = std::mem::take(&mut self.nodes[node].taken);
        let told = taken.into_iter().map(|(client, by, since)| Taken {
            service: S,
            client,
            by: match by {
                TakenBy::Here(broker) => By::Broker(key(site, broker)),
                TakenBy::There(site) => By::Site(site),
            },
            age: now.since(since),
            precedence: isobar_core::takeover::Precedence::Ours,
        });
        let told: Vec<Taken> = told.collect();
        if !told.is_empty() {
            self.globe.says(node, Input::Taken(&told));
        }
    }

    pub(super) fn hears_taken(&mut self, node: usize, taken: &[Taken]) {
        let site = self.site_of(node);
        let brokers = (0..self.brokers[site].len() as u16).map(BrokerId);
        let brokers: BTreeMap<_, _> = brokers.map(|broker| (key(site, broker), broker)).collect();
        for Taken { client, by, age, precedence, .. } in taken {
            let by = match by {
                By::Broker(key) => TakenBy::Here(brokers[key]),
                By::Site(site) => TakenBy::There(*site),
            };
            let since = self.now - *age;
            let here = &mut self.nodes[node];
            match here.takeovers.heard(*client, by, since, *precedence) {
                Heard::Nothing => {}
                Heard::Stays(on, since) => here.taken.push((*client, on, since)),
                Heard::Ends(FlowId(older)) => self.is_taken_over(older),
            }
        }
    }
}
