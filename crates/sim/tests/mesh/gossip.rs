//! What the mesh costs, and what services read of it.

use super::*;

/// Bits a second that nodes say with everyone's flows changing.
struct Traffic {
    median: f64,
    most: f64,
    /// The same with an acknowledgement of its own for every packet.
    median_acked: f64,
    most_acked: f64,
}

fn traffic(sites: usize, nodes: usize, time: u64) -> Traffic {
    let mut globe = Globe::new(Plan::of(sites, nodes).with(|plan| plan.churn = true));
    globe.run(secs(6));
    let said = |globe: &Globe, node: usize| (globe.bytes(node), globe.acks(node));
    let before: Vec<_> = (0..sites * nodes).map(|node| said(&globe, node)).collect();
    globe.run(secs(time));
    globe.assert_sound();
    let bits = |bytes: u64| bytes as f64 * 8.0 / time as f64;
    let (mut plain, mut acked) = (Vec::new(), Vec::new());
    for (node, &(bytes, acks)) in before.iter().enumerate() {
        let now = said(&globe, node);
        plain.push(bits(now.0 - bytes));
        acked.push(bits(now.0 - bytes + now.1 - acks));
    }
    plain.sort_unstable_by(f64::total_cmp);
    acked.sort_unstable_by(f64::total_cmp);
    let (half, last) = (plain.len() / 2, plain.len() - 1);
    let traffic = Traffic {
        median: plain[half],
        most: plain[last],
        median_acked: acked[half],
        most_acked: acked[last],
    };
    let kbit = |bits: f64| bits / 1e3;
    println!(
        "{sites} x {nodes}, kbit/s a node: median {:.0}, most {:.0}; with acknowledgements median \
         {:.0}, most {:.0}",
        kbit(traffic.median),
        kbit(traffic.most),
        kbit(traffic.median_acked),
        kbit(traffic.most_acked)
    );
    traffic
}

#[test]
fn gossip_of_twenty_sites_is_a_fifth_of_that_of_a_hundred() {
    let traffic = traffic(20, 4, 5);
    assert!(traffic.most <= 500_000.0 && traffic.median < traffic.median_acked);
}

#[test]
fn gossip_of_a_hundred_sites_of_ten_is_below_a_megabit() {
    if !long() {
        return;
    }
    let traffic = traffic(100, 10, 2);
    assert!(traffic.most <= 1_000_000.0, "{}", traffic.most);
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
