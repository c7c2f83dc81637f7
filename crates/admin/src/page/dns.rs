//! The DNS server: what it was asked, what it said, and whom it held back.

use maud::{Markup, html};

use super::panels::{counts, panel};
use super::parts::count;
use crate::view::Dns;

/// The section of the DNS server.
pub(super) fn section(dns: &Dns) -> Markup {
    html! {
        section aria-label="DNS" {
            h2 { "DNS " span.at { "for " (dns.zone) } }
            div.panels {
                (panel("Asked", rows("Messages that came", &[
                    ("By UDP", dns.queries_udp),
                    ("By TCP", dns.queries_tcp),
                    ("Not a query", dns.malformed),
                ])))
                (panel("Answers, by code", counts(&dns.answers, "Code", "None yet.", "Answers")))
                (panel("Held back", rows("Limits met", &[
                    ("Sent to TCP by the rate", dns.slipped),
                    ("Not answered by the rate", dns.silenced),
                    ("Cut, to be had by TCP", dns.truncated),
                    ("Not taken by the system", dns.unsent),
                    ("Connections without room", dns.connections_refused),
                ])))
            }
        }
    }
}

fn rows(caption: &str, rows: &[(&str, u64)]) -> Markup {
    html! {
        table.small {
            caption.hidden { (caption) }
            tbody {
                @for (label, number) in rows {
                    tr { th scope="row" { (label) } td { (count(*number)) } }
                }
            }
        }
    }
}
