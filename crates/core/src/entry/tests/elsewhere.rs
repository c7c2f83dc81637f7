//! Who has come here and had better gone elsewhere, and that nobody is sent round in circles.

use super::*;
use crate::id::ClientKey;
use crate::time::Time;

const LONG_BEACH: &str = "198.51.100.0/24";

fn located(ranking: Ranking) -> EntryPolicy {
    let near_nyc = (p(LONG_BEACH), Locality::Place(place(33.77, -118.19)));
    let networks = Networks::new(vec![near_nyc]).unwrap();
    let order = vec!["nyc".to_string(), "fra".to_string()];
    EntryPolicy { networks, order, ..policy(ranking) }
}

/// The same news as another of its sites has them: its own site is the first there.
fn seen_from(town: &Town, home: &str, policy: EntryPolicy) -> Town {
    let mut there = Town::of(town.outlook.sites.len(), policy.clone());
    // A node's own numbers of sites never change: it hears of all of them anew.
    there.entry = Entry::new(Arc::new(policy));
    there.outlook = town.outlook.clone();
    let at = town.id(home).index();
    there.outlook.sites.swap(0, at);
    for entrances in &mut there.outlook.entrances {
        for entrance in entrances.iter_mut() {
            entrance.site = match entrance.site.index() {
                0 => SiteId(at as u16),
                site if site == at => SiteId(0),
                site => SiteId(site as u16),
            };
        }
        entrances.sort_by_key(|entrance| entrance.site);
    }
    there.publish();
    there
}

fn sent(town: &Town, client: Client, draw: u64) -> Option<String> {
    let ask = Ask { service: S, client, form: Form::Plain, draw };
    let to = town.entry.elsewhere(&ask)?;
    Some(town.name(to.site).to_string())
}

#[test]
fn a_client_that_belongs_elsewhere_is_sent_there_and_any_other_is_served() {
    let mut town = Town::of(3, located(Ranking::Nearest));
    assert_eq!(sent(&town, from("198.51.100.7"), 1).as_deref(), Some("nyc"));
    assert_eq!(sent(&town, ANYONE, 1), None, "nobody knows where it is");
    assert_eq!(sent(&town, from("203.0.113.7"), 1), None);
    let ask = Ask { service: S, client: from("198.51.100.7"), form: Form::Plain, draw: 1 };
    let to = town.entry.elsewhere(&ask).unwrap().address.to_string();
    assert!(to.starts_with("192.0.2.1") || to.starts_with("[2001:db8:ffff:1::"), "{to}");
    town.stands("fra", Standing::Draining);
    assert_eq!(sent(&town, ANYONE, 1).as_deref(), Some("nyc"), "here is no place for it");
}

#[test]
fn nobody_is_sent_where_it_is_not_known_to_be_well() {
    for standing in [Standing::Avoided, Standing::Suspect] {
        let mut town = Town::of(2, located(Ranking::Nearest));
        town.stands("nyc", standing);
        assert_eq!(sent(&town, from("198.51.100.7"), 1), None, "{standing:?}");
    }
    for all_down in [AllDown::LastGood, AllDown::All, AllDown::ServFail] {
        let mut town = Town::of(2, EntryPolicy { all_down, ..located(Ranking::Nearest) });
        for site in ["fra", "nyc"] {
            town.says(site, |entrance| entrance.brokers_up = 0);
        }
        assert_eq!(sent(&town, from("198.51.100.7"), 1), None, "{all_down:?}");
    }
    let mut fresh = Town::of(2, located(Ranking::Nearest));
    fresh.entry = Entry::new(Arc::new(located(Ranking::Nearest)));
    assert_eq!(sent(&fresh, from("198.51.100.7"), 1), None);
}

#[test]
fn who_drew_by_headroom_is_not_drawn_again() {
    let mut town = Town::of(2, located(Ranking::Headroom));
    for draw in 0..200 {
        assert_eq!(sent(&town, ANYONE, draw), None);
    }
    town.has_free("fra", 0);
    assert_eq!(sent(&town, ANYONE, 1).as_deref(), Some("nyc"));
}

#[test]
fn where_it_was_sent_a_client_is_served() {
    for ranking in [Ranking::Nearest, Ranking::Failover, Ranking::Headroom] {
        for trouble in [None, Some("fra"), Some("nyc")] {
            let mut here = Town::of(4, located(ranking));
            if let Some(site) = trouble {
                here.says(site, |entrance| entrance.brokers_up = 0);
            }
            for (client, draw) in
                [from("198.51.100.7"), ANYONE, from("203.0.113.9")].iter().zip(0..)
            {
                let Some(to) = sent(&here, *client, draw) else { continue };
                let there = seen_from(&here, &to, located(ranking));
                assert_eq!(sent(&there, *client, draw), None, "{ranking:?} {trouble:?} {to}");
            }
        }
    }
}

/// Two sites that each hold the other the better one: the client is served after one round.
#[test]
fn nodes_that_disagree_send_a_client_round_once() {
    let key = ClientKey::of(b"sensor-1");
    let mut sent = [Sent::new(Time::ZERO), Sent::new(Time::ZERO)];
    let hops = (0..10_u64).take_while(|hop| {
        let now = Time::ZERO + Duration::from_millis(50 * hop);
        sent[*hop as usize % 2].may_send(key, now)
    });
    assert_eq!(hops.count(), 2, "once by each");
    let later = Time::ZERO + SENT_FOR;
    assert!(!sent[0].may_send(key, later - Duration::from_secs(1)));
    assert!(sent[0].may_send(key, later + Duration::from_secs(1)), "it may have moved since");
}

#[test]
fn the_memory_of_who_was_sent_is_bounded_and_who_is_not_remembered_is_served() {
    let mut sent = Sent::new(Time::ZERO);
    let key = |n: u32| ClientKey::of(&n.to_be_bytes());
    for n in 0..SENT_MAX as u32 {
        assert!(sent.may_send(key(n), Time::ZERO));
    }
    assert!(!sent.may_send(key(1 << 30), Time::ZERO));
    let later = Time::ZERO + SENT_FOR;
    assert!(sent.may_send(key(1 << 30), later), "others have had their time");
    assert!(!sent.may_send(key(1 << 30), later));
}
