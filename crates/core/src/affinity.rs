//! Which broker holds a client's session?
//!
//! Rendezvous hashing (Thaler, Ravishankar 1998) gives every client id an order of all brokers
//! that depends on nothing but names and weights: any node, after any restart, says the same,
//! and taking one broker away moves only its own clients. A bounded table remembers the
//! clients that were placed otherwise, because their first choice could not take them then.
//! Whether a broker can take a client now is not known here.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::id::{BrokerId, ClientKey};
use crate::rng::mix;

/// Clients remembered at most; beyond, the longest unused is forgotten and its client finds
/// its session only if that is on its first choice.
pub const REMEMBERED_MAX: usize = 65_536;

/// Where clients were placed last, of those for whom that is worth knowing.
#[derive(Clone, Debug)]
pub(crate) struct Remembered<T> {
    places: BTreeMap<ClientKey, (T, u64)>,
    by_use: BTreeMap<u64, ClientKey>,
    uses: u64,
}

impl<T: Copy> Remembered<T> {
    pub(crate) fn new() -> Remembered<T> {
        Remembered { places: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0 }
    }

    pub(crate) fn place(&self, client: ClientKey) -> Option<T> {
        self.places.get(&client).map(|(place, _)| *place)
    }

    pub(crate) fn forget(&mut self, client: ClientKey) {
        if let Some((_, used)) = self.places.remove(&client) {
            self.by_use.remove(&used);
        }
    }

    /// The longest unused is forgotten where the table is full.
    pub(crate) fn keep(&mut self, client: ClientKey, place: T) {
        self.forget(client);
        if self.places.len() >= REMEMBERED_MAX
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.places.remove(&oldest);
        }
        self.uses += 1;
        self.places.insert(client, (place, self.uses));
        self.by_use.insert(self.uses, client);
    }

    /// Keeps those whose place is good.
    pub(crate) fn retain(&mut self, good: impl Fn(&T) -> bool) {
        let by_use = &mut self.by_use;
        self.places.retain(|_, (place, used)| {
            let stays = good(place);
            if !stays {
                by_use.remove(used);
            }
            stays
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}

/// A service's brokers in the eyes of sessions.
#[derive(Clone, Debug)]
pub struct Affinity {
    members: Vec<Place>,
    even: bool,
    elsewhere: Remembered<BrokerId>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    broker: BrokerId,
    salt: u64,
    weight: u16,
}

impl Affinity {
    /// Over brokers with their names and weights.
    pub fn new<'a>(members: impl Iterator<Item = (BrokerId, &'a str, u16)>) -> Affinity {
        let mut affinity =
            Affinity { members: Vec::new(), even: true, elsewhere: Remembered::new() };
        affinity.set_members(members);
        affinity
    }

    /// Over these from now on. Only clients of brokers that went, and some that those that came
    /// take over, have another first choice then.
    pub fn set_members<'a>(&mut self, members: impl Iterator<Item = (BrokerId, &'a str, u16)>) {
        let place = |(broker, name, weight): (BrokerId, &str, u16)| {
            let salt = ClientKey::of(name.as_bytes()).low();
            Place { broker, salt, weight }
        };
        self.members = members.map(place).collect();
        self.even = self.members.windows(2).all(|w| w[0].weight == w[1].weight);
    }

    /// Nobody is remembered to be on `broker`. O(n) in those who are remembered.
    pub fn forget(&mut self, broker: BrokerId) {
        self.elsewhere.retain(|place| *place != broker);
    }

    /// The broker for `client` among those for which `fit` holds: where it was placed last,
    /// if that is remembered and fit, else the first fit one in its own order.
    pub fn choose(&self, client: ClientKey, fit: &dyn Fn(BrokerId) -> bool) -> Option<BrokerId> {
        match self.elsewhere.place(client) {
            Some(broker) if fit(broker) => Some(broker),
            _ => self.first(client, fit),
        }
    }

    /// The client's session is now on `broker`.
    pub fn settled(&mut self, client: ClientKey, broker: BrokerId) {
        match self.first(client, &|_| true) == Some(broker) {
            true => self.elsewhere.forget(client),
            false => self.elsewhere.keep(client, broker),
        }
    }

    /// Clients remembered as placed otherwise.
    pub fn remembered(&self) -> usize {
        self.elsewhere.len()
    }

    fn first(&self, client: ClientKey, fit: &dyn Fn(BrokerId) -> bool) -> Option<BrokerId> {
        let key = client.high();
        let draw = |place: &Place| mix(key ^ place.salt);
        let fit = self.members.iter().filter(|place| fit(place.broker));
        let best = if self.even {
            fit.max_by_key(|place| draw(place))
        } else {
            // The largest weight / -log2(u): each wins in proportion to its weight.
            fit.min_by(|a, b| {
                let cost_a = u128::from(minus_log2(draw(a))) * u128::from(b.weight);
                let cost_b = u128::from(minus_log2(draw(b))) * u128::from(a.weight);
                cost_a.cmp(&cost_b)
            })
        };
        best.map(|place| place.broker)
    }
}

