//! Who is no node of the mesh is refused, loudly, whatever is wrong with it; and what anybody can
//! send to a UDP port does no harm.
//!
//! Some come as whole nodes; `Caller`s come over bare QUIC, and say what no node would.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::harness::*;

/// A refused node tries again, with growing pauses.
const REFUSED: Duration = Duration::from_secs(15);

/// What a node says of each standing; unchanged while its links are unharmed.
fn standings(mesh: &Mesh, of: &[&str]) -> Vec<String> {
    let nodes = mesh.sites.iter().map(Site::node);
    let told = nodes.flat_map(|node| node.stderr().matching(|l| l.contains("mesh: site is ")));
    told.filter(|l| of.iter().any(|site| l.contains(&format!(" site=\"{site}\"")))).collect()
}

/// Waits until a node of the mesh has refused somebody for this reason, and gives the line.
async fn refused(mesh: &Mesh, reason: &str) -> String {
    let reason = format!(" reason=\"{reason}\"");
    let line = until(&format!("a refusal with{reason}"), REFUSED, async || {
        let nodes = mesh.sites.iter().map(Site::node);
        let mut lines = nodes.flat_map(|node| {
            node.stderr().matching(|l| l.contains("mesh: peer refused") && l.contains(&reason))
        });
        lines.next()
    })
    .await;
    println!("{line}");
    assert!(line.contains(" count="), "and it is counted: {line}");
    let label = reason.trim_start();
    assert!(refusals(mesh, label).await >= 1.0, "in the metrics too");
    line
}

/// How often nodes of the mesh have refused somebody with this label (`reason="denied"`).
async fn refusals(mesh: &Mesh, label: &str) -> f64 {
    let mut sum = 0.0;
    for site in &mesh.sites {
        sum += metric(site.node(), "isobar_mesh_peers_refused_total", &[label]).await;
    }
    sum
}

/// The links of the mesh carry: fra has no broker.
async fn still_carries(mesh: &Mesh, id: &str) {
    let mut client = Client::connected(mesh.site("fra").addr(), &Connect::v311(id)).await;
    client.ping().await.expect("carried");
    assert_eq!(mesh.site("nyc").took(id).len(), 1);
    client.disconnect().await;
}

#[tokio::test]
async fn strangers_are_refused_and_counted() {
    let _turn = alone().await;
    let mut mesh = MeshPlan::of(&["fra", "nyc"]).start().await;
    mesh.site_mut("fra").kill_brokers().await;
    still_carries(&mesh, "first").await;
    let before = standings(&mesh, &["fra", "nyc"]);

    // Of another CA. Its own side must not be the one that refuses: it knows both.
    let other = MeshCa::make();
    other.also_trusts(&mesh.ca);
    other.issue("ber", "ber-1", A_YEAR);
    let foreign = mesh.stranger("ber", "ber-1", &other).launch();
    refused(&mesh, "unknown_ca").await;

    // Once of us, and then denied. The others look at the list every ten seconds.
    mesh.ca.issue("osl", "osl-1", A_YEAR);
    let denied = mesh.stranger("osl", "osl-1", &mesh.ca).launch();
    for site in ["fra", "nyc"] {
        wait_standing(mesh.site(site).node(), "osl", "reachable", REFUSED).await;
    }
    mesh.ca.deny("osl", "osl-1");
    refused(&mesh, "denied").await;
    for site in ["fra", "nyc"] {
        wait_standing(mesh.site(site).node(), "osl", "dead", REFUSED).await;
    }

    assert_eq!(standings(&mesh, &["fra", "nyc"]), before, "nothing else has changed");
    assert_eq!(standings(&mesh, &["ber"]), [""; 0], "it never was a site");
    still_carries(&mesh, "last").await;
    drop((foreign, denied));
}

/// TLS 1.3: a client learns only after its handshake that it was refused.
async fn knock(mesh: &Mesh, ca: &MeshCa, papers: Option<&str>, words: &[u8]) -> Ended {
    let door = mesh.site("fra").nodes[0].place.udp;
    match Caller::call(door, ca, papers, "isobar/1").await {
        Ok(caller) => {
            caller.say(words).await;
            caller.ended().await
        }
        Err(ended) => ended,
    }
}

/// A `hello` of two bytes, whose site is 200 long.
const CUT_HELLO: [u8; 8] = [0xb1, 1, 1, 0, 0, 2, 200, b'x'];

/// Reason, whose papers, which of them, what is said, how the caller is told.
type Case<'a> = (&'a str, &'a MeshCa, Option<&'a str>, Vec<u8>, Ended);

