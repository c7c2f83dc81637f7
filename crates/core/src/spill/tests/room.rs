//! How much room is left where we sent flows: what its last word counts, and what it cannot.

use super::*;

impl Script {
    /// The mesh has heard new words of all of these.
    fn hears(&mut self, candidates: &[Candidate]) {
        let heard = Heard::at(self.now);
        let told = candidates.iter().map(|told| Candidate { heard, ..told.clone() });
        self.spill.hear(self.now, &told.collect::<Vec<_>>());
    }

    /// A flow goes there, and is taken.
    fn carried(&mut self, site: SiteId) -> Passage {
        let mut passage = self.expect(site);
        self.settle(&mut passage, Crossing::Accepted);
        passage
    }

    fn carries(&mut self, n: usize, site: SiteId) -> Vec<Passage> {
        (0..n).map(|_| self.carried(site)).collect()
    }

    fn expect_nowhere(&mut self) {
        assert_eq!(self.abroad(&[]), Abroad::Nowhere(Nowhere::NoSite));
    }

    /// What the first site is thought to have: for sure, and at best.
    fn room(&self) -> (u32, u32) {
        let site = &self.spill.sites[0];
        (site.sure(self.now), site.hope(self.now))
    }
}

#[test]
fn what_a_word_counts_is_not_taken_off_it_again() {
    let mut script = Script::with(&[candidate(NEAR, 20, 100)]);
    script.pass(10_000);
    let _crowd = script.carries(40, NEAR);
    script.pass(600);
    // Its room has nearly halved, so it says so at once.
    script.hears(&[candidate(NEAR, 20, 60)]);
    assert_eq!(script.room(), (60, 60));
    let _newcomers = script.carries(60, NEAR);
    script.expect_nowhere();
}

#[test]
fn what_it_may_not_count_is_taken_off_where_another_site_would_do_and_else_it_is_asked() {
    let sites = |near| [candidate(NEAR, 10, near), candidate(MIDDLE, 70, 3)];
    let mut script = Script::with(&sites(100));
    script.pass(10_000);
    let mut held = script.carries(20, NEAR);
    // It was sampled and said, and on its way, while those were sent.
    script.pass(100);
    script.hears(&sites(20));
    assert_eq!(script.room(), (0, 20));
    held.extend(script.carries(3, MIDDLE));
    held.extend(script.carries(20, NEAR));
    script.expect_nowhere();
    // When the time has passed in which it would have said more, there is nothing to say.
    script.pass(2_500);
    let _ = script.expect(NEAR);
}

#[test]
fn a_place_that_is_given_back_is_there_again() {
    let mut script = Script::with(&[candidate(NEAR, 20, 10)]);
    script.pass(10_000);
    script.hears(&[candidate(NEAR, 20, 10)]);
    let mut held = script.carries(10, NEAR);
    script.expect_nowhere();
    script.spill.release(held.pop().unwrap());
    assert_eq!(script.room(), (1, 1));
    held.push(script.carried(NEAR));
    // That of a flow which the word counts is not: the next word tells.
    script.pass(300);
    script.hears(&[candidate(NEAR, 20, 0)]);
    script.spill.release(held.pop().unwrap());
    script.expect_nowhere();
}

#[test]
fn a_refusal_counts_what_came_before_it_and_a_later_word_overrules_it() {
    let mut script = Script::with(&[candidate(NEAR, 20, 100)]);
    script.pass(10_000);
    let _crowd = script.carries(30, NEAR);
    script.pass(200);
    let passage = script.expect(NEAR);
    script.ends(passage, refused(TunnelRefusal::Deadline, 5, 0));
    assert_eq!(script.room(), (5, 5));
    let _more = script.carries(4, NEAR);
    let passage = script.expect(NEAR);
    script.ends(passage, refused(TunnelRefusal::Full, 0, 1_000));
    script.expect_nowhere();
    // That was said before.
    script.pass(200);
    script.hears(&[candidate(NEAR, 20, 50)]);
    script.expect_nowhere();
    script.pass(100);
    script.hears(&[candidate(NEAR, 20, 7)]);
    assert_eq!(script.room().1, 7);
    let _ = script.expect(NEAR);
}

