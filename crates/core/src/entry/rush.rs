//! How many may ask where to go, and when shall the others come back?
//!
//! A node answers so many questions a second, and one network a part of them, so that nobody can
//! use up the rest. Every answer says when to come again should no endpoint take the client: in
//! calm a moment, in a rush later, each client at a time of its own. The time over which they are
//! spread is the time that it takes to serve those who have come lately and cannot have been served
//! yet; so what comes back is what can be taken.
//!
//! Those whom the node refused because of their own network are a rush of that network alone: they
//! are spread over the time that their network's part takes, and nobody else waits for them.
//!
//! Like a porter with a queue before the door, who tells each guest at which time to be back, and
//! not all of them "in five minutes". It answers nobody itself and draws nothing: the draw is
//! handed in.

use alloc::collections::BTreeMap;
use core::net::IpAddr;
use core::time::Duration;

use super::networks::Prefix;
use crate::bucket::Bucket;
use crate::time::Time;

/// Whoever came within this time may be about to connect.
const LATELY_S: usize = 10;
/// The least that anybody is asked to wait, and the most.
pub const LATER_LEAST: Duration = Duration::from_secs(1);
/// See [`LATER_LEAST`].
pub const LATER_MOST: Duration = Duration::from_secs(300);
/// Networks watched at once; beyond, a new one is watched as part of the rest of the world.
pub const PREFIXES_MAX: usize = 16_384;
/// One network gets this part of the node's rate.
const PREFIX_PART: u32 = 10;
/// But never less than this a second.
const PREFIX_LEAST: u32 = 10;

/// What is known of those who ask.
#[derive(Debug)]
pub struct Rush {
    /// Answers a second, all together.
    rate: u32,
    node: Bucket,
    prefixes: BTreeMap<Prefix, Asker>,
    /// Clients that asked and were not beyond their network's part, and clients that connected.
    asked: Lately,
    begun: Lately,
    /// Flows ever begun, as last told.
    flows: Option<u64>,
}

/// A network that asks.
#[derive(Debug)]
struct Asker {
    part: Bucket,
    /// Beyond it.
    refused: Lately,
}

/// How many of something, by second.
#[derive(Clone, Copy, Debug)]
struct Lately {
    by_second: [u32; LATELY_S],
    /// The newest, since the clock began.
    second: u64,
}

impl Rush {
    /// At most `rate` answers a second.
    pub fn new(rate: u32, now: Time) -> Rush {
        Rush {
            rate,
            node: Bucket::full(rate, now),
            prefixes: BTreeMap::new(),
            asked: Lately::new(now),
            begun: Lately::new(now),
            flows: None,
        }
    }

    /// Somebody at `address` asks. Whether it may be answered. Answered or not, it counts as come;
    /// but beyond its network's part it counts as refused, there alone.
    pub fn enter(&mut self, address: IpAddr, now: Time) -> bool {
        let part = self.part();
        let prefix = self.watched(network_of(address), part, now);
        let asker = self.prefixes.entry(prefix).or_insert_with(|| Asker::new(part, now));
        asker.part.refill(part, now);
        if !asker.part.take() {
            asker.refused.count(1, now);
            return false;
        }
        self.asked.count(1, now);
        self.node.refill(self.rate, now);
        self.node.take()
    }

    /// Tells how many flows have begun ever: clients that connect are a rush as well.
    pub fn flows(&mut self, ever: u64, now: Time) {
        let new = ever.saturating_sub(self.flows.replace(ever).unwrap_or(ever));
        self.begun.count(u32::try_from(new).unwrap_or(u32::MAX), now);
    }

    /// When one at `address` shall come again who was not taken, where clients are taken at
    /// `admits` a second. `draw` is the client's own.
    pub fn later(&mut self, address: IpAddr, admits: u32, draw: u64, now: Time) -> Duration {
        let admits = u64::from(admits.max(1));
        // Most of those who ask connect as well: they are not two.
        let came = Ord::max(self.asked.sum(now), self.begun.sum(now));
        let waiting = came.saturating_sub(admits * LATELY_S as u64);
        let part = u64::from(self.part().max(1));
        let seat = network_of(address);
        let seat = if self.prefixes.contains_key(&seat) { seat } else { everybody() };
        let refused = self.prefixes.get_mut(&seat).map_or(0, |asker| asker.refused.sum(now));
        let spread_ms = waiting * 1_000 / admits + refused * 1_000 / part.min(admits);
        let spread_ms = spread_ms.min(LATER_MOST.as_millis() as u64);
        // In calm, too, not all of them at the same moment.
        let spread_ms = spread_ms.max(LATER_LEAST.as_millis() as u64);
        let drawn = ((u128::from(draw) * u128::from(spread_ms)) >> 64) as u64;
        (LATER_LEAST + Duration::from_millis(drawn)).min(LATER_MOST)
    }

