//! Who waits, for how long, and who goes first.

use super::*;
use crate::waiting::ROOM;

fn paced(n: usize, max_new_per_second: u32) -> Site {
    let brokers = ["a", "b", "c", "d"].iter().take(n).map(|name| broker(name)).collect();
    Site::new(brokers, ServicePolicy { max_new_per_second, ..service(&vec![1; n]) })
}

fn with_session(n: u32) -> Request<'static> {
    Request { session: Some(session(n)), ..request() }
}

fn after(avoid: &[BrokerId]) -> Request<'_> {
    Request { avoid, attempt: 1, ..request() }
}

impl Site {
    fn waits(&mut self, request: Request<'_>) -> FlowId {
        match self.ask(request) {
            Placement::Wait(_) => FlowId(self.flows),
            other => panic!("{other:?}"),
        }
    }

    /// Who was granted a place since the last call, and where.
    fn grants(&mut self) -> Vec<(FlowId, BrokerId)> {
        let granted = core::mem::take(&mut self.granted);
        let who = granted.iter().map(|(flow, token)| (*flow, token.broker())).collect();
        granted.into_iter().for_each(|(_, token)| self.release(token));
        who
    }
}

#[test]
fn the_pace_of_a_service_wakes_those_who_wait_for_their_session_too() {
    let mut site = paced(1, 10);
    let held = site.placed();
    let waits = site.waits(with_session(1));
    assert_eq!(site.pool.poll_timeout(), site.now + ms(100));
    site.pass(ms(100));
    assert_eq!(site.grants(), [(waits, A)]);
    site.release(held);
}

#[test]
fn at_ten_a_second_ten_a_second_go_oldest_first() {
    let mut site = paced(2, 10);
    let first = site.placed();
    let waiting: Vec<_> = (0..50)
        .map(|n| match n % 2 {
            0 => site.waits(request()),
            _ => site.waits(with_session(n)),
        })
        .collect();
    let mut went = Vec::new();
    for _ in 0..5 {
        site.pass(secs(1));
        let grants = site.grants();
        assert_eq!(grants.len(), 10);
        went.extend(grants.into_iter().map(|(flow, _)| flow));
    }
    assert_eq!(went, waiting);
    site.release(first);
}

#[test]
fn nobody_overtakes_those_who_wait_for_the_pace() {
    for newcomer in [request(), with_session(9)] {
        let mut site = paced(1, 10);
        let held = site.placed();
        let waits = site.waits(request());
        // A newcomer comes exactly when the next may go, and before the timer does.
        site.now = site.now + ms(100);
        site.waits(newcomer);
        assert_eq!(site.grants(), [(waits, A)]);
        site.release(held);
    }
}

#[test]
fn a_retry_is_not_new_and_does_not_wait_for_the_pace_of_new_flows() {
    let mut site = paced(2, 10);
    let held = site.placed();
    for _ in 0..100 {
        site.waits(request());
    }
    match site.ask(after(&[A])) {
        Placement::Broker(token) => {
            assert_eq!(token.broker(), B);
            site.release(token);
        }
        other => panic!("{other:?}"),
    }
    site.release(held);
}

#[test]
fn a_retry_does_not_queue_behind_the_pace_for_its_session_s_broker_either() {
    let mut site = paced(1, 10);
    let mut held: Vec<_> = (0..1).map(|_| site.placed()).collect();
    // The window is full of retries, and new flows wait for their pace.
    let retry = Request { attempt: 1, ..with_session(1) };
    while held.len() < 16 {
        match site.ask(retry) {
            Placement::Broker(token) => held.push(token),
            other => panic!("{other:?}"),
        }
    }
    site.waits(with_session(2));
    let waits = site.waits(retry);
    let one = held.remove(0);
    site.release(one);
    assert_eq!(site.grants(), [(waits, A)]);
    held.into_iter().for_each(|token| site.release(token));
}

#[test]
fn those_who_can_go_to_one_broker_only_hold_up_nobody_else() {
    let mut site = Site::plain(2).warm();
    let to_b = Request { only: Some(B), ..request() };
    let mut hung = Vec::new();
    for _ in 0..UNANSWERED_MAX {
        match site.ask(to_b) {
            Placement::Broker(token) => hung.push(token),
            other => panic!("{other:?}"),
        }
    }
    // B has its window full of unanswered openings; these have failed at A.
    for _ in 0..40 {
        site.waits(after(&[A]));
    }
    for _ in 0..10 {
        let token = site.placed();
        assert_eq!(token.broker(), A);
        let token = site.accepted(token);
        site.release(token);
    }
    assert_eq!(site.grants(), []);
    hung.into_iter().for_each(|token| site.release(token));
    assert_eq!(site.granted.len(), 40);
}

#[test]
fn the_window_holds_64_and_an_answer_lets_the_next_one_in() {
    let mut site = Site::plain(1).warm();
    let mut held: Vec<_> = (0..UNANSWERED_MAX).map(|_| site.placed()).collect();
    let waiting: Vec<_> = (0..3).map(|_| site.waits(request())).collect();
    let first = held.remove(0);
    let first = site.accepted(first);
    assert_eq!(site.granted[0].0, waiting[0]);
    let second = held.remove(0);
    site.failed(second, Failure::ClosedSilently, None);
    assert_eq!(site.granted[1].0, waiting[1]);
    site.release(first);
    assert_eq!(site.granted.len(), 2, "an answered flow frees no place in the window");
}

