//! What is said when, and what is passed on.
//!
//! Siblings hear from us every 100 ms, nodes of other sites every 200 ms. News waits for such a
//! beat, to share its packet, unless it is urgent: then it goes at the next beat of 50 ms. What
//! another site says is passed on to siblings, unless one of them was faster; what a sibling
//! says, to other sites; what one sibling cannot hear of another, to that one. Between sites
//! nothing else is relayed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::digest::{Page, Spot};
use super::message::{
    DATAGRAM_MAX, EARS_MAX, Ear, Ears, Grave, Heartbeat, LOAD_PAGES_MAX, LoadPage, Message,
    PAGE_SERVICES_MAX, Verdict,
};
use super::roster::{HOME, ME};
use super::standing::SIBLING_SILENT;
use super::terms::{Channel, LinkId, Output};
use super::{Mesh, link::Link};
use crate::id::{PeerId, SiteId};
use crate::time::Time;

/// Beats between heartbeats to siblings, and to other sites.
const TO_SIBLINGS: u64 = 2;
const TO_OTHERS: u64 = 4;
/// Silence on a link that siblings are told of: no less than the least that disturbs a site.
const WORTH_TELLING: Duration = Duration::from_millis(400);
const EARS_EVERY: Duration = Duration::from_millis(500);
const EARS_SILENT_EVERY: Duration = Duration::from_millis(200);

type Spots = BTreeSet<(PeerId, Spot)>;

/// What waits to be said.
#[derive(Debug, Default)]
pub(super) struct Relay {
    to_siblings: Spots,
    to_others: Spots,
    to_some: BTreeMap<LinkId, Spots>,
    pub(super) urgent: bool,
    ears_at: Time,
    /// Ears that siblings know to be silent.
    silent: Vec<PeerId>,
}

impl Relay {
    /// News of ourselves.
    pub(super) fn own(&mut self, spot: Spot) {
        self.to_siblings.insert((ME, spot));
        if !matches!(spot, Spot::Counts(_)) {
            self.to_others.insert((ME, spot));
        }
    }

    /// Someone told it: if a sibling did, it told all siblings.
    pub(super) fn told_by(&mut self, sibling: bool, owner: PeerId, spot: Spot) {
        if sibling {
            self.to_siblings.remove(&(owner, spot));
        }
    }

    /// Pages that wait: bounded by the roster.
    pub(super) fn len(&self) -> usize {
        self.to_siblings.len() + self.to_others.len()
    }
}

impl Mesh {
    pub(super) fn talk(&mut self, now: Time) {
        let urgent = core::mem::take(&mut self.relay.urgent);
        let siblings = self.beats.is_multiple_of(TO_SIBLINGS);
        let others = self.beats.is_multiple_of(TO_OTHERS);
        self.introduce();
        if siblings {
            let beat = self.own_beat(now);
            for id in self.up_links(|site| site == HOME || others) {
                self.beat_on(now, id, beat);
            }
        }
        if siblings || urgent {
            let spots = core::mem::take(&mut self.relay.to_siblings);
            let links = self.up_links(|site| site == HOME);
            self.flush(links, spots);
            for (link, spots) in core::mem::take(&mut self.relay.to_some) {
                if self.links.get(&link).is_some_and(Link::is_up) {
                    self.flush(Vec::from([link]), spots);
                }
            }
        }
        if siblings {
            self.tell_ears(now);
        }
        if others || urgent {
            let spots = core::mem::take(&mut self.relay.to_others);
            let links = self.up_links(|site| site != HOME);
            self.flush(links, spots);
        }
    }

    pub(super) fn heartbeat_everyone(&mut self, now: Time) {
        for id in self.up_links(|_| true) {
            self.heartbeat(now, id);
        }
    }

    /// "I live", with what else fits.
    pub(super) fn heartbeat(&mut self, now: Time, id: LinkId) {
        let beat = self.own_beat(now);
        self.beat_on(now, id, beat);
    }

