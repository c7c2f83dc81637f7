//! Random histories among sites: whatever happens, the books close.

use proptest::prelude::*;

use super::*;

/// What may happen among sites.
#[derive(Clone, Copy, Debug)]
enum Op {
    Arrive(usize, usize, u64),
    Leave(usize, usize),
    Broker(usize, u16, bool),
    Drain(usize, bool),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..3usize, 1..60usize, 0..3_000u64).prop_map(|(s, n, over)| Op::Arrive(s, n, over)),
        2 => (0..200usize, 1..60usize).prop_map(|(first, n)| Op::Leave(first, n)),
        2 => (0..3usize, 0..2u16, any::<bool>()).prop_map(|(s, b, up)| Op::Broker(s, b, up)),
        1 => (0..6usize, any::<bool>()).prop_map(|(node, on)| Op::Drain(node, on)),
        3 => (0..5_000u64).prop_map(Op::Pass),
    ]
}

fn play(ops: &[Op], (per, accept): (usize, u32), lag: u64, seed: u64) -> (Sites, usize) {
    // Before siblings have met, each has all places of their brokers.
    let mut world = met(Sites::new(RTTS, (per, 25), seed, Rules::default(), |policy| {
        policy.spill.accept_per_second = accept;
        policy.spill.failback_per_second = 20;
    }));
    world.lag(ms(lag));
    let mut clients = 0;
    for op in ops {
        match *op {
            Op::Arrive(site, n, over) => clients = world.arrive(site, n, ms(over)).end,
            Op::Leave(first, n) => world.leave(first.min(clients)..(first + n).min(clients)),
            Op::Broker(site, broker, up) => world.broker(site, broker, up),
            Op::Drain(node, on) => world.drain(node % (3 * per), on),
            Op::Pass(millis) => {
                world.run(ms(millis));
            }
        }
    }
    (world, clients)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_happens_the_books_close(
        ops in prop::collection::vec(op(), 1..30),
        per in 1..3usize,
        accept in prop::sample::select(vec![30, 500]),
        lag in prop::sample::select(vec![0, 0, 300, 2_000]),
        seed: u64,
    ) {
        let (mut world, clients) = play(&ops, (per, accept), lag, seed);
        let (again, _) = play(&ops, (per, accept), lag, seed);
        prop_assert_eq!(world.hash(), again.hash());
        prop_assert!(world.tally().hops <= 1);
        for site in 0..3 {
            for broker in 0..2 {
                world.broker(site, broker, true);
            }
        }
        close(world, clients);
    }
}
