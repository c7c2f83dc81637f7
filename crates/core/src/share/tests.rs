//! Scripts about nodes that share one broker, and a site of them at random.

use alloc::collections::BTreeMap;
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::rng::Rng;

const BROKER: BrokerId = BrokerId(0);
const A: PeerId = PeerId(0);
const B: PeerId = PeerId(1);

fn at(ms: u64) -> Time {
    Time::ZERO + Duration::from_millis(ms)
}

fn says(peer: PeerId, word: u64, flows: u32, share: u32) -> Sibling {
    let counts = vec![SiblingCount { broker: BROKER, flows, share }];
    Sibling { peer, word, told: true, counts }
}

fn need(flows: u32) -> Need {
    Need { flows, ..Need::default() }
}

#[test]
fn a_node_alone_has_all_and_one_without_a_limit_has_no_share() {
    assert_eq!(Share::alone(Some(100)).limit(), Some(100));
    let mut share = Share::alone(None);
    assert_eq!(share.limit(), None);
    share.hear(BROKER, &[says(B, 1, 30, 0)], 5, at(0));
    assert_eq!((share.limit(), share.elsewhere(), share.siblings()), (None, 30, 1));
    assert_eq!(share.wants(need(5), at(0)), None);
}

#[test]
fn what_siblings_placed_since_their_word_is_guessed() {
    let mut share = Share::alone(None);
    share.hear(BROKER, &[says(B, 1, 30, 0), says(PeerId(2), 1, 10, 0)], 0, at(0));
    share.placed();
    share.placed();
    assert_eq!((share.elsewhere(), share.guess_elsewhere()), (40, 44));
    // The same word again says nothing new; a new one does, of its own.
    share.hear(BROKER, &[says(B, 1, 30, 0), says(PeerId(2), 2, 11, 0)], 2, at(100));
    assert_eq!(share.guess_elsewhere(), 30 + 2 + 11);
    // Who is not heard any more is not counted.
    share.hear(BROKER, &[says(B, 2, 31, 0)], 2, at(800));
    assert_eq!((share.elsewhere(), share.siblings()), (31, 1));
}

#[test]
fn of_a_standby_nothing_is_guessed() {
    let mut share = Share::alone(None);
    for word in 0..600 {
        share.hear(BROKER, &[says(B, word, 3, 0)], 0, at(1_000 * word));
        for _ in 0..50 {
            share.placed();
        }
        let guess = share.guess_elsewhere();
        assert_eq!(guess, if word == 0 { 53 } else { 3 }, "after {word} words");
    }
    share.hear(BROKER, &[says(B, 600, 4, 0)], 0, at(600_000));
    share.placed();
    assert_eq!(share.guess_elsewhere(), 5, "it does something");
}

#[test]
fn one_above_the_limit_is_one_too_many() {
    let mut a = Share::alone(Some(41));
    a.hear(BROKER, &[says(B, 1, 21, 41)], 0, at(0));
    assert_eq!(a.limit(), Some(10));
    let mut a = Share::alone(Some(40));
    a.hear(BROKER, &[says(B, 1, 20, 40)], 20, at(0));
    a.hear(BROKER, &[says(B, 2, 20, 21)], 19, at(100));
    a.refresh(19, at(1_100));
    assert_eq!(a.limit(), Some(19));
}

/// Two that could not hear each other have placed more than there is.
#[test]
fn a_place_that_two_have_filled_is_not_filled_again() {
    let mut a = Share::alone(Some(40));
    a.hear(BROKER, &[says(B, 1, 30, 30)], 40, at(0));
    for flows in (10..40).rev() {
        a.refresh(flows, at(10));
        assert_eq!(a.limit(), Some(flows));
    }
    a.refresh(9, at(10));
    assert_eq!(a.limit(), Some(10), "now there are as many as there may be");
}

