//! The families of the DNS server; a node without one has none of them.

use super::Labelled;
use super::family::{Family, count, counter};
use super::text::{Kind, Number, Text};
use crate::view::{Dns, Report};

pub(super) const DNS: &[Family<Dns>] = &[
    counter("isobar_dns_truncated_total", "Answers that were cut, to be had by TCP.", |d| {
        count(d.truncated)
    }),
    counter("isobar_dns_malformed_total", "Messages that are no query.", |d| count(d.malformed)),
    counter("isobar_dns_unsent_total", "Answers that the system did not take.", |d| {
        count(d.unsent)
    }),
    counter("isobar_dns_connections_total", "Connections by TCP.", |d| count(d.connections)),
    counter(
        "isobar_dns_connections_refused_total",
        "Connections by TCP for which there was no room.",
        |d| count(d.connections_refused),
    ),
];

pub(super) const QUERIES: Labelled = Labelled {
    name: "isobar_dns_queries_total",
    kind: Kind::Counter,
    help: "Messages that came, by their way (reason): udp or tcp.",
};
pub(super) const ANSWERS: Labelled = Labelled {
    name: "isobar_dns_answers_total",
    kind: Kind::Counter,
    help: "Answers by their response code (reason).",
};
pub(super) const LIMITED: Labelled = Labelled {
    name: "isobar_dns_limited_total",
    kind: Kind::Counter,
    help: "Questions beyond a network's rate (reason): sent to TCP, or not answered.",
};

pub(super) fn render(text: &mut Text, report: &Report) {
    let Some(dns) = &report.dns else { return };
    by_reason(text, &QUERIES, [("udp", dns.queries_udp), ("tcp", dns.queries_tcp)]);
    let answers = dns.answers.iter().map(|counted| (&*counted.label, counted.count));
    by_reason(text, &ANSWERS, answers);
    let limited = [("sent_to_tcp", dns.slipped), ("not_answered", dns.silenced)];
    by_reason(text, &LIMITED, limited);
    for family in DNS {
        text.family(family.kind, family.name, family.help);
        text.maybe(&[], (family.number)(dns));
    }
}

fn by_reason<'a>(
    text: &mut Text,
    family: &Labelled,
    counts: impl IntoIterator<Item = (&'a str, u64)>,
) {
    text.family(family.kind, family.name, family.help);
    for (reason, count) in counts {
        text.sample("", &[("reason", reason)], Number::Count(count));
    }
}
