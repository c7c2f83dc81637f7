//! Who is no node of the mesh is refused, loudly, whatever is wrong with it; and what anybody can
//! send to a UDP port does no harm.

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
    line
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

/// 5,000 a second for two seconds, some of which look like QUIC.
fn junk(targets: &[SocketAddr]) {
    let socket = UdpSocket::bind((fresh_ip(), 0)).expect("the loopback");
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise
    };
    let start = Instant::now();
    for n in 0..10_000_u32 {
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
    let sending = tokio::task::spawn_blocking(move || junk(&targets));
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
    println!("{during} clients came meanwhile; resident KiB {resident:?} before, {after:?} after");
    for (before, after) in resident.iter().zip(after) {
        assert!(after < before + 32 * 1024, "memory is bounded");
    }
}
