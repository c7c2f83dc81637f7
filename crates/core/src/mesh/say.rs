//! Saying something on links: names first, where the numbers in it were not named yet.

use alloc::vec::Vec;
use core::time::Duration;

use super::Mesh;
use super::link::Link;
use super::message::{Message, NAMES_MAX, Names, OwnerName, ServiceName, SiteName, Taker};
use super::roster::{HOME, Roster};
use super::terms::{Channel, LinkId, Output};
use crate::id::{PeerId, SiteId};

/// For names to arrive, with a retransmission or two.
const NAMES_TRAVEL: Duration = Duration::from_secs(1);

/// A number in a message, which must have been named.
enum Numbered {
    Site(SiteId),
    Owner(PeerId),
    /// Every node of that site whose slot is in the mask.
    Slots(SiteId, u64),
    Service(u16),
}

impl Mesh {
    /// Says something on these links, after spelling what it numbers where that is not known.
    pub(super) fn say(&mut self, to: Vec<LinkId>, channel: Channel, message: Message) {
        if to.is_empty() {
            return;
        }
        let mut numbered = Vec::new();
        collect(&message, &mut |n| numbered.push(n));
        let (mut to, mut behind) = (to, Vec::new());
        to.retain(|&id| {
            self.spell(id, &numbered);
            // What may need names that are still on their way goes behind them.
            let named_at = self.links.get(&id).and_then(|link| link.told.at);
            let fresh = named_at.is_some_and(|at| self.now.since(at) < NAMES_TRAVEL);
            let waits = fresh && !numbered.is_empty() && !matches!(message, Message::Heartbeat(_));
            if waits {
                behind.push(id);
            }
            !waits
        });
        if !behind.is_empty() {
            let (to, channel, message) = (behind, Channel::Stream, message.clone());
            self.outputs.push_back(Output::Send { to, channel, message });
        }
        if !to.is_empty() {
            self.outputs.push_back(Output::Send { to, channel, message });
        }
    }

    /// Names what that link was not told yet.
    fn spell(&mut self, id: LinkId, numbered: &[Numbered]) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut speller =
            Speller { link: &mut *link, roster: &self.roster, names: Names::default() };
        for numbered in numbered {
            match *numbered {
                Numbered::Site(site) => speller.site(site),
                Numbered::Owner(peer) => speller.owner(peer),
                Numbered::Service(number) => speller.service(number),
                Numbered::Slots(site, mask) => {
                    let nodes = self.roster.site(site).nodes.iter().enumerate();
                    for (_, &peer) in nodes.filter(|(slot, _)| mask & (1 << slot) != 0) {
                        speller.owner(peer);
                    }
                }
            }
        }
        let Names { sites, owners, services } = speller.names;
        let most = sites.len().max(owners.len()).max(services.len());
        if most > 0 {
            link.told.at = Some(self.now);
        }
        for part in 0..most.div_ceil(NAMES_MAX) {
            let names = Names {
                sites: slice(&sites, part),
                owners: slice(&owners, part),
                services: slice(&services, part),
            };
            let (to, message) = (Vec::from([id]), Message::Names(names));
            self.outputs.push_back(Output::Send { to, channel: Channel::Stream, message });
        }
    }
}

fn slice<T: Clone>(all: &[T], part: usize) -> Vec<T> {
    all.iter().skip(part * NAMES_MAX).take(NAMES_MAX).cloned().collect()
}

/// Spells what a link was not told yet.
struct Speller<'a> {
    link: &'a mut Link,
    roster: &'a Roster,
    names: Names,
}

impl Speller<'_> {
    fn site(&mut self, site: SiteId) {
        if self.link.told.sites.set(site.0) {
            let name = self.roster.site(site).name.clone();
            self.names.sites.push(SiteName { number: site.0, name });
        }
    }

    fn owner(&mut self, owner: PeerId) {
        if self.link.told.owners.set(owner.0) {
            let peer = self.roster.peer(owner);
            self.site(peer.site);
            let (number, site) = (owner.0, peer.site.0);
            let (slot, node) = (peer.slot, peer.particulars.name.clone());
            self.names.owners.push(OwnerName { number, site, slot, node });
        }
    }

    fn service(&mut self, number: u16) {
        if self.link.told.services.set(number) {
            let name = self.roster.services[usize::from(number)].clone();
            self.names.services.push(ServiceName { number, name });
        }
    }
}

/// Every number in a message. Slots stand for the nodes in them.
fn collect(message: &Message, found: &mut impl FnMut(Numbered)) {
    let owner = |number: u16| Numbered::Owner(PeerId(number));
    match message {
        Message::Hello(_)
        | Message::Names(_)
        | Message::Ping { .. }
        | Message::Pong { .. }
        | Message::Held(_)
        | Message::PlacesAsk(_)
        | Message::PlacesGive(_)
        | Message::Peers(_) => {}
        Message::Heartbeat(beat) => found(Numbered::Slots(HOME, beat.hears)),
        Message::WitnessAsk { site } => found(Numbered::Site(SiteId(*site))),
        Message::Vote(vote) => {
            found(Numbered::Site(SiteId(vote.site)));
            found(Numbered::Site(SiteId(vote.witness)));
        }
        Message::Ears(ears) => ears.ears.iter().for_each(|ear| found(owner(ear.owner))),
        Message::Verdict(verdict) => {
            found(Numbered::Site(SiteId(verdict.site)));
            verdict.graves.iter().for_each(|grave| found(owner(grave.owner)));
        }
        Message::About(page) => found(owner(page.owner)),
        Message::Shape(page) => {
            found(owner(page.owner));
            page.services.iter().for_each(|s| found(Numbered::Service(s.service)));
        }
        Message::Load(pages) => {
            for page in pages {
                found(owner(page.owner));
                page.services.iter().for_each(|s| found(Numbered::Service(s.service)));
            }
        }
        Message::Counts(page) => found(owner(page.owner)),
        Message::Taken(takings) => {
            for taking in takings {
                found(Numbered::Service(taking.service));
                if let Taker::Site(site) = taking.by {
                    found(Numbered::Site(SiteId(site)));
                }
            }
        }
        Message::Offer(offer) => offer.have.iter().for_each(|have| found(owner(have.owner))),
        Message::Want(want) => want.owners.iter().for_each(|number| found(owner(*number))),
        Message::Leave { owner: number, .. } => found(owner(*number)),
    }
}
