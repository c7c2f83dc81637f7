//! A mesh of three sites, where the only thing that a client knows is the name.

use std::net::SocketAddr;

use crate::harness::*;
use crate::{ZONE, answers, dns_table};

/// Resolves by a resolver on this machine, connects to the first address, and says where it is.
async fn arrive(unbound: &Unbound, port: u16, id: &str) -> Option<String> {
    let told = unbound.ask(&[ZONE, "A"]).await;
    let ip = told.data("A").into_iter().next()?;
    let addr = SocketAddr::new(ip.parse().expect("an address"), port);
    let mut client = Client::open(addr, None).await.ok()?;
    let connack = client.connect(&Connect::v311(id)).await.ok()?;
    (connack.code == 0).then_some(ip)
}

#[tokio::test]
async fn the_name_leads_to_the_nearest_site_and_after_its_loss_to_another() {
    let _turn = alone().await;
    let sites = ["fra", "nyc", "sin"];
    let servers: Vec<SocketAddr> = (0..3).map(|_| free_dns_addr()).collect();
    // One port at all sites, as a name without one implies.
    let port = free_addr().port();
    let ips: Vec<_> = (0..3).map(|_| fresh_ip()).collect();
    let (at, public) = (servers.clone(), ips.clone());
    let of = move |site: &str| sites.iter().position(|name| *name == site).expect("of the plan");
    let networks = "[entry]\nnetworks = [{ site = \"nyc\", nets = [\"127.0.0.0/8\"] }]\n";
    let plan = MeshPlan::of(&sites)
        .each_service(move |site, service| {
            service.bind_at(&[SocketAddr::new(public[of(site)], port)])
        })
        .each_node(move |site, node| {
            node.table(&format!("{networks}{}", dns_table(at[of(site)], "ttl = \"2s\"")))
        });
    let mut mesh = plan.start().await;
    for &server in &servers {
        answers(server).await;
    }
    let unbound = Unbound::start(ZONE, &servers, &[]).await;
    let nearest = ips[1].to_string();
    let arrived =
        until("a client arrives", PATIENCE, async || arrive(&unbound, port, "first").await).await;
    assert_eq!(arrived, nearest, "nyc has the network that asks");
    assert_eq!(mesh.site("nyc").took("first").len(), 1);

    let killed = std::time::Instant::now();
    mesh.site_mut("nyc").kill().await;
    let other = until("a client arrives elsewhere", PATIENCE, async || {
        arrive(&unbound, port, "second").await
    })
    .await;
    println!("after the loss of {nearest} a client is at {other}, {:.1?} later", killed.elapsed());
    assert_ne!(other, nearest);
    mesh.site_mut("nyc").restart().await;
    eventually("the nearest is told again", PATIENCE, async || {
        arrive(&unbound, port, "third").await == Some(nearest.clone())
    })
    .await;
}

/// SRV leads to the port as well.
#[tokio::test]
async fn srv_leads_to_host_and_port() {
    let _turn = beside().await;
    let mosquittos = [Mosquitto::start("a").await];
    let (node, dns) = crate::alone_over(&mosquittos, "").await;
    let unbound = Unbound::start(ZONE, &[dns], &[]).await;
    let told = unbound.ask(&[&format!("_mqtt._tcp.{ZONE}"), "SRV"]).await;
    let srv = told.data("SRV").remove(0);
    let words: Vec<&str> = srv.split(' ').collect();
    let [_, _, port, host] = words[..] else { panic!("{srv}") };
    let ip = unbound.ask(&[host, "A"]).await.data("A").remove(0);
    let addr: SocketAddr = format!("{ip}:{port}").parse().expect("an address");
    assert_eq!(addr, node.addr());
    Client::connected(addr, &Connect::v311("by-srv")).await;
}

/// A resolver that sends its clients' networks gets, and keeps, an answer for each of them.
#[tokio::test]
async fn a_resolver_that_speaks_of_its_clients_gets_each_its_answer() {
    let _turn = alone().await;
    let dns = free_dns_addr();
    let networks = "[entry]\nnetworks = [\n{ site = \"fra\", nets = [\"127.0.0.0/8\"] },\n\
                    { site = \"nyc\", nets = [\"127.200.1.0/24\"] }]\n";
    let table = format!("{networks}{}", dns_table(dns, ""));
    let plan = MeshPlan::of(&["fra", "nyc"]).each_node(move |site, node| match site {
        "fra" => node.table(&table),
        _ => node,
    });
    let mesh = plan.start().await;
    answers(dns).await;
    let send = format!("send-client-subnet: {}", dns.ip());
    let lines = [send.as_str(), "client-subnet-always-forward: yes", "max-client-subnet-ipv4: 24"];
    let unbound = Unbound::start(ZONE, &[dns], &lines).await;
    for (client, site) in [("127.200.1.9", "nyc"), ("127.200.2.9", "fra"), ("127.200.1.77", "nyc")]
    {
        let told = dig(unbound.addr, &["+recurse", "-b", client, ZONE, "A"]).await;
        assert_eq!(
            told.data("A"),
            [mesh.site(site).addr().ip().to_string()],
            "{client}: {}",
            told.text
        );
    }
}
