//! How a flow ends before its commit, in every phase.

use super::*;

#[test]
fn openings_that_never_become_whole() {
    let lines = [
        (OpeningFault::NotMqtt, "PR"),
        (OpeningFault::TooLong, "PR"),
        (OpeningFault::TooSlow, "cR"),
        (OpeningFault::ClientGone, "CR"),
    ];
    for (fault, code) in lines {
        let mut flow = Script::with(policy());
        flow.happens(Event::OpeningFailed(fault)).expect_end(code);
        assert_eq!(flow.step.settle, None, "no broker has been touched");
    }
}

#[test]
fn the_client_leaves_or_the_node_stops_in_every_phase() {
    let events = [(Event::ClientGone, 'C'), (Event::TakenOver, 'T'), (Event::Stopped, 'K')];
    for (event, cause) in events {
        let code = |phase: char| {
            let mut code = String::from(cause);
            code.push(phase);
            code
        };
        // Who has said nothing yet is told nothing; the others are told that the node stops.
        let ends = |flow: &mut Script, phase: char| {
            flow.happens(event);
            match event {
                Event::Stopped => flow.expect_refused(Refusal::Stopping, &code(phase)),
                _ => flow.expect_end(&code(phase)),
            };
        };
        let mut flow = Script::with(policy());
        flow.happens(event).expect_end(&code('R'));
        assert_eq!(flow.step.settle, None);

        let mut flow = Script::opened();
        ends(&mut flow, 'Q');
        assert_eq!(flow.step.settle, None);

        let mut flow = Script::opened();
        flow.happens(Event::Waiting);
        ends(&mut flow, 'Q');
        assert_eq!(flow.step.settle, None);

        let mut flow = Script::opened();
        flow.placed(A);
        ends(&mut flow, 'C');
        flow.expect_settled(Outcome::Abandoned);

        let mut flow = Script::opened();
        flow.placed(A).connected();
        ends(&mut flow, 'H');
        flow.expect_settled(Outcome::Abandoned);

        let mut flow = Script::opens(ServicePolicy { redispatch: false, ..policy() }, |_| {});
        flow.placed(A).happens(Event::ConnectFailed(Failure::ConnectRefused));
        ends(&mut flow, 'C');
        assert_eq!(flow.step.settle, None, "its token went back before the pause");
    }
}

#[test]
fn every_refusal_has_a_word_and_a_mood() {
    let lines = [
        (Refusal::Pool(Rejection::NoBroker), "no_broker", false),
        (Refusal::Pool(Rejection::Full), "full", true),
        (Refusal::Pool(Rejection::Tried), "all_tried", false),
        (Refusal::Pool(Rejection::ServiceFull), "service_maxconn", true),
        (Refusal::Pool(Rejection::RoomFull), "waiting_room_full", true),
        (Refusal::Pool(Rejection::Budget), "retry_budget", true),
        (Refusal::Pool(Rejection::TooFast), "too_fast", true),
        (Refusal::Pool(Rejection::Draining), "draining", false),
        (Refusal::Retries, "retries", false),
        (Refusal::Deadline, "deadline", true),
        (Refusal::AtFault, "opening_at_fault", false),
        (Refusal::Silent, "closed_silently", false),
    ];
    for (refusal, word, busy) in lines {
        assert_eq!((refusal.label(), refusal.is_busy()), (word, busy));
    }
    assert!(Rejection::ALL.iter().all(|r| lines.iter().any(|(l, ..)| *l == Refusal::Pool(*r))));
}

#[test]
fn events_out_of_place_end_the_flow_and_blame_us() {
    let mut flow = Script::opened();
    flow.happens(Event::Connected).expect_end("IQ");
    let mut flow = Script::opened();
    flow.happens(Event::ConnectFailed(Failure::Unreachable)).expect_end("IQ");
    let mut flow = Script::opened();
    flow.happens(Event::Answered(SILENT)).expect_end("IQ");
}
