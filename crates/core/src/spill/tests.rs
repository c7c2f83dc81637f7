//! Scripts about the choice of a site.

use alloc::vec;

use super::*;
use crate::outlook::{Door, Heard, Standing};

const NEAR: SiteId = SiteId(1);
const MIDDLE: SiteId = SiteId(2);
const FAR: SiteId = SiteId(3);
const ME: ClientKey = ClientKey::from_bits(7);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn candidate(site: SiteId, rtt: u64, headroom: u32) -> Candidate {
    let doors = vec![Door { peer: PeerId(site.0 * 10), warm: true }];
    let (standing, heard, admit_per_second) = (Standing::Reachable, Heard::default(), 500);
    Candidate { site, standing, rtt: ms(rtt), headroom, heard, admit_per_second, doors }
}

/// A chooser, its clock, and the flows that are out.
struct Script {
    spill: Spill,
    rng: Rng,
    rules: Rules,
    now: Time,
    ask: AskAbroad,
}

impl Script {
    fn with(candidates: &[Candidate]) -> Script {
        let mut spill = Spill::new(ServiceId(0));
        spill.hear(Time::ZERO, candidates);
        let (session, waited, patience, from_budget) = (None, false, Time::ZERO, false);
        let ask =
            AskAbroad { session, rather: None, waited, patience, from_budget, turned_away: false };
        Script { spill, rng: Rng::new(5), rules: Rules::default(), now: Time::ZERO, ask }
    }

    /// Near, middle and far sites, each with this headroom.
    fn three(headroom: u32) -> Script {
        Script::with(&[
            candidate(NEAR, 10, headroom),
            candidate(MIDDLE, 70, headroom),
            candidate(FAR, 250, headroom),
        ])
    }

    fn abroad(&mut self, tried: &[SiteId]) -> Abroad {
        let draw = (&mut self.rng, self.rules);
        let abroad = self.spill.place(self.now, &self.ask, FlowId(1), tried, draw);
        self.spill.check_books();
        abroad
    }

    fn sent(&mut self) -> Passage {
        match self.abroad(&[]) {
            Abroad::Site(passage) => passage,
            other => panic!("{other:?}"),
        }
    }

    fn expect(&mut self, site: SiteId) -> Passage {
        let passage = self.sent();
        assert_eq!(passage.course().site, site);
        passage
    }

    fn settle(&mut self, passage: &mut Passage, crossing: Crossing) {
        let draw = (&mut self.rng, self.rules);
        self.spill.settle(self.now, passage, crossing, draw);
        self.spill.check_books();
    }

    fn ends(&mut self, mut passage: Passage, crossing: Crossing) {
        self.settle(&mut passage, crossing);
        self.spill.release(passage);
        self.spill.check_books();
    }

    fn pass(&mut self, n: u64) {
        self.now = self.now + ms(n);
    }
}

fn refused(reason: TunnelRefusal, headroom: u32, after: u64) -> Crossing {
    Crossing::Refused { reason, headroom, retry_after: ms(after) }
}

#[test]
fn the_nearest_ring_with_enough_headroom_comes_first() {
    let mut script = Script::three(50);
    let mut held: Vec<_> = (0..20).map(|_| script.expect(NEAR)).collect();
    // 30 are left, and 20 went there of late; when 25 have, it may be full before we hear so.
    held.extend((0..5).map(|_| script.expect(NEAR)));
    held.push(script.expect(MIDDLE));
    for passage in &mut held {
        script.settle(passage, Crossing::Accepted);
    }
    let _ = script.expect(MIDDLE);
    script.pass(2_000);
    let _ = script.expect(NEAR);
}

#[test]
fn a_single_site_is_used_to_its_last_place_and_no_further() {
    let mut script = Script::with(&[candidate(NEAR, 10, 50)]);
    let _held: Vec<_> = (0..50).map(|_| script.expect(NEAR)).collect();
    assert_eq!(script.abroad(&[]), Abroad::Nowhere(Nowhere::NoSite));
    assert!(!script.spill.has_candidate(script.now));
}

