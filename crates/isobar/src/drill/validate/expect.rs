//! `[[expect]]` and `[[stop]]`: what must hold, and what ends a drill early.

use isobar_sim::drill::metric::{BrokerMetric, ClientMetric, Known, SiteMetric, Unit, Whose};
use isobar_sim::drill::quantity::MILLION;
use isobar_sim::drill::{
    Bound, Check, Expectation, Fault, Kind, Metric, Moment, Selector, Stop, Target, times,
};

use super::{Validation, moments};
use crate::config::finding::{Finding, Refusal, Scope, member_name};
use crate::config::placed::Placed;
use crate::drill::bounds::{self, EXPECTATIONS_MAX};
use crate::drill::file::{Expect, File};

pub(super) fn read(
    v: &mut Validation<'_>,
    file: &File,
    faults: &[Fault],
) -> (Vec<Expectation>, Vec<Stop>) {
    let typed = file.expectations.as_deref().unwrap_or_default();
    let mut expectations: Vec<Expectation> = Vec::new();
    for (index, one) in typed.iter().take(EXPECTATIONS_MAX).enumerate() {
        let name = one.value.name.as_ref().map(|name| name.value.as_str());
        let scope = Scope { name: member_name("expectation", name, index), at: one.at.clone() };
        let name = expectation_name(v, &scope, &one.value, index, &expectations);
        if let Some((bound, kind)) = what(v, &scope, &one.value, faults) {
            let of = of(v, &scope, one.value.of.as_ref(), bound.metric);
            expectations.push(Expectation { name, bound, kind, of });
        }
    }
    if let Some(beyond) = typed.get(EXPECTATIONS_MAX) {
        let help = format!("a drill has at most {EXPECTATIONS_MAX}");
        v.report.error(&Scope::top(), &beyond.at, "too many expectations", help);
    }
    if typed.is_empty() {
        let help = "add [[expect]] with recover, sustain or total; a drill that expects nothing \
                    shows nothing";
        v.report.errors.push(Finding::whole_file(v.report.source.file, "no [[expect]]", help));
    }
    (expectations, stops(v, file, faults))
}

fn expectation_name(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: &Expect,
    index: usize,
    before: &[Expectation],
) -> String {
    let standard = format!("expect-{}", index + 1);
    let Some(name) = v.report.name(scope, "name", typed.name.as_ref()) else { return standard };
    let at = typed.name.as_ref().map_or(scope.at.clone(), |name| name.at.clone());
    let help = format!("give it another: name = \"{name}-2\"");
    if before.iter().any(|other| other.name == name) {
        v.refuse(scope, "name", &at, "an expectation above has this name", help);
    } else if Check::of(&name).is_some() {
        v.refuse(scope, "name", &at, "a check of every drill has this name", help);
    }
    name
}

/// What must hold, and when.
fn what(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: &Expect,
    faults: &[Fault],
) -> Option<(Bound, Kind)> {
    let kinds = [("recover", &typed.recover), ("sustain", &typed.sustain), ("total", &typed.total)];
    let mut said = kinds.into_iter().filter_map(|(key, typed)| Some((key, typed.as_ref()?)));
    let Some((key, comparison)) = said.next() else {
        let help = "recover = \"…\" with within, sustain = \"…\" or total = \"…\"";
        v.report.missing(scope, "expects nothing", help);
        return None;
    };
    if let Some((other, second)) = said.next() {
        let help = "write an [[expect]] for each";
        v.refuse(scope, other, &second.at, format!("it has {key} already"), help);
        return None;
    }
    let bound = bound(v, scope, key, comparison, faults);
    let kind = kind(v, scope, key, typed, faults);
    let bound = bound?;
    let fits = match (key, bound.metric.known()) {
        ("recover", Known::Now | Known::PerClient) | ("sustain", Known::Now | Known::SoFar) => None,
        ("total", Known::Now | Known::SoFar | Known::AtEnd) => None,
        (_, Known::PerClient) => Some("it needs a time given to each client: use recover"),
        ("recover", Known::SoFar) => {
            Some("it never falls, so nothing recovers: use sustain or total")
        }
        _ => Some("it is known at the end: use total"),
    };
    if let Some(help) = fits {
        v.refuse(scope, key, &comparison.at, format!("{} cannot be here", bound.metric), help);
        return None;
    }
    Some((bound, kind?))
}

