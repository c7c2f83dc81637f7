//! `[[service.broker]]`: one broker as one service names it.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use isobar_core::policy::BrokerPolicy;
use isobar_net::settings::{BrokerSettings, ProxyVersion, SourceRange};

use super::{Validation, check};
use crate::config::address::{self, Target};
use crate::config::bounds;
use crate::config::file::{Broker, Mode, SendProxy};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;
use crate::config::units::show_count;

/// Time that all names together may take to look up.
const LOOKUPS_MAX: Duration = Duration::from_secs(30);

/// A broker that is good in itself; whether it agrees with the others is for the pool to say.
pub(super) struct Candidate {
    pub(super) settings: BrokerSettings,
    pub(super) weight: u16,
    pub(super) scope: Scope,
    /// The broker's address.
    pub(super) addr_at: Range<usize>,
    /// Keys that every service that names this address must agree on.
    pub(super) shared_at: SharedKeys,
}

/// Where the shared keys stand; the broker's own place for those left to their defaults.
pub(super) struct SharedKeys {
    pub(super) maxconn: Range<usize>,
    pub(super) check: Range<usize>,
    pub(super) source: Range<usize>,
    pub(super) send_proxy: Range<usize>,
    pub(super) slow_start: Range<usize>,
}

/// What a broker takes from its service.
pub(super) struct FromService {
    pub(super) mode: Mode,
    pub(super) slow_start: Duration,
    pub(super) slow_start_at: Option<Range<usize>>,
}

/// Reads one broker; `None` if there is no address to know it by.
pub(super) fn read(
    v: &mut Validation<'_>,
    scope: Scope,
    typed: &Placed<Broker>,
    service: &FromService,
) -> Option<Candidate> {
    let broker = &typed.value;
    let name = v.report.name(&scope, "name", broker.name.as_ref());
    let weight = v.report.count(&scope, "weight", broker.weight.as_ref(), bounds::WEIGHT);
    let maxconn =
        v.report.count_given(&scope, "maxconn", broker.maxconn.as_ref(), bounds::BROKER_MAXCONN);
    let (check, credentials) = check::read(v, &scope, broker.check.as_ref(), service.mode);
    let source = sources(v, &scope, broker.source.as_ref());
    warn_of_few_ports(v, &scope, broker, &source, maxconn);

    let Some(typed_addr) = &broker.addr else {
        v.report.missing(&scope, "no addr", "say where it listens: addr = \"192.168.0.36:1883\"");
        return None;
    };
    let addr = addr(v, &scope, typed_addr, &source)?;
    refuse_mixed_families(v, &scope, broker, &source, addr);
    let send_proxy = match broker.send_proxy.as_ref().map(|version| version.value) {
        None | Some(SendProxy::Off) => None,
        Some(SendProxy::V1) => Some(ProxyVersion::V1),
        Some(SendProxy::V2) => Some(ProxyVersion::V2),
    };
    let name = name.unwrap_or_else(|| typed_addr.value.clone());
    let policy = BrokerPolicy { name, maxconn, check, slow_start: service.slow_start };
    let at = |key: Option<&Range<usize>>| key.unwrap_or(&typed.at).clone();
    Some(Candidate {
        settings: BrokerSettings { policy, addr, source, send_proxy, credentials },
        weight: u16::try_from(weight).expect("WEIGHT ends at 256"),
        addr_at: typed_addr.at.clone(),
        shared_at: SharedKeys {
            maxconn: at(broker.maxconn.as_ref().map(|key| &key.at)),
            check: at(broker.check.as_ref().map(|key| &key.at)),
            source: at(broker.source.as_ref().map(|key| &key.at)),
            send_proxy: at(broker.send_proxy.as_ref().map(|key| &key.at)),
            slow_start: at(service.slow_start_at.as_ref()),
        },
        scope,
    })
}

fn addr(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: &Placed<String>,
    source: &[SourceRange],
) -> Option<SocketAddr> {
    match address::target(&typed.value) {
        Ok(Target::Address(addr)) => Some(addr),
        Ok(Target::Name(name, port)) => resolve(v, scope, typed, (name, port), source),
        Err(refusal) => {
            v.report.refuse(scope, "addr", &typed.at, refusal);
            None
        }
    }
}

