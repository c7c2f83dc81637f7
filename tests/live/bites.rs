//! Each fault that the drills of `simulations/` do not do to real processes, and that it is felt.

use super::drill;
use super::stage::{lost, misled, play, served};

const FRA: usize = 0;
const NYC: usize = 1;
const SIN: usize = 2;

const FAULTS: &str = r#"
[[at]]
t = "1s"
do = "clients.surge"
on = "site:nyc"
clients = 15
over = "1s"
for = "5s"

[[at]]
t = "2s"
do = "clients.drop"
on = "clients:fra"

[[at]]
t = "2s"
do = "clients.drop"
on = "clients:sin"
how = "silent"

[[at]]
t = "9s"
do = "node.pause"
on = "node:nyc/1"
for = "1200ms"

[[at]]
t = "12s"
do = "link.flap"
on = "link:fra<->sin"
period = "3s"
for = "6s"

[[at]]
t = "20s"
do = "link.loss"
on = "link:fra<->sin"
loss = "100%"
for = "1500ms"

[[at]]
t = "24s"
do = "link.delay"
on = "link:fra<->sin"
delay = "2s"
for = "1500ms"

[[at]]
t = "29s"
do = "site.down"
on = "site:fra"
how = "drain"
for = "6s"

[[expect]]
total = "all.never_served == 0"
"#;

#[test]
fn every_fault_is_felt_and_passes() {
    let played = play(&drill("40s", FAULTS));
    let site = |tenths: usize, site: usize| &played.at(tenths).sites[site];
    let seen = |from, to, is_so: &dyn Fn(&isobar_sim::rehearsal::Scene) -> bool| {
        played.between(from, to).iter().any(is_so)
    };
    // All are there; fifteen more come, are served, and go again.
    assert_eq!([FRA, NYC, SIN].map(|of| served(site(0, of))), [20, 20, 20]);
    assert!(seen(20, 60, &|scene| served(&scene.sites[NYC]) == 35), "a surge");
    assert_eq!(served(site(75, NYC)), 20, "it is over");
    // Twenty are reset and notice at once; twenty only by a PINGREQ.
    assert_eq!((lost(site(22, FRA)), site(22, FRA).affected.noticed), (20, 20), "reset");
    assert_eq!((lost(site(22, SIN)), site(22, SIN).affected.noticed), (20, 0), "in silence");
    assert_eq!([FRA, SIN].map(|of| served(site(89, of))), [20, 20], "all are back");
    assert_eq!(site(89, SIN).affected.noticed, 20);
    // A node stands still, and all clients behind it; others avoid it, and nobody gives up.
    assert!(seen(91, 104, &|scene| !scene.sites[NYC].nodes[0].up), "a pause");
    let views = |tenths| [FRA, SIN].map(|of| site(tenths, of).mesh).map(|m| m.agree == m.pairs);
    assert!(seen(92, 96, &|scene| scene.sites[FRA].mesh.agree < scene.sites[FRA].mesh.pairs));
    assert_eq!((views(119), lost(site(119, NYC))), ([true, true], 0), "it goes on");
    // A link is cut twice, then loses all, then is too late: each time its ends avoid each other.
    let felt = [(120, 135), (150, 165), (200, 215), (240, 255)]
        .map(|(from, to)| misled(played.at(to + 4)).saturating_sub(misled(played.at(from))));
    assert!(felt.iter().all(|times| *times >= 1), "cut, cut, loss, delay: {felt:?}");
    assert!(seen(165, 195, &|scene| scene.sites.iter().all(|s| s.mesh.agree == s.mesh.pairs)));
    assert_eq!(lost(site(289, FRA)), 20, "and no client hears of it");
    // A site is drained: its clients go elsewhere, its nodes end by themselves, and all come back.
    assert!(seen(300, 350, &|scene| !scene.sites[FRA].nodes[0].up), "a drain");
    assert!(seen(300, 350, &|scene| scene.sites[FRA].affected.abroad == 20), "all are elsewhere");
    assert_eq!(lost(site(349, FRA)), 40);
    let end = played.scenes.last().expect("many were seen");
    assert!(end.sites.iter().all(|site| site.nodes[0].up && served(site) == 20));
    assert!(end.sites.iter().all(|site| site.mesh.agree == site.mesh.pairs));
    let finale = &played.finale;
    assert!(finale.sites.iter().all(|site| site.affected.never_served.is_empty()));
    assert_eq!(finale.findings, [], "no healthy site was held dead");
}
