//! The mesh: other sites as a table, then links, trust and counters in panels.

use maud::{Markup, html};

use super::panels::{counts, panel};
use super::parts::{badge, bytes, count};
use crate::human::{self, Outlook};
use crate::view::Counted;
use crate::view::mesh::{Certificate, Counts, Link, Mesh, Purpose, Site, SiteService, Trust};

/// Links shown; `/v1/report` has them all.
const LINKS_SHOWN: usize = 100;

/// The section of the mesh.
pub(super) fn section(mesh: &Mesh) -> Markup {
    html! {
        section.mesh aria-label="Sites" {
            (sites(mesh))
            div.panels {
                (links(&mesh.links))
                (certificates(&mesh.trust))
                (panel("Nodes refused by us, by reason", counts(&mesh.trust.refused, "Reason", "None.", "Times")))
                (panel("We were refused, by reason", counts(&mesh.trust.refused_us, "Reason", "Never.", "Times")))
                (counters(&mesh.counts))
            }
        }
    }
}

/// The colour of an outlook, as a class of the style sheet.
pub(super) fn class(outlook: Outlook) -> &'static str {
    match outlook {
        Outlook::Own => "own",
        Outlook::Unknown => "maint",
        Outlook::Reachable => "up",
        Outlook::Draining => "drain",
        Outlook::Avoided | Outlook::Suspect => "full",
        Outlook::Dead => "down",
    }
}

fn sites(mesh: &Mesh) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Table of sites" {
            table role="table" {
                caption {
                    h2 { "Sites" } " "
                    span.muted {
                        "mesh " (mesh.name) " · UDP " (mesh.address)
                        " · incarnation " (mesh.incarnation) " · generation " (mesh.generation)
                    }
                }
                thead role="rowgroup" {
                    tr role="row" {
                        th role="columnheader" scope="col" { "Site" }
                        th role="columnheader" scope="col" { "Standing, for" }
                        @for column in &COLUMNS {
                            th role="columnheader" scope="col" class=[column.first.then_some("first")] {
                                abbr title=(column.meaning) { (column.label) }
                            }
                        }
                    }
                }
                tbody role="rowgroup" { @for site in &mesh.sites { (row(site)) } }
            }
        }
    }
}

/// One column.
struct Column {
    label: &'static str,
    /// The label on a card.
    card: &'static str,
    meaning: &'static str,
    /// A rule stands before it.
    first: bool,
    cell: fn(&Site) -> Option<Markup>,
}

const fn column(
    label: &'static str,
    card: &'static str,
    meaning: &'static str,
    cell: fn(&Site) -> Option<Markup>,
) -> Column {
    Column { label, card, meaning, first: false, cell }
}

const fn first(column: Column) -> Column {
    Column { first: true, ..column }
}

const COLUMNS: [Column; 15] = [
    first(column("News", "news", "Age of the last word heard from there", |s| {
        s.news_age_seconds.map(|age| html! { (human::latency(age)) })
    })),
    column("RTT", "rtt", "Round trip of the fastest link", |s| {
        s.rtt_seconds.map(|rtt| html! { (human::latency(rtt)) })
    }),
    column("Loss", "loss", "Packets lost on that link", |s| {
        s.loss_ratio.map(|loss| html! { (human::percent(loss)) })
    }),
    column("Nodes", "nodes", "Living nodes", |s| Some(count(s.nodes))),
    first(column("Flows", "flows", "Flows there, by its own word", |s| {
        Some(html! { b { (count(s.flows)) } })
    })),
    column("Capacity", "capacity", "Flows its brokers take, by its own word", |s| {
        s.capacity.map(count)
    }),
    column("Headroom", "headroom", "Flows it would take from others, by its own word", |s| {
        Some(count(s.headroom))
    }),
    first(column("Sent", "sent", "Flows of this node that are there now", |s| {
        far(s, |s| html! { b { (count(s.sum(|of| of.sent.current))) } })
    })),
    column("Max", "sent max", "Most at once, summed over services", |s| {
        far(s, |s| count(s.sum(|of| of.sent.max)))
    }),
    column("Total", "sent total", "Flows of this node that it has taken", |s| {
        far(s, |s| count(s.sum(|of| of.sent.total)))
    }),
    column("Refused", "refused by it", "Flows of this node that it did not take", |s| {
        reasons(s, |of| &of.sent.refused)
    }),
    column("Failed", "tunnels failed", "Tunnels to it that failed", |s| {
        reasons(s, |of| &of.failed)
    }),
    first(column("Received", "received", "Flows from there that are here now", |s| {
        far(s, |s| html! { b { (count(s.sum(|of| of.received.current))) } })
    })),
    column("Total", "received total", "Flows from there that this node has taken", |s| {
        far(s, |s| count(s.sum(|of| of.received.total)))
    }),
    column("Refused", "refused by us", "Flows from there that this node did not take", |s| {
        reasons(s, |of| &of.received.refused)
    }),
];

