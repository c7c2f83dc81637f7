use super::*;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Three sites of a node each; the first hears these of the others, and holds the second to be that.
fn truth(through: [bool; 2], second: Standing) -> Vec<SiteTruth> {
    let site = |number: usize| SiteTruth {
        up: vec![true],
        leaves: false,
        drains: false,
        through: (0..3)
            .map(|other| match (number, other) {
                (0, other @ 1..) | (other @ 1.., 0) => through[other - 1],
                _ => true,
            })
            .collect(),
        full: false,
        empty: false,
        held: vec![match number {
            0 => vec![None, Some(second), Some(Standing::Dead)],
            _ => vec![Some(Standing::Reachable); 3],
        }],
    };
    (0..3).map(site).collect()
}

#[test]
fn a_verdict_is_false_where_somebody_could_have_been_asked() {
    let by = NodeAt { site: 0, node: 0 };
    let false_dead = |through, second, on: &[SiteNo]| {
        let truth = truth(through, second);
        let mut beliefs = Beliefs::new(&truth);
        beliefs.look(secs(10), secs(10), &truth, &[]);
        let (from, to) = (Some(Standing::Suspect), Standing::Dead);
        let turn = |&site| Turn { at: secs(20), by, site, from, to, left: false };
        let turns: Vec<Turn> = on.iter().map(turn).collect();
        beliefs.look(secs(20), secs(10), &truth, &turns);
        beliefs.scenes[0].false_dead
    };
    assert_eq!(false_dead([false, false], Standing::Reachable, &[2]), 1);
    assert_eq!(false_dead([false, true], Standing::Dead, &[2]), 1, "its own site reaches it");
    assert_eq!(false_dead([false, false], Standing::Dead, &[2]), 0);
    assert_eq!(false_dead([false, false], Standing::Dead, &[1, 2]), 2, "both at once");
}