#[test]
fn a_node_that_is_full_or_drains_speaks_for_itself() {
    let door = |n| Door { peer: PeerId(n), warm: true };
    let two = Candidate { doors: vec![door(1), door(2)], ..candidate(NEAR, 20, 100) };
    for reason in [TunnelRefusal::Full, TunnelRefusal::Draining] {
        let mut script = Script::with(&[two.clone(), candidate(FAR, 250, 100)]);
        let passage = script.expect(NEAR);
        assert_eq!((passage.course().door, passage.course().doors), (PeerId(2), 2));
        script.ends(passage, refused(reason, 0, 1_000));
        script.ask.rather = Some(NEAR);
        let passage = script.expect(NEAR);
        assert_eq!((passage.course().door, passage.course().doors), (PeerId(1), 1));
        script.ends(passage, refused(reason, 0, 1_000));
        let _ = script.expect(FAR);
    }
}

#[test]
fn of_several_nodes_the_one_that_spoke_last_says_nothing_of_the_others() {
    let mut script = Script::with(&[candidate(NEAR, 20, 100)]);
    script.pass(10_000);
    let oldest = script.now - ms(700);
    let _crowd = script.carries(10, NEAR);
    script.pass(300);
    let heard = Heard { oldest, newest: script.now };
    script.spill.hear(script.now, &[Candidate { heard, ..candidate(NEAR, 20, 50) }]);
    // For sure by the first word, at best by the last.
    assert_eq!(script.room(), (40, 50));
}

#[test]
fn places_lent_ahead_are_not_offered_twice() {
    let mut script = Script::with(&[candidate(NEAR, 20, 100)]);
    script.pass(10_000);
    script.spill.leased(script.now, (NEAR, PeerId(NEAR.0 * 10)), 30, ms(2_000));
    assert_eq!(script.room(), (100, 100));
    let held = script.carries(20, NEAR);
    assert!(held.iter().all(Passage::is_leased));
    assert_eq!(script.room(), (80, 80));
    script.pass(600);
    script.hears(&[candidate(NEAR, 20, 70)]);
    assert_eq!(script.room(), (80, 80));
    let _rest = script.carries(80, NEAR);
    script.expect_nowhere();
}

#[test]
fn places_that_lapsed_are_asked_for_before_a_word_offers_them() {
    let mut script = Script::with(&[candidate(NEAR, 20, 30)]);
    script.pass(10_000);
    script.spill.leased(script.now, (NEAR, PeerId(NEAR.0 * 10)), 30, ms(2_000));
    let _held = script.carries(5, NEAR);
    script.pass(1_900);
    script.hears(&[candidate(NEAR, 20, 0)]);
    assert_eq!(script.room(), (25, 25));
    script.pass(100);
    assert_eq!(script.room(), (0, 25));
    // Said after they had lapsed: others have taken them.
    script.pass(300);
    script.hears(&[Candidate { admit_per_second: 400, ..candidate(NEAR, 20, 0) }]);
    script.expect_nowhere();
}

#[test]
fn what_a_node_says_that_is_no_door_any_more_is_not_its_site_s_word() {
    let door = |n| Door { peer: PeerId(n), warm: true };
    let with = |doors: &[u16], room| {
        let doors = doors.iter().copied().map(door).collect();
        Candidate { doors, ..candidate(NEAR, 20, room) }
    };
    let mut script = Script::with(&[with(&[1, 2], 180), candidate(FAR, 250, 500)]);
    script.pass(10_000);
    let passage = script.expect(NEAR);
    assert_eq!(passage.course().door, PeerId(2));
    // It drains: its room goes first, then its door. Nobody else has filled the site.
    script.hears(&[with(&[1, 2], 90), candidate(FAR, 250, 500)]);
    script.pass(10);
    script.hears(&[with(&[1], 90), candidate(FAR, 250, 500)]);
    script.ends(passage, refused(TunnelRefusal::Draining, 0, 5_000));
    let _ = script.carries(40, NEAR);
}

