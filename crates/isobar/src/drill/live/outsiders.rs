//! Who is no client of the drill: outsiders that take every place a broker has left, and
//! connections that nobody will ever accept, so that a stopped broker answers no SYN either.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::clients::{Heard, Talk};

/// For a broker's CONNACK.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before an outsider tries again where there was no place.
const AGAIN: Duration = Duration::from_millis(100);
/// Outsiders at one broker.
const OUTSIDERS_MAX: u32 = 10_000;
/// More than the backlogs of mosquitto (100) and of the embedded broker (1,024).
const CROWD: usize = 1_100;
/// One after the other so many, until one is not answered.
const KNOCKS: usize = 110;
/// On loopback a SYN is answered at once, or not at all.
const ANSWERS: Duration = Duration::from_millis(50);

/// Outsiders at one broker; dropped, they go.
#[derive(Debug)]
pub(super) struct Outsiders {
    held: Arc<AtomicU32>,
    task: AbortHandle,
}

impl Outsiders {
    /// They come, and take what becomes free too.
    pub(super) fn come(tasks: &mut JoinSet<()>, broker: SocketAddr) -> Outsiders {
        let held = Arc::new(AtomicU32::new(0));
        let task = tasks.spawn(hold(broker, held.clone()));
        Outsiders { held, task }
    }

    /// Places that they hold.
    pub(super) fn held(&self) -> u32 {
        self.held.load(Ordering::Relaxed)
    }
}

impl Drop for Outsiders {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hold(broker: SocketAddr, held: Arc<AtomicU32>) {
    let mut all = Vec::new();
    for number in 0..OUTSIDERS_MAX {
        let talk = loop {
            match Talk::outsider(broker, number, PATIENCE).await {
                Some(talk) => break talk,
                None => sleep(AGAIN).await,
            }
        };
        all.push(talk);
        held.fetch_add(1, Ordering::Relaxed);
    }
    std::future::pending().await
}

impl Talk {
    /// An outsider that was let in.
    async fn outsider(broker: SocketAddr, number: u32, patience: Duration) -> Option<Talk> {
        let enters = async {
            let stream = TcpStream::connect(broker).await.ok()?;
            let mut talk = Talk::new(stream, false);
            talk.connect_as(&format!("outsider-{number}")).await.ok()?;
            (talk.hear().await == Heard::Accepted).then_some(talk)
        };
        timeout(patience, enters).await.ok()?
    }
}

/// Fills the backlog of somebody who accepts nobody: from then on the kernel drops SYNs. What
/// holds it full.
pub(super) async fn stuff(addr: SocketAddr) -> Vec<TcpStream> {
    let mut all = Vec::new();
    while all.len() < CROWD {
        let knocks = (0..KNOCKS).map(|_| timeout(ANSWERS, TcpStream::connect(addr)));
        let answered: Vec<_> = join_all(knocks).await.into_iter().flatten().flatten().collect();
        let is_full = answered.len() < KNOCKS;
        all.extend(answered);
        if is_full {
            break;
        }
    }
    all
}
