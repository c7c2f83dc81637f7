//! Item 14, first half: one regular expression, written from HAProxy's manual (section 8.2.2),
//! reads HAProxy's log line and ours.

use std::time::Duration;

use regex::Regex;

use crate::harness::*;

/// Field by field as the manual lists them:
/// `%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq`.
/// Field 1, process name and pid, is the syslog header's, which a log to standard output lacks.
fn manual() -> Regex {
    Regex::new(concat!(
        r"^(?:(?P<process_name>[^\[\s]+)\[(?P<pid>\d+)\]: )?",
        r"(?P<client_ip>[0-9a-fA-F.:]+):(?P<client_port>\d+) ",
        r"\[(?P<accept_date>\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2}\.\d{3})\] ",
        r"(?P<frontend_name>\S+) ",
        r"(?P<backend_name>[^/\s]+)/(?P<server_name>\S+) ",
        r"(?P<Tw>-1|\d+)/(?P<Tc>-1|\d+)/(?P<Tt>\+?\d+) ",
        r"(?P<bytes_read>\+?\d+) ",
        r"(?P<termination_state>[CSPLRIDUKTOcs-][RQCHDLT-]) ",
        r"(?P<actconn>\d+)/(?P<feconn>\d+)/(?P<beconn>\d+)/(?P<srv_conn>\d+)/(?P<retries>\+?\d+) ",
        r"(?P<srv_queue>\d+)/(?P<backend_queue>\d+)$",
    ))
    .expect("a regular expression")
}

/// A client that is there for a moment, subscribes, and leaves: its address, and the bytes
/// that it received.
async fn visit(addr: std::net::SocketAddr) -> (std::net::SocketAddr, u64) {
    let mut client = Client::connected(addr, &Connect::v311("visitor-with-a-name")).await;
    client.subscribe("t", 0).await;
    client.publish("t", &[b'x'; 1_000], 0).await;
    let publish = client.expect(kind::PUBLISH).await;
    client.ping().await.expect("PINGRESP");
    tokio::time::sleep(Duration::from_millis(150)).await;
    let ours = client.local_addr();
    client.disconnect().await;
    // CONNACK 4, SUBACK 5, the PUBLISH, PINGRESP 2.
    (ours, 4 + 5 + publish.encode().len() as u64 + 2)
}

#[tokio::test]
async fn one_expression_reads_both_logs() {
    let _turn = beside().await;
    let brokers = Mosquitto::start_each("a").await;
    let mut lines = vec!["option tcplog".to_owned()];
    lines.extend(brokers.iter().map(|b| format!("server {} {}", b.name, b.addr)));
    let haproxy = Haproxy::start("mqtt", "", &lines).await;
    let isobar = Isobar::over(&brokers).await;
    let expression = manual();
    let mut found = Vec::new();
    for (who, addr, log) in
        [("haproxy", haproxy.addr, haproxy.log()), ("isobar", isobar.addr(), isobar.log())]
    {
        let (client, bytes) = visit(addr).await;
        let line = until(&format!("{who}'s line"), PATIENCE, async || {
            log.matching(|l| l.contains(&format!("{client} "))).pop()
        })
        .await;
        println!("{who}: {line}");
        let fields = expression.captures(&line).unwrap_or_else(|| panic!("{who}: {line}"));
        for name in expression.capture_names().flatten() {
            println!("    {name:18} {}", fields.name(name).map_or("", |m| m.as_str()));
        }
        assert_eq!(fields["client_ip"], client.ip().to_string());
        assert_eq!(fields["client_port"], client.port().to_string());
        assert_eq!(&fields["frontend_name"], "mqtt");
        assert_eq!((&fields["backend_name"], &fields["server_name"]), ("mqtt", "a"));
        assert_eq!(fields["bytes_read"], bytes.to_string(), "what the client received");
        assert_eq!(&fields["termination_state"], "--");
        assert_eq!(&fields["retries"], "0");
        let times = ["Tw", "Tc", "Tt"].map(|t| fields[t].parse::<u64>().expect("milliseconds"));
        assert!(times[0] < 100 && times[1] < 100 && (150..2_000).contains(&times[2]), "{times:?}");
        assert!(!line.contains("visitor-with-a-name"), "client ids stay out of the log");
        found.push(fields["accept_date"].to_owned());
    }
    println!("accept dates: {found:?}");
}

