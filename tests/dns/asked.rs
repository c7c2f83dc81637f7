//! Operators ask what a client would be told and why, and outside checkers how the site is.

use std::process::Command;

use crate::harness::*;
use crate::{ZONE, alone_over};

fn isobar(admin: std::net::SocketAddr, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(binary());
    let output = command
        .args(words)
        .arg("--admin")
        .arg(format!("http://{admin}"))
        .output()
        .expect("isobar runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn what_a_client_would_be_told_is_explained_site_by_site() {
    let _turn = beside().await;
    let mosquittos = [Mosquitto::start("a").await];
    let (node, _) = alone_over(&mosquittos, "").await;
    let ip = node.addr().ip().to_string();
    let (ok, told) = isobar(node.admin, &["dns", "ask", ZONE, "--from", "203.0.113.20"]);
    assert!(ok, "{told}");
    assert!(told.contains(&ip) && told.contains("near_home"), "{told}");
    let (ok, told) =
        isobar(node.admin, &["dns", "ask", ZONE, "--from", "203.0.113.0/24", "-o", "json"]);
    assert!(ok, "{told}");
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((text(&json, "/sites/0/site"), text(&json, "/records/0/data")), ("test".into(), ip));
    let (ok, told) = isobar(node.admin, &["dns", "ask", "x.example", "--from", "203.0.113.20"]);
    assert!(!ok && told.contains(ZONE), "{told}");
    for wrong in ["203.0.113.256", "203.0.113.0/33", "fra"] {
        let (ok, told) = isobar(node.admin, &["dns", "ask", ZONE, "--from", wrong]);
        assert!(!ok && told.contains("such as 203.0.113.20"), "{told}");
    }
}

#[tokio::test]
async fn the_wanted_records_are_a_zone_that_a_name_server_takes() {
    let _turn = beside().await;
    let mosquittos = [Mosquitto::start("a").await];
    let service = Service::over(&mosquittos).raw(
        "public = [\"203.0.113.10:1883\", \"[2001:db8::10]:1883\", { addr = \"203.0.113.10:8883\", \
         tls_name = \"m.example\" }]",
    );
    // Without a server of its own: the zone is kept elsewhere.
    let node = Node::new(service).table(&format!("[entry.dns]\nzone = \"{ZONE}\"\n")).start().await;
    let records = async || isobar(node.admin, &["dns", "records"]).1;
    let zone = until("records", PATIENCE, async || {
        let zone = records().await;
        zone.contains("203.0.113.10").then_some(zone)
    })
    .await;
    println!("{zone}");
    for wanted in [
        "m.example. 30 IN A 203.0.113.10",
        "m.example. 30 IN AAAA 2001:db8::10",
        "_secure-mqtt._tcp.m.example. 30 IN SRV 0 1 8883 v4-203-0-113-10.m.example.",
        "v4-203-0-113-10.m.example. 30 IN A 203.0.113.10",
    ] {
        assert!(zone.contains(wanted), "{wanted} is missing in\n{zone}");
    }
    // What a name server makes of it.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("zone");
    let soa = format!(
        "{ZONE}. 3600 IN SOA ns.example. x.example. 1 2 3 4 5\n{ZONE}. IN NS ns.example.\n"
    );
    std::fs::write(&file, soa + &zone).unwrap();
    let checked = run("nsd-checkzone", &[ZONE, file.to_str().unwrap()]).await;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("is ok"), "{said}\n{zone}");
    let (ok, json) = isobar(node.admin, &["dns", "records", "-o", "json"]);
    assert!(ok, "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["records"].as_array().unwrap().len() >= 6, "{json}");
}

#[tokio::test]
async fn outside_checkers_see_the_site_and_not_the_node() {
    let _turn = beside().await;
    let mut mosquitto = Mosquitto::start("a").await;
    let service = Service::new("mqtt").broker(Broker::of(&mosquitto));
    let mut node = Node::new(service).start().await;
    node.wait_ready().await;
    let health = async || node.get("/health/site").await;
    eventually("the site is well", PATIENCE, async || health().await.status == 200).await;
    assert_eq!(node.get("/health/site?service=mqtt").await.status, 200);
    assert_eq!(node.get("/health/site?service=none").await.status, 404);
    mosquitto.kill().await;
    eventually("the site is not", PATIENCE, async || health().await.status == 503).await;
    assert!(health().await.body.contains("no_broker"), "{}", health().await.body);
    mosquitto.restart().await;
    eventually("the site is well again", PATIENCE, async || health().await.status == 200).await;
}
