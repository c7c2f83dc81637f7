use super::*;
use crate::drill::{Broker, Targets};
use crate::explore::draw;

/// Sites with these many brokers of 100 places each, and nothing that happens.
fn world(brokers: &[u16]) -> Drill {
    let mut drill = (0..).map(draw).find(|drill| drill.topology.sites.len() == 8).unwrap();
    drill.topology.sites.truncate(brokers.len());
    drill.topology.wan.rtt_us.truncate(brokers.len());
    drill.topology.wan.rtt_us.iter_mut().for_each(|row| row.truncate(brokers.len()));
    for (site, brokers) in drill.topology.sites.iter_mut().zip(brokers) {
        site.brokers = *brokers;
        site.clients = 100;
        site.broker = Broker { maxconn: Some(100), max_connections: None, ..site.broker };
    }
    drill.faults.clear();
    drill.duration = Duration::from_secs(300);
    drill
}

/// A world that holds while what is left has places for nine clients in ten places.
fn holds(drill: &Drill) -> bool {
    let gone: Vec<SiteNo> = drill
        .strikes(1)
        .into_iter()
        .flat_map(|strike| match strike.targets {
            Targets::Sites(sites) => sites,
            other => panic!("{other:?}"),
        })
        .collect();
    let topology = &drill.topology;
    let left = topology.site_numbers().filter(|site| !gone.contains(site));
    let places: u64 = left.map(|site| u64::from(topology.at(site).brokers) * 100).sum();
    topology.clients() * 10 <= places * 9
}

#[test]
fn finds_the_largest_load_and_the_worst_losses() {
    let drill = world(&[2, 6, 3, 1]);
    let capacity = capacity(&drill, holds);
    // To a hundredth of the 1,320 clients that are tried at most.
    let near = |held: Held, clients: u64| match held {
        Held::UpTo(load) => load.clients <= clients && load.clients + 18 >= clients,
        Held::AtLeast(_) | Held::Never => false,
    };
    assert!(near(capacity.whole, 1_080), "{capacity:?}");
    let one = Capacity::worst(&capacity.one).unwrap();
    assert_eq!(one.sites, [1]);
    assert!(near(one.held, 540), "{one:?}");
    let two = Capacity::worst(&capacity.two).unwrap();
    assert_eq!(two.sites, [1, 2]);
    assert!(near(two.held, 270), "{two:?}");
    assert_eq!((capacity.one.len(), capacity.two.len(), capacity.left_out), (4, 6, 0));
    assert!(matches!(capacity.one[1].held, Held::AtLeast(load) if load == exact(one.held)));
    assert!(capacity.asked < 45, "{}", capacity.asked);
}

fn exact(held: Held) -> Load {
    match held {
        Held::UpTo(load) => load,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sites_go_at_the_first_fault_and_stay_gone() {
    let drill = draw(5);
    let first = times::first(&drill.faults, Some(&drill.topology)).unwrap();
    let gone = with_gone(&drill, &[0]);
    let last = gone.faults.last().unwrap();
    assert_eq!((last.at.clone(), last.lasts), (Moment::At(first), None));
    assert_eq!(gone.faults.len(), drill.faults.len() + 1);
    assert_eq!(with_gone(&world(&[1, 1]), &[1]).faults[0].at, Moment::At(GONE_AT));
    assert_eq!(with_gone(&drill, &[]), drill);
}

#[test]
fn what_never_holds_and_what_always_does_is_told() {
    let drill = world(&[1, 1, 1]);
    let never = capacity(&drill, |_| false);
    assert_eq!((never.whole, never.asked), (Held::Never, 8));
    assert!(never.two.iter().all(|gone| gone.held == Held::Never));
    let always = capacity(&drill, |_| true);
    assert_eq!(always.whole, Held::AtLeast(Load { ppm: 1_100_000, clients: 330 }));
    assert_eq!(always.asked, 7);
    let alone = capacity(&world(&[3]), holds);
    assert!(alone.one.is_empty() && alone.two.is_empty());
}

#[test]
fn of_many_sites_the_largest_are_tried() {
    let mut drill = world(&[2, 6, 3, 1]);
    let site = drill.topology.sites[3].clone();
    for number in 0..40 {
        drill
            .topology
            .sites
            .push(crate::drill::Site { name: format!("s{number}"), ..site.clone() });
    }
    let capacity = capacity(&drill, |_| true);
    assert_eq!((capacity.one.len(), capacity.two.len()), (32, 28));
    assert_eq!(capacity.left_out, 44 + 44 * 43 / 2 - 32 - 28);
    assert_eq!(Capacity::worst(&capacity.one).unwrap().sites.len(), 1);
}
