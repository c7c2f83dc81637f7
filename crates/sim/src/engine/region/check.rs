//! What is checked of a region: its books beside each other, and flows as they go.

use std::collections::BTreeMap;

use isobar_core::id::{BrokerId, PeerId, SiteId};
use isobar_core::mesh::Mesh;
use isobar_core::outlook::Standing;
use isobar_core::pool::Rejection;
use isobar_core::share::GONE_AFTER;
use isobar_core::time::Time;

use super::place::{NOWHERE, Sitter, Task, Whose};
use super::{Region, S};
use crate::drill::Check;
use crate::engine::account::Stand;
use crate::engine::checks::Findings;
use crate::engine::checks::words::Word;
use crate::engine::crowd::Trait;
use crate::engine::plan::BEGIN;

/// A node that has just begun may not have heard its siblings, and a site that was just struck has
/// connections that nobody knows of.
const SETTLES: std::time::Duration = std::time::Duration::from_secs(10);

/// Siblings that meet again have put their books together by then: a word each, and the second for
/// which places must be held twice before they are given up.
const MEETS: std::time::Duration = std::time::Duration::from_secs(3);

/// What each node held of a site when it buried it.
pub(crate) type Graves = BTreeMap<(usize, SiteId), Vec<(PeerId, u64)>>;

impl Region {
    pub(super) fn accuse(&mut self, check: Check, what: impl FnOnce() -> String) {
        let now = self.now();
        let name = &self.plan.site(self.me).name;
        self.found.note(now, check, || format!("{name}: {}", what()));
    }

    /// Everything that was found here.
    pub(crate) fn findings(&mut self) -> &Findings {
        for life in self.nodes.iter_mut().filter_map(|node| node.life.as_mut()) {
            self.found.absorb(std::mem::take(&mut life.pool.found));
        }
        &self.found
    }

    /// At a look: queues and limits.
    pub(crate) fn checks_rooms(&mut self) {
        let now = self.now();
        for node in &mut self.nodes {
            if let Some(life) = &mut node.life {
                life.pool.check_room(now, S);
            }
        }
        // A process that ends later takes nothing of it along.
        self.findings();
        for broker in 0..self.brokers.len() {
            let there = &self.brokers[broker];
            let (backlog, most) = (there.backlog(), there.habits.backlog);
            let (held, own) = (there.most, there.habits.max_connections);
            if backlog > most {
                self.accuse(Check::Queues, || format!("{backlog} in a backlog of {most}"));
            }
            if let Some(own) = own.filter(|own| held > *own) {
                self.accuse(Check::Limits, || format!("{held} on a broker that takes {own}"));
            }
        }
    }

    /// The nodes of a site have placed more on a broker than it takes: only siblings that cannot
    /// hear each other may do that. One that was stopped for so long that the others have shared out
    /// its places cannot know so before it hears them again.
    pub(super) fn checks_site_limit(&mut self, broker: usize, placed: u32, most: u32) {
        let now = self.now();
        let mut lives = self.nodes.iter().filter_map(|node| node.life.as_ref());
        let hear = lives.all(|life| {
            let began = life.pool.began.max(BEGIN);
            now.since(began) > SETTLES && life.mesh.as_ref().is_some_and(hears_siblings)
        });
        let apart = self.nodes.iter().any(|node| {
            let meets = node.missed_until > Time::ZERO && now.since(node.missed_until) < MEETS;
            node.life.is_none() || meets
        });
        // What one holds that has stood still for so long, the others have shared out.
        let gone = self.nodes.iter().enumerate().filter(|(number, node)| {
            self.is_stopped(*number) && now.since(node.stopped_at) >= GONE_AFTER
        });
        let (id, gone) = (BrokerId(broker as u16), gone.filter_map(|(_, node)| node.life.as_ref()));
        let gone: u32 = gone.map(|life| life.pool.glance(id, now).active).sum();
        let placed = placed - gone.min(placed);
        if hear && !apart && placed > most {
            self.accuse(Check::Limits, || {
                format!("{placed} placed on broker {}, which takes {most}", broker + 1)
            });
        }
    }

