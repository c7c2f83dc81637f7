//! What happens next, in one shard?
//!
//! A hierarchical timing wheel (Varghese and Lauck, "Hashed and hierarchical timing wheels",
//! SOSP 1987), like the hands of a clock: the first has a slot for each of the next 256 ticks, the
//! next hand for each of 256 times 256, and so on. What is far away is moved to a finer hand when
//! its time comes near, at most once a hand; what is in the tick that is running is sorted.
//!
//! Events come out by time, and those of one time by their [`Key`]. A key says who the event is of
//! and how many that one had before, so it is unique without looking at others: neither the
//! order in which events were written down, nor by which thread, can matter. Nothing is ever taken
//! out before its time: who no longer wants an event knows it by a generation of its own when it
//! comes (a stale event costs its place in the wheel until then).
//!
//! Events of a slot lie one after the other in chunks, not in a list of their own each: what is
//! read together is near together. `examples/wheel.rs` measures.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use isobar_core::time::Time;

/// A tick is 2^20 ns, about 1 ms: so long that a region with much to do has a hundred events in it,
/// which can be looked at together ([`Wheel::soon`]).
const TICK_BITS: u32 = 20;
/// Slots of a hand are 2^8.
const HAND_BITS: u32 = 8;
const SLOTS: usize = 1 << HAND_BITS;
/// 20 + 6 x 8 bits: every time there is has a slot.
const HANDS: usize = 6;
/// Events in a chunk: the most that a slot with one event wastes.
const CHUNK: usize = 32;
/// Chunks that are allocated together.
const SEGMENT: usize = 64;
const NONE: u32 = u32::MAX;

/// Who an event is of, and how many that one had before. Unique by itself at any one time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Key(pub u64);

