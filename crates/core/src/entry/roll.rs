//! Which sites may be named for one service, and which not, and why?
//!
//! Made anew from each word of the mesh; what is remembered from word to word is that a site was
//! full, so that it does not flap in and out of answers by its last place while another has more
//! room, and which sites were good when last any was. Where all are nearly full, none has more, and
//! a site may come and go by one place.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::address::Address;
use super::place::Place;
use super::terms::{Form, PassedOver};
use crate::id::SiteId;
use crate::outlook::{Entrance, Standing};
use crate::policy::EntryPolicy;

/// A site that was full is named again with this part of its capacity free.
const ROOM_AGAIN: u32 = 50;
/// With less than this part free, it may soon be full.
const NEARLY_FULL: u32 = 10;

/// A site that may be named.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) id: SiteId,
    pub(super) name: Arc<str>,
    pub(super) place: Option<Place>,
    /// Its turn in the fixed order; those that it does not name come last.
    pub(super) turn: usize,
    pub(super) standing: Standing,
    pub(super) free: u32,
    pub(super) capacity: u32,
    brokers_up: u32,
    told: Arc<[String]>,
    pub(super) addresses: Arc<[Address]>,
    /// It was full, and has not had enough room since.
    full: bool,
    /// Its addresses when last any site was good and it was one of them.
    pub(super) last_good: Option<Arc<[Address]>>,
}

impl Site {
    fn new(entrance: &Entrance, name: &str, policy: &EntryPolicy) -> Site {
        let place = policy.place(name);
        let turn = policy.order.iter().position(|of| of == name).unwrap_or(usize::MAX);
        Site {
            id: entrance.site,
            name: Arc::from(name),
            place,
            turn,
            standing: entrance.standing,
            free: 0,
            capacity: 0,
            brokers_up: 0,
            told: Arc::from([]),
            addresses: Arc::from([]),
            full: false,
            last_good: None,
        }
    }

    fn hear(&mut self, entrance: &Entrance) {
        let Entrance { standing, brokers_up, free, capacity, .. } = *entrance;
        (self.standing, self.brokers_up) = (standing, brokers_up);
        (self.free, self.capacity) = (free, capacity);
        if !Arc::ptr_eq(&self.told, &entrance.addresses) && self.told != entrance.addresses {
            self.addresses = Address::read_all(&entrance.addresses);
        }
        self.told = entrance.addresses.clone();
        self.full = free == 0 || self.full && free < capacity.div_ceil(ROOM_AGAIN);
    }

    /// Why it may not be named, if so.
    pub(super) fn barred(&self) -> Option<PassedOver> {
        match self.standing {
            Standing::Dead => Some(PassedOver::Dead),
            Standing::Draining => Some(PassedOver::Draining),
            // What we cannot hear, clients may well reach.
            Standing::Reachable | Standing::Avoided | Standing::Suspect => {
                if self.brokers_up == 0 {
                    Some(PassedOver::NoBroker)
                } else if self.free == 0 {
                    Some(PassedOver::NoRoom)
                } else if self.full {
                    Some(PassedOver::StillFull)
                } else if self.addresses.is_empty() {
                    Some(PassedOver::NoAddress)
                } else {
                    None
                }
            }
        }
    }

    /// It may be named, were there no better one.
    pub(super) fn will_do(&self) -> bool {
        self.barred() == Some(PassedOver::StillFull) && !self.addresses.is_empty()
    }

    /// We cannot hear it: it may be gone.
    pub(super) fn in_doubt(&self) -> bool {
        matches!(self.standing, Standing::Avoided | Standing::Suspect)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.standing == Standing::Dead
    }

    /// It may leave the answers soon.
    pub(super) fn change_is_near(&self) -> bool {
        let nearly_full = self.free <= self.capacity.div_ceil(NEARLY_FULL);
        nearly_full || self.in_doubt() || self.standing == Standing::Draining
    }
}

/// Addresses that an answer of that form can hold.
pub(super) fn fits(form: Form, address: &Address) -> bool {
    match form {
        Form::V4 => address.ip().is_some_and(|ip| ip.is_ipv4()),
        Form::V6 => address.ip().is_some_and(|ip| ip.is_ipv6()),
        Form::Endpoints => true,
        Form::Plain => address.tls.is_none(),
        Form::Secure => address.tls.is_some(),
    }
}

/// All sites of one service.
#[derive(Clone, Debug, Default)]
pub(super) struct Roll {
    /// Ordered by id.
    sites: Vec<Site>,
    /// The same, ordered by name: as every node of the mesh has them.
    by_name: Vec<u16>,
}

impl Roll {
    /// Takes in what the mesh has published. `entrances` is ordered by site.
    pub(super) fn hear(&mut self, entrances: &[Entrance], names: &[String], policy: &EntryPolicy) {
        let known = self.sites.len() == entrances.len()
            && self.sites.iter().zip(entrances).all(|(site, entrance)| site.id == entrance.site);
        if known {
            self.sites.iter_mut().zip(entrances).for_each(|(site, entrance)| site.hear(entrance));
        } else {
            self.renew(entrances, names, policy);
        }
        // Where the others have no more than that, a little room is as good as theirs. Else a site
        // whose limit is known by trial alone would stay out: nobody would come and try it upwards.
        let open = self.sites.iter().filter(|site| site.barred().is_none());
        if let Some(most) = open.map(|site| site.free).max() {
            for site in self.sites.iter_mut().filter(|site| site.free >= most) {
                site.full = false;
            }
        }
        if self.sites.iter().any(|site| site.barred().is_none()) {
            for site in &mut self.sites {
                site.last_good = site.barred().is_none().then(|| site.addresses.clone());
            }
        }
    }

    fn renew(&mut self, entrances: &[Entrance], names: &[String], policy: &EntryPolicy) {
        let mut before = core::mem::take(&mut self.sites).into_iter().peekable();
        for entrance in entrances {
            while before.next_if(|site| site.id < entrance.site).is_some() {}
            let mut site = match before.next_if(|site| site.id == entrance.site) {
                Some(site) => site,
                None => {
                    let name = names.get(entrance.site.index()).map_or("", String::as_str);
                    Site::new(entrance, name, policy)
                }
            };
            site.hear(entrance);
            self.sites.push(site);
        }
        let mut by_name: Vec<u16> = (0..self.sites.len() as u16).collect();
        by_name.sort_by_key(|&at| &*self.sites[usize::from(at)].name);
        self.by_name = by_name;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// Ordered by name.
    pub(super) fn sites(&self) -> impl Iterator<Item = &Site> {
        self.by_name.iter().map(|&at| &self.sites[usize::from(at)])
    }

    pub(super) fn named(&self, name: &str) -> Option<&Site> {
        let at = self.by_name.binary_search_by_key(&name, |&at| &*self.sites[usize::from(at)].name);
        at.ok().map(|at| &self.sites[usize::from(self.by_name[at])])
    }

    pub(super) fn site(&self, id: SiteId) -> Option<&Site> {
        self.sites.binary_search_by_key(&id, |site| site.id).ok().map(|at| &self.sites[at])
    }
}
