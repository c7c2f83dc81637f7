//! The admin address as its users meet it: over loopback, with a token and without.

#![allow(clippy::unwrap_used)] // Helpers of tests panic as tests do.

mod sample;

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use isobar_admin::view::dns::{Question, Told};
use isobar_admin::view::{Events, Report};
use isobar_admin::{Admin, Entry, SiteHealth, serve};
use isobar_core::report::{BrokerState, NodeReport, NodeState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A site that is well for one service, full for another; one name is known.
fn entry() -> Entry {
    let told = |question: &Question| Told {
        name: question.name.clone(),
        kind: question.kind.clone(),
        service: "mqtt".into(),
        from: question.from.clone(),
        policy: "nearest".into(),
        located: false,
        generation: 7,
        rcode: "noerror".into(),
        absence: None,
        ttl_seconds: 30,
        scope: 24,
        records: Vec::new(),
        sites: Vec::new(),
    };
    Entry {
        site: Arc::new(|service| match service {
            None | Some("mqtt") => SiteHealth::Well,
            Some("legacy-tls") => SiteHealth::Ill("no_room"),
            Some(_) => SiteHealth::Unknown,
        }),
        ask: Arc::new(move |question| match &*question.name {
            "m.example" => Ok(told(question)),
            _ => Err("not answered".to_owned()),
        }),
        records: Arc::new(|| Err("no zone is configured".to_owned())),
    }
}

/// Serves until the test's runtime ends.
async fn node(
    source: impl Fn() -> NodeReport + Send + Sync + 'static,
    token: Option<&str>,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (source, events) = (Arc::new(source), Arc::new(sample::events));
    let admin = Admin { source, events, entry: entry(), token: token.map(str::to_owned) };
    tokio::spawn(serve(listener, admin, pending()));
    address
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Vec<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

async fn ask(address: SocketAddr, method: &str, path: &str, extra: &str) -> Answer {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{extra}\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    };
    let text = timeout(Duration::from_secs(10), exchange).await.unwrap().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn every_path_shows_what_it_promises() {
    let address = node(sample::meshed, None).await;
    let table = [
        ("/", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("/fragment", "text/html; charset=utf-8", "<main id=\"live\""),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "# HELP isobar_"),
        ("/v1/report", "application/json", "{\"site\":\"fra\""),
        ("/v1/events", "application/json", "{\"events\":[{\"serial\":7,"),
        ("/health/live", "text/plain; charset=utf-8", "ok"),
        ("/health/ready", "text/plain; charset=utf-8", "ok"),
    ];
    for (path, content_type, start) in table {
        let answer = ask(address, "GET", path, "").await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, vec![content_type]),
            "{path}"
        );
        assert!(answer.body.starts_with(start), "{path}");
        assert_eq!(answer.header("cache-control"), ["no-store"], "{path}");
        assert_eq!(answer.header("x-content-type-options"), ["nosniff"], "{path}");
        assert!(answer.header("content-security-policy")[0].starts_with("default-src 'none'"));
        let head = ask(address, "HEAD", path, "").await;
        assert_eq!((head.status, &*head.body), (200, ""), "{path}");
        assert_eq!(ask(address, "POST", path, "").await.status, 405, "{path}");
    }
    for path in ["/nothing", "/health/nothing", "/v1/report/", "/../etc/passwd", "/%00"] {
        assert_eq!(ask(address, "GET", path, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_report_reads_back_as_it_was() {
    let address = node(sample::meshed, None).await;
    let answer = ask(address, "GET", "/v1/report", "").await;
    let report: Report = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(report, Report::from(sample::meshed()));
    // Names that others rely on.
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let broker = &json["services"][0]["brokers"][2];
    assert_eq!(json["uptime_seconds"], 274_620.0);
    assert_eq!((&broker["state"], &broker["learned_limit"]), (&"full".into(), &31_998.into()));
    assert_eq!(broker["last_check"]["result"], "closed_silently");
    assert_eq!(broker["traffic"]["in_bytes"], 92_112_004_118_u64);
    assert_eq!(json["services"][0]["connack"]["buckets"][0]["le_seconds"], 0.00025);
}

#[tokio::test]
async fn a_token_guards_all_but_health() {
    let address = node(sample::rich, Some("s3cret")).await;
    // "anyone:s3cret" and "anyone:wrong" in base64.
    let (basic, wrong) = ("Basic YW55b25lOnMzY3JldA==", "Basic YW55b25lOndyb25n");
    for path in ["/", "/fragment", "/metrics", "/v1/report", "/nothing", "/health", "//health/live"]
    {
        for refused in
            ["", "Authorization: Bearer wrong\r\n", &format!("Authorization: {wrong}\r\n")]
        {
            let answer = ask(address, "GET", path, refused).await;
            assert_eq!(answer.status, 401, "{path} with {refused:?}");
            let challenges = answer.header("www-authenticate");
            assert!(
                challenges[0].starts_with("Basic realm=") && challenges[1].starts_with("Bearer")
            );
            assert!(!answer.body.contains("fra"), "{path}");
        }
    }
    for shown in ["Bearer s3cret", basic] {
        let header = format!("Authorization: {shown}\r\n");
        assert_eq!(ask(address, "GET", "/metrics", &header).await.status, 200, "{shown}");
    }
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(ask(address, "GET", path, "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn ready_follows_the_node_and_live_does_not() {
    let down = || {
        let mut report = sample::rich();
        for broker in report.services.iter_mut().flat_map(|service| &mut service.brokers) {
            broker.state = BrokerState::Down;
        }
        report
    };
    let stopping = || NodeReport { state: NodeState::Stopping, ..sample::rich() };
    type Case = (fn() -> NodeReport, &'static str);
    let table: [Case; 3] =
        [(sample::empty, "starting"), (stopping, "stopping"), (down, "no service has a broker")];
    for (source, reason) in table {
        let address = node(source, None).await;
        let ready = ask(address, "GET", "/health/ready", "").await;
        assert_eq!(ready.status, 503);
        assert!(ready.body.starts_with(reason), "{}", ready.body);
        assert_eq!(ask(address, "GET", "/health/live", "").await.body, "ok\n");
    }
}

#[tokio::test]
async fn hostile_names_and_huge_numbers_pass_everywhere() {
    for source in [sample::hostile, sample::hostile_meshed] {
        let address = node(source, None).await;
        for path in ["/", "/fragment", "/metrics", "/v1/report"] {
            assert_eq!(ask(address, "GET", path, "").await.status, 200, "{path}");
        }
    }
}

/// Every name in the JSON is one that `docs/metrics.md` explains.
#[test]
fn the_documentation_names_every_field() {
    fn names(json: &serde_json::Value, found: &mut Vec<String>) {
        match json {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    found.push(name.clone());
                    names(value, found);
                }
            }
            serde_json::Value::Array(values) => values.iter().for_each(|v| names(v, found)),
            _ => {}
        }
    }
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let mut found = Vec::new();
    names(&serde_json::to_value(Report::from(sample::meshed())).unwrap(), &mut found);
    names(&serde_json::to_value(Events::from(sample::events())).unwrap(), &mut found);
    assert!(found.len() > 100);
    for name in found {
        assert!(docs.contains(&format!("`{name}`")), "{name}");
    }
}

#[tokio::test]
async fn outside_checkers_ask_for_the_site_without_a_token_and_operators_with_one() {
    let address = node(sample::rich, Some("a token of sixteen")).await;
    for (path, status, body) in [
        ("/health/site", 200, "ok\n"),
        ("/health/site?service=mqtt", 200, "ok\n"),
        ("/health/site?service=legacy-tls", 503, "no_room\n"),
        ("/health/site?service=none", 404, "no such service\n"),
    ] {
        let answer = ask(address, "GET", path, "").await;
        assert_eq!((answer.status, &*answer.body), (status, body), "{path}");
    }
    let question = "/v1/dns/ask?name=m.example&from=203.0.113.0%2F24";
    assert_eq!(ask(address, "GET", question, "").await.status, 401);
    let token = "Authorization: Bearer a token of sixteen\r\n";
    let answer = ask(address, "GET", question, token).await;
    let told: Told = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&*told.from, &*told.kind), ("203.0.113.0/24", "A"));
    let answer = ask(address, "GET", "/v1/dns/ask?name=x&from=y", token).await;
    assert_eq!((answer.status, &*answer.body), (404, "not answered\n"));
    assert_eq!(ask(address, "GET", "/v1/dns/ask?name=x", token).await.status, 400);
    assert_eq!(ask(address, "GET", "/v1/dns/records", token).await.status, 404);
}
