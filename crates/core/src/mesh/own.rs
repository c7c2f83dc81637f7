//! What this node says of itself, and when.
//!
//! Shapes are said on change. Load is said once a second at most, but at once - no oftener than
//! every 100 ms - when a service's room reaches nothing or has halved: then others must stop
//! coming; and within a quarter of a second when there is room where there was none. Counts per
//! broker, for siblings, every 100 ms at most, and once a second at least.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::digest::{Page, Record, Spot};
use super::local::{Local, LocalService};
use super::message::{
    ADDRESSES_MAX, About, BROKERS_MAX, BrokerCount, BrokerShape, COUNT_PAGES_MAX, COUNTS_MAX,
    CountPage, LoadPage, PAGE_BROKERS_MAX, PAGE_SERVICES_MAX, PAGES_MAX, ServiceLoad, ServiceShape,
    ShapePage, Stamp,
};
use crate::time::Time;

const LOAD_EVERY: Duration = Duration::from_secs(1);
const URGENT_EVERY: Duration = Duration::from_millis(100);
/// Room that is there and gone again by turns is no reason to speak as often as that.
const REGAINED_EVERY: Duration = Duration::from_millis(250);
const COUNTS_AGAIN: Duration = Duration::from_secs(1);
const OWNER: u16 = 0;

/// Low bits of an incarnation are drawn at start, so that two lives never share one.
pub(crate) const NONCE_BITS: u32 = 16;
/// The highest one that a node raises itself to.
const RAISED_MAX: u64 = 1 << 62;
/// The highest one that is believed.
pub(crate) const INCARNATION_MAX: u64 = 1 << 61;
/// As far as one word of another moves an incarnation: 2^40 ms are 34 years.
pub(crate) const JUMP_MAX: u64 = 1 << (40 + NONCE_BITS);

/// This node's own voice.
#[derive(Debug)]
pub(crate) struct Own {
    incarnation: u64,
    nonce: u64,
    seq: u64,
    local: Local,
    /// All that there is to say of it has been said.
    settled: bool,
    advertise: Vec<String>,
    /// Numbers of our services' names, by [`ServiceId`](crate::id::ServiceId).
    pub(crate) numbers: Vec<u16>,
    /// For each page of load: when it was last said.
    loads_at: Vec<Option<Time>>,
    counts_at: Option<Time>,
    counts_said_at: Option<Time>,
    /// Something just stated must be known at once.
    pub(crate) urgent: bool,
}