fn resolve(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: &Placed<String>,
    name: (String, u16),
    source: &[SourceRange],
) -> Option<SocketAddr> {
    let (host, spent) = (v.host, &mut v.looked_up_for);
    let answer = v.resolved.entry(name).or_insert_with_key(|(name, port)| {
        if *spent > LOOKUPS_MAX {
            return Err("not tried, earlier names took too long".to_owned());
        }
        let begun = Instant::now();
        let answer = (host.resolve)(name, *port).map_err(|error| error.to_string());
        *spent += begun.elapsed();
        answer
    });
    let help = "check the name, or use the broker's address: addr = \"192.168.0.36:1883\"";
    let found = match answer {
        Ok(found) => found,
        Err(error) => {
            let problem = format!("the name could not be looked up: {error}");
            v.report.refuse(scope, "addr", &typed.at, Refusal::new(problem, help));
            return None;
        }
    };
    found.retain(|addr| !addr.ip().is_unspecified() && !addr.ip().is_multicast());
    // A name often has addresses of both families; sources say which of them is meant.
    let suits =
        |addr: &&SocketAddr| source.iter().all(|source| source.addr.is_ipv4() == addr.is_ipv4());
    let Some(first) = found.iter().find(suits).or(found.first()).copied() else {
        let refusal = Refusal::new("the name has no address", help);
        v.report.refuse(scope, "addr", &typed.at, refusal);
        return None;
    };
    if found.len() > 1 {
        let message = format!(
            "addr = {:?} has {} addresses; only {first} is used, and only as long as isobar runs",
            typed.value,
            found.len()
        );
        let help = "give each address a [[service.broker]] of its own";
        v.report.warn(scope, &typed.at, message, help);
    }
    Some(first)
}

fn sources(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Vec<Placed<String>>>>,
) -> Vec<SourceRange> {
    let mut sources: Vec<SourceRange> = Vec::new();
    let Some(typed) = typed else { return sources };
    if typed.value.len() > bounds::SOURCES_MAX {
        let help = format!("at most {}; one range may have all ports", bounds::SOURCES_MAX);
        v.report.refuse(scope, "source", &typed.at, Refusal::new("too many", help));
        return sources;
    }
    for entry in &typed.value {
        match address::source(&entry.value) {
            Ok(source) => match sources.iter().find(|other| overlap(other, &source)) {
                None => sources.push(source),
                Some(_) => {
                    let help = "each address and port may be named once";
                    let refusal = Refusal::new("overlaps an earlier entry", help);
                    v.report.refuse(scope, "source", &entry.at, refusal);
                }
            },
            Err(refusal) => v.report.refuse(scope, "source", &entry.at, refusal),
        }
    }
    sources
}

fn overlap(a: &SourceRange, b: &SourceRange) -> bool {
    let ports = |range: &SourceRange| range.ports.unwrap_or((0, u16::MAX));
    let ((a_first, a_last), (b_first, b_last)) = (ports(a), ports(b));
    a.addr == b.addr && a_first <= b_last && b_first <= a_last
}

fn refuse_mixed_families(
    v: &mut Validation<'_>,
    scope: &Scope,
    broker: &Broker,
    source: &[SourceRange],
    addr: SocketAddr,
) {
    let Some(typed) = &broker.source else { return };
    if source.iter().any(|source| source.addr.is_ipv4() != addr.is_ipv4()) {
        let (family, example) = match addr {
            SocketAddr::V4(_) => ("IPv4", "0.0.0.0:1024-65535"),
            SocketAddr::V6(_) => ("IPv6", "[::]:1024-65535"),
        };
        let help = format!("use {family} sources only, such as \"{example}\"");
        let problem = format!("the broker, {addr}, can only be reached from {family}");
        v.report.refuse(scope, "source", &typed.at, Refusal::new(problem, help));
    }
}

fn warn_of_few_ports(
    v: &mut Validation<'_>,
    scope: &Scope,
    broker: &Broker,
    source: &[SourceRange],
    maxconn: Option<u32>,
) {
    let (Some(maxconn), Some(typed)) = (maxconn, &broker.source) else { return };
    let room = source.iter().try_fold(0_u32, |room, source| {
        source.ports.map(|(first, last)| room + u32::from(last - first) + 1)
    });
    if let Some(room) = room.filter(|room| *room > 0 && *room < maxconn) {
        let message = format!(
            "source has room for {} connections, fewer than maxconn = {}",
            show_count(u64::from(room)),
            show_count(u64::from(maxconn))
        );
        v.report.warn(scope, &typed.at, message, "add a source address, or lower maxconn");
    }
}
