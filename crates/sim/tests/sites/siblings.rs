//! Two nodes of one site over the same brokers: together they keep to limits and to balance, and
//! a client is served once.

use proptest::prelude::*;

use super::*;

/// Of fra.
const ONE: usize = 0;
const OTHER: usize = 1;

/// Three sites of two nodes each, of which one is looked at.
fn pair(maxconn: u32, seed: u64, change: impl Fn(&mut ServicePolicy)) -> Sites {
    met(Sites::new(RTTS, (2, maxconn), seed, Rules::default(), change))
}

/// A pair that does not lend, and has nobody to send to.
fn pair_alone(maxconn: u32, seed: u64) -> Sites {
    pair(maxconn, seed, |policy| policy.spill.enabled = false)
}

fn spread(world: &Sites) -> (u32, u32) {
    let loads = world.loads(FRA);
    (loads[0].abs_diff(loads[1]), loads[0].max(loads[1]))
}

/// The two brokers' loads differ by two in a hundred at most.
fn is_even(world: &Sites) {
    let (spread, most) = spread(world);
    assert!(spread <= 2 + most / 50, "{:?}", world.loads(FRA));
}

#[test]
fn a_standby_does_not_turn_the_balance_into_least_ever_placed() {
    let mut world = pair_alone(4_000, 3);
    // Behind a VIP, all clients come to one of the two, and those of one broker go.
    let mut end = world.arrive_at(ONE..OTHER, 200, secs(4)).end;
    for _ in 0..24 {
        world.run(secs(10));
        for no in world.on_broker(0..end, 0).into_iter().take(60) {
            world.leave(no..no + 1);
        }
        end = world.arrive_at(ONE..OTHER, 60, secs(4)).end;
        world.run(secs(6));
        is_even(&world);
    }
    assert_eq!(world.load(FRA), 200);
    close(world, end);
}

#[test]
fn a_busy_node_has_the_places_of_an_idle_one_before_anybody_is_turned_away() {
    for (lost, late) in [(0, 0), (0, 40), (5, 40)] {
        for seed in 0..3 {
            let mut world = pair(500, seed, |_| {});
            world.siblings_lose(lost, ms(late));
            let crowd = world.arrive_at(ONE..OTHER, 900, secs(1));
            world.run(secs(2));
            let served = world.served(crowd.clone());
            let what = format!("{lost} % lost, {late} ms late, seed {seed}: {served:?}");
            // Who asks in vain goes abroad, half a second later.
            assert_eq!(world.tally().turned_away, [], "{what}");
            assert_eq!(served.iter().sum::<usize>(), 900, "{what}");
            if lost == 0 {
                assert_eq!(served[FRA], 900, "{what}");
                let worst = world.took(crowd.clone()).into_iter().max().unwrap();
                assert!(worst <= ms(20 + 4 * late), "{what}: {worst:?}");
            }
            // What was asked for one of the brokers, and not for the other yet, is used there.
            let (spread, most) = spread(&world);
            assert!(lost > 0 || spread <= most / 12, "{what}: {:?}", world.loads(FRA));
            close(world, crowd.end);
        }
    }
}

#[test]
fn who_waits_for_places_goes_abroad_when_home_has_had_its_time() {
    let mut world = pair(500, 1, |policy| {
        policy.deadline = ms(800);
        policy.connack_timeout = ms(400);
    });
    world.siblings_lose(100, ms(0));
    let crowd = world.arrive_at(ONE..OTHER, 700, secs(1));
    world.run(secs(3));
    let served = world.served(crowd.clone());
    assert_eq!((served[FRA], served.iter().sum::<usize>()), (500, 700), "{served:?}");
    assert_eq!(world.tally().turned_away, []);
    // Half of the deadline, a way there and back, and a connect.
    let worst = world.took(crowd.clone()).into_iter().max().unwrap();
    assert!(worst > ms(300) && worst <= ms(400 + 180 + 20), "{worst:?}");
    close(world, crowd.end);
}

#[test]
fn and_where_nobody_else_has_room_there_is_an_honest_answer() {
    let mut world = pair_alone(100, 1);
    world.siblings_lose(100, ms(0));
    let crowd = world.arrive_at(ONE..OTHER, 150, secs(1));
    world.run(ms(2_500));
    assert_eq!(world.served(crowd.clone())[FRA], 100);
    let turned_away = &world.tally().turned_away;
    assert!(turned_away.iter().all(|flow| flow.why == "full"), "{turned_away:?}");
    // Half a second after the question, and at once from then on.
    let asked = world.now() - ms(1_700);
    assert!(turned_away.iter().any(|flow| flow.at < asked + ms(600)), "{turned_away:?}");
    // When words arrive again, they have their places.
    world.siblings_lose(0, ms(0));
    world.run(secs(6));
    assert_eq!(world.served(crowd.clone())[FRA], 150);
    close(world, crowd.end);
}