#[test]
fn two_who_meet_divide_what_neither_uses() {
    for (a_has, b_has, a_gets, b_gets) in
        [(0, 0, 50, 50), (30, 10, 60, 40), (80, 0, 90, 10), (100, 0, 100, 0), (70, 60, 70, 60)]
    {
        let mut a = Share::alone(Some(100));
        let mut b = Share::alone(Some(100));
        a.hear(BROKER, &[says(B, 1, b_has, 100)], a_has, at(0));
        b.hear(BROKER, &[says(A, 1, a_has, 100)], b_has, at(0));
        assert_eq!((a.limit(), b.limit()), (Some(a_gets), Some(b_gets)));
    }
}

/// Two nodes that have met, with 50 places each.
fn two() -> (Share, Share) {
    let mut a = Share::alone(Some(100));
    let mut b = Share::alone(Some(100));
    a.hear(BROKER, &[says(B, 1, 0, 100)], 0, at(0));
    b.hear(BROKER, &[says(A, 1, 0, 100)], 0, at(0));
    a.hear(BROKER, &[says(B, 2, 0, 50)], 0, at(100));
    b.hear(BROKER, &[says(A, 2, 0, 50)], 0, at(100));
    (a, b)
}

#[test]
fn a_sibling_is_asked_before_the_places_run_out() {
    let (mut a, mut b) = two();
    assert_eq!(a.wants(need(40), at(200)), None);
    assert_eq!(a.wants(need(44), at(200)), Some((B, 12)));
    assert_eq!(a.wants(need(45), at(300)), None, "not before it can have answered");
    // Half of what it does not use, at most.
    let given = b.give(A, 12, 40);
    assert_eq!((given, b.limit()), (5, Some(45)));
    a.take(B, given, at(300));
    assert_eq!(a.limit(), Some(55));
    // The old word that is still on its way changes nothing.
    a.hear(BROKER, &[says(B, 3, 40, 50)], 50, at(400));
    a.refresh(50, at(900));
    assert_eq!(a.limit(), Some(55));
    a.hear(BROKER, &[says(B, 4, 40, 45)], 50, at(1_000));
    a.refresh(50, at(9_000));
    assert_eq!(a.limit(), Some(55));
}

#[test]
fn nobody_gives_what_is_not_there() {
    let (mut a, mut b) = two();
    assert_eq!(b.give(A, 10, 50), 0);
    assert_eq!(b.give(PeerId(9), 10, 0), 0, "to a stranger");
    a.take(B, u32::MAX, at(300));
    assert_eq!(a.limit(), Some(100), "never more than the sibling had");
    a.take(PeerId(9), 10, at(300));
    assert_eq!(a.limit(), Some(100));
}

#[test]
fn the_share_of_a_lost_sibling_is_reclaimed_after_three_seconds() {
    let (mut a, _) = two();
    a.hear(BROKER, &[], 50, at(600));
    assert_eq!(a.next_timeout(), at(3_600));
    a.refresh(50, at(3_599));
    assert_eq!(a.limit(), Some(50));
    a.refresh(50, at(3_600));
    assert_eq!((a.limit(), a.next_timeout()), (Some(100), Time::NEVER));
    // Of three, two divide it.
    let mut a = Share::alone(Some(90));
    let all = [says(B, 1, 0, 30), says(PeerId(2), 1, 0, 30)];
    a.hear(BROKER, &all, 0, at(0));
    assert_eq!(a.limit(), Some(30));
    a.hear(BROKER, &all[..1], 0, at(600));
    a.refresh(0, at(3_600));
    assert_eq!(a.limit(), Some(45));
}

#[test]
fn a_message_that_was_lost_costs_places_for_a_moment_only() {
    let (mut a, mut b) = two();
    assert_eq!(b.give(A, 20, 0), 20);
    // It never comes. Both see 80 of 100 a while later.
    a.hear(BROKER, &[says(B, 3, 0, 30)], 0, at(300));
    b.hear(BROKER, &[says(A, 3, 0, 50)], 0, at(300));
    a.refresh(0, at(2_799));
    assert_eq!(a.limit(), Some(50));
    a.refresh(0, at(2_800));
    b.refresh(0, at(2_800));
    assert_eq!((a.limit(), b.limit()), (Some(60), Some(40)));
}

