//! What was found, as tables for the terminal and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::calls::Calls;
use crate::links::Links;
use crate::lock::Holds;
use crate::measure::{CALLS, Figure, Goal};
use crate::ports::Series;
use crate::provision::Asked;
use crate::stats::{Ratio, Sample};

/// A connect in a nearly full range may cost so much more than in a nearly empty one.
const GROWTH_GOAL: f64 = 1.25;

/// Everything of one run of the bench.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    /// Versions, machine, settings.
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) calls: Vec<Calls>,
    pub(crate) ports: Vec<Series>,
    pub(crate) locks: Vec<Holds>,
    pub(crate) links: Vec<Links>,
    pub(crate) asked: Vec<Asked>,
    /// Odd things that a reader should know.
    pub(crate) notes: Vec<String>,
}

/// One figure of one contender beside the rival's.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) figure: Figure,
    pub(crate) contender: String,
    pub(crate) rival: Sample,
    pub(crate) ours: Sample,
    pub(crate) ratio: Option<Ratio>,
    /// `None` where there is no goal.
    pub(crate) reached: Option<bool>,
}

impl Row {
    pub(crate) fn new(figure: Figure, contender: &str, rival: Sample, ours: Sample) -> Self {
        let ratio = Ratio::new(&ours, &rival);
        let reached = match figure.goal {
            Some(Goal::Ratio(goal)) => ratio.map(|ratio| ratio.of_medians <= goal),
            Some(Goal::AtMost(goal)) => Some(ours.median <= goal),
            Some(Goal::AtLeast(goal)) => Some(ours.median >= goal),
            None => None,
        };
        Self { figure, contender: contender.to_owned(), rival, ours, ratio, reached }
    }
}

impl Findings {
    /// Adds a row for the system calls of each contender but the first, the rival.
    pub(crate) fn add_calls(&mut self, calls: Vec<Calls>) {
        if let Some((rival, others)) = calls.split_first() {
            for ours in others {
                let sample = |calls: &Calls| Sample::new(vec![calls.per_message]);
                self.rows.push(Row::new(CALLS, &ours.contender, sample(rival), sample(ours)));
            }
        }
        self.calls = calls;
    }

    /// All tables.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.header {
            let _ = writeln!(text, "{line}");
        }
        if !self.rows.is_empty() {
            text += "\n";
            text += &columns(&self.main_table());
        }
        if !self.calls.is_empty() {
            text += "\nsystem calls per message, by name\n";
            text += &columns(&self.calls_table());
        }
        if !self.ports.is_empty() {
            text += "\nCPU per connect (us) as a range of ports fills; growth: last third of the \
                     steps over the first\n";
            text += &columns(&self.ports_table());
        }
        for holds in &self.locks {
            let _ = writeln!(text, "{}", holds.to_text());
        }
        for links in &self.links {
            let _ = writeln!(text, "{}", links.to_text());
        }
        for asked in &self.asked {
            let _ = writeln!(text, "{}", asked.to_text());
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }

    fn main_table(&self) -> Vec<Vec<String>> {
        let head = [
            "figure",
            "rival median (min-max)",
            "contender",
            "median (min-max)",
            "ratio (min-max)",
            "goal",
            "",
        ];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        for row in &self.rows {
            let unit = row.figure.unit;
            let name = if unit.is_empty() {
                row.figure.name.to_owned()
            } else {
                format!("{}, {unit}", row.figure.name)
            };
            table.push(vec![
                name,
                spread(&row.rival),
                row.contender.clone(),
                spread(&row.ours),
                row.ratio.map_or("-".into(), |r| {
                    format!("{:.2} ({:.2}-{:.2})", r.of_medians, r.min, r.max)
                }),
                match row.figure.goal {
                    Some(Goal::Ratio(goal)) => format!("ratio <= {goal:.2}"),
                    Some(Goal::AtMost(goal)) => format!("<= {goal:.0}"),
                    Some(Goal::AtLeast(goal)) => format!(">= {goal:.1}"),
                    None => "-".into(),
                },
                verdict(row.reached).to_owned(),
            ]);
        }
        table
    }

    fn calls_table(&self) -> Vec<Vec<String>> {
        self.calls
            .iter()
            .map(|calls| {
                // What comes once in a hundred messages is a check or a timer.
                let often = calls.by_name.iter().filter(|(_, each)| *each >= 0.01);
                let names = often.map(|(name, each)| format!("{name} {each:.2}"));
                vec![
                    calls.contender.clone(),
                    format!("{:.2}:", calls.per_message),
                    names.collect::<Vec<_>>().join(", "),
                ]
            })
            .collect()
    }

    fn ports_table(&self) -> Vec<Vec<String>> {
        // A third of the steps are enough to see the shape.
        let shown = |series: &Series| {
            series.points.iter().step_by(3).map(|point| format!("{:.0}", point.1)).collect()
        };
        let mut head = vec!["range in use".to_owned()];
        if let Some(series) = self.ports.first() {
            let shares = series.points.iter().step_by(3);
            head.extend(shares.map(|point| format!("{:.0} %", point.0 * 100.0)));
        }
        head.extend(["growth".into(), "goal".into(), String::new(), "failed".into()]);
        let mut table = vec![head];
        for series in &self.ports {
            let mut row = vec![series.name.clone()];
            row.extend::<Vec<String>>(shown(series));
            // The system's own choice is there to be compared with.
            let good = series.growth <= GROWTH_GOAL && series.failed == 0;
            let reached = series.name.contains("source").then_some(good);
            row.extend([
                format!("{:.2}", series.growth),
                reached.map_or("-".into(), |_| format!("<= {GROWTH_GOAL}")),
                verdict(reached).to_owned(),
                series.failed.to_string(),
            ]);
            table.push(row);
        }
        table
    }
}

