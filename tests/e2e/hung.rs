//! Item 4: a broker hangs. Its silence is noticed, its clients go elsewhere, and its return is
//! no flood.

use std::time::Duration;

use crate::harness::*;

const CONNACK_TIMEOUT: Duration = Duration::from_secs(1);
/// What a debug build on two busy cores may add to it.
const A_LITTLE: Duration = Duration::from_millis(500);

/// Placements on a broker so far.
async fn placed(isobar: &Isobar, name: &str) -> u64 {
    num(&isobar.broker(name).await, "/flows/total")
}

async fn hang_at(per_second: u32) {
    let brokers = Mosquitto::start_each("abc").await;
    // Three checks that fail take three seconds: missing CONNACKs must be what gives it away.
    let slow = "{ kind = \"mqtt\", inter = \"1s\", fastinter = \"1s\", rise = 2, fall = 3 }";
    let service = Service::new("mqtt").slow_start("10s").set("connack_timeout", "1s");
    let service = brokers.iter().fold(service, |s, b| s.broker(Broker::of(b).check_line(slow)));
    let isobar = Node::new(service).start().await;
    // Well into the first slow start, so that its pace is above what comes.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let warm = Storm::new(isobar.addr(), 300).connects(|i| Connect::v311(&format!("warm-{i}")));
    let warm = warm.rate(500.0).run().await;
    warm.assert_all_accepted();
    assert_eq!(isobar.spread().await, [100; 3]);

    let a = &brokers[0];
    a.stop();
    let seconds = 4;
    let total = (per_second * seconds) as usize;
    let storm = Storm::new(isobar.addr(), total)
        .rate(f64::from(per_second))
        .concurrency(2_000)
        .connects(|i| Connect::v311(&format!("storm-{i}")));
    let storm = tokio::spawn(storm.run());
    let noticed =
        isobar.wait_state("a", "down", CONNACK_TIMEOUT + Duration::from_millis(1_500)).await;
    let placed_at_verdict = placed(&isobar, "a").await;
    let outcomes = storm.await.expect("the storm ends");
    println!("{per_second}/s: {}; Down after {noticed:.1?}", outcomes.summary());
    outcomes.assert_all_accepted();
    let late = outcomes.0.iter().filter(|o| o.took >= CONNACK_TIMEOUT).count();
    let worst = outcomes.quantile(1.0);
    println!("{late} were sent to the hung broker and answered by another; worst {worst:.2?}");
    assert!(late >= 3, "the hang caught {late} clients");
    assert!(worst <= CONNACK_TIMEOUT + A_LITTLE, "worst {worst:?}");
    let a_report = isobar.broker("a").await;
    assert!(num(&a_report, "/response_errors") >= 3, "{a_report}");
    assert_eq!(
        num(&a_report, "/flows/total"),
        placed_at_verdict,
        "nobody is sent there after the verdict"
    );
    assert!(num(&a_report, "/flows/current") >= 100, "its flows are left alone: {a_report}");
    assert_eq!(num(&a_report, "/downs"), 1);

    // Its 100 clients leave (their DISCONNECT waits in its sockets): the least connections by
    // far, which is what draws a flood.
    comes_back(&isobar, a, per_second, warm).await;
}

async fn comes_back(isobar: &Isobar, a: &Mosquitto, per_second: u32, warm: Outcomes) {
    warm.disconnect().await;
    a.cont();
    // Arrivals that go on while it returns.
    let storm = Storm::new(isobar.addr(), (per_second * 6) as usize)
        .rate(f64::from(per_second))
        .concurrency(2_000)
        .connects(|i| Connect::v311(&format!("after-{i}")));
    let storm = tokio::spawn(storm.run());
    let back = isobar.wait_state("a", "up", Duration::from_secs(10)).await;
    let mut seen = vec![placed(isobar, "a").await];
    let mut worst_unanswered = 0;
    let start = tokio::time::Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        let report = isobar.broker("a").await;
        worst_unanswered = worst_unanswered.max(num(&report, "/unanswered"));
        tokio::time::sleep_until(start + Duration::from_millis(250) * seen.len() as u32).await;
        seen.push(placed(isobar, "a").await);
    }
    let outcomes = storm.await.expect("the storm ends");
    println!("back Up after {back:.1?}; after the return: {}", outcomes.summary());
    let steps: Vec<u64> = seen.windows(2).map(|w| w[1] - w[0]).collect();
    println!("placed on it in steps of 250 ms: {steps:?}; unanswered at most {worst_unanswered}");
    outcomes.assert_all_accepted();
    assert!(worst_unanswered <= 64, "{worst_unanswered} unanswered openings");
    if per_second >= 500 {
        // Least connections alone would send it every one of the 500.
        let first_second: u64 = steps.iter().take(4).sum();
        assert!(
            first_second * 2 <= u64::from(per_second),
            "{first_second} of {per_second} in its first second is a flood"
        );
    }
    let end = isobar.broker("a").await;
    assert!(num(&end, "/flows/current") > 0, "it is used again: {end}");
    assert_eq!(text(&end, "/state"), "up");
    assert_eq!(num(&end, "/downs"), 1, "and did not fall over again");
}

#[tokio::test]
async fn a_broker_hangs_at_20_a_second() {
    let _turn = alone().await;
    hang_at(20).await;
}

#[tokio::test]
async fn a_broker_hangs_at_500_a_second() {
    let _turn = alone().await;
    hang_at(500).await;
}

/// Without a single client, the check alone finds out.
#[tokio::test]
async fn the_check_alone_notices_a_hang() {
    let _turn = beside().await;
    let brokers = Mosquitto::start_each("ab").await;
    let isobar = Isobar::over(&brokers).await;
    brokers[0].stop();
    let down = isobar.wait_state("a", "down", Duration::from_secs(10)).await;
    brokers[0].cont();
    let up = isobar.wait_state("a", "up", Duration::from_secs(10)).await;
    println!("checks every 500 ms, fall 3, rise 2: Down after {down:.1?}, Up after {up:.1?}");
    assert_eq!(num(&isobar.broker("a").await, "/downs"), 1);
}