impl Key {
    /// A class of entities (6 bits), which of them (32 bits), and how many events it had before
    /// (26 bits; counters may wrap, as nobody has so many at one time).
    pub fn new(class: u8, entity: u32, count: u32) -> Key {
        let class = u64::from(class & 0x3f) << 58;
        Key(class | u64::from(entity) << 26 | u64::from(count & 0x03ff_ffff))
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry<E> {
    at: u64,
    key: Key,
    event: E,
}

impl<E> Entry<E> {
    fn rank(&self) -> (u64, Key) {
        (self.at, self.key)
    }
}

/// Ordered by rank alone, for the heap.
struct Late<E>(Entry<E>);

impl<E> PartialEq for Late<E> {
    fn eq(&self, other: &Late<E>) -> bool {
        self.0.rank() == other.0.rank()
    }
}

impl<E> Eq for Late<E> {}

impl<E> PartialOrd for Late<E> {
    fn partial_cmp(&self, other: &Late<E>) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Late<E> {
    fn cmp(&self, other: &Late<E>) -> std::cmp::Ordering {
        self.0.rank().cmp(&other.0.rank())
    }
}

/// Chunks of events, by number: those in use of a slot in a list, the free ones too.
struct Chunks<E> {
    /// Each holds so many chunks; none is ever moved.
    segments: Vec<Box<[Entry<E>]>>,
    next: Vec<u32>,
    free: u32,
}

impl<E: Copy> Chunks<E> {
    fn get(&self, chunk: u32, place: usize) -> Entry<E> {
        let at = chunk as usize % SEGMENT * CHUNK + place;
        self.segments[chunk as usize / SEGMENT][at]
    }

    fn put(&mut self, chunk: u32, place: usize, entry: Entry<E>) {
        let at = chunk as usize % SEGMENT * CHUNK + place;
        self.segments[chunk as usize / SEGMENT][at] = entry;
    }

    /// A chunk before `next`, with this in its first place.
    fn begin(&mut self, next: u32, entry: Entry<E>) -> u32 {
        if self.free == NONE {
            let first = self.next.len() as u32;
            self.segments.push(vec![entry; SEGMENT * CHUNK].into_boxed_slice());
            self.next.extend((1..SEGMENT as u32).map(|n| first + n).chain([NONE]));
            self.free = first;
        }
        let chunk = self.free;
        self.free = std::mem::replace(&mut self.next[chunk as usize], next);
        self.put(chunk, 0, entry);
        chunk
    }

    /// Its events are read. Returns the one after it.
    fn end(&mut self, chunk: u32) -> u32 {
        let next = std::mem::replace(&mut self.next[chunk as usize], self.free);
        self.free = chunk;
        next
    }
}

/// One hand: the first chunk of each slot, how many events it has - those after it are full - and a
/// bit for each slot that has one.
struct Hand {
    heads: [u32; SLOTS],
    lens: [u8; SLOTS],
    bits: [u64; SLOTS / 64],
}

impl Hand {
    /// The first slot after `slot` that has events.
    fn next_after(&self, slot: usize) -> Option<usize> {
        let from = slot + 1;
        let mut word = from / 64;
        let mut bits = self.bits.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.bits.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }
}

/// All that will happen in a shard. 16 bytes a pending event beside the event's own, and a chunk
/// that is not full for each slot in use.
pub struct Wheel<E> {
    /// The tick that runs: all that is due in it or before is in `ready` and `late`.
    tick: u64,
    /// Of the tick that runs, the last one first.
    ready: Vec<Entry<E>>,
    /// Came while its tick ran.
    late: BinaryHeap<Reverse<Late<E>>>,
    hands: Box<[Hand]>,
    chunks: Chunks<E>,
    len: usize,
    /// The rank of the last one that came out.
    passed: (u64, Key),
}

impl<E: Copy> Default for Wheel<E> {
    fn default() -> Wheel<E> {
        Wheel::new()
    }
}

impl<E: Copy> Wheel<E> {
    /// Nothing will happen.
    pub fn new() -> Wheel<E> {
        let hand = || Hand { heads: [NONE; SLOTS], lens: [0; SLOTS], bits: [0; SLOTS / 64] };
        Wheel {
            tick: 0,
            ready: Vec::new(),
            late: BinaryHeap::new(),
            hands: (0..HANDS).map(|_| hand()).collect(),
            chunks: Chunks { segments: Vec::new(), next: Vec::new(), free: NONE },
            len: 0,
            passed: (0, Key(0)),
        }
    }

    /// Events that will happen.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none will.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes held for pending events.
    pub fn bytes(&self) -> usize {
        let entry = size_of::<Entry<E>>();
        let chunks = self.chunks.next.len() * (CHUNK * entry + size_of::<u32>());
        chunks + (self.ready.capacity() + self.late.capacity()) * entry
    }

    /// Writes an event down. Panics where time has passed it already: that would be an effect
    /// before its cause.
    pub fn push(&mut self, at: Time, key: Key, event: E) {
        assert!(at.0 >= self.passed.0, "an event in the past");
        self.len += 1;
        let entry = Entry { at: at.0, key, event };
        if at.0 >> TICK_BITS <= self.tick {
            self.late.push(Reverse(Late(entry)));
        } else {
            self.file(entry);
        }
    }

    /// The next event not after `end`, with its time and key.
    pub fn pop(&mut self, end: Time) -> Option<(Time, Key, E)> {
        self.comes(end);
        let ready = self.ready.last().map(Entry::rank);
        let late = self.late.peek().map(|Reverse(late)| late.0.rank());
        let from_ready = match (ready, late) {
            (Some(ready), Some(late)) => ready < late,
            (ready, _) => ready.is_some(),
        };
        let rank = if from_ready { ready } else { late }?;
        if rank.0 > end.0 {
            return None;
        }
        let entry = match from_ready {
            true => self.ready.pop(),
            false => self.late.pop().map(|Reverse(late)| late.0),
        }?;
        (self.len, self.passed) = (self.len - 1, rank);
        Some((Time(entry.at), entry.key, entry.event))
    }

    /// Goes on to the tick of the next event, if nothing is left of the one that runs, and as far as
    /// slots begin by `end`. Whether there is an event to come out then, perhaps after `end`.
    pub fn comes(&mut self, end: Time) -> bool {
        while self.ready.is_empty() && self.late.is_empty() {
            if !self.turn(end.0) {
                return false;
            }
        }
        true
    }

    /// Some of the events that come next: those that were due in this tick before it began.
    pub fn soon(&self, most: usize) -> impl Iterator<Item = E> {
        self.ready.iter().rev().take(most).map(|entry| entry.event)
    }

    /// A time before which nothing happens: that of the next event, or of the slot it is in.
    pub fn not_before(&self) -> Time {
        let ready = self.ready.last().map(|entry| entry.at);
        let late = self.late.peek().map(|Reverse(late)| late.0.at);
        match (ready, late) {
            (Some(ready), Some(late)) => Time(ready.min(late)),
            (Some(at), None) | (None, Some(at)) => Time(at),
            (None, None) => self
                .next_slot()
                .map_or(Time::NEVER, |(.., start)| Time((start << TICK_BITS).max(self.passed.0))),
        }
    }

    /// The next slot with events: its hand, its place, and the tick it begins with.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        self.hands.iter().enumerate().find_map(|(h, hand)| {
            let shift = HAND_BITS * h as u32;
            let place = (self.tick >> shift) as usize % SLOTS;
            let slot = hand.next_after(place)?;
            let above = shift + HAND_BITS;
            let start = self.tick >> above << above | (slot as u64) << shift;
            Some((h, slot, start))
        })
    }

