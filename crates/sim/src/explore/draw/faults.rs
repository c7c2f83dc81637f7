//! What happens in a scenario: one to six faults that all end.
//!
//! A node does not lie here: no rule of the nodes promises anything of what a liar's neighbours do,
//! and `simulations/negative/` has that case. Loss and delay stay below what a site could be taken
//! for dead by, which is told by a curve and not by a verdict.

use std::time::Duration;

use crate::drill::{
    DEEDS, Death, Deed, Down, Draw, Drill, Event, Fault, Item, Moment, Pattern, Selector, Target,
    Topology, What, Which, times,
};
use crate::explore::dice::Dice;

const FAULTS_MAX: u32 = 6;
/// A fault that would strike what another has struck already strikes nothing: it is drawn again, so
/// often, and then left out.
const TRIES: u32 = 8;

/// Faults for this drill, none of them before `calm`.
pub(super) fn faults(seed: u64, drill: &Drill, calm: Duration) -> Vec<Fault> {
    let mut dice = Dice::new(seed, "faults");
    let kinds = kinds(&mut dice, &drill.topology);
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..dice.between(1, FAULTS_MAX) {
        let drawn = (0..TRIES).find_map(|_| {
            let fault = fault(&mut dice, &kinds, &drill.topology, &faults, calm);
            (!strikes_again(&fault, &faults, &drill.topology)).then_some(fault)
        });
        faults.extend(drawn);
    }
    faults
}

/// The kinds of this scenario: a coin for each, and one at least.
fn kinds(dice: &mut Dice, topology: &Topology) -> Vec<&'static str> {
    let fits = |word: &str| match word.split('.').next() {
        Some("link") => topology.sites.len() > 1,
        _ => word != "node.lie",
    };
    let all: Vec<&str> = DEEDS.iter().map(|deed| deed.word).filter(|word| fits(word)).collect();
    let kinds: Vec<&str> = all.iter().copied().filter(|_| dice.percent(50)).collect();
    if kinds.is_empty() { vec![dice.pick(&all)] } else { kinds }
}

fn fault(
    dice: &mut Dice,
    kinds: &[&str],
    topology: &Topology,
    before: &[Fault],
    calm: Duration,
) -> Fault {
    let deed = deed(dice, kinds);
    let doc = deed.doc();
    let on = target(dice, doc.target, topology);
    let count = on.resolve(topology, 0).len();
    let every = (count > 1 && dice.percent(30)).then(|| dice.seconds(2, 15));
    Fault {
        name: Some(format!("{}-{}", doc.word.replace('.', "-"), before.len() + 1)),
        at: moment(dice, before, topology, calm),
        deed,
        on,
        lasts: doc.lasts.then(|| dice.millis(500, 90_000)),
        every,
    }
}

fn deed(dice: &mut Dice, kinds: &[&str]) -> Deed {
    let death = dice.pick(&[Death::Rst, Death::Silent]);
    match dice.pick(kinds) {
        "broker.crash" => Deed::BrokerCrash(death),
        "broker.hang" => Deed::BrokerHang,
        "broker.full" => Deed::BrokerFull,
        "broker.slow" => Deed::BrokerSlow(dice.by_size(2, 100)),
        "node.crash" => Deed::NodeCrash(death),
        "node.pause" => Deed::NodePause,
        "node.slow" => Deed::NodeSlow(dice.millis(1, 200)),
        "site.down" => Deed::SiteDown(dice.pick(&[Down::Rst, Down::Silent, Down::Drain])),
        "link.cut" => Deed::LinkCut,
        "link.flap" => Deed::LinkFlap(dice.millis(100, 10_000)),
        "link.loss" => {
            let loss = dice.between(1, 15) * 10_000;
            Deed::LinkLoss(loss, dice.percent(30).then(|| dice.millis(10, 200)))
        }
        "link.delay" => Deed::LinkDelay(dice.millis(1, 300)),
        "clock.step" => Deed::ClockStep { by: dice.seconds(1, 86_400), back: dice.percent(50) },
        "clients.surge" => {
            Deed::ClientsSurge { clients: dice.by_size(10, 300), over: dice.seconds(0, 10) }
        }
        _ => Deed::ClientsDrop(death),
    }
}

/// A time of its own, or so long after a fault above has begun or ended.
fn moment(dice: &mut Dice, before: &[Fault], topology: &Topology, calm: Duration) -> Moment {
    if before.is_empty() || dice.percent(75) {
        return Moment::At(calm + dice.seconds(0, 120));
    }
    let index = dice.index(before.len());
    let ends = before[index].deed.doc().lasts && dice.percent(50);
    let event = if ends { Event::Ends(index) } else { Event::Begins(index) };
    let moment = Moment::After(event, dice.seconds(0, 30));
    // A chain of such faults must not make the drill endless.
    match times::of(&moment, before, Some(topology)) {
        Some(time) if time < calm + Duration::from_secs(240) => moment,
        _ => Moment::At(calm + dice.seconds(0, 120)),
    }
}

