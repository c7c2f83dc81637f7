//! The top of the page: which node this is, what needs a person, and the totals.

use maud::{Markup, html};

use super::mesh;
use super::parts::{badge, bar, bytes, condition, count, nears};
use crate::human::{self, Condition, Outlook};
use crate::view::mesh::{Certificate, Mesh};
use crate::view::{Broker, NodeState, Report, Service};

/// The document's title: what is wrong comes first, since a tab shows little more.
pub(super) fn title(report: &Report) -> String {
    let down = brokers(report).filter(|broker| Condition::of(broker) == Condition::Down).count();
    let mut title = String::new();
    if report.state != NodeState::Ready {
        title.push_str(human::node_state(report.state));
        title.push_str(" · ");
    }
    if down > 0 {
        title.push_str(&format!("{down} DOWN · "));
    }
    let sites = report.mesh.iter().flat_map(|mesh| &mesh.sites);
    let dead = sites.filter(|site| Outlook::of(site) == Outlook::Dead).count();
    if dead > 0 {
        let s = if dead == 1 { "" } else { "s" };
        title.push_str(&format!("{dead} site{s} DEAD · "));
    }
    title.push_str(&format!("{} · {} · Isobar", report.node, report.site));
    title
}

/// The node's own line.
pub(super) fn node(report: &Report) -> Markup {
    let class = match report.state {
        NodeState::Ready => "up",
        NodeState::Starting => "full",
        NodeState::Stopping => "drain",
    };
    html! {
        div.node {
            h1 { (report.node) " " span.at { "at " (report.site) } }
            p {
                (badge(class, human::node_state(report.state)))
                " up " (human::span(report.uptime_seconds))
                " · version " (report.version)
                " · pid " (report.pid)
            }
        }
    }
}

/// What a person should look at, worst first, or that there is nothing.
pub(super) fn notices(report: &Report) -> Markup {
    let notices = collect(report);
    html! {
        section.notices aria-label="What needs a look" {
            @if notices.is_empty() {
                @if report.mesh.is_some() {
                    p.well { "All brokers take flows, all sites are reachable, and no limit is near." }
                } @else {
                    p.well { "All brokers take flows, and no limit is near." }
                }
            } @else {
                ul { @for (_, markup) in &notices { li { (markup) } } }
            }
        }
    }
}

/// Worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Outage,
    Down,
    Certificate,
    Full,
    Limit,
    Operator,
}

fn collect(report: &Report) -> Vec<(Weight, Markup)> {
    let mut notices = Vec::new();
    match report.state {
        NodeState::Ready => {}
        NodeState::Starting => notices.push((
            Weight::Outage,
            html! { (badge("full", "STARTING")) " the first checks are not all back" },
        )),
        NodeState::Stopping => notices.push((
            Weight::Outage,
            html! { (badge("drain", "STOPPING")) " no new flows; " (count(report.flows.current)) " left to end" },
        )),
    }
    if let Some(limit) = report.flows.limit {
        if limit < report.maxconn_wanted {
            notices.push((
                Weight::Limit,
                html! {
                    (badge("full", "CAPPED")) " maxconn " (human::exact(report.maxconn_wanted))
                    " is configured; " (human::exact(report.descriptors_limit))
                    " descriptors allow " (human::exact(limit))
                },
            ));
        }
        if nears(report.flows.current, limit) {
            notices.push((Weight::Limit, near_limit("the node", report.flows.current, limit)));
        }
    }
    for service in &report.services {
        service_notices(service, &mut notices);
    }
    for name in report.names.iter().filter(|name| name.trouble.is_some()) {
        let class = if name.addresses == 0 { "down" } else { "full" };
        notices.push((
            Weight::Down,
            html! {
                (badge(class, "DNS")) " " b { (name.name) } " "
                span.muted { (human::name_note(name)) }
            },
        ));
    }
    if let Some(mesh) = &report.mesh {
        mesh_notices(mesh, &mut notices);
    }
    notices.sort_by_key(|(weight, _)| *weight);
    notices
}

fn service_notices(service: &Service, notices: &mut Vec<(Weight, Markup)>) {
    let takes = |broker: &Broker| Condition::of(broker) == Condition::Up;
    if !service.brokers.iter().any(takes) {
        notices.push((
            Weight::Outage,
            html! {
                (badge("down", "OUT")) " no broker of " b { (service.name) } " takes new flows"
            },
        ));
    }
    for broker in &service.brokers {
        let is = Condition::of(broker);
        let weight = match is {
            Condition::Up => continue,
            Condition::Down => Weight::Down,
            Condition::Full => Weight::Full,
            Condition::Drain | Condition::Maint | Condition::Leaving => Weight::Operator,
        };
        notices.push((
            weight,
            html! {
                (condition(is)) " " b { (broker.name) } " of " (service.name) " "
                span.muted { (human::condition_note(broker)) " · " (human::last_check(broker)) }
            },
        ));
    }
    if let Some(limit) = service.flows.limit.filter(|limit| nears(service.flows.current, *limit)) {
        let name = format!("service {}", service.name);
        notices.push((Weight::Limit, near_limit(&name, service.flows.current, limit)));
    }
}

