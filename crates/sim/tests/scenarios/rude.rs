//! Clients whose CONNECT every broker closes in silence, as a full one would.

use super::*;

fn nobody_is_full(world: &World) {
    assert_eq!(found_full(world, A) + found_full(world, B), 0);
    assert_eq!((world.state(A), world.state(B)), (BrokerState::Up, BrokerState::Up));
}

const ALL_CHECKS: [Option<CheckKind>; 3] = [None, Some(CheckKind::Tcp), Some(CheckKind::Mqtt)];

#[test]
fn a_thousand_times_the_same_client() {
    for kind in ALL_CHECKS {
        for others in [0, 50] {
            let mut world = Site::of(2).checks(kind).at_once().open();
            let good = world.arrive(others, Kind::CLEAN, secs(50));
            world.arrive(1000, Kind { id: Id::Shared(1), house: Some(1), ..Kind::RUDE }, secs(50));
            world.run(secs(60));
            nobody_is_full(&world);
            assert_eq!(world.served(&good), others);
            assert_eq!(world.figures().refused_all(), 1000, "it gets its CONNACK every time");
            close(world);
        }
    }
}

#[test]
fn a_thousand_client_ids_from_one_address() {
    for kind in ALL_CHECKS {
        for others in [0, 50] {
            let mut world = Site::of(2).checks(kind).at_once().open();
            let good = world.arrive(others, Kind::CLEAN, secs(50));
            world.arrive(1000, Kind { id: Id::Fresh, house: Some(1), ..Kind::RUDE }, secs(50));
            world.run(secs(60));
            nobody_is_full(&world);
            assert_eq!(world.served(&good), others);
            assert_eq!(world.figures().refused_all(), 1000);
            if kind == Some(CheckKind::Mqtt) {
                let refused = &world.figures().refused;
                assert_eq!(refused["opening_at_fault"], 1000, "and the log says why");
            }
            close(world);
        }
    }
}

#[test]
fn a_fleet_with_the_same_mistake_does_not_keep_the_others_out() {
    // Different ids, different addresses, twenty a second: as evidence, two of them at one
    // broker at once look like a full one.
    for kind in ALL_CHECKS {
        let mut world = Site::of(2).checks(kind).at_once().open();
        let good = world.arrive(500, Kind::CLEAN, secs(50));
        world.arrive(1000, Kind::RUDE, secs(50));
        world.run(secs(60));
        // Without a probe to ask, a few seconds go by until it is understood.
        let lost = 500 - world.served(&good);
        assert!(lost == 0 || kind.is_none() && lost <= 20, "{kind:?}: {lost} lost");
        if kind.is_some() {
            nobody_is_full(&world);
        }
        close(world);
    }
}
