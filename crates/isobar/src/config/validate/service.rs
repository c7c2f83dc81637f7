//! `[[service]]`: what clients connect to.

use std::collections::HashMap;
use std::time::Duration;

use isobar_core::discovery::Target;
use isobar_core::entry::Pattern;
use isobar_core::policy::{self, Member, ServicePolicy, SourceLimits};
use isobar_core::reception::ReceptionPolicy;
use isobar_net::settings::{FlowLog, NamedBrokers, ServiceSettings};

use super::binds::Binds;
use super::broker::{self, Found, FromService};
use super::pool::Pool;
use super::{Validation, effect, listen};
use crate::config::bounds::{self, BROKERS_MAX, Bounds, REDIRECT_RULES_MAX};
use crate::config::file::{Balance, Log, Mode, OnMarkedDown, Service, Spill, TimeText};
use crate::config::finding::{Refusal, Report, Scope, member_name};
use crate::config::placed::Placed;
use crate::config::units::{show_count, show_duration};

/// What services share and add to.
pub(super) struct Shared<'a> {
    pub(super) pool: &'a mut Pool,
    pub(super) binds: &'a mut Binds,
    /// Service names, with the lines they stand on.
    pub(super) names: &'a mut HashMap<String, usize>,
    pub(super) node_maxconn: u32,
}

pub(super) fn read(
    v: &mut Validation<'_>,
    index: usize,
    typed: &Placed<Service>,
    shared: Shared<'_>,
) -> ServiceSettings {
    let service = &typed.value;
    let mode = service.mode.as_ref().map_or(Mode::Mqtt, |mode| mode.value);
    let standard = match mode {
        Mode::Mqtt => "mqtt",
        Mode::Tcp => "tcp",
    };
    let spelled = service.name.as_ref().map_or(standard, |name| &name.value);
    let scope = Scope { name: member_name("service", Some(spelled), index), at: typed.at.clone() };
    let name = name(v, &scope, service, spelled, shared.names);
    effect::warn_of_none(v, &scope, service, mode);

    let maxconn =
        v.report.count(&scope, "maxconn", service.maxconn.as_ref(), bounds::SERVICE_MAXCONN);
    if let Some(typed) = service.maxconn.as_ref().filter(|_| maxconn > shared.node_maxconn) {
        let whole = show_count(u64::from(shared.node_maxconn));
        let message = format!("maxconn is more than the node's, {whole}, which holds");
        v.report.warn(&scope, &typed.at, message, "raise maxconn at the top of the file");
    }
    let binds = listen::binds(v, &scope, service.bind.as_ref(), shared.binds);
    let public = listen::public(v, &scope, service.public.as_ref());
    let (policy, names) = policy(v, &scope, service, (name, mode, maxconn), shared.pool);
    ServiceSettings {
        policy,
        names,
        binds,
        public,
        log: match service.log.as_ref().map(|log| log.value) {
            None | Some(Log::Tcplog) => FlowLog::Tcplog,
            Some(Log::Json) => FlowLog::Json,
            Some(Log::Off) => FlowLog::Off,
        },
        log_clients: service.log_clients.as_ref().is_some_and(|on| on.value),
        per_source: per_source(v, &scope, service),
        reception: ReceptionPolicy { provision: false, redirect: redirect(v, &scope, service) },
    }
}

fn name(
    v: &mut Validation<'_>,
    scope: &Scope,
    service: &Service,
    spelled: &str,
    names: &mut HashMap<String, usize>,
) -> String {
    let at = service.name.as_ref().map_or(&scope.at, |name| &name.at);
    if service.name.is_some() {
        v.report.name(scope, "name", service.name.as_ref());
    }
    let line = v.report.source.line(at.start);
    if let Some(other) = names.insert(spelled.to_owned(), line) {
        let message = format!("name {spelled:?} is taken by the service of line {other}");
        let help = format!("give it another: name = \"{spelled}-2\"");
        v.report.error(scope, at, message, help);
    }
    spelled.to_owned()
}

