//! A wide area network on one machine: a UDP relay between nodes on loopback, with delay, jitter,
//! loss, bursts of it, and cuts, each way by itself. For the demo and for tests.
//!
//! Every node gets a *front*, an address that stands for it in the world: it advertises the front,
//! others send to the front, and what it sends itself reaches them from there. So each sees its
//! peers at the addresses they advertise, as through a NAT that keeps its ports. Which way a
//! datagram goes is known from its source and from the front it was sent to; a node must send from
//! the one address that it was registered with.
//!
//! ```text
//!   fra-1 127.0.1.1:7443 --> front of nyc-1 --(path fra -> nyc)--> front of fra-1 --> nyc-1
//! ```
//!
//! The relay has a thread of its own, so that a busy test or demo does not add to its delays.

mod path;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use path::{Figures, Path};

use path::{Fate, Way};

/// Nodes of one relay.
const NODES_MAX: usize = 256;
/// The largest datagram there is.
const DATAGRAM_MAX: usize = 65_535;
/// Datagrams read from one front, or sent, before others have their turn.
const BATCH: usize = 64;
/// What a front may have to take at once; the system may allow less.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// A running relay. Dropped, it ends, and what was under way is lost.
#[derive(Debug)]
pub struct Wan {
    shared: Arc<Shared>,
    fronts: mpsc::Sender<(usize, std::net::UdpSocket)>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something is due earlier than before.
    sooner: Notify,
}

#[derive(Debug)]
struct State {
    seed: u64,
    nodes: Vec<Node>,
    by_addr: HashMap<SocketAddr, usize>,
    places: Vec<String>,
    /// From place to place, by their numbers.
    ways: HashMap<(usize, usize), Way>,
    queue: BinaryHeap<Reverse<Due>>,
    next: u64,
    strangers: u64,
}

#[derive(Debug)]
struct Node {
    place: usize,
    addr: SocketAddr,
    socket: Option<Arc<UdpSocket>>,
}

/// A datagram under way.
#[derive(Debug)]
struct Due {
    at: Instant,
    /// The order in which they came, among those due at once.
    number: u64,
    from: usize,
    to: usize,
    bytes: Box<[u8]>,
}

impl Wan {
    /// Starts one whose losses and jitters are drawn from `seed`. Every path is perfect at first.
    pub fn start(seed: u64) -> io::Result<Wan> {
        let state = State {
            seed,
            nodes: Vec::new(),
            by_addr: HashMap::new(),
            places: Vec::new(),
            ways: HashMap::new(),
            queue: BinaryHeap::new(),
            next: 0,
            strangers: 0,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), sooner: Notify::new() });
        // As long as there may be nodes: a full one cannot be.
        let (fronts, new_fronts) = mpsc::channel(NODES_MAX);
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let relay = relay(shared.clone(), new_fronts, stop.clone());
        let thread = std::thread::Builder::new()
            .name("wan".to_owned())
            .spawn(move || runtime.block_on(relay))?;
        Ok(Wan { shared, fronts, stop, thread: Some(thread) })
    }

    /// Registers a node that sends and receives at `addr`, somewhere in `place`: its site. Gives its
    /// front, on the same address with a port of its own.
    pub fn node(&self, place: &str, addr: SocketAddr) -> io::Result<SocketAddr> {
        let socket = std::net::UdpSocket::bind((addr.ip(), 0))?;
        socket.set_nonblocking(true)?;
        // As much as the system allows is what there is.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
        let front = socket.local_addr()?;
        let mut state = self.shared.state();
        let index = state.nodes.len();
        if index == NODES_MAX || state.by_addr.contains_key(&addr) {
            return Err(io::Error::other("too many nodes, or two of one address"));
        }
        self.fronts.try_send((index, socket)).map_err(|_| io::Error::other("the relay ended"))?;
        let place = state.place(place);
        state.nodes.push(Node { place, addr, socket: None });
        state.by_addr.insert(addr, index);
        Ok(front)
    }

    /// Makes the path from one place to another what it shall be from now on. What is under way
    /// keeps its time.
    pub fn set(&self, from: &str, to: &str, path: Path) {
        self.shared.state().way_between(from, to).path = path;
    }

    /// The same, both ways.
    pub fn set_both(&self, a: &str, b: &str, path: Path) {
        self.set(a, b, path);
        self.set(b, a, path);
    }

    /// Changes one way of a path: `wan.change("fra", "nyc", |path| path.is_cut = true)`.
    pub fn change(&self, from: &str, to: &str, change: impl FnOnce(&mut Path)) {
        change(&mut self.shared.state().way_between(from, to).path);
    }

    /// What has become of the datagrams of one way.
    pub fn figures(&self, from: &str, to: &str) -> Figures {
        self.shared.state().way_between(from, to).figures
    }

    /// Datagrams that came to a front from no node.
    pub fn strangers(&self) -> u64 {
        self.shared.state().strangers
    }
}

