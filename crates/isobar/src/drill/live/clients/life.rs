//! The life of one client: it finds a site, connects, stays, loses its connection, comes back.
//!
//! The way between it and a site is waited out here: a round trip for the TCP connection, one for
//! CONNECT and CONNACK, half of one until it hears of an end. A PINGREQ and its answer are not put
//! off: `ping_timeout` is longer than any way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use isobar_core::rng::Rng;
use isobar_sim::drill::{Backoff, NodeAt, SiteNo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::World;
use super::talk::{Heard, Hello, Talk};
use crate::drill::live::entry::Told;
use crate::drill::live::ledger::Outcome;

/// What a client is told by whoever breaks things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::drill::live) enum Order {
    /// Its connection is reset under it.
    Reset,
    /// Nothing comes through to it any more, and nobody hears of it.
    FallSilent,
    /// It goes, and does not come back.
    Leave,
}

/// One client.
pub(super) struct Person {
    world: Arc<World>,
    number: usize,
    home: SiteNo,
    hello: Hello,
    backoff: Backoff,
    /// It tries the address it knows before it asks again.
    is_stale: bool,
    draws: Rng,
    /// Where it was last.
    known: Option<(NodeAt, SocketAddr)>,
    /// Tries in a row that came to nothing.
    failures: u32,
}

/// Why a stay was over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Lost,
    /// By its own will, to come again.
    Went,
    /// For good.
    Left,
}

impl Person {
    pub(super) fn new(
        world: Arc<World>,
        (number, home): (usize, SiteNo),
        hello: Hello,
        (backoff, is_stale): (Backoff, bool),
        draws: Rng,
    ) -> Person {
        Person { world, number, home, hello, backoff, is_stale, draws, known: None, failures: 0 }
    }

    pub(super) async fn live(mut self, after: Duration, mut orders: mpsc::Receiver<Order>) {
        sleep(after).await;
        self.world.ledger.wants(self.number);
        loop {
            let end = tokio::select! {
                end = self.tries() => end,
                () = told_to_leave(&mut orders) => Err(End::Left),
            };
            let end = match end {
                Ok(talk) => self.stays(talk, &mut orders).await,
                Err(end) => end,
            };
            match end {
                End::Lost => self.world.ledger.notices(self.number),
                End::Went => {
                    self.world.ledger.leaves(self.number);
                    let away = self.about(self.world.clients.away);
                    sleep(away).await;
                    self.world.ledger.wants(self.number);
                }
                End::Left => return self.world.ledger.leaves(self.number),
            }
            self.failures = 0;
            if end == End::Lost {
                self.rests().await;
            }
        }
    }

    /// Tries until it is served.
    async fn tries(&mut self) -> Result<Talk, End> {
        loop {
            match self.opens().await {
                Ok(talk) => return Ok(talk),
                Err(outcome) => self.world.ledger.fails(self.number, outcome),
            }
            self.failures = self.failures.saturating_add(1);
            self.rests().await;
        }
    }

    /// What its back-off says after so many failures.
    async fn rests(&mut self) {
        let bound = self.backoff.bound(self.failures);
        let wait = match self.backoff {
            Backoff::FullJitter { .. } => self.part_of(bound),
            Backoff::Exponential { .. } | Backoff::Fixed { .. } => bound,
        };
        sleep(wait).await;
    }

    /// One try: an address, a connection, a CONNACK.
    async fn opens(&mut self) -> Result<Talk, Outcome> {
        let (node, addr) = self.finds().await?;
        let syn = std::time::Instant::now();
        let patience = self.world.clients.patience;
        let tried = timeout(patience, self.connects(node.site, addr)).await;
        let talk = tried.unwrap_or(Err(Outcome::NoAnswer))?;
        self.known = Some((node, addr));
        self.world.ledger.welcomed(self.number, node, syn);
        Ok(talk)
    }

