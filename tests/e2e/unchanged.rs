//! Item 8: what goes in comes out, unchanged and once: the same script, directly and through the
//! node, must give the same packets, byte for byte.

use std::net::SocketAddr;

use crate::harness::*;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// What one client received, named, in order.
type Transcript = Vec<(String, Vec<u8>)>;

struct Script {
    addr: SocketAddr,
    version: Version,
    seen: Transcript,
}

impl Script {
    async fn client(&mut self, connect: &Connect, who: &str) -> Client {
        let mut client = Client::open(self.addr, None).await.expect("a listener");
        client.speak(self.version);
        client.send(&connect.encode()).await.expect("it takes a CONNECT");
        self.note(&mut client, who).await;
        client
    }

    /// The next packet, noted.
    async fn note(&mut self, client: &mut Client, who: &str) -> Packet {
        let packet = client.read().await.unwrap_or_else(|e| panic!("{who}: {e:?}"));
        self.seen.push((who.to_owned(), packet.encode()));
        packet
    }

    /// Exactly what is sent now comes next: nothing is left over from before.
    async fn fence(&mut self, client: &mut Client, who: &str) {
        client.send(&[0xc0, 0]).await.expect("PINGREQ");
        let packet = self.note(client, who).await;
        assert_eq!(packet.kind(), kind::PINGRESP, "{who}: a packet too many: {packet:?}");
    }

    fn properties(&self) -> Vec<u8> {
        if self.version != Version::V5 {
            return Vec::new();
        }
        [
            prop::u8(0x01, 1),
            prop::bytes(0x03, b"text/plain"),
            prop::bytes(0x08, b"answer/here"),
            prop::bytes(0x09, &[0, 1, 2, 255]),
            prop::user("first", "1"),
            prop::user("first", "again, and \u{e9}"),
        ]
        .concat()
    }

    /// One message from one client to another, all its packets noted.
    async fn message(
        &mut self,
        from: &mut Client,
        to: &mut Client,
        topic: &str,
        payload: &[u8],
        qos: u8,
    ) {
        let options = PublishOpts { qos, retain: false, properties: self.properties() };
        let (bytes, id) = from.encode_publish(topic, payload, &options);
        from.send(&bytes).await.expect("it takes a PUBLISH");
        match qos {
            1 => drop(self.note(from, "PUBACK").await),
            2 => {
                self.note(from, "PUBREC").await;
                let [high, low] = id.to_be_bytes();
                from.send(&[0x62, 2, high, low]).await.expect("PUBREL");
                self.note(from, "PUBCOMP").await;
            }
            _ => {}
        }
        let packet = self.note(to, "message").await;
        let publish = packet.publish(self.version).expect("a PUBLISH");
        assert_eq!(publish.payload, payload);
        let [high, low] = publish.packet_id.to_be_bytes();
        match publish.qos {
            1 => to.send(&[0x40, 2, high, low]).await.expect("PUBACK"),
            2 => {
                to.send(&[0x50, 2, high, low]).await.expect("PUBREC");
                self.note(to, "PUBREL").await;
                to.send(&[0x70, 2, high, low]).await.expect("PUBCOMP");
            }
            _ => {}
        }
        self.fence(to, "after a message").await;
    }
}

fn subscribe(version: Version, id: u16, topic: &str, qos: u8, properties: &[u8]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        packet::put_properties(&mut body, properties);
    }
    packet::put_binary(&mut body, topic.as_bytes());
    body.push(qos);
    packet::frame(0x82, &body)
}

