//! Small planets: who is served where after a loss, and that neither threads nor faults elsewhere
//! make a difference where they must not.

use std::time::Duration;

use super::super::region::blow::Harm;
use super::*;
use crate::drill::quantity::MILLION;
use crate::drill::{Backoff, Death, Down};
use crate::rehearsal::{Crowd, CrowdFinale, Times};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Five sites with twice as many places as clients, who speak every 20 s.
fn drill(clients: u32) -> Drill {
    Drill::plain(5, clients).with(|drill| {
        for site in &mut drill.topology.sites {
            site.broker.maxconn = Some(clients / 10);
        }
        drill.clients.keepalive = secs(20);
        drill.clients.ping_timeout = secs(8);
    })
}

/// What befalls sites: when, where, what.
type Blows = Vec<(u64, SiteNo, Blow)>;

/// A planet at that second, after what has befallen it.
fn until(drill: &Drill, threads: usize, blows: &Blows, end: u64) -> Planet {
    let mut planet = Planet::new(drill, 1, threads);
    goes_on(&mut planet, blows, 0, end);
    planet
}

fn goes_on(planet: &mut Planet, blows: &Blows, from: u64, end: u64) {
    for (at, site, blow) in blows.iter().filter(|(at, ..)| (from..end).contains(at)) {
        planet.run_until(secs(*at));
        planet.strikes(*site, 0, *blow);
    }
    planet.run_until(secs(end));
}

/// Books and truth, and how many are served at home, abroad, and not.
fn stand(planet: &mut Planet) -> (u32, u32, u32) {
    planet.check();
    let crowds = crowds(planet);
    let sum = |of: fn(&Crowd) -> u32| crowds.iter().flatten().map(of).sum();
    (sum(|crowd| crowd.home), sum(|crowd| crowd.abroad), sum(|crowd| crowd.unserved))
}

/// By home: those affected, and the others.
fn crowds(planet: &mut Planet) -> Vec<[Crowd; 2]> {
    let sites = planet.scene().sites.into_iter();
    sites.map(|site| [site.affected, site.unaffected]).collect()
}

/// Over all crowds.
fn all(planet: &mut Planet, of: fn(&Crowd) -> u64) -> u64 {
    crowds(planet).iter().flatten().map(of).sum()
}

/// Something of the affected in the end.
fn times(planet: &mut Planet, of: fn(&CrowdFinale) -> &Times) -> Times {
    let mut sum = Times::default();
    planet.finale().sites.iter().for_each(|site| sum.sum_up(of(&site.affected)));
    sum
}

#[test]
fn one_result_whatever_the_threads() {
    let run = |threads| {
        let mut planet = until(&drill(400), threads, &vec![(3, 1, Blow::Site(Down::Silent))], 50);
        (planet.hash(), planet.happened())
    };
    let one = run(1);
    assert_eq!(run(2), one);
    assert_eq!(run(3), one);
}

#[test]
fn clients_of_a_silent_site_notice_late_and_are_served_elsewhere() {
    let blows = vec![(5, 1, Blow::Site(Down::Silent))];
    let mut planet = until(&drill(400), 2, &blows, 12);
    assert_eq!(
        all(&mut planet, |crowd| crowd.noticed),
        0,
        "eight seconds must pass without a PINGRESP"
    );
    goes_on(&mut planet, &blows, 12, 70);
    assert_eq!(stand(&mut planet), (1_600, 400, 0));
    let crowds = crowds(&mut planet);
    let affected = |site: usize| (crowds[site][0].disconnected, crowds[site][0].noticed);
    assert_eq!((affected(1), crowds[1][0].home, crowds[1][0].abroad), ((400, 400), 0, 400));
    // Nobody else has felt anything.
    assert_eq!([0, 2, 3, 4].map(affected), [(0, 0); 4]);
    assert!(crowds.iter().all(|[_, others]| others.disconnected == 0));
    let finale = planet.finale();
    let lost = &finale.sites[1].affected;
    assert_eq!((lost.notice.count(), lost.reconnect.count()), (400, 400));
    assert!(lost.notice.most() <= Some(secs(28)), "keepalive and patience");
    assert_eq!((finale.sites[1].went[1], finale.sites[1].went.iter().sum()), (0, 400u64));
    assert!(lost.never_served.is_empty(), "{:?}", lost.never_served);
}

#[test]
fn killed_processes_are_noticed_at_once() {
    let blows = vec![(5, 1, Blow::Site(Down::Rst))];
    let mut planet = until(&drill(400), 2, &blows, 6);
    assert_eq!(all(&mut planet, |crowd| crowd.noticed), 400);
    goes_on(&mut planet, &blows, 6, 60);
    assert_eq!(stand(&mut planet), (1_600, 400, 0));
}

