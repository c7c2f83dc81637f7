//! By what is free, and in a fixed order.

use super::*;

/// Shares of first addresses in 10,000 answers, in thousandths.
fn shares(town: &mut Town) -> Vec<i64> {
    let mut firsts = vec![0i64; town.outlook.sites.len()];
    for _ in 0..10_000 {
        let endpoints = town.asks(ANYONE, Form::V4).endpoints.unwrap();
        assert!(endpoints.iter().all(|e| e.site == endpoints[0].site), "one site an answer");
        firsts[endpoints[0].site.index()] += 1;
    }
    firsts.into_iter().map(|n| n / 10).collect()
}

#[test]
fn ten_thousand_answers_follow_what_is_free() {
    let uneven: [&[u32]; 5] = [
        &[500, 500],
        &[100, 300, 600],
        &[1, 999],
        &[50_000, 20_000, 20_000, 5_000, 5_000],
        &[u32::MAX, u32::MAX, u32::MAX / 2, 1_000, u32::MAX, 7, 1_000_000_000],
    ];
    for frees in uneven {
        let mut town = Town::of(frees.len(), policy(Ranking::Headroom));
        for (at, free) in frees.iter().enumerate() {
            town.says(SITES[at].0, |e| (e.free, e.capacity) = (*free, *free));
        }
        let total: u64 = frees.iter().map(|free| u64::from(*free)).sum();
        for (share, free) in shares(&mut town).iter().zip(frees) {
            let due = (u64::from(*free) * 1_000 / total) as i64;
            assert!((share - due).abs() <= 30, "{share} where {due} is due: {frees:?}");
        }
    }
}

#[test]
fn who_has_nothing_free_is_never_drawn_and_the_whole_order_is_drawn_alike() {
    let mut town = Town::of(3, policy(Ranking::Headroom));
    town.has_free("fra", 0);
    town.says("sin", |e| (e.free, e.capacity) = (1_500, 2_000));
    let firsts = shares(&mut town);
    assert!(firsts[0] == 0 && (720..780).contains(&firsts[2]), "{firsts:?}");
    for _ in 0..100 {
        let order = town.order(ANYONE);
        assert!(order == "nyc sin" || order == "sin nyc", "{order}");
    }
    assert_eq!(town.asks(ANYONE, Form::V4).endpoints.unwrap()[0].why, Why::Free);
}

#[test]
fn failover_goes_down_its_list_and_back_up() {
    let order = ["nyc", "sin"].map(String::from).to_vec();
    let mut town = Town::of(4, EntryPolicy { order, ..policy(Ranking::Failover) });
    assert_eq!(town.order(ANYONE), "nyc sin fra syd", "who is not listed comes by name");
    town.stands("nyc", Standing::Dead);
    assert_eq!(town.first(ANYONE), "sin");
    town.has_free("sin", 0);
    assert_eq!(town.order(ANYONE), "fra syd");
    town.has_free("sin", 400);
    assert_eq!(town.order(ANYONE), "sin fra syd");
    town.stands("nyc", Standing::Reachable);
    assert_eq!(town.order(from("198.51.100.1")), "nyc sin fra syd");
    assert_eq!(town.asks(ANYONE, Form::V4).endpoints.unwrap()[0].why, Why::Turn);
}

#[test]
fn two_nodes_with_the_same_news_and_draw_answer_alike() {
    // The other node numbers the sites its own way.
    let mut here = Town::of(3, policy(Ranking::Headroom));
    let mut there = Town::of(3, policy(Ranking::Headroom));
    let turned = [SiteId(2), SiteId(0), SiteId(1)];
    for (at, entrance) in here.outlook.entrances[0].clone().into_iter().enumerate() {
        let site = turned[at];
        there.outlook.sites[site.index()] = SITES[at].0.to_string();
        there.outlook.entrances[0][site.index()] = Entrance { site, ..entrance };
    }
    there.entry = Entry::new(Arc::new(policy(Ranking::Headroom)));
    there.publish();
    for _ in 0..300 {
        let a = here.asks(ANYONE, Form::Endpoints).endpoints.unwrap();
        let b = there.asks(ANYONE, Form::Endpoints).endpoints.unwrap();
        let addresses = |e: Vec<Endpoint>| e.into_iter().map(|e| e.address).collect::<Vec<_>>();
        assert_eq!(addresses(a), addresses(b));
        here.outlook.generation = there.outlook.generation;
        here.entry.hear(&here.outlook);
    }
}