fn verdict(reached: Option<bool>) -> &'static str {
    match reached {
        Some(true) => "reached",
        Some(false) => "NOT REACHED",
        None => "",
    }
}

fn spread(sample: &Sample) -> String {
    let digits = if sample.median < 10.0 {
        2
    } else if sample.median < 100.0 {
        1
    } else {
        0
    };
    let Sample { median, min, max, .. } = sample;
    if sample.values.len() == 1 {
        format!("{median:.digits$}")
    } else {
        format!("{median:.digits$} ({min:.digits$}-{max:.digits$})")
    }
}

/// Pads each column to its widest cell.
fn columns(table: &[Vec<String>]) -> String {
    let count = table.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        table.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in table {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURE: Figure =
        Figure { name: "CPU per connection", unit: "us", goal: Some(Goal::Ratio(1.0)) };

    #[test]
    fn a_row_knows_whether_its_goal_is_reached() {
        let sample = |v| Sample::new(vec![v]);
        assert_eq!(Row::new(FIGURE, "isobar", sample(70.0), sample(70.0)).reached, Some(true));
        assert_eq!(Row::new(FIGURE, "isobar", sample(70.0), sample(71.0)).reached, Some(false));
        let no_goal = Figure { goal: None, ..FIGURE };
        assert_eq!(Row::new(no_goal, "isobar", sample(70.0), sample(71.0)).reached, None);
        assert_eq!(Row::new(FIGURE, "isobar", sample(0.0), sample(71.0)).reached, None);
        let at_least = Figure { goal: Some(Goal::AtLeast(1.0)), ..FIGURE };
        assert_eq!(Row::new(at_least, "isobar", sample(3.0), sample(1.1)).reached, Some(true));
        assert_eq!(Row::new(at_least, "isobar", sample(0.5), sample(0.9)).reached, Some(false));
    }

    #[test]
    fn tables_are_aligned_and_complete() {
        let mut findings = Findings { header: vec!["head".into()], ..Findings::default() };
        let rival = Sample::new(vec![70.0, 72.0, 71.0]);
        let ours = Sample::new(vec![50.0, 51.0, 56.0]);
        findings.rows.push(Row::new(FIGURE, "isobar", rival, ours));
        let calls = |name: &str, n| Calls {
            contender: name.into(),
            per_message: n,
            by_name: vec![("sendto".into(), n), ("brk".into(), 0.001)],
        };
        findings.add_calls(vec![calls("haproxy", 7.5), calls("isobar", 6.0)]);
        let text = findings.to_text();
        assert!(text.contains("71.0 (70.0-72.0)"), "{text}");
        assert!(text.contains("0.72 (0.71-0.79)"), "{text}");
        assert!(text.contains("system calls per message"), "{text}");
        assert!(text.contains("0.80 (0.80-0.80)  ratio <= 1.00  reached"), "{text}");
        assert!(!text.contains("brk"), "{text}");
    }
}
