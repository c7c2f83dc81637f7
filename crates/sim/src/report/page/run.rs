//! One run: in full, or in brief among others of its drill.

use maud::{Markup, html};

use super::group::Group;
use super::verdict::outcome_badge;
use super::{checks, ecdf, expect, human, lanes, phases, sites, went};
use crate::drill::Metric;
use crate::rehearsal::record::{Outcome, Record};

/// Everything that is known of it; its expectations stand above, where it is a drill's only run.
pub(super) fn in_full(group: &Group, place: usize) -> Markup {
    let run = group.runs[place];
    let alone = group.runs.len() == 1;
    html! {
        section.run {
            h3 id=(group.anchor(place)) {
                @if alone { "What happened" }
                @else { "Seed " (run.seed) ", the worst, in full " (outcome_badge(run.outcome)) }
            }
            (lanes::lanes(run))
            (sites::sites(run))
            h4 { "How long clients waited" }
            div.pair { (phases::phases(run)) (ecdf::ecdf(group, run)) }
            h4 { "Who went where" }
            (went::went(run))
            h4 { "Never served again" }
            (checks::never_served(run))
            h4 { "Checks" }
            (checks::checks(run))
            (metrics(run))
            (source(run))
        }
    }
}

/// What one compares with others, folded.
pub(super) fn in_brief(group: &Group, place: usize) -> Markup {
    let run = group.runs[place];
    html! {
        details.brief {
            summary {
                b { "Seed " (run.seed) }
                " " (outcome_badge(run.outcome)) " " span.muted { (gist(run)) }
            }
            // The place is inside rather than the element itself: a link to it then unfolds it.
            div id=(group.anchor(place)) {
                (why(run, false))
                (expect::of_run(run))
                h4 { "The sites that give most concern" }
                (sites::brief(run))
                h4 { "The outage, phase by phase" }
                (phases::table(run))
                h4 { "Never served again" }
                (checks::never_served(run))
                h4 { "Checks" }
                (checks::brief(run))
                (source(run))
            }
        }
    }
}

/// What one asks first of a run among others.
fn gist(run: &Record) -> String {
    let lost = human::sum(run.never_served.values().copied());
    match (run.why.first(), run.phases.outage) {
        (Some(reason), _) => reason.clone(),
        (None, outage) if outage.count == 0 => "nobody lost a connection".to_owned(),
        (None, outage) => {
            let (p99, lost) = (human::time(outage.p99_us), human::count(lost));
            format!("outage p99 {p99}, {lost} never served again")
        }
    }
}

/// Why it did not pass; with its seed, where it is one of several.
pub(super) fn why(run: &Record, seed: bool) -> Markup {
    html! {
        @if !run.why.is_empty() {
            ul.why.bad[run.outcome == Outcome::Failed] {
                @for reason in &run.why {
                    li { @if seed { b { "Seed " (run.seed) ":" } " " } (reason) }
                }
            }
        }
    }
}

fn metrics(run: &Record) -> Markup {
    let value = |name: &str, value: u64| match Metric::parse(name) {
        Ok(metric) => human::value(&format!("{:?}", metric.unit()), value),
        Err(_) => human::count(value),
    };
    html! {
        details {
            summary {
                "All " (human::counted(run.metrics.len(), "metric", "metrics")) " at the end"
            }
            table.small.metrics {
                caption.hidden { "Metrics at the end" }
                thead { tr { th scope="col" { "Metric" } th.number scope="col" { "Value" } } }
                tbody { @for (name, n) in &run.metrics { tr {
                    th scope="row" { code { (name) } } td.number { (value(name, *n)) }
                } } }
            }
        }
    }
}

/// What brings it about again, and how to tell that it is the same.
fn source(run: &Record) -> Markup {
    html! {
        div.source {
            (command(run))
            p.muted {
                "Isobar " (run.version) ", seed " (run.seed)
                @if run.live { ", on real processes" }
                @else { ", " (human::count(run.events)) " events, hash " (hash(run)) }
                ". Ended at " (human::time(run.ended_us)) " of " (human::time(run.duration_us)) "."
            }
        }
    }
}

/// The command that repeats it.
pub(super) fn command(run: &Record) -> Markup {
    html! {
        @if !run.file.is_empty() {
            p.repeat {
                span { "To repeat it: " }
                code {
                    "isobar drill run " (quoted(&run.file)) " --seed " (run.seed)
                    @if run.live { " --live" }
                }
            }
        }
    }
}

/// Its hash, or that it has none.
pub(super) fn hash(run: &Record) -> Markup {
    html! {
        @if run.hash == 0 { span.muted { "none" } }
        @else { code { (format!("{:016x}", run.hash)) } }
    }
}

/// As a shell takes it for one word.
fn quoted(file: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if file.chars().all(plain) && !file.starts_with('-') {
        file.to_owned()
    } else if file.starts_with('-') {
        format!("'./{}'", file.replace('\'', r"'\''"))
    } else {
        format!("'{}'", file.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_word() {
        assert_eq!(quoted("simulations/site-loss.toml"), "simulations/site-loss.toml");
        assert_eq!(quoted("my drill.toml"), "'my drill.toml'");
        assert_eq!(quoted("it's;rm"), r"'it'\''s;rm'");
        assert_eq!(quoted("-n"), "'./-n'");
    }
}
