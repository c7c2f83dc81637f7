//! How many answers does one client network get?
//!
//! Whoever sends questions in the name of another makes a server send its answers there. So each
//! network has a rate; of what is asked beyond it, every second question is answered with nothing
//! but "come by TCP", which no forged sender can follow, and the others with silence. Networks
//! are those that one customer has: a /24 of IPv4, a /56 of IPv6.
//!
//! A table of fixed size, hashed with a key of this process. Where two networks want one seat, the
//! one that has been quiet for longer loses it, and begins anew: it is forgiven, not forgotten
//! others.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

/// Seats, of 16 octets each. A full table forgets the quietest of two.
const SEATS: usize = 1 << 16;
const SECOND: u64 = 1_000_000_000;

/// What a question gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Its answer.
    Answer,
    /// Word that it is to be had by TCP.
    Slip,
    /// Nothing.
    Silence,
}

/// The table.
#[derive(Debug)]
pub struct Limit {
    seats: Box<[Seat]>,
    hasher: RandomState,
    /// Nanoseconds that an answer counts for; 0 for no limit.
    each: u64,
    slips: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    network: u64,
    /// When all it was answered will have been paid for (the "generic cell rate algorithm").
    clear: u64,
}

impl Limit {
    /// So many answers per second, and as many at once; 0 for no limit.
    pub fn new(per_second: u32) -> Limit {
        let each = SECOND.checked_div(u64::from(per_second)).unwrap_or(0);
        let seats = if each == 0 { 0 } else { SEATS };
        let seats = vec![Seat::default(); seats].into_boxed_slice();
        Limit { seats, hasher: RandomState::new(), each, slips: false }
    }

    /// One more question, at a time in nanoseconds.
    pub fn take(&mut self, peer: IpAddr, now: u64) -> Verdict {
        if self.each == 0 {
            return Verdict::Answer;
        }
        let network = self.hasher.hash_one(network(peer));
        let first = network as usize % SEATS;
        let pair = [first, first ^ 1];
        let own = pair.into_iter().find(|&at| self.seats[at].network == network);
        let at = own.unwrap_or_else(|| {
            let quiet = if self.seats[pair[0]].clear <= self.seats[pair[1]].clear { 0 } else { 1 };
            self.seats[pair[quiet]] = Seat { network, clear: now };
            pair[quiet]
        });
        let seat = &mut self.seats[at];
        let clear = seat.clear.max(now) + self.each;
        if clear <= now + SECOND {
            seat.clear = clear;
            return Verdict::Answer;
        }
        self.slips = !self.slips;
        if self.slips { Verdict::Slip } else { Verdict::Silence }
    }
}

/// The network of an address, in one number.
fn network(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(u32::from(ip) >> 8),
        // The upper 56 bits, with a mark: none of them is a network of IPv4.
        IpAddr::V6(ip) => (u128::from(ip) >> 72) as u64 | 1 << 63,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Answers, slips and silences for so many questions.
    fn ask(limit: &mut Limit, peer: &str, now: u64, times: usize) -> [usize; 3] {
        let mut told = [0; 3];
        for _ in 0..times {
            told[limit.take(ip(peer), now) as usize] += 1;
        }
        told
    }

    #[test]
    fn a_network_gets_its_rate_and_every_second_question_beyond_a_hint() {
        let mut limit = Limit::new(100);
        assert_eq!(ask(&mut limit, "192.0.2.1", 0, 300), [100, 100, 100]);
        assert_eq!(ask(&mut limit, "192.0.2.200", 0, 2), [0, 1, 1], "of the same network");
        assert_eq!(ask(&mut limit, "192.0.3.1", 0, 50), [50, 0, 0], "of another");
        assert_eq!(ask(&mut limit, "192.0.2.1", SECOND / 2, 60)[0], 50, "half a second later");
        assert_eq!(ask(&mut limit, "192.0.2.1", 100 * SECOND, 300)[0], 100, "no more is saved up");
    }

    #[test]
    fn networks_of_ipv6_are_customers() {
        let mut limit = Limit::new(10);
        assert_eq!(ask(&mut limit, "2001:db8:0:10::1", 0, 10)[0], 10);
        assert_eq!(ask(&mut limit, "2001:db8:0:1f::9", 0, 10)[0], 0, "the same /56");
        assert_eq!(ask(&mut limit, "2001:db8:0:110::1", 0, 10)[0], 10);
        assert_eq!(ask(&mut limit, "::ffff:192.0.2.1", 0, 10)[0], 10);
        assert_eq!(ask(&mut limit, "192.0.2.9", 0, 10)[0], 0, "mapped, it is IPv4");
    }

    #[test]
    fn no_limit_is_none() {
        let mut limit = Limit::new(0);
        assert_eq!(ask(&mut limit, "192.0.2.1", 0, 10_000), [10_000, 0, 0]);
    }

    #[test]
    fn a_flood_of_networks_forgets_some_and_no_more_than_that() {
        let mut limit = Limit::new(1_000);
        for n in 0..200_000_u32 {
            let peer = IpAddr::from((n << 8).to_be_bytes());
            assert_eq!(limit.take(peer, 0), Verdict::Answer);
        }
        assert_eq!(limit.seats.len(), SEATS);
    }
}
