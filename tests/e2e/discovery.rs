//! Brokers and nodes that are found by name, through a real name server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::*;

/// A change is seen when the name is asked for again: five seconds and an eighth, and what a busy
/// machine adds.
const SEEN: Duration = Duration::from_secs(20);
/// The same after failures, when it is asked for less often.
const SEEN_LATE: Duration = Duration::from_secs(60);

/// A node whose one service finds its brokers there.
fn node(dns: &Dns, addr: &str) -> Node {
    let found = Broker::named("lan", addr);
    Node::new(Service::new("mqtt").broker(found)).table(&dns.table())
}

/// Names and states of brokers, as the report has them: `b@…` short for their place in `mosquittos`.
async fn found(isobar: &Isobar, mosquittos: &[Mosquitto]) -> Vec<(String, bool)> {
    let name = |addr: &str| {
        let known = mosquittos.iter().find(|m| m.addr.to_string() == addr);
        known.map_or_else(|| addr.to_owned(), |m| m.name.clone())
    };
    let mut found: Vec<(String, bool)> = brokers(&isobar.service().await)
        .iter()
        .map(|b| (name(&text(b, "/address")), b["leaving"] == true))
        .collect();
    found.sort();
    found
}

async fn wait_found(
    isobar: &Isobar,
    mosquittos: &[Mosquitto],
    wanted: &[(&str, bool)],
) -> Duration {
    let wanted: Vec<(String, bool)> =
        wanted.iter().map(|(name, leaving)| ((*name).to_owned(), *leaving)).collect();
    let what = format!("{wanted:?} are found");
    eventually(&what, SEEN, async || found(isobar, mosquittos).await == wanted).await
}

/// The first name of the report.
async fn name(isobar: &Isobar) -> Value {
    isobar.report().await["names"][0].clone()
}

async fn wait_trouble(isobar: &Isobar, trouble: Option<&str>) -> Duration {
    let what = format!("the name's trouble is {trouble:?}");
    eventually(&what, SEEN_LATE, async || name(isobar).await["trouble"].as_str() == trouble).await
}

async fn connect(isobar: &Isobar, prefix: &str, n: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for i in 0..n {
        let connect = Connect::v311(&format!("{prefix}-{i}"));
        clients.push(Client::connected(isobar.addr(), &connect).await);
    }
    clients
}

async fn assert_alive(clients: &mut [Client]) {
    for client in clients {
        client.ping().await.expect("its connection stands");
    }
}

fn events(isobar: &Isobar, what: &str) -> Vec<String> {
    isobar.stderr().matching(|line| line.contains(what))
}