    /// What is the same on all links.
    fn own_beat(&self, now: Time) -> Heartbeat {
        let (about, shape, load) = self.roster.peer(ME).record.newest();
        let (incarnation, hears) = (self.own.incarnation(), self.hears(now));
        Heartbeat { incarnation, seq: 0, about, shape, load, hears, silence: 0, wanted: true }
    }

    fn beat_on(&mut self, now: Time, id: LinkId, mut beat: Heartbeat) {
        let link = self.links.get_mut(&id).expect("the caller has it");
        link.beats_out += 1;
        beat.seq = link.beats_out;
        beat.wanted = self.topology.wants(link.peer);
        let silence = now.since(link.heard_at.max(self.awake_at));
        // Not worth a longer heartbeat before it is a silence.
        let silence = if silence < WORTH_TELLING { Duration::ZERO } else { silence };
        beat.silence = u16::try_from(silence.as_millis()).unwrap_or(u16::MAX);
        let names_known = link.told_hears.replace(beat.hears) == Some(beat.hears);
        let (to, channel, message) = (Vec::from([id]), Channel::Datagram, Message::Heartbeat(beat));
        if names_known {
            self.outputs.push_back(Output::Send { to, channel, message });
        } else {
            self.say(to, channel, message);
        }
    }

    /// The nodes of our site that we hear ourselves, this one among them.
    fn hears(&self, now: Time) -> u64 {
        let mut mask = 1;
        for up in self.up.siblings() {
            if self.silence(self.links[&up.link].heard_at, now) < SIBLING_SILENT {
                mask |= 1 << self.roster.peer(up.peer).slot;
            }
        }
        mask
    }

    fn tell_ears(&mut self, now: Time) {
        let siblings = self.up_links(|site| site == HOME);
        if siblings.is_empty() {
            return;
        }
        // Where all is calm, none is silent.
        let sites = self.roster.site_ids().skip(1).filter(|&site| !self.calm.site(site, now));
        let ears = sites.flat_map(|site| self.own_ears(site));
        let silent = ears.filter(|ear| self.silence(ear.heard_at, now) >= WORTH_TELLING);
        let silent: Vec<PeerId> = silent.map(|ear| ear.of).collect();
        let changed = silent != self.relay.silent;
        let every = if silent.is_empty() { EARS_EVERY } else { EARS_SILENT_EVERY };
        if !changed && now < self.relay.ears_at + every {
            return;
        }
        (self.relay.ears_at, self.relay.silent) = (now, silent);
        let ms = |d: Duration| u16::try_from(d.as_millis()).unwrap_or(u16::MAX);
        let ears = self.roster.site_ids().skip(1).flat_map(|site| self.own_ears(site)).map(|ear| {
            let silence = self.silence(ear.heard_at, now);
            let silence = if silence < WORTH_TELLING { 0 } else { ms(silence) };
            let (deaf, rtt, hears) = (ms(ear.deaf), ms(ear.rtt), ear.mask);
            Ear { owner: ear.of.0, silence, deaf, rtt, hears }
        });
        let ears: Vec<Ear> = ears.collect();
        for ears in ears.chunks(EARS_MAX) {
            let ears = Message::Ears(Ears { ears: ears.to_vec() });
            self.say(siblings.clone(), Channel::Datagram, ears);
        }
    }

    /// What our own links to that site hear.
    fn own_ears(&self, site: SiteId) -> impl Iterator<Item = &super::site::Ear> {
        self.roster.site(site).ears.iter().filter(|ear| ear.by == ME)
    }

    /// News that `from` brought of `owner` goes on to those who cannot have it from elsewhere.
    pub(super) fn pass_on(&mut self, from: PeerId, owner: PeerId, spot: Spot, urgent: bool) {
        let of_home = self.site_of(owner) == HOME;
        let by_sibling = self.is_sibling(from);
        if of_home && !matches!(spot, Spot::Counts(_)) {
            self.relay.to_others.insert((owner, spot));
        }
        if !of_home && !by_sibling {
            self.relay.to_siblings.insert((owner, spot));
        }
        self.relay.told_by(!of_home && by_sibling, owner, spot);
        self.relay.urgent |= urgent;
        if !by_sibling {
            return;
        }
        // A sibling that does not hear the speaker has it from us.
        let speaker = self.roster.peer(if of_home { owner } else { from }).slot;
        for up in self.up.siblings().filter(|up| up.peer != owner && up.peer != from) {
            let mask = self.links[&up.link].mask;
            if mask != 0 && mask & (1 << speaker) == 0 {
                self.relay.to_some.entry(up.link).or_default().insert((owner, spot));
            }
        }
    }