#[test]
fn a_node_that_is_started_again_claims_no_place_that_the_other_uses() {
    for seed in 0..4 {
        let mut world = pair_alone(500, seed);
        world.siblings_lose(2, ms(50));
        let many = world.arrive_at(ONE..OTHER, 700, secs(3));
        let few = world.arrive_at(OTHER..OTHER + 1, 250, secs(3));
        world.run(secs(10));
        assert!(world.served(many.start..few.end)[FRA] >= 945);
        world.restart(OTHER);
        world.run(ms(500));
        // Its clients come back, and some more than there is room for.
        let more = world.arrive(FRA, 100, secs(1));
        world.run(secs(10));
        assert!(world.load(FRA) >= 990, "{}", world.load(FRA));
        assert!(world.served(many.clone())[FRA] >= 690, "undisturbed");
        close(world, more.end);
    }
}

#[test]
fn of_two_connections_with_one_name_exactly_one_stays() {
    for seed in 0..6 {
        for apart in [0, 20, 250, 600, 1_500] {
            let mut world = pair_alone(500, seed);
            world.siblings_lose(10, ms(100));
            let twins = world.twins(ONE, 60, ms(apart).max(Duration::from_nanos(1)));
            world.run(secs(6));
            assert_eq!(world.astray(twins.clone()), (0, 0), "seed {seed}, {apart} ms apart");
            close(world, twins.end);
        }
    }
}

/// What may happen in a site of two.
#[derive(Clone, Copy, Debug)]
enum Op {
    Arrive(usize, usize, u64),
    Leave(usize, usize),
    Twins(usize, usize, u64),
    Restart(usize),
    Split,
    Heal,
    Post(u64, u64),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..2usize, 1..80usize, 0..2_000u64).prop_map(|(n, k, over)| Op::Arrive(n, k, over)),
        3 => (0..300usize, 1..80usize).prop_map(|(first, n)| Op::Leave(first, n)),
        2 => (0..2usize, 1..20usize, 1..900u64).prop_map(|(n, k, apart)| Op::Twins(n, k, apart)),
        2 => (0..2usize).prop_map(Op::Restart),
        1 => Just(Op::Split),
        1 => Just(Op::Heal),
        1 => (0..15u64, 0..100u64).prop_map(|(lost, late)| Op::Post(lost, late)),
        4 => (0..4_000u64).prop_map(Op::Pass),
    ]
}

fn play(ops: &[Op], maxconn: u32, seed: u64) -> (Sites, Vec<std::ops::Range<usize>>) {
    let mut world = pair_alone(maxconn, seed);
    let mut twins = Vec::new();
    for op in ops {
        match *op {
            Op::Arrive(node, n, over) => drop(world.arrive_at(node..node + 1, n, ms(over))),
            Op::Leave(first, n) => {
                let clients = world.clients();
                world.leave(first.min(clients)..(first + n).min(clients));
            }
            Op::Twins(node, n, apart) => twins.push(world.twins(node, n, ms(apart))),
            Op::Restart(node) => world.restart(node),
            Op::Split => world.split(ONE, OTHER),
            Op::Heal => world.heal(),
            Op::Post(lost, late) => world.siblings_lose(lost, ms(late)),
            Op::Pass(millis) => drop(world.run(ms(millis))),
        }
    }
    world.heal();
    world.siblings_lose(0, ms(0));
    world.run(secs(10));
    (world, twins)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_happens_to_two_nodes_they_keep_to_limits_and_books_close(
        ops in prop::collection::vec(op(), 1..25),
        maxconn in prop::sample::select(vec![40, 200]),
        seed: u64,
    ) {
        let (mut world, twins) = play(&ops, maxconn, seed);
        let (again, _) = play(&ops, maxconn, seed);
        prop_assert_eq!(world.hash(), again.hash());
        // Who came to two nodes that did not hear each other is served by both.
        if !ops.iter().any(|op| matches!(op, Op::Split)) {
            for twins in twins {
                prop_assert_eq!(world.astray(twins).1, 0);
            }
        }
        // Whatever became of the shares, all places are to be had again, but for the last.
        let before = world.clients();
        world.leave(0..before);
        let clients = world.arrive_at(ONE..OTHER, 2 * maxconn as usize, secs(2)).end;
        world.run(secs(15));
        let load = world.load(FRA);
        prop_assert!(load + 6 >= 2 * maxconn, "{load} of {}", 2 * maxconn);
        is_even(&world);
        close(world, clients);
    }
}
