//! Many clients at a rate, and what each of them met.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::{Client, Failure, PATIENCE};
use super::packet::{Connack, Connect};

/// Clients that connect, one after the other or many at once.
#[derive(Clone)]
pub struct Storm {
    targets: Vec<SocketAddr>,
    clients: usize,
    rate: f64,
    concurrency: usize,
    sources: u8,
    patience: Duration,
    connect: Arc<dyn Fn(usize) -> Connect + Send + Sync>,
}

impl Storm {
    /// `clients` clients of 3.1.1, each with its own client id, as fast as 64 at once can, from
    /// 16 source addresses.
    pub fn new(target: SocketAddr, clients: usize) -> Storm {
        Storm {
            targets: vec![target],
            clients,
            rate: f64::INFINITY,
            concurrency: 64,
            sources: 16,
            patience: PATIENCE,
            connect: Arc::new(|i| Connect::v311(&format!("storm-{i}"))),
        }
    }

    /// New clients a second.
    pub fn rate(mut self, per_second: f64) -> Storm {
        self.rate = per_second;
        self
    }

    /// Unanswered clients at once; beyond, the next ones are late.
    pub fn concurrency(mut self, n: usize) -> Storm {
        self.concurrency = n;
        self
    }

    /// Further addresses, taken in turn.
    pub fn also(mut self, target: SocketAddr) -> Storm {
        self.targets.push(target);
        self
    }

    /// Source addresses to spread over.
    pub fn sources(mut self, n: u8) -> Storm {
        self.sources = n;
        self
    }

    /// How long a client waits for its CONNACK.
    pub fn patience(mut self, patience: Duration) -> Storm {
        self.patience = patience;
        self
    }

    /// What client `i` says.
    pub fn connects(mut self, f: impl Fn(usize) -> Connect + Send + Sync + 'static) -> Storm {
        self.connect = Arc::new(f);
        self
    }

    /// Runs to the last client's answer.
    pub async fn run(self) -> Outcomes {
        super::raise_descriptor_limit();
        let start = tokio::time::Instant::now();
        let room = Arc::new(Semaphore::new(self.concurrency));
        let mut tasks = JoinSet::new();
        for i in 0..self.clients {
            if self.rate.is_finite() {
                tokio::time::sleep_until(start + Duration::from_secs_f64(i as f64 / self.rate))
                    .await;
            }
            let permit = room.clone().acquire_owned().await.expect("never closed");
            let target = self.targets[i % self.targets.len()];
            let n = u8::try_from(i % usize::from(self.sources)).expect("sources are few");
            let source = IpAddr::V4(Ipv4Addr::new(127, 1, 1, 1 + n));
            let (connect, patience) = (self.connect.clone(), self.patience);
            tasks.spawn(async move {
                let outcome = Outcome::of(i, target, source, &connect(i), patience).await;
                drop(permit);
                outcome
            });
        }
        let mut outcomes = tasks.join_all().await;
        outcomes.sort_by_key(|o| o.index);
        Outcomes(outcomes)
    }
}

/// What one client met.
pub struct Outcome {
    /// Which one.
    pub index: usize,
    /// When it began.
    pub began: Instant,
    /// From before the TCP connection to the CONNACK, or to the failure.
    pub took: Duration,
    /// Its address and port; `None` if it had no connection.
    pub addr: Option<SocketAddr>,
    /// The CONNACK, or why there was none.
    pub result: Result<Connack, Failure>,
    /// Still connected, if it was answered.
    pub client: Option<Client>,
}

impl Outcome {
    async fn of(
        index: usize,
        target: SocketAddr,
        source: IpAddr,
        connect: &Connect,
        patience: Duration,
    ) -> Outcome {
        let began = Instant::now();
        let mut client = match Client::open(target, Some(source)).await {
            Ok(client) => client,
            Err(e) => {
                let took = began.elapsed();
                return Outcome { index, began, took, addr: None, result: Err(e), client: None };
            }
        };
        client.patience = patience;
        let result = client.connect(connect).await;
        let took = began.elapsed();
        let addr = Some(client.local_addr());
        client.patience = PATIENCE;
        let client = result.is_ok().then_some(client);
        Outcome { index, began, took, addr, result, client }
    }

    /// CONNACK 0.
    pub fn accepted(&self) -> bool {
        self.result.as_ref().is_ok_and(|connack| connack.code == 0)
    }
}

/// What all of them met, in their order.
pub struct Outcomes(pub Vec<Outcome>);

impl Outcomes {
    /// Those with CONNACK 0.
    pub fn accepted(&self) -> usize {
        self.0.iter().filter(|o| o.accepted()).count()
    }

    /// How many met what.
    pub fn tally(&self) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for outcome in &self.0 {
            let key = match &outcome.result {
                Ok(connack) => format!("CONNACK {:#04x}", connack.code),
                Err(failure) => format!("{failure:?}"),
            };
            *tally.entry(key).or_default() += 1;
        }
        tally
    }

    /// Panics, with the tally, unless all were accepted.
    pub fn assert_all_accepted(&self) {
        assert_eq!(self.accepted(), self.0.len(), "{}", self.summary());
    }

    /// The time that a share `q` of the clients did not exceed.
    pub fn quantile(&self, q: f64) -> Duration {
        quantile(self.0.iter().map(|o| o.took).collect(), q)
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|q| self.quantile(q));
        format!(
            "{} clients: {:?}; p50 {p50:.1?} p99 {p99:.1?} max {max:.1?}",
            self.0.len(),
            self.tally()
        )
    }

    /// The connected clients.
    pub fn into_clients(self) -> Vec<Client> {
        self.0.into_iter().filter_map(|o| o.client).collect()
    }

    /// All connected clients leave in good order.
    pub async fn disconnect(self) {
        for client in self.into_clients() {
            client.disconnect().await;
        }
    }
}

/// The value that a share `q` of `times` does not exceed; zero if there are none.
pub fn quantile(mut times: Vec<Duration>, q: f64) -> Duration {
    times.sort();
    let last = times.len().saturating_sub(1);
    let at = (last as f64 * q).round() as usize;
    times.get(at).copied().unwrap_or_default()
}
