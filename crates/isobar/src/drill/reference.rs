//! The second half of `docs/drills.md`, generated from the types and lists that the program reads.

use std::fmt::Write;

use isobar_sim::drill::metric::{
    BrokerMetric, ClientMetric, EntryMetric, FlowMetric, Known, MeshMetric, SiteMetric, Unit,
};
use isobar_sim::drill::{Become, Check, DEEDS, Metric, Rule, cities};

use super::file::File;
use crate::config::reference::{TableDoc, tables_of};

/// Where the generated half of the page begins.
pub const MARK: &str = "<!-- From here on generated: `ISOBAR_BLESS=1 cargo test -p isobar --test \
                        drill`. -->\n";

/// Every table of a drill, outer before inner.
pub fn tables() -> Vec<TableDoc> {
    tables_of::<File>("The file")
}

/// The reference, from [`MARK`] on.
pub fn markdown() -> String {
    let mut page = MARK.to_owned();
    for table in tables() {
        let _ = write!(page, "\n## {}\n\n{}\n\n", table.title, table.doc);
        page.push_str("| key | takes | default | limits | what it does |\n|---|---|---|---|---|\n");
        for key in &table.keys {
            let cells = [&key.kind, &key.default, &key.limits, &key.doc];
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(page, "| `{}` | {} |", key.name, cells.join(" | "));
        }
    }
    faults(&mut page);
    metrics(&mut page);
    words(&mut page);
    page
}

fn faults(page: &mut String) {
    page.push_str(
        "\n## Faults\n\nWhat `do` takes. `for` undoes it after a time; without, it lasts to the \
         end.\n\n| `do` | `on` | `how` | other keys | what it does |\n|---|---|---|---|---|\n",
    );
    for deed in DEEDS {
        let how: Vec<String> = deed.how.iter().map(|how| format!("`{how}`")).collect();
        let needs = deed.needs.iter().map(|key| format!("`{key}` (needed)"));
        let takes = deed.takes.iter().map(|key| format!("`{key}`"));
        let lasts = deed.lasts.then(|| "`for`".to_owned());
        let keys: Vec<String> = needs.chain(takes).chain(lasts).collect();
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {} | {} | {} |",
            deed.word,
            deed.target.example("fra"),
            how.join(", "),
            keys.join(", "),
            deed.doc
        );
    }
}

fn metrics(page: &mut String) {
    page.push_str(
        "\n## Metrics\n\nA comparison is a metric, one of `>=`, `<=`, `==`, `!=`, `>`, `<`, and a \
         value with its unit. All values are whole numbers inside: ratios in millionths, times in \
         microseconds.\n\nWhat is known *now* can be recovered, sustained and asked at the end; what \
         is known *so far* never falls, and can be sustained and asked at the end; the rest is known \
         *at the end*, for `total`. What is known *for each client* has a clock for each, and is for \
         `recover`.\n\nA client is *affected* if its connection, or its home site's door, runs \
         through something that a fault takes away, at the moment it does; and if it comes with a \
         surge.\n",
    );
    let group = |page: &mut String, title: &str, metrics: &mut dyn Iterator<Item = Metric>| {
        let _ = write!(
            page,
            "\n### {title}\n\n| metric | unit | known | what it is |\n|---|---|---|---|\n"
        );
        for metric in metrics {
            let spelled = match metric {
                Metric::Clients(_, metric) => format!("`….{}`", metric.word()),
                metric => format!("`{metric}`"),
            };
            let (unit, known) = (unit(metric.unit()), known(metric.known()));
            let _ = writeln!(page, "| {spelled} | {unit} | {known} | {} |", metric.doc());
        }
    };
    let clients = "`affected.…`, `unaffected.…`, `all.…`: clients";
    let all = isobar_sim::drill::metric::Whose::All;
    group(page, clients, &mut ClientMetric::ALL.iter().map(|m| Metric::Clients(all, *m)));
    let brokers = "`broker.…`: brokers, as they are in truth";
    group(page, brokers, &mut BrokerMetric::ALL.iter().copied().map(Metric::Broker));
    let sites = "`site.…`: sites, as they are in truth";
    group(page, sites, &mut SiteMetric::ALL.iter().copied().map(Metric::Site));
    group(page, "`flow.…`: flows", &mut FlowMetric::ALL.iter().copied().map(Metric::Flow));
    let mesh = "`mesh.…`: what sites believe of each other";
    group(page, mesh, &mut MeshMetric::ALL.iter().copied().map(Metric::Mesh));
    let entry = "`entry.…`: how clients find a site";
    group(page, entry, &mut EntryMetric::ALL.iter().copied().map(Metric::Entry));
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "count",
        Unit::Ratio => "ratio: `0.99` or `99%`",
        Unit::Time => "duration: `45s`",
        Unit::Rate => "per second: `1000/s`",
        Unit::Bytes => "bytes per second: `125000B/s`",
    }
}

fn known(known: Known) -> &'static str {
    match known {
        Known::Now => "now",
        Known::SoFar => "so far",
        Known::AtEnd => "at the end",
        Known::PerClient => "for each client",
    }
}

fn words(page: &mut String) {
    let mut list = |title: &str, head: &str, words: &mut dyn Iterator<Item = (&str, &str)>| {
        let _ = write!(page, "\n## {title}\n\n| {head} | |\n|---|---|\n");
        for (word, doc) in words {
            let _ = writeln!(page, "| `{word}` | {doc} |");
        }
    };
    let events = "What becomes of a site";
    list(events, "`site:fra …`", &mut Become::ALL.iter().map(|one| (one.word(), one.doc())));
    let rules = "Rules that a drill may switch off";
    list(rules, "`without`", &mut Rule::ALL.iter().map(|rule| (rule.word(), rule.doc())));
    let checks = "What every drill checks";
    list(checks, "check", &mut Check::ALL.iter().map(|check| (check.word(), check.doc())));
    page.push_str("\n## Cities\n\nWhat `sites = N` names its sites by, in this order.\n\n");
    let cities = cities().iter().map(|city| format!("`{}` {}", city.code, city.name));
    page.push_str(&cities.collect::<Vec<_>>().join(", "));
    page.push_str(".\n\nTheir regions, for `@eu` in a selector: ");
    let mut regions: Vec<&str> =
        isobar_sim::drill::cities().iter().map(|city| city.region).collect();
    regions.sort_unstable();
    regions.dedup();
    let regions: Vec<String> = regions.iter().map(|region| format!("`@{region}`")).collect();
    let _ = writeln!(page, "{}.", regions.join(", "));
}