    pub(super) fn pass_on_leave(&mut self, from: PeerId, owner: PeerId, incarnation: u64) {
        let of_home = self.site_of(owner) == HOME;
        if from != owner && (of_home || self.is_sibling(from)) {
            return;
        }
        let others = self.up_links(|site| (site == HOME) != of_home);
        let leave = Message::Leave { owner: owner.0, incarnation };
        self.say(others, Channel::Stream, leave);
    }

    /// Says pages on links; load shares datagrams.
    fn flush(&mut self, links: Vec<LinkId>, spots: Spots) {
        if links.is_empty() {
            return;
        }
        let mut loads = Loads::default();
        for (owner, spot) in spots {
            let peer = self.roster.peer(owner);
            if owner != ME && !peer.is_up() && self.rules.incarnations {
                continue;
            }
            match peer.record.page(spot) {
                Some(Page::Load(page)) => {
                    if let Some(full) = loads.push(page) {
                        self.say(links.clone(), Channel::Datagram, Message::Load(full));
                    }
                }
                Some(page @ Page::Counts(_)) => {
                    self.say(links.clone(), Channel::Datagram, page.into_message());
                }
                Some(page) => self.say(links.clone(), Channel::Stream, page.into_message()),
                None => {}
            }
        }
        if !loads.pages.is_empty() {
            self.say(links, Channel::Datagram, Message::Load(loads.pages));
        }
    }

    /// Every page held of these owners, on the stream of one link.
    pub(super) fn tell_all(&mut self, id: LinkId, owners: &[PeerId]) {
        for &owner in owners {
            let spots: Vec<Spot> = self.roster.peer(owner).record.spots().collect();
            for spot in spots {
                if let Some(page) = self.roster.peer(owner).record.page(spot) {
                    self.say(Vec::from([id]), Channel::Stream, page.into_message());
                }
            }
        }
    }

    /// Our counts, on the stream of a link to a sibling: until both know what the other has, each
    /// thinks that it has all of every `maxconn`.
    pub(super) fn tell_counts(&mut self, id: LinkId) {
        if !self.is_sibling(self.links[&id].peer) {
            return;
        }
        let counts: Vec<_> = self.roster.peer(ME).record.counts().cloned().collect();
        for page in counts {
            self.say(Vec::from([id]), Channel::Stream, Message::Counts(page));
        }
    }

    /// Whom of that site we hold dead.
    pub(super) fn tell_verdict(&mut self, to: Vec<LinkId>, site: SiteId) {
        let nodes = self.roster.site(site).nodes.iter();
        let graves: Vec<Grave> = nodes
            .map(|&peer| Grave { owner: peer.0, incarnation: self.roster.peer(peer).buried })
            .filter(|grave| grave.incarnation > 0)
            .collect();
        let verdict = Message::Verdict(Verdict { site: site.0, graves });
        self.say(to, Channel::Stream, verdict);
    }
}

/// Pages of load on their way into one datagram.
#[derive(Default)]
struct Loads {
    pages: Vec<LoadPage>,
    bytes: usize,
    services: usize,
}

impl Loads {
    /// Adds a page; gives those that had to go before it.
    fn push(&mut self, page: LoadPage) -> Option<Vec<LoadPage>> {
        // The most that a page's head and a service take on the wire.
        let (bytes, services) = (24 + 20 * page.services.len(), page.services.len());
        let full = self.bytes + bytes > DATAGRAM_MAX - 32
            || self.services + services > PAGE_SERVICES_MAX
            || self.pages.len() >= LOAD_PAGES_MAX;
        let before = full.then(|| core::mem::take(self).pages);
        self.bytes += bytes;
        self.services += services;
        self.pages.push(page);
        before.filter(|pages| !pages.is_empty())
    }
}
