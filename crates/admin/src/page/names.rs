//! The DNS names that brokers and nodes to join are found by.

use maud::{Markup, html};

use super::parts::count;
use crate::human;
use crate::view::Name;

/// All of them, as configured.
pub(super) fn section(names: &[Name]) -> Markup {
    html! {
        section aria-label="Names" {
            div.scroll tabindex="0" role="region" aria-label="Table of names" {
                table role="table" {
                    caption { h2 { "Names" } }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for label in LABELS {
                                th role="columnheader" scope="col" { (label) }
                            }
                        }
                    }
                    tbody role="rowgroup" { @for name in names { (row(name)) } }
                }
            }
        }
    }
}

const LABELS: [&str; 5] = ["Name", "Status", "Lookups", "Failed", "Next"];

fn row(name: &Name) -> Markup {
    let class = if name.trouble.is_some() { "full" } else { "up" };
    html! {
        tr role="row" class=(class) {
            th role="rowheader" scope="row" { (name.name) small { (name.records) } }
            td.status role="cell" { (human::name_note(name)) }
            td role="cell" data-label="lookups" { (count(name.lookups)) }
            td role="cell" data-label="failed" { (count(name.lookups_failed)) }
            td role="cell" data-label="next" { "in " (human::span(name.next_seconds)) }
        }
    }
}