    /// Networks that are watched.
    pub fn watching(&self) -> usize {
        self.prefixes.len()
    }

    /// What one network gets of the node's rate.
    fn part(&self) -> u32 {
        (self.rate / PREFIX_PART).max(PREFIX_LEAST).min(self.rate)
    }

    /// The one that counts for a network: its own, or where the table is full of busy ones
    /// that of all the others.
    fn watched(&mut self, prefix: Prefix, part: u32, now: Time) -> Prefix {
        if self.prefixes.contains_key(&prefix) || self.prefixes.len() < PREFIXES_MAX {
            return prefix;
        }
        // Who still has some of its part has done no harm.
        self.prefixes.retain(|_, asker| {
            asker.part.refill(part, now);
            asker.part.ready_at(part) > now
        });
        if self.prefixes.len() < PREFIXES_MAX { prefix } else { everybody() }
    }
}

impl Asker {
    fn new(part: u32, now: Time) -> Asker {
        Asker { part: Bucket::full(part, now), refused: Lately::new(now) }
    }
}

impl Lately {
    fn new(now: Time) -> Lately {
        Lately { by_second: [0; LATELY_S], second: second_of(now) }
    }

    fn count(&mut self, n: u32, now: Time) {
        self.turn(now);
        let counted = &mut self.by_second[self.second as usize % LATELY_S];
        *counted = counted.saturating_add(n);
    }

    fn sum(&mut self, now: Time) -> u64 {
        self.turn(now);
        self.by_second.iter().map(|n| u64::from(*n)).sum()
    }

    fn turn(&mut self, now: Time) {
        let second = second_of(now);
        for at in (self.second + 1..=second).take(LATELY_S) {
            self.by_second[at as usize % LATELY_S] = 0;
        }
        self.second = self.second.max(second);
    }
}

fn second_of(now: Time) -> u64 {
    now.0 / 1_000_000_000
}

/// A /24, or a /56 of IPv6: what one household or one company may have.
fn network_of(address: IpAddr) -> Prefix {
    let address = address.to_canonical();
    let length = if address.is_ipv4() { 24 } else { 56 };
    Prefix::new(address, length).expect("an address has more bits")
}

