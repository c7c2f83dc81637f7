//! `[[at]]`: what happens, to whom, when.

use std::time::Duration;

use isobar_sim::drill::{
    DEEDS, Death, Deed, DeedDoc, Down, Draw, Fault, Lie, Moment, Selector, Target, What, times,
};

use super::read::unknown;
use super::{Validation, moments};
use crate::config::bounds::Bounds;
use crate::config::file::TimeText;
use crate::config::finding::{Scope, member_name};
use crate::config::placed::Placed;
use crate::drill::bounds::{self, FAULTS_MAX};
use crate::drill::file::{At, File};

pub(super) fn read(v: &mut Validation<'_>, file: &File) -> Vec<Fault> {
    let typed = file.faults.as_deref().unwrap_or_default();
    let mut faults: Vec<Fault> = Vec::new();
    for (index, one) in typed.iter().take(FAULTS_MAX).enumerate() {
        let name = one.value.name.as_ref().map(|name| name.value.as_str());
        let scope = Scope { name: member_name("fault", name, index), at: one.at.clone() };
        let name = fault_name(v, &scope, &one.value, &faults);
        let fault = fault(v, &scope, &one.value, name, &faults);
        faults.push(fault);
    }
    if let Some(beyond) = typed.get(FAULTS_MAX) {
        let help = format!("a drill has at most {FAULTS_MAX}; every = \"1s\" repeats one");
        v.report.error(&Scope::top(), &beyond.at, "too many faults", help);
    }
    faults
}

fn fault_name(v: &mut Validation<'_>, scope: &Scope, at: &At, before: &[Fault]) -> Option<String> {
    let name = v.report.name(scope, "name", at.name.as_ref())?;
    let typed = at.name.as_ref()?;
    if before.iter().any(|fault| fault.name.as_ref() == Some(&name)) {
        let help = format!("give it another: name = \"{name}-2\"");
        v.refuse(scope, "name", &typed.at, "a fault above has this name", help);
        return None;
    }
    Some(name)
}

fn fault(
    v: &mut Validation<'_>,
    scope: &Scope,
    at: &At,
    name: Option<String>,
    before: &[Fault],
) -> Fault {
    let errors = v.report.errors.len();
    let moment = moment(v, scope, at, before);
    let doc = which(v, scope, at);
    let on = target(v, scope, at, doc);
    let to_the_end = "without for it lasts to the end of the drill";
    let lasts = v.time(scope, "for", at.lasts.as_ref(), bounds::FOR, to_the_end);
    let at_once = "without every it comes to all at once";
    let every = v.time(scope, "every", at.every.as_ref(), bounds::EVERY, at_once);
    let deed = doc.map_or(Deed::LinkCut, |doc| {
        refuse_what_it_does_not_take(v, scope, at, doc);
        deed(v, scope, at, doc)
    });
    // What stands in for a selector that was refused says nothing about times.
    let fallback = || Selector::parse("site:*", None).expect("the selector of all sites");
    let fault = Fault {
        name,
        at: moment.unwrap_or(Moment::At(Duration::ZERO)),
        deed,
        on: on.unwrap_or_else(fallback),
        lasts,
        every,
    };
    if errors == v.report.errors.len() {
        refuse_without_effect(v, scope, at, &fault);
        refuse_after_the_end(v, scope, at, &fault, before);
    }
    fault
}

fn moment(v: &mut Validation<'_>, scope: &Scope, at: &At, before: &[Fault]) -> Option<Moment> {
    match (&at.t, &at.after) {
        (Some(_), Some(after)) => {
            let help = "remove one of the two";
            v.refuse(scope, "after", &after.at, "it begins at t already", help);
            None
        }
        (None, None) => {
            let help = "t = \"2m\", or after = \"NAME ends\" for what follows a fault";
            v.report.missing(scope, "when?", help);
            None
        }
        (Some(t), None) => {
            let limits = bounds::T;
            let time = v.time(scope, "t", Some(t), limits, "")?;
            if let Some(end) = v.duration.filter(|end| time >= *end) {
                let problem = format!("the drill ends at {}", moments::shown(end));
                let help = "make it earlier, or the drill longer";
                v.refuse(scope, "t", &t.at, problem, help);
                return None;
            }
            Some(Moment::At(time))
        }
        (None, Some(after)) => {
            let moment = moments::read(v, scope, "after", after, before)?;
            if let Moment::At(time) = moment {
                let help = format!("write t = \"{}\"", moments::shown(time));
                v.refuse(scope, "after", &after.at, "a time, not an event", help);
                return None;
            }
            Some(moment)
        }
    }
}

