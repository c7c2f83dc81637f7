//! Item 13: the configuration that replaces the HAProxy section, run on test addresses.

use std::net::SocketAddr;

use crate::harness::*;

const TOKEN: &str = "a-token-for-the-test";

/// The value of the first `key = "…"` from `from` on, with its place.
fn quoted<'a>(text: &'a str, after: &str, from: usize) -> Option<(usize, &'a str)> {
    let at = from + text[from..].find(after)? + after.len();
    let end = at + text[at..].find('"')?;
    Some((at, &text[at..end]))
}

/// The example with its four addresses replaced, and where it listens then.
fn on_test_addresses(brokers: &[Mosquitto]) -> (String, Vec<SocketAddr>, SocketAddr, String) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/haproxy-equivalent.toml");
    let mut text = std::fs::read_to_string(path).expect("configs/haproxy-equivalent.toml");
    let binds = vec![free_addr(), free_addr()];
    let admin = free_addr();
    for (published, ours) in
        [("0.0.0.0:1883", binds[0]), ("0.0.0.0:1884", binds[1]), ("0.0.0.0:1936", admin)]
    {
        let found = format!("\"{published}\"");
        assert_eq!(text.matches(&found).count(), 1, "{published} in {text}");
        text = text.replace(&found, &format!("\"{ours}\""));
    }
    let mut from = 0;
    for broker in brokers {
        let (at, addr) = quoted(&text, "addr = \"", from).expect("two brokers");
        let end = at + addr.len();
        text.replace_range(at..end, &broker.addr.to_string());
        from = at;
    }
    assert_eq!(quoted(&text, "addr = \"", from + 1), None, "no third broker");
    let (_, token_file) = quoted(&text, "token_file = \"", 0).expect("a token file");
    let token_file = token_file.to_owned();
    text = text.replace(&format!("\"{token_file}\""), "\"admin.token\"");
    (text, binds, admin, token_file)
}

#[tokio::test]
async fn runs_end_to_end() {
    let _turn = alone().await;
    let mut brokers = Mosquitto::start_each("ab").await;
    let (config, binds, admin, _) = on_test_addresses(&brokers);
    for wanted in ["mode = \"tcp\"", "leastconn", "redispatch", "200_000", "1024-65535", "tcplog"] {
        assert!(config.contains(wanted), "{wanted} in {config}");
    }
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("admin.token"), format!("{TOKEN}\n")).expect("writable");
    let mut isobar = Isobar::launch_in(dir, &config, vec![binds.clone()], admin);
    isobar.admin_headers = format!("Authorization: Bearer {TOKEN}\r\n");
    isobar.wait_ready().await;

    // The page is for those who have the token.
    let headers = std::mem::take(&mut isobar.admin_headers);
    for path in ["/", "/metrics", "/v1/report"] {
        assert_eq!(isobar.get(path).await.status, 401, "{path} without a token");
    }
    isobar.admin_headers = headers;
    assert_eq!(isobar.get("/").await.status, 200);

    // maxconn 200,000 is more than two descriptors a flow allow here: capped, and said so.
    let report = isobar.report().await;
    let limit = num(&report, "/flows/limit");
    println!("maxconn {} capped to {limit}", num(&report, "/maxconn_wanted"));
    if limit < 200_000 {
        let said = until("the cap is said at start", PATIENCE, async || {
            let said = isobar.stderr().matching(|l| l.contains("maxconn is capped"));
            (!said.is_empty()).then_some(said)
        });
        println!("{:#?}", said.await);
    }

    let storm = Storm::new(binds[0], 1_000).also(binds[1]).rate(400.0);
    let outcomes = storm.run().await;
    println!("{}", outcomes.summary());
    outcomes.assert_all_accepted();
    assert_eq!(isobar.spread().await, [500, 500]);
    for broker in &brokers {
        // Ports chosen by us, from the whole range that `source` gives.
        let ports: Vec<u16> = broker
            .log()
            .matching(|l| l.contains("New client connected") && l.contains("storm-"))
            .iter()
            .map(|l| {
                let from = l.split(" from ").nth(1).expect("an address");
                let addr = from.split_whitespace().next().expect("an address");
                addr.rsplit(':').next().and_then(|p| p.parse().ok()).expect("a port")
            })
            .collect();
        let (low, high) = (ports.iter().min(), ports.iter().max());
        println!("{}: {} connections from ports {low:?} to {high:?}", broker.name, ports.len());
        assert_eq!(ports.len(), 500);
        assert!(ports.iter().all(|p| *p >= 1_024));
    }

    // A dead broker: redispatch, as HAProxy does it.
    brokers[0].kill().await;
    let after = Storm::new(binds[0], 200).also(binds[1]).run().await;
    println!("one broker killed: {}", after.summary());
    after.assert_all_accepted();
    let service = isobar.service().await;
    println!("retries {}, redispatches {}", service["retries"], service["redispatches"]);
    drop((outcomes, after));
    isobar.wait_flows(0).await;
    eventually("a log line each", PATIENCE, async || isobar.log().all().len() == 1_200).await;
}
