//! Home first, then other sites, then the honest CONNACK.

use super::*;
use crate::id::{PeerId, SiteId};
use crate::retry::{Then, TunnelFailure, TunnelRefusal};
use crate::spill::{AskAbroad, Course, Crossing, Nowhere};

const NYC: SiteId = SiteId(1);
const SIN: SiteId = SiteId(2);
const SYD: SiteId = SiteId(3);
const FULL: Event = Event::Rejected(Rejection::Full);
const RTT: u64 = 80;

fn at(n: u64) -> Time {
    Time::ZERO + ms(n)
}

fn course(site: SiteId, others: u8) -> Course {
    Course { site, door: PeerId(site.0), rtt: ms(RTT), doors: 1, others }
}

fn refused(reason: TunnelRefusal) -> Event {
    Event::TunnelRefused { reason, headroom: 5, retry_after: ms(50) }
}

impl Script {
    /// A clean client in a site that knows others.
    fn in_mesh() -> Script {
        Script::in_mesh_with(policy(), |_| {})
    }

    fn in_mesh_with(policy: ServicePolicy, change: impl Fn(&mut Opening)) -> Script {
        let mut script = Script::with(policy);
        script.flow.sees_sites(true);
        script.opens_with(change);
        script
    }

    /// One that came by tunnel.
    fn carried(left: u64) -> Script {
        let policy = policy();
        let mut flow = Flow::new(&policy, Time::ZERO);
        flow.sees_sites(true);
        flow.carried(1, ms(left), Time::ZERO).unwrap();
        let step = just(Action::End(Ending::new(Cause::Internal, Phase::Opening)));
        let mut script = Script { policy, flow, now: Time::ZERO, step };
        script.opens_with(|_| {});
        script
    }

    fn expect_abroad(&mut self) -> AskAbroad {
        match self.step.action {
            Action::PlaceAbroad(ask) => ask,
            ref other => panic!("{other:?}"),
        }
    }

    /// The pool finds a site; the time that this gets.
    fn tunnels(&mut self, site: SiteId, others: u8) -> Duration {
        self.expect_abroad();
        self.happens(Event::Site(course(site, others)));
        match self.step.action {
            Action::Tunnel { site: to, door, until, left } => {
                assert_eq!((to, door), (site, PeerId(site.0)));
                assert_eq!(until.since(self.now) - ms(RTT), left);
                until.since(self.now)
            }
            ref other => panic!("{other:?}"),
        }
    }

    fn expect_crossed(&mut self, crossing: Crossing) -> &mut Script {
        assert_eq!(self.step.crossed, Some(crossing));
        self
    }
}

#[test]
fn what_home_cannot_place_goes_abroad() {
    for why in [Rejection::Full, Rejection::NoBroker, Rejection::ServiceFull, Rejection::Tried] {
        let mut flow = Script::in_mesh();
        flow.expect_place(0).happens(Event::Rejected(why));
        flow.tunnels(NYC, 0);
        let accepted = connack(Level::V3, 0);
        flow.happens(Event::TunnelCommitted(Some(accepted)));
        flow.expect_crossed(Crossing::Accepted).expect_commit(true);
        assert_eq!(flow.step.settle, None);
    }
}

#[test]
fn without_another_site_in_sight_nothing_changes() {
    let mut flow = Script::opened();
    flow.happens(FULL).expect_refused(Refusal::Pool(Rejection::Full), "RQ");
    let off = SpillPolicy { enabled: false, ..SpillPolicy::default() };
    let mut flow = Script::in_mesh_with(ServicePolicy { spill: off, ..policy() }, |_| {});
    flow.happens(FULL).expect_refused(Refusal::Pool(Rejection::Full), "RQ");
    let mut flow = Script::in_mesh();
    flow.happens(FULL);
    flow.expect_abroad();
    flow.happens(Event::NoSite(Nowhere::NoSite));
    flow.expect_refused(Refusal::Pool(Rejection::Full), "RQ");
}