/// As in `docs/mesh.md`: what is wrong, and under which reason it counts. What has none is against
/// the protocol.
fn cases<'a>(own: &'a MeshCa, other: &'a MeshCa) -> [Case<'a>; 8] {
    let good = Some("ber-2");
    let wrong_site = || Ended::Closed(0x207, "wrong_site".to_owned());
    let closed = |code, why: &str| Ended::Closed(code, why.to_owned());
    let http = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    [
        ("no_certificate", own, None, vec![], Ended::Alert(116)),
        ("unknown_ca", other, Some("ber-1"), vec![], Ended::Alert(48)),
        ("expired", own, Some("ber-3"), vec![], Ended::Alert(45)),
        ("wrong_site", own, good, quic::hello("nyc", "nyc-1"), wrong_site()),
        ("wrong_site", own, good, quic::data_hello("nyc", "nyc-1"), wrong_site()),
        ("wrong_site", own, good, quic::hello("ber", "ber-9"), wrong_site()),
        ("", own, good, http, closed(0x100, "not_frames")),
        ("", own, good, CUT_HELLO.to_vec(), closed(0x103, "bad_body")),
    ]
}

#[tokio::test]
async fn who_knocks_with_the_wrong_papers_is_refused_and_counted() {
    const TIMES: u32 = 20;
    let _turn = alone().await;
    let mut mesh = MeshPlan::of(&["fra", "nyc"]).start().await;
    mesh.site_mut("fra").kill_brokers().await;
    still_carries(&mesh, "first").await;
    let before = standings(&mesh, &["fra", "nyc"]);
    let other = MeshCa::make();
    other.also_trusts(&mesh.ca);
    other.issue("ber", "ber-1", A_YEAR);
    mesh.ca.issue("ber", "ber-2", A_YEAR);
    mesh.ca.issue_ended("ber", "ber-3");
    let resident = mesh.site("fra").node().rss_kib();
    for (reason, ca, papers, words, told) in &cases(&mesh.ca, &other) {
        let label = format!("reason=\"{reason}\"");
        let misspoken = "isobar_mesh_misspoken_total";
        let count = async || match *reason {
            "" => metric(mesh.site("fra").node(), misspoken, &[]).await,
            _ => refusals(&mesh, &label).await,
        };
        let already = count().await;
        for _ in 0..TIMES {
            assert_eq!(knock(&mesh, ca, *papers, words).await, *told, "{reason}");
        }
        let counted = count().await - already;
        println!("{reason:15} {told:?}, {TIMES} times; counted {counted}");
        assert_eq!(counted, f64::from(TIMES), "each of them");
    }
    let door = mesh.site("fra").nodes[0].place.udp;
    let call = Caller::call(door, &mesh.ca, Some("ber-2"), "h3").await;
    assert_eq!(call.err(), Some(Ended::Alert(120)), "another protocol");
    assert_eq!(refusals(&mesh, "reason=\"other_protocol\"").await, 1.0);

    assert_eq!(standings(&mesh, &["fra", "nyc"]), before, "nothing has changed");
    assert_eq!(standings(&mesh, &["ber"]), [""; 0], "it never was a site");
    still_carries(&mesh, "last").await;
    let grown = mesh.site("fra").node().rss_kib().saturating_sub(resident);
    println!("resident: {grown} KiB more after {} callers", TIMES * 8);
    assert!(grown < 32 * 1024, "memory is bounded");
}

#[tokio::test]
async fn a_certificate_that_ends_ends_its_links() {
    let _turn = alone().await;
    let mesh = MeshPlan::of(&["fra", "nyc"]).start().await;
    let before = standings(&mesh, &["fra", "nyc"]);
    mesh.ca.issue("par", "par-1", Duration::from_secs(4));
    let expiring = mesh.stranger("par", "par-1", &mesh.ca).launch();
    for site in ["fra", "nyc"] {
        wait_standing(mesh.site(site).node(), "par", "reachable", REFUSED).await;
    }
    let start = Instant::now();
    refused(&mesh, "expired").await;
    for site in ["fra", "nyc"] {
        wait_standing(mesh.site(site).node(), "par", "dead", REFUSED).await;
    }
    println!("refused and dead {:.1?} after it was reachable", start.elapsed());
    let own = expiring.stderr().matching(|l| l.contains("ERROR") && l.contains("certificate"));
    assert!(!own.is_empty(), "its own operator is told: {:#?}", expiring.stderr().all());
    assert_eq!(standings(&mesh, &["fra", "nyc"]), before, "nothing else has changed");
}

/// A node does not start for a site that its certificate does not name. With one that is over it
/// starts, for its own clients, and says that something must be done.
#[tokio::test]
async fn a_node_does_not_start_with_a_certificate_of_another_site() {
    let _turn = beside().await;
    let ca = MeshCa::make();
    let addr = free_addr();
    let start = |site: &str, node: &str| {
        let table = format!("[mesh]\nname = \"test\"\nbind = \"{addr}\"\n{}", ca.lines(node));
        let service = Service::new("mqtt").broker(Broker::at("nobody", free_addr()));
        Node::new(service).named(site, node).table(&table).launch()
    };
    ca.issue("nyc", "node-1", A_YEAR);
    let mut other = start("fra", "node-1");
    let status = other.wait_exit(PATIENCE).await;
    assert!(!status.success(), "{status}");
    eventually("it said why", PATIENCE, async || {
        other.stderr().count("it is the certificate of site \"nyc\"") > 0
    })
    .await;

    ca.issue_ended("fra", "node-2");
    let ended = start("fra", "node-2");
    eventually("its operator is told", PATIENCE, async || {
        let alarm = |l: &str| l.contains("ERROR") && l.contains("mesh: a certificate ends");
        !ended.stderr().matching(alarm).is_empty() && ended.stderr().count("listening") > 0
    })
    .await;
}