fn which(v: &mut Validation<'_>, scope: &Scope, at: &At) -> Option<&'static DeedDoc> {
    let Some(typed) = &at.deed else {
        v.report.missing(scope, "no do", "what happens: do = \"site.down\"; see docs/drills.md");
        return None;
    };
    let found = DEEDS.iter().find(|doc| doc.word == typed.value);
    if found.is_none() {
        let words: Vec<&str> = DEEDS.iter().map(|doc| doc.word).collect();
        let refusal = unknown("fault", &typed.value, &words);
        v.report.refuse(scope, "do", &typed.at, refusal);
    }
    found
}

fn target(
    v: &mut Validation<'_>,
    scope: &Scope,
    at: &At,
    doc: Option<&DeedDoc>,
) -> Option<Selector> {
    let Some(typed) = &at.on else {
        let example = doc.map_or(Target::Sites, |doc| doc.target).example("fra");
        v.report.missing(scope, "no on", format!("to whom: on = \"{example}\""));
        return None;
    };
    let default = doc.map(|doc| doc.target);
    let selector = v.selector(scope, "on", typed, default)?;
    if let Some(doc) = doc.filter(|doc| doc.target != selector.target()) {
        let problem = format!(
            "{} befalls a {}, not a {}",
            doc.word,
            word(doc.target),
            word(selector.target())
        );
        let sites = typed.value.split_once(':').map_or("*", |(_, rest)| rest);
        let sites = sites.split(['/', '<']).next().unwrap_or("*").trim_end_matches('-');
        let help = format!("for example on = \"{}\"", doc.target.example(sites));
        v.refuse(scope, "on", &typed.at, problem, help);
        return None;
    }
    if let Some(topology) = v.topology.clone() {
        v.accept(scope, "on", &typed.at, selector.check(&topology))?;
        let all = Selector { draw: None, ..selector.clone() };
        let there = all.resolve(&topology, 0).len();
        if let Some(Draw::Count(count)) = selector.draw
            && count as usize > there
        {
            let help = format!("at most \"{there} of {all}\"");
            v.refuse(scope, "on", &typed.at, format!("of those there are {there}"), help);
            return None;
        }
    }
    Some(selector)
}

fn word(target: Target) -> &'static str {
    match target {
        Target::Clients => "client",
        other => other.word(),
    }
}

/// Keys that this deed has no use for.
fn refuse_what_it_does_not_take(v: &mut Validation<'_>, scope: &Scope, at: &At, doc: &DeedDoc) {
    fn place<T>(typed: &Option<Placed<T>>) -> Option<std::ops::Range<usize>> {
        typed.as_ref().map(|typed| typed.at.clone())
    }
    let typed = [
        ("how", place(&at.how)),
        ("by", place(&at.by)),
        ("delay", place(&at.delay)),
        ("loss", place(&at.loss)),
        ("burst", place(&at.burst)),
        ("period", place(&at.period)),
        ("step", place(&at.step)),
        ("clients", place(&at.clients)),
        ("over", place(&at.over)),
        ("for", place(&at.lasts)),
    ];
    let how: &[&str] = if doc.how.is_empty() { &[] } else { &["how"] };
    let lasts: &[&str] = if doc.lasts { &["for"] } else { &[] };
    let known = [how, doc.needs, doc.takes, lasts].concat();
    for (key, place) in typed {
        let Some(place) = place.filter(|_| !known.contains(&key)) else { continue };
        let takes = match known.as_slice() {
            [] => "nothing more".to_owned(),
            keys => keys.join(", "),
        };
        let message = format!("{} takes no {key}", doc.word);
        v.report.error(
            scope,
            &place,
            message,
            format!("remove it; beside do and on it takes {takes}"),
        );
    }
    let missing = doc.needs.iter().filter(|key| typed_is_absent(at, key));
    for key in missing {
        let example = match *key {
            "by" => "\"10x\"",
            "delay" => "\"300ms\"",
            "loss" => "\"20%\"",
            "period" => "\"4s\"",
            "step" => "\"1h\"",
            _ => "10_000",
        };
        let message = format!("{} needs {key}", doc.word);
        v.report.missing(scope, &message, format!("for example {key} = {example}"));
    }
}

fn typed_is_absent(at: &At, key: &str) -> bool {
    match key {
        "by" => at.by.is_none(),
        "delay" => at.delay.is_none(),
        "loss" => at.loss.is_none(),
        "period" => at.period.is_none(),
        "step" => at.step.is_none(),
        _ => at.clients.is_none(),
    }
}