/// Each would see the other's older, larger count, and hold itself for the one with the least.
#[test]
fn nobody_takes_the_last_place_while_flows_come_and_go() {
    let (mut share_a, mut share_b) = (Share::alone(Some(21)), Share::alone(Some(21)));
    share_a.hear(BROKER, &[says(B, 1, 100, 10)], 100, at(0));
    share_b.hear(BROKER, &[says(A, 1, 100, 10)], 100, at(0));
    for share in [&mut share_a, &mut share_b] {
        share.own = 10;
    }
    for step in 1..40 {
        let (flows, now) = (100 - step, at(200 * u64::from(step)));
        share_a.hear(BROKER, &[says(B, u64::from(step) + 1, flows + 1, 10)], flows, now);
        share_b.hear(BROKER, &[says(A, u64::from(step) + 1, flows + 1, 10)], flows, now);
    }
    assert_eq!((share_a.limit(), share_b.limit()), (Some(10), Some(10)));
}

#[test]
fn the_last_place_that_nobody_has_goes_to_whoever_has_least() {
    let run = |max, (mine, own), (theirs, share)| {
        let mut share_a = Share::alone(Some(max));
        // Met with nothing missing; then one place was lost on its way.
        share_a.hear(BROKER, &[says(B, 1, theirs, max - own)], mine, at(0));
        share_a.refresh(mine, at(1_000));
        share_a.own = own;
        share_a.hear(BROKER, &[says(B, 2, theirs, share)], mine, at(2_000));
        for ms in [4_500, 6_999] {
            share_a.refresh(mine, at(ms));
            assert_eq!(share_a.limit(), Some(own), "it may be on its way");
        }
        let mut due = share_a.next_timeout();
        while due < at(20_000) {
            share_a.refresh(mine, due);
            assert!(share_a.next_timeout() > due, "a timeout in the past is a busy loop");
            due = share_a.next_timeout();
        }
        share_a.limit().unwrap() - own
    };
    assert_eq!(run(20, (7, 7), (12, 12)), 1);
    assert_eq!(run(20, (12, 12), (7, 7)), 0);
    assert_eq!(run(21, (9, 10), (10, 10)), 1);
    assert_eq!(run(21, (10, 10), (9, 10)), 0);
    assert_eq!(run(21, (10, 10), (10, 10)), 0, "nobody knows whose it is");
}

#[test]
fn a_broker_that_a_living_sibling_has_no_more_is_reclaimed() {
    let (mut a, _) = two();
    // It is started again, and has not said yet what it has: that may be the same.
    let silent = Sibling { peer: B, word: 9, told: false, counts: Vec::new() };
    a.hear(BROKER, &[silent], 20, at(500));
    a.refresh(20, at(9_000));
    assert_eq!((a.limit(), a.siblings()), (Some(50), 1));
    // It says, and this broker is not in it.
    let other = SiblingCount { broker: BrokerId(7), flows: 3, share: 9 };
    let word = |word| Sibling { peer: B, word, told: true, counts: vec![other] };
    a.hear(BROKER, &[word(10)], 20, at(9_000));
    assert_eq!((a.limit(), a.siblings()), (Some(50), 0));
    a.hear(BROKER, &[word(11)], 20, at(11_000));
    a.refresh(20, at(12_000));
    assert_eq!(a.limit(), Some(100));
    // It has it again: they meet anew.
    a.hear(BROKER, &[says(B, 12, 0, 100)], 20, at(13_000));
    assert_eq!(a.limit(), Some(60));
}

