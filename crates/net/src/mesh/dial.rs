//! Reaching another node: names, handshake, and who it is.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use isobar_core::mesh::{CloseReason, Identity};
use isobar_wire::frame::Code;
use quinn::{ClientConfig, Connection, Endpoint, TransportConfig};
use tokio::time::{sleep, timeout};

use super::names::{NameError, Names};
use super::trust::{Peer, Refusal, Trust};

/// A try, names and all its addresses together, takes no longer.
const TRY: Duration = Duration::from_millis(2_500);
/// The next address is tried this much later, beside those before it.
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one try.
const ADDRESSES_MAX: usize = 16;

/// What it takes to dial.
#[derive(Debug)]
pub struct Dialer {
    /// Our one UDP socket.
    pub endpoint: Endpoint,
    /// Who we are and whom we believe.
    pub trust: Arc<Trust>,
    /// QUIC's limits.
    pub transport: Arc<TransportConfig>,
    /// The resolver.
    pub names: Names,
}

/// Why nobody was reached.
#[derive(Debug)]
pub enum DialError {
    /// No address is known.
    Nameless(Option<NameError>),
    /// Nobody answered in time.
    TimedOut,
    /// The other side, or trust in it, failed.
    Refused(String),
    /// Somebody else is there.
    Another(Identity),
}

impl Dialer {
    /// Reaches the node behind `addresses`, whoever it is, or `wanted`. They are tried one after
    /// the other without waiting for the end of each; the first one that is well wins.
    pub async fn dial(
        &self,
        addresses: &[String],
        wanted: Option<&Identity>,
    ) -> Result<(Connection, Peer), DialError> {
        timeout(TRY, self.race(addresses, wanted)).await.unwrap_or(Err(DialError::TimedOut))
    }

    async fn race(
        &self,
        addresses: &[String],
        wanted: Option<&Identity>,
    ) -> Result<(Connection, Peer), DialError> {
        let mut found: Vec<SocketAddr> = Vec::new();
        let mut last = DialError::Nameless(None);
        for address in addresses {
            match self.names.look_up(address).await {
                Ok(more) => found.extend(more),
                Err(error) => last = DialError::Nameless(Some(error)),
            }
        }
        found.truncate(ADDRESSES_MAX);
        let mut tries = FuturesUnordered::new();
        for (n, addr) in found.into_iter().enumerate() {
            tries.push(async move {
                sleep(STAGGER * n as u32).await;
                self.reach(addr, wanted).await
            });
        }
        while let Some(came) = tries.next().await {
            match came {
                Ok(reached) => return Ok(reached),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn reach(
        &self,
        addr: SocketAddr,
        wanted: Option<&Identity>,
    ) -> Result<(Connection, Peer), DialError> {
        let mut config = ClientConfig::new(self.trust.crypto().client);
        config.transport_config(self.transport.clone());
        let refused = |error: &dyn fmt::Display| DialError::Refused(error.to_string());
        let connecting = self.endpoint.connect_with(config, addr, self.trust.server_name());
        let connection = connecting.map_err(|error| refused(&error))?.await.map_err(|error| {
            self.trust.note_failure(&error, &addr);
            refused(&error)
        })?;
        let peer = self.trust.admit(&connection).map_err(|refusal: Refusal| refused(&refusal))?;
        let is = Identity { site: peer.identity.site.clone(), node: peer.identity.node.clone() };
        match wanted {
            Some(wanted) if *wanted != is => {
                super::link::close(&connection, Code::Mesh(CloseReason::Unneeded));
                Err(DialError::Another(is))
            }
            _ => Ok((connection, peer)),
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialError::Nameless(None) => f.write_str("no address is known"),
            DialError::Nameless(Some(error)) => write!(f, "no address: {error}"),
            DialError::TimedOut => f.write_str("no answer in time"),
            DialError::Refused(why) => f.write_str(why),
            DialError::Another(is) => write!(f, "{}/{} is there", is.site, is.node),
        }
    }
}