#[test]
fn used_up_retries_and_a_used_up_budget_leave_other_sites() {
    let mut flow = Script::in_mesh();
    for broker in 0..4 {
        flow.placed_by_half(BrokerId(broker), 7_500);
        flow.happens(Event::ConnectFailed(Failure::ConnectRefused));
    }
    assert!(!flow.expect_abroad().from_budget);
    let mut flow = Script::in_mesh();
    flow.placed_by_half(A, 7_500).happens(Event::ConnectFailed(Failure::ConnectTimedOut));
    flow.happens(Event::Rejected(Rejection::Budget));
    assert!(!flow.expect_abroad().from_budget, "the first attempt abroad is free");
}

impl Script {
    /// Placed at home, which has time until `half` only.
    fn placed_by_half(&mut self, broker: BrokerId, half: u64) -> &mut Script {
        self.happens(Event::Placed(broker));
        let until = (self.now + self.policy.connect_timeout).min(at(half));
        assert_eq!(self.step, just(Action::Connect { until }));
        self
    }
}

#[test]
fn home_has_half_of_the_time_while_another_site_is_a_candidate() {
    let mut flow = Script::in_mesh();
    flow.placed_by_half(A, 7_500).happens(Event::Connected);
    assert_eq!(flow.step, just(Action::AwaitAnswer { until: at(5_000) }));
    flow.times_out().expect_failed(Failure::NoConnack);
    flow.placed_by_half(B, 7_500).happens(Event::Connected);
    assert_eq!(flow.step, just(Action::AwaitAnswer { until: at(7_500) }));
    // The second was not given its time, and is not accused; nor is home exhausted.
    flow.times_out().expect_settled(Outcome::Abandoned);
    flow.tunnels(NYC, 0);
    flow.happens(refused(TunnelRefusal::Full));
    flow.expect_abroad();
    flow.happens(Event::NoSite(Nowhere::NoSite));
    flow.expect_ask(Ask { session: None, only: None, attempt: 2, from_budget: true });
    assert_eq!(flow.flow.tried(), [A, B]);
    // Now home has all the time that is left.
    flow.happens(Event::Placed(BrokerId(2))).happens(Event::Connected);
    assert_eq!(flow.step, just(Action::AwaitAnswer { until: at(12_500) }));
}

#[test]
fn a_slow_client_is_no_fault_of_the_brokers() {
    let mut flow = Script::with(policy());
    flow.flow.sees_sites(true);
    flow.now = at(9_000);
    flow.opens_with(|_| {});
    flow.expect_place(0).happens(Event::Placed(A)).happens(Event::Connected);
    assert_eq!(flow.step, just(Action::AwaitAnswer { until: at(12_000) }));
}

#[test]
fn who_waits_tries_another_site_at_half_and_keeps_the_seat() {
    let waiting = || {
        let mut flow = Script::in_mesh();
        flow.happens(Event::Waiting);
        assert_eq!(flow.step, just(Action::Wait { until: at(7_500) }));
        flow.times_out();
        flow.expect_abroad();
        flow
    };
    let mut flow = waiting();
    flow.happens(Event::NoSite(Nowhere::NoSite));
    assert_eq!(flow.step, just(Action::Wait { until: at(12_500) }));
    flow.times_out().expect_refused(Refusal::Deadline, "sQ");
    let mut flow = waiting();
    flow.happens(Event::SiteLater(at(8_000)));
    assert_eq!(flow.step, just(Action::Wait { until: at(8_000) }));
    flow.times_out();
    assert!(flow.expect_abroad().waited);
    flow.tunnels(NYC, 0);
    // Too fast over there, and its patience is at an end: back into the room.
    flow.happens(refused(TunnelRefusal::TooFast));
    flow.expect_abroad();
    flow.happens(Event::NoSite(Nowhere::NoSite)).expect_place(0);
    flow.happens(Event::Waiting);
    assert_eq!(flow.step, just(Action::Wait { until: at(12_500) }));
}

#[test]
fn a_full_room_sends_nobody_away() {
    let mut flow = Script::in_mesh();
    flow.happens(Event::Rejected(Rejection::RoomFull));
    flow.expect_refused(Refusal::Pool(Rejection::RoomFull), "RQ");
}

