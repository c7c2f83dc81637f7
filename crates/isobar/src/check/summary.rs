//! What good settings amount to: the limits that hold, who listens where, and for whom.

use std::fmt;

use isobar_core::policy::{Balance, CheckKind, CheckPolicy, Member, Mode, Ranking};
use isobar_net::settings::{
    BrokerSettings, JoinAddress, MeshSettings, NamedBrokers, NodeSettings, ServiceSettings,
};
use serde::Serialize;

use crate::config::{EntrySettings, Settings, show_count, show_duration};

/// Descriptors kept back for answers, pages and files.
const RESERVE: u64 = isobar_net::descriptors::RESERVE;
/// Descriptors of one flow: the client's and the broker's.
const PER_FLOW: u64 = 2;

/// A node in short.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    site: String,
    node: String,
    workers: usize,
    /// As configured.
    maxconn: u32,
    /// As the descriptor limit allows.
    effective_maxconn: u64,
    descriptors_needed: u64,
    descriptors_hard_limit: Option<u64>,
    admin: String,
    admin_token: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    mesh: Option<Mesh>,
    /// Absent without a zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<Dns>,
    services: Vec<Service>,
}

#[derive(Debug, Serialize)]
struct Mesh {
    name: String,
    spiffe: String,
    bind: String,
    advertise: String,
    join: Vec<String>,
    deny: bool,
}

