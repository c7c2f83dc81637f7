//! When no site is left.

use super::*;

fn town(all_down: AllDown, ranking: Ranking) -> Town {
    Town::of(3, EntryPolicy { all_down, ..policy(ranking) })
}

/// All sites go; the nearest first, the last one full and not dead.
fn everything_goes(town: &mut Town) {
    town.stands("fra", Standing::Dead);
    town.says("nyc", |entrance| entrance.brokers_up = 0);
    town.has_free("sin", 0);
}

#[test]
fn servfail_says_that_it_cannot_be_answered() {
    let mut town = town(AllDown::ServFail, Ranking::Nearest);
    everything_goes(&mut town);
    for form in [Form::V4, Form::V6, Form::Endpoints] {
        let answer = town.asks(ANYONE, form);
        assert_eq!((answer.endpoints, answer.ttl), (Err(Absence::AllDown), TTL_NEAR));
    }
    assert_eq!(town.verdict(ANYONE, "nyc"), Judged::PassedOver(PassedOver::NoBroker));
    town.has_free("sin", 300);
    assert_eq!(town.first(ANYONE), "sin");
}

#[test]
fn last_good_is_what_was_good_when_last_any_was() {
    let mut town = town(AllDown::LastGood, Ranking::Nearest);
    everything_goes(&mut town);
    let answer = town.asks(ANYONE, Form::V4);
    assert_eq!(answer.ttl, TTL_NEAR);
    let endpoints = answer.endpoints.unwrap();
    assert!(endpoints.iter().all(|e| town.name(e.site) == "sin" && e.why == Why::LastGood));
    assert_eq!(endpoints.len(), 2, "both of its nodes");
    // Whatever becomes of it then, and wherever it says it is.
    town.stands("sin", Standing::Dead);
    town.says("sin", |entrance| entrance.addresses = Arc::from([]));
    assert_eq!(town.first(ANYONE), "sin");
    town.says("nyc", |entrance| entrance.brokers_up = 1);
    assert_eq!(town.first(ANYONE), "nyc");
    town.says("nyc", |entrance| entrance.brokers_up = 0);
    assert_eq!(town.first(ANYONE), "nyc", "it was good later than the other");
}

#[test]
fn those_that_went_at_once_are_all_last_good_and_the_dead_come_last() {
    let mut town = town(AllDown::LastGood, Ranking::Nearest);
    for entrance in &mut town.outlook.entrances[0] {
        entrance.standing = Standing::Dead;
    }
    town.outlook.entrances[0][2].standing = Standing::Draining;
    town.publish();
    assert_eq!(town.order(ANYONE), "sin fra nyc");
    let endpoints = town.asks(ANYONE, Form::V4).endpoints.unwrap();
    let sites: Vec<&str> = endpoints.iter().map(|e| town.name(e.site)).collect();
    assert_eq!(sites, ["sin", "fra"], "two sites are two chances");
}

#[test]
fn where_none_ever_was_good_there_is_no_last_good() {
    for (all_down, expected) in [
        (AllDown::LastGood, Err(Absence::AllDown)),
        (AllDown::All, Ok(2)),
        (AllDown::ServFail, Err(Absence::AllDown)),
    ] {
        let mut town = town(all_down, Ranking::Nearest);
        for entrance in &mut town.outlook.entrances[0] {
            entrance.brokers_up = 0;
        }
        town.entry = Entry::new(Arc::new(EntryPolicy { all_down, ..policy(Ranking::Nearest) }));
        town.publish();
        let answer = town.asks(ANYONE, Form::V4);
        assert_eq!(answer.endpoints.map(|endpoints| endpoints.len()), expected, "{all_down:?}");
    }
}

#[test]
fn all_names_everybody() {
    for ranking in [Ranking::Nearest, Ranking::Headroom, Ranking::Failover] {
        let mut town = town(AllDown::All, ranking);
        everything_goes(&mut town);
        let answer = town.asks(ANYONE, Form::Endpoints);
        assert_eq!(answer.ttl, TTL_NEAR);
        let endpoints = answer.endpoints.unwrap();
        assert!(endpoints.iter().all(|e| e.why == Why::AllNamed));
        let mut names: Vec<&str> = endpoints.iter().map(|e| town.name(e.site)).collect();
        names.dedup();
        assert_eq!(names.len(), 3);
        assert_eq!(names[2], "fra", "the dead come last: {ranking:?}");
        let endpoints = town.asks(ANYONE, Form::V4).endpoints.unwrap();
        assert_eq!(endpoints.iter().map(|e| e.rank).collect::<Vec<_>>(), [0, 1]);
    }
}

#[test]
fn last_good_is_kept_for_each_service() {
    let mut town = town(AllDown::LastGood, Ranking::Nearest);
    let mut other = town.outlook.entrances[0].clone();
    other[0].brokers_up = 0;
    other[1].brokers_up = 0;
    town.outlook.entrances.push(other);
    town.publish();
    for entrance in town.outlook.entrances.iter_mut().flatten() {
        entrance.standing = Standing::Draining;
    }
    town.publish();
    let mut named = |service| {
        let ask = Ask { service, ..town.question(ANYONE, Form::V4) };
        let endpoints = town.entry.ask(&ask).endpoints.unwrap();
        town.name(endpoints[0].site).to_string()
    };
    assert_eq!((named(S).as_str(), named(ServiceId(1)).as_str()), ("fra", "sin"));
}
