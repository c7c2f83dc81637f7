//! Small planets: who is served where after a loss, and that neither threads nor faults elsewhere
//! make a difference where they must not.

use std::time::Duration;

use super::*;
use crate::drill::Backoff;
use crate::drill::quantity::MILLION;

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
        planet.strikes(*site, *blow);
    }
    planet.run_until(secs(end));
}

/// Books and truth, and how many are served at home, abroad, and not.
fn stand(planet: &Planet) -> (u32, u32, u32) {
    planet.check();
    let stand = *planet.tally().stands.last().expect("one a second");
    (stand.home, stand.abroad, stand.unserved)
}

#[test]
fn one_result_whatever_the_threads() {
    let run = |threads| {
        let mut planet = until(&drill(400), threads, &vec![(3, 1, Blow::Silent)], 50);
        (planet.hash(), planet.happened())
    };
    let one = run(1);
    assert_eq!(run(2), one);
    assert_eq!(run(3), one);
}

#[test]
fn clients_of_a_silent_site_notice_late_and_are_served_elsewhere() {
    let blows = vec![(5, 1, Blow::Silent)];
    let mut planet = until(&drill(400), 2, &blows, 12);
    assert_eq!(planet.tally().noticed, 0, "eight seconds must pass without a PINGRESP");
    goes_on(&mut planet, &blows, 12, 70);
    assert_eq!(stand(&planet), (1_600, 400, 0));
    let tally = planet.tally();
    assert_eq!((tally.affected, tally.noticed, tally.served_after.count()), (400, 400, 400));
    assert!(tally.noticed_at.permille(1_000) <= secs(34), "keepalive and patience");
    assert_eq!(planet.tally_of(1).served_by[1], 0);
    // Nobody else has felt anything.
    assert_eq!([0, 2, 3, 4].map(|site| planet.tally_of(site).affected), [0; 4]);
}

#[test]
fn killed_processes_are_noticed_at_once() {
    let blows = vec![(5, 1, Blow::Reset)];
    let mut planet = until(&drill(400), 2, &blows, 6);
    assert_eq!(planet.tally().noticed, 400);
    goes_on(&mut planet, &blows, 6, 60);
    assert_eq!(stand(&planet), (1_600, 400, 0));
}

#[test]
fn a_broker_s_clients_find_another_at_home() {
    let blows = vec![(5, 1, Blow::Crash(3)), (25, 1, Blow::Mend(3))];
    let planet = until(&drill(400), 2, &blows, 60);
    let tally = planet.tally();
    assert_eq!((tally.affected, tally.noticed), (20, 20));
    assert_eq!(stand(&planet), (2_000, 0, 0));
    assert!(tally.downs >= 1, "its nodes have noticed too");
}

#[test]
fn who_comes_back_is_served_where_it_was() {
    let blows = vec![(5, 1, Blow::Silent), (60, 1, Blow::Return)];
    let mut planet = until(&drill(400), 2, &blows, 59);
    assert_eq!(stand(&planet), (1_600, 400, 0));
    goes_on(&mut planet, &blows, 59, 150);
    let (home, abroad, unserved) = stand(&planet);
    assert_eq!((home + abroad, unserved), (2_000, 0));
}

#[test]
fn everyone_at_once_is_served() {
    let drill = drill(1_000).with(|drill| drill.clients.arrive = secs(1));
    let planet = until(&drill, 2, &Blows::new(), 60);
    let (home, abroad, unserved) = stand(&planet);
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
        let planet = until(&drill, 2, &vec![(5, 1, Blow::Reset)], 40);
        assert_eq!(stand(&planet).2, 0);
        [1, 500, 900].map(|permille| planet.tally().served_after.permille(permille))
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
    let noticed = |blows: Blows| until(&drill(400), 2, &blows, 50).tally_of(1).noticed_at;
    let one = noticed(vec![(5, 1, Blow::Silent)]);
    let two = noticed(vec![(3, 4, Blow::Silent), (5, 1, Blow::Silent)]);
    assert_eq!(one, two);
}

#[test]
fn who_goes_by_itself_comes_back() {
    let drill = drill(400).with(|drill| {
        (drill.clients.stay, drill.clients.away) = (Some(secs(30)), secs(10));
    });
    let planet = until(&drill, 2, &Blows::new(), 120);
    let (home, abroad, unserved) = stand(&planet);
    // A quarter of the time away: four standard deviations of a binomial count around 1,500.
    assert!((1_422..=1_578).contains(&home), "{home}");
    assert!(abroad == 0 && unserved < 10, "{abroad}, {unserved}");
    assert_eq!(planet.tally().affected, 0, "nobody has lost anything");
}

#[test]
fn a_wrong_password_is_refused_and_takes_no_place() {
    let drill = drill(400).with(|drill| drill.clients.rejected_ppm = 100_000);
    let planet = until(&drill, 2, &Blows::new(), 60);
    let (home, abroad, unserved) = stand(&planet);
    assert!((1_750..=1_850).contains(&home), "{home} of 2,000, a tenth refused");
    assert_eq!((abroad, unserved), (0, 0));
    assert!(planet.tally().sorries > 400, "they try again");
}
