//! Questions on connections (RFC 7766): each has its length before it, and so has each answer.
//!
//! Who comes this way is who he says he is, so there is no rate. There are bounds on connections,
//! in all and from one network, on how long one may be idle, and on a question's length. Where
//! there is no room, the newcomer is closed at once: resolvers ask another server.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use isobar_core::entry::Prefix;
use isobar_core::rng::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answer::{self, Answers, Way};
use super::counters::Counters;
use super::query;

/// Connections at once, of all listeners.
pub const CONNECTIONS_MAX: usize = 256;
/// Connections of one network: a /24, or a /56 of IPv6.
pub const CONNECTIONS_NETWORK_MAX: usize = 32;
/// A connection may be idle for so long, and an answer may take as long to be taken.
pub const IDLE: Duration = Duration::from_secs(10);
/// And so long in all, whatever it asks: seats are few, and others wait for them.
pub const LIFETIME: Duration = Duration::from_secs(30);
/// A question has come whole within this time.
const WHOLE: Duration = Duration::from_secs(2);
/// Octets of a question.
const QUESTION_MAX: usize = 4_096;
/// After the system has refused a connection: out of descriptors, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that stand, by network.
#[derive(Debug, Default)]
pub struct Room {
    taken: Mutex<HashMap<Prefix, usize>>,
}

/// A seat in the room, given back when dropped.
#[derive(Debug)]
struct Seat {
    room: Arc<Room>,
    network: Prefix,
}

impl Room {
    fn enter(self: &Arc<Room>, peer: IpAddr) -> Option<Seat> {
        let peer = peer.to_canonical();
        let bits = if peer.is_ipv4() { 24 } else { 56 };
        let network = Prefix::new(peer, bits).ok()?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= CONNECTIONS_MAX {
            return None;
        }
        let own = taken.entry(network).or_default();
        if *own >= CONNECTIONS_NETWORK_MAX {
            return None;
        }
        *own += 1;
        Some(Seat { room: self.clone(), network })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.network) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

/// Takes connections until the task is dropped.
pub async fn serve(
    listener: TcpListener,
    room: Arc<Room>,
    answers: Arc<Answers>,
    counters: Arc<Counters>,
    mut rng: Rng,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let seat = room.enter(peer.ip());
                    counters.connection(seat.is_some());
                    if let Some(seat) = seat {
                        let (answers, counters) = (answers.clone(), counters.clone());
                        let rng = Rng::new(rng.draw());
                        let talk = converse(stream, peer.ip(), seat, answers, counters, rng);
                        connections.spawn(async move {
                            let _ = timeout(LIFETIME, talk).await;
                        });
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "dns: a connection was not taken");
                    sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers what comes on one connection, in turn.
async fn converse(
    mut stream: TcpStream,
    peer: IpAddr,
    _seat: Seat,
    answers: Arc<Answers>,
    counters: Arc<Counters>,
    mut rng: Rng,
) {
    let mut question = Vec::new();
    let mut out = Vec::new();
    let mut said = Vec::new();
    loop {
        let Ok(Ok(first)) = timeout(IDLE, stream.read_u8()).await else { return };
        let rest = async {
            let length = usize::from(first) << 8 | usize::from(stream.read_u8().await?);
            question.resize(length.min(QUESTION_MAX), 0);
            stream.read_exact(&mut question).await?;
            std::io::Result::Ok(length)
        };
        let Ok(Ok(length)) = timeout(WHOLE, rest).await else { return };
        counters.came(Way::Tcp);
        let outcome = match query::read(&question) {
            _ if length > QUESTION_MAX => {
                counters.malformed();
                return;
            }
            Ok(query) => Some(answers.answer(&query, (peer, Way::Tcp), rng.draw(), &mut out)),
            Err(fault) => {
                counters.malformed();
                answer::fault(fault, &mut out)
            }
        };
        let Some(outcome) = outcome else { return };
        counters.answered(outcome);
        said.clear();
        said.extend_from_slice(&(out.len() as u16).to_be_bytes());
        said.extend_from_slice(&out);
        match timeout(IDLE, stream.write_all(&said)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_by_network_and_in_all_and_given_back() {
        let room = Arc::new(Room::default());
        let enter = |a: u8, b: u8| room.enter(IpAddr::from([10, a, 0, b]));
        let mut seats: Vec<_> = (0..CONNECTIONS_NETWORK_MAX).map(|b| enter(0, b as u8)).collect();
        assert!(seats.iter().all(Option::is_some));
        assert!(enter(0, 200).is_none(), "the network has enough");
        for a in 1..8 {
            seats.extend((0..CONNECTIONS_NETWORK_MAX).map(|b| enter(a, b as u8)));
        }
        assert!(seats.iter().all(Option::is_some) && seats.len() == CONNECTIONS_MAX);
        assert!(enter(9, 1).is_none(), "all are taken");
        seats.truncate(1);
        assert!(enter(9, 1).is_some());
        drop(seats);
        assert!(room.taken.lock().expect("nobody panicked").is_empty());
    }
}
