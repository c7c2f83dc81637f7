//! Connecting to a broker, from a configured source where there is one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use isobar_core::mesh::BrokerKey;
use isobar_core::report::Traffic;
use isobar_core::retry::Failure;

use crate::counters::Moved;
use crate::leg::Leg;
use crate::settings::BrokerSettings;
use crate::source::{BindError, Lease, Sources};

/// How often one attempt may meet a four-tuple that the kernel still remembers.
const CLASHES_MAX: usize = 8;

/// What it takes to reach one broker.
#[derive(Debug)]
pub struct Broker {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where it listens.
    pub addr: SocketAddr,
    /// What all nodes of a site call it.
    pub key: BrokerKey,
    /// As whoever named it first has it.
    pub settings: BrokerSettings,
    sources: Sources,
    /// Those of the one that was here before, where it is the same one again.
    moved: Arc<[Alone]>,
}

/// One worker's part of what was moved, on a cache line that no other worker writes to.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Alone(Moved);

/// A connection to a broker, with the port it holds.
#[derive(Debug)]
pub struct Upstream {
    /// The connection.
    pub stream: Leg,
    /// Held as long as the connection, for its drop alone.
    pub _lease: Option<Lease>,
}

impl Broker {
    /// As configured, for flows of so many workers.
    pub fn new(settings: &BrokerSettings, seed: u64, workers: usize) -> Broker {
        Broker {
            name: settings.policy.name.as_str().into(),
            addr: settings.addr,
            key: BrokerKey::of(&settings.addr.to_string()),
            settings: settings.clone(),
            sources: Sources::new(&settings.source, seed),
            moved: (0..workers).map(|_| Alone::default()).collect(),
        }
    }

    /// Counts on from what was moved for `before`.
    pub fn carry_on(&mut self, before: &Broker) {
        self.moved = before.moved.clone();
    }

    /// Bytes moved by one worker.
    pub fn moved(&self, worker: usize) -> &Moved {
        &self.moved[worker].0
    }

    /// Bytes moved by all of them.
    pub fn traffic(&self) -> Traffic {
        let mut traffic = Traffic::default();
        self.moved.iter().for_each(|moved| moved.0.add_to(&mut traffic));
        traffic
    }

    /// Connects for a probe: a shortage of our own ports is no news of the broker.
    pub async fn connect_anyhow(&self) -> Result<Upstream, Failure> {
        match self.connect().await {
            Err(Failure::NoSourcePort) => self.connect_from(&Sources::new(&[], 0)).await,
            connected => connected,
        }
    }

    /// Connects. The caller bounds the time.
    pub async fn connect(&self) -> Result<Upstream, Failure> {
        self.connect_from(&self.sources).await
    }

    async fn connect_from(&self, sources: &Sources) -> Result<Upstream, Failure> {
        let mut clashes = 0;
        loop {
            let (socket, lease) = match sources.socket(self.addr) {
                Ok(bound) => bound,
                Err(BindError::Exhausted) => return Err(Failure::NoSourcePort),
                Err(BindError::Os(error)) => {
                    tracing::warn!(broker = %self.name, %error, "cannot bind a source address");
                    return Err(Failure::NoSourcePort);
                }
            };
            match socket.connect(self.addr).await {
                Ok(stream) => {
                    // Small packets are the rule; an error here costs latency, not data.
                    let _ = stream.set_nodelay(true);
                    return Ok(Upstream { stream: Leg::Tcp(stream), _lease: lease });
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse
                        if lease.is_some() && clashes < CLASHES_MAX =>
                    {
                        clashes += 1;
                    }
                    io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => {
                        return Err(Failure::NoSourcePort);
                    }
                    io::ErrorKind::ConnectionRefused => return Err(Failure::ConnectRefused),
                    io::ErrorKind::TimedOut => return Err(Failure::ConnectTimedOut),
                    _ => return Err(Failure::Unreachable),
                },
            }
        }
    }
}
