//! A whole site falls silent, far away over bad lines: killed, or stopped with all its sockets
//! open. The others notice in time, and whoever has nothing to do with it notices nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use isobar::demo::wan::Path;
use tokio::task::JoinSet;

use crate::harness::*;

/// Nobody sends there any longer.
const AVOIDED: Duration = Duration::from_secs(1);
/// And it is over.
const DEAD: Duration = Duration::from_secs(3);
/// It is well, and used.
const BACK: Duration = Duration::from_secs(3);
/// Beyond this a round is not slow, it has failed.
const EVER: Duration = Duration::from_secs(20);

/// What happens to the site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Killed,
    Stopped,
}

/// What a round took.
#[derive(Debug)]
struct Round {
    avoided: Duration,
    dead: Duration,
    back: Duration,
}

#[tokio::test]
async fn a_site_that_falls_silent_is_avoided_dead_and_back() {
    let _turn = alone().await;
    let far = Path::of_rtt(Duration::from_millis(300)).losing(5.0, Duration::ZERO);
    let plan = MeshPlan::of(&["fra", "nyc", "sin"]).nodes(2);
    let plan = plan.path("fra", "nyc", far).path("fra", "sin", far).path("nyc", "sin", far);
    let plan = plan.each_service(|_, service| service.raw("spill = { failback_per_second = 0 }"));
    let mut mesh = plan.start().await;
    // Whoever comes to fra goes abroad.
    mesh.site_mut("fra").kill_brokers().await;
    let carried = carried_to_sin(&mesh).await;
    let mut local = Vec::new();
    for (i, addr) in mesh.site("sin").addrs().into_iter().enumerate() {
        local.push(pulse(addr, &format!("local-{i}")).await);
    }
    for fault in [Fault::Stopped, Fault::Killed] {
        let mut tries = 0;
        loop {
            let round = round(&mut mesh, fault).await;
            println!("{fault:?}: {round:.2?}");
            tries += 1;
            if round.avoided <= AVOIDED && round.dead <= DEAD && round.back <= BACK {
                break;
            }
            assert!(tries < 3, "{round:?}, and the machine was never quiet");
        }
    }
    let worst = undisturbed("local in sin", local).await;
    assert!(worst < Duration::from_secs(2), "undisturbed");
    let worst = undisturbed("fra's in sin", carried).await;
    assert!(worst < Duration::from_secs(8), "a few losses in a row, and no more");
    let wan = mesh.wan.as_ref().expect("there is one");
    println!("fra -> sin: {:?}", wan.figures("fra", "sin"));
    assert!(wan.figures("fra", "sin").lost > 20, "the line was bad");
}

async fn pulse(addr: SocketAddr, id: &str) -> Pulse {
    let client = Client::connected(addr, &Connect::v311(id)).await;
    Pulse::start(client, &format!("echo/{id}"), Duration::from_millis(50)).await
}

/// Clients of fra that sin carries. Which site takes a flow is drawn: those in nyc leave again.
async fn carried_to_sin(mesh: &Mesh) -> Vec<Pulse> {
    let mut pulses = Vec::new();
    for i in 0..40 {
        let id = format!("carried-{i}");
        let addr = mesh.site("fra").addrs()[i % 2];
        let client = Client::connected(addr, &Connect::v311(&id)).await;
        if mesh.site("sin").took(&id).is_empty() {
            client.disconnect().await;
            continue;
        }
        let topic = format!("echo/{id}");
        pulses.push(Pulse::start(client, &topic, Duration::from_millis(50)).await);
        if pulses.len() == 4 {
            return pulses;
        }
    }
    panic!("of 40 clients sin took {}", pulses.len());
}

/// All nodes of the other sites.
fn watchers(mesh: &Mesh) -> impl Iterator<Item = &Isobar> {
    let others = mesh.sites.iter().filter(|site| site.name != "nyc");
    others.flat_map(|site| &site.nodes).map(|node| &node.isobar)
}

/// When the last of the watchers said so.
async fn all_say(mesh: &Mesh, to: &str, since: Instant) -> Duration {
    let mut last = Duration::ZERO;
    for node in watchers(mesh) {
        last = last.max(wait_said(node, "nyc", to, since, EVER).await);
    }
    last
}

/// Clients that come to fra, seven a second, until nyc is dead to all. Gives when each came, and
/// the address by which the log knows it.
async fn newcomers(doors: Vec<SocketAddr>, since: Instant) -> Vec<(Duration, SocketAddr)> {
    let mut coming = JoinSet::new();
    for i in 0..20_usize {
        let door = doors[i % 2];
        coming.spawn(async move {
            let at = since.elapsed();
            let mut client = Client::open(door, None).await.expect("a listener");
            let addr = client.local_addr();
            let answer = client.connect(&Connect::v311(&format!("new-{i}"))).await;
            assert_eq!(answer.expect("an answer").code, 0, "somebody takes it");
            client.disconnect().await;
            (at, addr)
        });
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    coming.join_all().await
}

async fn round(mesh: &mut Mesh, fault: Fault) -> Round {
    let since = Instant::now();
    match fault {
        Fault::Stopped => mesh.site("nyc").stop(),
        Fault::Killed => mesh.site_mut("nyc").kill().await,
    }
    let coming = tokio::spawn(newcomers(mesh.site("fra").addrs(), since));
    let avoided = all_say(mesh, "avoided", since).await;
    let dead = all_say(mesh, "dead", since).await;
    let came = coming.await.expect("everybody was served");
    if avoided <= AVOIDED {
        nobody_was_sent_there(mesh, &came).await;
    }
    let since = Instant::now();
    match fault {
        Fault::Stopped => mesh.site("nyc").cont(),
        Fault::Killed => mesh.site_mut("nyc").restart().await,
    }
    let back = all_say(mesh, "reachable", since).await;
    let used = eventually("it is sent to again", EVER, async || {
        let before = mesh.site("nyc").took("again").len();
        let again = Connect::v311("again");
        Client::connected(mesh.site("fra").addr(), &again).await.disconnect().await;
        mesh.site("nyc").took("again").len() > before
    })
    .await;
    println!("used again {used:.1?} later");
    Round { avoided, dead, back }
}

/// Whoever came after a second had its place at the first attempt, and in sin.
async fn nobody_was_sent_there(mesh: &Mesh, came: &[(Duration, SocketAddr)]) {
    let mut late = 0;
    for (at, addr) in came.iter().filter(|(at, _)| *at >= AVOIDED) {
        let start = format!("{addr} ");
        let line = until("a line in fra", PATIENCE, async || {
            let nodes = mesh.site("fra").nodes.iter().map(|node| &node.isobar);
            nodes.flat_map(|node| node.log().matching(|l| l.contains(&start))).next()
        })
        .await;
        assert!(line.contains(" mqtt/@sin "), "after {at:?}: {line}");
        let retries = line.split(' ').find(|word| word.matches('/').count() == 4);
        assert!(retries.is_some_and(|counts| counts.ends_with("/0")), "after {at:?}: {line}");
        late += 1;
    }
    println!("{} came, {late} of them after {AVOIDED:?}: at once to sin", came.len());
    assert!(late > 0, "somebody came");
}
