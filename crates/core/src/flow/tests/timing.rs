//! Deadlines, the waiting room, and `redispatch = false`.

use super::*;

#[test]
fn each_action_has_its_deadline() {
    let mut flow = Script::with(policy());
    assert_eq!(flow.step, just(Action::ReadOpening { until: Time::ZERO + ms(10_000) }));
    flow.times_out().expect_end("cR");
    let mut flow = Script::with(ServicePolicy { deadline: ms(4_000), ..policy() });
    assert_eq!(flow.step, just(Action::ReadOpening { until: Time::ZERO + ms(4_000) }));
    flow.times_out().expect_end("cR");
}

#[test]
fn who_waits_is_granted_or_turned_away_or_has_waited_long_enough() {
    let waiting = || {
        let mut flow = Script::opened();
        flow.happens(Event::Waiting);
        // Half a connack_timeout before the deadline: a place later than that is of no use.
        assert_eq!(flow.step, just(Action::Wait { until: Time::ZERO + ms(12_500) }));
        flow
    };
    waiting().placed(A).connected().answered(connack(Level::V3, 0)).expect_commit(true);
    let turned_away = [
        (Rejection::NoBroker, "SQ"),
        (Rejection::Full, "RQ"),
        (Rejection::ServiceFull, "RQ"),
        (Rejection::RoomFull, "RQ"),
        (Rejection::Tried, "sQ"),
        (Rejection::Budget, "sQ"),
    ];
    for (why, code) in turned_away {
        waiting().happens(Event::Rejected(why)).expect_refused(Refusal::Pool(why), code);
    }
    waiting().times_out().expect_refused(Refusal::Deadline, "sQ");
}

#[test]
fn the_deadline_holds_over_all_attempts_together() {
    let mut flow = Script::opened();
    flow.placed(A).connected().times_out().placed(B).connected().times_out();
    assert_eq!(flow.now, Time::ZERO + ms(10_000));
    flow.placed(BrokerId(2)).connected();
    flow.times_out();
    assert_eq!(flow.now, Time::ZERO + ms(15_000));
    flow.expect_failed(Failure::NoConnack).expect_refused(Refusal::Deadline, "sH");
}

#[test]
fn a_broker_that_was_not_given_its_time_is_not_accused() {
    let mut flow = Script::opened();
    flow.happens(Event::Waiting);
    flow.now = Time::ZERO + ms(14_990);
    flow.placed(A).connected().times_out();
    flow.expect_settled(Outcome::Abandoned).expect_refused(Refusal::Deadline, "sH");
    let mut flow = Script::opened();
    flow.happens(Event::Waiting);
    flow.now = Time::ZERO + ms(14_990);
    flow.placed(A).times_out();
    flow.expect_settled(Outcome::Abandoned).expect_refused(Refusal::Deadline, "sC");
}

#[test]
fn without_redispatch_the_same_broker_is_tried_again_after_a_pause() {
    let mut flow = Script::opens(ServicePolicy { redispatch: false, ..policy() }, |_| {});
    for attempt in 1..=3 {
        flow.placed(A).happens(Event::ConnectFailed(Failure::ConnectRefused));
        flow.expect_failed(Failure::ConnectRefused);
        assert_eq!(flow.step.action, Action::Pause { until: flow.now + ms(1_000) });
        flow.times_out();
        flow.expect_ask(Ask { session: None, only: Some(A), attempt, from_budget: false });
    }
    flow.placed(A).happens(Event::ConnectFailed(Failure::ConnectRefused));
    flow.expect_refused(Refusal::Retries, "SC");
}

#[test]
fn a_pause_ends_at_the_deadline() {
    let short = ServicePolicy { redispatch: false, deadline: ms(1_500), ..policy() };
    let mut flow = Script::opens(short, |_| {});
    flow.placed(A).happens(Event::ConnectFailed(Failure::ConnectRefused)).times_out();
    flow.placed(A).happens(Event::ConnectFailed(Failure::ConnectRefused)).times_out();
    flow.expect_refused(Refusal::Deadline, "SC");
}

#[test]
fn a_short_deadline_leaves_time_to_wait() {
    let mut flow = Script::opens(ServicePolicy { deadline: ms(2_000), ..policy() }, |_| {});
    flow.happens(Event::Waiting);
    assert_eq!(flow.step, just(Action::Wait { until: Time::ZERO + ms(1_500) }));
}
