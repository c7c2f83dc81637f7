//! Who went where: a row for each home, a column for each site that served its clients again.

use maud::{Markup, html};

use super::human;
use super::series::scale;
use crate::rehearsal::record::Record;

/// Rows and columns of their own; the others are summed up.
const MOST: usize = 12;

/// A heat map that is a table.
pub(super) fn went(run: &Record) -> Markup {
    let cell = |row: usize, column: usize| {
        run.went.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0)
    };
    let sites = run.sites.len();
    let row_sum = |row| human::sum((0..sites).map(|column| cell(row, column)));
    let column_sum = |column| human::sum((0..sites).map(|row| cell(row, column)));
    let (rows, columns) = (Axis::of(sites, row_sum), Axis::of(sites, column_sum));
    if rows.own.is_empty() {
        return html! { p.muted { "Nobody was served again after a loss." } };
    }
    let sum = |rows: &[usize], columns: &[usize]| -> u64 {
        human::sum(
            rows.iter().flat_map(|row| columns.iter().map(move |column| cell(*row, *column))),
        )
    };
    let all_columns: Vec<usize> = columns.own.iter().chain(&columns.others).copied().collect();
    let line = |name: &str, members: &[usize]| {
        let whole = sum(members, &all_columns);
        html! { tr {
            th scope="row" { (name) }
            @for column in &columns.own {
                (heat(sum(members, &[*column]), whole, members == [*column]))
            }
            @if !columns.others.is_empty() { (heat(sum(members, &columns.others), whole, false)) }
            td.number { b { (human::count(whole)) } }
        } }
    };
    let name = |site: usize| run.sites[site].name.as_str();
    html! {
        p.muted.about {
            "Clients served again after a loss: a row for each home, a column for each site that \
             served them. Stronger: a larger part of the row. Framed: at home."
        }
        div.scroll tabindex="0" role="region" aria-label="Who went where" {
            table.heat {
                caption.hidden { "Clients served again, by their home and by who served them" }
                thead { tr {
                    th scope="col" { "Home" }
                    @for column in &columns.own { th.number scope="col" { (name(*column)) } }
                    @if !columns.others.is_empty() { th.number scope="col" { (others(&columns)) } }
                    th.number scope="col" { "All" }
                } }
                tbody {
                    @for row in &rows.own { (line(name(*row), &[*row])) }
                    @if !rows.others.is_empty() { (line(&others(&rows), &rows.others)) }
                }
            }
        }
        @if rows.idle > 0 {
            p.muted {
                "No client of " (human::counted(rows.idle, "other site", "other sites"))
                " had to be served again."
            }
        }
    }
}

/// Those sites that matter, in the drill's order; those that matter less; and how many not at all.
struct Axis {
    own: Vec<usize>,
    others: Vec<usize>,
    idle: usize,
}

impl Axis {
    fn of(sites: usize, sum: impl Fn(usize) -> u64) -> Axis {
        let sums = (0..sites).map(|site| (site, sum(site)));
        let (mut busy, idle): (Vec<_>, Vec<_>) = sums.partition(|(_, sum)| *sum > 0);
        busy.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
        // One other would take as much room under its own name.
        let kept = if busy.len() <= MOST + 1 { busy.len() } else { MOST };
        let mut sites: Vec<usize> = busy.into_iter().map(|(site, _)| site).collect();
        let mut others = sites.split_off(kept);
        sites.sort_unstable();
        others.sort_unstable();
        Axis { own: sites, others, idle: idle.len() }
    }
}

fn others(axis: &Axis) -> String {
    format!("{} others", axis.others.len())
}

fn heat(n: u64, whole: u64, home: bool) -> Markup {
    // The square root, so that small parts are told from none.
    let level = scale(n, whole, 10_000).isqrt().div_ceil(20);
    html! {
        td.number.{ "h" (level) }.home[home] {
            @if n == 0 { span.muted { "·" } } @else { (human::short(n)) }
        }
    }
}
