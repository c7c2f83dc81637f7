//! The mesh falls apart: into two parts that do not hear each other, or by one way of one path.
//! Each part serves its clients; the few do not bury the many; and when it is whole again, all
//! have the same view within seconds.

use std::time::{Duration, Instant};

use crate::harness::*;

const FEW: [&str; 2] = ["ber", "fra"];
const MANY: [&str; 3] = ["nyc", "sin", "syd"];
const ALL: [&str; 5] = ["ber", "fra", "nyc", "sin", "syd"];
/// Longer than a site takes to be avoided, suspected and dead, and that again.
const LASTS: Duration = Duration::from_secs(7);
const HEALED: Duration = Duration::from_secs(5);
/// Beyond this it is not slow, it has failed.
const EVER: Duration = Duration::from_secs(20);
const ROOM: i64 = 10;

async fn five_sites() -> Mesh {
    let mut plan = MeshPlan::of(&ALL);
    for (i, a) in ALL.iter().enumerate() {
        for b in &ALL[i + 1..] {
            plan = plan.rtt(a, b, 40);
        }
    }
    let plan = plan.each_service(|_, service| service.raw("spill = { failback_per_second = 0 }"));
    // One site of each part has more clients than places.
    let plan = plan.each_broker(|site, broker| match site {
        "fra" | "nyc" => broker.set("maxconn", ROOM),
        _ => broker,
    });
    plan.start().await
}

/// Cuts or joins one way.
fn set_cut(mesh: &Mesh, from: &str, to: &str, is_cut: bool) {
    let wan = mesh.wan.as_ref().expect("there is one");
    wan.change(from, to, |path| path.is_cut = is_cut);
}

fn split(mesh: &Mesh, is_cut: bool) {
    for few in FEW {
        for many in MANY {
            set_cut(mesh, few, many, is_cut);
            set_cut(mesh, many, few, is_cut);
        }
    }
}

/// What `node` has said of `site` since then.
fn said(mesh: &Mesh, node: &str, site: &str, since: Instant) -> Vec<String> {
    let all = changes(mesh.site(node).node(), site).into_iter();
    all.filter(|change| change.at >= since).map(|change| change.to).collect()
}

/// All have every other site, and every site's load as it says itself. How long that took.
async fn whole_again(mesh: &Mesh, since: Instant) -> Duration {
    let reachable =
        |seen: &str, by: &str| standing(mesh.site(by).node(), seen).as_deref() == Some("reachable");
    eventually("every site is reachable to all", EVER, async || {
        ALL.iter().all(|by| ALL.iter().all(|seen| seen == by || reachable(seen, by)))
    })
    .await;
    let standings = since.elapsed();
    eventually("all have the same numbers", EVER, async || {
        let mut views = Vec::new();
        for site in &mesh.sites {
            let report = site.node().report().await;
            let mut sites: Vec<(String, u64, u64)> = Vec::new();
            for seen in report["mesh"]["sites"].as_array().expect("sites") {
                sites.push((text(seen, "/name"), num(seen, "/flows"), num(seen, "/nodes")));
            }
            sites.sort();
            views.push(sites);
        }
        views.iter().all(|view| view.len() == ALL.len() && view == &views[0])
    })
    .await;
    println!("all reachable after {standings:.1?}, all numbers the same {:.1?}", since.elapsed());
    since.elapsed()
}

/// Clients that come to every site while it lasts: each is served, in its own part.
async fn each_part_serves(mesh: &Mesh, what: &str) -> Vec<Client> {
    let mut held = Vec::new();
    for site in &mesh.sites {
        let n = if ["fra", "nyc"].contains(&site.name.as_str()) { 2 * ROOM as usize } else { 5 };
        let prefix = format!("{what}-{}", site.name);
        let storm = Storm::new(site.addr(), n).concurrency(1);
        let some = storm.connects(move |i| Connect::v311(&format!("{prefix}-{i}"))).run().await;
        println!("{what}, {}: {}", site.name, some.summary());
        some.assert_all_accepted();
        held.extend(some.into_clients());
    }
    held
}

/// How many clients of `from` one of `sites` took.
fn took_from(mesh: &Mesh, sites: &[&str], what: &str, from: &str) -> usize {
    sites.iter().map(|site| mesh.site(site).took(&format!("{what}-{from}-")).len()).sum()
}

