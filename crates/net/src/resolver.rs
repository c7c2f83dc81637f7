//! Asks name servers: the system's, as `/etc/resolv.conf` and the hosts file have them at that
//! moment, or those of the configuration.
//!
//! Nothing is kept from one question to the next: what an answer is good for, and when it is asked
//! for again, is core's to say (`isobar_core::discovery`).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use isobar_core::discovery::{ASK_WITHIN, Answer, Families, Family, Question, Record, Trouble};

/// For one server to answer, and how often each is asked.
const SERVER_WITHIN: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Records taken from one answer; more are not even looked at. Core clamps them further.
const RECORDS_MAX: usize = 16_384;

/// Who is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resolver {
    /// None: the system's.
    servers: Vec<SocketAddr>,
}

impl Resolver {
    /// Asks these servers, or where there is none the system's.
    pub fn new(servers: &[SocketAddr]) -> Resolver {
        Resolver { servers: servers.to_vec() }
    }

    /// Asks; for [`ASK_WITHIN`] at most.
    pub async fn ask(&self, question: &Question) -> Answer {
        let asking = async {
            match question {
                Question::Host(name, families) => self.addresses(name, *families).await,
                Question::Service(name, _) => self.records(name).await,
            }
        };
        match tokio::time::timeout(ASK_WITHIN, asking).await {
            Ok(answer) => answer.unwrap_or_else(Answer::Failed),
            Err(_) => Answer::Failed(Trouble::TimedOut),
        }
    }

    async fn addresses(&self, name: &str, families: Families) -> Result<Answer, Trouble> {
        let mut found = Err(Trouble::Empty);
        for family in families.in_turn() {
            let kind = match family {
                Family::V4 => RecordType::A,
                Family::V6 => RecordType::AAAA,
            };
            found = self.look_up(name, kind).await;
            // Only a name that has no such address may have the other: a server that fails has
            // not said so.
            if !matches!(found, Err(Trouble::Empty)) {
                break;
            }
        }
        let lookup = found?;
        let addrs = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        });
        Ok(Answer::Addresses(addrs.take(RECORDS_MAX).collect(), ttl(&lookup)))
    }

    async fn records(&self, name: &str) -> Result<Answer, Trouble> {
        let lookup = self.look_up(name, RecordType::SRV).await?;
        let records = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Record {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_ascii().to_ascii_lowercase(),
            }),
            _ => None,
        });
        Ok(Answer::Records(records.take(RECORDS_MAX).collect(), ttl(&lookup)))
    }

    async fn look_up(&self, name: &str, kind: RecordType) -> Result<Lookup, Trouble> {
        let name = Name::from_ascii(name).map_err(|_| Trouble::Unusable)?;
        let resolver = self.resolver().map_err(|error| {
            tracing::debug!(%error, "no resolver");
            Trouble::Unusable
        })?;
        let found = resolver.lookup(name.clone(), kind).await;
        found.map_err(|error| {
            tracing::debug!(%name, %kind, %error, "lookup failed");
            trouble(&error)
        })
    }

    /// Made anew for each question, so that the system's files are as they are now.
    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = self.servers.iter().map(name_server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            let provider = TokioRuntimeProvider::default();
            let mut builder = TokioResolver::builder_with_config(config, provider);
            let options: &mut ResolverOpts = builder.options_mut();
            options.use_hosts_file = ResolveHosts::Never;
            options.timeout = SERVER_WITHIN;
            options.attempts = ATTEMPTS;
            builder
        };
        builder.options_mut().cache_size = 0;
        builder.build()
    }
}

fn name_server(addr: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(addr.ip());
    for connection in &mut server.connections {
        let connection: &mut ConnectionConfig = connection;
        connection.port = addr.port();
    }
    server
}

fn ttl(lookup: &Lookup) -> Duration {
    lookup.valid_until().saturating_duration_since(Instant::now())
}

fn trouble(error: &NetError) -> Trouble {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Trouble::NoSuchName,
            ResponseCode::NoError => Trouble::Empty,
            _ => Trouble::ServerFailed,
        },
        NetError::Dns(DnsError::ResponseCode(_)) => Trouble::ServerFailed,
        NetError::Timeout => Trouble::TimedOut,
        NetError::Io(_) | NetError::NoConnections | NetError::Busy => Trouble::TimedOut,
        _ => Trouble::Unusable,
    }
}
