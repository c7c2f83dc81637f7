//! Answers made from known news, and rude clients of the server, over loopback.

use std::net::SocketAddr;
use std::time::Instant;

use isobar_core::entry::Locality;
use isobar_core::entry::{Networks, Place};
use isobar_core::outlook::{Entrance, Heard, Outlook, Standing};
use isobar_core::policy::{AllDown, EntryPolicy, Ranking};
use rustls::ServerConfig;
use rustls::server::ResolvesServerCertUsingSni;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::server::{LIMITS, Limits, Shown, serve};
use super::*;

const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

fn policy() -> EntryPolicy {
    let near_nyc = ("198.51.100.0/24".parse().unwrap(), Locality::Site("nyc".into()));
    let places = [("fra", 50, 8), ("nyc", 40, -74)];
    let place = |(name, lat, lon): (&str, i32, i32)| {
        (name.to_owned(), Place::at_microdegrees(lat * 1_000_000, lon * 1_000_000))
    };
    EntryPolicy {
        ranking: Ranking::Nearest,
        all_down: AllDown::ServFail,
        ttl: Duration::from_secs(30),
        places: places.map(place).to_vec(),
        networks: Networks::new(vec![near_nyc]).unwrap(),
        ..EntryPolicy::default()
    }
}

/// Two sites with service mqtt, both over TLS as well in service mqtts.
fn outlook(generation: u64) -> Outlook {
    let entrance = |site: u16, addresses: &[&str]| Entrance {
        site: SiteId(site),
        standing: Standing::Reachable,
        brokers_up: 1,
        free: 500,
        capacity: 1_000,
        heard: Heard::default(),
        addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
    };
    Outlook {
        generation,
        sites: vec!["fra".into(), "nyc".into()],
        services: vec![Vec::new(), Vec::new()],
        entrances: vec![
            vec![entrance(0, &["192.0.2.1:1883"]), entrance(1, &["[2001:db8::2]:1883"])],
            vec![
                entrance(0, &["192.0.2.1:8883/fra.example.com"]),
                entrance(1, &["192.0.2.2:8883/nyc.example.com"]),
            ],
        ],
    }
}

fn guide(policy: EntryPolicy) -> Guide {
    Guide::new(Arc::new(policy), vec!["mqtt".into(), "mqtts".into()])
}

fn desk(rate: u32) -> (Guide, Provisioner) {
    let guide = guide(policy());
    guide.hear(&outlook(1));
    let offer = |name: &str| Offer { name: name.into(), admits: 0 };
    let provisioner =
        Provisioner::new(guide.clone(), None, vec![offer("mqtt"), offer("mqtts")], rate);
    (guide, provisioner)
}

fn told(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap()
}

#[test]
fn the_nearest_is_named_first_and_all_the_others_behind_it() {
    let (_guide, desk) = desk(100);
    let reply = desk.answer("client_id=sensor-1", FROM, None);
    assert_eq!(reply.outcome, Outcome::Answered);
    let told = told(&reply);
    assert_eq!(told["endpoints"][0]["url"], "mqtt://[2001:db8::2]:1883");
    assert_eq!(told["endpoints"][0]["site"], "nyc");
    assert_eq!(told["endpoints"][0]["why"], "its_network");
    assert_eq!(told["endpoints"][1]["url"], "mqtt://192.0.2.1:1883");
    assert_eq!(told["endpoints"][1]["rank"], 1);
    assert_eq!((&told["generation"], &told["ttl"]), (&1.into(), &30.into()));
    assert_eq!(told["endpoints"][0].get("tls_name"), None);
    let mapped = "::ffff:198.51.100.7".parse().unwrap();
    assert_eq!(desk.answer("client_id=sensor-1", mapped, None).tag, reply.tag);
    assert_eq!(reply.first.as_deref(), Some("[2001:db8::2]:1883"));
}

#[test]
fn tls_is_found_in_whichever_service_has_it() {
    let (_guide, desk) = desk(100);
    let reply = desk.answer("client_id=a&proto=mqtts", FROM, None);
    let told = told(&reply);
    assert_eq!(told["service"], "mqtts");
    assert_eq!(told["endpoints"][0]["url"], "mqtts://nyc.example.com:8883");
    assert_eq!(told["endpoints"][0]["tls_name"], "nyc.example.com");
    assert_eq!(told["endpoints"][0]["address"], "192.0.2.2:8883");
    let none = desk.answer("client_id=a&proto=mqtts&service=mqtt", FROM, None);
    assert_eq!(none.outcome, Outcome::Nowhere);
    assert!(none.body.contains("no site has an address for mqtts"), "{}", none.body);
}