fn deed(v: &mut Validation<'_>, scope: &Scope, at: &At, doc: &DeedDoc) -> Deed {
    let how = how(v, scope, at, doc);
    let time = |v: &mut Validation<'_>,
                key: &str,
                typed: &Option<Placed<TimeText>>,
                limits: Bounds<Duration>| {
        v.time(scope, key, typed.as_ref(), limits, "").unwrap_or(limits.min)
    };
    let death = if how == "silent" { Death::Silent } else { Death::Rst };
    match doc.word {
        "broker.crash" => Deed::BrokerCrash(death),
        "broker.hang" => Deed::BrokerHang,
        "broker.full" => Deed::BrokerFull,
        "broker.slow" => {
            let by = v.suffixed(scope, "by", at.by.as_ref(), "x", bounds::BY);
            Deed::BrokerSlow(by.unwrap_or(bounds::BY.min))
        }
        "node.crash" => Deed::NodeCrash(death),
        "node.pause" => Deed::NodePause,
        "node.slow" => Deed::NodeSlow(time(v, "delay", &at.delay, bounds::DELAY)),
        "node.lie" => Deed::NodeLie(if how == "full" { Lie::Full } else { Lie::Empty }),
        "site.down" => Deed::SiteDown(match how {
            "silent" => Down::Silent,
            "drain" => Down::Drain,
            _ => Down::Rst,
        }),
        "link.cut" => Deed::LinkCut,
        "link.flap" => Deed::LinkFlap(time(v, "period", &at.period, bounds::PERIOD)),
        "link.loss" => {
            let burst = v.time(
                scope,
                "burst",
                at.burst.as_ref(),
                bounds::BURST,
                "without burst each is lost by itself",
            );
            let loss = v.ppm(scope, "loss", at.loss.as_ref()).unwrap_or(0);
            if let Some(typed) = at.loss.as_ref().filter(|_| loss == 0) {
                v.refuse(scope, "loss", &typed.at, "no loss at all", "for example \"20%\"");
            }
            Deed::LinkLoss(loss, burst)
        }
        "link.delay" => Deed::LinkDelay(time(v, "delay", &at.delay, bounds::DELAY)),
        "clock.step" => {
            Deed::ClockStep { by: time(v, "step", &at.step, bounds::STEP), back: how == "back" }
        }
        "clients.surge" => {
            let clients = v.count(scope, "clients", at.clients.as_ref(), bounds::SURGE, "");
            let over = v.report.duration(scope, "over", at.over.as_ref(), bounds::OVER);
            Deed::ClientsSurge { clients: clients.unwrap_or(0), over }
        }
        "clients.drop" => Deed::ClientsDrop(death),
        other => unreachable!("a test reads every fault there is, and {other} is none"),
    }
}

/// In which way: what is said, or the first that the deed can.
fn how(v: &mut Validation<'_>, scope: &Scope, at: &At, doc: &DeedDoc) -> &'static str {
    let first = doc.how.first().copied().unwrap_or_default();
    let Some(typed) = at.how.as_ref().filter(|_| !doc.how.is_empty()) else { return first };
    match doc.how.iter().find(|how| **how == typed.value) {
        Some(how) => how,
        None => {
            let refusal = unknown("way", &typed.value, doc.how);
            v.report.refuse(scope, "how", &typed.at, refusal);
            first
        }
    }
}

/// A broker without a limit is never full.
fn refuse_without_effect(v: &mut Validation<'_>, scope: &Scope, at: &At, fault: &Fault) {
    let (Some(topology), Some(typed)) = (&v.topology, &at.on) else { return };
    let What::Brokers(sites, _) = &fault.on.what else { return };
    let unlimited = sites
        .sites(topology)
        .into_iter()
        .map(|site| topology.at(site))
        .find(|site| site.broker.capacity().is_none());
    if let Some(site) = unlimited.filter(|_| fault.deed == Deed::BrokerFull) {
        let problem = format!("the brokers of {} have no limit, and are never full", site.name);
        let help = "give them one: broker = { maxconn = 10_000 }, or max_connections, which no \
                    node is told";
        v.refuse(scope, "on", &typed.at, problem, help);
    }
}

/// A fault is over when the drill is, unless it lasts to the end.
fn refuse_after_the_end(
    v: &mut Validation<'_>,
    scope: &Scope,
    at: &At,
    fault: &Fault,
    before: &[Fault],
) {
    let Some(end) = v.duration else { return };
    let topology = v.topology.as_ref();
    let Some(last) = times::last_strike(fault, before, topology) else { return };
    if let Some(typed) = at.every.as_ref().filter(|_| last >= end) {
        let problem = format!(
            "it comes to the last of its targets at {}, and the drill ends at {}",
            moments::shown(last),
            moments::shown(end)
        );
        v.refuse(scope, "every", &typed.at, problem, "shorten it, or make the drill longer");
        return;
    }
    let over = fault.lasts.map(|lasts| last.saturating_add(lasts));
    if let (Some(over), Some(typed)) = (over.filter(|over| *over > end), &at.lasts) {
        let problem = format!(
            "it ends at {}, and the drill at {}",
            moments::shown(over),
            moments::shown(end)
        );
        let room = moments::shown(end.saturating_sub(last));
        let help =
            format!("at most for = \"{room}\"; without for, a fault lasts to the end of the drill");
        v.refuse(scope, "for", &typed.at, problem, help);
    }
}