#[tokio::test]
async fn brokers_come_and_go_with_their_srv_records() {
    let _turn = beside().await;
    let mosquittos = Mosquitto::start_each("ab").await;
    let (a, b) = (mosquittos[0].addr, mosquittos[1].addr);
    let mut dns = Dns::start(&srv("_mqtt._tcp", &[("a", a, 10)])).await;
    let isobar = node(&dns, "_mqtt._tcp.test").start().await;
    assert_eq!(found(&isobar, &mosquittos).await, [("a".to_owned(), false)]);
    let mut old = connect(&isobar, "old", 12).await;
    assert_eq!(took(&mosquittos[0], "old-").len(), 12);

    // One more, with three times the weight.
    dns.set(&srv("_mqtt._tcp", &[("a", a, 10), ("b", b, 30)])).await;
    let seen = wait_found(&isobar, &mosquittos, &[("a", false), ("b", false)]).await;
    let report = brokers(&isobar.service().await);
    let weights: Vec<u64> = report.iter().map(|b| num(b, "/weight")).collect();
    println!("b was found after {seen:.1?}, weights {weights:?}");
    assert_eq!(weights.iter().sum::<u64>(), 40);
    assert!(report.iter().all(|b| b["found_by"] == "_mqtt._tcp.test"), "{report:?}");
    let mut new = connect(&isobar, "new", 12).await;
    assert_eq!(took(&mosquittos[1], "new-").len(), 12, "it had the fewest");

    let moved = |report: &[Value]| {
        let of = |b: &&Value| text(b, "/address") == a.to_string();
        num(report.iter().find(of).expect("a is there"), "/traffic/in_bytes")
    };

    // The first one's record goes: its clients stay, new ones go elsewhere.
    let host = format!("a A {}\n", a.ip());
    dns.set(&(srv("_mqtt._tcp", &[("b", b, 30)]) + &host)).await;
    let seen = wait_found(&isobar, &mosquittos, &[("a", true), ("b", false)]).await;
    println!("a is leaving after {seen:.1?}");
    let mut newer = connect(&isobar, "newer", 12).await;
    assert_eq!(took(&mosquittos[1], "newer-").len(), 12);
    assert!(took(&mosquittos[0], "newer-").is_empty());
    assert_alive(&mut old).await;
    assert_alive(&mut new).await;
    assert_alive(&mut newer).await;
    let metrics = isobar.metrics().await;
    let leaving = |m: &Mosquitto| {
        let labels = format!("service=\"mqtt\",broker=\"lan@{}\"", m.addr);
        let line = format!("isobar_broker_leaving{{site=\"test\",{labels}}} ");
        let line = metrics.lines().find_map(|l| l.strip_prefix(&line)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {labels}"))
    };
    assert_eq!((leaving(&mosquittos[0]), leaving(&mosquittos[1])), ("1".into(), "0".into()));

    let before = moved(&brokers(&isobar.service().await));
    assert!(before > 0);

    // It is forgotten with its last client, the probe's session too.
    for client in old {
        client.disconnect().await;
    }
    wait_found(&isobar, &mosquittos, &[("b", false)]).await;
    mosquittos[0].wait_connected(0).await;
    let name = name(&isobar).await;
    assert_eq!(num(&name, "/lookups_failed"), 0, "{name}");
    for what in ["broker was found", "broker is not found any longer", "broker is forgotten"] {
        assert!(!events(&isobar, what).is_empty(), "{what}");
    }

    // And is itself again when its record comes back.
    dns.set(&srv("_mqtt._tcp", &[("a", a, 10), ("b", b, 30)])).await;
    wait_found(&isobar, &mosquittos, &[("a", false), ("b", false)]).await;
    let again = connect(&isobar, "again", 6).await;
    assert_eq!(took(&mosquittos[0], "again-").len(), 6, "it has the fewest");
    assert!(moved(&brokers(&isobar.service().await)) >= before, "what was counted goes on");
    drop((new, newer, again));
}

#[tokio::test]
async fn whatever_is_wrong_with_dns_nothing_changes() {
    let _turn = beside().await;
    let mosquittos = Mosquitto::start_each("ab").await;
    let records = srv("_mqtt._tcp", &[("a", mosquittos[0].addr, 1), ("b", mosquittos[1].addr, 1)]);
    let both = [("a", false), ("b", false)];
    let mut dns = Dns::start(&records).await;
    let isobar = node(&dns, "_mqtt._tcp.test").start().await;
    wait_found(&isobar, &mosquittos, &both).await;
    let mut clients = connect(&isobar, "before", 10).await;
    let mut served = 0;
    let mut still = async |why: &str, clients: &mut [Client]| {
        let now = found(&isobar, &mosquittos).await;
        assert_eq!(now, both.map(|(n, l)| (n.to_owned(), l)), "{why}");
        assert_alive(clients).await;
        served += connect(&isobar, &format!("{why}-{served}"), 2).await.len();
    };

    // Silent, for a minute in the long form.
    let silent = Instant::now();
    dns.stop();
    let took = wait_trouble(&isobar, Some("timed_out")).await;
    println!("silent: noticed after {took:.1?}");
    let minute = if long() { Duration::from_secs(65) } else { Duration::from_secs(15) };
    while silent.elapsed() < minute {
        still("silent", &mut clients).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let report = name(&isobar).await;
    println!("after {:.0?} of silence: {report}", silent.elapsed());
    assert!(report["age_seconds"].as_f64().expect("it was answered") >= 10.0);
    dns.cont();
    println!("answered again after {:.1?}", wait_trouble(&isobar, None).await);

    // The name is there and has no such records; the name is not there; the zone is not there.
    dns.set("_mqtt._tcp TXT \"nothing\"\n").await;
    println!("empty: noticed after {:.1?}", wait_trouble(&isobar, Some("empty")).await);
    still("empty", &mut clients).await;
    dns.set("other A 127.0.0.1\n").await;
    println!("no name: noticed after {:.1?}", wait_trouble(&isobar, Some("no_such_name")).await);
    still("no-such-name", &mut clients).await;
    dns.refuse().await;
    println!("refused: noticed after {:.1?}", wait_trouble(&isobar, Some("server_failed")).await);
    still("refused", &mut clients).await;
    // A target without an address.
    let bare: String =
        records.lines().filter(|l| l.contains("SRV")).map(|l| format!("{l}\n")).collect();
    dns.serve().await;
    dns.set(&bare).await;
    eventually("the targets have no address", SEEN_LATE, async || {
        let targets =
            isobar.stderr().matching(|l| l.contains("a.test.") && l.contains("no good answer"));
        !targets.is_empty()
    })
    .await;
    still("targets", &mut clients).await;
    let kept = events(&isobar, "no good answer");
    println!("{kept:#?}");
    dns.set(&records).await;
    wait_trouble(&isobar, None).await;
    still("mended", &mut clients).await;
    let name = name(&isobar).await;
    assert!(num(&name, "/lookups_failed") >= 4, "{name}");
    let metrics = isobar.metrics().await;
    let label = "{site=\"test\",name=\"_mqtt._tcp.test\",records=\"srv/a,aaaa\"}";
    for family in
        ["isobar_name_addresses", "isobar_name_failing", "isobar_name_lookups_failed_total"]
    {
        assert!(metrics.contains(&format!("{family}{label} ")), "{family}");
    }
}

#[tokio::test]
async fn a_node_starts_before_its_brokers_have_a_name() {
    let _turn = beside().await;
    let front = free_addr();
    let other = SocketAddr::new(fresh_ip(), front.port());
    let mut dns = Dns::start("").await;
    let mut isobar = node(&dns, &format!("brokers.test:{}", front.port())).launch();
    eventually("it says that the name has no address", SEEN, async || {
        isobar.stderr().count("no_such_name") > 0
    })
    .await;
    assert!(isobar.exited().is_none());
    assert_eq!(isobar.get("/health/ready").await.status, 503, "there is nobody to send clients to");
    let mut client = Client::open(isobar.addr(), None).await.expect("a listener");
    let answer = client.connect(&Connect::v5("early")).await.expect("an honest CONNACK");
    assert_eq!(answer.code, 0x88);

    // Each address of the name is a broker of its own.
    let mosquittos = [
        Mosquitto::builder("a").at(front).start().await,
        Mosquitto::builder("b").at(other).start().await,
    ];
    dns.set(&format!("brokers A {}\nbrokers A {}\n", front.ip(), other.ip())).await;
    let seen = wait_found(&isobar, &mosquittos, &[("a", false), ("b", false)]).await;
    println!("found after {seen:.1?}");
    isobar.wait_ready().await;
    let clients = connect(&isobar, "late", 20).await;
    assert_eq!(took(&mosquittos[0], "late-").len(), 10);
    assert_eq!(took(&mosquittos[1], "late-").len(), 10);
    drop(clients);
    let events = isobar.get("/v1/events").await.body;
    assert!(events.contains("\"kind\":\"name\""), "{events}");
}

#[tokio::test]
async fn a_name_with_two_thousand_addresses_is_clamped() {
    let _turn = beside().await;
    let records: String =
        (0..2_000).map(|n| format!("many A 127.1.{}.{}\n", n / 250, n % 250 + 1)).collect();
    let dns = Dns::start(&records).await;
    let found = Broker::named("many", "many.test:1").check_line("false");
    let node = Node::new(Service::new("mqtt").broker(found)).table(&dns.table());
    let isobar = node.start().await;
    eventually("its addresses are known", SEEN, async || {
        num(&name(&isobar).await, "/addresses") == 1_024
    })
    .await;
    let report = name(&isobar).await;
    assert_eq!(num(&report, "/beyond_limit"), 976, "{report}");
    assert_eq!(brokers(&isobar.service().await).len(), 1_024);
}

#[tokio::test]
async fn names_that_lead_to_one_broker_and_differ_are_told_as_long_as_they_do() {
    let _turn = beside().await;
    let (front, elsewhere) = (free_addr(), fresh_ip());
    let port = front.port();
    let both = |other| format!("old A {}\nlan A {other}\n", front.ip());
    let mut dns = Dns::start(&both(elsewhere)).await;
    let named =
        |name: &str| Broker::named(name, &format!("{name}.test:{port}")).check_line("false");
    let lan = named("lan").raw("send_proxy = \"v2\"").raw("maxconn = 7");
    let node = Node::new(Service::new("first").broker(named("old")));
    let node = node.service(Service::new("second").broker(lan)).table(&dns.table());
    let isobar = node.start().await;
    let differing = async || {
        let report = isobar.report().await;
        [0, 1].map(|s| num(&report["services"][s], "/brokers_differing"))
    };
    assert_eq!(differing().await, [0, 0]);
    dns.set(&both(front.ip())).await;
    eventually("the second one differs", SEEN, async || differing().await == [0, 1]).await;
    let told = isobar.get("/v1/events").await.body;
    let reason = format!("maxconn, send_proxy: as old@{front} has it; write the same in both");
    assert!(told.contains(&format!("\"second/lan@{front}\"")) && told.contains(&reason), "{told}");
    let metrics = isobar.metrics().await;
    let line = "isobar_service_brokers_differing{site=\"test\",service=\"second\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    // It is asked for again every five seconds, and said once.
    dns.set(&both(elsewhere)).await;
    eventually("nothing differs any longer", SEEN, async || differing().await == [0, 0]).await;
    assert_eq!(events(&isobar, "another entry has named the broker before").len(), 1);
}

#[tokio::test]
async fn a_node_to_join_is_found_where_its_name_stands_now() {
    let _turn = alone().await;
    let ca = MeshCa::make();
    let mosquittos = Mosquitto::start_each("ab").await;
    let (fra, nyc) = (free_addr(), free_addr());
    let moved = SocketAddr::new(fresh_ip(), nyc.port());
    let mut dns = Dns::start(&format!("peer A {}\n", nyc.ip())).await;
    let plan = |site: &str, at: SocketAddr, join: &str, broker: &Mosquitto| {
        let name = format!("{site}-1");
        ca.issue(site, &name, A_YEAR);
        let mesh = format!(
            "[mesh]\nname = \"test\"\nbind = \"{at}\"\njoin = [{join}]\n{}",
            ca.lines(&name)
        );
        let service = Service::new("mqtt").broker(Broker::of(broker));
        Node::new(service).named(site, &name).table(&mesh).table(&dns.table())
    };
    let join = format!("\"peer.test:{}\"", nyc.port());
    let fra = plan("fra", fra, &join, &mosquittos[0]);
    // It joins nobody: it is to be found.
    let there = plan("nyc", nyc, "", &mosquittos[1]);
    let elsewhere = plan("nyc", moved, "", &mosquittos[1]);
    let fra = fra.start().await;
    let mut nyc = there.start().await;
    let first = wait_standing(&fra, "nyc", "reachable", SEEN).await;
    println!("reachable {first:.1?} after it was ready");
    nyc.kill().await;
    wait_standing(&fra, "nyc", "dead", SEEN).await;
    dns.set(&format!("peer A {}\n", moved.ip())).await;
    let nyc = elsewhere.start().await;
    let back = wait_standing(&fra, "nyc", "reachable", SEEN_LATE).await;
    println!("reachable at another address {back:.1?} after it was ready there");
    // And while the name has no address at all, what stands, stands.
    dns.set("").await;
    eventually("the name is lost", SEEN_LATE, async || {
        name(&fra).await["trouble"] == "no_such_name"
    })
    .await;
    assert_eq!(standing(&fra, "nyc").as_deref(), Some("reachable"));
    drop(nyc);
}
