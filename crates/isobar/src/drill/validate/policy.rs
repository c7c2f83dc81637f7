//! What the nodes are told, the rule that is switched off, and how clients find a site.

use std::ops::Range;
use std::time::Duration;

use isobar_core::policy::{self, CheckKind, CheckPolicy, OnMarkedDown, ServicePolicy};
use isobar_sim::drill::{self, Rule};

use super::Validation;
use super::read::unknown;
use crate::config::bounds as node;
use crate::config::file::Balance;
use crate::config::finding::Scope;
use crate::config::units::show_duration;
use crate::config::validate::spill;
use crate::drill::bounds;
use crate::drill::file::{AllDown, Entry, EntryPolicy, File, Policy};

/// What all nodes have in common.
pub(super) struct Read {
    pub(super) service: ServicePolicy,
    pub(super) check: CheckPolicy,
    pub(super) slow_start: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) entry: drill::Entry,
    pub(super) without: Option<(Rule, Range<usize>)>,
}

pub(super) fn read(v: &mut Validation<'_>, file: &File) -> Read {
    let absent = Policy::default();
    let policy = file.policy.as_ref().map_or(&absent, |policy| &policy.value);
    let at = file.policy.as_ref().map_or(0..0, |policy| policy.at.clone());
    let scope = Scope { name: "policy".to_owned(), at };
    let report = &mut v.report;
    let slow_start =
        report.duration(&scope, "slow_start", policy.slow_start.as_ref(), node::SLOW_START);
    let drain_timeout = report.duration(
        &scope,
        "drain_timeout",
        policy.drain_timeout.as_ref(),
        node::DRAIN_TIMEOUT,
    );
    Read {
        service: service(v, &scope, policy),
        check: check(),
        slow_start,
        drain_timeout,
        entry: entry(v, file),
        without: without(v, &scope, policy),
    }
}

fn service(v: &mut Validation<'_>, scope: &Scope, policy: &Policy) -> ServicePolicy {
    let report = &mut v.report;
    let time = |report: &mut crate::config::finding::Report<'_>, key, typed, limits| {
        report.duration(scope, key, typed, limits)
    };
    let connect =
        time(report, "connect_timeout", policy.connect_timeout.as_ref(), node::CONNECT_TIMEOUT);
    let connack =
        time(report, "connack_timeout", policy.connack_timeout.as_ref(), node::CONNACK_TIMEOUT);
    let deadline = time(report, "deadline", policy.deadline.as_ref(), node::DEADLINE);
    let longest = connect.max(connack);
    let typed = [&policy.deadline, &policy.connack_timeout, &policy.connect_timeout];
    if let Some(typed) = typed.into_iter().flatten().next().filter(|_| longest > deadline) {
        let message = format!(
            "one attempt may take {}, all together only {} (deadline)",
            show_duration(longest),
            show_duration(deadline)
        );
        let help = "make deadline the longest of the three";
        report.error(scope, &typed.at, message, help);
    }
    let retries = report.count(scope, "retries", policy.retries.as_ref(), node::RETRIES);
    let on = |key: &Option<crate::config::placed::Placed<bool>>| {
        key.as_ref().is_none_or(|key| key.value)
    };
    ServicePolicy {
        name: "mqtt".to_owned(),
        mode: policy::Mode::Mqtt,
        balance: match policy.balance.as_ref().map(|balance| balance.value) {
            None | Some(Balance::LeastConn) => policy::Balance::LeastConn,
            Some(Balance::Random) => policy::Balance::Random,
            Some(Balance::RoundRobin) => policy::Balance::RoundRobin,
        },
        maxconn: report.count(scope, "maxconn", policy.maxconn.as_ref(), node::SERVICE_MAXCONN),
        retries: u8::try_from(retries).expect("RETRIES ends at 15"),
        redispatch: true,
        connect_timeout: connect,
        connack_timeout: connack,
        deadline,
        opening_timeout: node::OPENING_TIMEOUT.default.unwrap_or_default(),
        opening_max: node::OPENING_MAX.default.map_or(0, |size| size.0),
        affinity: on(&policy.affinity),
        takeover: on(&policy.takeover),
        on_marked_down: OnMarkedDown::Keep,
        max_new_per_second: report.count(
            scope,
            "max_new_per_second",
            policy.max_new_per_second.as_ref(),
            node::MAX_NEW_PER_SECOND,
        ),
        spill: spill(report, scope, policy.spill.as_ref()),
        members: Vec::new(),
    }
}

/// As a configuration has it that says nothing of checks.
fn check() -> CheckPolicy {
    CheckPolicy {
        kind: CheckKind::Mqtt,
        inter: node::INTER.default.unwrap_or_default(),
        fastinter: node::FASTINTER.default.unwrap_or_default(),
        rise: node::RISE.default.unwrap_or(node::RISE.min),
        fall: node::FALL.default.unwrap_or(node::FALL.min),
    }
}

fn without(v: &mut Validation<'_>, scope: &Scope, policy: &Policy) -> Option<(Rule, Range<usize>)> {
    let typed = policy.without.as_ref()?;
    let rule = Rule::of(&typed.value);
    if rule.is_none() {
        let words: Vec<&str> = Rule::ALL.iter().map(|rule| rule.word()).collect();
        let refusal = unknown("rule", &typed.value, &words);
        v.report.refuse(scope, "without", &typed.at, refusal);
    }
    Some((rule?, typed.at.clone()))
}

fn entry(v: &mut Validation<'_>, file: &File) -> drill::Entry {
    let absent = Entry::default();
    let entry = file.entry.as_ref().map_or(&absent, |entry| &entry.value);
    let at = file.entry.as_ref().map_or(0..0, |entry| entry.at.clone());
    let scope = Scope { name: "entry".to_owned(), at };
    drill::Entry {
        policy: match entry.policy.as_ref().map(|policy| policy.value) {
            None | Some(EntryPolicy::Nearest) => drill::EntryPolicy::Nearest,
            Some(EntryPolicy::Headroom) => drill::EntryPolicy::Headroom,
            Some(EntryPolicy::Failover) => drill::EntryPolicy::Failover,
        },
        all_down: match entry.all_down.as_ref().map(|all_down| all_down.value) {
            None | Some(AllDown::LastGood) => drill::AllDown::LastGood,
            Some(AllDown::All) => drill::AllDown::All,
            Some(AllDown::Servfail) => drill::AllDown::Servfail,
        },
        ttl: v.report.duration(&scope, "ttl", entry.ttl.as_ref(), bounds::TTL),
    }
}
