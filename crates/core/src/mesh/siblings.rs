//! What the nodes of one site have to do with each other: their parts in the brokers they share,
//! places of `maxconn` that go from one to the other, and clients that came back elsewhere.
//!
//! Only siblings are listened to here. What is theirs travels in the keys and numbers of the
//! mesh, and is handed on in this node's own.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::Mesh;
use super::local::BrokerKey;
use super::message::{Message, Places, TAKINGS_MAX, Taker, Taking};
use super::roster::HOME;
use super::terms::{Channel, LinkId, Output, Refusal};
use crate::id::{BrokerId, ClientKey, PeerId, ServiceId, SiteId};
use crate::rng::mix;
use crate::share::{Sibling, SiblingCount};
use crate::takeover::Precedence;
use crate::time::Time;

/// A client that was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Of which service.
    pub service: ServiceId,
    /// Who.
    pub client: ClientKey,
    /// By whom.
    pub by: By,
    /// How long ago it connected.
    pub age: Duration,
    /// Of a sibling's: whose flow stays where time cannot decide. Of ours it says nothing.
    pub precedence: Precedence,
}

/// Who has accepted a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// A broker of this site.
    Broker(BrokerKey),
    /// Another site.
    Site(SiteId),
}

impl Mesh {
    /// What living siblings have on our brokers.
    pub(super) fn siblings(&self) -> Vec<Sibling> {
        // A place that is nobody's just now has no key.
        let brokers = self.own.local().brokers.iter().enumerate();
        let brokers = brokers.filter(|(_, broker)| broker.key != BrokerKey::NONE);
        let ids: BTreeMap<u64, BrokerId> =
            brokers.map(|(at, broker)| (broker.key.0, BrokerId(at as u16))).collect();
        let nodes = self.roster.site(HOME).nodes.iter().skip(1);
        let living = nodes.filter(|&&peer| self.roster.peer(peer).living);
        living
            .map(|&peer| {
                let record = &self.roster.peer(peer).record;
                let newest = record.counts().map(|page| page.stamp.seq).max().unwrap_or(0);
                let word = mix(record.incarnation()).wrapping_add(newest);
                let counts = record.counts().flat_map(|page| &page.brokers).filter_map(|count| {
                    let broker = *ids.get(&count.key)?;
                    Some(SiblingCount { broker, flows: count.flows, share: count.share })
                });
                let told = record.counts().next().is_some();
                Sibling { peer, word, told, counts: counts.collect() }
            })
            .collect()
    }

    /// Says something on a sibling's link, if it has one.
    pub(super) fn say_places(&mut self, peer: PeerId, message: Message) {
        if !self.is_sibling(peer) {
            return;
        }
        let Some(link) = self.roster.peer(peer).news else { return };
        self.say(Vec::from([link]), Channel::Stream, message);
    }

    /// A sibling asks for places, or has given some.
    pub(super) fn hear_places(&mut self, now: Time, id: LinkId, message: &Message) {
        let peer = self.links[&id].peer;
        if !self.is_sibling(peer) {
            return self.refuse(now, peer, Refusal::NotItsToTell);
        }
        let (Message::PlacesAsk(places) | Message::PlacesGive(places)) = message else { return };
        let Places { broker, n } = *places;
        // One that only the sibling has is none of ours.
        let known = self.own.local().brokers.iter().position(|known| known.key.0 == broker);
        let Some(broker) = known.map(|at| BrokerId(at as u16)) else { return };
        self.outputs.push_back(match message {
            Message::PlacesAsk(_) => Output::PlacesAsked { peer, broker, n },
            _ => Output::PlacesGiven { peer, broker, n },
        });
    }

    /// Tells siblings which clients were accepted here.
    pub(super) fn tell_taken(&mut self, taken: &[Taken]) {
        let siblings = self.up_links(|site| site == HOME);
        let takings: Vec<Taking> = taken
            .iter()
            .filter_map(|taken| {
                let service = *self.own.numbers.get(taken.service.index())?;
                let by = match taken.by {
                    By::Broker(key) => Taker::Broker(key.0),
                    By::Site(site) => Taker::Site(site.0),
                };
                let age_ms = u32::try_from(taken.age.as_millis()).unwrap_or(u32::MAX);
                Some(Taking { service, client: taken.client, by, age_ms })
            })
            .collect();
        for takings in takings.chunks(TAKINGS_MAX) {
            self.say(siblings.clone(), Channel::Stream, Message::Taken(takings.to_vec()));
        }
    }

    /// A sibling has accepted clients. What it says of services or sites that it has not named,
    /// or that are not ours, is left out.
    pub(super) fn hear_taken(&mut self, now: Time, id: LinkId, takings: &[Taking]) {
        let link = &self.links[&id];
        if !self.is_sibling(link.peer) {
            return self.refuse(now, link.peer, Refusal::NotItsToTell);
        }
        let lower_is_us = self.me < self.roster.identity(link.peer);
        let precedence = if lower_is_us { Precedence::Ours } else { Precedence::Theirs };
        let ours = |number: u16| {
            let number = link.theirs.services.get(&number)?;
            let at = self.own.numbers.iter().position(|own| own == number)?;
            Some(ServiceId(at as u16))
        };
        let taken: Vec<Taken> = takings
            .iter()
            .take(TAKINGS_MAX)
            .filter_map(|taking| {
                let by = match taking.by {
                    Taker::Broker(key) => By::Broker(BrokerKey(key)),
                    Taker::Site(site) => By::Site(*link.theirs.sites.get(&site)?),
                };
                let (service, client) = (ours(taking.service)?, taking.client);
                let age = Duration::from_millis(u64::from(taking.age_ms));
                Some(Taken { service, client, by, age, precedence })
            })
            .collect();
        if !taken.is_empty() {
            self.outputs.push_back(Output::Taken(taken));
        }
    }
}