    /// Its old address, if it is of those who believe that, or what it is told.
    async fn finds(&mut self) -> Result<(NodeAt, SocketAddr), Outcome> {
        let World { ledger, guide, .. } = &*self.world;
        let stale = |site| (!guide.may_name(site)).then_some(site);
        if let Some(known) = self.known.filter(|_| self.is_stale && self.failures == 0) {
            ledger.tries(self.number, stale(known.0.site));
            return Ok(known);
        }
        let Some(Told { doors }) = guide.ask(self.home).await else {
            return Err(Outcome::NoAddress);
        };
        // Resolvers turn the order of addresses with every answer.
        let addresses = u32::try_from(doors.len()).unwrap_or(u32::MAX);
        let door = doors[usize::try_from(self.draws.below(addresses)).unwrap_or(0)];
        ledger.tries(self.number, stale(door.0.site));
        Ok(door)
    }

    async fn connects(&self, site: SiteNo, addr: SocketAddr) -> Result<Talk, Outcome> {
        let way = self.world.way(self.home, site);
        sleep(way / 2).await;
        let Ok(stream) = TcpStream::connect(addr).await else {
            sleep(way / 2).await;
            return Err(Outcome::Unreachable);
        };
        sleep(way).await;
        let mut talk = Talk::new(stream, self.hello.is_v5);
        let said = talk.connect(&self.hello).await;
        let heard = match said {
            Ok(()) => talk.hear().await,
            Err(_) => Heard::End,
        };
        sleep(way / 2).await;
        match heard {
            Heard::Accepted => Ok(talk),
            Heard::Refused => Err(Outcome::Refused),
            _ => Err(Outcome::Closed),
        }
    }

    /// Served, until it knows that it is not any more.
    async fn stays(&mut self, mut talk: Talk, orders: &mut mpsc::Receiver<Order>) -> End {
        let world = self.world.clone();
        let World { clients, ledger, brokers, .. } = &*world;
        let site = self.known.map_or(self.home, |(node, _)| node.site);
        let way = self.world.way(self.home, site);
        let goes = clients.stay.map(|stay| Instant::now() + self.about(stay));
        // Its own phase: clients that came together do not ask together.
        let mut ping = Instant::now() + self.part_of(clients.keepalive);
        let mut asked: Option<Instant> = None;
        let mut is_dark = false;
        if talk.ask_where().await.is_err() {
            return End::Lost;
        }
        loop {
            tokio::select! {
                heard = talk.hear(), if !is_dark => match heard {
                    Heard::Here(name) => {
                        if let Some(broker) = brokers.get(&name) {
                            ledger.located(self.number, *broker);
                        }
                    }
                    Heard::Pong => asked = None,
                    Heard::End => {
                        sleep(way / 2).await;
                        return End::Lost;
                    }
                    Heard::Accepted | Heard::Refused | Heard::Other => {}
                },
                () = until(asked.map(|at| at + clients.ping_timeout)) => {
                    // Nobody hears that it gives up, if nobody hears anything.
                    if is_dark {
                        world.keep_open(talk.into_stream());
                    }
                    return End::Lost;
                }
                () = sleep_until(ping), if !clients.keepalive.is_zero() => {
                    ping += clients.keepalive;
                    asked = asked.or(Some(Instant::now()));
                    if !is_dark && talk.ping().await.is_err() {
                        return End::Lost;
                    }
                }
                () = until(goes) => {
                    if is_dark {
                        world.keep_open(talk.into_stream());
                    } else {
                        talk.goodbye().await;
                    }
                    return End::Went;
                }
                order = orders.recv() => match order {
                    Some(Order::Reset) => {
                        talk.reset();
                        return End::Lost;
                    }
                    Some(Order::FallSilent) => is_dark = true,
                    Some(Order::Leave) | None => {
                        talk.goodbye().await;
                        return End::Left;
                    }
                },
            }
        }
    }

    /// Anything up to that.
    fn part_of(&mut self, most: Duration) -> Duration {
        let micros = u32::try_from(most.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(u64::from(self.draws.below(micros)))
    }

    /// Anything, but that on average: exponentially distributed, as what comes by chance is.
    fn about(&mut self, mean: Duration) -> Duration {
        let part = (f64::from(self.draws.below(u32::MAX)) + 1.0) / f64::from(u32::MAX);
        Duration::try_from_secs_f64(-part.ln() * mean.as_secs_f64()).unwrap_or(mean)
    }
}

/// Then, or never.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Who is not connected can lose no connection.
async fn told_to_leave(orders: &mut mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        if order == Order::Leave {
            return;
        }
    }
}