/// Lines of what goes wrong are read as well, and say so.
#[tokio::test]
async fn endings_in_the_log() {
    let _turn = beside().await;
    let mut brokers = Mosquitto::start_each("ab").await;
    let service = Service::over(&brokers).set("opening_timeout", "1s");
    let isobar = Node::new(service).start().await;
    let expression = manual();
    let open = async || Client::open(isobar.addr(), None).await.expect("a listener");
    let mut wanted = Vec::new();

    // Vanished in the middle.
    let client = Client::connected(isobar.addr(), &Connect::v311("x")).await;
    wanted.push((client.local_addr(), "CD", true));
    client.vanish();
    // Never finished its CONNECT.
    let mut client = open().await;
    wanted.push((client.local_addr(), "cR", false));
    client.send(&[0x10, 20, 0]).await.expect("sent");
    let _ = client.read_to_end(Duration::from_secs(5)).await;
    // Left before it was finished.
    let mut client = open().await;
    wanted.push((client.local_addr(), "CR", false));
    client.send(&[0x10, 20, 0]).await.expect("sent");
    client.close();
    // Not MQTT.
    let mut client = open().await;
    wanted.push((client.local_addr(), "PR", false));
    client.send(b"GET / HTTP/1.1\r\n\r\n").await.expect("sent");
    let _ = client.read_raw(Duration::from_secs(5)).await;
    // Its broker died.
    let mut doomed = Client::connected(isobar.addr(), &Connect::v311("y")).await;
    wanted.push((doomed.local_addr(), "SD", true));
    for broker in &mut brokers {
        broker.kill().await;
    }
    let _ = doomed.read_to_end(Duration::from_secs(5)).await;
    drop(doomed);
    // No broker left.
    isobar.wait_state("a", "down", Duration::from_secs(10)).await;
    isobar.wait_state("b", "down", Duration::from_secs(10)).await;
    let mut client = open().await;
    let refused = client.connect(&Connect::v311("z")).await.expect("a CONNACK");
    assert_eq!(refused.code, 3);
    let rejected = client.local_addr();
    drop(client);

    for (addr, ending, on_broker) in wanted {
        let line = isobar.line_of(addr).await;
        println!("{line}");
        let fields = expression.captures(&line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(&fields["termination_state"], ending, "{line}");
        assert_eq!(&fields["server_name"] != "<NOSRV>", on_broker, "{line}");
        if !on_broker {
            assert_eq!((&fields["Tw"], &fields["Tc"]), ("-1", "-1"), "{line}");
        }
    }
    let line = isobar.line_of(rejected).await;
    println!("{line}");
    let fields = expression.captures(&line).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(&fields["server_name"], "<NOSRV>");
    assert_ne!(&fields["termination_state"], "--");
}

#[tokio::test]
async fn json_lines() {
    let _turn = beside().await;
    let brokers = Mosquitto::start_each("a").await;
    let isobar = Node::new(Service::over(&brokers).set("log", "json")).start().await;
    let (client, bytes) = visit(isobar.addr()).await;
    let needle = client.port().to_string();
    let line =
        until("a line", PATIENCE, async || isobar.log().matching(|l| l.contains(&needle)).pop())
            .await;
    println!("{line}");
    let value: serde_json::Value = serde_json::from_str(&line).expect("one JSON object a line");
    let flat = value.to_string();
    assert!(flat.contains("--") && flat.contains(&bytes.to_string()), "{flat}");
    assert!(flat.contains("\"mqtt\"") && flat.contains("\"a\""), "service and broker: {flat}");
    assert!(!flat.contains("visitor-with-a-name"));

    let isobar = Node::new(Service::over(&brokers).set("log", "off")).start().await;
    visit(isobar.addr()).await;
    isobar.wait_flows(0).await;
    assert_eq!(isobar.log().all(), Vec::<String>::new(), "off is off");
}
