//! When a site leaves the answers, when it returns, and how long answers hold.

use super::*;

type Spoil = fn(&mut Entrance);

const BAD: [(PassedOver, Spoil); 4] = [
    (PassedOver::Dead, |e| e.standing = Standing::Dead),
    (PassedOver::Draining, |e| e.standing = Standing::Draining),
    (PassedOver::NoBroker, |e| e.brokers_up = 0),
    (PassedOver::NoRoom, |e| e.free = 0),
];

#[test]
fn a_site_leaves_for_four_reasons_and_returns_when_they_are_gone() {
    for ranking in [Ranking::Nearest, Ranking::Headroom, Ranking::Failover] {
        for (why, spoil) in BAD {
            let order = vec!["fra".to_string()];
            let mut town = Town::of(2, EntryPolicy { order, ..policy(ranking) });
            let good = town.outlook.entrances[0][0].clone();
            town.says("fra", spoil);
            assert_eq!(town.verdict(ANYONE, "fra"), Judged::PassedOver(why));
            for form in [Form::V4, Form::V6, Form::Endpoints] {
                for _ in 0..50 {
                    let named = town.asks(ANYONE, form).endpoints.unwrap();
                    assert!(named.iter().all(|e| e.site == SiteId(1)), "{ranking:?} {why:?}");
                }
            }
            town.says("fra", |entrance| *entrance = good);
            assert!(town.order(ANYONE).contains("fra"));
        }
    }
}

#[test]
fn what_is_unreachable_from_here_stays_in_doubt() {
    for standing in [Standing::Avoided, Standing::Suspect] {
        let mut town = Town::of(3, policy(Ranking::Nearest));
        town.stands("fra", standing);
        let answer = town.asks(ANYONE, Form::V4);
        assert_eq!(answer.ttl, TTL_NEAR);
        let endpoints = answer.endpoints.unwrap();
        let sites: Vec<&str> = endpoints.iter().map(|e| town.name(e.site)).collect();
        assert_eq!(sites, ["fra", "nyc"], "the second is a way out");
        town.stands("fra", Standing::Dead);
        assert_eq!((town.first(ANYONE).as_str(), town.ttl(ANYONE)), ("nyc", 30));
        town.stands("fra", Standing::Reachable);
        assert_eq!((town.first(ANYONE).as_str(), town.ttl(ANYONE)), ("fra", 30));
    }
    let mut alone = Town::of(1, policy(Ranking::Nearest));
    alone.stands("fra", Standing::Suspect);
    assert_eq!(alone.asks(ANYONE, Form::V4).endpoints.unwrap().len(), 2, "nobody else: both nodes");
}

#[test]
fn the_way_out_is_a_site_not_in_doubt_while_there_is_one() {
    for ranking in [Ranking::Nearest, Ranking::Headroom, Ranking::Failover] {
        let order = ["fra", "nyc", "sin"].map(str::to_string).into();
        let mut town = Town::of(3, EntryPolicy { order, ..policy(ranking) });
        town.stands("fra", Standing::Suspect);
        town.stands("nyc", Standing::Avoided);
        for _ in 0..50 {
            let endpoints = town.asks(ANYONE, Form::V4).endpoints.unwrap();
            let sites: Vec<&str> = endpoints.iter().map(|e| town.name(e.site)).collect();
            assert!(sites.contains(&"sin"), "{ranking:?}: {sites:?}");
        }
        town.stands("sin", Standing::Suspect);
        let endpoints = town.asks(ANYONE, Form::V4).endpoints.unwrap();
        assert_ne!(endpoints[0].site, endpoints[1].site, "{ranking:?}: two are better than one");
    }
}