#[test]
fn at_most_three_sites_each_with_its_share_of_the_time() {
    let mut flow = Script::in_mesh();
    flow.happens(FULL);
    assert_eq!(flow.tunnels(NYC, 9), ms(5_000));
    flow.happens(refused(TunnelRefusal::Full));
    flow.expect_crossed(Crossing::Refused {
        reason: TunnelRefusal::Full,
        headroom: 5,
        retry_after: ms(50),
    });
    assert_eq!(flow.tunnels(SIN, 8), ms(7_500));
    flow.times_out().expect_crossed(Crossing::Failed(TunnelFailure::TimedOut));
    flow.expect_place(0).happens(FULL);
    assert!(flow.expect_abroad().from_budget, "that may have cost somebody something");
    assert_eq!(flow.tunnels(SYD, 7), ms(7_500));
    assert_eq!(flow.flow.sites_tried(), [NYC, SIN]);
    flow.happens(Event::TunnelFailed(TunnelFailure::Lost));
    flow.expect_crossed(Crossing::Failed(TunnelFailure::Lost));
    flow.expect_refused(Refusal::Pool(Rejection::Full), "RQ");
    assert_eq!(flow.flow.retries(), 2);
}

#[test]
fn home_is_asked_again_before_the_next_site() {
    let refused_by_nyc = || {
        let mut flow = Script::in_mesh();
        flow.expect_place(0).happens(FULL).tunnels(NYC, 2);
        flow.now = at(RTT);
        flow.happens(refused(TunnelRefusal::Full)).expect_place(0);
        flow
    };
    // A place has become free: with half of the time, as at first.
    let mut flow = refused_by_nyc();
    flow.placed_by_half(A, 7_500);
    flow.happens(Event::ConnectFailed(Failure::ConnectRefused)).expect_place(1);
    // It has room in a moment; and then its time is over.
    let mut flow = refused_by_nyc();
    flow.happens(Event::Waiting);
    assert_eq!(flow.step, just(Action::Wait { until: at(7_500) }));
    flow.times_out().tunnels(SIN, 2);
    flow.happens(refused(TunnelRefusal::Full));
    assert_eq!(flow.expect_abroad().rather, None, "home had its time");
    // It has none; not even to wait, which is no reason to give up now.
    for why in [Rejection::Full, Rejection::RoomFull] {
        let mut flow = refused_by_nyc();
        flow.happens(Event::Rejected(why)).tunnels(SIN, 2);
    }
    // Whom its brokers have failed too often is not shown to them again.
    let mut flow = Script::in_mesh();
    for broker in 0..4 {
        flow.placed_by_half(BrokerId(broker), 7_500);
        flow.happens(Event::ConnectFailed(Failure::ConnectRefused));
    }
    flow.tunnels(NYC, 2);
    flow.now = at(RTT);
    flow.happens(refused(TunnelRefusal::Full)).tunnels(SIN, 1);
}

#[test]
fn every_refusal_and_failure_goes_where_the_table_says() {
    let next = |flow: &Script| match flow.step.action {
        Action::PlaceAbroad(_) => Some(flow.flow.sites_tried().len()),
        _ => None,
    };
    for reason in TunnelRefusal::ALL {
        let mut flow = Script::in_mesh();
        flow.happens(FULL).tunnels(NYC, 2);
        flow.happens(refused(reason));
        match reason.then() {
            Then::AnotherSite | Then::AnotherDoor => {
                assert_eq!(next(&flow), Some(1), "{reason:?}");
            }
            Then::MayAskAgain => assert_eq!(next(&flow), Some(0), "{reason:?}"),
            Then::Nothing => assert_eq!(next(&flow), None, "{reason:?}"),
        }
    }
    for failure in TunnelFailure::ALL {
        let mut flow = Script::in_mesh();
        flow.happens(FULL).tunnels(NYC, 2);
        flow.happens(Event::TunnelFailed(failure));
        let tried = usize::from(failure.then() == Then::AnotherSite);
        assert_eq!(next(&flow), Some(tried), "{failure:?}");
        assert_eq!(flow.expect_abroad().from_budget, failure.retry() == Retry::FromBudget);
    }
    let mut flow = Script::in_mesh();
    flow.happens(FULL).tunnels(NYC, 2);
    flow.happens(refused(TunnelRefusal::AtFault)).expect_refused(Refusal::AtFault, "OH");
}

