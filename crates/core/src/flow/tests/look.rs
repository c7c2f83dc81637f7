//! When the client is looked after, before something is said in its name.

use super::*;
use crate::id::{PeerId, SiteId};
use crate::spill::{Course, Nowhere};

/// The flow's clock stands at this many milliseconds since accept.
fn look(flow: &mut Script, at: u64) -> Option<Look> {
    flow.now = Time::ZERO + ms(at);
    flow.flow.look(&flow.policy, &flow.step.action, flow.now)
}

fn back() -> Option<Look> {
    Some(Look { back: Some((ME, Time::ZERO)) })
}

#[test]
fn before_its_connect_is_said_where_there_was_time_to_be_back() {
    let mut flow = Script::opened();
    assert_eq!(look(&mut flow, 900), None, "the first place is only a place");
    flow.placed(A);
    assert_eq!(look(&mut flow, 900), None, "nor does a connection say anything");
    flow.connected();
    assert_eq!([look(&mut flow, 4), look(&mut flow, 5)], [None, back()]);
    flow.times_out().expect_failed(Failure::NoConnack);
    assert!(matches!(flow.step.action, Action::Place(_)));
    assert_eq!(look(&mut flow, 1), Some(Look { back: None }), "not elsewhere for one who is gone");
}

#[test]
fn what_is_seen_ends_the_flow_and_the_broker_is_given_up() {
    for (event, code) in [(Event::ClientGone, "CH"), (Event::TakenOver, "TH")] {
        let mut flow = Script::opened();
        flow.placed(A).connected();
        flow.happens(event).expect_settled(Outcome::Abandoned).expect_end(code);
    }
    let mut flow = Script::opened();
    flow.placed(A).connected().times_out();
    flow.happens(Event::ClientGone).expect_end("CQ");
    assert_eq!(flow.step.settle, None, "the broker that failed it was settled before");
}

#[test]
fn before_another_site_too() {
    let mut flow = Script::with(policy());
    flow.flow.sees_sites(true);
    flow.opens_with(|_| {});
    flow.happens(Event::Rejected(Rejection::Full));
    assert_eq!(look(&mut flow, 1), Some(Look { back: None }));
    let (site, door, rtt) = (SiteId(1), PeerId(1), ms(80));
    flow.happens(Event::Site(Course { site, door, rtt, doors: 1, others: 0 }));
    assert_eq!([look(&mut flow, 4), look(&mut flow, 5)], [None, back()]);
    flow.happens(Event::TakenOver).expect_end("TH");
    let mut flow = Script::opened();
    flow.happens(Event::NoSite(Nowhere::NoSite));
    flow.happens(Event::Rejected(Rejection::Full));
    assert_eq!(look(&mut flow, 900), None, "the last word is said to whom it may concern");
}

#[test]
fn nobody_is_taken_for_another() {
    let without_takeover = ServicePolicy { takeover: false, ..policy() };
    let mut flow = Script::opens(without_takeover, |_| {});
    flow.placed(A).connected();
    assert_eq!(look(&mut flow, 900), Some(Look { back: None }));
    let mut flow = Script::opens(policy(), |opening| opening.client = None);
    flow.placed(A).connected();
    assert_eq!(look(&mut flow, 900), Some(Look { back: None }));
}