#[test]
fn the_window_opens_with_prompt_answers_and_closes_with_late_ones() {
    let mut site = Site::plain(1);
    let window = |site: &Site| site.pool.glance(A, site.now).window;
    assert_eq!(window(&site), 16, "nothing is known of it yet");
    let tokens: Vec<_> = (0..10).map(|_| site.placed()).collect();
    site.now = site.now + ms(1_200);
    let held: Vec<_> = tokens.into_iter().map(|token| site.accepted(token)).collect();
    assert_eq!(window(&site), 26);
    held.into_iter().for_each(|token| site.release(token));
    let mut last = window(&site);
    for outcome in [Outcome::Accepted, Outcome::Abandoned, Outcome::Failed(Failure::NoConnack)] {
        let mut token = site.placed();
        site.now = site.now + ms(1_300);
        site.settle(&mut token, outcome, None);
        site.release(token);
        assert!(window(&site) < last, "{outcome:?} after 1.3 s is late");
        last = window(&site);
    }
    for _ in 0..100 {
        let token = site.placed();
        site.now = site.now + ms(1_300);
        let token = site.accepted(token);
        site.release(token);
    }
    assert_eq!(window(&site), 2, "but never shut");
    let site = site.warm();
    assert_eq!(window(&site), 64);
}

#[test]
fn the_room_is_bounded_and_leaving_makes_room() {
    let mut site = Site::plain(1).warm();
    let held: Vec<_> = (0..UNANSWERED_MAX).map(|_| site.placed()).collect();
    let mut tickets = Vec::new();
    for _ in 0..ROOM {
        match site.pool.place(site.now, &request()) {
            Placement::Wait(ticket) => tickets.push(ticket),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(site.arrives(), Placement::Rejected(Rejection::RoomFull));
    assert!(site.pool.leave(S, tickets[5]));
    assert!(!site.pool.leave(S, tickets[5]), "once");
    site.waits(request());
    assert_eq!(site.arrives(), Placement::Rejected(Rejection::RoomFull));
    drop(held);
}

#[test]
fn who_waits_is_turned_away_once_nothing_will_do() {
    let mut site = Site::plain(2).warm();
    let held: Vec<_> = (0..2 * UNANSWERED_MAX).map(|_| site.placed()).collect();
    let waiting = [site.waits(request()), site.waits(with_session(1)), site.waits(after(&[B]))];
    site.admin(B, AdminState::Maint);
    assert_eq!(site.turned_away, [], "A may still do");
    site.admin(A, AdminState::Drain);
    let away: Vec<_> = site.turned_away.iter().map(|(flow, _)| *flow).collect();
    // A drained broker still takes those whose session it may have.
    assert_eq!(away, [waiting[0], waiting[2]]);
    site.admin(A, AdminState::Maint);
    assert_eq!(site.turned_away.last(), Some(&(waiting[1], Rejection::NoBroker)));
    held.into_iter().for_each(|token| site.release(token));
    assert!(site.granted.is_empty());
}

#[test]
fn leaving_after_the_grant_leaves_the_grant_to_be_given_back() {
    let mut site = Site::plain(1).warm();
    let mut held: Vec<_> = (0..UNANSWERED_MAX).map(|_| site.placed()).collect();
    let Placement::Wait(ticket) = site.pool.place(site.now, &request()) else { panic!() };
    let one = held.remove(0);
    site.pool.release(site.now, one);
    assert!(!site.pool.leave(S, ticket), "granted meanwhile");
    site.drain();
    assert_eq!(site.grants().len(), 1);
    held.into_iter().for_each(|token| site.release(token));
    assert_eq!(site.pool.report(S, site.now).flows.cur, 0);
}

#[test]
fn the_budget_is_spent_on_retries_that_are_made() {
    let mut site = Site::plain(1).warm();
    let retry = |avoid| Request { from_budget: true, attempt: 1, avoid, ..request() };
    for _ in 0..1000 {
        let nothing = Placement::Rejected(Rejection::Tried);
        assert_eq!(site.ask(retry(&[A])), nothing, "A has failed it, so there is no retry");
    }
    for _ in 0..64 {
        match site.ask(retry(&[])) {
            Placement::Broker(token) => site.release(token),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(site.ask(retry(&[])), Placement::Rejected(Rejection::Budget));
    for _ in 0..10 {
        let token = site.placed();
        site.release(token);
    }
    assert!(matches!(site.ask(retry(&[])), Placement::Broker(_)), "ten new flows earn a retry");
    assert_eq!(site.ask(retry(&[])), Placement::Rejected(Rejection::Budget));
    assert_eq!(site.pool.report(S, site.now).budget_denied, 2);
}

#[test]
fn a_retry_keeps_the_place_that_its_flow_had_in_the_service() {
    let policy = ServicePolicy { maxconn: 2, ..service(&[1, 1]) };
    let mut site = Site::new(vec![broker("a"), broker("b")], policy);
    let held = site.placed();
    let token = site.placed();
    assert_eq!(site.arrives(), Placement::Rejected(Rejection::ServiceFull));
    let failed = token.broker();
    site.failed(token, Failure::ConnectRefused, None);
    match site.ask(after(&[failed])) {
        Placement::Broker(token) => site.release(token),
        other => panic!("{other:?}"),
    }
    site.release(held);
}