#[test]
fn a_broker_s_clients_find_another_at_home() {
    let blows = vec![(5, 1, Blow::Broker(3, Harm::Gone(Death::Rst))), (25, 1, Blow::Lift)];
    let mut planet = until(&drill(400), 2, &blows, 60);
    let site = &crowds(&mut planet)[1];
    assert_eq!((site[0].disconnected, site[0].noticed, site[0].home), (20, 20, 20));
    assert_eq!((site[1].disconnected, site[1].home), (0, 380));
    assert_eq!(stand(&mut planet), (2_000, 0, 0));
    assert!(planet.tally().downs >= 1, "its nodes have noticed too");
}

#[test]
fn who_comes_back_is_served_where_it_was() {
    let blows = vec![(5, 1, Blow::Site(Down::Silent)), (60, 1, Blow::Lift)];
    let mut planet = until(&drill(400), 2, &blows, 59);
    assert_eq!(stand(&mut planet), (1_600, 400, 0));
    goes_on(&mut planet, &blows, 59, 150);
    let (home, abroad, unserved) = stand(&mut planet);
    assert_eq!((home + abroad, unserved), (2_000, 0));
}

#[test]
fn everyone_at_once_is_served() {
    let drill = drill(1_000).with(|drill| drill.clients.arrive = secs(1));
    let mut planet = until(&drill, 2, &Blows::new(), 60);
    let (home, abroad, unserved) = stand(&mut planet);
    assert_eq!((home + abroad, unserved), (5_000, 0));
    assert!(home > 4_000, "{abroad} of 5,000 went abroad");
}

#[test]
fn clients_rest_as_they_are_wont_to() {
    let served_after = |backoff| {
        let drill = drill(400).with(|drill| {
            drill.clients.backoff = vec![(MILLION, backoff)];
            drill.clients.stale_dns_ppm = 0;
        });
        let mut planet = until(&drill, 2, &vec![(5, 1, Blow::Site(Down::Rst))], 40);
        assert_eq!(stand(&mut planet).2, 0);
        let reconnect = times(&mut planet, |crowd| &crowd.reconnect);
        [1, 500, 900].map(|permille| reconnect.permille(permille).unwrap())
    };
    let [first, _, most] = served_after(Backoff::Fixed { every: secs(5) });
    assert!(first >= secs(5) && most < secs(10), "all together: {first:?} to {most:?}");
    let jitter = Backoff::FullJitter { first: secs(1), most: secs(60) };
    let [first, median, _] = served_after(jitter);
    assert!(first < secs(2) && median < secs(4), "{first:?}, {median:?}");
    let [first, _, most] = served_after(Backoff::Exponential { first: secs(2), most: secs(60) });
    assert!(first >= secs(2) && most < secs(10), "{first:?} to {most:?}");
}

#[test]
fn one_more_fault_leaves_what_others_draw_as_it_was() {
    let noticed =
        |blows: Blows| until(&drill(400), 2, &blows, 50).finale().sites[1].affected.notice.clone();
    let one = noticed(vec![(5, 1, Blow::Site(Down::Silent))]);
    let two = noticed(vec![(3, 4, Blow::Site(Down::Silent)), (5, 1, Blow::Site(Down::Silent))]);
    assert_eq!(one, two);
}

#[test]
fn who_goes_by_itself_comes_back() {
    let drill = drill(400).with(|drill| {
        (drill.clients.stay, drill.clients.away) = (Some(secs(30)), secs(10));
    });
    let mut planet = until(&drill, 2, &Blows::new(), 120);
    let (home, abroad, unserved) = stand(&mut planet);
    // A quarter of the time away: four standard deviations of a binomial count around 1,500.
    assert!((1_422..=1_578).contains(&home), "{home}");
    assert!(abroad == 0 && unserved < 10, "{abroad}, {unserved}");
    assert_eq!(all(&mut planet, |crowd| crowd.disconnected), 0, "nobody has lost anything");
}

#[test]
fn a_wrong_password_is_refused_and_takes_no_place() {
    let drill = drill(400).with(|drill| drill.clients.rejected_ppm = 100_000);
    let mut planet = until(&drill, 2, &Blows::new(), 60);
    let (home, abroad, unserved) = stand(&mut planet);
    assert!((1_750..=1_850).contains(&home), "{home} of 2,000, a tenth refused");
    assert_eq!((abroad, unserved), (0, 0));
    assert!(all(&mut planet, |crowd| crowd.refused) > 400, "they try again");
}
