//! What a record says beside its verdicts.

use std::time::Duration;

use super::script::{Script, drill, quiet, t};
use crate::drill::{Deed, NodeAt};
use crate::rehearsal::record::{Spread, Step};
use crate::rehearsal::{CrowdFinale, Detection, Finale, SiteFinale, Times};

fn times(seconds: &[u32]) -> Times {
    let mut times = Times::default();
    seconds.iter().for_each(|n| times.add(t("1s") * *n));
    times
}

#[test]
fn who_was_never_served_is_in_no_step() {
    let mut script = Script::served(|_| 100);
    let never_served = [("refused".to_owned(), 1)].into();
    let crowd = CrowdFinale {
        admit: times(&[1, 1]),
        reconnect: times(&[2, 4, 9]),
        never_served,
        ..CrowdFinale::default()
    };
    let other = CrowdFinale {
        admit: times(&[1]),
        reconnect: times(&[2]),
        never_served: [("away".to_owned(), 5)].into(),
        ..CrowdFinale::default()
    };
    script.finale.sites = vec![SiteFinale { affected: crowd, unaffected: other, went: vec![1, 2] }];
    let record = script.runs(&drill("10s").totals("all.unserved == 0"));
    let steps: Vec<(u64, u64)> =
        record.served.iter().map(|Step { us, count }| (us / 1_000_000, *count)).collect();
    assert_eq!(steps, [(2, 2), (4, 3)]);
    // Of the affected alone.
    assert_eq!(record.never_served, [("refused".to_owned(), 1)].into());
    assert_eq!((record.went, record.metrics["all.never_served"]), (vec![vec![1, 2]], 6));
}

#[test]
fn who_never_found_out_counts_as_long_as_there_was_something_to_find() {
    let found = |avoided, returned| Detection {
        site: 0,
        by: NodeAt { site: 1, node: 0 },
        lost: t("2s"),
        avoided,
        dead: None,
        returned,
        back: None,
    };
    let mut script = Script::served(|_| 100);
    let detections =
        vec![found(Some(t("1s")), None), found(None, Some(t("5s"))), found(None, None)];
    script.finale = Finale { detections, ..Finale::default() };
    let record = script.runs(&drill("10s").totals("all.unserved == 0"));
    let Spread { count, max_us, p50_us, .. } = record.phases.detect;
    assert_eq!((count, max_us), (3, 8_000_000));
    assert!((3_000_000..3_050_000).contains(&p50_us), "{p50_us}");
    assert_eq!(record.metrics["mesh.dead_max"], 8_000_000);
}

#[test]
fn targets_are_named_as_a_drill_would() {
    let fault = |deed, on| {
        let drill = drill("10s").strikes_with("one", "1s", deed, on, Some(t("2s")));
        let record = Script::served(|_| 100).runs(&drill.totals("all.unserved == 0"));
        let told = record.faults[0].clone();
        (told.deed, told.targets, told.sites.join(" "))
    };
    for (deed, on, expected) in [
        (Deed::LinkCut, "link:fra->nyc", ("link.cut", "fra->nyc", "fra nyc")),
        (
            Deed::LinkDelay(t("2s")),
            "link:*<->*",
            ("link.delay delay = \"2s\"", "fra<->nyc", "fra nyc"),
        ),
        (Deed::NodePause, "node:nyc/1", ("node.pause", "node:nyc/1", "nyc")),
        (Deed::BrokerHang, "broker:fra/*", ("broker.hang", "broker:fra/1, broker:fra/2", "fra")),
        (Deed::BrokerHang, "10% of clients:nyc", ("broker.hang", "10% of clients:nyc", "nyc")),
    ] {
        let (deed, targets, sites) = fault(deed, on);
        assert_eq!((deed.as_str(), targets.as_str(), sites.as_str()), expected);
    }
    let mut many = drill("10s").strikes_with("all", "1s", Deed::BrokerHang, "broker:fra/*", None);
    many.topology.sites[0].brokers = 11;
    let record = Script::served(|_| 100).runs(&many.totals("all.unserved == 0"));
    let told = &record.faults[0].targets;
    assert!(told.ends_with("broker:fra/8 and 3 more"), "{told}");
}

#[test]
fn a_curve_has_a_point_a_second_and_what_came_since() {
    let script = || {
        Script::new(|at| {
            let mut scene = quiet();
            scene.sites[0].unaffected.attempts = u64::try_from(at.as_millis()).unwrap() / 100;
            scene.sites[0].brokers[0].connections = 7;
            scene.sites[0].brokers[1].up = false;
            scene.sites[1].brokers[0].capacity = None;
            scene
        })
    };
    let record = script().runs(&drill("3500ms").totals("all.unserved == 0"));
    let [fra, nyc] = &record.sites[..] else { panic!("two sites") };
    let points: Vec<_> = fra.curve.iter().map(|point| (point.at_us, point.attempts)).collect();
    assert_eq!(points, [(0, 0), (1_000_000, 10), (2_000_000, 10), (3_000_000, 10)]);
    // Of what is up.
    assert_eq!((fra.curve[0].capacity, fra.curve[0].connected), (Some(100), 7));
    assert_eq!((nyc.curve[0].capacity, nyc.clients), (None, 100));
    // A long drill has no more points than one of 20 minutes.
    let record = script().runs(&drill("45m").totals("all.unserved == 0"));
    let curve = &record.sites[0].curve;
    assert_eq!(curve.len(), 901);
    assert!(curve.windows(2).all(|two| two[1].at_us - two[0].at_us == 3_000_000));
    assert_eq!(Duration::from_micros(curve[900].at_us), t("45m"));
}
