//! Drills on real processes: `drill::live` does to them what a drill says, and sees what comes of
//! it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use isobar::drill::live::{self, Live, Options};
use isobar_sim::drill::{Drill, Moment};
use isobar_sim::rehearsal::{Finale, LOOK, Scene, Stage};

fn options() -> Options {
    Options { program: Some(PathBuf::from(env!("CARGO_BIN_EXE_isobar"))), embedded: false }
}

fn drill(text: &str) -> Drill {
    isobar::drill::parse(Path::new("test.toml"), text).expect("it is a good drill").drill
}

/// Plays it, by the clock alone, and gives every tenth look.
fn play(drill: &Drill) -> (Vec<Scene>, Finale) {
    let mut stage: Live = live::stage(drill, 1, &options()).expect("it starts");
    let strikes = drill.strikes(1);
    let mut scenes = Vec::new();
    let mut at = Duration::ZERO;
    while at < drill.duration {
        for (number, strike) in strikes.iter().enumerate() {
            let Moment::At(begins) = strike.at else { panic!("no events here") };
            if begins == at {
                stage.begin(number, strike).expect("it begins");
                assert!(stage.took_effect(number), "{strike:?}");
            }
            if strike.lasts.is_some_and(|lasts| begins + lasts == at) {
                stage.end(number).expect("it ends");
            }
        }
        at += LOOK;
        stage.pass_until(at).expect("nothing breaks");
        let scene = stage.look().expect("it can be seen");
        if at.as_millis().is_multiple_of(1_000) {
            println!("{at:?}: {}", line(&scene));
            scenes.push(scene);
        }
        for became in stage.became() {
            println!("{at:?}: {became:?}");
        }
    }
    let finale = stage.finish().expect("it ends");
    println!("{:?}", stage.notes());
    (scenes, finale)
}

fn line(scene: &Scene) -> String {
    let site = |site: &isobar_sim::rehearsal::SiteScene| {
        let a = &site.affected;
        let u = &site.unaffected;
        let held: Vec<u32> = site.brokers.iter().map(|broker| broker.connections).collect();
        format!(
            "[{}+{} home {}+{} abroad {}+{} unserved | brokers {held:?} guests {} carried {} retries {} agree {}/{}]",
            a.home,
            u.home,
            a.abroad,
            u.abroad,
            a.unserved,
            u.unserved,
            site.guests,
            site.flow.carried,
            site.flow.redispatches,
            site.mesh.agree,
            site.mesh.pairs
        )
    };
    scene.sites.iter().map(site).collect::<Vec<_>>().join(" ")
}

fn file(name: &str) -> Drill {
    let path = format!("{}/../../simulations/fidelity/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    drill(&std::fs::read_to_string(path).expect("it is there"))
}

#[test]
fn a_site_that_dies_is_left_for_others() {
    let (scenes, finale) = play(&file("site-loss-rst"));
    for site in &finale.sites {
        let a = &site.affected;
        for times in [&a.notice, &a.search, &a.admit, &a.reconnect, &a.outage] {
            println!(
                "{} p50 {:?} p99 {:?}",
                times.count(),
                times.permille(500),
                times.permille(990)
            );
        }
        println!("went {:?} never {:?}", site.went, a.never_served);
    }
    println!("{:?}", finale.detections);
    println!("{:?}", finale.findings);
    assert!(!scenes.is_empty());
}
