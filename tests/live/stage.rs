//! The stage of a live drill, played by hand: time passes, faults begin and end as the drill says,
//! and every look is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use isobar::drill::live::{self, Live, Options};
use isobar_sim::drill::{Drill, Moment};
use isobar_sim::rehearsal::{Crowd, Finale, LOOK, Scene, SiteScene, Stage};

pub struct Played {
    pub scenes: Vec<Scene>,
    pub finale: Finale,
}

/// Plays a drill of real processes whose faults have times of their own.
pub fn play(text: &str) -> Played {
    let drill: Drill =
        isobar::drill::parse(Path::new("test.toml"), text).expect("it is a good drill").drill;
    let program = Some(PathBuf::from(env!("CARGO_BIN_EXE_isobar")));
    let options = Options { program, embedded: false };
    let mut stage: Live = live::stage(&drill, 1, &options).expect("it starts");
    let strikes = drill.strikes(1);
    let mut scenes = vec![stage.look().expect("it can be seen")];
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
        }
        for became in stage.became() {
            println!("{at:?}: {became:?}");
        }
        scenes.push(scene);
    }
    let finale = stage.finish().expect("it ends");
    println!("{:?}", stage.notes());
    Played { scenes, finale }
}

impl Played {
    /// What was seen from one second to another, both in tenths.
    pub fn between(&self, from: usize, to: usize) -> &[Scene] {
        &self.scenes[from..=to]
    }

    pub fn at(&self, tenths: usize) -> &Scene {
        &self.scenes[tenths]
    }
}

/// A site's clients, all of them.
pub fn all(site: &SiteScene) -> [&Crowd; 2] {
    [&site.affected, &site.unaffected]
}

/// Its clients that are served, anywhere.
pub fn served(site: &SiteScene) -> u32 {
    all(site).iter().map(|crowd| crowd.home + crowd.abroad).sum()
}

/// So far: connections that they have lost.
pub fn lost(site: &SiteScene) -> u64 {
    all(site).iter().map(|crowd| crowd.disconnected).sum()
}

/// So far: how often any node avoided a site that was well.
pub fn misled(scene: &Scene) -> u64 {
    scene.sites.iter().map(|site| site.mesh.false_avoided).sum()
}

fn line(scene: &Scene) -> String {
    let site = |site: &SiteScene| {
        let abroad: u32 = all(site).iter().map(|crowd| crowd.abroad).sum();
        let [up, held] = [
            site.nodes.iter().filter(|node| node.up).count() as u32,
            site.brokers.iter().map(|broker| broker.connections).sum(),
        ];
        let beliefs = (site.mesh.agree, site.mesh.pairs, site.mesh.false_avoided);
        let (served, lost) = (served(site), lost(site));
        format!(
            "[{up} up, {held} held, {served} served, {abroad} abroad, {lost} lost, {beliefs:?}]"
        )
    };
    scene.sites.iter().map(site).collect::<Vec<_>>().join(" ")
}
