//! Item 10: what is not a client, or not a good one, costs no broker its standing, and others
//! nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::*;

/// A normal client, over and over, until the junk is through; how often it was served.
async fn served_meanwhile<T>(addr: SocketAddr, junk: impl Future<Output = T>) -> (T, u64) {
    let through = Arc::new(AtomicBool::new(false));
    let stop = through.clone();
    let normal = tokio::spawn(async move {
        let (mut worst, mut times) = (Duration::ZERO, 0);
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            let mut client = Client::connected(addr, &Connect::v5("normal")).await;
            client.ping().await.expect("PINGRESP");
            client.disconnect().await;
            worst = worst.max(began.elapsed());
            times += 1;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        (worst, times)
    });
    let done = junk.await;
    through.store(true, Ordering::Relaxed);
    let (worst, times) = normal.await.expect("the normal client is served");
    println!("  a normal client meanwhile: {times} times, worst {worst:.1?}");
    assert!(worst < Duration::from_secs(2), "a normal client waited {worst:?}");
    (done, times)
}

/// Neither broker is, or was, anything but Up.
async fn assert_untouched(isobar: &Isobar) {
    for b in brokers(&isobar.service().await) {
        assert_eq!(text(&b, "/state"), "up", "{b}");
        assert_eq!(num(&b, "/downs"), 0, "{b}");
        assert_eq!(num(&b, "/refused_full"), 0, "{b}");
        assert!(b["learned_limit"].is_null(), "{b}");
    }
}

async fn bad_openings(isobar: &Isobar) -> u64 {
    num(&isobar.service().await, "/listeners/0/bad_openings")
}

/// Two-character endings of the log's lines, without those of the normal client.
fn endings(isobar: &Isobar) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for line in isobar.log().all() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ending = fields[fields.len() - 3];
        if ending != "--" {
            *tally.entry(ending.to_owned()).or_default() += 1;
        }
    }
    tally
}

async fn start() -> (Vec<Mosquitto>, Isobar) {
    let brokers = Mosquitto::start_each("ab").await;
    let service = Service::over(&brokers).set("opening_timeout", "3s");
    let isobar = Node::new(service).start().await;
    (brokers, isobar)
}

/// Sends bytes and waits for the end, which it times. Panics unless there is one.
async fn send_junk(addr: SocketAddr, bytes: Vec<u8>, then_fin: bool) -> Duration {
    let began = Instant::now();
    let mut client = Client::open(addr, None).await.expect("a listener");
    // It may be ended before all is written.
    let _ = client.send(&bytes).await;
    if then_fin {
        client.half_close().await;
    }
    match client.read_raw(Duration::from_secs(10)).await {
        // An answer in MQTT is allowed; then comes the end.
        Ok(_) => match client.read_raw(Duration::from_secs(10)).await {
            Err(Failure::TimedOut) | Ok(_) => panic!("no end after the answer"),
            Err(_) => {}
        },
        Err(Failure::TimedOut) => {
            panic!("no end in sight for {:02x?}", &bytes[..bytes.len().min(20)])
        }
        Err(_) => {}
    }
    began.elapsed()
}

async fn send_all(addr: SocketAddr, all: Vec<(Vec<u8>, bool)>) -> Duration {
    let mut worst = Duration::ZERO;
    for chunk in all.chunks(100) {
        let mut tasks = tokio::task::JoinSet::new();
        for (bytes, then_fin) in chunk.iter().cloned() {
            tasks.spawn(send_junk(addr, bytes, then_fin));
        }
        worst = tasks.join_all().await.into_iter().fold(worst, Duration::max);
    }
    worst
}

