//! Carrying out the probes that core asks for.
//!
//! One task a broker. It holds the persistent MQTT session between two checks, so that a
//! broker that dies is noticed at once, and core is told without having asked. A fresh probe
//! runs beside it on a connection of its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use isobar_core::health::ProbeKind;
use isobar_core::id::BrokerId;
use isobar_core::pool::Fact;
use isobar_core::report::CheckResult;
use isobar_core::retry::Failure;
use isobar_core::time::Time;
use isobar_wire::mqtt::connack::{Answer, scan_answer};
use isobar_wire::mqtt::{Protocol, say};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use crate::clock::Clock;
use crate::dial::{Broker, Upstream};
use crate::proxy;

/// Probes under way for one broker at once: core asks for one of each kind.
pub const PROBES_MAX: usize = 4;
/// How long a probe's goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A probe to carry out.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// What kind.
    pub kind: ProbeKind,
    /// To be finished by then.
    pub until: Time,
}

/// What one broker's probes need.
#[derive(Clone, Debug)]
pub struct Prober {
    /// The broker.
    pub id: BrokerId,
    /// How to reach it.
    pub broker: Arc<Broker>,
    /// Client id, unique to this node and broker.
    pub client_id: String,
    /// The clock.
    pub clock: Clock,
}

type Found = (CheckResult, Option<u8>);

impl Prober {
    /// Carries out orders and tells facts until the orders end. A fact that finds no room is
    /// waited for: core asks for no more before it has come.
    pub async fn run(self, mut orders: mpsc::Receiver<Order>, facts: mpsc::Sender<Fact>) {
        let mut session: Option<Upstream> = None;
        let mut fresh = JoinSet::new();
        loop {
            let fact = tokio::select! {
                order = orders.recv() => match order {
                    None => break,
                    Some(order) if order.kind == ProbeKind::Fresh => {
                        let prober = self.clone();
                        fresh.spawn(async move { prober.timed(order, &mut None).await });
                        continue;
                    }
                    Some(order) => self.timed(order, &mut session).await,
                },
                Some(Ok(fact)) = fresh.join_next() => fact,
                () = lost(&mut session) => {
                    session = None;
                    self.fact(ProbeKind::Mqtt, (CheckResult::SessionLost, None), Duration::ZERO)
                }
            };
            if facts.send(fact).await.is_err() {
                break;
            }
        }
        if let Some(mut session) = session {
            goodbye(&mut session.stream).await;
        }
    }

    async fn timed(&self, order: Order, session: &mut Option<Upstream>) -> Fact {
        let began = self.clock.now();
        let until = self.clock.instant(order.until);
        let found = match order.kind {
            ProbeKind::Tcp => timeout_at(until, self.tcp()).await,
            ProbeKind::Mqtt => timeout_at(until, self.mqtt(session)).await,
            ProbeKind::Fresh => timeout_at(until, self.fresh()).await,
        };
        let found = found.unwrap_or((CheckResult::TimedOut, None));
        if found.0 != CheckResult::Alive {
            // A session that does not answer is no session.
            *session = None;
        }
        self.fact(order.kind, found, self.clock.now().since(began))
    }

    fn fact(&self, kind: ProbeKind, (result, code): Found, took: Duration) -> Fact {
        Fact::Probed { broker: self.id, kind, result, code, took }
    }

    async fn tcp(&self) -> Found {
        match self.broker.connect().await {
            Ok(_) => (CheckResult::Alive, None),
            Err(failure) => (refused(failure), None),
        }
    }

    async fn mqtt(&self, session: &mut Option<Upstream>) -> Found {
        if let Some(standing) = session {
            return ping(&mut standing.stream).await;
        }
        let (found, upstream) = self.hello(&self.client_id, 0).await;
        // A refusal is a sign of life too, and the broker closes after it.
        *session = upstream.filter(|_| found == (CheckResult::Alive, Some(0)));
        found
    }

    async fn fresh(&self) -> Found {
        let (found, upstream) = self.hello(&format!("{}-f", self.client_id), 10).await;
        if let Some(mut upstream) = upstream {
            goodbye(&mut upstream.stream).await;
        }
        found
    }

    /// CONNECT and its answer.
    async fn hello(&self, client_id: &str, keepalive: u16) -> (Found, Option<Upstream>) {
        let mut upstream = match self.broker.connect().await {
            Ok(upstream) => upstream,
            Err(failure) => return ((refused(failure), None), None),
        };
        let mut bytes = Vec::new();
        proxy::own_header(&self.broker, &mut bytes);
        let credentials = self.broker.credentials.as_ref();
        let credentials = credentials.map(|c| (c.username.as_str(), c.password.as_deref()));
        say::probe_connect(client_id, keepalive, credentials, &mut bytes);
        // Where the write fails, the read says why.
        let _ = upstream.stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        loop {
            match upstream.stream.read_buf(&mut answer).await {
                Ok(0) | Err(_) if answer.is_empty() => {
                    return ((CheckResult::ClosedSilently, None), None);
                }
                Ok(0) | Err(_) => return ((CheckResult::NotMqtt, None), None),
                Ok(_) => {}
            }
            match scan_answer(&answer, Protocol::V311) {
                Ok(None) => {}
                Ok(Some(Answer::Connack(connack))) => {
                    return ((CheckResult::Alive, Some(connack.code)), Some(upstream));
                }
                Ok(Some(Answer::Auth { .. })) | Err(_) => {
                    return ((CheckResult::NotMqtt, None), None);
                }
            }
        }
    }
}

async fn ping(stream: &mut TcpStream) -> Found {
    if stream.write_all(&say::PINGREQ).await.is_err() {
        return (CheckResult::SessionLost, None);
    }
    let mut answer = [0; 2];
    match stream.read_exact(&mut answer).await {
        Ok(_) if answer == say::PINGRESP => (CheckResult::Alive, None),
        Ok(_) => (CheckResult::NotMqtt, None),
        Err(_) => (CheckResult::SessionLost, None),
    }
}

async fn goodbye(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    say::disconnect(Protocol::V311, 0, &mut bytes);
    let told = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    // The connection is closed either way.
    let _ = tokio::time::timeout(GOODBYE, told).await;
}

/// Ends when the standing session does. Without one, never.
async fn lost(session: &mut Option<Upstream>) {
    let Some(upstream) = session else { return std::future::pending().await };
    // Nothing is published to a session without subscriptions: any byte, EOF or error is an end.
    // A read of just what was there leaves the socket marked readable, so ask.
    let read = poll_fn(|cx| {
        let mut byte = [0];
        Pin::new(&mut upstream.stream).poll_read(cx, &mut ReadBuf::new(&mut byte))
    });
    let _ = read.await;
}

fn refused(failure: Failure) -> CheckResult {
    match failure {
        Failure::ConnectTimedOut => CheckResult::TimedOut,
        _ => CheckResult::Refused,
    }
}