async fn script(addr: SocketAddr, version: Version) -> Transcript {
    let mut s = Script { addr, version, seen: Vec::new() };
    let mut connect = Connect::new(version, "sub");
    if version == Version::V5 {
        connect = connect
            .property(&prop::u16(0x21, 100)) // Receive Maximum
            .property(&prop::u16(0x22, 5)) // Topic Alias Maximum
            .property(&prop::user("who", "sub"));
    }
    let mut sub = s.client(&connect, "CONNACK of sub").await;
    let mut publisher = s.client(&Connect::new(version, "pub"), "CONNACK of pub").await;
    let topics = [("t/0", 0), ("t/1", 1), ("t/2", 2), ("retained/#", 1), ("wills/#", 1)];
    for (n, (topic, qos)) in (1..).zip(topics) {
        // A subscription identifier comes back with every message.
        let identifier = [0x0b, u8::try_from(n).expect("few")];
        sub.send(&subscribe(version, n, topic, qos, &identifier)).await.expect("SUBSCRIBE");
        s.note(&mut sub, "SUBACK").await;
    }
    for qos in 0..=2 {
        for payload in [&b""[..], b"short", &[0x5a; 127], &[0xa5; 128], &[7; 70_000]] {
            s.message(&mut publisher, &mut sub, &format!("t/{qos}"), payload, qos).await;
        }
    }
    // 10 MB.
    let big: Vec<u8> = (0..10_000_000_u32).map(|i| i.wrapping_mul(2_654_435_761) as u8).collect();
    for qos in 0..=2 {
        s.message(&mut publisher, &mut sub, &format!("t/{qos}"), &big, qos).await;
    }
    // Retained: to a subscriber that is there, and to one that comes.
    let retain = PublishOpts { qos: 1, retain: true, properties: s.properties() };
    publisher.publish_with("retained/x", b"kept", &retain).await;
    s.note(&mut sub, "retained, live").await;
    let mut late = s.client(&Connect::new(version, "late"), "CONNACK of late").await;
    late.send(&subscribe(version, 1, "retained/#", 0, &[])).await.expect("SUBSCRIBE");
    // SUBACK and the retained message come in the broker's order.
    s.note(&mut late, "late").await;
    let kept = s.note(&mut late, "late").await;
    assert_eq!(kept.first & 1, 1, "the retain flag");
    s.fence(&mut late, "late, end").await;
    // A Will with everything.
    let mut will = Will::new("wills/x", "gone");
    (will.qos, will.properties) = (1, s.properties());
    s.client(&Connect::new(version, "dies").will(will), "CONNACK of dies").await.vanish();
    let packet = s.note(&mut sub, "Will").await;
    assert_eq!(packet.publish(version).expect("a PUBLISH").text(), "gone");

    // All at once, before the CONNACK: CONNECT, SUBSCRIBE, PUBLISH, PINGREQ.
    let mut eager = Client::open(addr, None).await.expect("a listener");
    eager.speak(version);
    let mut bytes = Connect::new(version, "eager").encode();
    bytes.extend(subscribe(version, 9, "eager", 1, &[]));
    let options = PublishOpts { qos: 1, retain: false, properties: s.properties() };
    bytes.extend(eager.encode_publish("eager", b"before the CONNACK", &options).0);
    bytes.extend([0xc0, 0]);
    eager.send(&bytes).await.expect("all of it");
    let mut found = Vec::new();
    for _ in 0..5 {
        found.push(s.note(&mut eager, "eager").await.kind());
    }
    found.sort_unstable();
    assert_eq!(found, [kind::CONNACK, kind::PUBLISH, kind::PUBACK, kind::SUBACK, kind::PINGRESP]);
    // The same a byte at a time, as a slow radio would.
    let mut slow = Client::open(addr, None).await.expect("a listener");
    slow.speak(version);
    for byte in Connect::new(version, "slow").encode() {
        slow.send(&[byte]).await.expect("a byte");
        tokio::task::yield_now().await;
    }
    s.note(&mut slow, "slow").await;
    let (bytes, _) = slow.encode_publish("t/0", b"byte by byte", &PublishOpts::default());
    for byte in bytes {
        slow.send(&[byte]).await.expect("a byte");
        tokio::task::yield_now().await;
    }
    let packet = s.note(&mut sub, "from slow").await;
    assert_eq!(packet.publish(version).expect("a PUBLISH").text(), "byte by byte");
    if version == Version::V5 {
        // Topic alias: the second PUBLISH has no topic.
        for topic in ["t/0", ""] {
            let options = PublishOpts { properties: prop::u16(0x23, 1), ..PublishOpts::default() };
            publisher.publish_with(topic, b"by alias", &options).await;
            let packet = s.note(&mut sub, "by alias").await;
            assert_eq!(packet.publish(version).expect("a PUBLISH").topic, "t/0");
        }
    }
    s.fence(&mut sub, "end").await;
    s.fence(&mut publisher, "end").await;
    s.seen
}

