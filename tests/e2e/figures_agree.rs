//! Item 14, second half: page, status and metrics say what the brokers' own `$SYS` says, less
//! the probes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::*;

/// The samples of a Prometheus text, by name and labels as written.
fn samples(metrics: &str) -> BTreeMap<String, f64> {
    let lines = metrics.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("name and value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

/// The sample of a broker whose name begins with `name`, whatever the order of its labels.
fn broker_sample(samples: &BTreeMap<String, f64>, name: &str, broker: &str) -> f64 {
    let label = format!("broker=\"{broker}\"");
    let mut found =
        samples.iter().filter(|(k, _)| k.starts_with(&format!("{name}{{")) && k.contains(&label));
    let (_, value) = found.next().unwrap_or_else(|| panic!("{name} of {broker}: {samples:#?}"));
    assert!(found.next().is_none(), "one sample of {name} for {broker}");
    *value
}

fn promtool(metrics: &str) {
    let mut child = Command::new(find_program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(metrics.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "promtool: {said}");
}

/// The rows of all tables of a page, cell by cell, without their markup.
fn table_rows(html: &str) -> Vec<Vec<String>> {
    let tag = regex::Regex::new(r"<[^>]*>").expect("an expression");
    let cell = regex::Regex::new(r"(?s)<t[hd][ >].*?</t[hd]>").expect("an expression");
    html.split("<tr")
        .skip(1)
        .map(|row| {
            let row = row.split("</tr>").next().expect("always one");
            cell.find_iter(row)
                .map(|c| {
                    let text = tag.replace_all(c.as_str(), " ").into_owned();
                    text.split_whitespace().collect::<Vec<_>>().join(" ")
                })
                .collect()
        })
        .collect()
}

/// Whether `wanted` stand in the row in this order, others between them.
fn in_order(row: &[String], wanted: &[String]) -> bool {
    let mut cells = row.iter();
    wanted.iter().all(|w| cells.any(|c| c.split(' ').any(|word| word == w)))
}

/// `isobar status` for this node.
fn status(isobar: &Isobar, further: &[&str]) -> String {
    let output = Command::new(binary())
        .args(["status", "--admin", &isobar.admin.to_string()])
        .args(further)
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test]
async fn page_status_metrics_and_sys_agree() {
    let _turn = alone().await;
    let mosquittos = Mosquitto::start_each("abc").await;
    let isobar = Isobar::over(&mosquittos).await;
    let outcomes = Storm::new(isobar.addr(), 333).run().await;
    outcomes.assert_all_accepted();
    // Some have left again, and one was never a client.
    let mut clients = outcomes.into_clients();
    for client in clients.drain(..33) {
        client.disconnect().await;
    }
    let mut junk = Client::open(isobar.addr(), None).await.expect("a listener");
    junk.send(b"junk junk junk").await.expect("sent");
    let _ = junk.read_to_end_raw().await;
    // Bytes that everybody counts: 20 messages of 1,000 bytes, each to its own sender.
    for client in &mut clients[..20] {
        let topic = format!("own/{}", client.local_addr().port());
        client.subscribe(&topic, 0).await;
        client.publish(&topic, &[b'x'; 1_000], 0).await;
        client.expect(kind::PUBLISH).await;
    }
    isobar.wait_flows(300).await;
    // Rates of a whole second ago must be over, so that two reads see the same.
    tokio::time::sleep(Duration::from_millis(2_100)).await;

    let report = isobar.report().await;
    let service = &report["services"][0];
    let metrics = isobar.metrics().await;
    promtool(&metrics);
    let samples = samples(&metrics);
    let page = isobar.get("/").await;
    assert!(page.head.to_lowercase().contains("content-type: text/html"), "{}", page.head);
    let rows = table_rows(&page.body);
    let on_terminal = status(&isobar, &[]);
    println!("{on_terminal}");
    let as_json: Value = serde_json::from_str(&status(&isobar, &["-o", "json"])).expect("JSON");

    for (i, mosquitto) in mosquittos.iter().enumerate() {
        let name = mosquitto.name.as_str();
        let b = broker(service, name);
        let current = num(&b, "/flows/current");
        // The broker's own count: its flows and the probe.
        mosquitto.wait_connected(u32::try_from(current).expect("few") + 1).await;
        let sample = |metric: &str| broker_sample(&samples, metric, name);
        assert_eq!(sample("isobar_broker_flows_current"), current as f64);
        assert_eq!(sample("isobar_broker_flows_total"), num(&b, "/flows/total") as f64);
        assert_eq!(sample("isobar_broker_in_bytes_total"), num(&b, "/traffic/in_bytes") as f64);
        assert_eq!(sample("isobar_broker_out_bytes_total"), num(&b, "/traffic/out_bytes") as f64);
        let json = &as_json["services"][0]["brokers"][i];
        for pointer in ["/flows/current", "/flows/max", "/flows/total", "/traffic/in_bytes"] {
            assert_eq!(json.pointer(pointer), b.pointer(pointer), "{name} {pointer} in status");
        }
        let wanted =
            ["/flows/current", "/flows/max", "/flows/total"].map(|p| num(&b, p).to_string());
        let row =
            rows.iter().find(|r| r.iter().any(|c| c == name || c.split(' ').any(|w| w == name)));
        let row = row.unwrap_or_else(|| panic!("no row of {name} in {rows:#?}"));
        println!("page, {name}: {row:?}");
        assert!(in_order(row, &wanted), "{wanted:?} in {row:?}");
        let line = on_terminal.lines().find(|l| l.split_whitespace().any(|w| w == name));
        let line = line.unwrap_or_else(|| panic!("no line of {name} in {on_terminal}"));
        assert!(line.split_whitespace().any(|w| w == current.to_string()), "{current} in {line}");
    }
    let sum = |pointer: &str| brokers(service).iter().map(|b| num(b, pointer)).sum::<u64>();
    assert_eq!(sum("/flows/current"), 300);
    assert_eq!(sum("/flows/total"), 333);
    assert_eq!(num(service, "/flows/current"), 300);
    assert_eq!(num(service, "/flows/total"), 333);
    assert_eq!(num(service, "/listeners/0/flows/total"), 334, "the junk was accepted, not placed");
    assert_eq!(num(service, "/listeners/0/bad_openings"), 1);
    assert_eq!(num(service, "/connack/count"), 333);
    // One hold in 64, of several a client; probes and reports take the lock too.
    let holds = num(service, "/lock_hold/count");
    assert!(holds > 333 / 64, "{holds} holds of the lock were measured");
    let sample =
        samples.iter().find(|(k, _)| k.starts_with("isobar_service_lock_hold_seconds_count{"));
    assert!(sample.is_some_and(|(_, count)| *count >= holds as f64), "{sample:?} and {holds}");
    assert!(sum("/traffic/in_bytes") >= 20_000 && sum("/traffic/out_bytes") >= 20_000);
    assert_eq!(sum("/traffic/in_bytes"), num(service, "/traffic/in_bytes"));
    assert_eq!(counted(service, "/endings", "--"), 33, "{}", service["endings"]);
    // No client id anywhere.
    for text in [&metrics, &page.body, &on_terminal, &report.to_string()] {
        assert!(!text.contains("storm-"), "a client id: {text}");
    }
}

/// Full and down, as all of them show it.
#[tokio::test]
async fn states_agree() {
    let _turn = beside().await;
    let a = Mosquitto::builder("a").max_connections(5).start().await;
    let mut b = Mosquitto::start("b").await;
    let c = Mosquitto::start("c").await;
    let service =
        [&a, &b, &c].into_iter().fold(Service::new("mqtt"), |s, m| s.broker(Broker::of(m)));
    let isobar = Node::new(service).start().await;
    // One at a time: mosquitto lets a burst in beyond its limit.
    let outcomes = Storm::new(isobar.addr(), 60).concurrency(1).run().await;
    outcomes.assert_all_accepted();
    isobar.wait_state("a", "full", Duration::from_secs(10)).await;
    b.kill().await;
    isobar.wait_state("b", "down", Duration::from_secs(10)).await;
    let metrics = isobar.metrics().await;
    promtool(&metrics);
    let page = table_rows(&isobar.get("/").await.body);
    let on_terminal = status(&isobar, &[]);
    println!("{on_terminal}");
    for (name, state) in [("a", "full"), ("b", "down"), ("c", "up")] {
        let sample = metrics.lines().find(|l| {
            l.starts_with("isobar_broker_state{")
                && l.contains(&format!("broker=\"{name}\""))
                && l.contains(&format!("state=\"{state}\""))
        });
        assert!(sample.is_some_and(|l| l.ends_with(" 1")), "{name} {state}: {sample:?}");
        let word = state.to_uppercase();
        let has = |cells: &[String]| {
            let words: Vec<&str> = cells.iter().flat_map(|c| c.split(' ')).collect();
            words.contains(&name) && words.contains(&word.as_str())
        };
        assert!(page.iter().any(|row| has(row)), "{name} {word}: {page:#?}");
        let line = on_terminal.lines().find(|l| l.split_whitespace().any(|w| w == name));
        assert!(line.is_some_and(|l| l.contains(&word)), "{name} {word} in {on_terminal}");
    }
    drop(outcomes);
}

/// Screenshots at two widths, for a person to look at; that they are not blank is checked here.
#[tokio::test]
async fn screenshots_of_the_page() {
    let _turn = alone().await;
    let a = Mosquitto::builder("a").max_connections(20).start().await;
    let mut b = Mosquitto::start("b").await;
    let c = Mosquitto::start("c").await;
    let service =
        [&a, &b, &c].into_iter().fold(Service::new("mqtt"), |s, m| s.broker(Broker::of(m)));
    let isobar = Node::new(service.also_bind()).start().await;
    let outcomes =
        Storm::new(isobar.addr(), 400).also(isobar.binds(0)[1]).concurrency(1).run().await;
    outcomes.assert_all_accepted();
    b.kill().await;
    isobar.wait_state("b", "down", Duration::from_secs(10)).await;
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (width, height) in [(1_280, 1_400), (390, 2_400)] {
        let file = dir.join(format!("page-{width}.png"));
        let _ = std::fs::remove_file(&file);
        let profile = tempfile::tempdir().expect("a directory");
        let mut chromium = Proc::spawn(
            "chromium",
            &find_program("chromium"),
            &[
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                &format!("--user-data-dir={}", profile.path().display()),
                &format!("--window-size={width},{height}"),
                &format!("--screenshot={}", file.display()),
                "--timeout=10000",
                &format!("http://{}/", isobar.admin),
            ],
        );
        chromium.wait_exit(Duration::from_secs(90)).await;
        let png = std::fs::read(&file).expect("chromium wrote a screenshot");
        let size = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
        println!("{}: {} x {}, {} bytes", file.display(), size(16), size(20), png.len());
        assert_eq!(size(16), width);
        assert!(png.len() > 20_000, "a blank page compresses to less");
    }
}
