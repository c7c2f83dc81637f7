//! Item 12: PROXY protocol to the brokers, read by an HAProxy that insists on it.

use crate::harness::*;

async fn behind_haproxy(version: &str, mode: &str) {
    let brokers = Mosquitto::start_each("a").await;
    let lines = [
        "log-format \"PP %ci:%cp %fi:%fp %ts\"".to_owned(),
        format!("server a {}", brokers[0].addr),
    ];
    let haproxy = Haproxy::start("reader", "accept-proxy", &lines).await;
    let check = if mode == "mqtt" { "mqtt" } else { "tcp" };
    let broker = Broker::at("a", haproxy.addr).check(check).set("send_proxy", version);
    let service = Service::new("mqtt").also_bind().set("mode", mode).broker(broker);
    let isobar = Node::new(service).start().await;
    for bind in isobar.binds(0) {
        for source in ["127.0.0.77", "127.3.2.1"] {
            let source = source.parse().expect("an address");
            let mut client = Client::open(*bind, Some(source)).await.expect("a listener");
            client.connect(&Connect::v311("through")).await.expect("a CONNACK");
            client.ping().await.expect("PINGRESP");
            let ours = client.local_addr();
            client.disconnect().await;
            let wanted = format!("PP {ours} {bind}");
            eventually(&format!("HAProxy saw {wanted}"), PATIENCE, async || {
                haproxy.log().count(&wanted) == 1
            })
            .await;
            println!("{version}, {mode}: {wanted}");
        }
    }
    // The checks said PROXY as well: HAProxy would have refused them without.
    let report = until("checks have run", PATIENCE, async || {
        let a = isobar.broker("a").await;
        (num(&a, "/checks_total") >= 5).then_some(a)
    })
    .await;
    assert_eq!(text(&report, "/state"), "up");
    assert_eq!(num(&report, "/checks_failed"), 0, "{report}");
}

#[tokio::test]
async fn version_1() {
    let _turn = beside().await;
    behind_haproxy("v1", "mqtt").await;
    behind_haproxy("v1", "tcp").await;
}

#[tokio::test]
async fn version_2() {
    let _turn = beside().await;
    behind_haproxy("v2", "mqtt").await;
    behind_haproxy("v2", "tcp").await;
}

/// The proof that the reader insists: without the header nobody gets through.
#[tokio::test]
async fn without_it_haproxy_refuses() {
    let _turn = beside().await;
    let brokers = Mosquitto::start_each("a").await;
    let lines = [format!("server a {}", brokers[0].addr)];
    let haproxy = Haproxy::start("reader", "accept-proxy", &lines).await;
    let mut client = Client::open(haproxy.addr, None).await.expect("a listener");
    assert!(client.connect(&Connect::v311("bare")).await.is_err());
}
