//! A minute of junk, in datagrams and on connections: it still answers, and has not grown.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};

use crate::harness::*;
use crate::{ZONE, alone_over};

const QUERY: &[u8] =
    b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01m\x07example\x00\x00\x01\x00\x01\
      \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0b\x00\x08\x00\x07\x00\x01\x18\x00\xc6\x33\x64";

/// Numbers that look random, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.roll() % n as u64) as usize
    }

    /// Octets of chance, or a query with some of its octets changed, or cut, or longer.
    fn junk(&mut self) -> Vec<u8> {
        if self.below(3) == 0 {
            return (0..self.below(1_400)).map(|_| self.roll() as u8).collect();
        }
        let mut query = QUERY.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(query.len());
            query[at] = self.roll() as u8;
        }
        match self.below(4) {
            0 => query.truncate(self.below(QUERY.len())),
            1 => query.extend((0..self.below(1_200)).map(|_| 0)),
            _ => {}
        }
        query
    }
}

#[tokio::test]
async fn junk_is_counted_and_others_are_answered() {
    let _turn = alone().await;
    let span = Duration::from_secs(if long() { 60 } else { 4 });
    let mosquittos = [Mosquitto::start("a").await];
    let (node, dns) = alone_over(&mosquittos, "").await;
    let before = node.rss_kib();
    let socket = UdpSocket::bind((fresh_ip(), 0)).await.unwrap();
    let (mut dice, start) = (Dice(0x1234_5678_9abc_def1), Instant::now());
    let (mut sent, mut asked, mut connections) = (0_u64, 0, 0);
    let mut open = Vec::new();
    while start.elapsed() < span {
        for _ in 0..500 {
            // The kernel may be short of room; what is lost was junk.
            let _ = socket.try_send_to(&dice.junk(), dns);
            sent += 1;
            let _ = socket.try_recv_from(&mut [0; 2_048]);
        }
        if let Ok(mut stream) = TcpStream::connect(dns).await {
            let junk = dice.junk();
            let mut said = (junk.len() as u16).to_be_bytes().to_vec();
            said.extend_from_slice(&junk[..dice.below(junk.len() + 1)]);
            let _ = stream.write_all(&said).await;
            connections += 1;
            open.push(stream);
            open.truncate(64);
        }
        let told = dig(dns, &[ZONE, "A", "+time=1", "+tries=3"]).await;
        assert_eq!(told.status(), "NOERROR", "in the middle of junk: {}", told.text);
        asked += 1;
    }
    let told = dig(dns, &[ZONE, "A", "+tcp"]).await;
    let report = node.report().await["dns"].clone();
    println!(
        "{sent} junk datagrams and {connections} connections in {span:?}: {asked} questions between \
         them answered; {} malformed, {} answers, {} KiB more",
        num(&report, "/malformed"),
        num(&report, "/queries_udp"),
        node.rss_kib().saturating_sub(before),
    );
    assert_eq!(told.status(), "NOERROR", "and by TCP behind them: {}", told.text);
    assert!(num(&report, "/malformed") > sent / 4, "{report}");
    assert!(node.rss_kib() < before + 16 * 1_024, "{before} KiB before");
}

#[tokio::test]
async fn connections_that_say_nothing_are_ended_and_bounded() {
    let _turn = beside().await;
    let mosquittos = [Mosquitto::start("a").await];
    let (node, dns) = alone_over(&mosquittos, "").await;
    // One network may have 32.
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(TcpStream::connect(dns).await.unwrap());
    }
    let refused = async || num(&node.report().await["dns"], "/connections_refused");
    eventually("the others are closed", PATIENCE, async || refused().await == 8).await;
    // From another network there is room; and UDP has nothing to do with it.
    let elsewhere = format!("-b{}", "127.1.77.1");
    assert_eq!(dig(dns, &[&elsewhere, ZONE, "A", "+tcp"]).await.status(), "NOERROR");
    assert_eq!(dig(dns, &[ZONE, "A"]).await.status(), "NOERROR");
    // They are ended after ten seconds, and there is room again.
    eventually("there is room again", Duration::from_secs(20), async || {
        dig(dns, &[ZONE, "A", "+tcp"]).await.status() == "NOERROR"
    })
    .await;
}
