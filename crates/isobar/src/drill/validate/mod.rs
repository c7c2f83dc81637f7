//! Stage two: the drill as typed becomes a plan, or everything that is wrong with it.
//!
//! As with a node's configuration, each reader reports what it refuses and goes on with a stand-in,
//! which never gets out. Where the topology itself is refused, selectors are only read and not held
//! against it: what follows from an error is not told beside it.

mod clients;
mod expect;
mod faults;
mod moments;
mod policy;
mod read;
mod site;
mod wan;

use isobar_sim::drill::{Check, Drill, Reason, Seeds, Topology};

use super::Loaded;
use super::bounds::{self, HYPOTHESIS_MAX, SEEDS_MAX};
use super::file::{File, Head};
use crate::config::finding::{ConfigError, Finding, Refusal, Report, Scope};
use crate::config::placed::Placed;
use crate::config::source::Source;

/// What every reader needs at hand.
pub(super) struct Validation<'a> {
    report: Report<'a>,
    /// Absent where it was refused.
    topology: Option<Topology>,
    /// How long the drill is; absent where that was refused.
    duration: Option<std::time::Duration>,
}

/// Validates `file`, which was read from `source`.
pub(super) fn drill(file: &File, source: &Source<'_>) -> Result<Loaded, ConfigError> {
    let mut v = Validation { report: Report::new(source), topology: None, duration: None };
    let absent = Placed { value: Head::default(), at: 0..0 };
    if file.drill.is_none() {
        let help = "begin with [drill], a hypothesis and a duration; see docs/drills.md";
        v.report.errors.push(Finding::whole_file(source.file, "no [drill]", help));
    }
    let head = file.drill.as_ref().unwrap_or(&absent);
    let scope = Scope { name: String::new(), at: head.at.clone() };
    let top = top(&mut v, &scope, head, source, file.drill.is_some());

    let sites = site::read(&mut v, file);
    let wan = wan::read(&mut v, file, &sites);
    let clients = clients::read(&mut v, file);
    let topology = Topology { sites, wan };
    if v.report.errors.iter().all(|error| error.scope.is_empty()) && !topology.sites.is_empty() {
        v.topology = Some(topology.clone());
    }
    let policy = policy::read(&mut v, file);
    let faults = faults::read(&mut v, file);
    let (expectations, stops) = expect::read(&mut v, file, &faults);
    let must_fail = must_fail(&mut v, &scope, file, &expectations);
    if let Some((without, at)) = &policy.without
        && must_fail.is_empty()
    {
        let help = "say in [drill] what notices: must_fail = [\"…\"]; a rule is switched off only \
                    to show that";
        let problem = format!("{} is off, and nothing must fail", without.word());
        v.report.refuse(&scope, "without", at, Refusal::new(problem, help));
    }

    let drill = Drill {
        name: top.name,
        hypothesis: top.hypothesis,
        duration: v.duration.unwrap_or_default(),
        seeds: top.seeds,
        topology,
        service: policy.service,
        check: Some(policy.check),
        slow_start: policy.slow_start,
        drain_timeout: policy.drain_timeout,
        entry: policy.entry,
        clients,
        faults,
        expectations,
        stops,
        without: policy.without.map(|(rule, _)| rule),
        must_fail,
    };
    let Report { mut errors, mut warnings, .. } = v.report;
    errors.sort_by_key(|finding| (finding.line, finding.column));
    if !errors.is_empty() {
        return Err(ConfigError { findings: errors });
    }
    warnings.extend(warn(&drill, source));
    warnings.sort_by_key(|finding| (finding.line, finding.column));
    Ok(Loaded { drill, warnings })
}

struct Top {
    name: String,
    hypothesis: String,
    seeds: Seeds,
}

