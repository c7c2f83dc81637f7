//! `policy = "headroom"`: ten thousand answers of a real node follow what sites have free.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use crate::harness::*;
use crate::{answers, dns_table};

const ANSWERS: usize = 10_000;
/// Three percentage points.
const WITHIN: f64 = 0.03;
/// `dig m.example A +noedns`.
const QUERY: [u8; 27] =
    *b"\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01m\x07example\x00\x00\x01\x00\x01";

#[tokio::test]
async fn ten_thousand_answers_follow_what_is_free() {
    let _turn = alone().await;
    let dns = free_dns_addr();
    let table = dns_table(dns, "policy = \"headroom\"");
    let plan = MeshPlan::of(&["fra", "nyc", "sin"]);
    let plan = plan.each_broker(|site, broker| {
        broker.set(
            "maxconn",
            match site {
                "fra" => 100_i64,
                "nyc" => 300,
                _ => 600,
            },
        )
    });
    let plan = plan.each_node(move |site, node| match site {
        "nyc" => node.table(&table),
        _ => node,
    });
    let mesh = plan.start().await;
    answers(dns).await;
    // A quarter of sin's places are taken.
    let storm =
        Storm::new(mesh.site("sin").addr(), 150).connects(|i| Connect::v311(&format!("c{i}")));
    let clients = storm.run().await;
    clients.assert_all_accepted();
    let free = [("fra", 100.0), ("nyc", 300.0), ("sin", 450.0)];
    tokio::time::sleep(Duration::from_millis(1_500)).await;

    let socket = UdpSocket::bind((fresh_ip(), 0)).await.unwrap();
    socket.connect(dns).await.unwrap();
    let (mut named, start) = (BTreeMap::new(), Instant::now());
    for n in 0..ANSWERS {
        let mut query = QUERY;
        query[..2].copy_from_slice(&(n as u16).to_be_bytes());
        socket.send(&query).await.unwrap();
        let mut answer = [0; 512];
        let length =
            tokio::time::timeout(PATIENCE, socket.recv(&mut answer)).await.unwrap().unwrap();
        assert_eq!((answer[..2].as_ref(), answer[3]), (&query[..2], 0), "NOERROR");
        // One address: the last four octets.
        let ip: [u8; 4] = answer[length - 4..length].try_into().unwrap();
        *named.entry(std::net::IpAddr::from(ip)).or_insert(0) += 1;
    }
    let all: f64 = free.iter().map(|(_, free)| free).sum();
    for (site, free) in free {
        let ip = mesh.site(site).addr().ip();
        let part = f64::from(*named.get(&ip).unwrap_or(&0)) / ANSWERS as f64;
        println!("{site}: free {:.2} %, named {:.2} %", 100.0 * free / all, 100.0 * part);
        assert!((part - free / all).abs() < WITHIN, "{site}: {named:?}");
    }
    println!("{ANSWERS} answers, one after the other, in {:.1?}", start.elapsed());
}