fn policy(
    v: &mut Validation<'_>,
    scope: &Scope,
    service: &Service,
    (name, mode, maxconn): (String, Mode, u32),
    pool: &mut Pool,
) -> (ServicePolicy, Vec<NamedBrokers>) {
    let slow_start =
        v.report.duration(scope, "slow_start", service.slow_start.as_ref(), bounds::SLOW_START);
    let slow_start_at = service.slow_start.as_ref().map(|key| key.at.clone());
    let from_service = FromService { mode, slow_start, slow_start_at };
    let (members, names) = members(v, scope, service, from_service, pool);
    let times = times(v, scope, service, mode);
    let spill = spill(&mut v.report, scope, service.spill.as_ref());
    let report = &mut v.report;
    let retries = report.count(scope, "retries", service.retries.as_ref(), bounds::RETRIES);
    let is_mqtt = mode == Mode::Mqtt;
    let on = |key: Option<&Placed<bool>>| key.is_none_or(|key| key.value);
    let policy = ServicePolicy {
        name,
        mode: if is_mqtt { policy::Mode::Mqtt } else { policy::Mode::Tcp },
        balance: match service.balance.as_ref().map(|balance| balance.value) {
            None | Some(Balance::LeastConn) => policy::Balance::LeastConn,
            Some(Balance::Random) => policy::Balance::Random,
            Some(Balance::RoundRobin) => policy::Balance::RoundRobin,
        },
        maxconn,
        retries: u8::try_from(retries).expect("RETRIES ends at 15"),
        redispatch: on(service.redispatch.as_ref()),
        connect_timeout: times.connect,
        connack_timeout: times.connack,
        deadline: times.deadline,
        opening_timeout: times.opening,
        opening_max: report
            .size(scope, "opening_max", service.opening_max.as_ref(), bounds::OPENING_MAX)
            .0,
        // Both need a client id, which only a CONNECT has.
        affinity: is_mqtt && on(service.affinity.as_ref()),
        takeover: is_mqtt && on(service.takeover.as_ref()),
        on_marked_down: match service.on_marked_down.as_ref().map(|fate| fate.value) {
            None | Some(OnMarkedDown::Keep) => policy::OnMarkedDown::Keep,
            Some(OnMarkedDown::ShutdownSessions) => policy::OnMarkedDown::ShutdownSessions,
        },
        max_new_per_second: report.count(
            scope,
            "max_new_per_second",
            service.max_new_per_second.as_ref(),
            bounds::MAX_NEW_PER_SECOND,
        ),
        spill,
        members,
    };
    (policy, names)
}

struct Times {
    connect: Duration,
    connack: Duration,
    deadline: Duration,
    opening: Duration,
}

fn times(v: &mut Validation<'_>, scope: &Scope, service: &Service, mode: Mode) -> Times {
    let mut read = |key, typed: &Option<Placed<TimeText>>, bounds: Bounds<Duration>| {
        v.report.duration(scope, key, typed.as_ref(), bounds)
    };
    let connect = read("connect_timeout", &service.connect_timeout, bounds::CONNECT_TIMEOUT);
    let connack = read("connack_timeout", &service.connack_timeout, bounds::CONNACK_TIMEOUT);
    let deadline = read("deadline", &service.deadline, bounds::DEADLINE);
    let opening = read("opening_timeout", &service.opening_timeout, bounds::OPENING_TIMEOUT);

    let mut parts = vec![("connect_timeout", connect, &service.connect_timeout)];
    if mode == Mode::Mqtt {
        parts.push(("connack_timeout", connack, &service.connack_timeout));
    }
    for (key, part, typed) in parts {
        let by_default = |typed: bool| if typed { "" } else { ", the default" };
        if part <= deadline {
            continue;
        }
        let help = "deadline is for all attempts together: make it the longer one";
        if let Some(at) = &service.deadline {
            let part = format!("{}{}", show_duration(part), by_default(typed.is_some()));
            let refusal = Refusal::new(format!("shorter than {key} ({part})"), help);
            v.report.refuse(scope, "deadline", &at.at, refusal);
        } else if let Some(at) = typed {
            let problem =
                format!("longer than deadline ({}, the default)", show_duration(deadline));
            v.report.refuse(scope, key, &at.at, Refusal::new(problem, help));
        }
    }
    Times { connect, connack, deadline, opening }
}

