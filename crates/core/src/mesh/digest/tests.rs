use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::mesh::message::ServiceLoad;

extern crate std;

/// A page whose content follows from its stamp, as an owner's does.
fn page(incarnation: u64, seq: u64, kind: u8, number: u8) -> Page {
    let stamp = Stamp { incarnation, seq };
    let load = |flows| ServiceLoad { service: 1, flows, room: 2, admit_per_second: 3 };
    match kind {
        0 => Page::About(About {
            owner: 7,
            stamp,
            draining: (incarnation ^ seq) & 1 == 1,
            addresses: Vec::new(),
        }),
        1 => Page::Shape(ShapePage { owner: 7, stamp, page: number, services: Vec::new() }),
        2 => {
            let services = Vec::from([load((incarnation * 31 + seq) as u32)]);
            Page::Load(LoadPage { owner: 7, stamp, page: number, services })
        }
        _ => Page::Counts(CountPage { owner: 7, stamp, page: number, brokers: Vec::new() }),
    }
}

fn pages() -> impl Strategy<Value = Vec<Page>> {
    let one = (1..4u64, 1..6u64, 0..4u8, 0..3u8).prop_map(|(i, s, k, n)| page(i, s, k, n));
    prop::collection::vec(one, 0..24)
}

fn merged(pages: &[Page]) -> Record {
    let mut record = Record::default();
    for page in pages {
        record.merge(page.clone(), true);
    }
    record
}

/// A record's pages into another record: how two nodes that both heard something agree.
fn join(mut into: Record, from: &Record) -> Record {
    into.advance(from.incarnation());
    let counts = (0..COUNT_PAGES_MAX as u8).map(Spot::Counts);
    for spot in from.spots().chain(counts) {
        if let Some(page) = from.page(spot) {
            into.merge(page, true);
        }
    }
    trim(into)
}

/// Without the empty places at the end of a table, which mean nothing.
fn trim(mut record: Record) -> Record {
    fn cut<T>(pages: &mut Vec<Option<T>>) {
        while matches!(pages.last(), Some(None)) {
            pages.pop();
        }
    }
    cut(&mut record.pages.shapes);
    cut(&mut record.pages.loads);
    cut(&mut record.pages.counts);
    record
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_arrival_does_not_show(pages in pages(), seed in any::<u64>()) {
        let mut other = pages.clone();
        let mut rng = crate::rng::Rng::new(seed);
        for i in (1..other.len()).rev() {
            other.swap(i, rng.below(i as u32 + 1) as usize);
        }
        prop_assert_eq!(trim(merged(&pages)), trim(merged(&other)));
    }

    #[test]
    fn repetition_does_not_show(pages in pages()) {
        let twice: Vec<Page> = pages.iter().chain(&pages).cloned().collect();
        prop_assert_eq!(merged(&pages), merged(&twice));
    }

    #[test]
    fn joining_is_commutative_associative_and_idempotent(a in pages(), b in pages(), c in pages()) {
        let (a, b, c) = (trim(merged(&a)), trim(merged(&b)), trim(merged(&c)));
        prop_assert_eq!(join(a.clone(), &b), join(b.clone(), &a));
        prop_assert_eq!(join(join(a.clone(), &b), &c), join(a.clone(), &join(b, &c)));
        prop_assert_eq!(join(a.clone(), &a), a);
    }

    #[test]
    fn equal_sums_mean_equal_pages(a in pages(), b in pages()) {
        let (a, b) = (merged(&a), merged(&b));
        let seqs = |r: &Record| r.spots().map(|spot| (spot, r.seq(spot))).collect::<Vec<_>>();
        prop_assert_eq!(a.sum() == b.sum(), seqs(&a) == seqs(&b));
    }
}

#[test]
fn a_new_life_forgets_the_old_one() {
    let mut record = Record::default();
    assert_eq!(record.merge(page(1, 9, 1, 0), true), Merged::Reborn);
    assert_eq!(record.merge(page(1, 9, 1, 0), true), Merged::Same);
    assert_eq!(record.merge(page(1, 8, 1, 0), true), Merged::Older);
    assert_eq!(record.merge(page(2, 1, 2, 0), true), Merged::Reborn);
    assert_eq!(record.shapes().count(), 0);
    assert_eq!(record.merge(page(1, 10, 1, 0), true), Merged::Older);
    assert_eq!(record.newest(), (0, 0, 1));
}

#[test]
fn without_incarnations_a_ghost_stays() {
    let mut record = Record::default();
    record.merge(page(1, 9, 1, 0), false);
    record.merge(page(2, 1, 1, 0), false);
    assert_eq!(record.seq(Spot::Shape(0)), Some(9));
}