#[test]
fn a_site_that_is_too_fast_is_asked_again_but_not_for_ever() {
    let mut flow = Script::in_mesh();
    flow.happens(FULL);
    let mut asked = 0;
    while flow.flow.sites_tried().is_empty() {
        flow.tunnels(NYC, 2);
        flow.happens(refused(TunnelRefusal::TooFast));
        let patience = flow.expect_abroad().patience;
        let turn = flow.now + ms(100);
        if patience > turn {
            flow.happens(Event::SiteLater(turn));
            assert_eq!(flow.step, just(Action::Pause { until: turn }));
            flow.times_out().expect_place(0).happens(FULL);
        }
        asked += 1;
        assert!(asked < 10);
    }
    assert!(asked > 2);
}

#[test]
fn a_node_that_is_full_leaves_the_others_of_its_site_and_still_at_most_three_sites() {
    let with_doors = |site, doors| Event::Site(Course { doors, ..course(site, 5) });
    let mut flow = Script::in_mesh();
    flow.happens(FULL);
    assert_eq!(flow.expect_abroad().rather, None);
    flow.happens(with_doors(NYC, 2)).happens(refused(TunnelRefusal::Full));
    assert_eq!(flow.expect_abroad().rather, Some(NYC));
    flow.happens(with_doors(NYC, 1)).happens(refused(TunnelRefusal::Full));
    assert_eq!(flow.expect_abroad().rather, None);
    assert_eq!(flow.flow.sites_tried(), [NYC]);
    flow.happens(with_doors(SIN, 1)).happens(refused(TunnelRefusal::Full));
    flow.happens(with_doors(SYD, 3)).happens(refused(TunnelRefusal::Draining));
    assert_eq!(flow.expect_abroad().rather, Some(SYD));
    // No other door of that one is open any more, and there is no fourth site.
    flow.happens(with_doors(SiteId(4), 1)).expect_crossed(Crossing::Abandoned);
    flow.expect_refused(Refusal::Pool(Rejection::Full), "RQ");
    assert_eq!(flow.flow.sites_tried(), [NYC, SIN, SYD, SiteId(4)]);
    assert_eq!(flow.flow.retries(), 3);
}

#[test]
fn the_answer_from_abroad_is_judged_as_one_from_home() {
    for level in [Level::V3, Level::V5] {
        for code in 0..=255 {
            let mut flow = Script::in_mesh();
            flow.happens(FULL).tunnels(NYC, 2);
            flow.happens(Event::TunnelCommitted(Some(connack(level, code))));
            match judge(level, code) {
                Judgement::Accepted => {
                    flow.expect_crossed(Crossing::Accepted).expect_commit(true);
                }
                Judgement::PassOn | Judgement::Follow => {
                    flow.expect_crossed(Crossing::Answered).expect_commit(false);
                }
                Judgement::Elsewhere => {
                    flow.expect_crossed(Crossing::Failed(TunnelFailure::Unavailable));
                    flow.expect_abroad();
                }
            }
        }
    }
    for answer in [Answer::Auth, Answer::Other] {
        let mut flow = Script::in_mesh();
        flow.happens(FULL).tunnels(NYC, 2);
        flow.happens(Event::TunnelCommitted(Some(answer)));
        flow.expect_crossed(Crossing::Answered).expect_commit(false);
    }
    for answer in [None, Some(SILENT)] {
        let mut flow = Script::in_mesh();
        flow.happens(FULL).tunnels(NYC, 2);
        flow.happens(Event::TunnelCommitted(answer));
        flow.expect_crossed(Crossing::Failed(TunnelFailure::Lost)).expect_abroad();
    }
}