#[test]
fn only_the_reachable_with_room_and_a_door_are_candidates() {
    for standing in [Standing::Draining, Standing::Avoided, Standing::Suspect, Standing::Dead] {
        let mut script = Script::with(&[Candidate { standing, ..candidate(NEAR, 10, 9) }]);
        assert_eq!(script.abroad(&[]), Abroad::Nowhere(Nowhere::NoSite), "{standing:?}");
    }
    let mut script = Script::with(&[Candidate { doors: vec![], ..candidate(NEAR, 10, 9) }]);
    assert_eq!(script.abroad(&[]), Abroad::Nowhere(Nowhere::NoSite));
    let mut script = Script::with(&[candidate(NEAR, 10, 0), candidate(FAR, 250, 1)]);
    let passage = script.expect(FAR);
    // One that the mesh names no more is none, and keeps its count.
    script.spill.hear(script.now, &[candidate(NEAR, 10, 9)]);
    let _ = script.expect(NEAR);
    assert_eq!(script.abroad(&[NEAR]), Abroad::Nowhere(Nowhere::NoSite));
    script.ends(passage, Crossing::Accepted);
}

#[test]
fn inside_a_ring_the_draw_follows_headroom_and_nearness() {
    let candidates = [candidate(NEAR, 100, 3_000_000), candidate(MIDDLE, 195, 1_000_000)];
    let mut script = Script::with(&candidates);
    let mut counts = [0u32; 2];
    for _ in 0..8_000 {
        let passage = script.sent();
        counts[usize::from(passage.course().site == MIDDLE)] += 1;
        script.ends(passage, Crossing::Abandoned);
    }
    // 3 / 2 against 1 / 2.95
    let fair = 8_000.0 * (1.0 / 2.95) / (3.0 / 2.0 + 1.0 / 2.95);
    assert!((f64::from(counts[1]) - fair).abs() < fair / 10.0, "{counts:?} for {fair}");
}

#[test]
fn a_full_site_says_what_it_has_and_is_believed_until_it_can_have_spoken_again() {
    let mut script = Script::with(&[candidate(NEAR, 10, 500)]);
    let passage = script.expect(NEAR);
    script.ends(passage, refused(TunnelRefusal::Full, 0, 0));
    assert_eq!(script.abroad(&[]), Abroad::Nowhere(Nowhere::NoSite));
    // Old news, told again, do not overrule it.
    script.spill.hear(script.now, &[candidate(NEAR, 10, 500)]);
    assert_eq!(script.abroad(&[]), Abroad::Nowhere(Nowhere::NoSite));
    script.pass(1_300);
    let _ = script.expect(NEAR);
}

#[test]
fn too_fast_is_not_full() {
    let mut script = Script::three(1_000);
    script.ask.patience = script.now + ms(100);
    let passage = script.expect(NEAR);
    script.ends(passage, refused(TunnelRefusal::TooFast, 900, 20));
    // Those who come meanwhile get a turn each, at half of its pace.
    let mut turns = Vec::new();
    while let Abroad::Later(at) = script.abroad(&[]) {
        turns.push(at);
        assert!(turns.len() < 100);
        if turns.len() > 1 && turns.len() < 5 {
            assert_eq!(turns[turns.len() - 1] - ms(4), turns[turns.len() - 2]);
        }
    }
    assert!(turns[0] >= script.now + ms(20) && turns[0] <= script.now + ms(30));
    assert!(turns.iter().all(|turn| *turn <= script.ask.patience));
    // Who would have to wait too long goes farther: that one was sent to the middle.
    assert!(turns.len() >= 15, "{}", turns.len());
    script.now = turns[0];
    script.ask.waited = true;
    let _ = script.expect(NEAR);
    script.ask.waited = false;
    let _ = script.expect(MIDDLE);
}