impl Own {
    pub(crate) fn new(given: u64, draw: u64, advertise: Vec<String>) -> Own {
        let nonce = draw & ((1 << NONCE_BITS) - 1);
        let incarnation = (given.clamp(1, (1 << 44) - 1) << NONCE_BITS) | nonce;
        Own {
            incarnation,
            nonce,
            seq: 0,
            local: Local::default(),
            settled: false,
            advertise,
            numbers: Vec::new(),
            loads_at: Vec::new(),
            counts_at: None,
            counts_said_at: None,
            urgent: true,
        }
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    pub(crate) fn local(&self) -> &Local {
        &self.local
    }

    /// To be changed.
    pub(crate) fn local_mut(&mut self) -> &mut Local {
        self.settled = false;
        &mut self.local
    }

    /// Begins a new incarnation above `held`. Whether `held` was followed all the way.
    pub(crate) fn raise(&mut self, held: u64) -> bool {
        let followed = held.min(self.incarnation.saturating_add(JUMP_MAX));
        let lives = (followed.max(self.incarnation) >> NONCE_BITS) + 1;
        self.incarnation = ((lives << NONCE_BITS) | self.nonce).min(RAISED_MAX);
        self.seq = 0;
        self.settled = false;
        self.loads_at.clear();
        self.counts_at = None;
        followed == held
    }

    fn stamp(&mut self) -> Stamp {
        self.seq += 1;
        Stamp { incarnation: self.incarnation, seq: self.seq }
    }

    /// Writes what is new and due into our own record; gives the spots that changed.
    pub(crate) fn state(&mut self, now: Time, record: &mut Record) -> Vec<Spot> {
        let mut changed = Vec::new();
        if self.settled && !self.repeats(now) {
            return changed;
        }
        self.state_about(record, &mut changed);
        self.state_shapes(record, &mut changed);
        let loads_said = self.state_loads(now, record, &mut changed);
        let counts_said = self.state_counts(now, record, &mut changed);
        self.settled = loads_said && counts_said;
        changed
    }

    /// Counts are due to be said again, whether they are new or not.
    fn repeats(&self, now: Time) -> bool {
        self.counts_said_at.is_none_or(|at| now >= at + COUNTS_AGAIN)
    }

    fn put(&mut self, record: &mut Record, page: Page, changed: &mut Vec<Spot>) {
        self.urgent |= matches!(page, Page::About(_) | Page::Shape(_));
        changed.push(page.spot());
        record.merge(page, true);
    }

    fn state_about(&mut self, record: &mut Record, changed: &mut Vec<Spot>) {
        if record.about().is_some_and(|about| about.draining == self.local.draining) {
            return;
        }
        let (stamp, draining) = (self.stamp(), self.local.draining);
        let addresses = self.advertise.iter().take(ADDRESSES_MAX).cloned().collect();
        let about = About { owner: OWNER, stamp, draining, addresses };
        self.put(record, Page::About(about), changed);
    }

    fn pages(&self) -> usize {
        self.numbers.len().div_ceil(PAGE_SERVICES_MAX).min(PAGES_MAX)
    }

    /// The services of a page with their numbers.
    fn on_page(&self, page: usize) -> impl Iterator<Item = (u16, &LocalService)> {
        let all = self.numbers.iter().copied().zip(&self.local.services);
        all.skip(page * PAGE_SERVICES_MAX).take(PAGE_SERVICES_MAX)
    }

    fn state_shapes(&mut self, record: &mut Record, changed: &mut Vec<Spot>) {
        for page in 0..self.pages() {
            let mut brokers_left = PAGE_BROKERS_MAX;
            let shape = |(number, service)| self.shape(number, service, &mut brokers_left);
            let services: Vec<ServiceShape> = self.on_page(page).map(shape).collect();
            let held = record.shapes().find(|held| usize::from(held.page) == page);
            if held.is_some_and(|held| held.services == services) {
                continue;
            }
            let (stamp, page) = (self.stamp(), page as u8);
            let shape = ShapePage { owner: OWNER, stamp, page, services };
            self.put(record, Page::Shape(shape), changed);
        }
    }

    fn shape(&self, number: u16, service: &LocalService, left: &mut usize) -> ServiceShape {
        let members = service.members.iter().filter_map(|id| self.local.brokers.get(id.index()));
        let brokers: Vec<BrokerShape> = members
            .take(BROKERS_MAX.min(*left))
            .map(|b| BrokerShape { key: b.key.0, capacity: b.capacity, state: b.state })
            .collect();
        *left -= brokers.len();
        ServiceShape {
            service: number,
            reserve: service.reserve,
            addresses: service.addresses.iter().take(ADDRESSES_MAX).cloned().collect(),
            brokers,
        }
    }

    /// Whether nothing is left to be said later.
    fn state_loads(&mut self, now: Time, record: &mut Record, changed: &mut Vec<Spot>) -> bool {
        let mut said = true;
        self.loads_at.resize(self.pages(), None);
        for page in 0..self.pages() {
            let load = |(number, service): (u16, &LocalService)| ServiceLoad {
                service: number,
                flows: service.flows,
                room: service.room,
                admit_per_second: service.admit_per_second,
            };
            let services: Vec<ServiceLoad> = self.on_page(page).map(load).collect();
            let held = record.loads().find(|held| usize::from(held.page) == page);
            let held = held.map_or(&[][..], |held| &held.services);
            if held == services {
                continue;
            }
            let urgent = is_urgent(held, &services);
            let every = match urgent {
                true if has_lost(held, &services) => URGENT_EVERY,
                true => REGAINED_EVERY,
                false => LOAD_EVERY,
            };
            if self.loads_at[page].is_some_and(|at| now < at + every) {
                said = false;
                continue;
            }
            self.urgent |= urgent;
            self.loads_at[page] = Some(now);
            let (stamp, page) = (self.stamp(), page as u8);
            let load = LoadPage { owner: OWNER, stamp, page, services };
            self.put(record, Page::Load(load), changed);
        }
        said
    }

    /// Whether nothing is left to be said later.
    fn state_counts(&mut self, now: Time, record: &mut Record, changed: &mut Vec<Spot>) -> bool {
        if self.counts_at.is_some_and(|at| now < at + URGENT_EVERY) {
            return false;
        }
        // They go as datagrams, which may be lost: what has not changed for long is said again,
        // as a new word, for it says what is so now: a sibling guesses what we did since the last.
        let repeat = self.repeats(now);
        if repeat {
            self.counts_said_at = Some(now);
        }
        // Who has services and no broker says so: that is a word on every broker, too.
        let least = usize::from(!self.local.services.is_empty());
        let pages = self.local.brokers.len().div_ceil(COUNTS_MAX).clamp(least, COUNT_PAGES_MAX);
        for page in 0..pages {
            let here = self.local.brokers.iter().skip(page * COUNTS_MAX).take(COUNTS_MAX);
            let brokers: Vec<BrokerCount> = here
                .map(|b| BrokerCount { key: b.key.0, flows: b.flows, share: b.share })
                .collect();
            let held = record.counts().find(|held| usize::from(held.page) == page);
            let page = page as u8;
            if !repeat && held.is_some_and(|held| held.brokers == brokers) {
                continue;
            }
            self.counts_at = Some(now);
            let stamp = self.stamp();
            let counts = CountPage { owner: OWNER, stamp, page, brokers };
            self.put(record, Page::Counts(counts), changed);
        }
        true
    }
}

/// Whether others must know at once: some room reached nothing, or has halved, or there is some
/// where there was none.
pub(crate) fn is_urgent(before: &[ServiceLoad], after: &[ServiceLoad]) -> bool {
    let regained = |old: &ServiceLoad| {
        let new = after.iter().find(|new| new.service == old.service);
        old.room == 0 && new.is_some_and(|new| new.room > 0)
    };
    has_lost(before, after) || before.iter().any(regained)
}

fn has_lost(before: &[ServiceLoad], after: &[ServiceLoad]) -> bool {
    before.iter().any(|old| {
        let new = after.iter().find(|new| new.service == old.service);
        old.room > 0 && new.is_none_or(|new| new.room <= old.room / 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BrokerId;
    use crate::mesh::local::{BrokerKey, LocalBroker};
    use crate::mesh::message::BrokerSeen;

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    fn own(services: usize) -> Own {
        let mut own = Own::new(5, 77, Vec::new());
        let capacity = Some(100);
        let (key, state) = (BrokerKey::of("b:1883"), BrokerSeen::Up);
        own.local_mut().brokers.push(LocalBroker { key, capacity, state, flows: 0, share: 0 });
        let service =
            LocalService { members: Vec::from([BrokerId(0)]), room: 100, ..Default::default() };
        own.local_mut().services = core::iter::repeat_n(service, services).collect();
        own.numbers = (0..services as u16).collect();
        own
    }

    #[test]
    fn load_waits_a_second_unless_room_has_halved() {
        let (mut own, mut record) = (own(1), Record::default());
        assert_eq!(own.state(at(0), &mut record).len(), 4);
        own.local_mut().services[0].room = 90;
        assert!(own.state(at(500), &mut record).is_empty());
        assert_eq!(own.state(at(1_000), &mut record), [Spot::Load(0), Spot::Counts(0)]);
        own.local_mut().services[0].room = 45;
        assert!(own.state(at(1_050), &mut record).is_empty());
        assert_eq!(own.state(at(1_100), &mut record), [Spot::Load(0)]);
        own.local_mut().services[0].room = 0;
        assert_eq!(own.state(at(1_200), &mut record), [Spot::Load(0)]);
    }

    #[test]
    fn room_where_there_was_none_is_said_soon_and_not_all_the_time() {
        let (mut own, mut record) = (own(1), Record::default());
        own.local_mut().services[0].room = 0;
        own.state(at(0), &mut record);
        let (mut said, mut urgent) = (0, 0);
        for n in 1..=40 {
            own.urgent = false;
            own.local_mut().services[0].room = n % 2;
            let spots = own.state(at(100 * u64::from(n)), &mut record);
            said += usize::from(spots.contains(&Spot::Load(0)));
            urgent += usize::from(own.urgent);
            assert!(n != 3 || (said, urgent) == (1, 1), "within a quarter of a second");
        }
        assert!(said <= 4 * 8, "{said} in four seconds");
        assert_eq!(said, urgent);
    }

    #[test]
    fn counts_are_said_again_as_a_new_word() {
        let (mut own, mut record) = (own(1), Record::default());
        own.state(at(0), &mut record);
        let before = record.seq(Spot::Counts(0));
        assert!(own.state(at(900), &mut record).is_empty());
        assert_eq!(own.state(at(1_000), &mut record), [Spot::Counts(0)]);
        assert!(record.seq(Spot::Counts(0)) > before);
    }

    #[test]
    fn many_services_take_several_pages() {
        let (mut own, mut record) = (own(256), Record::default());
        own.state(at(0), &mut record);
        assert_eq!(record.shapes().count(), PAGES_MAX);
        assert_eq!(record.loads().map(|page| page.services.len()).sum::<usize>(), 256);
        own.local_mut().services[100].reserve = 7;
        assert_eq!(own.state(at(50), &mut record), [Spot::Shape(2)]);
    }

    #[test]
    fn a_raised_node_stands_above_what_was_held_but_not_absurdly() {
        let mut own = own(1);
        let first = own.incarnation();
        assert!(own.raise(first + 12_345_678));
        assert!(own.incarnation() > first + 12_345_678);
        let second = own.incarnation();
        assert!(!own.raise(u64::MAX));
        assert!(own.incarnation() > second && own.incarnation() <= second + 2 * JUMP_MAX);
        let mut given = Own::new(u64::MAX, 0, Vec::new());
        assert!(given.raise(given.incarnation()));
    }
}