#[test]
fn a_verbatim_connect_is_tried_once_in_all() {
    let verbatim = |opening: &mut Opening| opening.verbatim = true;
    let mut flow = Script::in_mesh_with(policy(), verbatim);
    flow.placed(A).happens(Event::ConnectFailed(Failure::ConnectRefused));
    flow.expect_refused(Refusal::Retries, "SC");
    let abroad = || {
        let mut flow = Script::in_mesh_with(policy(), verbatim);
        flow.happens(FULL).tunnels(NYC, 2);
        flow
    };
    abroad().happens(refused(TunnelRefusal::Full)).expect_refused(FULL_REFUSAL, "RQ");
    abroad().happens(refused(TunnelRefusal::Silent)).expect_end("SH");
    for (code, accepted) in [(0, true), (3, false)] {
        let mut flow = abroad();
        flow.happens(Event::TunnelCommitted(Some(connack(Level::V3, code))));
        flow.expect_commit(accepted);
    }
}

const FULL_REFUSAL: Refusal = Refusal::Pool(Rejection::Full);

#[test]
fn persistent_sessions_stay_unless_they_may_go() {
    let persistent = |opening: &mut Opening| opening.persistent = true;
    let mut flow = Script::in_mesh_with(policy(), persistent);
    flow.happens(FULL).expect_refused(FULL_REFUSAL, "RQ");
    let spill = SpillPolicy { persistent: true, ..SpillPolicy::default() };
    let mut flow = Script::in_mesh_with(ServicePolicy { spill, ..policy() }, persistent);
    flow.happens(FULL);
    assert_eq!(flow.expect_abroad().session, Some(ME));
    let mut flow = Script::in_mesh();
    flow.happens(FULL);
    assert_eq!(flow.expect_abroad().session, None, "a clean client may go anywhere");
}

#[test]
fn without_redispatch_a_flow_that_failed_stays() {
    let policy = ServicePolicy { redispatch: false, retries: 0, ..policy() };
    let mut flow = Script::in_mesh_with(policy.clone(), |_| {});
    flow.happens(Event::Placed(A)).happens(Event::ConnectFailed(Failure::ConnectRefused));
    flow.expect_refused(Refusal::Retries, "SC");
    let mut flow = Script::in_mesh_with(policy, |_| {});
    flow.happens(FULL).expect_abroad();
}

#[test]
fn tcp_goes_abroad_up_to_the_connect() {
    let policy = ServicePolicy { mode: Mode::Tcp, ..policy() };
    let mut flow = Flow::new(&policy, Time::ZERO);
    flow.sees_sites(true);
    let step = flow.next(&policy, Event::Accepted, Time::ZERO);
    let mut flow = Script { policy, flow, now: Time::ZERO, step };
    flow.placed_by_half(A, 7_500).happens(Event::ConnectFailed(Failure::ConnectRefused));
    flow.happens(Event::Rejected(Rejection::Tried)).tunnels(NYC, 0);
    flow.happens(Event::TunnelCommitted(None));
    flow.expect_crossed(Crossing::Accepted).expect_commit(true);
}

#[test]
fn who_came_by_tunnel_is_placed_here_or_refused() {
    let mut flow = Script::carried(6_000);
    assert_eq!(flow.flow.hop(), 1);
    flow.happens(FULL).expect_refused(FULL_REFUSAL, "RQ");
    // Local attempts have all of its time.
    let mut flow = Script::carried(6_000);
    flow.happens(Event::Placed(A)).happens(Event::Connected).times_out();
    assert_eq!(flow.now, at(5_000));
    flow.expect_failed(Failure::NoConnack).happens(Event::Placed(B)).happens(Event::Connected);
    flow.times_out().expect_settled(Outcome::Abandoned);
    assert_eq!(flow.now, at(6_000));
    flow.expect_refused(Refusal::Deadline, "sH");
    // It waits for half of it: the sender has other sites.
    let mut flow = Script::carried(6_000);
    flow.happens(Event::Waiting);
    assert_eq!(flow.step, just(Action::Wait { until: at(3_000) }));
    flow.times_out().expect_refused(Refusal::Pool(Rejection::TooFast), "RQ");
    let mut late = Flow::new(&policy(), Time::ZERO);
    assert_eq!(late.carried(1, ms(0), Time::ZERO), Err(TunnelRefusal::Deadline));
    assert_eq!(late.carried(2, ms(9), Time::ZERO), Err(TunnelRefusal::Hop));
    assert_eq!(late.carried(0, ms(9), Time::ZERO), Err(TunnelRefusal::Hop));
}

