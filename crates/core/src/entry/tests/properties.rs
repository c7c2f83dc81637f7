//! What holds for any news in any order.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct News {
    site: usize,
    standing: Standing,
    brokers_up: u32,
    free: u32,
    addressed: bool,
}

fn news() -> impl Strategy<Value = News> {
    let standing = prop_oneof![
        4 => Just(Standing::Reachable),
        1 => Just(Standing::Avoided),
        1 => Just(Standing::Suspect),
        1 => Just(Standing::Draining),
        2 => Just(Standing::Dead),
    ];
    let free = prop_oneof![2 => Just(0u32), 2 => 1..30u32, 3 => 30..=1_000u32];
    (0..5usize, standing, prop_oneof![1 => Just(0u32), 4 => Just(2u32)], free, 0..8u8).prop_map(
        |(site, standing, brokers_up, free, addressed)| News {
            site,
            standing,
            brokers_up,
            free,
            addressed: addressed > 0,
        },
    )
}

fn rankings() -> impl Strategy<Value = Ranking> {
    prop_oneof![Just(Ranking::Nearest), Just(Ranking::Headroom), Just(Ranking::Failover)]
}

fn all_downs() -> impl Strategy<Value = AllDown> {
    prop_oneof![Just(AllDown::LastGood), Just(AllDown::All), Just(AllDown::ServFail)]
}

fn fit(entrance: &Entrance) -> bool {
    let standing = !matches!(entrance.standing, Standing::Dead | Standing::Draining);
    standing && entrance.brokers_up > 0 && entrance.free > 0
}

fn hold(town: &mut Town, all_down: AllDown, draw: u64) -> Result<(), TestCaseError> {
    for form in [Form::V4, Form::V6, Form::Endpoints] {
        for client in [ANYONE, from("198.51.100.9"), from("2001:db8:f::/48")] {
            let ask = Ask { service: S, client, form, draw };
            let (answer, judged) = town.entry.explain(&ask);
            prop_assert_eq!(&answer, &town.entry.ask(&ask), "by the seed alone");
            prop_assert_eq!(&answer, &town.entry.clone().ask(&ask));
            prop_assert_eq!(answer.generation, town.outlook.generation);
            prop_assert!(answer.ttl >= Duration::from_secs(1));
            prop_assert_eq!(judged.len(), town.outlook.entrances[0].len());
            let entrances = &town.outlook.entrances[0];
            let named = match &answer.endpoints {
                Ok(named) => named,
                Err(absence) => {
                    prop_assert_ne!(*absence, Absence::NotReady);
                    let bare = |e: &Entrance| !fit(e) || e.addresses.is_empty();
                    prop_assert!(entrances.iter().all(bare));
                    continue;
                }
            };
            let desperate = matches!(named[0].why, Why::LastGood | Why::AllNamed);
            prop_assert!(named.iter().map(|e| e.rank).is_sorted());
            prop_assert!(!desperate || all_down != AllDown::ServFail);
            prop_assert!(!desperate || answer.ttl <= TTL_NEAR);
            for endpoint in named {
                prop_assert!(desperate || fit(&entrances[endpoint.site.index()]));
                let verdict = judged.iter().find(|(site, _)| *site == endpoint.site).unwrap().1;
                prop_assert_eq!(verdict, Judged::Named(endpoint.rank, endpoint.why));
            }
            if form != Form::Endpoints {
                prop_assert!(named.len() <= 2);
                let ips: Vec<_> = named.iter().map(|e| e.address.ip()).collect();
                prop_assert!(ips.len() == 1 || ips[0] != ips[1]);
                prop_assert!(ips.iter().all(|ip| ip.unwrap().is_ipv4() == (form == Form::V4)));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_fit_are_named_and_the_dead_only_where_all_down_says_so(
        ranking in rankings(),
        all_down in all_downs(),
        said in prop::collection::vec((news(), any::<u64>()), 1..40),
    ) {
        let mut town = Town::of(5, EntryPolicy { all_down, ..policy(ranking) });
        let addresses: Vec<_> =
            town.outlook.entrances[0].iter().map(|e| e.addresses.clone()).collect();
        for (news, draw) in said {
            let before = town.entry.generation();
            town.says(SITES[news.site].0, |e| {
                (e.standing, e.brokers_up, e.free) = (news.standing, news.brokers_up, news.free);
                let told = addresses[news.site].clone();
                e.addresses = if news.addressed { told } else { Arc::from([]) };
            });
            prop_assert!(town.entry.generation() > before, "grows with every change");
            hold(&mut town, all_down, draw)?;
        }
    }
}