#[test]
fn a_tag_stands_for_the_endpoints_and_not_for_the_news() {
    let (guide, desk) = desk(100);
    let first = desk.answer("client_id=a", FROM, None);
    let tag = first.tag.clone().unwrap();
    assert!(guide.hear(&outlook(2)));
    let again = desk.answer("client_id=a", FROM, Some(&tag));
    assert_eq!((again.outcome, again.body.as_str()), (Outcome::Unchanged, ""));
    assert_eq!((again.tag.as_deref(), again.ttl), (Some(&*tag), first.ttl));
    for kept in [format!("\"x\", {tag}"), "*".into(), tag.trim_start_matches("W/").into()] {
        assert_eq!(desk.answer("client_id=a", FROM, Some(&kept)).outcome, Outcome::Unchanged);
    }
    assert_eq!(desk.answer("client_id=a", FROM, Some("W/\"0\"")).outcome, Outcome::Answered);
    let mut news = outlook(3);
    news.entrances[0][1].standing = Standing::Dead;
    assert!(guide.hear(&news));
    let changed = desk.answer("client_id=a", FROM, Some(&tag));
    assert_eq!(changed.outcome, Outcome::Answered);
    assert_eq!(told(&changed)["endpoints"][0]["site"], "fra");
    assert_ne!(changed.tag, Some(tag));
}

#[test]
fn with_headroom_a_client_keeps_its_site_and_clients_are_spread() {
    let guide = guide(EntryPolicy { ranking: Ranking::Headroom, ..policy() });
    guide.hear(&outlook(1));
    let offers = ["mqtt", "mqtts"].map(|name| Offer { name: name.into(), admits: 0 });
    let desk = Provisioner::new(guide, None, offers.to_vec(), 1_000_000);
    let site = |n: u32| {
        let reply = desk.answer(&format!("client_id=c{n}"), FROM, None);
        told(&reply)["endpoints"][0]["site"].as_str().unwrap().to_owned()
    };
    let first = (0..1_000).filter(|n| site(*n) == "fra").count();
    assert!((450..550).contains(&first), "half of them: {first}");
    for n in 0..50 {
        assert_eq!(site(n), site(n));
    }
}

#[test]
fn where_nobody_can_be_named_it_says_when_to_ask_again() {
    let fresh = guide(policy());
    let offers = vec![Offer { name: "mqtt".into(), admits: 0 }];
    let desk = Provisioner::new(fresh.clone(), None, offers, 100);
    let reply = desk.answer("client_id=a", FROM, None);
    assert_eq!(reply.outcome, Outcome::Nowhere);
    assert!(reply.body.contains("just started") && reply.retry_after.is_some(), "{}", reply.body);
    let mut news = outlook(1);
    for entrance in &mut news.entrances[0] {
        entrance.brokers_up = 0;
    }
    fresh.hear(&news);
    let reply = desk.answer("client_id=a&format=url", FROM, None);
    assert_eq!((reply.outcome, reply.ttl), (Outcome::Nowhere, None));
    assert_eq!(reply.body, "no site can take clients just now\n");
}

#[test]
fn a_storm_of_flows_is_one_here_as_well() {
    let (_guide, desk) = desk(10_000);
    let most = |desk: &Provisioner| {
        let later = (0..50).map(|n| {
            let reply = desk.answer(&format!("client_id=c{n}"), FROM, None);
            told(&reply)["retry_after_ms"].as_u64().unwrap()
        });
        later.max().unwrap()
    };
    desk.flows(1_000);
    assert!(most(&desk) <= 2_000);
    desk.flows(101_000);
    // 90,000 too many at 1,000 a second.
    let later = most(&desk);
    assert!((60_000..=91_000).contains(&later), "{later}");
}

#[test]
fn by_mqtt_all_of_a_service_is_told_and_too_many_are_turned_away() {
    let (_guide, desk) = desk(20);
    let reply = desk.answer_mqtt(1, "sensor-1", FROM).unwrap();
    assert_eq!(told(&reply)["endpoints"][0]["url"], "mqtts://nyc.example.com:8883");
    let answered = (0..100).filter(|_| desk.answer_mqtt(0, "", FROM).is_some()).count();
    assert!(answered < 30, "{answered}");
    let limited = desk.answer("client_id=a", FROM, None);
    assert_eq!(limited.outcome, Outcome::Limited);
    let figures = desk.figures();
    let of = |outcome| figures.outcomes.iter().find(|(o, _)| *o == outcome).unwrap().1;
    assert_eq!(figures.by_mqtt, of(Outcome::Answered));
    assert!(of(Outcome::Limited) > 70);
}

#[test]
fn a_client_is_redirected_once_and_only_where_it_does_not_belong_here() {
    let guide = guide(policy());
    let redirect = Redirect::new(guide.clone(), None);
    let key = |id: &str| ClientKey::of(id.as_bytes());
    assert_eq!(redirect.elsewhere(0, key("a"), FROM), None, "nothing is known yet");
    guide.hear(&outlook(1));
    let to = redirect.elsewhere(0, key("a"), FROM);
    assert_eq!(to.as_deref(), Some("[2001:db8::2]:1883"));
    assert_eq!(redirect.elsewhere(0, key("a"), FROM), None, "it has come back");
    assert_eq!(redirect.elsewhere(0, key("b"), "203.0.113.9".parse().unwrap()), None);
    assert_eq!(redirect.elsewhere(1, key("c"), FROM), None, "no address without TLS");
    assert_eq!(redirect.count(), 1);
}

