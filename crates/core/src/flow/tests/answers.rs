//! The retry table of the design, line by line.

use super::*;

#[test]
fn no_connection_is_tried_elsewhere() {
    let lines = [
        (Failure::ConnectRefused, "SC", false),
        (Failure::Unreachable, "SC", false),
        (Failure::NoSourcePort, "RC", false),
        (Failure::ConnectTimedOut, "sC", true),
    ];
    for (failure, code, from_budget) in lines {
        let mut flow = Script::opened();
        flow.expect_place(0);
        for attempt in 0..3 {
            flow.placed(BrokerId(u16::from(attempt))).happens(Event::ConnectFailed(failure));
            flow.expect_failed(failure);
            let ask = Ask { session: None, only: None, attempt: attempt + 1, from_budget };
            flow.expect_ask(ask);
        }
        assert_eq!(flow.flow.tried(), [A, B, BrokerId(2)]);
        flow.placed(BrokerId(3)).happens(Event::ConnectFailed(failure));
        flow.expect_failed(failure).expect_refused(Refusal::Retries, code);
    }
}

#[test]
fn closed_before_any_byte_is_tried_elsewhere() {
    let mut flow = Script::opened();
    flow.placed(A).connected().answered(SILENT);
    flow.expect_failed(Failure::ClosedSilently).expect_place(1);
    flow.placed(B).connected().answered(connack(Level::V3, 0));
    flow.expect_settled(Outcome::Accepted).expect_commit(true);
    assert_eq!(flow.flow.retries(), 1);
}

#[test]
fn a_missed_connack_is_tried_elsewhere_at_the_cost_of_the_budget() {
    let mut flow = Script::opened();
    flow.placed(A).connected().times_out();
    assert_eq!(flow.now, Time::ZERO + ms(5_000));
    flow.expect_failed(Failure::NoConnack);
    flow.expect_ask(Ask { session: None, only: None, attempt: 1, from_budget: true });
    // What follows a refusal is free again.
    flow.placed(B).connected().answered(SILENT).expect_place(2);
    flow.happens(Event::Rejected(Rejection::Tried));
    flow.expect_refused(Refusal::Pool(Rejection::Tried), "SH");
}

#[test]
fn the_budget_may_say_no() {
    let mut flow = Script::opened();
    flow.placed(A).connected().times_out();
    flow.happens(Event::Rejected(Rejection::Budget));
    flow.expect_refused(Refusal::Pool(Rejection::Budget), "sH");
}

#[test]
fn every_code_of_both_levels_goes_where_the_table_says() {
    for level in [Level::V3, Level::V5] {
        for code in 0..=255 {
            let mut flow = Script::opened();
            flow.placed(A).connected().answered(connack(level, code));
            match judge(level, code) {
                Judgement::Accepted => {
                    flow.expect_settled(Outcome::Accepted).expect_commit(true);
                }
                Judgement::PassOn | Judgement::Follow => {
                    flow.expect_settled(Outcome::Answered).expect_commit(false);
                }
                Judgement::Elsewhere => {
                    flow.expect_failed(Failure::Refused).expect_place(1);
                    flow.happens(Event::Rejected(Rejection::NoBroker));
                    flow.expect_refused(Refusal::Pool(Rejection::NoBroker), "SH");
                }
            }
        }
    }
}

#[test]
fn what_the_broker_says_of_the_client_is_passed_on_also_after_a_retry() {
    let mut flow = Script::opened();
    flow.placed(A).connected().answered(connack(Level::V5, 0x97));
    flow.expect_failed(Failure::Refused).expect_place(1);
    flow.placed(B).connected().answered(connack(Level::V5, 0x86));
    flow.expect_settled(Outcome::Answered).expect_commit(false);
}

#[test]
fn auth_and_strange_bytes_commit() {
    for answer in [Answer::Auth, Answer::Other] {
        let mut flow = Script::opened();
        flow.placed(A).connected().answered(answer);
        flow.expect_settled(Outcome::Answered).expect_commit(false);
    }
}

fn go_to(broker: BrokerId) -> Answer {
    Answer::Connack { level: Level::V5, code: 0x9C, reference: Some(broker), keepalive: None }
}

#[test]
fn a_server_reference_is_followed_once() {
    let mut flow = Script::opened();
    flow.placed(A).connected().answered(go_to(B));
    let there = Ask { session: None, only: Some(B), attempt: 0, from_budget: false };
    flow.expect_settled(Outcome::Answered).expect_ask(there);
    flow.placed(B).connected().answered(go_to(A));
    flow.expect_settled(Outcome::Answered).expect_commit(false);
}

#[test]
fn a_server_reference_is_passed_on_where_it_cannot_be_followed() {
    for broker in [STRANGER, A] {
        let mut flow = Script::opened();
        flow.placed(A).connected().answered(SILENT).expect_place(1);
        flow.placed(B).connected().answered(go_to(broker));
        flow.expect_settled(Outcome::Answered).expect_commit(false);
    }
}

