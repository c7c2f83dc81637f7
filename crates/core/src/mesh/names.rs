//! Their numbers in ours: who may name whom on a link, and what a page says once translated.
//!
//! Another site may name its own nodes, and sites that we know already; a sibling may name
//! anyone. So strangers cannot fill our tables but with nodes of their own site.

use alloc::collections::BTreeMap;

use super::Mesh;
use super::digest::Page;
use super::hear::owner_of;
use super::link::FOREIGN_NUMBERS_MAX;
use super::message::{NODES_MAX, Names, OwnerName, ServiceName};
use super::roster::{HOME, PEERS_MAX, is_name};
use super::terms::{Identity, LinkId, Refusal};
use crate::id::PeerId;
use crate::time::Time;

/// Stands for a service that our table has no room for.
const NO_ROOM: u16 = u16::MAX;

impl Mesh {
    /// Notes what their numbers stand for.
    pub(super) fn hear_names(&mut self, now: Time, id: LinkId, names: &Names) {
        let from = self.links[&id].peer;
        let trusted = self.is_sibling(from) || !self.rules.provenance;
        for name in &names.sites {
            let known = self.roster.find_site(&name.name);
            let site = match known {
                None if trusted && is_name(&name.name) => {
                    self.roster.admit_site(&name.name).map_err(|t| self.table_full(now, t)).ok()
                }
                known => known,
            };
            let sites = &mut self.links.get_mut(&id).expect("the caller has it").theirs.sites;
            if let Some(site) = site
                && sites.len() < super::SITES_MAX
            {
                sites.insert(name.number, site);
            }
        }
        for name in &names.owners {
            self.hear_owner_name(now, id, name, trusted);
        }
        for name in &names.services {
            self.hear_service_name(now, id, name);
        }
    }

    fn hear_owner_name(&mut self, now: Time, id: LinkId, name: &OwnerName, trusted: bool) {
        let link = &self.links[&id];
        let from = link.peer;
        let Some(&site) = link.theirs.sites.get(&name.site) else { return };
        if !is_name(&name.node) || usize::from(name.slot) >= NODES_MAX {
            return self.refuse(now, from, Refusal::BadName);
        }
        if !trusted && site != self.site_of(from) && site != HOME {
            return self.refuse(now, from, Refusal::NotItsToTell);
        }
        let identity =
            Identity { site: self.roster.site(site).name.clone(), node: name.node.clone() };
        let strange = !trusted && site == HOME;
        let peer = if strange { self.roster.find(&identity) } else { self.admit(now, &identity) };
        let Some(peer) = peer else { return };
        let link = self.links.get_mut(&id).expect("the caller has it");
        let theirs = &mut link.theirs;
        let most = if trusted { PEERS_MAX } else { FOREIGN_NUMBERS_MAX };
        if theirs.owners.len() < most || theirs.owners.contains_key(&name.number) {
            theirs.owners.insert(name.number, peer);
            theirs.slots.insert((site, name.slot), peer);
            link.said = None;
        }
    }

    pub(super) fn hear_service_name(&mut self, now: Time, id: LinkId, name: &ServiceName) {
        let from = self.links[&id].peer;
        if !is_name(&name.name) {
            return self.refuse(now, from, Refusal::BadName);
        }
        let number = self.roster.admit_service(&name.name, false).unwrap_or_else(|table| {
            self.table_full(now, table);
            NO_ROOM
        });
        let theirs = &mut self.links.get_mut(&id).expect("the caller has it").theirs;
        if theirs.services.len() < super::SERVICE_NAMES_MAX {
            theirs.services.insert(name.number, number);
        }
    }

    /// The owner of that number, if this link may speak of it.
    pub(super) fn owner_on(&mut self, now: Time, id: LinkId, number: u16) -> Option<PeerId> {
        let link = &self.links[&id];
        let from = link.peer;
        // A datagram may have overtaken the names it needs.
        let owner = *link.theirs.owners.get(&number)?;
        let theirs = self.site_of(owner) == self.site_of(from);
        if !theirs && !self.is_sibling(from) && self.rules.provenance {
            self.refuse(now, from, Refusal::NotItsToTell);
            return None;
        }
        Some(owner)
    }

    /// The page with owner and services in our numbers; `None` if it is not the link's to tell,
    /// or if a number in it was not named.
    pub(super) fn in_our_numbers(&mut self, now: Time, id: LinkId, mut page: Page) -> Option<Page> {
        let owner = self.owner_on(now, id, owner_of(&page).0)?;
        let sibling = self.is_sibling(self.links[&id].peer);
        let services = &self.links[&id].theirs.services;
        let named = match &mut page {
            Page::About(page) => {
                page.owner = owner.0;
                true
            }
            Page::Shape(page) => {
                page.owner = owner.0;
                let named = page.services.iter_mut().all(|s| renumber(services, &mut s.service));
                page.services.retain(|s| s.service != NO_ROOM);
                named
            }
            Page::Load(page) => {
                page.owner = owner.0;
                let named = page.services.iter_mut().all(|s| renumber(services, &mut s.service));
                page.services.retain(|s| s.service != NO_ROOM);
                named
            }
            Page::Counts(page) => {
                page.owner = owner.0;
                if !sibling || self.site_of(owner) != HOME {
                    let from = self.links[&id].peer;
                    self.refuse(now, from, Refusal::NotItsToTell);
                    return None;
                }
                true
            }
        };
        // A datagram may overtake the names it needs; heartbeats will tell that it is missing.
        named.then_some(page)
    }
}

fn renumber(services: &BTreeMap<u16, u16>, number: &mut u16) -> bool {
    services.get(number).map(|ours| *number = *ours).is_some()
}