fn kind(
    v: &mut Validation<'_>,
    scope: &Scope,
    key: &str,
    typed: &Expect,
    faults: &[Fault],
) -> Option<Kind> {
    let within = v.time(scope, "within", typed.within.as_ref(), bounds::WITHIN, "");
    if let Some(typed) = typed.within.as_ref().filter(|_| key != "recover") {
        let help = "remove it, or use recover";
        v.refuse(scope, "within", &typed.at, format!("{key} gives no time"), help);
    }
    if key == "total" {
        for (name, typed) in [("from", &typed.from), ("until", &typed.until)] {
            if let Some(typed) = typed {
                let help = "remove it, or use sustain";
                v.refuse(scope, name, &typed.at, "total is of the whole drill", help);
            }
        }
        return Some(Kind::Total);
    }
    let errors = v.report.errors.len();
    let from = typed.from.as_ref().map(|typed| moments::read(v, scope, "from", typed, faults));
    let until = typed.until.as_ref().map(|typed| moments::read(v, scope, "until", typed, faults));
    if v.report.errors.len() > errors {
        return None;
    }
    let (from, until) = (from.flatten(), until.flatten());
    if refuses_the_end_before_the_beginning(v, scope, key, typed, faults, [&from, &until]) {
        return None;
    }
    if key == "sustain" {
        return Some(Kind::Sustain { from, until });
    }
    if typed.within.is_none() {
        v.report.missing(scope, "no within", "the time given to recover: within = \"45s\"");
    }
    if from.is_none() && faults.is_empty() {
        let help = "say when its time begins: from = \"1m\"; or let something happen, in [[at]]";
        v.report.missing(scope, "recovers from what?", help);
        return None;
    }
    let within = within?;
    let topology = v.topology.as_ref();
    let begins = match &from {
        Some(from) => times::of(from, faults, topology),
        None => times::first(faults, topology),
    };
    let ends = until.as_ref().and_then(|until| times::of(until, faults, topology)).or(v.duration);
    let due = begins.map(|begins| begins.saturating_add(within));
    if let (Some(due), Some(ends), Some(typed)) = (due, ends, &typed.within)
        && due > ends
    {
        let problem = format!(
            "it is due at {}, and {} at {}",
            moments::shown(due),
            if until.is_some() { "no longer expected" } else { "the drill ends" },
            moments::shown(ends)
        );
        v.refuse(scope, "within", &typed.at, problem, "shorten it, or make the drill longer");
    }
    Some(Kind::Recover { within, from, until })
}

/// Whether `until` comes before that from which on it is looked, as far as that is known.
fn refuses_the_end_before_the_beginning(
    v: &mut Validation<'_>,
    scope: &Scope,
    key: &str,
    typed: &Expect,
    faults: &[Fault],
    [from, until]: [&Option<Moment>; 2],
) -> bool {
    let topology = v.topology.as_ref();
    let known = |moment: &Moment| times::of(moment, faults, topology);
    let (begins, what) = match from {
        Some(from) => (known(from), "from"),
        None if key == "recover" => (times::first(faults, topology), "the first fault"),
        None => return false,
    };
    let (Some(begins), Some(ends), Some(typed)) =
        (begins, until.as_ref().and_then(known), &typed.until)
    else {
        return false;
    };
    if ends > begins {
        return false;
    }
    let how = if ends < begins { "before" } else { "not after" };
    let problem = format!(
        "at {}, {how} {what}, which is at {}",
        moments::shown(ends),
        moments::shown(begins)
    );
    v.refuse(scope, "until", &typed.at, problem, "make it later");
    true
}

/// What is meant, where a comparison cannot be read and it is clear why.
fn misread(key: &str, text: &str) -> Option<Refusal> {
    let has = |words: [&str; 2]| words.iter().any(|word| text.contains(word));
    let (both, either) = (has([" and ", "&&"]), has([" or ", "||"]));
    if both || either {
        // All expectations must hold; any stop ends the drill.
        let (table, splits) =
            if key == "when" { ("a [[stop]]", !both) } else { ("an [[expect]]", !either) };
        let help = if splits { format!("write {table} for each") } else { "choose one".to_owned() };
        return Some(Refusal::new(format!("{table} takes one comparison"), help));
    }
    [("=>", ">="), ("=<", "<=")].iter().find_map(|(wrong, right)| {
        let (metric, value) = text.split_once(wrong)?;
        let help = format!("write \"{} {right} {}\"", metric.trim(), value.trim());
        Some(Refusal::new(format!("`{wrong}` is no comparison"), help))
    })
}