#[test]
fn if_too_fast_were_full_it_would_send_clients_off_a_healthy_site() {
    let went_near = |rules: Rules| {
        let mut script = Script::three(1_000);
        script.rules = rules;
        let mut near = 0;
        for _ in 0..100 {
            script.ask.patience = script.now + ms(1_000);
            script.ask.waited = false;
            let passage = loop {
                match script.abroad(&[]) {
                    Abroad::Site(passage) => break passage,
                    Abroad::Later(at) => {
                        script.now = at;
                        script.ask.waited = true;
                    }
                    Abroad::Nowhere(why) => panic!("{why:?}"),
                }
            };
            let is_near = passage.course().site == NEAR;
            // Every other one is too fast for it.
            match is_near && near % 2 == 1 {
                true => script.ends(passage, refused(TunnelRefusal::TooFast, 900, 5)),
                false => script.ends(passage, Crossing::Accepted),
            }
            near += u32::from(is_near);
        }
        near
    };
    assert_eq!(went_near(Rules::default()), 100);
    assert!(went_near(Rules { too_fast: false, ..Rules::default() }) < 10);
}

#[test]
fn a_site_that_does_not_want_or_cannot_is_left_alone_for_a_while() {
    let lines = [
        (TunnelRefusal::Draining, 5_000),
        (TunnelRefusal::NoService, 5_000),
        (TunnelRefusal::Hop, 5_000),
        (TunnelRefusal::NoBroker, 1_000),
        (TunnelRefusal::Failed, 1_000),
        (TunnelRefusal::Full, 400),
    ];
    for (reason, wait) in lines {
        let mut script = Script::three(1_000);
        let passage = script.expect(NEAR);
        script.ends(passage, refused(reason, 1_000, 400));
        script.pass(wait - 1);
        let _ = script.expect(MIDDLE);
        script.pass(201);
        let _ = script.expect(NEAR);
    }
    for reason in [TunnelRefusal::Deadline, TunnelRefusal::AtFault, TunnelRefusal::Silent] {
        let mut script = Script::three(1_000);
        let passage = script.expect(NEAR);
        script.ends(passage, refused(reason, 1_000, 0));
        let _ = script.expect(NEAR);
    }
}

#[test]
fn a_peer_cannot_shut_itself_out_for_ever() {
    let mut script = Script::with(&[candidate(NEAR, 10, 500)]);
    let passage = script.expect(NEAR);
    script.ends(
        passage,
        Crossing::Refused {
            reason: TunnelRefusal::Full,
            headroom: u32::MAX,
            retry_after: Duration::MAX,
        },
    );
    script.pass(15_001);
    let _ = script.expect(NEAR);
}

#[test]
fn doors_are_used_in_turn_the_warm_ones_first_and_not_those_that_did_not_open() {
    let door = |n, warm| Door { peer: PeerId(n), warm };
    let doors = vec![door(1, true), door(2, true), door(3, false)];
    let mut script = Script::with(&[Candidate { doors, ..candidate(NEAR, 10, 500) }]);
    let mut used = Vec::new();
    for _ in 0..4 {
        let passage = script.expect(NEAR);
        used.push(passage.course().door);
        script.ends(passage, Crossing::Accepted);
    }
    assert_eq!(used, [PeerId(2), PeerId(1), PeerId(2), PeerId(1)]);
    for expected in [2, 1, 3] {
        let passage = script.expect(NEAR);
        assert_eq!(passage.course().door, PeerId(expected));
        script.ends(passage, Crossing::Failed(TunnelFailure::NoLink));
    }
    assert_eq!(script.abroad(&[]), Abroad::Nowhere(Nowhere::NoSite));
    script.pass(1_000);
    let _ = script.expect(NEAR);
}

#[test]
fn a_session_goes_back_to_where_it_was_carried() {
    let mut script = Script::three(1_000);
    script.ask.session = Some(ME);
    script.pass(0);
    let draw = (&mut script.rng, script.rules);
    let first = script.spill.place(script.now, &script.ask, FlowId(1), &[NEAR, MIDDLE], draw);
    let Abroad::Site(passage) = first else { panic!("{first:?}") };
    script.ends(passage, Crossing::Accepted);
    let passage = script.expect(FAR);
    script.ends(passage, Crossing::Answered);
    script.ask.session = Some(ClientKey::from_bits(8));
    let _ = script.expect(NEAR);
    script.ask.session = Some(ME);
    let away = Candidate { standing: Standing::Avoided, ..candidate(FAR, 250, 1_000) };
    script.spill.hear(script.now, &[candidate(NEAR, 10, 1_000), away]);
    let _ = script.expect(NEAR);
}

mod herd;
mod room;
