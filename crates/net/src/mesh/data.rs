//! Data connections: where the tunnels to a node go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isobar_core::id::PeerId;
use isobar_core::mesh::LinkId;
use quinn::Connection;
use tokio::sync::{mpsc, oneshot};

use super::tunnel::{Tunnel, Uses};

/// Flows that wait for a data connection that has to be made first.
pub const WANTED_MAX: usize = 1_024;

/// A flow needs a data connection to a node.
#[derive(Debug)]
pub struct Wanted {
    /// Which node.
    pub peer: PeerId,
    /// Dropped where none comes.
    pub word: oneshot::Sender<Connection>,
}

/// Why there is no tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoTunnel {
    /// The node cannot be reached.
    Unreachable,
    /// It could, and its connection failed.
    Lost,
}

/// All data connections, by node.
#[derive(Debug)]
pub struct DataLinks {
    /// In the order they came; new tunnels go to the last.
    open: Mutex<HashMap<PeerId, Vec<(LinkId, Connection)>>>,
    /// By connection, also those that get no new tunnels.
    uses: Mutex<HashMap<usize, Uses>>,
    wanted: mpsc::Sender<Wanted>,
}

impl DataLinks {
    /// None; what is wanted is told to the driver.
    pub fn new(wanted: mpsc::Sender<Wanted>) -> Arc<DataLinks> {
        Arc::new(DataLinks { open: Mutex::default(), uses: Mutex::default(), wanted })
    }

    /// A connection stands.
    pub fn add(&self, peer: PeerId, link: LinkId, connection: Connection) {
        self.open().entry(peer).or_default().push((link, connection));
    }

    /// A connection is gone, or gets no new tunnels.
    pub fn remove(&self, link: LinkId) {
        self.open().retain(|_, links| {
            links.retain(|(one, _)| *one != link);
            !links.is_empty()
        });
    }

    /// The connection for new tunnels to a node.
    pub fn find(&self, peer: PeerId) -> Option<Connection> {
        self.open().get(&peer)?.last().map(|(_, connection)| connection.clone())
    }

    /// Opens a stream to a node, with a connection made for it if there is none. The caller
    /// bounds the time.
    pub async fn tunnel(&self, peer: PeerId) -> Result<Tunnel, NoTunnel> {
        let connection = match self.find(peer) {
            Some(connection) => connection,
            None => {
                let (word, made) = oneshot::channel();
                // Full: more wait than would ever be served in time.
                self.wanted.try_send(Wanted { peer, word }).map_err(|_| NoTunnel::Unreachable)?;
                made.await.map_err(|_| NoTunnel::Unreachable)?
            }
        };
        let uses = self.uses(&connection);
        let stream = connection.open_bi().await.map_err(|_| NoTunnel::Lost)?;
        Ok(Tunnel::new(stream, &uses))
    }

    /// The count of a connection's tunnels, until [`DataLinks::forget`].
    pub fn uses(&self, connection: &Connection) -> Uses {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.entry(connection.stable_id()).or_default().clone()
    }

    /// A connection is gone for good.
    pub fn forget(&self, connection: &Connection) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.remove(&connection.stable_id());
    }

    fn open(&self) -> MutexGuard<'_, HashMap<PeerId, Vec<(LinkId, Connection)>>> {
        // A panic between two operations on the map leaves it whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
