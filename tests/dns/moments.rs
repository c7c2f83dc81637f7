//! The first moment, the last site, and a node that hears nobody.

use std::time::Duration;

use crate::harness::*;
use crate::{ZONE, answers, dns_table};

/// An answer at this very moment, or none.
async fn now(dns: std::net::SocketAddr) -> Told {
    dig(dns, &[ZONE, "A", "+time=1"]).await
}

#[tokio::test]
async fn from_its_first_answer_on_there_is_never_nothing() {
    let _turn = beside().await;
    let mosquittos = [Mosquitto::start("a").await];
    let dns = free_dns_addr();
    let node = Node::new(Service::over(&mosquittos)).table(&dns_table(dns, ""));
    let mut isobar = node.launch();
    let mut seen = Vec::new();
    eventually("it names its site", PATIENCE, async || {
        let told = now(dns).await;
        let known = (told.status().to_owned(), told.data("A").len());
        if !known.0.is_empty() && seen.last() != Some(&known) {
            seen.push(known);
        }
        seen.last().is_some_and(|(_, n)| *n > 0)
    })
    .await;
    println!("from the first answer on: {seen:?}");
    assert!(seen.iter().all(|(status, n)| status == "SERVFAIL" || *n > 0), "{seen:?}");
    isobar.wait_ready().await;
}

#[tokio::test]
async fn when_all_are_down_the_configured_answer_is_given() {
    let _turn = beside().await;
    for (all_down, status, n) in
        [("last_good", "NOERROR", 1), ("all", "NOERROR", 1), ("servfail", "SERVFAIL", 0)]
    {
        let mut mosquitto = Mosquitto::start("a").await;
        let dns = free_dns_addr();
        let table = dns_table(dns, &format!("all_down = \"{all_down}\""));
        let service = Service::new("mqtt").broker(Broker::of(&mosquitto));
        let isobar = Node::new(service).table(&table).start().await;
        answers(dns).await;
        mosquitto.kill().await;
        isobar.wait_state("a", "down", PATIENCE).await;
        let wanted = |told: &Told| {
            (told.status(), told.data("A").len()) == (status, n)
                && told.ttl().is_none_or(|ttl| ttl <= 5)
        };
        let mut last = String::new();
        eventually(&format!("{all_down}: {status}"), Duration::from_secs(5), async || {
            let told = now(dns).await;
            assert!(told.status() != "NOERROR" || told.data("A").len() == 1, "never nothing");
            last = told.text.clone();
            wanted(&told)
        })
        .await;
        println!("all_down = {all_down}: {}", last.lines().find(|l| l.contains("status")).unwrap());
        mosquitto.restart().await;
        eventually("it is named again, for longer", PATIENCE, async || {
            now(dns).await.ttl().is_some_and(|ttl| ttl > 5)
        })
        .await;
    }
}

/// A node that is cut off still names the others: that they cannot be heard from here does not
/// mean that clients cannot reach them.
#[tokio::test]
async fn a_node_that_is_cut_off_names_what_it_knew() {
    let _turn = alone().await;
    let dns = free_dns_addr();
    let networks = "[entry]\nnetworks = [{ site = \"nyc\", nets = [\"198.51.100.0/24\"] }]\n";
    let table = format!("{networks}{}", dns_table(dns, ""));
    let plan = MeshPlan::of(&["fra", "nyc", "sin"]).rtt("fra", "nyc", 20).rtt("fra", "sin", 20);
    let plan = plan.rtt("nyc", "sin", 20);
    let plan = plan.each_node(move |site, node| match site {
        "fra" => node.table(&table),
        _ => node,
    });
    let mesh = plan.start().await;
    answers(dns).await;
    let nyc = mesh.site("nyc").addr().ip().to_string();
    let of_nyc = async || dig(dns, &[ZONE, "A", "+subnet=198.51.100.0/24"]).await;
    eventually("clients of nyc are told nyc", PATIENCE, async || {
        of_nyc().await.data("A") == [nyc.clone()]
    })
    .await;
    let wan = mesh.wan.as_ref().expect("there are paths");
    for other in ["nyc", "sin"] {
        wan.change("fra", other, |path| path.is_cut = true);
        wan.change(other, "fra", |path| path.is_cut = true);
    }
    for other in ["nyc", "sin"] {
        wait_standing(mesh.site("fra").node(), other, "suspect", PATIENCE).await;
    }
    // Longer than any verdict takes: it gives none, for it is the one that hears nobody.
    for _ in 0..20 {
        let told = of_nyc().await;
        assert_eq!(told.data("A")[0], nyc, "unreachable from here is not down: {}", told.text);
        assert!(told.ttl().is_some_and(|ttl| ttl <= 5), "a change is near: {}", told.text);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
