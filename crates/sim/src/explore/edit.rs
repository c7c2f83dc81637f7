//! Drills with a part taken out, and all that referred to it mended.

use std::time::Duration;

use crate::drill::{
    Drill, Event, Fault, Item, Kind, Moment, Pattern, Selector, SiteNo, Target, Targets, Topology,
    What, Which, times,
};

/// Without this fault; what came after it comes at the time at which it would have come. `None`
/// where that time is not known.
pub(super) fn without_fault(drill: &Drill, gone: usize) -> Option<Drill> {
    let mut edited = drill.clone();
    edited.faults.remove(gone);
    for moment in moments(&mut edited) {
        let Moment::After(Event::Begins(index) | Event::Ends(index), _) = moment else { continue };
        if *index == gone {
            *moment = Moment::At(times::of(moment, &drill.faults, Some(&drill.topology))?);
        } else if *index > gone {
            *index -= 1;
        }
    }
    Some(edited)
}

/// Without this site, and without the faults that befell it alone.
pub(super) fn without_site(drill: &Drill, gone: SiteNo) -> Option<Drill> {
    let gone = usize::from(gone);
    let mut edited = drill.clone();
    if edited.topology.sites.len() < 2 {
        return None;
    }
    edited.topology.sites.remove(gone);
    let rtt = &mut edited.topology.wan.rtt_us;
    rtt.remove(gone);
    for row in rtt {
        row.remove(gone);
    }
    mend(edited)
}

/// Selectors that name what is there now; faults that befall nothing any more are gone. `None` where
/// something else needs what is gone.
pub(super) fn mend(mut drill: Drill) -> Option<Drill> {
    let topology = drill.topology.clone();
    let mut lost = Vec::new();
    for (index, fault) in drill.faults.iter_mut().enumerate() {
        let is_there = mend_selector(&mut fault.on, &topology);
        if !is_there || fault.on.check(&topology).is_err() {
            lost.push(index);
        }
    }
    let stops = drill.stops.iter_mut().map(|stop| &mut stop.of);
    let expectations = drill.expectations.iter_mut().map(|expectation| &mut expectation.of);
    for of in expectations.chain(stops).flatten() {
        if !mend_selector(of, &topology) {
            return None;
        }
    }
    for moment in moments(&mut drill) {
        if let Moment::After(Event::Becomes(sites, _), _) = moment
            && !mend_pattern(sites, &topology)
        {
            return None;
        }
    }
    lost.into_iter().rev().try_fold(drill, |drill, gone| without_fault(&drill, gone))
}

/// Every moment that a drill mentions.
fn moments(drill: &mut Drill) -> impl Iterator<Item = &mut Moment> {
    let faults = drill.faults.iter_mut().map(|fault| &mut fault.at);
    let stops = drill.stops.iter_mut().filter_map(|stop| stop.after.as_mut());
    let expected = drill.expectations.iter_mut().flat_map(|one| match &mut one.kind {
        Kind::Recover { from, until, .. } | Kind::Sustain { from, until } => {
            [from.as_mut(), until.as_mut()]
        }
        Kind::Total => [None, None],
    });
    faults.chain(stops).chain(expected.flatten())
}

/// Whether anything is left of it.
fn mend_selector(selector: &mut Selector, topology: &Topology) -> bool {
    match &mut selector.what {
        What::Sites(sites) | What::Clients(sites) => mend_pattern(sites, topology),
        What::Nodes(sites, which) => {
            mend_pattern(sites, topology)
                && mend_which(which, sites, topology, |site| topology.at(site).nodes)
        }
        What::Brokers(sites, which) => {
            mend_pattern(sites, topology)
                && mend_which(which, sites, topology, |site| topology.at(site).brokers)
        }
        What::Links { from, to, .. } => mend_pattern(from, topology) && mend_pattern(to, topology),
    }
}

fn mend_pattern(pattern: &mut Pattern, topology: &Topology) -> bool {
    let alone = |item: &Item| Pattern { is_not: false, items: vec![item.clone()] };
    pattern.items.retain(|item| !alone(item).sites(topology).is_empty());
    if pattern.items.is_empty() && pattern.is_not {
        *pattern = Pattern::any();
    }
    !pattern.sites(topology).is_empty()
}

fn mend_which(
    which: &mut Which,
    sites: &Pattern,
    topology: &Topology,
    of: impl Fn(SiteNo) -> u16,
) -> bool {
    let most = sites.sites(topology).into_iter().map(of).max().unwrap_or(0);
    match which {
        Which::All => most > 0,
        Which::Range(first, last) => {
            *last = (*last).min(most);
            *first <= *last
        }
    }
}

