//! `[[service.broker]]`: one broker as one service names it.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use isobar_core::discovery::{self, Families};
use isobar_core::policy::BrokerPolicy;
use isobar_net::settings::{BrokerSettings, NamedBrokers, ProxyVersion, SourceRange};

use super::{Validation, check};
use crate::config::address::{self, Target};
use crate::config::bounds;
use crate::config::file::{Broker, Mode, SendProxy};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;
use crate::config::units::show_count;

/// A broker that is good in itself; whether it agrees with the others is for the pool to say.
pub(super) struct Candidate<F = Found> {
    pub(super) found: F,
    pub(super) weight: u16,
    pub(super) scope: Scope,
    /// The broker's address.
    pub(super) addr_at: Range<usize>,
    /// Keys that every service that names this address must agree on.
    pub(super) shared_at: SharedKeys,
}

impl Candidate {
    /// What the file names, apart from the rest.
    pub(super) fn apart(self) -> (Found, Candidate<()>) {
        let Candidate { found, weight, scope, addr_at, shared_at } = self;
        (found, Candidate { found: (), weight, scope, addr_at, shared_at })
    }
}

/// What the file names.
pub(super) enum Found {
    /// One broker, by its address.
    Fixed(BrokerSettings),
    /// Those that a name leads to.
    Named(NamedBrokers),
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
    let place = place(v, &scope, broker, typed_addr, &source)?;
    let send_proxy = match broker.send_proxy.as_ref().map(|version| version.value) {
        None | Some(SendProxy::Off) => None,
        Some(SendProxy::V1) => Some(ProxyVersion::V1),
        Some(SendProxy::V2) => Some(ProxyVersion::V2),
    };
    let weight = u16::try_from(weight).expect("WEIGHT ends at 256");
    let slow_start = service.slow_start;
    let (name, addr, at_name) = match place {
        Place::Address(addr) => {
            (name.unwrap_or_else(|| typed_addr.value.clone()), Some(addr), None)
        }
        Place::Named(target, called) => (name.unwrap_or(called), None, Some(target)),
    };
    let policy = BrokerPolicy { name: name.clone(), addr, maxconn, check, slow_start };
    let found = match (addr, at_name) {
        (_, Some(at)) => Found::Named(NamedBrokers {
            at,
            found_by: typed_addr.value.to_ascii_lowercase(),
            name,
            weight,
            policy,
            source,
            send_proxy,
            credentials,
        }),
        (addr, None) => {
            let addr = addr.expect("without a name there is an address");
            let found_by = None;
            Found::Fixed(BrokerSettings { policy, addr, found_by, source, send_proxy, credentials })
        }
    };
    let at = |key: Option<&Range<usize>>| key.unwrap_or(&typed.at).clone();
    Some(Candidate {
        found,
        weight,
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

/// The families that sources allow; a name never stands for addresses of both.
fn families(source: &[SourceRange]) -> Families {
    match source.first().map(|source| source.addr.is_ipv4()) {
        None => Families::V4First,
        Some(true) => Families::V4,
        Some(false) => Families::V6,
    }
}

/// Where it is, as the file says.
enum Place {
    Address(SocketAddr),
    /// A name, and what a broker without one is called.
    Named(discovery::Target, String),
}

fn place(
    v: &mut Validation<'_>,
    scope: &Scope,
    broker: &Broker,
    typed: &Placed<String>,
    source: &[SourceRange],
) -> Option<Place> {
    let families = families(source);
    match address::target(&typed.value) {
        Ok(Target::Address(addr)) => {
            refuse_mixed_families(v, scope, broker, source, addr);
            Some(Place::Address(addr))
        }
        Ok(Target::Name(name, port)) => {
            refuse_both_families(v, scope, broker, source);
            let called = name.clone();
            Some(Place::Named(discovery::Target::Host(name, port, families), called))
        }
        Ok(Target::Service(name)) => {
            refuse_both_families(v, scope, broker, source);
            if let Some(weight) = &broker.weight {
                let message = "weight has no effect: SRV records have their own";
                v.report.warn(scope, &weight.at, message, "remove it");
            }
            let called = name.clone();
            Some(Place::Named(discovery::Target::Service(name, families), called))
        }
        Err(refusal) => {
            v.report.refuse(scope, "addr", &typed.at, refusal);
            None
        }
    }
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

fn refuse_both_families(
    v: &mut Validation<'_>,
    scope: &Scope,
    broker: &Broker,
    source: &[SourceRange],
) {
    let Some(typed) = &broker.source else { return };
    let four = source.iter().filter(|source| source.addr.is_ipv4()).count();
    if four > 0 && four < source.len() {
        let help = "sources say which of a name's addresses are meant: use one family only";
        let refusal = Refusal::new("addresses of both families", help);
        v.report.refuse(scope, "source", &typed.at, refusal);
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