const SHORT: Limits = Limits {
    http: isobar_http::Limits {
        connections: 3,
        head: Duration::from_millis(300),
        head_max: 8 * 1024,
        lifetime: Duration::from_millis(1_200),
        farewell: Duration::from_millis(300),
    },
    per_network: 2,
    handshake: Duration::from_millis(300),
};

/// Nobody is closed for being slow.
fn patient(limits: Limits) -> Limits {
    let http = isobar_http::Limits { head: BOUND, lifetime: BOUND, ..limits.http };
    Limits { http, ..limits }
}

/// Far more than any wait here should take, even on a busy machine.
const BOUND: Duration = Duration::from_secs(10);

struct Server {
    at: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<()>>,
}

async fn server(limits: Limits) -> Server {
    server_with(None, limits).await
}

async fn server_with(tls: Option<Shown>, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, told) = oneshot::channel::<()>();
    let (_guide, desk) = desk(100_000);
    let ended = tokio::spawn(async move {
        serve(listener, tls, Arc::new(desk), limits, async { drop(told.await) }).await
    });
    Server { at, stop, ended }
}

/// What comes until the server closes, and after how long; an RST counts as a close.
async fn read_to_close(stream: &mut TcpStream) -> (Vec<u8>, Duration) {
    let (begun, mut bytes) = (Instant::now(), Vec::new());
    let _ = timeout(BOUND, stream.read_to_end(&mut bytes)).await.expect("closed within the bound");
    (bytes, begun.elapsed())
}

async fn ask(at: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    String::from_utf8(read_to_close(&mut stream).await.0).unwrap()
}

const GET: &str = "GET /v1/provision?client_id=a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn slow_and_silent_clients_are_closed() {
    let server = server(SHORT).await;
    for opening in ["", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", GET.trim_end()] {
        let mut stream = TcpStream::connect(server.at).await.unwrap();
        stream.write_all(opening.as_bytes()).await.unwrap();
        let (_, took) = read_to_close(&mut stream).await;
        assert!(took < SHORT.http.lifetime, "{opening:?} took {took:?}");
    }
    assert!(ask(server.at, GET).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_is_kept_and_lives_no_longer_than_its_time() {
    let server = server(SHORT).await;
    let mut stream = TcpStream::connect(server.at).await.unwrap();
    let begun = Instant::now();
    let mut answers = 0;
    let mut byte = [0; 4096];
    while begun.elapsed() < BOUND {
        let request = GET.replace("Connection: close\r\n", "");
        if stream.write_all(request.as_bytes()).await.is_err() {
            break;
        }
        match timeout(BOUND, stream.read(&mut byte)).await.expect("within the bound") {
            Ok(n) if n > 0 => answers += 1,
            _ => break,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        answers > 5 && begun.elapsed() >= SHORT.http.lifetime,
        "{answers} {:?}",
        begun.elapsed()
    );
    assert!(begun.elapsed() < BOUND);
}

#[tokio::test]
async fn one_network_does_not_take_every_place() {
    let server = server(patient(SHORT)).await;
    let mut holders = Vec::new();
    for _ in 0..SHORT.per_network {
        let mut stream = TcpStream::connect(server.at).await.unwrap();
        let request = GET.replace("Connection: close\r\n", "");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_u8().await.unwrap();
        holders.push(stream);
    }
    assert_eq!(ask(server.at, GET).await, "", "closed at once");
    drop(holders);
    let begun = Instant::now();
    while !ask(server.at, GET).await.starts_with("HTTP/1.1 200") {
        assert!(begun.elapsed() < BOUND, "their places are free again");
    }
}

#[tokio::test]
async fn junk_is_answered_or_closed_and_a_shutdown_ends_everybody() {
    let server = server(patient(LIMITS)).await;
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    for junk in
        ["\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", &long]
    {
        let answer = ask(server.at, junk).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let mut idle = TcpStream::connect(server.at).await.unwrap();
    idle.write_all(GET.replace("Connection: close\r\n", "").as_bytes()).await.unwrap();
    idle.read_u8().await.unwrap();
    server.stop.send(()).unwrap();
    let ended = timeout(BOUND / 2, server.ended).await.expect("ends within the farewell");
    ended.unwrap().unwrap();
    assert!(TcpStream::connect(server.at).await.is_err());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_handshake() {
    // No handshake gets as far as a certificate here.
    let certificates = Arc::new(ResolvesServerCertUsingSni::new());
    let tls = ServerConfig::builder().with_no_client_auth().with_cert_resolver(certificates);
    let (_keep, shown) = watch::channel(Arc::new(tls));
    let server = server_with(Some(shown), Limits { handshake: 2 * BOUND, ..LIMITS }).await;
    // A refused hello proves that connections before it were met.
    let silent = TcpStream::connect(server.at).await.unwrap();
    let alert = ask(server.at, "no hello\r\n\r\n").await;
    assert!(!alert.starts_with("HTTP"), "{alert}");
    server.stop.send(()).unwrap();
    let ended = timeout(BOUND, server.ended).await.expect("ends before the handshake's time");
    ended.unwrap().unwrap();
    drop(silent);
}
