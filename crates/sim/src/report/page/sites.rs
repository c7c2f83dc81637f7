//! Each site's curves, small and alike: those that give most concern first, the others folded.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::curves::{self, Curves, Frame};
use super::human;
use super::lanes;
use super::series::Detail;
use crate::rehearsal::record::{Record, SiteRecord};

/// Up to so many sites are all shown.
const ALL: usize = 9;
/// Of more, so many.
const SHOWN: usize = 6;
/// Of very many, so many at all; the others give no more concern than these.
const MOST: usize = 150;
/// Of a run told in brief.
const BRIEF: usize = 3;

/// All sites together, then one by one.
pub(super) fn sites(run: &Record) -> Markup {
    if run.sites.is_empty() {
        return html! { p.muted { "No site was looked at." } };
    }
    let ranked = ranked(run);
    let shown = if ranked.len() <= ALL { ranked.len() } else { SHOWN };
    let (first, others) = ranked.split_at(shown);
    let (others, left_out) = others.split_at(others.len().min(MOST));
    let further = others.len() + left_out.len();
    let folded = if others.len() > ALL * 10 { Detail::BRIEF } else { Detail::FULL };
    html! {
        @if run.sites.len() > 1 { (together(run)) }
        h4 { "Site by site" @if !others.is_empty() { ": the " (shown) " that give most concern" } }
        (curves::legend())
        div.cards { @for (site, curves) in first { (card(run, site, curves, Detail::FULL)) } }
        @if !others.is_empty() {
            details {
                summary { "The " (human::counted(further, "other site", "other sites")) }
                div.cards {
                    @for (site, curves) in others { (card(run, site, curves, folded)) }
                }
                @if !left_out.is_empty() {
                    p.muted {
                        (human::counted(left_out.len(), "further site", "further sites"))
                        " left out, of no more concern than these."
                    }
                }
            }
        }
    }
}

/// Only what gives most concern, for a run told in brief.
pub(super) fn brief(run: &Record) -> Markup {
    let ranked = ranked(run);
    html! {
        @if !ranked.is_empty() {
            div.cards {
                @for (site, curves) in ranked.iter().take(BRIEF) {
                    (card(run, site, curves, Detail::BRIEF))
                }
            }
        }
    }
}

fn together(run: &Record) -> Markup {
    let (bands, curves) = (lanes::bands(run, None), Curves::of_all(&run.sites));
    let frame =
        Frame { end: lanes::end(run), height: 130, ticks: 6, detail: Detail::FULL, bands: &bands };
    html! {
        figure.whole {
            figcaption {
                b { "All " (run.sites.len()) " sites" } " " span.muted { (facts(&curves)) }
            }
            (curves.draw("All sites: connections over time", &frame))
        }
    }
}

fn card(run: &Record, site: &SiteRecord, curves: &Curves, detail: Detail) -> Markup {
    let bands = lanes::bands(run, Some(&site.name));
    let frame = Frame { end: lanes::end(run), height: 84, ticks: 4, detail, bands: &bands };
    html! {
        figure.card {
            figcaption {
                b { (site.name) } " "
                span.muted { "home of " (human::count(site.clients)) ". " (facts(curves)) }
            }
            (curves.draw(&format!("{}: connections over time", site.name), &frame))
        }
    }
}

fn facts(curves: &Curves) -> String {
    let mut facts = Vec::new();
    match curves.fullest {
        Some((connected, room)) => facts.push(format!(
            "Fullest at {} of {} ({})",
            human::count(connected),
            human::count(room),
            human::percent(connected, room),
        )),
        None => facts.push(format!("At most {} connected", human::count(curves.connected))),
    }
    if curves.guests > 0 {
        facts.push(format!("up to {} guests", human::count(curves.guests)));
    }
    if curves.unserved > 0 {
        facts.push(format!("up to {} without a connection", human::count(curves.unserved)));
    }
    if curves.refused > 0 {
        let (refused, attempts) = (human::count(curves.refused), human::count(curves.attempts));
        facts.push(format!("{refused} of {attempts} tries refused"));
    }
    facts.join(", ") + "."
}

/// Most concerned first: who lost most of their own, who refused, who was fullest. The sort is
/// stable, so that equals stay in the drill's order.
fn ranked(run: &Record) -> Vec<(&SiteRecord, Curves)> {
    let mut ranked: Vec<_> = run.sites.iter().map(|site| (site, Curves::of(site))).collect();
    ranked.sort_by_cached_key(|(site, curves)| {
        let struck = run.faults.iter().any(|fault| fault.sites.contains(&site.name));
        let load = curves.fullest.map_or(0, |(connected, room)| {
            u128::from(connected) * 1_000_000 / u128::from(room.max(1))
        });
        // Faults on every site or on none tell nothing; a struck site that lost nobody hardly more.
        Reverse((struck && curves.unserved > 0, curves.refused, curves.unserved, struck, load))
    });
    ranked
}