#[tokio::test]
async fn a_split_mesh_serves_on_both_sides_and_grows_together() {
    let _turn = alone().await;
    let mesh = five_sites().await;
    let mut tries = 0;
    loop {
        let took = parts(&mesh, tries).await;
        tries += 1;
        if took <= HEALED {
            break;
        }
        assert!(tries < 3, "whole again after {took:?}, and the machine was never quiet");
    }
    tries = 0;
    loop {
        let took = one_way(&mesh, tries).await;
        tries += 1;
        if took <= HEALED {
            break;
        }
        assert!(tries < 3, "whole again after {took:?}, and the machine was never quiet");
    }
}

async fn parts(mesh: &Mesh, n: u32) -> Duration {
    let what = format!("split{n}");
    let since = Instant::now();
    split(mesh, true);
    for (part, other) in [(&FEW[..], &MANY[..]), (&MANY[..], &FEW[..])] {
        for by in part {
            for site in other {
                wait_said(mesh.site(by).node(), site, "avoided", since, EVER).await;
            }
        }
    }
    println!("each part avoids the other after {:.1?}", since.elapsed());
    for many in MANY {
        for few in FEW {
            wait_said(mesh.site(many).node(), few, "dead", since, EVER).await;
        }
    }
    println!("the many have buried the few after {:.1?}", since.elapsed());
    let mut held = each_part_serves(mesh, &what).await;
    for (full, part) in [("fra", &FEW[..]), ("nyc", &MANY[..])] {
        assert_eq!(took_from(mesh, part, &what, full), 2 * ROOM as usize, "in its own part");
    }
    tokio::time::sleep(LASTS.saturating_sub(since.elapsed())).await;
    for few in FEW {
        for many in MANY {
            let said = said(mesh, few, many, since);
            assert!(!said.contains(&"dead".to_owned()), "{few} of {many}: {said:?}");
            assert!(mesh.wan.as_ref().expect("one").figures(few, many).cut > 0, "it was cut");
        }
        let alone = mesh.site(few).node().stderr();
        assert!(alone.count("hears less than half of the other sites") > n as usize, "{few}");
        for friend in FEW.iter().filter(|friend| **friend != few) {
            assert_eq!(said(mesh, few, friend, since), [""; 0], "they hear each other");
        }
    }
    let healed = Instant::now();
    split(mesh, false);
    let took = whole_again(mesh, healed).await;
    for client in &mut held {
        client.ping().await.expect("it came during the split, and outlived it");
    }
    for client in held {
        client.disconnect().await;
    }
    took
}

async fn one_way(mesh: &Mesh, n: u32) -> Duration {
    let what = format!("oneway{n}");
    let since = Instant::now();
    set_cut(mesh, "fra", "nyc", true);
    for (by, site) in [("fra", "nyc"), ("nyc", "fra")] {
        let took = wait_said(mesh.site(by).node(), site, "avoided", since, EVER).await;
        println!("one way: {by} avoids {site} after {took:.1?}");
    }
    let held = each_part_serves(mesh, &what).await;
    let others = ["ber", "sin", "syd"];
    for full in ["fra", "nyc"] {
        let beside = took_from(mesh, &others, &what, full);
        let home = took_from(mesh, &[full], &what, full);
        assert_eq!((home, beside), (ROOM as usize, ROOM as usize), "past the cut");
    }
    tokio::time::sleep(LASTS.saturating_sub(since.elapsed())).await;
    for by in ALL {
        for site in ALL.iter().filter(|site| **site != by) {
            let said = said(mesh, by, site, since);
            assert!(!said.contains(&"dead".to_owned()), "{by} of {site}: {said:?}");
            let is_cut = [("fra", "nyc"), ("nyc", "fra")].contains(&(by, site));
            assert!(is_cut || said.is_empty(), "{by} of {site}: {said:?}");
        }
    }
    assert!(mesh.wan.as_ref().expect("one").figures("fra", "nyc").cut > 0, "it was cut");
    let healed = Instant::now();
    set_cut(mesh, "fra", "nyc", false);
    let took = whole_again(mesh, healed).await;
    for client in held {
        client.disconnect().await;
    }
    took
}