#[derive(Debug, Serialize)]
struct Dns {
    zone: String,
    bind: Vec<String>,
    policy: &'static str,
    /// Names, each with its service.
    names: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct Service {
    name: String,
    mode: &'static str,
    balance: &'static str,
    bind: Vec<String>,
    /// What clients are told, as nodes tell each other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    public: Vec<String>,
    maxconn: u32,
    effective_maxconn: u64,
    /// Absent without a mesh, or switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    spill: Option<Spill>,
    brokers: Vec<Broker>,
}

#[derive(Debug, Serialize)]
struct Spill {
    persistent: bool,
    reserve_percent: u8,
    accept_per_second: u32,
    failback_per_second: u32,
}

#[derive(Debug, Serialize)]
struct Broker {
    name: String,
    addr: String,
    weight: u16,
    maxconn: Option<u32>,
    check: String,
    source: usize,
}

impl Summary {
    /// Of these settings, on a machine with this hard limit on descriptors.
    pub(super) fn of(settings: &Settings, hard_limit: Option<u64>) -> Summary {
        let node = &settings.node;
        let wanted = u64::from(node.maxconn);
        let room = hard_limit
            .map_or(wanted, |limit| limit.saturating_sub(RESERVE + node.beside) / PER_FLOW);
        let effective_maxconn = wanted.min(room);
        let service = |service| service_in_short(service, node, effective_maxconn);
        Summary {
            site: node.site.clone(),
            node: node.node.clone(),
            workers: node.workers,
            maxconn: node.maxconn,
            effective_maxconn,
            descriptors_needed: wanted * PER_FLOW + RESERVE + node.beside,
            descriptors_hard_limit: hard_limit,
            admin: settings.admin.bind.to_string(),
            admin_token: settings.admin.token.is_some(),
            mesh: node.mesh.as_ref().map(mesh_in_short),
            dns: dns_in_short(&settings.entry),
            services: node.services.iter().map(service).collect(),
        }
    }
}

fn mesh_in_short(mesh: &MeshSettings) -> Mesh {
    let join = |node: &JoinAddress| match node {
        JoinAddress::Address(addr) => addr.to_string(),
        JoinAddress::Name(name, port) => format!("{name}:{port}"),
        JoinAddress::Service(name) => name.clone(),
    };
    let name = mesh.trust.mesh.as_ref().expect("validation fills it in");
    Mesh {
        name: name.to_string(),
        spiffe: mesh.trust.own.spiffe(name),
        bind: mesh.bind.to_string(),
        advertise: mesh.advertise.to_string(),
        join: mesh.join.iter().map(join).collect(),
        deny: mesh.trust.files.deny.is_some(),
    }
}

fn dns_in_short(entry: &EntrySettings) -> Option<Dns> {
    let dns = entry.dns.as_ref()?;
    Some(Dns {
        zone: dns.zone.clone(),
        bind: dns.bind.iter().map(ToString::to_string).collect(),
        policy: match entry.policy.ranking {
            Ranking::Nearest => "nearest",
            Ranking::Headroom => "headroom",
            Ranking::Failover => "failover",
        },
        names: dns.names.iter().map(|name| (name.name.clone(), name.service.clone())).collect(),
    })
}

fn service_in_short(service: &ServiceSettings, node: &NodeSettings, room: u64) -> Service {
    let policy = &service.policy;
    let broker =
        |member: &Member| broker_in_short(&node.brokers[member.broker.index()], member.weight);
    Service {
        name: policy.name.clone(),
        mode: match policy.mode {
            Mode::Mqtt => "mqtt",
            Mode::Tcp => "tcp",
        },
        balance: match policy.balance {
            Balance::LeastConn => "leastconn",
            Balance::Random => "random",
            Balance::RoundRobin => "roundrobin",
        },
        bind: service.binds.iter().map(ToString::to_string).collect(),
        public: service.public.iter().map(ToString::to_string).collect(),
        maxconn: policy.maxconn,
        effective_maxconn: u64::from(policy.maxconn).min(room),
        spill: (node.mesh.is_some() && service.policy.spill.enabled).then_some(Spill {
            persistent: service.policy.spill.persistent,
            reserve_percent: service.policy.spill.reserve,
            accept_per_second: service.policy.spill.accept_per_second,
            failback_per_second: service.policy.spill.failback_per_second,
        }),
        brokers: {
            let named = service.names.iter().map(named_in_short);
            policy.members.iter().map(broker).chain(named).collect()
        },
    }
}

fn broker_in_short(broker: &BrokerSettings, weight: u16) -> Broker {
    Broker {
        name: broker.policy.name.clone(),
        addr: broker.addr.to_string(),
        weight,
        maxconn: broker.policy.maxconn,
        check: check_in_short(broker.policy.check.as_ref()),
        source: broker.source.len(),
    }
}

fn named_in_short(named: &NamedBrokers) -> Broker {
    Broker {
        name: named.name.clone(),
        addr: named.found_by.clone(),
        weight: named.weight,
        maxconn: named.policy.maxconn,
        check: check_in_short(named.policy.check.as_ref()),
        source: named.source.len(),
    }
}

fn check_in_short(check: Option<&CheckPolicy>) -> String {
    let Some(check) = check else { return "none".to_owned() };
    let kind = match check.kind {
        CheckKind::Tcp => "tcp",
        CheckKind::Mqtt => "mqtt",
    };
    format!("{kind} every {}", show_duration(check.inter))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "site {}, node {}, {} workers", self.site, self.node, self.workers)?;
        let token = if self.admin_token { "with a token" } else { "without a token" };
        writeln!(f, "pages and metrics: http://{}/ {token}", self.admin)?;
        writeln!(f, "flows at once: {}", show_count(self.effective_maxconn))?;
        let needed = show_count(self.descriptors_needed);
        write!(f, "descriptors: {needed} for maxconn = {}", show_count(self.maxconn.into()))?;
        match self.descriptors_hard_limit {
            None => writeln!(f, "; the hard limit is not known")?,
            Some(limit) if limit >= self.descriptors_needed => {
                writeln!(f, "; the hard limit, {}, allows them", show_count(limit))?;
            }
            Some(limit) => writeln!(
                f,
                "; the hard limit, {}, does not: capped (raise LimitNOFILE or ulimit -Hn)",
                show_count(limit)
            )?,
        }
        if let Some(Mesh { name, spiffe, bind, advertise, join, deny }) = &self.mesh {
            let list = if *deny { "with a deny list" } else { "without a deny list" };
            writeln!(f, "\nmesh {name}: {spiffe}, {list}")?;
            writeln!(f, "  on {bind}, for others {advertise}")?;
            match join.as_slice() {
                [] => writeln!(f, "  waits for others to join")?,
                some => writeln!(f, "  joins {}", some.join(", "))?,
            }
        }
        if let Some(Dns { zone, bind, policy, names }) = &self.dns {
            let on = if bind.is_empty() {
                "kept elsewhere".into()
            } else {
                format!("on {}", bind.join(", "))
            };
            writeln!(f, "\nzone {zone}: {policy}, {on}")?;
            let mut names = names.iter();
            names.try_for_each(|(name, service)| writeln!(f, "  {name}: service {service}"))?;
        }
        self.services.iter().try_for_each(|service| write!(f, "{service}"))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Service { name, mode, balance, .. } = self;
        let room = show_count(self.effective_maxconn);
        writeln!(f, "\nservice {name}: {mode}, {balance}, at most {room} flows")?;
        writeln!(f, "  on {}", self.bind.join(", "))?;
        if !self.public.is_empty() {
            writeln!(f, "  clients are told {}", self.public.join(", "))?;
        }
        if let Some(Spill { persistent, reserve_percent, accept_per_second, .. }) = &self.spill {
            let sessions = if *persistent { "persistent sessions too" } else { "clean sessions" };
            writeln!(
                f,
                "  to and from other sites: {sessions}, {reserve_percent}% kept, at most {} taken \
                 a second",
                show_count((*accept_per_second).into())
            )?;
        }
        let width = self.brokers.iter().map(|broker| broker.name.len()).max().unwrap_or(0);
        for broker in &self.brokers {
            let Broker { name, addr, weight, check, .. } = broker;
            let limit =
                broker.maxconn.map_or_else(|| "none".to_owned(), |n| show_count(u64::from(n)));
            write!(f, "  {name:width$}  {addr}  weight {weight}, maxconn {limit}, check {check}")?;
            match broker.source {
                0 => writeln!(f)?,
                1 => writeln!(f, ", 1 source")?,
                many => writeln!(f, ", {many} sources")?,
            }
        }
        Ok(())
    }
}
