//! A site goes: first its brokers, then all of it. `unbound` asks two nodes for a zone, and keeps
//! what it was told; how long does it name the site, and what becomes of clients who still come?

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::harness::*;
use crate::{ZONE, answers, dns_table};

/// Three failed checks, of which the first may have just begun (`Broker::of`: half a second
/// between two, a quarter once one has failed), and what a busy machine takes to tell others.
const BROKERS_DETECTED: Duration = Duration::from_millis(2_500);
/// Dead to the others: see docs/decisions/0009.
const SITE_DETECTED: Duration = Duration::from_secs(3);
/// Short, for a test that waits for it.
const TTL: Duration = Duration::from_secs(6);
const STEP: Duration = Duration::from_millis(50);

/// A resolver's word, as a device takes it: the first address.
async fn first(unbound: &Unbound) -> Option<String> {
    let told = unbound.ask(&[ZONE, "A"]).await;
    assert!(
        told.status() != "NOERROR" || !told.data("A").is_empty(),
        "never nothing: {}",
        told.text
    );
    told.data("A").into_iter().next()
}

/// Clients that believe the resolver, one after the other, until it no longer names `gone`: how
/// long that took from `since`, how many went where it had sent them, and how many were accepted.
async fn until_excluded(
    unbound: &Unbound,
    gone: &Site,
    since: Instant,
) -> (Duration, usize, usize) {
    let (mut came, mut accepted) = (0, 0);
    loop {
        let named = first(unbound).await;
        if named.as_ref().is_some_and(|ip| *ip != gone.addr().ip().to_string()) {
            return (since.elapsed(), came, accepted);
        }
        if named.is_some() {
            came += 1;
            let id = format!("stale-{came}");
            if let Ok(mut client) = Client::open(gone.addr(), None).await {
                client.patience = Duration::from_secs(5);
                accepted += usize::from(
                    client.connect(&Connect::v311(&id)).await.is_ok_and(|c| c.code == 0),
                );
            }
        }
        assert!(since.elapsed() < Duration::from_secs(60), "it still names {named:?}");
        tokio::time::sleep(STEP).await;
    }
}

#[tokio::test]
async fn a_site_leaves_the_answers_and_its_late_clients_are_carried() {
    let _turn = alone().await;
    let servers: Vec<SocketAddr> = (0..2).map(|_| free_dns_addr()).collect();
    let plan = MeshPlan::of(&["fra", "nyc", "sin"]);
    let at = servers.clone();
    // nyc is the nearest to all that ask from here; it has no server, and is to be lost.
    let plan = plan.each_node(move |site, node| {
        let networks = "[entry]\nnetworks = [{ site = \"nyc\", nets = [\"127.0.0.0/8\"] }]\n";
        let rules = format!("ttl = \"{}s\"\norder = [\"nyc\", \"sin\", \"fra\"]", TTL.as_secs());
        match site {
            "fra" => node.table(&format!("{networks}{}", dns_table(at[0], &rules))),
            "sin" => node.table(&format!("{networks}{}", dns_table(at[1], &rules))),
            _ => node,
        }
    });
    let mut mesh = plan.start().await;
    for &server in &servers {
        answers(server).await;
    }
    let unbound = Unbound::start(ZONE, &servers, &[]).await;
    let nyc = mesh.site("nyc").addr().ip().to_string();
    eventually("the resolver names the nearest", PATIENCE, async || {
        first(&unbound).await == Some(nyc.clone())
    })
    .await;

    // Its brokers are killed. The resolver has just been told, so it keeps that for a TTL.
    eventually("the resolver has a fresh answer", PATIENCE, async || {
        unbound.ask(&[ZONE, "A"]).await.ttl() == Some(TTL.as_secs() as u32)
    })
    .await;
    let killed = Instant::now();
    for broker in &mut mesh.site_mut("nyc").brokers {
        broker.kill().await;
    }
    let (took, came, accepted) = until_excluded(&unbound, mesh.site("nyc"), killed).await;
    let bound = BROKERS_DETECTED + TTL;
    println!(
        "brokers killed: the resolver names another site after {took:.1?} (bound {bound:.1?}); {came} \
         clients came to the site meanwhile, {accepted} were accepted"
    );
    assert!(took <= bound, "{took:?}");
    assert!(came > 10 && accepted == came, "each is carried to another site: {accepted} of {came}");
    let stale = num(&mesh.site("nyc").node().service().await, "/stale_arrivals");
    println!("of those, the node counted {stale} as stale arrivals");
    assert!(stale > 0 && stale <= came as u64, "{stale} of {came}");

    // They are back: so is the site.
    for broker in &mut mesh.site_mut("nyc").brokers {
        broker.restart().await;
    }
    eventually("the resolver names the nearest again", PATIENCE, async || {
        first(&unbound).await == Some(nyc.clone())
    })
    .await;

    // All of it is killed, at the worst moment again.
    eventually("the resolver has a fresh answer", PATIENCE, async || {
        unbound.ask(&[ZONE, "A"]).await.ttl() == Some(TTL.as_secs() as u32)
    })
    .await;
    let killed = Instant::now();
    mesh.site_mut("nyc").kill().await;
    let (took, came, _) = until_excluded(&unbound, mesh.site("nyc"), killed).await;
    let bound = SITE_DETECTED + TTL;
    println!(
        "site killed: the resolver names another site after {took:.1?} (bound {bound:.1?}); {came} \
         clients were still sent there"
    );
    assert!(took <= bound, "{took:?}");
    // Whoever asks now is served.
    let named = first(&unbound).await.expect("a site");
    let site =
        mesh.sites.iter().find(|site| site.addr().ip().to_string() == named).expect("of ours");
    Client::connected(site.addr(), &Connect::v311("after")).await;
}
