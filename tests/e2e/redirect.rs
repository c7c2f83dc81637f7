//! MQTT 5 clients that are known to follow are sent to the site that is right for them; nobody else
//! is, and nobody in circles.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::harness::*;

/// Two sites; clients of loopback belong to nyc, by the configuration of both.
async fn mesh(clients_of: &'static str, ranking: &'static str) -> Mesh {
    MeshPlan::of(&["fra", "nyc"])
        .each_service(|_, service| {
            service.raw("redirect = { enabled = true, clients = [\"sensor-*\"] }")
        })
        .each_node(move |_, node| {
            node.table(&format!(
                "\n[entry]\nnetworks = [{{ site = \"{clients_of}\", nets = [\"127.0.0.0/8\"] }}]\n\
                 [entry.dns]\npolicy = \"{ranking}\"\n"
            ))
        })
        .start()
        .await
}

/// The server that a client is sent to; `None` where it is served.
async fn sent(addr: SocketAddr, connect: &Connect) -> Option<String> {
    let mut client = Client::open(addr, None).await.expect("it listens");
    let connack = client.connect(connect).await.expect("it answers");
    if connack.code == 0 {
        client.ping().await.expect("it is served");
        client.disconnect().await;
        return None;
    }
    assert_eq!(connack.code, 0x9c, "{connack:?}");
    // Exactly one property: Server Reference, with its length in two bytes.
    let (id, rest) = connack.properties.split_first().expect("a property");
    assert_eq!((*id, rest[0], usize::from(rest[1])), (0x1c, 0, rest.len() - 2));
    Some(String::from_utf8(rest[2..].to_vec()).expect("UTF-8"))
}

#[tokio::test]
async fn a_client_that_follows_is_sent_home_and_served_there() {
    let mesh = mesh("nyc", "nearest").await;
    let (fra, nyc) = (mesh.site("fra").addr(), mesh.site("nyc").addr());
    let to =
        until("a redirect", PATIENCE, async || sent(fra, &Connect::v5("sensor-1")).await).await;
    println!("sensor-1 at fra: 0x9c, {to}");
    assert_eq!(to, nyc.to_string());
    assert_eq!(sent(nyc, &Connect::v5("sensor-1")).await, None, "it is served where it was sent");
    assert_eq!(mesh.site("nyc").took("sensor-1").len(), 1);
    // It comes back all the same: it is served, and not sent round.
    assert_eq!(sent(fra, &Connect::v5("sensor-1")).await, None);
    // Nobody else is sent away.
    for other in [Connect::v311("sensor-2"), Connect::v31("sensor-3"), Connect::v5("meter-1")] {
        assert_eq!(sent(fra, &other).await, None, "{:?}", other.version);
    }
    for id in ["sensor-1", "sensor-2", "sensor-3", "meter-1"] {
        assert_eq!(mesh.site("fra").took(id).len(), 1, "{id} at home");
    }
    assert!(metric(mesh.site("fra").node(), "isobar_redirects_total", &[]).await >= 1.0);

    // A real client prints why.
    let mut command = Command::new("timeout");
    command.arg("20").arg(find_program("mosquitto_sub"));
    command.args(["-h", &fra.ip().to_string(), "-p", &fra.port().to_string()]);
    command.args(["-V", "mqttv5", "-i", "sensor-9", "-t", "t", "-C", "1", "-d"]);
    let run = tokio::task::spawn_blocking(move || command.output().expect("it starts"));
    let ran = run.await.expect("it does not panic");
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    println!("{said}");
    assert!(said.contains("Use another server") || said.contains("(156)"), "{said}");
}

#[tokio::test]
async fn where_home_is_right_everybody_is_served() {
    let mesh = mesh("fra", "nearest").await;
    let fra = mesh.site("fra").addr();
    for n in 0..20 {
        assert_eq!(sent(fra, &Connect::v5(&format!("sensor-{n}"))).await, None);
    }
    assert_eq!(mesh.site("fra").took("sensor-").len(), 20);
}

#[tokio::test]
async fn a_site_without_brokers_sends_those_who_follow_and_carries_the_others() {
    let mut mesh = mesh("fra", "nearest").await;
    mesh.site_mut("fra").kill_brokers().await;
    let (fra, nyc) = (mesh.site("fra").addr(), mesh.site("nyc").addr());
    let id = |n: u32| format!("sensor-{n}");
    let mut n = 0;
    let to = until("a redirect", Duration::from_secs(10), async || {
        n += 1;
        sent(fra, &Connect::v5(&id(n))).await
    })
    .await;
    assert_eq!(to, nyc.to_string());
    assert_eq!(sent(fra, &Connect::v5("meter-1")).await, None, "carried");
    assert_eq!(mesh.site("nyc").took("meter-1").len(), 1);
}

#[tokio::test]
async fn who_is_carried_here_is_never_sent_on() {
    // fra has no broker and redirects nobody; nyc would redirect to fra whom it takes for fra's.
    let mut mesh = MeshPlan::of(&["fra", "nyc"])
        .each_service(|site, service| match site {
            "nyc" => service.raw("redirect = { enabled = true, clients = [\"*\"] }"),
            _ => service,
        })
        .each_node(|_, node| {
            node.table("\n[entry]\nnetworks = [{ site = \"fra\", nets = [\"127.0.0.0/8\"] }]\n")
        })
        .start()
        .await;
    mesh.site_mut("fra").kill_brokers().await;
    let fra = mesh.site("fra").addr();
    assert_eq!(sent(fra, &Connect::v5("sensor-1")).await, None);
    assert_eq!(mesh.site("nyc").took("sensor-1").len(), 1);
}