fn mesh_notices(mesh: &Mesh, notices: &mut Vec<(Weight, Markup)>) {
    if mesh.isolated {
        notices.push((
            Weight::Outage,
            html! {
                (badge("down", "ISOLATED")) " this node hears less than half of the others, and judges nobody"
            },
        ));
    }
    let trust = &mesh.trust;
    for (what, certificate) in
        [("this node's certificate", &trust.certificate), ("the mesh's CA", &trust.authority)]
    {
        if certificate.expires_soon {
            notices.push(expiry(what, certificate));
        }
    }
    if let Some(why) = &trust.stale {
        notices.push((
            Weight::Certificate,
            html! { (badge("full", "STALE")) " changed files of trust are not in force: " (why) },
        ));
    }
    for site in &mesh.sites {
        let outlook = Outlook::of(site);
        let weight = match outlook {
            Outlook::Own | Outlook::Reachable => continue,
            Outlook::Dead => Weight::Down,
            Outlook::Suspect | Outlook::Avoided => Weight::Full,
            Outlook::Draining | Outlook::Unknown => Weight::Operator,
        };
        let news = site.news_age_seconds.unwrap_or(0.0);
        notices.push((
            weight,
            html! {
                (badge(mesh::class(outlook), outlook.word())) " site " b { (site.name) } " "
                span.muted {
                    @if site.standing.is_some() { (human::span(site.standing_seconds)) " · " }
                    "last news " (human::latency(news)) " ago"
                }
            },
        ));
    }
}

fn expiry(what: &str, certificate: &Certificate) -> (Weight, Markup) {
    let left = human::days_left(certificate.days_left);
    if certificate.days_left < 0 {
        let notice = html! { (badge("down", "EXPIRED")) " " (what) " is " (left) };
        return (Weight::Outage, notice);
    }
    (Weight::Certificate, html! { (badge("full", "EXPIRES")) " " (what) " ends in " b { (left) } })
}

fn near_limit(what: &str, current: u64, limit: u64) -> Markup {
    html! {
        (badge("full", "LIMIT")) " " (what) " holds " (human::exact(current)) " of "
        (human::exact(limit)) " flows"
    }
}

/// The totals.
pub(super) fn tiles(report: &Report) -> Markup {
    let flows = &report.flows;
    let sum = |number: fn(&Service) -> u64| {
        report.services.iter().map(number).fold(0_u64, u64::saturating_add)
    };
    html! {
        dl.tiles {
            div {
                dt { "Flows" }
                dd {
                    strong { (count(flows.current)) }
                    @if let Some(limit) = flows.limit { " of " (count(limit)) (bar(flows.current, limit)) }
                    small { "most " (count(flows.max)) ", in all " (count(flows.total)) }
                }
            }
            div {
                dt { "New flows" }
                dd {
                    strong { (count(flows.new_per_second)) } " per second"
                    small { "most " (count(flows.new_per_second_max)) }
                }
            }
            div {
                dt { "Brokers" }
                dd { (broker_counts(report)) }
            }
            div {
                dt { "Waiting" }
                dd {
                    strong { (count(sum(|service| service.waiting))) } " openings"
                    small { "redispatched " (count(sum(|service| service.redispatches))) }
                }
            }
            div {
                dt { "Traffic" }
                dd {
                    strong { (bytes(sum(|service| service.traffic.in_bytes))) } " in"
                    small { (bytes(sum(|service| service.traffic.out_bytes))) " out" }
                }
            }
            div {
                dt { "Descriptors" }
                dd {
                    strong { (count(report.descriptors_limit)) } " at most"
                    small { "accept pauses " (count(report.accept_pauses)) }
                }
            }
        }
    }
}

fn broker_counts(report: &Report) -> Markup {
    use Condition::{Down, Drain, Full, Maint, Up};
    let of = |wanted| brokers(report).filter(|broker| Condition::of(broker) == wanted).count();
    html! {
        span.chips {
            @for (is, number) in [Up, Full, Down, Drain, Maint].map(|is| (is, of(is))) {
                @if number > 0 { span.chip { (number) " " (condition(is)) } }
            }
            @if brokers(report).next().is_none() { "none" }
        }
    }
}

fn brokers(report: &Report) -> impl Iterator<Item = &Broker> {
    report.services.iter().flat_map(|service| &service.brokers)
}
