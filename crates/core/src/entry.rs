//! Where shall this client go? The one engine that ranks sites for clients.
//!
//! DNS, provisioning, redirects and the resolvers of drills all ask it. It is told what the mesh
//! publishes ([`Outlook`]) and keeps a roll of sites per service: who may be named, who may not
//! and why. An answer is made from that roll, the client's whereabouts and one draw, and nothing
//! else: the same question to the same news has the same answer on every node.
//!
//! Like a porter who knows the houses of a town, it sends nobody to a house that has burnt down,
//! is closing or has no bed; that the road there is blocked where *it* stands is no reason.
//!
//! An answer for DNS names nodes of **one** site: resolvers turn the order of addresses, so a
//! second site among them would get half of the clients, whatever the rule says. Only where the
//! first is in doubt, or no site is left at all, the second address is the next site's. A site
//! without an address of the family asked for is passed over, so give sites both or neither.
//!
//! It knows no clock, does not know names of DNS, and keeps no client. [`Entry::ask`] takes
//! `&self`: drivers publish a clone after each [`Entry::hear`] and answer from that without a
//! lock. A node without a mesh hears the outlook of a [`Mesh`](crate::mesh::Mesh) that dials
//! nobody: its own digest.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::id::{ServiceId, SiteId};
use crate::outlook::Outlook;
use crate::policy::{AllDown, EntryPolicy, Ranking};
use crate::rng::Rng;

mod address;
mod elsewhere;
mod networks;
mod order;
mod place;
mod roll;
pub mod rush;
mod seats;
mod terms;

pub use self::address::{Address, Host};
pub use self::elsewhere::{Pattern, SENT_FOR, SENT_MAX, Sent};
pub use self::networks::{Locality, NETWORKS_MAX, Networks, NetworksError, Prefix, PrefixError};
pub use self::place::Place;
pub use self::seats::represent;
pub use self::terms::{
    Absence, Answer, Ask, Client, ENDPOINTS_MAX, Endpoint, Form, Judged, Located, PassedOver, Why,
};

use self::order::{Order, Origin};
use self::roll::{Roll, Site, fits};
use self::seats::seats;

/// How long an answer may be kept when a change is near, or where none could be given.
pub const TTL_NEAR: Duration = Duration::from_secs(5);
/// Devices break on an answer that may not be kept at all.
const TTL_LEAST: Duration = Duration::from_secs(1);
const TTL_MOST: Duration = Duration::from_secs(3_600);
/// IP addresses in one answer for DNS: many devices use only the first.
const IPS_MAX: usize = 2;

/// The engine, with what it knows.
#[derive(Clone, Debug)]
pub struct Entry {
    policy: Arc<EntryPolicy>,
    generation: u64,
    /// By [`ServiceId`].
    rolls: Vec<Roll>,
}

impl Entry {
    /// It has heard of nothing.
    pub fn new(policy: Arc<EntryPolicy>) -> Entry {
        Entry { policy, generation: 0, rolls: Vec::new() }
    }

    /// Takes in what the mesh has published. Whether that is news: what is not newer than what
    /// is known changes nothing.
    pub fn hear(&mut self, outlook: &Outlook) -> bool {
        if outlook.generation <= self.generation {
            return false;
        }
        self.generation = outlook.generation;
        let services = outlook.entrances.len().max(self.rolls.len());
        self.rolls.resize_with(services, Roll::default);
        for (at, roll) in self.rolls.iter_mut().enumerate() {
            let entrances = outlook.entrances(ServiceId(at as u16));
            roll.hear(entrances, &outlook.sites, &self.policy);
        }
        true
    }

    /// That of the news it answers from; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Where a client shall go. O(n) in sites for DNS; in sites times endpoints otherwise.
    pub fn ask(&self, ask: &Ask) -> Answer {
        let Some(roll) = self.roll(ask.service) else {
            return self.absent(Absence::NotReady, 0);
        };
        let (origin, reach) = Origin::of(ask.client, roll, &self.policy);
        let scope = if self.policy.ranking == Ranking::Nearest { reach } else { 0 };
        let (named, desperate) = match self.nominate(roll) {
            Ok(nominees) => nominees,
            Err(absence) => return self.absent(absence, scope),
        };
        let fit = |site: &&Site| self.addresses(site, desperate).iter().any(|a| fits(ask.form, a));
        let named: Vec<&Site> = named.into_iter().filter(fit).collect();
        let order = Order::new(self.policy.ranking, origin, named, ask.draw, desperate.is_some());
        let Some((endpoints, near)) = self.name(order, roll, ask.form, desperate) else {
            return self.absent(Absence::NoSuchAddress, scope);
        };
        let ttl = self.policy.ttl.clamp(TTL_LEAST, TTL_MOST);
        let ttl = if near { ttl.min(TTL_NEAR) } else { ttl };
        Answer { generation: self.generation, ttl, scope, endpoints: Ok(endpoints) }
    }

    /// The same, with what became of every site: by name, and those that are Dead too.
    pub fn explain(&self, ask: &Ask) -> (Answer, Vec<(SiteId, Judged)>) {
        let answer = self.ask(ask);
        let named = answer.endpoints.as_deref().unwrap_or_default();
        let judge = |site: &Site| {
            if let Some(endpoint) = named.iter().find(|endpoint| endpoint.site == site.id) {
                return Judged::Named(endpoint.rank, endpoint.why);
            }
            let unfit = !site.addresses.iter().any(|address| fits(ask.form, address));
            let unfit = unfit.then_some(PassedOver::NoAddress);
            Judged::PassedOver(site.barred().or(unfit).unwrap_or(PassedOver::Behind))
        };
        let sites = self.roll(ask.service).into_iter().flat_map(Roll::sites);
        let judged = sites.map(|site| (site.id, judge(site))).collect();
        (answer, judged)
    }

