//! Devices ask where to go, with the tools that people have: curl, mosquitto_sub, a shell.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::harness::*;

/// Bounds every tool.
const TOOL: Duration = Duration::from_secs(20);

/// Runs a line in a shell, bounded in time.
async fn shell(line: String) -> Output {
    let run = move || {
        let seconds = TOOL.as_secs().to_string();
        Command::new("timeout").args([&seconds, "sh", "-c", &line]).output().expect("a shell")
    };
    tokio::task::spawn_blocking(run).await.expect("it does not panic")
}

/// What it printed, where it went well.
async fn printed(line: String) -> String {
    let ran = shell(line.clone()).await;
    let (said, complained) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{line}: {}\n{said}\n{complained}", ran.status);
    said.into_owned()
}

/// A node over one mosquitto, with an endpoint for provisioning.
struct Desk {
    mosquitto: Mosquitto,
    node: Isobar,
    at: SocketAddr,
}

impl Desk {
    async fn open(more: &str) -> Desk {
        Desk::with(more, |service| service).await
    }

    async fn with(more: &str, change: impl FnOnce(Service) -> Service) -> Desk {
        let mosquitto = Mosquitto::start("serv1").await;
        let at = free_addr();
        let service = change(Service::over(std::slice::from_ref(&mosquitto)));
        let table = format!("[entry.provision]\nbind = \"{at}\"\n{more}");
        let node = Node::new(service).table(&table).start().await;
        let desk = Desk { mosquitto, node, at };
        desk.answers(200).await;
        desk
    }

    fn url(&self, query: &str) -> String {
        format!("'http://{}/v1/provision?{query}'", self.at)
    }

    /// Waits until a plain question is answered so.
    async fn answers(&self, status: u16) {
        let ask = format!("curl -s -o /dev/null -w '%{{http_code}}' {}", self.url("client_id=a"));
        eventually(&format!("provisioning answers {status}"), PATIENCE, async || {
            let said = shell(ask.clone()).await;
            String::from_utf8_lossy(&said.stdout) == status.to_string()
        })
        .await;
    }
}

/// Status, head and body of a question by curl, with more arguments.
async fn asked(url: &str, arguments: &str) -> (u16, String, String) {
    let said = printed(format!("curl -si {arguments} {url}")).await;
    let (head, body) = said.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_owned(), body.to_owned())
}

fn header(head: &str, wanted: &str) -> Option<String> {
    let mut pairs = head.lines().filter_map(|line| line.split_once(": "));
    pairs.find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then(|| value.to_owned()))
}

#[tokio::test]
async fn the_answer_names_the_site_and_a_client_keeps_it() {
    let desk = Desk::open("").await;
    let url = desk.url("client_id=sensor-1&proto=mqtt");
    let (status, head, body) = asked(&url, "").await;
    println!("{head}\n{body}");
    assert_eq!(status, 200);
    let told: Value = serde_json::from_str(&body).expect("JSON");
    let listens = desk.node.addr();
    assert_eq!(text(&told, "/endpoints/0/url"), format!("mqtt://{listens}"));
    assert_eq!(text(&told, "/endpoints/0/site"), "test");
    assert_eq!(num(&told, "/endpoints/0/rank"), 0);
    assert!(num(&told, "/ttl") >= 1 && num(&told, "/generation") >= 1);
    assert!((1..=3).contains(&num(&told, "/retry_after")), "in calm");
    let max_age = format!("private, max-age={}", num(&told, "/ttl"));
    assert_eq!(header(&head, "cache-control"), Some(max_age));
    assert_eq!(header(&head, "content-type").as_deref(), Some("application/json"));

    let tag = header(&head, "etag").expect("it has a tag");
    let kept = format!("-H 'If-None-Match: {tag}'");
    let (status, head, body) = asked(&url, &kept).await;
    assert_eq!((status, body.as_str()), (304, ""), "{head}");
    assert_eq!(header(&head, "etag"), Some(tag));
    assert!(header(&head, "cache-control").is_some_and(|kept| kept.contains("max-age=")));
    let (status, ..) = asked(&url, "-H 'If-None-Match: \"other\"'").await;
    assert_eq!(status, 200);
    let (status, _, body) = asked(&url, "--head").await;
    assert_eq!((status, body.as_str()), (200, ""));
}

