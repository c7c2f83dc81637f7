//! The mesh in `isobar status`: one row a site, and what a person must look at.

use isobar_admin::human::{self, Outlook};
use isobar_admin::view::Counted;
use isobar_admin::view::mesh::{Mesh, Site, SiteService};

use super::table::{one_line, push_rows};

const HEADER: [&str; 14] = [
    "SITE", "STANDING", "NEWS", "RTT", "LOSS", "NODES", "FLOWS", "CAPACITY", "HEADROOM", "SENT",
    "TOTAL", "RECEIVED", "TOTAL", "REFUSED",
];
/// Words to the left, numbers to the right.
const LEFT: [usize; 3] = [0, 1, 13];

/// Appends the mesh.
pub(super) fn push(out: &mut String, mesh: &Mesh) {
    let up = mesh.links.iter().filter(|link| link.up).count();
    out.push_str(&format!(
        "\nmesh {} on UDP {}, {up} of {} links up, certificate: {}\n",
        one_line(&mesh.name),
        one_line(&mesh.address),
        mesh.links.len(),
        human::days_left(mesh.trust.certificate.days_left),
    ));
    if mesh.isolated {
        out.push_str("ISOLATED: this node hears less than half of the others, and judges nobody\n");
    }
    let trust = &mesh.trust;
    for (what, certificate) in
        [("this node's certificate", &trust.certificate), ("the mesh's CA", &trust.authority)]
    {
        let left = human::days_left(certificate.days_left);
        match certificate.expires_soon {
            true if certificate.days_left < 0 => {
                out.push_str(&format!("EXPIRED: {what} is {left}\n"))
            }
            true => out.push_str(&format!("EXPIRES: {what} ends in {left}\n")),
            false => {}
        }
    }
    if let Some(why) = &trust.stale {
        let why = one_line(why);
        out.push_str(&format!("STALE: changed files of trust are not in force: {why}\n"));
    }
    let refused = listed(&trust.refused);
    if !refused.is_empty() {
        out.push_str(&format!("nodes refused: {refused}\n"));
    }
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(mesh.sites.iter().map(row));
    push_rows(out, &rows, &LEFT);
}

fn row(site: &Site) -> [String; 14] {
    let outlook = Outlook::of(site);
    let standing = match site.standing {
        Some(_) => format!("{} {}", outlook.word(), human::span(site.standing_seconds)),
        None => outlook.word().to_owned(),
    };
    let known = |shown: Option<String>| shown.unwrap_or_else(|| "-".to_owned());
    let far = |number: fn(&SiteService) -> u64| {
        known((!site.own).then(|| human::count(site.sum(number))))
    };
    [
        one_line(&site.name),
        standing,
        known(site.news_age_seconds.map(human::latency)),
        known(site.rtt_seconds.map(human::latency)),
        known(site.loss_ratio.map(human::percent)),
        human::count(site.nodes),
        human::count(site.flows),
        known(site.capacity.map(human::count)),
        human::count(site.headroom),
        far(|service| service.sent.current),
        far(|service| service.sent.total),
        far(|service| service.received.current),
        far(|service| service.received.total),
        refusals(site),
    ]
}

/// By whom and why; empty where nobody refused.
fn refusals(site: &Site) -> String {
    let of = |whose: &str, counted: Vec<Counted>| {
        let listed = listed(&counted);
        (!listed.is_empty()).then(|| format!("{whose}: {listed}"))
    };
    let parts = [
        of("by it", site.counted(|service| &service.sent.refused)),
        of("failed", site.counted(|service| &service.failed)),
        of("by us", site.counted(|service| &service.received.refused)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn listed(counted: &[Counted]) -> String {
    let counted = counted.iter().filter(|counted| counted.count > 0);
    let counted = counted
        .map(|counted| format!("{} {}", one_line(&counted.label), human::count(counted.count)));
    counted.collect::<Vec<_>>().join(", ")
}
