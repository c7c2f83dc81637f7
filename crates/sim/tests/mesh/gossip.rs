//! What the mesh costs, and what services read of it.

use super::*;

/// Bits a second that a node says, at the median and at most, with everyone's flows changing.
fn traffic(sites: usize, nodes: usize, time: u64) -> (f64, f64) {
    let mut globe = Globe::new(Plan::of(sites, nodes).with(|plan| plan.churn = true));
    globe.run(secs(6));
    let all = 0..sites * nodes;
    let before: Vec<u64> = all.clone().map(|node| globe.bytes(node)).collect();
    globe.run(secs(time));
    let mut bits: Vec<f64> =
        all.map(|node| (globe.bytes(node) - before[node]) as f64 * 8.0 / time as f64).collect();
    bits.sort_unstable_by(f64::total_cmp);
    globe.assert_sound();
    (bits[bits.len() / 2], bits[bits.len() - 1])
}

#[test]
fn gossip_of_twenty_sites_is_a_fifth_of_that_of_a_hundred() {
    let (median, most) = traffic(20, 4, 5);
    println!("20 x 4: median {median:.0} bit/s, most {most:.0}");
    assert!(most <= 500_000.0, "{most}");
}

#[test]
fn gossip_of_a_hundred_sites_of_ten_is_below_a_megabit() {
    if !long() {
        return;
    }
    let (median, most) = traffic(100, 10, 2);
    println!("100 x 10: median {median:.0} bit/s, most {most:.0}");
    assert!(most <= 1_000_000.0, "{most}");
}

#[test]
fn services_read_what_sites_have_left() {
    let mut globe = settled(Plan::of(3, 2));
    let view = |globe: &Globe| {
        let site = globe.mesh(0).unwrap().find_site("s001").unwrap();
        let candidates = globe.outlook(0).candidates(isobar_core::id::ServiceId(0));
        candidates.iter().find(|c| c.site == site).cloned().unwrap()
    };
    let fresh = view(&globe);
    assert_eq!(
        (fresh.headroom, fresh.doors.len(), fresh.standing),
        (2_000, 2, Standing::Reachable)
    );
    assert_eq!(fresh.admit_per_second, 1_000);
    assert!(fresh.rtt >= ms(20) && fresh.doors.iter().all(|door| door.warm));
    globe.set_flows(2, 700);
    globe.set_flows(3, 600);
    globe.run(ms(1_600));
    assert_eq!(view(&globe).headroom, 700, "brokers counted once, flows of both");
    globe.set_flows(2, 1_000);
    globe.set_flows(3, 1_000);
    globe.run(ms(500));
    assert_eq!(view(&globe).headroom, 0, "told at once");
}