fn target(dice: &mut Dice, kind: Target, topology: &Topology) -> Selector {
    let (mut draw, names) = (None, names(topology));
    let what = match kind {
        Target::Sites => What::Sites(sites(dice, &names)),
        Target::Clients => {
            let share = dice.between(5, 100) * 10_000;
            draw = dice.percent(50).then_some(Draw::Share(share));
            What::Clients(if dice.percent(30) { Pattern::any() } else { sites(dice, &names) })
        }
        Target::Nodes => {
            let (sites, which) = inside(dice, topology, |site| topology.at(site).nodes);
            What::Nodes(sites, which)
        }
        Target::Brokers => {
            let (sites, which) = inside(dice, topology, |site| topology.at(site).brokers);
            What::Brokers(sites, which)
        }
        Target::Links => links(dice, &names),
    };
    Selector { draw, what }
}

fn names(topology: &Topology) -> Vec<String> {
    topology.sites.iter().map(|site| site.name.clone()).collect()
}

fn of_names(names: &[String]) -> Pattern {
    Pattern { is_not: false, items: names.iter().cloned().map(Item::Name).collect() }
}

/// One site mostly, sometimes several, seldom all.
fn sites(dice: &mut Dice, names: &[String]) -> Pattern {
    let count = match dice.between(0, 19) {
        0 => return Pattern::any(),
        1..=4 => dice.between(1, 3) as usize,
        _ => 1,
    };
    of_names(&dice.some(names, count))
}

/// Some of what a site has, seldom the same of every site.
fn inside(dice: &mut Dice, topology: &Topology, of: impl Fn(u16) -> u16) -> (Pattern, Which) {
    let site = u16::try_from(dice.index(topology.sites.len())).unwrap_or(0);
    let count = of(site);
    let first = dice.between(1, count.into());
    let last = dice.between(first, count.into());
    let number = |number: u32| u16::try_from(number).unwrap_or(1);
    let which = match dice.between(0, 9) {
        0 | 1 => Which::All,
        2 | 3 => Which::Range(number(first), number(last)),
        _ => Which::Range(number(first), number(first)),
    };
    let everywhere = dice.percent(10);
    let name = topology.at(site).name.clone();
    (if everywhere { Pattern::any() } else { of_names(&[name]) }, which)
}

/// Between two sites, of one site to all others, or between two halves. There are two sites.
fn links(dice: &mut Dice, names: &[String]) -> What {
    let mixed = dice.some(names, names.len());
    let (from, to) = match dice.between(0, 9) {
        0..=4 => (of_names(&mixed[..1]), of_names(&mixed[1..2])),
        5..=7 => (of_names(&mixed[..1]), Pattern::any()),
        _ => {
            let (one, other) = mixed.split_at(mixed.len() / 2);
            (of_names(one), of_names(other))
        }
    };
    What::Links { from, to, both: dice.percent(60) }
}

/// Whether something strikes at that time, of the same kind or of a whole site, where this does.
fn strikes_again(fault: &Fault, before: &[Fault], topology: &Topology) -> bool {
    let span = |fault: &Fault| {
        let begins = times::of(&fault.at, before, Some(topology))?;
        Some((begins, times::end(fault, before, Some(topology))?))
    };
    let Some((begins, ends)) = span(fault) else { return true };
    // Machines and doors take a moment to come back.
    let apart = Duration::from_secs(5);
    let word = fault.deed.word();
    before.iter().any(|other| {
        let Some((began, ended)) = span(other) else { return true };
        let is_whole = |deed: &Deed| matches!(deed, Deed::SiteDown(_));
        let alike = word == other.deed.word()
            || (is_whole(&fault.deed) || is_whole(&other.deed))
                && meets_machines(&fault.deed, other);
        alike
            && begins <= ended + apart
            && began <= ends + apart
            && share_a_site(fault, other, topology)
    })
}

/// Both are faults of machines or of who is connected to them.
fn meets_machines(deed: &Deed, other: &Fault) -> bool {
    let is_link = |deed: &Deed| deed.doc().target == Target::Links;
    !is_link(deed) && !is_link(&other.deed)
}

fn share_a_site(one: &Fault, other: &Fault, topology: &Topology) -> bool {
    let sites = |fault: &Fault| match &fault.on.what {
        What::Sites(sites) | What::Clients(sites) => sites.sites(topology),
        What::Nodes(sites, _) | What::Brokers(sites, _) => sites.sites(topology),
        What::Links { from, to, .. } => [from.sites(topology), to.sites(topology)].concat(),
    };
    let mine = sites(one);
    sites(other).iter().any(|site| mine.contains(site))
}