#[test]
fn without_the_rule_of_one_hop_a_flow_wanders_on() {
    let policy = policy();
    let mut flow = Flow::new(&policy, Time::ZERO);
    flow.set_rules(Rules { one_hop: false, ..Rules::default() });
    flow.sees_sites(true);
    assert_eq!(flow.carried(2, ms(6_000), Time::ZERO), Ok(()));
    let step = flow.next(&policy, Event::Accepted, Time::ZERO);
    let mut flow = Script { policy, flow, now: Time::ZERO, step };
    flow.opens_with(|_| {});
    flow.happens(FULL).expect_abroad();
}

#[test]
fn what_it_says_to_the_other_end() {
    use TunnelRefusal as T;
    let lines = [
        (Refusal::Pool(Rejection::NoBroker), T::NoBroker),
        (Refusal::Pool(Rejection::Full), T::Full),
        (Refusal::Pool(Rejection::Tried), T::Failed),
        (Refusal::Pool(Rejection::ServiceFull), T::Full),
        (Refusal::Pool(Rejection::RoomFull), T::TooFast),
        (Refusal::Pool(Rejection::Budget), T::Failed),
        (Refusal::Pool(Rejection::TooFast), T::TooFast),
        (Refusal::Pool(Rejection::Draining), T::Draining),
        (Refusal::Retries, T::Failed),
        (Refusal::Deadline, T::Deadline),
        (Refusal::AtFault, T::AtFault),
        (Refusal::Stopping, T::Draining),
        (Refusal::Silent, T::Silent),
    ];
    assert!(Rejection::ALL.iter().all(|r| lines.iter().any(|(l, _)| *l == Refusal::Pool(*r))));
    for (refusal, told) in lines {
        assert_eq!(refusal.to_tunnel(), told, "{refusal:?}");
    }
}

#[test]
fn the_client_leaves_or_the_node_stops_in_a_tunnel() {
    let in_tunnel = || {
        let mut flow = Script::in_mesh();
        flow.happens(FULL).tunnels(NYC, 2);
        flow
    };
    let mut flow = in_tunnel();
    flow.happens(Event::ClientGone).expect_end("CH").expect_crossed(Crossing::Abandoned);
    let mut flow = in_tunnel();
    flow.happens(Event::Stopped).expect_refused(Refusal::Stopping, "KH");
    flow.expect_crossed(Crossing::Abandoned);
    let mut flow = Script::in_mesh();
    flow.happens(FULL).happens(Event::Stopped).expect_refused(Refusal::Stopping, "KQ");
    assert_eq!(flow.step.crossed, None);
}

#[test]
fn a_site_without_the_time_to_answer_is_not_accused() {
    let mut flow = Script::in_mesh();
    flow.happens(Event::Waiting);
    flow.now = at(14_500);
    flow.happens(FULL).tunnels(NYC, 0);
    flow.times_out().expect_crossed(Crossing::Abandoned);
    flow.expect_refused(Refusal::Deadline, "sH");
    let mut flow = Script::in_mesh();
    flow.happens(Event::Waiting);
    flow.now = at(14_950);
    flow.happens(FULL).expect_abroad();
    flow.happens(Event::Site(course(NYC, 0))).expect_crossed(Crossing::Abandoned);
}

#[test]
fn tunnels_out_of_place_end_the_flow_and_blame_us() {
    let mut flow = Script::in_mesh();
    flow.happens(Event::Site(course(NYC, 0))).expect_end("IQ");
    flow.expect_crossed(Crossing::Abandoned);
    for event in [
        Event::SiteLater(at(1)),
        Event::TunnelCommitted(None),
        Event::TunnelFailed(TunnelFailure::Lost),
        refused(TunnelRefusal::Full),
    ] {
        let mut flow = Script::in_mesh();
        flow.happens(event).expect_end("IQ");
        assert_eq!(flow.step.crossed, None);
    }
}