fn far(site: &Site, cell: fn(&Site) -> Markup) -> Option<Markup> {
    (!site.own).then(|| cell(site))
}

/// All of them, and what is not zero by its reason.
fn reasons(site: &Site, of: fn(&SiteService) -> &[Counted]) -> Option<Markup> {
    let counted = site.counted(of);
    let all = counted.iter().fold(0_u64, |all, counted| all.saturating_add(counted.count));
    let markup = html! {
        (count(all))
        @for counted in counted.iter().filter(|counted| counted.count > 0) {
            small { (counted.label) " " (count(counted.count)) }
        }
    };
    (!site.own).then_some(markup)
}

fn row(site: &Site) -> Markup {
    let outlook = Outlook::of(site);
    html! {
        tr role="row" class=(class(outlook)) {
            th role="rowheader" scope="row" { (site.name) }
            td.status role="cell" {
                @if site.own { span.muted { "this node's" } }
                @else {
                    (badge(class(outlook), outlook.word()))
                    @if site.standing.is_some() { " " (human::span(site.standing_seconds)) }
                }
            }
            @for column in &COLUMNS {
                @let cell = (column.cell)(site);
                td role="cell" data-label=(column.card)
                    class={ @if column.first { "first" } @if cell.is_none() { " left-out" } } {
                    @if let Some(cell) = cell { (cell) }
                }
            }
        }
    }
}

fn links(links: &[Link]) -> Markup {
    let shown = html! {
        table.small {
            thead { tr {
                th scope="col" { "Node" }
                @for label in ["For", "Last word", "RTT", "Loss"] { th scope="col" { (label) } }
            } }
            tbody { @for link in links.iter().take(LINKS_SHOWN) { (link_row(link)) } }
        }
        @if links.len() > LINKS_SHOWN {
            p.muted { "and " (links.len() - LINKS_SHOWN) " more" }
        }
    };
    let none = html! { p.muted { "No other node is connected." } };
    panel("Links", if links.is_empty() { none } else { shown })
}

fn link_row(link: &Link) -> Markup {
    let purpose = match link.purpose {
        Purpose::News => "news",
        Purpose::Data => "flows",
    };
    html! {
        tr {
            th scope="row" { (link.site) "/" (link.node) }
            td { (purpose) }
            td {
                @if !link.up { "opening" }
                @else if let Some(silence) = link.silence_seconds { (human::latency(silence)) " ago" }
            }
            td { (human::latency(link.rtt_seconds)) }
            td { (human::percent(link.loss_ratio)) }
        }
    }
}

fn certificates(trust: &Trust) -> Markup {
    let ends = |certificate: &Certificate| {
        html! {
            @if certificate.expires_soon { b { (human::days_left(certificate.days_left)) } }
            @else { (human::days_left(certificate.days_left)) }
        }
    };
    panel(
        "Certificates",
        html! {
            table.small {
                caption.hidden { "Certificates and the deny list" }
                tbody {
                    tr { th scope="row" { "This node's" } td { (ends(&trust.certificate)) } }
                    tr { th scope="row" { "The CA's" } td { (ends(&trust.authority)) } }
                    tr { th scope="row" { "Deny list" } td { (count(trust.denied)) } }
                    tr { th scope="row" { "Files taken over anew" } td { (count(trust.reloads)) } }
                }
            }
        },
    )
}

fn counters(counts: &Counts) -> Markup {
    let rows = [
        ("Handshakes by others", counts.handshakes),
        ("Sent to prove their address", counts.handshakes_retried),
        ("No room for them", counts.handshakes_crowded),
        ("Handshakes failed", counts.handshakes_failed),
        ("Dials failed", counts.dials_failed),
        ("Messages not understood", counts.misspoken),
        ("Frames of unknown kinds", counts.unknown_frames),
        ("Datagrams dropped", counts.datagrams_dropped),
        ("Datagrams unsent", counts.datagrams_unsent),
        ("Datagrams of no connection", counts.datagrams_foreign),
    ];
    panel(
        "Counters of links",
        html! {
            table.small {
                caption.hidden { "Counters of links" }
                tbody {
                    @for (label, number) in rows {
                        tr { th scope="row" { (label) } td { (count(number)) } }
                    }
                    tr { th scope="row" { "Messages heard" } td { (bytes(counts.heard_bytes)) } }
                    tr { th scope="row" { "Messages said" } td { (bytes(counts.said_bytes)) } }
                }
            }
        },
    )
}