#[test]
fn who_comes_anew_takes_only_what_the_others_have_left() {
    // One that was started again, before it was missed: the other gives nothing up at once.
    let mut b = Share::alone(Some(1_000));
    b.hear(BROKER, &[says(A, 70, 100, 800)], 0, at(0));
    assert_eq!(b.limit(), Some(200));
    let mut b = Share::alone(Some(1_000));
    b.hear(BROKER, &[says(A, 70, 900, 1_000)], 0, at(0));
    assert_eq!(b.limit(), Some(50), "it uses nine of ten, and was alone");
    let mut b = Share::alone(Some(1_000));
    b.hear(BROKER, &[says(A, 70, 900, 980)], 100, at(0));
    assert_eq!(b.limit(), Some(100), "what it uses is its own, whoever had it before");
}

#[test]
fn while_openings_wait_one_question_follows_the_other() {
    let (mut a, mut b) = two();
    let waits = |flows, waiting, pace| Need { flows, waiting, pace };
    assert_eq!(a.wants(waits(44, 0, 0), at(200)), Some((B, 12)));
    assert_eq!(a.wants(waits(50, 3, 0), at(201)), None, "one at a time");
    assert!(a.hopes(at(201)));
    let given = b.give(A, 12, 0);
    a.take(B, given, at(202));
    assert_eq!((given, a.limit()), (12, Some(62)));
    assert_eq!(a.wants(waits(60, 0, 0), at(203)), None, "ahead of need, not so soon again");
    assert_eq!(a.wants(waits(62, 30, 0), at(203)), Some((B, 30)), "as many as wait");
    let given = b.give(A, 30, 0);
    a.take(B, given, at(204));
    assert_eq!((given, a.limit()), (19, Some(81)));
    assert_eq!(a.wants(waits(80, 0, 16), at(704)), Some((B, 16)), "as many as come in a second");
}

#[test]
fn nobody_waits_for_a_sibling_that_gives_nothing() {
    let (mut a, _) = two();
    let waits = Need { flows: 50, waiting: 1, pace: 0 };
    assert!(a.wants(waits, at(200)).is_some());
    a.take(B, 0, at(201));
    assert!(!a.hopes(at(201)), "it has said no");
    assert_eq!(a.wants(waits, at(700)), None);
    // It has less than it seemed to have; more would be another matter.
    a.hear(BROKER, &[says(B, 3, 10, 50)], 50, at(300));
    assert!(!a.hopes(at(300)));
    a.hear(BROKER, &[says(B, 4, 0, 55)], 50, at(400));
    assert!(a.hopes(at(400)));
    // An answer that does not come is none.
    assert!(a.wants(waits, at(400)).is_some());
    assert_eq!(a.next_timeout(), at(900));
    a.refresh(50, at(899));
    assert!(a.hopes(at(899)));
    a.refresh(50, at(900));
    assert!(!a.hopes(at(900)));
    assert!(a.hopes(at(2_900)), "and is asked again, a while later");
    // Who is gone gives nothing either.
    assert!(a.wants(waits, at(2_900)).is_some());
    a.hear(BROKER, &[], 50, at(3_000));
    assert!(!a.hopes(at(3_000)));
}

/// A site whose nodes hear each other a while later, and tell what they have each 100 ms.
struct Site {
    max: u32,
    /// Milliseconds on the way, at most.
    way: u32,
    nodes: Vec<(Share, u32)>,
    /// Who hears what from whom, by when.
    mail: BTreeMap<(u64, u64), (usize, Mail)>,
    heard: Vec<BTreeMap<usize, Sibling>>,
    sent: u64,
    chance: Rng,
}

enum Mail {
    Word(usize, Sibling),
    Ask(usize, u32),
    Given(usize, u32),
}

impl Site {
    fn new(nodes: usize, max: u32, seed: u64) -> Site {
        Site {
            max,
            way: 300,
            nodes: (0..nodes).map(|_| (Share::alone(Some(max)), 0)).collect(),
            mail: BTreeMap::new(),
            heard: vec![BTreeMap::new(); nodes],
            sent: 0,
            chance: Rng::new(seed),
        }
    }

    fn post(&mut self, now: u64, to: usize, mail: Mail) {
        self.sent += 1;
        let when = now + 1 + u64::from(self.chance.below(self.way));
        self.mail.insert((when, self.sent), (to, mail));
    }

