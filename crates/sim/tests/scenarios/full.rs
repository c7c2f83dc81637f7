//! One broker has a limit of its own, another has none.

use super::*;

const BOTH_CHECKS: [CheckKind; 2] = [CheckKind::Tcp, CheckKind::Mqtt];

fn a_holds_ten(kind: CheckKind) -> Site {
    Site::of(2)
        .checks(Some(kind))
        .at_once()
        .broker(A, |_, habits| habits.max_connections = Some(10))
}

#[test]
fn all_200_are_served_and_the_full_one_is_not_down() {
    for kind in BOTH_CHECKS {
        let mut world = a_holds_ten(kind).open();
        world.run(secs(5));
        let crowd = world.arrive(200, Kind::CLEAN, secs(2));
        world.run(secs(3));
        assert_eq!(world.served(&crowd), 200);
        assert_eq!(world.state(A), BrokerState::Full);
        // The MQTT probe holds one of the ten.
        let room = if kind == CheckKind::Mqtt { 9 } else { 10 };
        assert_eq!(world.spread(&crowd), [room, 200 - room]);
        let wasted = world.figures().attempts_all() - 200;
        println!("{wasted}");
        assert!(wasted <= 6, "{wasted} attempts wasted");

        world.run(secs(120));
        assert_eq!(world.spread(&crowd), [room, 200 - room], "nobody is cut, nobody is moved");
        assert_eq!((went_down(&world, A), found_full(&world, A)), (0, 1));
        close(world);
    }
}
