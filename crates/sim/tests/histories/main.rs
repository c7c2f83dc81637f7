//! Random histories: whatever happens, in whatever order, the books balance, nobody is left
//! without an answer, and a mended world recovers. A failure shrinks to a short script.

use std::time::Duration;

use isobar_core::policy::{Balance, CheckKind, Mode, OnMarkedDown};
use isobar_core::report::AdminState;
use isobar_core::retry::Level;
use isobar_sim::{Fault, History, Id, Junk, Kind, Leaving, Nature, Op, Setup};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn pick<T: Clone + std::fmt::Debug + 'static>(from: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(from.to_vec())
}

fn setup() -> impl Strategy<Value = Setup> {
    let brokers = (
        1..4u16,
        pick(&[None, Some(CheckKind::Tcp), Some(CheckKind::Mqtt)]),
        pick(&[0, 2_000, 30_000]),
        pick(&[None, None, Some(5), Some(40)]),
        pick(&[None, None, Some(0), Some(3), Some(20)]),
        any::<bool>(),
    );
    let service = (
        pick(&[200_000, 200_000, 30]),
        pick(&[Balance::LeastConn, Balance::Random, Balance::RoundRobin]),
        pick(&[1, 3]),
        pick(&[3, 0, 15]),
        pick(&[true, true, false]),
        pick(&[0, 0, 7, 100]),
        pick(&[OnMarkedDown::Keep, OnMarkedDown::ShutdownSessions]),
        pick(&[None, Some(Mode::Mqtt), Some(Mode::Tcp)]),
    );
    (brokers, service).prop_map(|(b, s)| Setup {
        brokers: b.0,
        checks: b.1,
        slow_start_ms: b.2,
        maxconn: b.3,
        max_connections: b.4,
        probe_unknown: b.5,
        service_maxconn: s.0,
        balance: s.1,
        weight: s.2,
        retries: s.3,
        redispatch: s.4,
        max_new_per_second: s.5,
        on_marked_down: s.6,
        second: s.7,
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    let who = (
        pick(&[Id::Own, Id::Own, Id::Shared(1), Id::Fresh, Id::Empty]),
        any::<bool>(),
        pick(&[
            Nature::Good,
            Nature::Good,
            Nature::Good,
            Nature::Rude,
            Nature::WrongPassword,
            Nature::Auth,
            Nature::Verbatim,
        ]),
        pick(&[Level::V3, Level::V5]),
        pick(&[None, Some(1), Some(2)]),
        prop::option::weighted(0.1, pick(&[Junk::NotMqtt, Junk::TooLong, Junk::Slow, Junk::Gone])),
    );
    let stays = (
        pick(&[0, 5, 60]),
        pick(&[None, Some(50), Some(3_000)]),
        leaving(),
        pick(&[None, None, Some(1), Some(4_000)]),
        pick(&[None, Some(100), Some(2_000)]),
    );
    (who, stays).prop_map(|(w, s)| Kind {
        id: w.0,
        persistent: w.1,
        nature: w.2,
        level: w.3,
        house: w.4,
        junk: w.5,
        keepalive: s.0,
        hold: s.1.map(Duration::from_millis),
        leaving: s.2,
        patience: s.3.map(Duration::from_millis),
        returns: s.4.map(Duration::from_millis),
    })
}

fn leaving() -> impl Strategy<Value = Leaving> {
    pick(&[Leaving::Disconnect, Leaving::Eof, Leaving::Reset, Leaving::Silent])
}

fn op() -> impl Strategy<Value = Op> {
    let broker = 0..3u16;
    prop_oneof![
        5 => (prop_oneof![9 => 1..40u16, 1 => 150..300u16], kind(), pick(&[0, 20, 500, 5_000])).prop_map(|(n, k, o)| Op::Arrive(n, k, o)),
        2 => (1..20u16, leaving()).prop_map(|(n, l)| Op::Leave(n, l)),
        3 => (broker.clone(), pick(&[Fault::Hang, Fault::Crash, Fault::Vanish]))
            .prop_map(|(b, f)| Op::Fault(b, f)),
        3 => broker.clone().prop_map(Op::Mend),
        1 => (broker.clone(), pick(&[150, 10_000, 300_000])).prop_map(|(b, c)| Op::Slow(b, c)),
        1 => (broker.clone(), pick(&[None, Some(0), Some(2), Some(15)]))
            .prop_map(|(b, l)| Op::Limit(b, l)),
        1 => (broker.clone(), pick(&[None, Some(0x88), Some(0x9F)]))
            .prop_map(|(b, c)| Op::Refuses(b, c)),
        1 => (broker.clone(), prop::option::of(0..3u16)).prop_map(|(b, t)| Op::SendsTo(b, t)),
        1 => (broker.clone(), pick(&[None, Some(1), Some(2), Some(5)]))
            .prop_map(|(b, n)| Op::Forgets(b, n)),
        1 => (broker.clone(), pick(&[0, 2, 20])).prop_map(|(b, n)| Op::Outsiders(b, n)),
        2 => (broker, pick(&[AdminState::Ready, AdminState::Drain, AdminState::Maint]))
            .prop_map(|(b, s)| Op::Admin(b, s)),
        2 => (any::<u16>(), any::<bool>()).prop_map(|(bits, second)| Op::Found(bits, second)),
        6 => pick(&[1, 100, 1_000, 3_000, 12_000]).prop_map(Op::Pass),
    ]
}

fn history() -> impl Strategy<Value = History> {
    (any::<u64>(), setup(), prop::collection::vec(op(), 1..30))
        .prop_map(|(seed, setup, ops)| History { seed, setup, ops })
}

/// The same cases every time; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` go looking for others.
fn config(cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases };
    let rng_seed = match asked.rng_seed {
        RngSeed::Random => RngSeed::Fixed(2),
        fixed => fixed,
    };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn the_books_always_balance(history in history()) {
        let world = history.play();
        prop_assert!(world.violations().is_empty(), "{:#?}", world.violations());
    }
}

proptest! {
    #![proptest_config(config(20))]

    #[test]
    fn the_same_history_is_the_same_to_the_last_bit(history in history()) {
        prop_assert_eq!(history.play().hash(), history.play().hash());
    }
}
