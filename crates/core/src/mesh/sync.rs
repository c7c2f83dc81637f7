//! How those who missed something catch up, and how newcomers become known.
//!
//! A link begins with everything we have to say of ourselves, an offer of what else we may speak
//! of, and introductions where the tables of names differ. Every 30 s or so the offer is made
//! again: on all links to other sites, and to one sibling. Who lacks something asks for it.

use alloc::vec::Vec;
use core::time::Duration;

use super::Mesh;
use super::link::WANTS;
use super::message::{
    Have, Hello, Introduction, Message, OFFER_MAX, Offer, PEERS_MAX, Peers, Want,
};
use super::roster::{HOME, ME};
use super::terms::{Channel, LinkId};
use crate::id::PeerId;
use crate::time::Time;

const COMPARE_EVERY_MS: u32 = 30_000;

impl Mesh {
    /// The first things said on a link that is up.
    pub(super) fn welcome(&mut self, now: Time, id: LinkId, hello: &Hello) {
        self.heartbeat(now, id);
        self.tell_counts(id);
        self.tell_all(id, &[ME]);
        self.offer(id);
        if hello.known != self.topology.known(&self.roster) {
            let everyone: Vec<PeerId> = self.roster.peer_ids().collect();
            self.introduce_to(Vec::from([id]), &everyone);
        }
    }

    /// Of whom we may speak to that link's peer: a sibling hears of everyone, others of our site.
    fn spoken_of(&self, id: LinkId) -> Vec<PeerId> {
        let there = self.links[&id].peer;
        let all = self.is_sibling(there);
        let of = |peer: &PeerId| *peer != there && (all || self.site_of(*peer) == HOME);
        let peers = self.roster.peer_ids().filter(of);
        peers.filter(|&peer| self.roster.peer(peer).is_up()).collect()
    }

    fn offer(&mut self, id: LinkId) {
        let have = |&peer: &PeerId| {
            let record = &self.roster.peer(peer).record;
            Have { owner: peer.0, incarnation: record.incarnation(), sum: record.sum() }
        };
        let all: Vec<Have> = self.spoken_of(id).iter().map(have).collect();
        for have in all.chunks(OFFER_MAX) {
            let offer = Message::Offer(Offer { have: have.to_vec() });
            self.say(Vec::from([id]), Channel::Stream, offer);
        }
    }

    pub(super) fn hear_offer(&mut self, now: Time, id: LinkId, offer: &Offer) {
        let mut lacking = Vec::new();
        for have in offer.have.iter().take(OFFER_MAX) {
            let Some(owner) = self.owner_on(now, id, have.owner) else { continue };
            let peer = self.roster.peer(owner);
            let (held, gone) = (peer.record.incarnation(), peer.buried.max(peer.left));
            let newer = have.incarnation > held;
            let differs = have.incarnation == held && have.sum != peer.record.sum();
            if owner != ME && have.incarnation > gone && (newer || differs) {
                lacking.push(owner);
            }
        }
        self.ask_for(id, lacking);
    }

    pub(super) fn ask_for(&mut self, id: LinkId, owners: Vec<PeerId>) {
        for owners in owners.chunks(OFFER_MAX) {
            let want = Want { owners: owners.iter().map(|owner| owner.0).collect() };
            self.say(Vec::from([id]), Channel::Stream, Message::Want(want));
        }
    }

    pub(super) fn hear_want(&mut self, now: Time, id: LinkId, want: &Want) {
        let may = self.spoken_of(id);
        let link = self.links.get_mut(&id).expect("the caller has it");
        link.wants.refill(WANTS, now);
        let mut wanted = Vec::new();
        for number in want.owners.iter().take(OFFER_MAX) {
            // Who asks for more than that a second asks again later.
            let owner = link.theirs.owners.get(number).copied();
            if let Some(owner) = owner.filter(|owner| may.contains(owner))
                && link.wants.take()
            {
                wanted.push(owner);
            }
        }
        self.tell_all(id, &wanted);
    }

    /// Those of whom nobody had told us are introduced to the others.
    pub(super) fn introduce(&mut self) {
        let newcomers = core::mem::take(&mut self.newcomers);
        if !newcomers.is_empty() {
            let everyone = self.up_links(|_| true);
            self.introduce_to(everyone, &newcomers);
        }
    }

    fn introduce_to(&mut self, to: Vec<LinkId>, whom: &[PeerId]) {
        let peers: Vec<Introduction> = whom
            .iter()
            .filter(|&&peer| self.roster.peer(peer).is_up())
            .map(|&peer| {
                let identity = self.roster.identity(peer);
                let addresses = self.address_of(peer);
                Introduction { site: identity.site, node: identity.node, addresses }
            })
            .filter(|introduction| !introduction.addresses.is_empty())
            .collect();
        for peers in peers.chunks(PEERS_MAX) {
            let peers = Message::Peers(Peers { peers: peers.to_vec() });
            self.say(to.clone(), Channel::Stream, peers);
        }
    }

    pub(super) fn hear_peers(&mut self, now: Time, peers: &Peers) {
        for introduction in peers.peers.iter().take(PEERS_MAX) {
            if let Err(table) = self.topology.introduced(&self.roster, introduction) {
                self.table_full(now, table);
            }
        }
    }

    /// Makes the offer again, every now and then.
    pub(super) fn compare(&mut self, now: Time) {
        if now < self.compare_at {
            return;
        }
        let jitter = self.rng.below(COMPARE_EVERY_MS / 2);
        let every = COMPARE_EVERY_MS * 3 / 4 + jitter;
        self.compare_at = now + Duration::from_millis(u64::from(every));
        let mut to = self.up_links(|site| site != HOME);
        let siblings = self.up_links(|site| site == HOME);
        if !siblings.is_empty() {
            to.push(siblings[self.rng.below(siblings.len() as u32) as usize]);
        }
        for &id in &to {
            self.offer(id);
        }
        if !to.is_empty() {
            let one = to[self.rng.below(to.len() as u32) as usize];
            let everyone: Vec<PeerId> = self.roster.peer_ids().collect();
            self.introduce_to(Vec::from([one]), &everyone);
        }
    }
}
