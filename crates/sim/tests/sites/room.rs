//! Nobody is turned away by old news while another site has room.
//!
//! fra's brokers die, its clients find another home within a second, and newcomers keep coming,
//! while sin's own clients and nyc's arrive. What is left is counted so that all find a place.

use super::*;

/// What became of it, by news that reach pools up to `lag` after the mesh has them.
fn loss(per: usize, nyc: usize, lag: u64, seed: u64) -> Sites {
    let mut world = Sites::new(RTTS, (per, 100), seed, Rules::default(), |_| {});
    world.lag(ms(lag));
    world.run(secs(6));
    world.arrive(FRA, 120, secs(1));
    world.arrive(SIN, 100, secs(1));
    world.arrive(NYC, nyc, secs(1));
    world.run(secs(4));
    for broker in 0..2 {
        world.broker(FRA, broker, false);
    }
    for _ in 0..10 {
        world.arrive(FRA, 4, ms(200));
        world.run(ms(200));
    }
    world.run(secs(5));
    world
}

fn nobody_is_turned_away(per: usize, nyc: usize, most_refused: usize) {
    for lag in [0, 500, 1_000, 2_000] {
        let mut refused = 0;
        for seed in 0..3 {
            let world = loss(per, nyc, lag, seed);
            let what = format!("seed {seed}, {lag} ms late");
            assert_eq!(world.tally().turned_away, [], "{what}");
            assert_eq!(world.unserved(), 0, "{what}");
            assert_eq!(world.load(FRA), 0);
            assert_eq!(world.tally().hops, 1);
            refused += world.tally().tunnels_refused.values().sum::<u64>() as usize;
            let clients = world.clients();
            close(world, clients);
        }
        // What being wrong costs is a round trip: of 480 flows.
        assert!(refused <= most_refused, "{refused} tunnels were refused, {lag} ms late");
    }
}

#[test]
fn newcomers_after_a_loss_find_the_last_places() {
    // 160 look for one of 170.
    nobody_is_turned_away(1, 90, 40);
}

#[test]
fn and_so_they_do_where_sites_have_several_nodes() {
    // 160 look for one of 190, which are in four pieces, with four reserves.
    nobody_is_turned_away(2, 70, 60);
}