#[test]
fn our_own_flows_are_no_sign_that_others_fill_a_site() {
    for (ours, expected) in [(40, NEAR), (0, FAR)] {
        let mut script = Script::with(&[candidate(NEAR, 20, 100), candidate(FAR, 250, 100)]);
        script.pass(10_000);
        let _held = script.carries(ours, NEAR);
        script.pass(1_300);
        script.hears(&[candidate(NEAR, 20, 40), candidate(FAR, 250, 100)]);
        let others = 60 - ours;
        assert_eq!(script.spill.sites[0].outlook(40, script.now), 40 - others.min(40) as u32);
        let _ = script.expect(expected);
    }
}

/// One receiver, and senders who hear of its room by words as old as may be.
struct Receiver {
    limit: u32,
    held: u32,
    /// What it said, and who hears it when.
    words: Vec<(Time, usize, u32)>,
}

/// Flows come to `senders`, at random and in crowds, and stay. Who was turned away by its own
/// sender although there was room, and how many tunnels were refused.
fn stale(seed: u64, senders: usize, age: u64) -> (u32, u32, Receiver) {
    let mut chance = Rng::new(seed);
    let limit = 50 + chance.below(400);
    let mut there = Receiver { limit, held: 0, words: Vec::new() };
    let rtt = 10 + u64::from(chance.below(150));
    let mut all: Vec<_> = (0..senders).map(|_| Script::with(&[])).collect();
    for script in &mut all {
        script.hears(&[candidate(NEAR, rtt, limit)]);
    }
    let (mut turned_away, mut refusals, mut said) = (0, 0, limit);
    for step in 0..600 {
        let now = Time::ZERO + ms(step * 10);
        for (at, sender, room) in core::mem::take(&mut there.words) {
            if at > now {
                there.words.push((at, sender, room));
                continue;
            }
            all[sender].now = now;
            all[sender].hears(&[candidate(NEAR, rtt, room)]);
        }
        let room = limit - there.held;
        if room != said && (step % 100 == 0 || room <= said / 2 && step % 10 == 0) {
            said = room;
            let late = u64::from(chance.below(age as u32 + 1));
            let at = now + ms(rtt / 2 + late);
            there.words.extend((0..senders).map(|sender| (at, sender, room)));
        }
        let crowd = if chance.below(60) == 0 { chance.below(limit) } else { chance.below(2) };
        for _ in 0..crowd {
            let script = &mut all[chance.below(senders as u32) as usize];
            script.now = now;
            match script.abroad(&[]) {
                Abroad::Site(mut passage) => {
                    let taken = there.held < limit;
                    there.held += u32::from(taken);
                    refusals += u32::from(!taken);
                    let full = refused(TunnelRefusal::Full, 0, 1_000);
                    script.settle(&mut passage, if taken { Crossing::Accepted } else { full });
                    // It stays.
                    if !taken {
                        script.spill.release(passage);
                    }
                }
                _ => turned_away += u32::from(there.held < limit),
            }
        }
    }
    (turned_away, refusals, there)
}

#[test]
fn nobody_is_turned_away_by_old_news_while_there_is_room() {
    for seed in 0..40 {
        for (senders, age) in [(1, 0), (3, 0), (3, 300), (5, 1_000), (5, 2_000)] {
            let (turned_away, refusals, there) = stale(seed, senders, age);
            assert_eq!(turned_away, 0, "seed {seed}, {senders} senders, news {age} ms late");
            assert!(there.held <= there.limit);
            // A refusal costs a round trip: each sender hears it, and then stays away.
            assert!(refusals <= 12 * senders as u32, "{refusals} by {senders}");
        }
    }
}