    /// Why a site may not be named for a service, if so. `None` where the site is not known.
    pub fn judge(&self, service: ServiceId, site: SiteId) -> Option<Result<(), PassedOver>> {
        let site = self.roll(service)?.site(site)?;
        Some(site.barred().map_or(Ok(()), Err))
    }

    /// Whether some site, whatever is held of it, has or had that address for its clients.
    pub fn knows(&self, ip: IpAddr) -> bool {
        let sites = self.rolls.iter().flat_map(Roll::sites);
        let mut addresses = sites.flat_map(|site| {
            site.addresses.iter().chain(site.last_good.as_deref().unwrap_or_default())
        });
        addresses.any(|address| address.ip() == Some(ip))
    }

    fn roll(&self, service: ServiceId) -> Option<&Roll> {
        self.rolls.get(service.index()).filter(|roll| !roll.is_empty())
    }

    fn absent(&self, absence: Absence, scope: u8) -> Answer {
        let ttl = self.policy.ttl.clamp(TTL_LEAST, TTL_NEAR);
        Answer { generation: self.generation, ttl, scope, endpoints: Err(absence) }
    }

    /// Those among whom a client's sites are chosen; and why, where none is left that should be.
    fn nominate<'a>(&self, roll: &'a Roll) -> Result<(Vec<&'a Site>, Option<Why>), Absence> {
        let open: Vec<&Site> = roll.sites().filter(|site| site.barred().is_none()).collect();
        if !open.is_empty() {
            return Ok((open, None));
        }
        let will_do: Vec<&Site> = roll.sites().filter(|site| site.will_do()).collect();
        if !will_do.is_empty() {
            return Ok((will_do, None));
        }
        let why = match self.policy.all_down {
            AllDown::LastGood => Why::LastGood,
            AllDown::All => Why::AllNamed,
            AllDown::ServFail => return Err(Absence::AllDown),
        };
        let known = |site: &&Site| !self.addresses(site, Some(why)).is_empty();
        let known: Vec<&Site> = roll.sites().filter(known).collect();
        if known.is_empty() { Err(Absence::AllDown) } else { Ok((known, Some(why))) }
    }

    fn addresses<'a>(&self, site: &'a Site, desperate: Option<Why>) -> &'a [Address] {
        match desperate {
            Some(Why::LastGood) => site.last_good.as_deref().unwrap_or_default(),
            _ => &site.addresses,
        }
    }

    /// Endpoints in order, and whether a change of them is near. `None` where no site is left.
    fn name(
        &self,
        mut order: Order<'_>,
        roll: &Roll,
        form: Form,
        desperate: Option<Why>,
    ) -> Option<(Vec<Endpoint>, bool)> {
        let (first, why) = order.next()?;
        let mut ranked = Vec::from([(first, why)]);
        let hedged = desperate.is_some() || first.in_doubt();
        let (others, most) = match form.is_of_ips() {
            false => (ENDPOINTS_MAX - 1, ENDPOINTS_MAX),
            true => (usize::from(hedged), IPS_MAX),
        };
        if form.is_of_ips() && desperate.is_none() && first.in_doubt() {
            ranked.extend(order.next_sure());
        } else {
            ranked.extend(core::iter::from_fn(|| order.next()).take(others));
        }
        let each = self.each(&ranked, form, most, desperate);
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for ((rank, (site, why)), each) in (0..).zip(&ranked).zip(each) {
            let why = desperate.unwrap_or(*why);
            for address in pick(self.addresses(site, desperate), form, each, &mut order.rng) {
                let again = form.is_of_ips() && is_named(&endpoints, address.ip());
                if endpoints.len() < most && !again {
                    endpoints.push(Endpoint { site: site.id, rank, why, address: address.clone() });
                }
            }
        }
        // One that would stand before it comes back from its drain as soon as that is over.
        let awaited = |site: &Site| {
            site.barred() == Some(PassedOver::Draining) && order.is_before(site, first)
        };
        let near = desperate.is_some() || first.change_is_near() || roll.sites().any(awaited);
        Some((endpoints, near))
    }

    /// How many addresses each of these sites is named with.
    fn each(
        &self,
        ranked: &[(&Site, Why)],
        form: Form,
        most: usize,
        desperate: Option<Why>,
    ) -> Vec<usize> {
        if form.is_of_ips() {
            return ranked.iter().map(|_| most / ranked.len()).collect();
        }
        let fit = |(site, _): &(&Site, Why)| {
            self.addresses(site, desperate).iter().filter(|address| fits(form, address)).count()
        };
        seats(&ranked.iter().map(fit).collect::<Vec<_>>(), most)
    }
}

/// At most so many of a site's addresses, from one that is drawn on: its nodes are alike.
fn pick<'a>(
    addresses: &'a [Address],
    form: Form,
    most: usize,
    rng: &mut Rng,
) -> impl Iterator<Item = &'a Address> + use<'a> {
    let mut fit: Vec<&Address> = addresses.iter().filter(|address| fits(form, address)).collect();
    if form.is_of_ips() {
        fit.dedup_by_key(|address| address.ip());
    }
    let start = rng.below(fit.len() as u32) as usize;
    fit.rotate_left(start);
    fit.into_iter().take(most)
}

/// Whether an IP address is in an answer already.
fn is_named(endpoints: &[Endpoint], ip: Option<IpAddr>) -> bool {
    endpoints.iter().any(|endpoint| endpoint.address.ip() == ip)
}

#[cfg(test)]
mod tests;
