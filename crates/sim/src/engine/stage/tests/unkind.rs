//! Where the world is no kinder than real processes were found to be (`docs/fidelity.md`).

use isobar_core::outlook::Standing;

use super::super::*;
use super::trial::{NYC, as_it_is, bites};
use crate::drill::{Death, Down};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Clients stay for ten seconds on average, and do not come back in time.
fn leave(drill: &mut Drill) {
    (drill.clients.stay, drill.clients.away) = (Some(secs(10)), secs(10_000));
}

#[test]
fn who_would_go_goes_though_nobody_answers() {
    bites(&[(Deed::BrokerHang, "broker:nyc/*")], leave, |t| {
        let stuck = t.at(50).begin(0).at(51).nyc().0;
        // Eighteen seconds pass on average before one gives up; four of five have gone by then.
        let (left, noticed) = t.at(400).nyc();
        left == 0 && stuck > 80 && (10..stuck as u64 * 2 / 5).contains(&noticed)
    });
}

fn stale(drill: &mut Drill) {
    drill.clients.stale_dns_ppm = 1_000_000;
}

#[test]
fn who_comes_to_a_site_that_is_gone_comes_too_late_whoever_is_there() {
    bites(&[(Deed::SiteDown(Down::Silent), "site:nyc")], stale, |t| {
        // Everyone has noticed, and has tried the old address once.
        t.at(50).begin(0).at(340).site(NYC).entry.stale_arrivals == 200
    });
}

fn two_doors(drill: &mut Drill) {
    drill.clients.stale_dns_ppm = 0;
}

#[test]
fn a_client_may_well_be_sent_to_the_same_address_again() {
    bites(&[(Deed::NodeCrash(Death::Rst), "node:nyc/1")], two_doors, |t| {
        t.at(50).begin(0).at(250);
        let crowd = t.site(NYC).affected;
        // Each try finds the dead node with even odds while its name is kept: one failure each.
        // Who took the addresses in turn would fail every second time, once.
        crowd.noticed == 100 && (70..=130).contains(&crowd.failed)
    });
}

#[test]
fn what_is_told_is_a_fifth_of_a_second_old_at_most() {
    const OTHERS: [usize; 4] = [0, 2, 3, 4];
    bites(&[(Deed::SiteDown(Down::Silent), "site:nyc")], as_it_is, |t| {
        t.at(50).begin(0);
        // Looks at which a node held it dead, and would have named it.
        let mut late = [0; 5];
        for tenths in 51..150 {
            t.at(tenths);
            for site in OTHERS {
                let region = t.region(site);
                let is_dead = region.standing(0, NYC) == Some(Standing::Dead);
                late[site] += u32::from(is_dead && region.may_name().contains(&NYC));
            }
        }
        let dead =
            OTHERS.iter().all(|site| t.region(*site).standing(0, NYC) == Some(Standing::Dead));
        let bounded = late.iter().all(|looks| *looks <= 2);
        dead && bounded && late.iter().any(|looks| *looks > 0)
    });
}