/// The whole drill so much earlier, from this time on.
pub(super) fn earlier(drill: &Drill, from: Duration, by: Duration) -> Drill {
    let mut edited = drill.clone();
    for moment in moments(&mut edited) {
        if let Moment::At(time) = moment
            && *time >= from
        {
            *time -= by.min(*time);
        }
    }
    edited.duration -= by.min(edited.duration);
    edited
}

/// The latest moment, given as a time, from which anything is expected.
pub(super) fn expected_from(drill: &Drill) -> Option<Duration> {
    let from = |kind: &Kind| match kind {
        Kind::Recover { from: Some(Moment::At(time)), .. }
        | Kind::Sustain { from: Some(Moment::At(time)), .. } => Some(*time),
        _ => None,
    };
    drill.expectations.iter().filter_map(|one| from(&one.kind)).max()
}

/// The fault with one of its targets only, for each of them; for each site where they are many.
pub(super) fn narrowed(drill: &Drill, fault: usize, seed: u64) -> Vec<Selector> {
    /// Targets that are tried one by one.
    const SINGLY: usize = 8;
    let topology = &drill.topology;
    let Fault { on, .. } = &drill.faults[fault];
    let name = |site: SiteNo| Pattern {
        is_not: false,
        items: vec![Item::Name(topology.at(site).name.clone())],
    };
    let strikes = drill.strikes(seed);
    let struck = strikes.iter().filter(|strike| strike.fault == fault);
    let targets: Vec<_> = struck.flat_map(|strike| strike.targets.one_by_one()).collect();
    if targets.len() < 2 {
        return Vec::new();
    }
    let only = |number: u16| Which::Range(number + 1, number + 1);
    let one = |targets: &Targets| {
        let what = match targets {
            Targets::Sites(all) => What::Sites(name(*all.first()?)),
            Targets::Clients { sites, .. } => What::Clients(name(*sites.first()?)),
            Targets::Nodes(all) => {
                all.first().map(|at| What::Nodes(name(at.site), only(at.node)))?
            }
            Targets::Brokers(all) => {
                all.first().map(|at| What::Brokers(name(at.site), only(at.broker)))?
            }
            Targets::Links(all) => all.first().map(|link| What::Links {
                from: name(link.from),
                to: name(link.to),
                both: link.both,
            })?,
        };
        let draw = on.draw.filter(|_| on.target() == Target::Clients);
        Some(Selector { draw, what })
    };
    let mut selectors: Vec<Selector> = targets.iter().take(SINGLY).filter_map(one).collect();
    let by_site = topology.site_numbers().filter_map(|site| match &on.what {
        What::Nodes(_, which) => Some(What::Nodes(name(site), *which)),
        What::Brokers(_, which) => Some(What::Brokers(name(site), *which)),
        What::Links { to, both, .. } => {
            Some(What::Links { from: name(site), to: to.clone(), both: *both })
        }
        What::Sites(_) | What::Clients(_) => None,
    });
    let by_site = by_site.map(|what| Selector { draw: None, what });
    selectors.extend(by_site.filter(|narrow| narrow != on && narrow.check(topology).is_ok()));
    selectors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{draw, is_sound};

    #[test]
    fn what_is_taken_out_leaves_a_sound_drill() {
        let (mut edited, mut lost) = (0, 0);
        for seed in 0..300 {
            let drill = draw(seed);
            let faults = (0..drill.faults.len()).map(|fault| without_fault(&drill, fault));
            let sites = drill.topology.site_numbers().map(|site| without_site(&drill, site));
            for one in faults.chain(sites) {
                let Some(one) = one else {
                    lost += 1;
                    continue;
                };
                assert_eq!(is_sound(&one), Ok(()), "seed {seed}");
                edited += 1;
            }
        }
        assert!(edited > 1_500, "{edited}");
        // Only the last site of a world cannot be taken.
        assert!(lost < 60, "{lost}");
    }

    #[test]
    fn what_followed_a_fault_keeps_its_time() {
        let mut seen = 0;
        for seed in 0..300 {
            let drill = draw(seed);
            for (index, fault) in drill.faults.iter().enumerate() {
                let Moment::After(Event::Begins(before) | Event::Ends(before), _) = fault.at else {
                    continue;
                };
                let time = times::of(&fault.at, &drill.faults, Some(&drill.topology));
                let without = without_fault(&drill, before).unwrap();
                let moved = &without.faults[index - 1].at;
                assert_eq!(times::of(moved, &without.faults, Some(&drill.topology)), time);
                seen += 1;
            }
        }
        assert!(seen > 50, "{seen}");
    }
}