#[test]
fn a_full_site_does_not_flap_by_its_last_place() {
    let mut town = Town::of(2, policy(Ranking::Nearest));
    let mut changes = 0;
    let mut was = town.first(ANYONE);
    // Clients leave and come, one at a time, around full.
    for step in 0..200 {
        town.has_free("fra", [1, 0, 2, 0, 5, 1, 19, 0][step % 8]);
        let is = town.first(ANYONE);
        changes += u32::from(is != was);
        was = is;
    }
    assert_eq!((changes, was.as_str()), (1, "nyc"));
    town.has_free("fra", 19);
    assert_eq!(town.verdict(ANYONE, "fra"), Judged::PassedOver(PassedOver::StillFull));
    town.has_free("fra", 20);
    assert_eq!(town.first(ANYONE), "fra", "a fiftieth is free");
    town.has_free("fra", 1);
    assert_eq!(town.first(ANYONE), "fra", "and until it is full again it stays");
    // Where a single place is a fiftieth and more, one is enough.
    town.says("fra", |e| (e.free, e.capacity) = (0, 3));
    assert_eq!(town.first(ANYONE), "nyc");
    town.has_free("fra", 1);
    assert_eq!(town.first(ANYONE), "fra");
}

#[test]
fn a_little_room_is_enough_where_nobody_has_more() {
    let mut town = Town::of(2, policy(Ranking::Nearest));
    town.says("nyc", |e| (e.free, e.capacity) = (1, 10));
    town.has_free("fra", 0);
    assert_eq!(town.first(ANYONE), "nyc");
    town.has_free("fra", 1);
    assert_eq!(town.first(ANYONE), "fra");
    town.has_free("fra", 0);
    town.has_free("nyc", 5);
    town.has_free("fra", 4);
    assert_eq!(town.first(ANYONE), "nyc", "that one has more");
    town.has_free("fra", 5);
    assert_eq!(town.first(ANYONE), "fra");
}

#[test]
fn where_all_are_full_the_first_little_room_will_do() {
    for all_down in [AllDown::LastGood, AllDown::All, AllDown::ServFail] {
        let mut town = Town::of(2, EntryPolicy { all_down, ..policy(Ranking::Nearest) });
        town.has_free("fra", 0);
        town.has_free("nyc", 0);
        town.has_free("nyc", 1);
        let answer = town.asks(ANYONE, Form::V4);
        assert_eq!(answer.ttl, TTL_NEAR);
        assert!(answer.endpoints.unwrap().iter().all(|e| e.site == SiteId(1)), "{all_down:?}");
        town.has_free("fra", 500);
        assert_eq!(town.order(ANYONE), "fra", "and no more when another has enough");
    }
}

#[test]
fn answers_are_kept_shorter_when_a_change_is_near() {
    let mut town = Town::of(3, policy(Ranking::Nearest));
    assert_eq!(town.ttl(ANYONE), 30);
    town.has_free("fra", 101);
    assert_eq!(town.ttl(ANYONE), 30);
    town.has_free("fra", 100);
    assert_eq!(town.ttl(ANYONE), 5, "nearly full");
    town.has_free("fra", 500);
    for (name, expected) in [("fra", 5), ("sin", 30)] {
        town.stands(name, Standing::Draining);
        assert_eq!(town.ttl(ANYONE), expected, "{name} drains");
        town.stands(name, Standing::Reachable);
    }
    town.stands("nyc", Standing::Suspect);
    assert_eq!(town.ttl(ANYONE), 30, "it is not what was answered");
}

#[test]
fn no_answer_is_to_be_forgotten_at_once() {
    for (given, calm, near) in [(0, 1, 1), (2, 2, 2), (60, 60, 5), (1 << 40, 3_600, 5)] {
        let ttl = Duration::from_secs(given);
        let mut town = Town::of(1, EntryPolicy { ttl, ..policy(Ranking::Nearest) });
        assert_eq!(town.ttl(ANYONE), calm);
        town.has_free("fra", 1);
        assert_eq!(town.ttl(ANYONE), near);
    }
}

#[test]
fn sites_come_and_go_without_being_taken_for_each_other() {
    let mut town = Town::of(4, policy(Ranking::Nearest));
    town.has_free("sin", 0);
    let nyc = town.outlook.entrances[0].remove(1);
    town.publish();
    assert_eq!(town.order(ANYONE), "fra syd");
    town.has_free("sin", 5);
    assert_eq!(town.verdict(ANYONE, "sin"), Judged::PassedOver(PassedOver::StillFull));
    town.outlook.entrances[0].insert(1, nyc);
    town.publish();
    assert_eq!(town.order(ANYONE), "fra nyc syd");
    assert_eq!(town.verdict(ANYONE, "sin"), Judged::PassedOver(PassedOver::StillFull));
}
