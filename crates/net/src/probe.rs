//! Carrying out the probes that core asks for.
//!
//! Two tasks a broker. One holds the persistent MQTT session between two checks, so that a
//! broker that dies is noticed at once, and core is told without having asked. Fresh probes
//! have the other one, so that they do not wait behind a session that hangs.

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
use tokio::sync::mpsc;
use tokio::time::timeout_at;

use crate::clock::Clock;
use crate::dial::{Broker, Upstream};
use crate::leg::Leg;
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
        loop {
            let fact = tokio::select! {
                order = orders.recv() => match order {
                    None => break,
                    Some(order) => self.timed(order, &mut session).await,
                },
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
        match self.broker.connect_anyhow().await {
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
        let mut upstream = match self.broker.connect_anyhow().await {
            Ok(upstream) => upstream,
            Err(failure) => return ((refused(failure), None), None),
        };
        let mut bytes = Vec::new();
        proxy::own_header(&self.broker, &mut bytes);
        let credentials = self.broker.settings.credentials.as_ref();
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

async fn ping(stream: &mut Leg) -> Found {
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

async fn goodbye(stream: &mut Leg) {
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

#[cfg(test)]
mod tests {
    use isobar_core::policy::BrokerPolicy;
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;

    use super::*;
    use crate::settings::BrokerSettings;
    use tokio::task::JoinSet;

    const SOON: Duration = Duration::from_secs(10);

    /// Takes one session, answers all it says, and closes it when told.
    async fn broker(listener: TcpListener, mut close: oneshot::Receiver<()>) {
        let (mut stream, _) = listener.accept().await.expect("the prober connects");
        // The prober may not come a second time: nobody listens any more.
        drop(listener);
        let mut bytes = [0; 256];
        loop {
            let count = tokio::select! {
                read = stream.read(&mut bytes) => read.expect("the session stands"),
                _ = &mut close => return,
            };
            let answer: &[u8] = match bytes[..count].first() {
                Some(0x10) => &[0x20, 2, 0, 0],
                Some(0xc0) => &say::PINGRESP,
                other => panic!("neither CONNECT nor PINGREQ: {other:?}"),
            };
            stream.write_all(answer).await.expect("the session stands");
        }
    }

    #[tokio::test]
    async fn one_session_serves_every_check_until_the_broker_ends_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let settings = BrokerSettings {
            policy: BrokerPolicy {
                name: "b".to_owned(),
                addr: None,
                maxconn: None,
                check: None,
                slow_start: Duration::ZERO,
            },
            addr: listener.local_addr().expect("it is bound"),
            found_by: None,
            source: Vec::new(),
            send_proxy: None,
            credentials: None,
        };
        let clock = Clock::start();
        let prober = Prober {
            id: BrokerId(0),
            broker: Arc::new(Broker::new(&settings, 1, 1)),
            client_id: "probe".to_owned(),
            clock,
        };
        let (close, closed) = oneshot::channel();
        let (orders, taken) = mpsc::channel(PROBES_MAX);
        let (told, mut facts) = mpsc::channel(PROBES_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(broker(listener, closed));
        tasks.spawn(prober.run(taken, told));

        for _ in 0..4 {
            let order = Order { kind: ProbeKind::Mqtt, until: clock.now() + SOON };
            orders.send(order).await.expect("the prober runs");
            let fact = facts.recv().await.expect("the prober runs");
            assert!(matches!(fact, Fact::Probed { result: CheckResult::Alive, .. }), "{fact:?}");
            let more = tokio::time::timeout(Duration::from_millis(20), facts.recv()).await;
            assert!(more.is_err(), "nothing happened between two checks, but {more:?}");
        }
        close.send(()).expect("the broker runs");
        let fact = tokio::time::timeout(SOON, facts.recv()).await.expect("told without asking");
        assert!(
            matches!(fact, Some(Fact::Probed { result: CheckResult::SessionLost, .. })),
            "{fact:?}"
        );
    }
}