#[tokio::test]
async fn the_same_packets_as_directly() {
    let _turn = alone().await;
    let mut directly = Vec::new();
    for version in VERSIONS {
        let broker = Mosquitto::start("direct").await;
        directly.push(script(broker.addr, version).await);
    }
    for (version, wanted) in VERSIONS.into_iter().zip(directly) {
        let brokers = Mosquitto::start_each("a").await;
        let isobar = Isobar::over(&brokers).await;
        let found = script(isobar.addr(), version).await;
        assert_eq!(found.len(), wanted.len());
        let mut bytes = 0;
        for ((who, found), (_, wanted)) in found.iter().zip(&wanted) {
            bytes += found.len();
            let (f, w) = (&found[..found.len().min(80)], &wanted[..wanted.len().min(80)]);
            assert!(found == wanted, "{version:?}, {who}:\n{f:02x?}\n{w:02x?}");
        }
        println!("{version:?}: {} packets, {bytes} bytes, as directly", found.len());
    }
}

/// Thousands of messages of all sizes, each once and in order.
#[tokio::test]
async fn many_messages_each_once_and_in_order() {
    let _turn = alone().await;
    let brokers = Mosquitto::start_each("a").await;
    let isobar = Isobar::over(&brokers).await;
    for version in VERSIONS {
        let mut sub = Client::connected(isobar.addr(), &Connect::new(version, "sub")).await;
        let mut publisher = Client::connected(isobar.addr(), &Connect::new(version, "pub")).await;
        let times = if long() { 20 } else { 1 };
        for (qos, messages) in [(0, 3_000_usize), (1, 500), (2, 500)] {
            let messages = messages * times;
            sub.subscribe(&format!("many/{qos}"), qos).await;
            let sending = async {
                for n in 0..messages {
                    let mut payload = n.to_be_bytes().to_vec();
                    payload.resize(8 + (n * 7_919) % 3_000, n as u8);
                    publisher.publish(&format!("many/{qos}"), &payload, qos).await;
                }
            };
            let receiving = async {
                for n in 0..messages {
                    let got = sub.next_publish(PATIENCE).await.expect("a message");
                    assert_eq!(got.payload[..8], n.to_be_bytes(), "in order, none lost");
                    assert_eq!(got.payload.len(), 8 + (n * 7_919) % 3_000);
                    assert!(!got.dup);
                }
            };
            tokio::join!(sending, receiving);
            // Whatever belongs to the last exchange may still come, but no message.
            sub.send(&[0xc0, 0]).await.expect("PINGREQ");
            loop {
                let packet = sub.read().await.expect("PINGRESP");
                assert_ne!(packet.kind(), kind::PUBLISH, "one too many");
                if packet.kind() == kind::PINGRESP {
                    break;
                }
            }
            println!("{version:?}: {messages} messages of QoS {qos}, each once");
        }
        publisher.disconnect().await;
        sub.disconnect().await;
    }
    assert_eq!(num(&isobar.service().await, "/retries"), 0);
    isobar.wait_flows(0).await;
    let lines = isobar.log().matching(|l| l.contains(" -- "));
    assert_eq!(lines.len(), 6, "six clients left in order: {:?}", isobar.log().all());
}
