//! Item 1: least connections over real brokers, by the node's count and by the brokers' own.

use std::time::Duration;

use crate::harness::*;

/// The node's count and `$SYS` agree on `expected` (the probe is one client more), give or take
/// one flow a broker.
async fn assert_spread(isobar: &Isobar, brokers: &[Mosquitto], expected: &[u64]) {
    let spread = isobar.spread().await;
    println!("flows per broker: {spread:?}, expected {expected:?} within 1");
    for (found, wanted) in spread.iter().zip(expected) {
        assert!(found.abs_diff(*wanted) <= 1, "{spread:?} but wanted {expected:?}");
    }
    for (broker, flows) in brokers.iter().zip(&spread) {
        let clients = u32::try_from(*flows).expect("a few thousand") + 1;
        broker.wait_connected(clients).await;
        println!("  $SYS of {}: {clients} clients, one of them the probe", broker.name);
    }
}

#[tokio::test]
async fn three_equal_brokers_differ_by_at_most_one() {
    let _turn = alone().await;
    let brokers = Mosquitto::start_each("abc").await;
    let isobar = Isobar::over(&brokers).await;
    let outcomes = Storm::new(isobar.addr(), 3_000).run().await;
    println!("{}", outcomes.summary());
    outcomes.assert_all_accepted();
    assert_spread(&isobar, &brokers, &[1_000; 3]).await;

    // Half of them leave, not evenly: those of one broker first. The next clients level it.
    let mut stay = Vec::new();
    for (i, client) in outcomes.into_clients().into_iter().enumerate() {
        if i % 3 == 0 || i % 7 == 0 {
            client.disconnect().await;
        } else {
            stay.push(client);
        }
    }
    isobar.wait_flows(stay.len() as u64).await;
    println!("after {} stayed: {:?}", stay.len(), isobar.spread().await);
    let refill = Storm::new(isobar.addr(), 3_000 - stay.len())
        .connects(|i| Connect::v5(&format!("refill-{i}")));
    let outcomes = refill.run().await;
    outcomes.assert_all_accepted();
    assert_spread(&isobar, &brokers, &[1_000; 3]).await;
    drop((outcomes, stay));
    isobar.wait_flows(0).await;
    assert_eq!(isobar.spread().await, [0; 3], "every place was given back");
}

#[tokio::test]
async fn weights_share_in_proportion() {
    let _turn = alone().await;
    let brokers = Mosquitto::start_each("abc").await;
    let service = brokers.iter().zip(1..).fold(Service::new("mqtt"), |service, (m, weight)| {
        service.broker(Broker::of(m).set("weight", weight))
    });
    let isobar = Node::new(service).start().await;
    let outcomes = Storm::new(isobar.addr(), 3_000).run().await;
    println!("{}", outcomes.summary());
    outcomes.assert_all_accepted();
    assert_spread(&isobar, &brokers, &[500, 1_000, 1_500]).await;
    let report = isobar.service().await;
    assert_eq!(num(&report, "/flows/total"), 3_000);
    assert_eq!(num(&report, "/retries"), 0, "nobody needed a second try");
    // The clients are really served where they were put.
    let mut clients = outcomes.into_clients();
    for client in clients.iter_mut().step_by(100) {
        assert!(client.ping().await.expect("a PINGRESP") < Duration::from_secs(5));
    }
}