    /// Goes on to the next slot, if it begins by `end`. Nothing is ready yet, or no more.
    fn turn(&mut self, end: u64) -> bool {
        let Some((h, slot, start)) = self.next_slot() else { return false };
        if start << TICK_BITS > end {
            return false;
        }
        self.tick = start;
        let hand = &mut self.hands[h];
        let mut chunk = std::mem::replace(&mut hand.heads[slot], NONE);
        let mut len = usize::from(hand.lens[slot]);
        hand.bits[slot / 64] &= !(1 << (slot % 64));
        while chunk != NONE {
            for place in 0..len {
                let entry = self.chunks.get(chunk, place);
                if entry.at >> TICK_BITS == start {
                    self.ready.push(entry);
                } else {
                    self.file(entry);
                }
            }
            (chunk, len) = (self.chunks.end(chunk), CHUNK);
        }
        self.ready.sort_unstable_by_key(|entry| Reverse(entry.rank()));
        true
    }

    /// Puts an event of a later tick into its slot: the hand is that of the highest digit in
    /// which its tick differs from the one that runs.
    fn file(&mut self, entry: Entry<E>) {
        let tick = entry.at >> TICK_BITS;
        let h = ((tick ^ self.tick).ilog2() / HAND_BITS) as usize;
        let slot = (tick >> (HAND_BITS * h as u32)) as usize % SLOTS;
        let hand = &mut self.hands[h];
        let (head, len) = (hand.heads[slot], usize::from(hand.lens[slot]));
        if head != NONE && len < CHUNK {
            hand.lens[slot] += 1;
            return self.chunks.put(head, len, entry);
        }
        hand.heads[slot] = self.chunks.begin(head, entry);
        hand.lens[slot] = 1;
        hand.bits[slot / 64] |= 1 << (slot % 64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn by_time_and_then_by_key() {
        let mut wheel = Wheel::new();
        for (at, key) in
            [(5, 9), (5, 2), (1 << 50, 1), (1 << TICK_BITS | 5, 3), (u64::MAX, 7), (5, 4)]
        {
            wheel.push(Time(at), Key(key), key);
        }
        let end = Time::NEVER;
        let order: Vec<u64> = std::iter::from_fn(|| wheel.pop(end)).map(|(.., e)| e).collect();
        assert_eq!(order, [2, 4, 9, 3, 1, 7]);
        assert_eq!(wheel.not_before(), Time::NEVER);
    }

    #[test]
    fn what_comes_into_the_running_tick_takes_its_turn() {
        let mut wheel = Wheel::new();
        wheel.push(Time(100), Key(1), 1);
        wheel.push(Time(300), Key(1), 3);
        assert_eq!(wheel.pop(Time(250)).map(|(.., e)| e), Some(1));
        wheel.push(Time(200), Key(1), 2);
        assert_eq!(wheel.not_before(), Time(200));
        assert_eq!(wheel.pop(Time(199)).map(|(.., e)| e), None);
        assert_eq!(wheel.pop(Time(400)).map(|(.., e)| e), Some(2));
        assert_eq!(wheel.pop(Time(400)).map(|(.., e)| e), Some(3));
    }

    #[test]
    #[should_panic(expected = "in the past")]
    fn no_effect_before_its_cause() {
        let mut wheel = Wheel::new();
        wheel.push(Time(100), Key(1), ());
        wheel.pop(Time(100));
        wheel.push(Time(99), Key(1), ());
    }

    #[test]
    fn memory_follows_what_is_pending() {
        let mut wheel = Wheel::new();
        for n in 0..100_000u64 {
            wheel.push(Time((n * 15) << TICK_BITS), Key(n), n as u32);
        }
        let each = wheel.bytes() / wheel.len();
        assert!(each <= 24 + 4 + 4, "{each} bytes a pending event of 4");
        let before = wheel.bytes();
        for n in 100_000..400_000u64 {
            wheel.pop(Time::NEVER);
            wheel.push(Time((n * 15) << TICK_BITS), Key(n), n as u32);
        }
        assert!(wheel.bytes() <= before * 5 / 4, "chunks are used again");
    }

    #[derive(Clone, Copy, Debug)]
    enum Op {
        Push(u64),
        /// What is due within so long, after a look at what comes or without.
        Pop(u64, bool),
    }

    /// Near and far, in the same tick and hours away.
    fn op() -> impl Strategy<Value = Op> {
        let span = prop_oneof![
            Just(0u64),
            0..1u64 << TICK_BITS,
            0..1u64 << (TICK_BITS + 8),
            0..1u64 << (TICK_BITS + 17),
            0..1u64 << (TICK_BITS + 29),
            0..1u64 << 60
        ];
        let within = prop_oneof![
            0..1u64 << (TICK_BITS + 2),
            0..1u64 << (TICK_BITS + 14),
            0..1u64 << (TICK_BITS + 30)
        ];
        let pop = (within, any::<bool>()).prop_map(|(within, looks)| Op::Pop(within, looks));
        prop_oneof![3 => span.prop_map(Op::Push), 2 => pop]
    }

    impl Wheel<usize> {
        /// Whether it came while its tick ran.
        fn is_late(&self, event: usize) -> bool {
            self.late.iter().any(|Reverse(late)| late.0.event == event)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn as_a_sorted_map_has_it(ops in prop::collection::vec(op(), 1..400)) {
            let (mut wheel, mut map, mut now) = (Wheel::new(), BTreeMap::new(), 0u64);
            for (n, op) in ops.into_iter().enumerate() {
                match op {
                    Op::Push(after) => {
                        // Keys that do not follow the order of writing.
                        let key = Key::new(n as u8 % 3, 1_000 - n as u32, n as u32);
                        let at = now.saturating_add(after);
                        wheel.push(Time(at), key, n);
                        map.insert((at, key), n);
                    }
                    Op::Pop(within, looks) => {
                        let end = now.saturating_add(within);
                        let due = map.first_key_value().map(|((at, _), _)| *at);
                        if looks {
                            // What is looked at is what comes out next, of what was there.
                            let comes = wheel.comes(Time(end));
                            prop_assert!(comes || due.is_none_or(|due| due > end));
                            prop_assert!(wheel.tick << TICK_BITS <= end.max(now));
                            let soon: Vec<usize> = wheel.soon(3).collect();
                            let next = map.values().copied();
                            let next: Vec<usize> =
                                next.filter(|event| !wheel.is_late(*event)).take(soon.len()).collect();
                            prop_assert_eq!(soon, next);
                        }
                        while let Some(entry) = map.first_entry().filter(|e| e.key().0 <= end) {
                            prop_assert!(wheel.not_before().0 <= entry.key().0);
                            let ((at, key), event) = entry.remove_entry();
                            prop_assert_eq!(wheel.pop(Time(end)), Some((Time(at), key, event)));
                            // Every third one has a consequence in its own tick.
                            if event % 3 == 0 && event < 1_000 {
                                let key = Key::new(9, event as u32, at as u32);
                                wheel.push(Time(at + 100), key, event + 1_000);
                                map.insert((at + 100, key), event + 1_000);
                            }
                        }
                        prop_assert_eq!(wheel.pop(Time(end)), None);
                        now = end;
                    }
                }
                prop_assert_eq!(wheel.len(), map.len());
            }
        }
    }
}