#[tokio::test]
async fn random_truncated_and_oversized() {
    let _turn = alone().await;
    let (_brokers, isobar) = start().await;
    // A fixed sequence: a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let noise: Vec<_> = (0..300)
        .map(|_| {
            let length = random() % 600 + 1;
            // Sometimes it begins like a CONNECT.
            let mut bytes: Vec<u8> = (0..length).map(|_| random() as u8).collect();
            if random() % 4 == 0 {
                bytes[0] = 0x10;
            }
            (bytes, true)
        })
        .collect();
    let good = Connect::v5("truncated").will(Will::new("t", "x")).login("u", "p").encode();
    let truncated: Vec<_> = (1..good.len()).map(|n| (good[..n].to_vec(), true)).collect();
    let mut oversized = vec![
        (vec![0x10, 0xff, 0xff, 0xff, 0x7f], false), // 256 MiB announced
        (vec![0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], false), // no length at all
    ];
    for size in [65_537, 100_000, 1_000_000] {
        let mut body = good[2..].to_vec();
        body.resize(size, b'x');
        oversized.push((packet::frame(0x10, &body), false));
    }
    let too_slow = vec![(vec![], false), (vec![0x10], false), (good[..20].to_vec(), false)];

    for (what, junk) in
        [("noise", noise), ("truncated", truncated), ("oversized", oversized), ("slow", too_slow)]
    {
        let (before, count) = (bad_openings(&isobar).await, junk.len());
        let addr = isobar.addr();
        let (worst, _) = served_meanwhile(addr, send_all(addr, junk)).await;
        let counted = bad_openings(&isobar).await - before;
        println!("{what}: {count} connections, ended after {worst:.1?} at most, {counted} counted");
        if what == "noise" {
            // Some of it may be framed as a CONNECT, which is the broker's to judge.
            assert!(counted >= count as u64 * 9 / 10, "{what}: {counted} of {count}");
        } else {
            assert_eq!(counted, count as u64, "{what}");
        }
        let bound = if what == "slow" { 6 } else { 5 };
        assert!(worst < Duration::from_secs(bound), "{what}: {worst:?}");
        assert_untouched(&isobar).await;
    }
    isobar.wait_flows(0).await;
    println!("endings: {:?}", endings(&isobar));
}

/// 5,000 that never finish their CONNECT, all there at once.
#[tokio::test]
async fn five_thousand_that_never_finish() {
    let _turn = alone().await;
    let (_brokers, isobar) = start().await;
    let addr = isobar.addr();
    let part = Connect::v311("never-finished").encode()[..12].to_vec();
    let before = isobar.rss_kib();
    let began = Instant::now();
    let flood = async {
        let mut clients = Vec::new();
        for _ in 0..5_000 {
            let mut client = Client::open(addr, None).await.expect("a listener");
            client.send(&part).await.expect("it takes a part");
            clients.push(client);
        }
        let opened = began.elapsed();
        // Until the listener has taken them in; opening_timeout counts from then.
        let there = until("all are there together", Duration::from_secs(3), async || {
            let there = num(&isobar.report().await, "/services/0/listeners/0/flows/current");
            (there >= 5_000).then_some(there)
        })
        .await;
        let rss = isobar.rss_kib();
        let mut worst = Duration::ZERO;
        for client in &mut clients {
            // Whatever it is told, it is ended.
            let end = loop {
                match client.read_raw(Duration::from_secs(15)).await {
                    Ok(_) => {}
                    Err(end) => break end,
                }
            };
            assert_ne!(end, Failure::TimedOut);
            worst = began.elapsed();
        }
        (opened, there, rss, worst)
    };
    let ((opened, there, peak, ended), _) = served_meanwhile(addr, flood).await;
    let grown = peak.saturating_sub(before);
    println!(
        "5,000 unfinished: open after {opened:.1?}, at once {there}, all ended after {ended:.1?}; \
         memory {before} -> {peak} KiB, {} bytes each",
        grown * 1024 / 5_000
    );
    assert!(grown < 80_000, "{grown} KiB for 5,000 unfinished CONNECTs");
    assert!(ended < opened + Duration::from_secs(8), "opening_timeout is 3 s");
    assert_eq!(bad_openings(&isobar).await, 5_000);
    isobar.wait_flows(0).await;
    eventually("a log line each", PATIENCE, async || {
        endings(&isobar).values().sum::<usize>() == 5_000
    })
    .await;
    println!("endings: {:?}", endings(&isobar));
    assert_untouched(&isobar).await;
}