#[tokio::test]
async fn mosquitto_sub_connects_with_the_arguments_that_it_is_given() {
    let desk = Desk::open("").await;
    let ask = format!("$(curl -s {})", desk.url("client_id=it%27s+me&format=mosquitto"));
    let line = printed(format!("echo {ask}")).await;
    println!("mosquitto_sub {line}");
    let publish = async {
        eventually("the subscriber is there", PATIENCE, async || {
            took(&desk.mosquitto, "it's").len() == 1
        })
        .await;
        // It subscribes right after it is accepted; the message is kept for it.
        let mut client = Client::connected(desk.mosquitto.addr, &Connect::v311("publisher")).await;
        let opts = PublishOpts { retain: true, ..PublishOpts::default() };
        client.publish_with("greeting", b"welcome", &opts).await;
        client.disconnect().await;
    };
    let subscribe = printed(format!("eval mosquitto_sub \"{ask}\" -t greeting -C 1 -W 10"));
    let (said, ()) = tokio::join!(subscribe, publish);
    assert_eq!(said.trim(), "welcome");
    let urls = printed(format!("curl -s {}", desk.url("client_id=a&format=url"))).await;
    assert_eq!(urls, format!("mqtt://{}\n", desk.node.addr()));
}

/// TLS passed through in mode tcp to a mosquitto that has the certificate.
#[tokio::test]
async fn and_over_tls_where_a_public_address_says_so() {
    let certified = Certified::make();
    let tls = |name: &str, file: &str| format!("{name} {}", certified.path(file).display());
    let mosquitto = Mosquitto::builder("serv1")
        .front_line(&tls("certfile", "edge.pem"))
        .front_line(&tls("keyfile", "edge.key"))
        .start()
        .await;
    let at = free_addr();
    let binds = free_addr_of_localhost();
    let public = format!("public = [{{ addr = \"{binds}\", tls_name = \"localhost\" }}]");
    let service = Service::new("mqtts")
        .bind_at(&[binds])
        .raw("mode = \"tcp\"")
        .raw(&public)
        .broker(Broker::of(&mosquitto).check("tcp"));
    let table =
        format!("[entry.provision]\nbind = \"{at}\"\ntls = \"edge\"\n{}", certified.table());
    let _node = Node::new(service).table(&table).start().await;
    let ca = certified.path("ca.pem").display().to_string();
    // The endpoint itself is named by an address that the certificate has not.
    let curl = format!("curl -s --cacert {ca} --connect-to localhost:{}:{at}", at.port());
    let url = |query: &str| format!("'https://localhost:{}/v1/provision?{query}'", at.port());
    let mqtts = url("client_id=sensor-1&proto=mqtts");
    eventually("it is answered over TLS", PATIENCE, async || {
        let said = shell(format!("{curl} {mqtts}")).await;
        String::from_utf8_lossy(&said.stdout).contains("\"tls_name\":\"localhost\"")
    })
    .await;
    println!("{}", printed(format!("{curl} {mqtts}")).await);
    let plain = shell(format!("{curl} -f {}", url("client_id=sensor-1"))).await;
    assert!(!plain.status.success(), "no site has an address without TLS");
    let arguments = format!("$({curl} {})", url("client_id=sensor-1&proto=mqtts&format=mosquitto"));
    println!("mosquitto_sub {}", printed(format!("echo {arguments}")).await);
    let mut publisher = Client::connected(mosquitto.back_door, &Connect::v311("publisher")).await;
    let opts = PublishOpts { retain: true, ..PublishOpts::default() };
    publisher.publish_with("greeting", b"welcome", &opts).await;
    publisher.disconnect().await;
    let line = format!("eval mosquitto_sub \"{arguments}\" --cafile {ca} -t greeting -C 1 -W 10");
    assert_eq!(printed(line).await.trim(), "welcome");
    assert_eq!(took(&mosquitto, "sensor-1").len(), 1);
}

