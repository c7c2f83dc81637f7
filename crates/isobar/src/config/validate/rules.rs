//! The rules of every answer to a client that asks where to go: `policy`, `order`, `ttl` and
//! `all_down` of `[entry.dns]`.

use std::time::Duration;

use isobar_core::policy::{AllDown, Ranking};

use super::Validation;
use crate::config::bounds::{self, ENTRY_SITES_MAX};
use crate::config::file::{self, Dns};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;

/// What they say.
pub(super) struct Rules {
    pub(super) ranking: Ranking,
    pub(super) order: Vec<String>,
    pub(super) ttl: Duration,
    pub(super) all_down: AllDown,
}

/// What stands there, or what holds without it.
pub(super) fn read(v: &mut Validation<'_>, typed: Option<&Placed<Dns>>) -> Rules {
    let absent = Placed { value: Dns::default(), at: 0..0 };
    let typed = typed.unwrap_or(&absent);
    let scope = Scope { name: "[entry.dns]".to_owned(), at: typed.at.clone() };
    let dns = &typed.value;
    let rules = Rules {
        ranking: match dns.policy.as_ref().map(|policy| policy.value) {
            None | Some(file::Policy::Nearest) => Ranking::Nearest,
            Some(file::Policy::Headroom) => Ranking::Headroom,
            Some(file::Policy::Failover) => Ranking::Failover,
        },
        order: order(v, &scope, dns.order.as_ref()),
        ttl: v.report.duration(&scope, "ttl", dns.ttl.as_ref(), bounds::ENTRY_TTL),
        all_down: match dns.all_down.as_ref().map(|all_down| all_down.value) {
            None | Some(file::AllDown::LastGood) => AllDown::LastGood,
            Some(file::AllDown::All) => AllDown::All,
            Some(file::AllDown::Servfail) => AllDown::ServFail,
        },
    };
    if rules.ranking == Ranking::Failover && dns.order.is_none() {
        let at = dns.policy.as_ref().map_or(&scope.at, |policy| &policy.at);
        let message = "policy = \"failover\" without order: sites come in the order of their names";
        v.report.warn(&scope, at, message, "add order = [\"fra\", \"nyc\"]");
    }
    rules
}

fn order(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Vec<Placed<String>>>>,
) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let Some(typed) = typed else { return order };
    if typed.value.len() > ENTRY_SITES_MAX {
        let refusal = Refusal::new("too many", format!("at most {ENTRY_SITES_MAX}"));
        v.report.refuse(scope, "order", &typed.at, refusal);
        return order;
    }
    for site in &typed.value {
        let Some(name) = v.report.name(scope, "order", Some(site)) else { continue };
        if order.contains(&name) {
            let refusal = Refusal::new("stands there already", "name each site once");
            v.report.refuse(scope, "order", &site.at, refusal);
            continue;
        }
        order.push(name);
    }
    order
}