/// mosquitto closes in silence on a Will topic with a wildcard, as it does when it is full.
#[tokio::test]
async fn a_connect_that_mosquitto_dislikes_a_thousand_times() {
    let _turn = alone().await;
    let (brokers, isobar) = start().await;
    let disliked = |version| Connect::new(version, "disliked").will(Will::new("wild/#", "x"));
    for version in [Version::V311, Version::V5] {
        let mut direct = Client::open(brokers[0].addr, None).await.expect("a listener");
        let answer = direct.connect(&disliked(version)).await;
        println!("{version:?}, directly: {answer:?}");
        assert_eq!(answer, Err(Failure::ClosedSilently), "what this test is about");
    }
    let addr = isobar.addr();
    let storm = Storm::new(addr, 1_000)
        .sources(1)
        .concurrency(4)
        .connects(move |i| disliked([Version::V311, Version::V5][i % 2]));
    let watching = async {
        let storm = storm.run();
        tokio::pin!(storm);
        loop {
            tokio::select! {
                outcomes = &mut storm => return outcomes,
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    assert_untouched(&isobar).await;
                }
            }
        }
    };
    let (outcomes, normal) = served_meanwhile(addr, watching).await;
    println!("{}", outcomes.summary());
    for outcome in &outcomes.0 {
        let connack = outcome.result.as_ref().expect("the honest CONNACK");
        assert_ne!(connack.code, 0);
    }
    assert_untouched(&isobar).await;
    let service = isobar.service().await;
    println!("rejected {}, endings {}", service["rejected"], service["endings"]);
    // Two brokers at most are asked about each, and the log has a reason of its own for it.
    let placed: u64 =
        crate::harness::brokers(&service).iter().map(|b| num(b, "/flows/total")).sum();
    println!("{placed} attempts in all, {normal} of them the normal client's");
    assert!(placed <= 2 * 1_000 + normal, "two brokers at most judge a CONNECT");
    eventually("a log line each", PATIENCE, async || {
        endings(&isobar).values().sum::<usize>() >= 1_000
    })
    .await;
    let endings = endings(&isobar);
    println!("endings: {endings:?}");
    let at_fault: usize = endings.iter().filter(|(e, _)| e.starts_with('O')).map(|(_, n)| n).sum();
    assert!(at_fault >= 990, "its own log reason: {endings:?}");
}

/// A framed CONNECT that we do not understand is the broker's to judge, once.
#[tokio::test]
async fn an_unknown_protocol_is_passed_on_verbatim() {
    let _turn = beside().await;
    let (brokers, isobar) = start().await;
    let mut connects = Vec::new();
    for (name, level) in [("FOO", 4), ("MQTT", 9), ("MQIsdp", 3)] {
        let mut body = Vec::new();
        packet::put_binary(&mut body, name.as_bytes());
        body.extend([level, 0x02, 0, 60]);
        packet::put_binary(&mut body, b"odd");
        connects.push((format!("{name} {level}"), packet::frame(0x10, &body)));
    }
    // The reserved flag of CONNECT set.
    let mut reserved = Connect::v311("odd").encode();
    reserved[9] |= 1;
    connects.push(("reserved flag".to_owned(), reserved));
    for (what, bytes) in connects {
        let mut answers = Vec::new();
        let placed = async || {
            let service = isobar.service().await;
            crate::harness::brokers(&service).iter().map(|b| num(b, "/flows/total")).sum::<u64>()
        };
        let before = placed().await;
        let mut addr_of = None;
        for addr in [brokers[0].addr, isobar.addr()] {
            let mut client = Client::open(addr, None).await.expect("a listener");
            client.send(&bytes).await.expect("bytes");
            client.half_close().await;
            addr_of = Some(client.local_addr());
            let mut got = Vec::new();
            while let Ok(more) = client.read_raw(Duration::from_secs(10)).await {
                got.extend(more);
            }
            answers.push(got);
        }
        println!("{what}: {:02x?}, directly {:02x?}", answers[1], answers[0]);
        if answers[0].is_empty() {
            // Where the broker has no word for it, ours is the honest CONNACK or none either.
            let honest = matches!(answers[1][..], [] | [0x20, 2, 0, 1..=5]);
            assert!(honest, "{what}: {:02x?}", answers[1]);
        } else {
            assert_eq!(answers[1], answers[0], "{what}");
        }
        assert!(placed().await - before <= 1, "{what} went to one broker at most");
        let line = isobar.line_of(addr_of.expect("it was connected")).await;
        println!("    {line}");
        assert!(line.ends_with("/0 0/0"), "{what}: without retry: {line}");
    }
    assert_untouched(&isobar).await;
}
