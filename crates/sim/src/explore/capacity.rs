//! How much a world carries: the largest load at which a drill's expectations hold, with all sites,
//! and with any one or two of them gone.
//!
//! It is found by halving, so it is assumed that what holds under a load holds under every smaller
//! one. Every site keeps its part of the whole load: one plant that grows alone is another question.
//! A site that is gone goes in silence, at the drill's first fault or after a minute, and stays gone;
//! whatever else the drill does happens besides. Of sites that may be gone, only the worst is found
//! exactly: where the others hold what the worst one does not, that is all that is asked of them.

use std::time::Duration;

use crate::drill::quantity::MILLION;
use crate::drill::{
    Deed, Down, Drill, Fault, Item, Moment, Pattern, Selector, SiteNo, What, times,
};

/// Sites that are tried gone, alone: the largest ones.
const SITES_MAX: usize = 32;
/// Sites of which every pair is tried gone: the largest ones.
const PAIRED_MAX: usize = 8;
/// A load is found to a hundredth of what all brokers take.
const STEPS: u32 = 100;
/// The largest load tried, in hundredths of what all brokers take.
const MOST: u64 = 110;
/// Where a broker takes any number, the largest load is so many times the drill's own.
const MOST_TIMES: u32 = 4;
/// A drill without faults loses its sites after this.
const GONE_AT: Duration = Duration::from_secs(60);

/// A load of a drill's world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Load {
    /// Of the drill's own clients, in millionths: what [`Drill::with_clients_ppm`] takes.
    pub ppm: u32,
    /// Clients in all.
    pub clients: u64,
}

/// The largest load at which everything held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// To a hundredth of what was tried.
    UpTo(Load),
    /// More was not tried: it is the most there is to try, or another site's loss is worse.
    AtLeast(Load),
    /// Not at the smallest load that was tried.
    Never,
}

/// A world with sites gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Which.
    pub sites: Vec<SiteNo>,
    /// What it carries then.
    pub held: Held,
}

/// How much a world carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capacity {
    /// With all sites, as far as the drill's own faults leave them.
    pub whole: Held,
    /// With one gone, as tried: the last that is exact is the worst.
    pub one: Vec<Gone>,
    /// With two gone.
    pub two: Vec<Gone>,
    /// Single sites and pairs that were not tried: too many.
    pub left_out: usize,
    /// How often the drill was asked.
    pub asked: u32,
}

/// Finds it. `holds` runs a drill and says whether everything held that it expects.
pub fn capacity(drill: &Drill, mut holds: impl FnMut(&Drill) -> bool) -> Capacity {
    let mut asked = 0;
    let mut at = |gone: &[SiteNo], ppm: u32| {
        asked += 1;
        holds(&with_gone(drill, gone).with_clients_ppm(ppm))
    };
    let load = |ppm| Load { ppm, clients: drill.clone().with_clients_ppm(ppm).topology.clients() };
    let top = most_ppm(drill);
    let whole = largest(&mut |ppm| at(&[], ppm), top, top, &load);

    let by_size = by_size(drill);
    let count = by_size.len();
    let singly: Vec<Vec<SiteNo>> =
        by_size.iter().take(SITES_MAX).filter(|_| count > 1).map(|site| vec![*site]).collect();
    let large = &by_size[..count.min(PAIRED_MAX)];
    let pairs = large.iter().enumerate().flat_map(|(place, one)| {
        large[..place].iter().map(|other| vec![*other.min(one), *other.max(one)])
    });
    let pairs: Vec<Vec<SiteNo>> = pairs.filter(|_| count > 2).collect();
    let all =
        if count > 1 { count } else { 0 } + if count > 2 { count * (count - 1) / 2 } else { 0 };
    let left_out = all - singly.len() - pairs.len();

    let mut worst = whole.ppm();
    let mut try_gone = |sites: Vec<SiteNo>, worst: &mut u32| {
        let held = largest(&mut |ppm| at(&sites, ppm), *worst, top, &load);
        *worst = held.ppm();
        Gone { sites, held }
    };
    let one = singly.into_iter().map(|sites| try_gone(sites, &mut worst)).collect();
    let two = pairs.into_iter().map(|sites| try_gone(sites, &mut worst)).collect();
    Capacity { whole, one, two, left_out, asked }
}

impl Held {
    /// In millionths of the drill's own clients; zero for none.
    pub fn ppm(&self) -> u32 {
        match self {
            Held::UpTo(load) | Held::AtLeast(load) => load.ppm,
            Held::Never => 0,
        }
    }
}

impl Capacity {
    /// The worst of these: the one that carries least.
    pub fn worst(of: &[Gone]) -> Option<&Gone> {
        // Of equals the last: what was only asked whether it carries as much is not worse.
        of.iter().min_by_key(|gone| (gone.held.ppm(), matches!(gone.held, Held::AtLeast(_))))
    }
}

/// The largest load up to `most` at which it holds, to a part of `top`.
fn largest(
    holds: &mut dyn FnMut(u32) -> bool,
    most: u32,
    top: u32,
    load: &dyn Fn(u32) -> Load,
) -> Held {
    if most == 0 {
        return Held::Never;
    }
    if holds(most) {
        return Held::AtLeast(load(most));
    }
    let (mut low, mut high) = (0, most);
    while high - low > (top / STEPS).max(1) {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle } else { high = middle }
    }
    if low == 0 { Held::Never } else { Held::UpTo(load(low)) }
}

/// The largest load that is worth a try.
fn most_ppm(drill: &Drill) -> u32 {
    let clients = drill.topology.clients().max(1);
    match drill.topology.capacity() {
        None => MOST_TIMES * MILLION,
        Some(places) => {
            let ppm = u128::from(places) * u128::from(MOST) * u128::from(MILLION)
                / (100 * u128::from(clients));
            u32::try_from(ppm).unwrap_or(u32::MAX).clamp(1, u32::MAX / 2)
        }
    }
}

/// All sites, those with most places first.
fn by_size(drill: &Drill) -> Vec<SiteNo> {
    let topology = &drill.topology;
    let places = |site: SiteNo| {
        let site = topology.at(site);
        let each = site.broker.capacity().map_or(u64::MAX >> 20, u64::from);
        each * u64::from(site.brokers)
    };
    let mut sites: Vec<SiteNo> = topology.site_numbers().collect();
    sites.sort_by_key(|site| (std::cmp::Reverse(places(*site)), *site));
    sites
}

/// The same drill, in which these sites go and stay gone.
fn with_gone(drill: &Drill, gone: &[SiteNo]) -> Drill {
    let mut drill = drill.clone();
    if gone.is_empty() {
        return drill;
    }
    let first = times::first(&drill.faults, Some(&drill.topology));
    let at = first.unwrap_or(GONE_AT).min(drill.duration / 2);
    let items = gone.iter().map(|site| Item::Name(drill.topology.at(*site).name.clone()));
    let what = What::Sites(Pattern { is_not: false, items: items.collect() });
    drill.faults.push(Fault {
        name: None,
        at: Moment::At(at),
        deed: Deed::SiteDown(Down::Silent),
        on: Selector { draw: None, what },
        lasts: None,
        every: None,
    });
    drill
}

#[cfg(test)]
mod tests;
