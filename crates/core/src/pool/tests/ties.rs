//! Brokers that have equally many: who is next?

use super::*;

/// Clients that publish once and go, one after the other: every broker is as empty as the others
/// each time. One that was lately chosen must not be chosen again for that.
#[test]
fn brief_flows_are_spread_over_idle_brokers() {
    let mut site = Site::plain(4);
    let (mut counts, mut last, mut streak, mut longest) = ([0; 4], None, 0, 0);
    for _ in 0..4_000 {
        let token = site.placed();
        let token = site.accepted(token);
        let broker = token.broker();
        site.release(token);
        counts[broker.index()] += 1;
        streak = if last == Some(broker) { streak + 1 } else { 1 };
        longest = longest.max(streak);
        last = Some(broker);
    }
    assert!(counts.iter().all(|n| (900..=1_100).contains(n)), "{counts:?}, streak of {longest}");
    assert!(longest <= 12, "{longest} in a row");
}