#[test]
fn where_the_named_broker_will_not_do_another_may() {
    let mut flow = Script::opened();
    flow.placed(A).connected().times_out();
    flow.expect_ask(Ask { session: None, only: None, attempt: 1, from_budget: true });
    flow.placed(B).connected().answered(go_to(BrokerId(2)));
    let there = Ask { session: None, only: Some(BrokerId(2)), attempt: 1, from_budget: false };
    flow.expect_ask(there);
    flow.happens(Event::Rejected(Rejection::Tried));
    assert!(matches!(flow.step.action, Action::Place(Ask { only: None, attempt: 1, .. })));
    flow.placed(B).connected().answered(go_to(BrokerId(3)));
    flow.expect_settled(Outcome::Answered).expect_commit(false);
}

#[test]
fn an_opening_that_two_brokers_dislike_is_at_fault() {
    let mut flow = Script::opened();
    flow.placed(A).connected().answered(SILENT_TO_ME);
    flow.expect_failed(Failure::ClosedSilently).expect_place(1);
    flow.placed(B).connected().answered(SILENT_TO_ME);
    flow.expect_settled(Outcome::AtFault).expect_refused(Refusal::AtFault, "OH");
}

#[test]
fn a_broker_that_may_be_full_does_not_witness_against_a_client() {
    let mut flow = Script::opened();
    flow.placed(A).connected().answered(SILENT_TO_ME).expect_place(1);
    flow.placed(B).connected().answered(SILENT).expect_place(2);
    flow.placed(BrokerId(2)).connected().answered(SILENT).expect_place(3);
    flow.placed(BrokerId(3)).connected().answered(SILENT_TO_ME);
    flow.expect_settled(Outcome::AtFault).expect_refused(Refusal::AtFault, "OH");
}

#[test]
fn one_broker_is_one_witness_however_often_it_is_asked() {
    let mut flow = Script::opens(ServicePolicy { redispatch: false, ..policy() }, |_| {});
    for _ in 0..3 {
        flow.placed(A).connected().answered(SILENT_TO_ME);
        flow.expect_failed(Failure::ClosedSilently).times_out();
    }
    flow.placed(A).connected().answered(SILENT_TO_ME);
    flow.expect_failed(Failure::ClosedSilently).expect_refused(Refusal::Retries, "SH");
}

#[test]
fn a_verbatim_connect_goes_to_one_broker_once() {
    for answer in [SILENT, SILENT_TO_ME] {
        let mut flow = Script::opens(policy(), |opening| opening.verbatim = true);
        flow.expect_place(0).placed(A).connected().answered(answer);
        flow.expect_failed(Failure::ClosedSilently).expect_end("SH");
    }
    let mut flow = Script::opens(policy(), |opening| opening.verbatim = true);
    flow.placed(A).happens(Event::ConnectFailed(Failure::ConnectRefused));
    flow.expect_refused(Refusal::Retries, "SC");
    // 3 would be tried elsewhere, if it were known to mean what it means in 3.1.1.
    for (code, accepted) in [(0, true), (3, false), (0x88, false)] {
        let mut flow = Script::opens(policy(), |opening| opening.verbatim = true);
        flow.placed(A).connected().answered(connack(Level::V3, code)).expect_commit(accepted);
    }
}

#[test]
fn tcp_commits_as_soon_as_the_connection_stands() {
    let mut flow = Script::with(ServicePolicy { mode: Mode::Tcp, ..policy() });
    flow.expect_place(0).placed(A).happens(Event::ConnectFailed(Failure::ConnectRefused));
    flow.expect_failed(Failure::ConnectRefused).expect_place(1);
    flow.placed(B).happens(Event::Connected);
    flow.expect_settled(Outcome::Accepted).expect_commit(true);
}

#[test]
fn the_session_is_asked_for_only_where_it_outlives_the_connection() {
    let lines = [
        (true, Some(ME), true),
        (false, Some(ME), true),
        (true, None, true),
        (true, Some(ME), false),
    ];
    for (persistent, client, affinity) in lines {
        let flow = Script::opens(ServicePolicy { affinity, ..policy() }, |opening| {
            opening.persistent = persistent;
            opening.client = client;
        });
        let session = if persistent && affinity { client } else { None };
        assert!(matches!(flow.step.action, Action::Place(ask) if ask.session == session));
    }
}

#[test]
fn the_effective_keepalive_is_the_server_s_where_it_gives_one() {
    for (server, limit) in [(None, 100), (Some(20), 40)] {
        let mut flow = Script::opened();
        let answer =
            Answer::Connack { level: Level::V5, code: 0, reference: None, keepalive: server };
        flow.placed(A).connected().answered(answer);
        match &flow.step.action {
            Action::Commit(c) => assert_eq!(c.idle_limit(), Some(Duration::from_secs(limit))),
            other => panic!("{other:?}"),
        }
    }
}
