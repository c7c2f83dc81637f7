//! May this connection come in at all?
//!
//! Limits of the node and of one source address, before anything is read. Both are off the
//! pool's lock: the node's limit is one counter, the source table has a lock of its own.

use alloc::collections::BTreeMap;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use crate::bucket::Bucket;
use crate::policy::SourceLimits;
use crate::time::Time;

/// Addresses watched at once; a new one beyond that displaces an idle one, or is let in
/// unwatched: a table that is full must not shut out everyone.
pub const SOURCES_MAX: usize = 65_536;
/// Idle entries looked at for one to displace.
const LOOK: usize = 8;

/// The node's `maxconn`.
#[derive(Debug)]
pub struct NodeLimit {
    active: AtomicU32,
    most: AtomicU32,
    max: u32,
}

impl NodeLimit {
    /// At most `max` at once.
    pub fn new(max: u32) -> NodeLimit {
        NodeLimit { active: AtomicU32::new(0), most: AtomicU32::new(0), max }
    }

    /// Counts one in, if there is room. Each success meets one [`NodeLimit::leave`].
    pub fn enter(&self) -> bool {
        let room = self.active.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
            (n < self.max).then_some(n + 1)
        });
        match room {
            Ok(before) => {
                self.most.fetch_max(before + 1, Ordering::Relaxed);
                true
            }
            Err(_) => false,
        }
    }

    /// Counts one out.
    pub fn leave(&self) {
        let before = self.active.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "every leave follows its own enter");
    }

    /// Now, at most so far, and the limit.
    pub fn figures(&self) -> (u32, u32, u32) {
        let most = self.most.load(Ordering::Relaxed);
        (self.active.load(Ordering::Relaxed), most, self.max)
    }
}

/// Why a source address may not come in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TooMany {
    /// Its `per_source.maxconn` is reached.
    Flows,
    /// Its `per_source.new_per_second` is used up.
    Rate,
}

#[derive(Debug)]
struct Source {
    active: u32,
    rate: Bucket,
    seen: Time,
}

/// Flows and rates by source address.
#[derive(Debug)]
pub struct Sources {
    limits: SourceLimits,
    table: BTreeMap<IpAddr, Source>,
    /// Where the last search for an idle entry ended.
    hand: Option<IpAddr>,
}

impl Sources {
    /// With these limits.
    pub fn new(limits: SourceLimits) -> Sources {
        Sources { limits, table: BTreeMap::new(), hand: None }
    }

    /// Whether there is anything to watch.
    pub fn is_limited(limits: SourceLimits) -> bool {
        limits.maxconn > 0 || limits.new_per_second > 0
    }

    /// Counts a connection in. `Ok(false)`: let in unwatched, and must not leave.
    pub fn enter(&mut self, addr: IpAddr, now: Time) -> Result<bool, TooMany> {
        let limits = self.limits;
        if !self.table.contains_key(&addr) && self.table.len() >= SOURCES_MAX && !self.displace(now)
        {
            return Ok(false);
        }
        let source = self.table.entry(addr).or_insert_with(|| Source {
            active: 0,
            rate: Bucket::full(limits.new_per_second, now),
            seen: now,
        });
        source.seen = now;
        if limits.maxconn > 0 && source.active >= limits.maxconn {
            return Err(TooMany::Flows);
        }
        source.rate.refill(limits.new_per_second, now);
        if limits.new_per_second > 0 && !source.rate.take() {
            return Err(TooMany::Rate);
        }
        source.active += 1;
        Ok(true)
    }

    /// Counts a watched connection out.
    pub fn leave(&mut self, addr: IpAddr, now: Time) {
        let Some(source) = self.table.get_mut(&addr) else { return };
        assert!(source.active > 0, "every leave follows its own enter");
        source.active -= 1;
        source.seen = now;
        // Without a rate to remember, nothing is worth keeping.
        if source.active == 0 && self.limits.new_per_second == 0 {
            self.table.remove(&addr);
        }
    }

    /// Addresses watched.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether none is watched.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Makes room by forgetting an address whose bucket has filled up again.
    fn displace(&mut self, now: Time) -> bool {
        use core::ops::Bound::{Excluded, Unbounded};
        let from = self.hand.map_or(Unbounded, Excluded);
        let mut found = None;
        let mut last = None;
        for (addr, source) in self.table.range((from, Unbounded)).take(LOOK) {
            last = Some(*addr);
            if source.active == 0 && now.since(source.seen) > Duration::from_secs(1) {
                found = Some(*addr);
                break;
            }
        }
        self.hand = last;
        found.is_some_and(|addr| self.table.remove(&addr).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(n))
    }

    #[test]
    fn the_node_lets_in_as_many_as_it_holds() {
        let node = NodeLimit::new(2);
        assert!(node.enter() && node.enter() && !node.enter());
        node.leave();
        assert!(node.enter());
        assert_eq!(node.figures(), (2, 2, 2));
    }

    #[test]
    fn a_source_has_its_share_and_no_more() {
        let mut sources = Sources::new(SourceLimits { maxconn: 2, new_per_second: 3 });
        let t = Time::ZERO;
        assert_eq!(sources.enter(ip(1), t), Ok(true));
        assert_eq!(sources.enter(ip(1), t), Ok(true));
        assert_eq!(sources.enter(ip(1), t), Err(TooMany::Flows));
        assert_eq!(sources.enter(ip(2), t), Ok(true), "others are not concerned");
        sources.leave(ip(1), t);
        assert_eq!(sources.enter(ip(1), t), Ok(true));
        sources.leave(ip(1), t);
        assert_eq!(sources.enter(ip(1), t), Err(TooMany::Rate));
        assert_eq!(sources.enter(ip(1), t + Duration::from_millis(334)), Ok(true));
    }

    #[test]
    fn the_table_is_bounded_and_lets_in_whom_it_cannot_watch() {
        let mut sources = Sources::new(SourceLimits { maxconn: 1, new_per_second: 0 });
        for n in 0..SOURCES_MAX as u32 {
            assert_eq!(sources.enter(ip(n), Time::ZERO), Ok(true));
        }
        assert_eq!(sources.enter(ip(u32::MAX), Time::ZERO), Ok(false));
        assert_eq!(sources.len(), SOURCES_MAX);
        sources.leave(ip(7), Time::ZERO);
        assert_eq!(sources.enter(ip(u32::MAX), Time::ZERO), Ok(true));
        let mut rates = Sources::new(SourceLimits { maxconn: 0, new_per_second: 1 });
        for n in 0..SOURCES_MAX as u32 {
            assert_eq!(rates.enter(ip(n), Time::ZERO), Ok(true));
            rates.leave(ip(n), Time::ZERO);
        }
        let later = Time::ZERO + Duration::from_secs(5);
        assert_eq!(rates.enter(ip(u32::MAX), later), Ok(true), "an idle one makes room");
        assert_eq!(rates.len(), SOURCES_MAX);
    }
}