#[tokio::test]
async fn who_asks_wrongly_is_told_what_would_do() {
    let desk = Desk::open("").await;
    for (query, said) in [
        ("", "client_id is missing"),
        ("client_id=", "client_id must be"),
        ("client_id=a&proto=wss", "proto is one of mqtt, mqtts"),
        ("client_id=a&service=other", "there is no service"),
    ] {
        let (status, head, body) = asked(&desk.url(query), "").await;
        assert_eq!(status, 400, "{head}");
        assert!(body.contains(said), "{query}: {body}");
    }
    let base = format!("http://{}", desk.at);
    let (status, _, body) = asked(&format!("{base}/"), "").await;
    assert_eq!((status, body.contains("/v1/provision?")), (404, true), "{body}");
    let (status, head, _) = asked(&desk.url("client_id=a"), "-X POST -d x").await;
    assert_eq!(status, 405);
    assert_eq!(header(&head, "allow").as_deref(), Some("GET, HEAD"));
    let (status, _, body) = asked(&desk.url("client_id=a&proto=mqtts"), "").await;
    assert_eq!((status, body.contains("no site has an address for mqtts")), (503, true), "{body}");
}

#[tokio::test]
async fn where_nobody_can_be_named_a_client_is_told_when_to_ask_again() {
    // What to do when no site is left is said with DNS, and is every answer's rule.
    let more = "[entry.dns]\nall_down = \"servfail\"\n";
    let mut desk = Desk::open(more).await;
    desk.mosquitto.kill().await;
    desk.answers(503).await;
    let (_, head, body) = asked(&desk.url("client_id=sensor-1"), "").await;
    println!("{head}\n{body}");
    let later: u64 = header(&head, "retry-after").expect("it says when").parse().expect("seconds");
    assert!((1..=3).contains(&later));
    assert_eq!(header(&head, "cache-control").as_deref(), Some("no-store"));
    let told: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(num(&told, "/retry_after"), later);
    desk.mosquitto.restart().await;
    desk.answers(200).await;
}

#[tokio::test]
async fn beyond_the_rate_clients_are_sent_away_and_spread() {
    let desk = Desk::with("rate = 20\n", |service| service.set("max_new_per_second", 5_i64)).await;
    let ask = |n: u32| {
        let url = desk.url(&format!("client_id=c{n}"));
        asked_owned(url)
    };
    let mut limited = Vec::new();
    for n in 0..200 {
        let (status, head, _) = ask(n).await;
        match status {
            200 => {}
            429 => limited.push(header(&head, "retry-after").unwrap().parse::<u64>().unwrap()),
            other => panic!("{other}: {head}"),
        }
    }
    assert!(!limited.is_empty(), "nobody was");
    let (least, most) = (limited.iter().min().unwrap(), limited.iter().max().unwrap());
    println!("{} of 200 limited, told to come again in {least} to {most} s", limited.len());
    assert!(*least >= 1 && most > &(least + 5), "they are spread: {limited:?}");
    let counted = metric(&desk.node, "isobar_provision_requests_total", &["reason=\"limited\""]);
    assert!(counted.await >= limited.len() as f64);
}

async fn asked_owned(url: String) -> (u16, String, String) {
    asked(&url, "").await
}

#[tokio::test]
async fn new_certificates_are_shown_after_sighup_and_bad_ones_never() {
    let certified = Certified::make();
    let mosquitto = Mosquitto::start("serv1").await;
    let at = free_addr();
    let table =
        format!("[entry.provision]\nbind = \"{at}\"\ntls = \"edge\"\n{}", certified.table());
    let node = Node::new(Service::over(&[mosquitto])).table(&table).start().await;
    let shown = || async {
        printed(format!(
            "openssl s_client -connect {at} </dev/null 2>/dev/null | openssl x509 -noout -serial"
        ))
        .await
    };
    let first = shown().await;
    certified.renew();
    node.hang_up();
    eventually("the new certificate is shown", PATIENCE, async || shown().await != first).await;
    let second = shown().await;
    let reloads = metric(&node, "isobar_tls_reloads_total", &["table=\"edge\""]).await;
    assert!(reloads >= 1.0);
    let ends = metric(&node, "isobar_tls_certificate_expiry_timestamp_seconds", &[]).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let days = (ends - now.as_secs_f64()) / 86_400.0;
    assert!((399.0..401.0).contains(&days), "{days}");
    // A key that is not the certificate's.
    std::fs::copy(certified.path("ca.key"), certified.path("edge.key")).unwrap();
    node.hang_up();
    eventually("it says so", PATIENCE, async || {
        node.stderr().count("not taken over, what was in force stays") > 0
    })
    .await;
    assert_eq!(shown().await, second);
    assert!(metric(&node, "isobar_tls_stale", &[]).await > 0.5);
}

fn free_addr_of_localhost() -> SocketAddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("it is bound")
}
