//! Questions in datagrams.
//!
//! One loop a socket: what has come is answered at once, as many as there are up to a bound, and
//! then others have their turn. Nothing waits here: an answer that the system does not take is
//! lost, as a datagram may be anywhere.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use isobar_core::rng::Rng;
use tokio::net::UdpSocket;
use tokio::task::yield_now;

use super::answer::{self, Answers, Way};
use super::counters::Counters;
use super::limit::{Limit, Verdict};
use super::query;
use super::reply::UDP_MAX;

/// Questions in one turn.
const TURN: usize = 64;

/// What answers need beside the zone.
pub struct Desk {
    /// What they are made from.
    pub answers: Arc<Answers>,
    /// What was done.
    pub counters: Arc<Counters>,
    /// Who has had enough.
    pub limit: Limit,
    /// Where draws come from.
    pub rng: Rng,
    /// Times are counted from here.
    pub since: Instant,
}

/// Answers until the task is dropped.
pub async fn serve(socket: UdpSocket, mut desk: Desk) {
    // One octet more than is taken, so that what is longer shows.
    let mut question = [0; UDP_MAX + 1];
    let mut out = Vec::with_capacity(UDP_MAX);
    loop {
        if let Err(error) = socket.readable().await {
            tracing::error!(%error, "dns: a socket cannot be read");
            return;
        }
        for _ in 0..TURN {
            match socket.try_recv_from(&mut question) {
                Ok((length, peer)) => {
                    if !desk.answer(&question[..length], peer, &mut out) {
                        continue;
                    }
                    if socket.try_send_to(&out, peer).is_err() {
                        desk.counters.unsent();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Word that an earlier answer did not arrive; that is its asker's business.
                Err(_) => {}
            }
        }
        yield_now().await;
    }
}

impl Desk {
    /// Whether there is an answer to send, in `out`.
    fn answer(&mut self, question: &[u8], peer: SocketAddr, out: &mut Vec<u8>) -> bool {
        self.counters.came(Way::Udp);
        // Nobody is there: it is forged.
        if peer.port() == 0 {
            self.counters.malformed();
            return false;
        }
        let ip: IpAddr = peer.ip();
        let read = match question.len() {
            ..=UDP_MAX => query::read(question),
            _ => query::read(&question[..0]),
        };
        let outcome = match read {
            Ok(query) => match self.verdict(ip) {
                Verdict::Answer => {
                    let draw = self.rng.draw();
                    self.answers.answer(&query, (ip, Way::Udp), draw, out)
                }
                Verdict::Slip => {
                    answer::slip(&query, out);
                    self.counters.limited(true);
                    return true;
                }
                Verdict::Silence => {
                    self.counters.limited(false);
                    return false;
                }
            },
            Err(fault) => {
                self.counters.malformed();
                let verdict = self.verdict(ip);
                let outcome = answer::fault(fault, out);
                match outcome.filter(|_| verdict == Verdict::Answer) {
                    Some(outcome) => outcome,
                    None => return false,
                }
            }
        };
        self.counters.answered(outcome);
        true
    }

    fn verdict(&mut self, peer: IpAddr) -> Verdict {
        let now = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.limit.take(peer, now)
    }
}