    /// A flow is about to try a broker or a site.
    pub(super) fn checks_try(&mut self, task: &Task) {
        if task.no.is_some() {
            let client = task.client;
            self.accuse(Check::JudgedOnce, || {
                format!("client {client:x} is shown to another after a broker refused it")
            });
        }
    }

    /// A flow is about to be sent to another site.
    pub(super) fn checks_sent(&mut self, task: &Task) {
        let (now, client) = (self.now(), task.client);
        if matches!(task.whose, Whose::Carried(..)) {
            return self.accuse(Check::Hops, || {
                format!("client {client:x} is sent on from where it was sent")
            });
        }
        let turned_down =
            matches!(task.rejected, Some(Rejection::NoBroker | Rejection::Full | Rejection::Tried));
        let node = &self.nodes[usize::from(task.node)];
        // In the moment in which one goes on after a stop, all happens that came meanwhile: what was
        // full is open, and nobody can be asked twice within no time.
        if node.resumed_at == now {
            return;
        }
        let life = node.life.as_ref();
        let open = life.and_then(|life| life.pool.could_take(now, S, task.flow.tried()));
        if let Some(broker) = open.filter(|_| turned_down) {
            self.accuse(Check::HomeFirst, || {
                format!("client {client:x} is sent away though broker {} is open", broker.0 + 1)
            });
        }
    }

    /// A flow that came by tunnel is taken here.
    pub(super) fn checks_hop(&mut self, client: u64, hop: u8) {
        if hop > 1 {
            self.accuse(Check::Hops, || format!("client {client:x} came by {hop} tunnels"));
        }
    }

    /// What a node holds of a site has changed: the dead come back in a new life only.
    pub(super) fn checks_standing(
        &mut self,
        node: usize,
        site: SiteId,
        from: Option<Standing>,
        to: Standing,
    ) {
        let Some(mesh) = self.nodes[node].life.as_ref().and_then(|life| life.mesh.as_ref()) else {
            return;
        };
        let members = mesh.members(site);
        if to == Standing::Dead {
            let grave = |peer: &PeerId| (*peer, mesh.held(*peer).incarnation);
            let graves = members.iter().map(grave).collect();
            self.graves.insert((node, site), graves);
        } else if from == Some(Standing::Dead) {
            let graves = self.graves.remove(&(node, site)).unwrap_or_default();
            let reborn = members.iter().any(|peer| {
                let grave = graves.iter().find(|(who, _)| who == peer).map_or(0, |(_, i)| *i);
                mesh.held(*peer).incarnation > grave
            });
            let name = mesh.site_name(site).unwrap_or_default().to_owned();
            if !reborn {
                self.accuse(Check::Ownership, || {
                    format!("node {}: {name} rose from the dead in its old life", node + 1)
                });
            }
        }
    }

    /// What a node says of itself.
    pub(crate) fn own_word(&self, node: usize) -> Option<Word> {
        let mesh = self.nodes[node].life.as_ref()?.mesh.as_ref()?;
        let held = mesh.held(PeerId(0));
        Some(Word { incarnation: held.incarnation, seq: held.seq })
    }

    /// What a node holds of others, by their numbers among all.
    pub(crate) fn held_words(&mut self, node: usize) -> Vec<(u16, Word)> {
        let peers = self.nodes[node].life.as_ref().and_then(|life| life.mesh.as_ref());
        let peers = peers.map_or(0, Mesh::peers);
        let mut words = Vec::new();
        for peer in (1..peers).map(PeerId) {
            let Some(of) = self.gnode_of(node, peer) else { continue };
            let mesh = self.nodes[node].life.as_ref().and_then(|life| life.mesh.as_ref());
            if let Some(held) = mesh.map(|mesh| mesh.held(peer)) {
                words.push((of, Word { incarnation: held.incarnation, seq: held.seq }));
            }
        }
        words
    }