impl Drop for Wan {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // It panicked, if at all, where a test has seen it.
            let _ = thread.join();
        }
    }
}

async fn relay(
    shared: Arc<Shared>,
    mut new_fronts: mpsc::Receiver<(usize, std::net::UdpSocket)>,
    stop: CancellationToken,
) {
    let mut tasks = JoinSet::new();
    tasks.spawn(deliver(shared.clone()));
    loop {
        let (index, socket) = tokio::select! {
            () = stop.cancelled() => return,
            Some(new) = new_fronts.recv() => new,
        };
        let Ok(socket) = UdpSocket::from_std(socket).map(Arc::new) else { continue };
        shared.state().nodes[index].socket = Some(socket.clone());
        tasks.spawn(listen(shared.clone(), index, socket));
    }
}

/// Takes what is sent to the front of node `to`.
async fn listen(shared: Arc<Shared>, to: usize, socket: Arc<UdpSocket>) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        // An error is one of an earlier datagram: its address was nobody's.
        if socket.readable().await.is_err() {
            return;
        }
        for _ in 0..BATCH {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, from)) => shared.take(from, to, &buffer[..length]),
                Err(_) => break,
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Sends what is due, each from the front of its sender.
async fn deliver(shared: Arc<Shared>) {
    loop {
        let (due, next) = shared.due(Instant::now());
        for (socket, to, bytes) in &due {
            // Nobody there, or no room: lost, as in the world.
            let _ = socket.send_to(bytes, *to).await;
        }
        if due.len() == BATCH {
            tokio::task::yield_now().await;
            continue;
        }
        let wait = async {
            match next {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {}
            () = shared.sooner.notified() => {}
        }
    }
}

type Sending = (Arc<UdpSocket>, SocketAddr, Box<[u8]>);

impl Shared {
    /// Puts a datagram on its way, or loses it.
    fn take(&self, from: SocketAddr, to: usize, bytes: &[u8]) {
        let mut state = self.state();
        let Some(&from) = state.by_addr.get(&from) else {
            state.strangers += 1;
            return;
        };
        let now = Instant::now();
        let Fate::Arrives(at) = state.way_of(from, to).send(now, bytes.len()) else {
            return;
        };
        let is_first = state.queue.peek().is_none_or(|Reverse(first)| at < first.at);
        let number = state.next;
        state.next += 1;
        state.queue.push(Reverse(Due { at, number, from, to, bytes: bytes.into() }));
        drop(state);
        if is_first {
            self.sooner.notify_one();
        }
    }

    /// What is to be sent now, and when to look again.
    fn due(&self, now: Instant) -> (Vec<Sending>, Option<Instant>) {
        let mut state = self.state();
        let mut sendings = Vec::new();
        while sendings.len() < BATCH {
            match state.queue.peek() {
                Some(Reverse(first)) if first.at <= now => {}
                first => return (sendings, first.map(|Reverse(first)| first.at)),
            }
            let Some(Reverse(Due { from, to, bytes, .. })) = state.queue.pop() else { break };
            let arrives = state.way_of(from, to).arrive(bytes.len());
            let front = state.nodes[from].socket.clone().filter(|_| arrives);
            if let Some(front) = front {
                sendings.push((front, state.nodes[to].addr, bytes));
            }
        }
        (sendings, None)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

impl State {
    /// The number of a place, which is new if it was not heard of.
    fn place(&mut self, name: &str) -> usize {
        self.places.iter().position(|place| place == name).unwrap_or_else(|| {
            self.places.push(name.to_owned());
            self.places.len() - 1
        })
    }

    fn way_between(&mut self, from: &str, to: &str) -> &mut Way {
        let key = (self.place(from), self.place(to));
        self.way(key)
    }

    /// From node to node.
    fn way_of(&mut self, from: usize, to: usize) -> &mut Way {
        let key = (self.nodes[from].place, self.nodes[to].place);
        self.way(key)
    }

    fn way(&mut self, key: (usize, usize)) -> &mut Way {
        let State { ways, places, seed, .. } = self;
        // Each way draws for itself, by its name: one more place changes nothing for the others.
        ways.entry(key).or_insert_with(|| Way::new(*seed, &places[key.0], &places[key.1]))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
