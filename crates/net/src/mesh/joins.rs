//! Where the nodes are that this one was told to join.
//!
//! Names are looked up by the node's `discovery`; who dials takes what they stand for now.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::settings::JoinAddress;

/// The addresses of `mesh.join`.
#[derive(Debug, Default)]
pub struct Joins {
    list: Mutex<Vec<Join>>,
    /// Some have moved.
    pub stir: Notify,
}

#[derive(Debug)]
struct Join {
    /// As the mesh calls it.
    address: String,
    at: Vec<SocketAddr>,
    moved: bool,
}

impl Joins {
    /// Nothing is found yet.
    pub fn new(join: &[JoinAddress]) -> Joins {
        let join = join.iter().map(|join| Join {
            address: address(join),
            at: match join {
                JoinAddress::Address(addr) => vec![*addr],
                JoinAddress::Name(..) | JoinAddress::Service(_) => Vec::new(),
            },
            moved: false,
        });
        Joins { list: Mutex::new(join.collect()), stir: Notify::new() }
    }

    /// What the mesh calls them.
    pub fn addresses(&self) -> Vec<String> {
        self.list().iter().map(|join| join.address.clone()).collect()
    }

    /// One of them stands for these addresses from now on.
    pub fn found(&self, join: usize, addrs: Vec<SocketAddr>) {
        if let Some(join) = self.list().get_mut(join)
            && join.at != addrs
        {
            (join.at, join.moved) = (addrs, true);
            self.stir.notify_one();
        }
    }

    /// What an address of `mesh.join` stands for; `None` for any other.
    pub fn find(&self, address: &str) -> Option<Vec<SocketAddr>> {
        let list = self.list();
        list.iter().find(|join| join.address == address).map(|join| join.at.clone())
    }

    /// Those that have moved since the last call.
    pub fn moved(&self) -> Vec<usize> {
        let mut list = self.list();
        let moved = list.iter_mut().enumerate();
        moved.filter_map(|(n, join)| std::mem::take(&mut join.moved).then_some(n)).collect()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Join>> {
        // A panic between two assignments leaves nothing that could harm.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As the mesh calls it.
fn address(join: &JoinAddress) -> String {
    match join {
        JoinAddress::Address(addr) => addr.to_string(),
        JoinAddress::Name(host, port) => format!("{host}:{port}"),
        JoinAddress::Service(name) => name.clone(),
    }
}