fn members(
    v: &mut Validation<'_>,
    scope: &Scope,
    service: &Service,
    from_service: FromService,
    pool: &mut Pool,
) -> (Vec<Member>, Vec<NamedBrokers>) {
    let typed = service.brokers.as_deref().unwrap_or_default();
    if typed.is_empty() {
        let help = "add [[service.broker]] with addr = \"192.168.0.36:1883\" below it";
        v.report.missing(scope, "no broker", help);
    }
    if let Some(beyond) = typed.get(BROKERS_MAX) {
        let help = format!("a service has at most {BROKERS_MAX}");
        v.report.error(scope, &beyond.at, "too many brokers", help);
    }
    let (mut members, mut named) = (Vec::new(), Vec::new());
    let mut seen: Vec<Target> = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    for (index, typed) in typed.iter().take(BROKERS_MAX).enumerate() {
        let spelled = typed.value.name.as_ref().or(typed.value.addr.as_ref());
        let own = member_name("broker", spelled.map(|name| name.value.as_str()), index);
        let inner = Scope { name: format!("{}, {own}", scope.name), at: typed.at.clone() };
        if let Some(name) = &typed.value.name {
            let line = v.report.source.line(name.at.start);
            if let Some(other) = names.insert(name.value.clone(), line) {
                let problem = format!("the broker of line {other} has this name");
                let help = format!("give it another: name = \"{}-2\"", name.value);
                v.report.refuse(&inner, "name", &name.at, Refusal::new(problem, help));
            }
        }
        let Some(candidate) = broker::read(v, inner.clone(), typed, &from_service) else {
            continue;
        };
        let (weight, addr_at) = (candidate.weight, candidate.addr_at.clone());
        let (found, candidate) = candidate.apart();
        let target = match &found {
            Found::Fixed(broker) => Target::Address(broker.addr),
            Found::Named(named) => named.at.clone(),
        };
        if seen.contains(&target) {
            let help = "name each broker once; weight gives it a larger share";
            let problem = match target {
                Target::Address(_) => "this service has a broker at that address already",
                Target::Host(..) | Target::Service(..) => "this service has that name already",
            };
            v.report.refuse(&inner, "addr", &addr_at, Refusal::new(problem, help));
            continue;
        }
        seen.push(target);
        match found {
            Found::Fixed(settings) => {
                let broker = pool.join(&mut v.report, settings, candidate);
                members.push(Member { broker, weight });
            }
            Found::Named(brokers) => {
                pool.join_named(&mut v.report, &brokers, candidate);
                named.push(brokers);
            }
        }
    }
    (members, named)
}

/// `spill`, in a service or wherever else it stands.
pub(crate) fn spill(
    report: &mut Report<'_>,
    scope: &Scope,
    typed: Option<&Placed<Spill>>,
) -> policy::SpillPolicy {
    let absent = Spill::default();
    let spill = typed.map_or(&absent, |typed| &typed.value);
    policy::SpillPolicy {
        enabled: spill.enabled.as_ref().is_none_or(|on| on.value),
        persistent: spill.persistent.as_ref().is_some_and(|on| on.value),
        reserve: report
            .share(scope, "spill.reserve", spill.reserve.as_ref(), bounds::SPILL_RESERVE)
            .0,
        accept_per_second: report.count(
            scope,
            "spill.accept_per_second",
            spill.accept_per_second.as_ref(),
            bounds::SPILL_ACCEPT,
        ),
        failback_per_second: report.count(
            scope,
            "spill.failback_per_second",
            spill.failback_per_second.as_ref(),
            bounds::SPILL_FAILBACK,
        ),
    }
}

/// Rules for clients that follow a redirect; none where there are no redirects.
fn redirect(v: &mut Validation<'_>, scope: &Scope, service: &Service) -> Vec<Pattern> {
    let Some(Placed { value: redirect, at }) = &service.redirect else { return Vec::new() };
    let rules = redirect.clients.as_ref().map_or(&[][..], |rules| &rules.value);
    if rules.len() > REDIRECT_RULES_MAX {
        let refusal = Refusal::new("too many", format!("at most {REDIRECT_RULES_MAX} rules"));
        v.report.refuse(scope, "redirect.clients", at, refusal);
        return Vec::new();
    }
    for Placed { value, at } in rules {
        let known = (1..=256).contains(&value.len()) && !value.chars().any(char::is_control);
        if !known {
            let help = "a rule is a client id, or a part of one with *: \"sensor-*\"";
            let refusal = Refusal::new("must be 1 to 256 bytes", help);
            v.report.refuse(scope, "redirect.clients", at, refusal);
        }
    }
    let is_on = redirect.is_on();
    if is_on && rules.is_empty() {
        let help = "say which clients follow: clients = [\"sensor-*\"]; [\"*\"] for all";
        let refusal = Refusal::new("enabled without clients", help);
        v.report.refuse(scope, "redirect", at, refusal);
    }
    let rules = rules.iter().filter(|_| is_on);
    rules.map(|rule| Pattern::new(rule.value.clone())).collect()
}

fn per_source(v: &mut Validation<'_>, scope: &Scope, service: &Service) -> SourceLimits {
    let Some(limits) = service.per_source.as_ref().map(|typed| &typed.value) else {
        return SourceLimits::default();
    };
    let mut read = |key, typed: &Option<Placed<i64>>, bounds: Bounds<u32>| {
        v.report.count(scope, key, typed.as_ref(), bounds)
    };
    SourceLimits {
        maxconn: read("per_source.maxconn", &limits.maxconn, bounds::SOURCE_MAXCONN),
        new_per_second: read(
            "per_source.new_per_second",
            &limits.new_per_second,
            bounds::SOURCE_NEW_PER_SECOND,
        ),
    }
}