fn top(
    v: &mut Validation<'_>,
    scope: &Scope,
    head: &Placed<Head>,
    source: &Source<'_>,
    is_there: bool,
) -> Top {
    let Head { name, hypothesis, duration, seeds, .. } = &head.value;
    let stem = source.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("drill");
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let stem: String = stem.chars().map(|c| if fits(c) { c } else { '-' }).take(64).collect();
    let name = v.report.name(scope, "name", name.as_ref()).unwrap_or(stem);
    if is_there && duration.is_none() {
        v.report.missing(scope, "no duration", "how long the drill is: duration = \"5m\"");
    }
    v.duration = v.time(scope, "duration", duration.as_ref(), bounds::DURATION, "");
    let text = hypothesis.as_ref().map(|text| text.value.trim().to_owned());
    match (hypothesis, &text) {
        (None, _) if is_there => {
            let help = "say in a sentence what you hope is so: hypothesis = \"Losing a broker …\"";
            v.report.missing(scope, "no hypothesis", help);
        }
        (Some(typed), Some(text)) => {
            let length = text.chars().count();
            if !(1..=HYPOTHESIS_MAX).contains(&length) || text.chars().any(char::is_control) {
                let problem = format!("must be 1 to {HYPOTHESIS_MAX} characters on one line");
                let help = "a sentence: what is lost, who is served when, what stays as it was";
                v.report.refuse(scope, "hypothesis", &typed.at, Refusal::new(problem, help));
            }
        }
        _ => {}
    }
    Top { name, hypothesis: text.unwrap_or_default(), seeds: read_seeds(v, scope, seeds.as_ref()) }
}

fn read_seeds(v: &mut Validation<'_>, scope: &Scope, typed: Option<&Placed<String>>) -> Seeds {
    let standard = Seeds { first: 1, last: 5 };
    let Some(typed) = typed else { return standard };
    let (first, last) = typed.value.split_once("..").unwrap_or((&typed.value, &typed.value));
    let problem = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => "the first is above the last",
        (Ok(first), Ok(last)) if last - first >= SEEDS_MAX => "more than 10000 seeds",
        (Ok(first), Ok(last)) => return Seeds { first, last },
        _ => "no range of seeds",
    };
    let help = "for example \"1..20\", or \"7\" for one";
    v.report.refuse(scope, "seeds", &typed.at, Refusal::new(problem, help));
    standard
}

fn must_fail(
    v: &mut Validation<'_>,
    scope: &Scope,
    file: &File,
    expectations: &[isobar_sim::drill::Expectation],
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let head = file.drill.as_ref().map(|head| &head.value);
    let Some(typed) = head.and_then(|head| head.must_fail.as_ref()) else { return reasons };
    if typed.value.is_empty() {
        let help = "name an expectation or a check, or remove the key";
        v.report.refuse(scope, "must_fail", &typed.at, Refusal::new("names nothing", help));
    }
    let is_typed = |name: &str| {
        let mut names = file.expectations.iter().flatten().filter_map(|e| e.value.name.as_ref());
        names.any(|typed| typed.value == name)
    };
    for one in typed.value.iter().take(64) {
        let place = expectations.iter().position(|expectation| expectation.name == one.value);
        let reason =
            place.map(Reason::Expectation).or_else(|| Check::of(&one.value).map(Reason::Check));
        match reason {
            Some(reason) if reasons.contains(&reason) => {
                let refusal = Refusal::new("stands twice", "once is enough");
                v.report.refuse(scope, "must_fail", &one.at, refusal);
            }
            Some(reason) => reasons.push(reason),
            // Refused above; what follows from that is not told.
            None if is_typed(&one.value) => {}
            None => {
                let names = expectations.iter().map(|expectation| expectation.name.clone());
                let checks = Check::ALL.iter().map(|check| check.word().to_owned());
                let known: Vec<String> = names.chain(checks).collect();
                let refusal = read::unknown("expectation or check", &one.value, &known);
                v.report.refuse(scope, "must_fail", &one.at, refusal);
            }
        }
    }
    reasons
}

/// What works, though hardly as intended.
fn warn(drill: &Drill, source: &Source<'_>) -> Vec<Finding> {
    let mut warnings = Vec::new();
    let clients = drill.topology.clients();
    if let Some(capacity) = drill.topology.capacity()
        && clients > capacity
        && drill.must_fail.is_empty()
    {
        let message =
            format!("{clients} clients for {capacity} connections: some are never served");
        let help = "fewer clients, or a larger maxconn, unless that is the point";
        warnings.push(Finding::whole_file(source.file, message, help));
    }
    warnings
}
