//! What a message does: whose word may be taken on this link, and what it changes.

mod witnesses;

use alloc::vec::Vec;
use core::time::Duration;

use super::detector::Hearing;
use super::digest::{Merged, Page, Spot};
use super::link::Phase;
use super::message::{Doubt, Heartbeat, Held, LOAD_PAGES_MAX, Message, Stamp};
use super::own::{INCARNATION_MAX, JUMP_MAX, is_urgent};
use super::roster::{HOME, ME};
use super::terms::{Channel, LinkId, Notice, Purpose, RaiseReason, Refusal};
use super::{Mesh, Reason};
use crate::id::{PeerId, SiteId};
use crate::time::Time;

/// What comes so soon after this process was stopped may have waited for it.
const OLD_NEWS: Duration = Duration::from_secs(1);
/// Between two words to one link on whom we hold dead.
const TELL_GRAVES_EVERY: Duration = Duration::from_millis(500);

impl Mesh {
    pub(super) fn heard(&mut self, now: Time, id: LinkId, message: &Message) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match (&link.phase, message) {
            _ if link.purpose == Purpose::Data => return,
            (_, Message::Hello(hello)) => return self.hear_hello(now, id, hello),
            (Phase::Up, _) => link.heard_at = now,
            (Phase::Contending(..), Message::Names(names)) => {
                return self.hear_names(now, id, names);
            }
            _ => return,
        }
        let peer = link.peer;
        self.heard_from(now, peer);
        match message {
            Message::Hello(_) => {}
            Message::Names(names) => self.hear_names(now, id, names),
            Message::Heartbeat(beat) => self.hear_heartbeat(now, id, beat),
            Message::Ping { token } => {
                let pong = Message::Pong { token: *token };
                self.say(Vec::from([id]), Channel::Datagram, pong);
            }
            Message::Pong { token } => self.hear_pong(id, *token),
            Message::Held(held) => self.hear_held(now, id, held),
            Message::WitnessAsk { site } => self.hear_question(now, id, *site),
            Message::Vote(vote) => self.hear_vote(now, id, vote),
            Message::Ears(ears) => self.hear_ears(now, id, ears),
            Message::Verdict(verdict) => self.hear_verdict(now, id, verdict),
            Message::About(page) => self.hear_page(now, id, Page::About(page.clone())),
            Message::Shape(page) => self.hear_page(now, id, Page::Shape(page.clone())),
            Message::Load(pages) => {
                for page in pages.iter().take(LOAD_PAGES_MAX) {
                    self.hear_page(now, id, Page::Load(page.clone()));
                }
            }
            Message::Counts(page) => self.hear_page(now, id, Page::Counts(page.clone())),
            Message::PlacesAsk(_) | Message::PlacesGive(_) => self.hear_places(now, id, message),
            Message::Taken(takings) => self.hear_taken(now, id, takings),
            Message::Offer(offer) => self.hear_offer(now, id, offer),
            Message::Want(want) => self.hear_want(now, id, want),
            Message::Peers(peers) => self.hear_peers(now, peers),
            Message::Leave { owner, incarnation } => {
                self.hear_leave(now, id, *owner, *incarnation);
            }
        }
    }

    /// A word came from that very node: it lives, whatever it said.
    fn heard_from(&mut self, now: Time, peer: PeerId) {
        self.vouched(now, peer);
        let site = self.site_of(peer);
        if !self.rules.incarnations && !self.roster.peer(peer).is_up() {
            self.roster.peer_mut(peer).buried = 0;
            self.calm.disturb_nodes();
            self.reborn(now, peer);
        }
        if site == HOME || !self.roster.peer(peer).is_up() {
            return;
        }
        let site = &mut self.roster.sites[site.index()];
        site.heard_at = now;
        site.doubted.clear();
        if let Some(ear) = site.ear_mut(ME, peer) {
            ear.heard_at = now;
        }
    }

    pub(super) fn vouched(&mut self, now: Time, peer: PeerId) {
        let p = self.roster.peer_mut(peer);
        p.vouched_at = Some(now);
        if !p.living && peer != ME {
            self.calm.disturb_nodes();
        }
    }

    /// A higher incarnation of that node is known: it is another life.
    pub(super) fn advance(&mut self, now: Time, peer: PeerId, incarnation: u64) {
        if peer == ME || !self.roster.peer_mut(peer).record.advance(incarnation) {
            return;
        }
        self.reborn(now, peer);
    }

    /// Takes in that a node speaks in a higher incarnation.
    fn reborn(&mut self, now: Time, peer: PeerId) {
        let site = self.site_of(peer);
        self.disturbed(site);
        self.calm.disturb_nodes();
        self.siblings_stale = true;
        if !self.roster.peer(peer).is_up() {
            return;
        }
        let site = &mut self.roster.sites[site.index()];
        if site.dead {
            site.dead = false;
            site.votes.clear();
            (site.heard_at, site.returned_at) = (now, now);
            site.hearing = Hearing::default();
            self.stand(now, self.site_of(peer), Reason::Returned);
        }
    }

    fn hear_heartbeat(&mut self, now: Time, id: LinkId, beat: &Heartbeat) {
        let link = self.links.get_mut(&id).expect("the caller has it");
        let peer = link.peer;
        if (beat.incarnation, beat.seq) <= link.beats_in || beat.incarnation > INCARNATION_MAX {
            return;
        }
        link.beats_in = (beat.incarnation, beat.seq);
        link.wanted_there = beat.wanted;
        link.deaf = Duration::from_millis(u64::from(beat.silence));
        let held = self.roster.peer(peer).record.incarnation();
        if beat.incarnation > held {
            self.advance(now, peer, beat.incarnation);
            self.heard_from(now, peer);
        }
        if self.is_not_well(now, id, beat.incarnation) {
            return;
        }
        self.hear_mask(now, id, beat.hears);
        let (about, shape, load) = self.roster.peer(peer).record.newest();
        let link = self.links.get_mut(&id).expect("the caller has it");
        // What is on its way now gets one more heartbeat's time to arrive.
        let behind = beat.about > about || beat.shape > shape || beat.load > load;
        let ask = behind && link.behind;
        link.behind = behind && !ask;
        if ask {
            self.ask_for(id, Vec::from([peer]));
        }
    }

    /// It speaks in an incarnation that is dead or outlived: it is told, and not listened to.
    fn is_not_well(&mut self, now: Time, id: LinkId, incarnation: u64) -> bool {
        let peer = self.links[&id].peer;
        let p = self.roster.peer(peer);
        let (held, grave) = (p.record.incarnation(), p.buried.max(p.left));
        if !self.rules.incarnations || (incarnation >= held && incarnation > grave) {
            return false;
        }
        let (incarnation, doubt) =
            if held > grave { (held, Doubt::Old) } else { (held.max(grave), Doubt::Dead) };
        let held = Message::Held(Held { incarnation, doubt });
        self.say(Vec::from([id]), Channel::Datagram, held);
        if doubt == Doubt::Dead {
            self.tell_of_graves(now, id, self.site_of(peer));
        }
        true
    }

    /// Whether we hold dead someone in those slots.
    fn is_any_buried(&self, site: SiteId, mask: u64) -> bool {
        self.roster.site(site).nodes.iter().enumerate().any(|(slot, &peer)| {
            let p = self.roster.peer(peer);
            mask & (1 << slot) != 0 && p.buried > 0 && p.buried >= p.record.incarnation()
        })
    }

    /// Tells a site's node whom of its site we hold dead, so that those who live say so.
    fn tell_of_graves(&mut self, now: Time, id: LinkId, site: SiteId) {
        let link = self.links.get_mut(&id).expect("the caller has it");
        if link.told_dead_at.is_none_or(|at| now.since(at) >= TELL_GRAVES_EVERY) {
            link.told_dead_at = Some(now);
            self.tell_verdict(Vec::from([id]), site);
        }
    }

    /// The nodes of its own site that the far end hears.
    fn hear_mask(&mut self, now: Time, id: LinkId, raw: u64) {
        let link = &self.links[&id];
        let (peer, site, deaf) = (link.peer, self.roster.peer(link.peer).site, link.deaf);
        let known = link.said.filter(|(as_said, _)| *as_said == raw);
        let mask = known.map_or_else(|| self.translated(id, site, raw), |(_, mask)| mask);
        let link = self.links.get_mut(&id).expect("the caller has it");
        (link.mask, link.said) = (mask, Some((raw, mask)));
        self.vouch_for(now, site, mask);
        if site != HOME && self.is_any_buried(site, mask) {
            self.tell_of_graves(now, id, site);
        }
        if let Some(ear) = self.roster.sites[site.index()].ear_mut(ME, peer) {
            (ear.mask, ear.deaf) = (mask, deaf);
            if !deaf.is_zero() {
                self.calm.disturb(site);
            }
        }
    }

    /// A set of slots in their numbering, in ours.
    fn translated(&self, id: LinkId, site: SiteId, raw: u64) -> u64 {
        let theirs = &self.links[&id].theirs;
        let of_site = theirs.slots.range((site, 0)..=(site, u8::MAX));
        let heard = of_site.filter(|((_, slot), _)| raw & (1 << slot) != 0);
        heard
            .map(|(_, peer)| 1 << self.roster.peer(*peer).slot)
            .fold(0, |mask, bit: u64| mask | bit)
    }

    fn vouch_for(&mut self, now: Time, site: SiteId, mut mask: u64) {
        while mask != 0 {
            let slot = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            if let Some(&peer) = self.roster.site(site).nodes.get(slot) {
                self.vouched(now, peer);
            }
        }
    }

    fn hear_held(&mut self, now: Time, id: LinkId, held: &Held) {
        match held.doubt {
            Doubt::Suspect => self.heartbeat(now, id),
            Doubt::Dead if held.incarnation >= self.own.incarnation() => {
                self.raise(now, held.incarnation, RaiseReason::CalledDead);
            }
            Doubt::Old if held.incarnation > self.own.incarnation() => {
                self.raise(now, held.incarnation, RaiseReason::Held);
            }
            Doubt::Dead | Doubt::Old => {}
        }
    }

    fn hear_leave(&mut self, now: Time, id: LinkId, owner: u16, incarnation: u64) {
        let from = self.links[&id].peer;
        let Some(owner) = self.owner_on(now, id, owner) else { return };
        let peer = self.roster.peer_mut(owner);
        let near = peer.record.incarnation().saturating_add(JUMP_MAX);
        if !(peer.record.incarnation()..=near).contains(&incarnation) || peer.left >= incarnation {
            return;
        }
        peer.left = incarnation;
        peer.living = false;
        self.roster.version += 1;
        self.notice(Notice::NodeLeft(owner));
        let site = self.site_of(owner);
        self.pass_on_leave(from, owner, incarnation);
        self.all_left(now, site);
        self.disturbed(site);
        self.calm.disturb_nodes();
        self.siblings_stale = true;
    }

    fn hear_page(&mut self, now: Time, id: LinkId, page: Page) {
        let from = self.links[&id].peer;
        let Some(page) = self.in_our_numbers(now, id, page) else { return };
        let (owner, stamp, spot) = (owner_of(&page), page.stamp(), page.spot());
        if !page.is_placed() {
            return self.refuse(now, from, Refusal::BadNumber);
        }
        if owner == ME {
            return self.hear_of_oneself(now, from, stamp);
        }
        let peer = self.roster.peer(owner);
        let held = peer.record.incarnation();
        // Only the owner itself may jump far; and nobody beyond what can be raised above.
        let near = held.max(self.own.incarnation()).saturating_add(JUMP_MAX);
        if stamp.incarnation > if owner == from { INCARNATION_MAX } else { near } {
            return self.refuse(now, from, Refusal::Jump);
        }
        if self.rules.incarnations && stamp.incarnation <= peer.buried.max(peer.left) {
            return;
        }
        let urgent = match &page {
            Page::Load(new) => {
                let old = peer.record.loads().find(|old| old.page == new.page);
                old.is_some_and(|old| is_urgent(&old.services, &new.services))
            }
            _ => !matches!(spot, Spot::Counts(_)),
        };
        let record = &mut self.roster.peer_mut(owner).record;
        match record.merge(page, self.rules.incarnations) {
            Merged::Reborn => self.reborn(now, owner),
            Merged::Newer => {}
            Merged::Same => return self.relay.told_by(self.is_sibling(from), owner, spot),
            Merged::Older => return,
        }
        if !self.roster.peer(owner).living {
            self.calm.disturb_nodes();
        }
        if self.roster.peer(owner).vouched_at.is_none() {
            // Nobody would pass on a page of a node that none of its site has ever heard.
            self.vouched(now, owner);
        }
        if let Spot::Load(page) = spot {
            let loads_at = &mut self.roster.peer_mut(owner).particulars.loads_at;
            // Its number is within the limits.
            loads_at.resize(loads_at.len().max(usize::from(page) + 1), now);
            loads_at[usize::from(page)] = now;
        }
        match spot {
            Spot::Counts(_) => self.siblings_stale = true,
            Spot::Load(_) => self.stale(self.site_of(owner)),
            _ => self.disturbed(self.site_of(owner)),
        }
        self.siblings_stale |= self.is_sibling(owner);
        self.pass_on(from, owner, spot, urgent);
    }

    /// Someone tells us of ourselves: of a life before, or of one who speaks in our name.
    fn hear_of_oneself(&mut self, now: Time, from: PeerId, stamp: Stamp) {
        self.refuse(now, from, Refusal::OfOurselves);
        if stamp.incarnation > self.own.incarnation() {
            self.raise(now, stamp.incarnation, RaiseReason::Held);
        }
    }
}

pub(super) fn owner_of(page: &Page) -> PeerId {
    PeerId(match page {
        Page::About(page) => page.owner,
        Page::Shape(page) => page.owner,
        Page::Load(page) => page.owner,
        Page::Counts(page) => page.owner,
    })
}