    fn speak(&mut self, now: u64) {
        for from in 0..self.nodes.len() {
            let (share, flows) = &self.nodes[from];
            let own = share.limit().expect("there is a limit");
            let word = says(PeerId(from as u16), now, *flows, own);
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                self.post(now, to, Mail::Word(from, word.clone()));
            }
        }
    }

    fn deliver(&mut self, now: u64) {
        while let Some(entry) = self.mail.first_entry()
            && entry.key().0 <= now
        {
            let (to, mail) = entry.remove();
            let (share, flows) = &mut self.nodes[to];
            match mail {
                Mail::Word(from, word) => {
                    let newer = self.heard[to].get(&from).is_none_or(|old| old.word < word.word);
                    if newer {
                        self.heard[to].insert(from, word);
                    }
                    let all: Vec<_> = self.heard[to].values().cloned().collect();
                    share.hear(BROKER, &all, *flows, at(now));
                }
                Mail::Ask(from, n) => {
                    let given = share.give(PeerId(from as u16), n, *flows);
                    self.post(now, from, Mail::Given(to, given));
                }
                Mail::Given(from, n) => share.take(PeerId(from as u16), n, at(now)),
            }
        }
    }

    fn wish(&mut self, now: u64) {
        for i in 0..self.nodes.len() {
            let (share, flows) = &mut self.nodes[i];
            share.refresh(*flows, at(now));
            let waiting = u32::from(Some(*flows) >= share.limit());
            let need = Need { flows: *flows, waiting, pace: 0 };
            if let Some((peer, n)) = share.wants(need, at(now)) {
                self.post(now, usize::from(peer.0), Mail::Ask(i, n));
            }
        }
    }

    fn step(&mut self, now: u64) {
        if now.is_multiple_of(100) {
            self.speak(now);
        }
        self.deliver(now);
        self.wish(now);
    }

    fn arrives(&mut self, node: usize) -> bool {
        let (share, flows) = &mut self.nodes[node];
        let room = Some(*flows) < share.limit();
        *flows += u32::from(room);
        room
    }

    fn total(&self) -> u32 {
        self.nodes.iter().map(|(_, flows)| flows).sum()
    }
}

/// One has stood still, and the other has taken what it held. Both have few left, and ask each other.
#[test]
fn what_is_held_twice_is_given_up_though_both_ask_ahead() {
    for seed in 0..200 {
        let mut site = Site::new(2, 15, seed);
        site.way = 5;
        (0..2_000).for_each(|now| site.step(now));
        (site.nodes[0].1, site.nodes[1].1) = (0, 11);
        (site.nodes[0].0.own, site.nodes[1].0.own) = (4, 13);
        (2_000..8_000).for_each(|now| site.step(now));
        let held: Vec<u32> = site.nodes.iter().map(|(share, _)| share.own).collect();
        assert!(held.iter().sum::<u32>() <= 15, "seed {seed}: {held:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_sum_stays_below_maxconn_and_comes_near_it(
        seed: u64,
        nodes in 2usize..5,
        max in 40u32..400,
        favourite in 0usize..5,
    ) {
        let mut site = Site::new(nodes, max, seed);
        for now in 0..20_000 {
            site.step(now);
            // Before they have met there is nothing to hold to.
            if now < 1_000 {
                continue;
            }
            // Nearly all come to one node, and some leave.
            let coin = site.chance.below(100);
            let node = site.chance.below(nodes as u32) as usize;
            if coin < 30 {
                site.arrives(if coin < 27 { favourite % nodes } else { node });
            } else if coin < 33 {
                let flows = &mut site.nodes[node].1;
                *flows = flows.saturating_sub(1);
            }
            prop_assert!(site.total() <= site.max, "{} of {}", site.total(), site.max);
        }
        prop_assert!(site.total() * 10 >= site.max * 8, "{} of {}", site.total(), site.max);
    }
}