/// 5,000 a second, some of which look like QUIC.
fn junk(targets: &[SocketAddr], seconds: u32) {
    let socket = UdpSocket::bind((fresh_ip(), 0)).expect("the loopback");
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise
    };
    let start = Instant::now();
    for n in 0..5_000 * seconds {
        let length = 1 + (draw() % 1_400) as usize;
        let mut datagram: Vec<u8> = (0..length).map(|_| draw() as u8).collect();
        if n % 4 == 0 {
            // The head of an Initial of version 1, with ids of 8 bytes, and nonsense in it.
            datagram.resize(1_200, 0);
            datagram[..6].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8]);
            datagram[14] = 8;
            // No token; the length of what follows.
            datagram[23..26].copy_from_slice(&[0, 0x44, 0x96]);
        }
        let _ = socket.send_to(&datagram, targets[n as usize % targets.len()]);
        if n % 50 == 49 {
            let due = start + Duration::from_millis(10 * u64::from(n / 50 + 1));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

#[tokio::test]
async fn junk_on_the_port_does_no_harm() {
    let _turn = alone().await;
    let mut mesh = MeshPlan::of(&["fra", "nyc"]).start().await;
    mesh.site_mut("fra").kill_brokers().await;
    let mut held = Client::connected(mesh.site("fra").addr(), &Connect::v311("held")).await;
    let before = standings(&mesh, &["fra", "nyc"]);
    let memory = |mesh: &Mesh| ["fra", "nyc"].map(|site| mesh.site(site).node().rss_kib());
    let resident = memory(&mesh);
    let targets: Vec<SocketAddr> = mesh.fronts();
    let seconds = if long() { 60 } else { 5 };
    let foreign = async || {
        let family = "isobar_mesh_datagrams_foreign_total";
        let mut sum = 0.0;
        for site in &mesh.sites {
            sum += metric(site.node(), family, &[]).await;
        }
        sum
    };
    let of_handshakes = foreign().await;
    let sending = tokio::task::spawn_blocking(move || junk(&targets, seconds));
    let mut during = 0;
    while !sending.is_finished() {
        held.ping().await.expect("carried all the while");
        let one = Client::connected(mesh.site("fra").addr(), &Connect::v311("during")).await;
        one.disconnect().await;
        during += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sending.await.expect("it was sent");
    // Longer than a site takes to be avoided, suspected and dead.
    tokio::time::sleep(Duration::from_secs(2)).await;
    held.ping().await.expect("carried");
    still_carries(&mesh, "after").await;
    assert!(during > 5, "{during} clients came meanwhile");
    assert_eq!(standings(&mesh, &["fra", "nyc"]), before, "no standing has changed");
    let after = memory(&mesh);
    let counted = foreign().await - of_handshakes;
    let sent = f64::from(5_000 * seconds);
    println!("{sent} sent, {counted} counted ({of_handshakes} before them)");
    // The system drops what finds a socket's buffer full.
    assert!((0.9 * sent..=sent + 50.0).contains(&counted), "junk is counted");
    println!("{during} clients came meanwhile; resident KiB {resident:?} before, {after:?} after");
    for (before, after) in resident.iter().zip(after) {
        assert!(after < before + 32 * 1024, "memory is bounded");
    }
}

/// A node of the next version says more than this one knows, between what it does: that is skipped
/// and counted, and the rest is heard.
#[tokio::test]
async fn a_node_of_the_next_version_is_understood_as_far_as_may_be() {
    let _turn = alone().await;
    let mesh = MeshPlan::of(&["fra", "nyc"]).start().await;
    mesh.ca.issue("ber", "ber-2", A_YEAR);
    let fra = &mesh.site("fra").nodes[0];
    let unknown = async || metric(&fra.isobar, "isobar_mesh_unknown_frames_total", &[]).await;
    let before = unknown().await;
    let call = Caller::call(fra.place.udp, &mesh.ca, Some("ber-2"), "isobar/1").await;
    let caller = call.expect("its papers are good");
    let [names, about] = quic::names_and_about("ber", "ber-2");
    let words = [
        quic::hello("ber", "ber-2"),
        // Its hello of the next version, a message that is new, and a new version of an old one.
        quic::frame(0x0102, &[9; 40]),
        quic::frame(0x7f01, &[]),
        names,
        quic::frame(0x0b02, &[1; 7]),
        about,
    ];
    caller.say(&words.concat()).await;
    eventually("what it says between is heard", REFUSED, async || {
        fra.isobar.stderr().count("mesh: node is heard peer=\"ber/ber-2\"") == 1
            && unknown().await - before == 3.0
    })
    .await;
    assert!(caller.stands(Duration::from_secs(1)).await, "nobody is closed for knowing more");
    assert_eq!(metric(&fra.isobar, "isobar_mesh_misspoken_total", &[]).await, 0.0);
}