    /// All books, beside each other.
    pub(crate) fn audits(&mut self) {
        let now = self.now();
        self.audits_clients();
        self.audits_places();
        for node in &mut self.nodes {
            if let Some(life) = &mut node.life {
                life.pool.check_all(now);
            }
        }
    }

    /// Every client is counted once, where it is.
    fn audits_clients(&mut self) {
        let mut counts = [[0u32; 4]; 2];
        let mut served = vec![vec![0u32; self.brokers.len()]; self.nodes.len()];
        for no in 0..self.clients.len() as u32 {
            let client = &self.clients[no as usize];
            let Some(stand) = self.stand(no) else { continue };
            counts[usize::from(client.is(Trait::Affected))][stand as usize] += 1;
            if stand == Stand::Home && client.seat == NOWHERE && usize::from(client.site) == self.me
            {
                served[usize::from(client.node)][usize::from(client.broker)] += 1;
            }
        }
        let booked = [self.account.now(false), self.account.now(true)];
        if counts != booked || self.account.amiss > 0 {
            self.accuse(Check::ClientStates, || format!("{counts:?}, booked as {booked:?}"));
        }
        for (node, served) in served.iter().enumerate() {
            for (broker, served) in served.iter().enumerate() {
                let life = self.nodes[node].life.as_ref();
                let places = life.map_or(0, |life| life.stacks[broker].len());
                if *served as usize > places {
                    self.accuse(Check::ClientStates, || {
                        format!("{served} served at {}/{} on {places} places", node + 1, broker + 1)
                    });
                }
            }
        }
    }

    /// Places that are out are in somebody's hands, each once; and brokers have the connections.
    fn audits_places(&mut self) {
        let mut hands = vec![vec![0u32; self.brokers.len()]; self.nodes.len()];
        for (node, life) in self.nodes.iter().enumerate() {
            for (broker, stack) in life.life.iter().flat_map(|life| life.stacks.iter().enumerate())
            {
                hands[node][broker] += stack.len() as u32;
            }
        }
        self.seats.each(|sitter| {
            let (node, token) = match sitter {
                Sitter::Opens(task) => (task.node, &task.token),
                Sitter::Holds(held) => (held.node, &held.token),
                Sitter::Knocks { .. } | Sitter::Nobody(_) | Sitter::Busy => return,
            };
            if let Some(token) = token {
                hands[usize::from(node)][token.broker().index()] += 1;
            }
        });
        for mail in self.mails.iter().flatten() {
            if let Ok(token) = &mail.word {
                hands[usize::from(mail.node)][token.broker().index()] += 1;
            }
        }
        for (node, hands) in hands.iter().enumerate() {
            for (broker, held) in hands.iter().enumerate() {
                let out = self.nodes[node].life.as_ref().map(|life| life.pool.out(broker));
                if let Some(out) = out.filter(|out| out != held) {
                    self.accuse(Check::Books, || {
                        format!(
                            "node {}: {out} places are out at broker {}, and {held} in hands",
                            node + 1,
                            broker + 1
                        )
                    });
                }
            }
        }
        self.audits_connections(&hands);
    }

    /// Where nothing is on its way and nothing has ever befallen the site, brokers hold one
    /// connection for each place.
    fn audits_connections(&mut self, hands: &[Vec<u32>]) {
        if !self.blows.is_empty() {
            return;
        }
        for broker in 0..self.brokers.len() {
            let there = &self.brokers[broker];
            if !there.is_idle() || self.leaving[broker] > 0 || self.lines.busy(broker as u16) {
                continue;
            }
            let placed: u32 = hands.iter().map(|node| node[broker]).sum();
            let held = there.of_clients();
            if held != placed {
                self.accuse(Check::Books, || {
                    format!("broker {} holds {held} connections on {placed} places", broker + 1)
                });
            }
        }
    }
}

/// Whether a node hears all that it knows of its own site.
fn hears_siblings(mesh: &Mesh) -> bool {
    mesh.members(SiteId(0)).iter().all(|peer| mesh.is_living(*peer))
}

#[cfg(test)]
mod tests;