/// `-log2((x + 1) / 2^64)` with 32 fractional bits, by repeated squaring: no floating point,
/// so every machine agrees to the last bit.
fn minus_log2(x: u64) -> u64 {
    let x = u128::from(x) + 1;
    let whole = 127 - x.leading_zeros();
    // The mantissa in [1, 2) with 63 fractional bits.
    let mut m = if whole >= 63 { (x >> (whole - 63)) as u64 } else { (x << (63 - whole)) as u64 };
    let mut fraction = 0u64;
    for _ in 0..32 {
        let square = (u128::from(m) * u128::from(m)) >> 63;
        fraction <<= 1;
        if square >> 64 != 0 {
            fraction |= 1;
            m = (square >> 1) as u64;
        } else {
            m = square as u64;
        }
    }
    (64u64 << 32) - ((u64::from(whole) << 32) | fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;

    fn over(weights: &[u16]) -> Affinity {
        let names: Vec<_> = (0..weights.len()).map(|i| format!("serv{i}")).collect();
        Affinity::new(
            weights.iter().enumerate().map(|(i, w)| (BrokerId(i as u16), names[i].as_str(), *w)),
        )
    }

    fn client(i: u32) -> ClientKey {
        ClientKey::of(format!("client-{i}").as_bytes())
    }

    #[test]
    fn log2_is_right_at_the_places_that_are_known() {
        assert_eq!(minus_log2(u64::MAX), 0);
        assert_eq!(minus_log2(u64::MAX / 2), 1 << 32);
        assert_eq!(minus_log2(0), 64 << 32);
        // 0.75 = 2^-0.4150375
        let got = minus_log2(u64::MAX / 4 * 3) as f64 / (1u64 << 32) as f64;
        assert!((got - 0.415_037_499).abs() < 1e-6, "{got}");
    }

    #[test]
    fn shares_follow_weights() {
        for weights in [vec![1, 1, 1, 1], vec![1, 2, 3]] {
            let affinity = over(&weights);
            let mut counts = vec![0u32; weights.len()];
            for i in 0..30_000 {
                counts[affinity.choose(client(i), &|_| true).unwrap().index()] += 1;
            }
            let total: u32 = weights.iter().map(|w| u32::from(*w)).sum();
            for (count, weight) in counts.iter().zip(&weights) {
                let fair = 30_000 * u32::from(*weight) / total;
                assert!(count.abs_diff(fair) < fair / 20, "{counts:?} for {weights:?}");
            }
        }
    }

    #[test]
    fn losing_a_broker_moves_only_its_own_clients() {
        for weights in [vec![1, 1, 1, 1], vec![3, 1, 2, 5]] {
            let affinity = over(&weights);
            let lost = BrokerId(2);
            for i in 0..5_000 {
                let before = affinity.choose(client(i), &|_| true).unwrap();
                let after = affinity.choose(client(i), &|b| b != lost).unwrap();
                assert!(before == after || before == lost);
                assert_ne!(after, lost);
            }
        }
    }

    #[test]
    fn who_was_placed_otherwise_is_remembered_and_the_table_is_bounded() {
        let mut affinity = over(&[1, 1]);
        let first = affinity.choose(client(0), &|_| true).unwrap();
        let other = BrokerId(1 - first.0);
        affinity.settled(client(0), other);
        assert_eq!(affinity.choose(client(0), &|_| true), Some(other));
        assert_eq!(affinity.choose(client(0), &|b| b == first), Some(first));
        affinity.settled(client(0), first);
        assert_eq!(affinity.remembered(), 0, "the first choice needs no memory");
        for i in 0..(REMEMBERED_MAX as u32 + 100) * 2 {
            let first = affinity.first(client(i), &|_| true).unwrap();
            affinity.settled(client(i), BrokerId(1 - first.0));
        }
        assert_eq!(affinity.remembered(), REMEMBERED_MAX);
        assert_eq!(affinity.elsewhere.by_use.len(), REMEMBERED_MAX);
    }
}
