//! Records as one HTML file: what an operator reads after a drill.
//!
//! It answers in the order in which questions come: did it hold, by how much, on which seed was it
//! worst, what happened there, to which sites, and who waited how long. Style and drawings are in
//! the file; it loads nothing, runs no script, names no date and no machine, and equal records give
//! equal bytes. Nothing is judged here: outcomes, values and margins are the records' own.
//!
//! However much was run, a page stays of a size that a mail takes: curves are thinned, of many
//! seeds only the most telling ones are told, and what is left out is counted.

mod chart;
mod checks;
mod curves;
mod drill;
mod ecdf;
mod expect;
mod group;
mod human;
mod lanes;
mod phases;
mod run;
mod seeds;
mod series;
mod sites;
mod summary;
mod verdict;
mod went;

use maud::{DOCTYPE, PreEscaped, html};

use self::group::Group;
use crate::rehearsal::record::Record;

const STYLE: &str = include_str!("page/style.css");

/// Runs told beside each drill's worst one, over the whole page, and of one drill at least.
const BRIEF: (usize, usize) = (60, 2);

/// The whole file. Runs of one drill stand together, and the worst of them is told in full.
pub fn page(records: &[Record]) -> String {
    let groups = group::groups(records);
    let brief = (BRIEF.0 / groups.len().max(1)).max(BRIEF.1);
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (summary::title(&groups)) " · Isobar" }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header.top {
                    p.brand { "Isobar" }
                    h1 { (summary::title(&groups)) }
                }
                main {
                    @if groups.len() != 1 { (summary::table(&groups)) }
                    @for group in &groups { (drill::article(group, brief)) }
                }
                (footer(&groups))
            }
        }
    };
    document.into_string()
}

fn footer(groups: &[Group]) -> maud::Markup {
    let mut versions: Vec<&str> =
        groups.iter().flat_map(|group| &group.runs).map(|run| run.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    html! {
        footer {
            p { "Isobar " (versions.join(", ")) ". Times are the drill's own, from its start." }
        }
    }
}