fn everybody() -> Prefix {
    Prefix::new(IpAddr::from([0_u8; 16]), 0).expect("no bits are no more than it has")
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::rng::Rng;

    const ME: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 7));

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    fn address(n: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + n).to_be_bytes())
    }

    #[test]
    fn the_node_answers_so_many_a_second_and_one_network_a_part_of_them() {
        let mut rush = Rush::new(1_000, at(0));
        let answered = (0..500).filter(|_| rush.enter(ME, at(0))).count();
        assert_eq!(answered, 100, "a tenth, and no more of one network");
        let near = IpAddr::from([192, 0, 2, 200]);
        let mapped = "::ffff:192.0.2.9".parse().unwrap();
        assert!(!rush.enter(near, at(0)) && !rush.enter(mapped, at(0)), "of the same network");
        let others = (0..5_000).filter(|n| rush.enter(address(n << 8), at(0))).count();
        assert_eq!(others, 900, "what is left of the node's rate");
        assert!(rush.enter(ME, at(1_000)), "and a second later again");
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        let of_56 = (0..200).filter(|_| rush.enter(v6("2001:db8::1"), at(1_000))).count();
        assert_eq!(of_56, 100);
        assert!(!rush.enter(v6("2001:db8:0:ff::1"), at(1_000)));
        assert!(rush.enter(v6("2001:db8:0:100::1"), at(1_000)));
    }

    #[test]
    fn a_small_rate_is_not_divided_to_nothing() {
        let mut rush = Rush::new(5, at(0));
        assert_eq!((0..20).filter(|_| rush.enter(ME, at(0))).count(), 5);
    }

    #[test]
    fn the_table_of_networks_has_a_limit_and_forgets_the_idle() {
        let mut rush = Rush::new(1_000, at(0));
        assert_eq!((0..200).filter(|_| rush.enter(ME, at(0))).count(), 100);
        for n in 0..PREFIXES_MAX as u32 {
            rush.enter(address(n << 8), at(0));
            assert!(rush.watching() <= PREFIXES_MAX);
        }
        assert_eq!(rush.watching(), 2, "who has used up its part, and who came last");
        assert!(!rush.enter(ME, at(0)), "it is remembered");
    }

    #[test]
    fn in_calm_nobody_waits_long() {
        let mut rush = Rush::new(5_000, at(0));
        for second in 0..20_u64 {
            for n in 0..100 {
                assert!(rush.enter(address((n % 50) << 8), at(second * 1_000)));
            }
            for draw in [0, u64::MAX / 2, u64::MAX] {
                let later = rush.later(ME, 100, draw, at(second * 1_000));
                assert!(LATER_LEAST <= later && later <= LATER_LEAST * 2, "{later:?}");
            }
        }
    }

    /// What comes back in each second is what can be taken in one.
    #[test]
    fn a_storm_is_spread_over_the_time_that_it_takes_to_serve_it() {
        let mut rush = Rush::new(50_000, at(0));
        let (mut rng, clients, admits) = (Rng::new(1), 20_000_u32, 500);
        for n in 0..clients {
            rush.enter(address(n << 8), at(u64::from(n) * 2_000 / u64::from(clients)));
        }
        let later: Vec<Duration> =
            (0..clients).map(|_| rush.later(ME, admits, rng.draw(), at(2_000))).collect();
        let longest = later.iter().max().unwrap().as_secs();
        assert!((28..=31).contains(&longest), "15,000 too many at 500 a second: {longest}");
        for second in 1..longest {
            let back = later.iter().filter(|later| later.as_secs() == second).count();
            assert!((560..780).contains(&back), "second {second}: {back}");
        }
        let mut again = Rush::new(50_000, at(0));
        for n in 0..clients {
            again.enter(address(n << 8), at(u64::from(n) * 2_000 / u64::from(clients)));
        }
        assert_eq!(again.later(ME, admits, 7, at(2_000)), rush.later(ME, admits, 7, at(2_000)));
        assert!(rush.later(ME, admits, u64::MAX, at(13_000)) <= LATER_LEAST * 2, "it is over");
    }

    #[test]
    fn clients_that_connect_are_a_storm_as_well_and_nobody_waits_for_ever() {
        let mut rush = Rush::new(5_000, at(0));
        rush.flows(1_000_000, at(0));
        assert!(rush.later(ME, 100, u64::MAX, at(0)) <= LATER_LEAST * 2, "those were there before");
        rush.flows(1_003_000, at(500));
        let most = rush.later(ME, 100, u64::MAX, at(500));
        assert_eq!(most.as_secs(), 20, "2,000 too many at 100 a second: {most:?}");
        rush.flows(2_000_000, at(600));
        assert_eq!(rush.later(ME, 1, u64::MAX, at(600)), LATER_MOST);
        assert_eq!(rush.later(ME, 0, u64::MAX, at(600)), LATER_MOST, "none at all is one a second");
    }

    #[test]
    fn one_network_too_many_waits_for_itself_and_nobody_else_does() {
        let mut rush = Rush::new(1_000, at(0));
        for n in 0..9_000_u64 {
            rush.enter(ME, at(n));
        }
        let now = at(9_000);
        assert!(rush.enter(address(7 << 8), now), "one of another network");
        let other = rush.later(address(7 << 8), 200, u64::MAX, now);
        assert!(other <= LATER_LEAST * 2, "{other:?}");
        let noisy = rush.later(ME, 200, u64::MAX, now).as_secs();
        assert!((75..=82).contains(&noisy), "some 8,000 refused, of whom 100 a second: {noisy}");
        let slow = rush.later(ME, 50, u64::MAX, now);
        assert!(slow > rush.later(ME, 100, u64::MAX, now), "a service may take fewer than that");
        assert!(rush.later(ME, 200, u64::MAX, at(20_000)) <= LATER_LEAST * 2, "it is over");
    }

    /// Of those whom the node refuses, a network is heard no more often than it may be answered.
    #[test]
    fn nor_when_the_node_has_no_answers_left() {
        let mut rush = Rush::new(1_000, at(0));
        for n in 0..1_000 {
            assert!(rush.enter(address(n << 8), at(0)));
        }
        for _ in 0..50_000 {
            assert!(!rush.enter(ME, at(0)));
        }
        let other = rush.later(address(7 << 8), 200, u64::MAX, at(0));
        assert!(other <= LATER_LEAST * 2, "{other:?}");
    }
}