fn bound(
    v: &mut Validation<'_>,
    scope: &Scope,
    key: &str,
    typed: &Placed<String>,
    faults: &[Fault],
) -> Option<Bound> {
    let read = Bound::parse(&typed.value);
    if let Some(refusal) = misread(key, &typed.value).filter(|_| read.is_err()) {
        v.report.refuse(scope, key, &typed.at, refusal);
        return None;
    }
    let bound = v.accept(scope, key, &typed.at, read)?;
    let metric = bound.metric;
    if bound.value > u64::from(MILLION) && is_part_of_a_whole(metric) {
        let value = Unit::Ratio.show(bound.value);
        let problem = format!("{metric} is never above 1");
        v.refuse(
            scope,
            key,
            &typed.at,
            problem,
            format!("{value} is {value}00%: write 0.99 or 99%"),
        );
        return None;
    }
    if matches!(metric, Metric::Clients(Whose::Affected | Whose::Unaffected, _))
        && faults.is_empty()
    {
        let help = "nobody is affected where nothing happens: use all, or add an [[at]]";
        v.refuse(scope, key, &typed.at, "there is no fault", help);
        return None;
    }
    let is_load = matches!(
        metric,
        Metric::Broker(BrokerMetric::LoadMax | BrokerMetric::LoadMin)
            | Metric::Site(SiteMetric::LoadMax | SiteMetric::LoadMin | SiteMetric::CarriedMax)
    );
    let unlimited = v.topology.as_ref().filter(|_| is_load).and_then(|topology| {
        let site = topology.sites.iter().find(|site| site.broker.capacity().is_none())?;
        Some(site.name.clone())
    });
    if let Some(site) = unlimited {
        let help = "give every broker a limit: broker = { maxconn = 10_000 }";
        let problem = format!("the brokers of {site} have no limit, and so no load");
        v.refuse(scope, key, &typed.at, problem, help);
        return None;
    }
    Some(bound)
}

/// Ratios that cannot exceed one; loads can.
fn is_part_of_a_whole(metric: Metric) -> bool {
    use ClientMetric::{HomeRatio, ServedRatio, ServedSinceNotice};
    use isobar_sim::drill::metric::MeshMetric::Agreement;
    matches!(
        metric,
        Metric::Clients(_, ServedRatio | ServedSinceNotice | HomeRatio) | Metric::Mesh(Agreement)
    )
}

fn of(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<String>>,
    metric: Metric,
) -> Option<Selector> {
    let typed = typed?;
    let selector = v.selector(scope, "of", typed, None)?;
    if selector.draw.is_some() {
        let help = "name them: what is measured of some drawn ones says nothing";
        v.refuse(scope, "of", &typed.at, "a draw", help);
        return None;
    }
    let fits = match selector.target() {
        Target::Sites => true,
        Target::Brokers => matches!(metric, Metric::Broker(_)),
        _ => false,
    };
    if !fits {
        let help = match metric {
            Metric::Broker(_) => "\"site:fra\", or brokers: \"broker:fra/1\"",
            _ => "sites: \"site:fra\"",
        };
        v.refuse(scope, "of", &typed.at, format!("{metric} is not measured of those"), help);
        return None;
    }
    if let Some(topology) = v.topology.clone() {
        v.accept(scope, "of", &typed.at, selector.check(&topology))?;
    }
    Some(selector)
}

fn stops(v: &mut Validation<'_>, file: &File, faults: &[Fault]) -> Vec<Stop> {
    let typed = file.stops.as_deref().unwrap_or_default();
    let mut stops = Vec::new();
    for (index, one) in typed.iter().take(EXPECTATIONS_MAX).enumerate() {
        let scope = Scope { name: member_name("stop", None, index), at: one.at.clone() };
        let stop = &one.value;
        let holds = v.report.duration(&scope, "for", stop.holds.as_ref(), bounds::HOLDS);
        let after =
            stop.after.as_ref().and_then(|typed| moments::read(v, &scope, "after", typed, faults));
        let Some(typed) = &stop.when else {
            let help = "what ends the drill: when = \"all.served_ratio >= 1\"";
            v.report.missing(&scope, "no when", help);
            continue;
        };
        let Some(when) = bound(v, &scope, "when", typed, faults) else { continue };
        if !matches!(when.metric.known(), Known::Now | Known::SoFar) {
            let problem = format!("{} is not known before the end", when.metric);
            let help = "what is known at every moment: all.served_ratio, broker.load_max, …";
            v.refuse(&scope, "when", &typed.at, problem, help);
        }
        let of = of(v, &scope, stop.of.as_ref(), when.metric);
        let fails = stop.fails.as_ref().is_some_and(|fails| fails.value);
        stops.push(Stop { when, of, holds, after, fails });
    }
    if let Some(beyond) = file.stops.as_deref().unwrap_or_default().get(EXPECTATIONS_MAX) {
        let help = format!("a drill has at most {EXPECTATIONS_MAX}");
        v.report.error(&Scope::top(), &beyond.at, "too many reasons to stop", help);
    }
    stops
}
