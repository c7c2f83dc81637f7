//! The demo's clients. Half speak 3.1.1, half 5.0; all of them know one name.
//!
//! Before it connects, each time, a client asks the resolver of its region for the name. It tries
//! the addresses in the order of the answer, the next one where nobody listens, and comes back with
//! a new question after a pause. Each client of the fleet writes a letter a second, at QoS 1, to
//! the client that lives half the fleet away, and reports what it hears. It loses patience where
//! nothing acknowledges a letter, connects again, and sends that letter again: what a decent device
//! does. A newcomer asks and connects once, and must be let in. A stranger connects straight to a
//! broker, past the node, and takes a place there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant as Later, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::ledger::{Guest, Ledger, Letter, Party};
use super::mqtt::{Gone, Heard, Session, Version};
use super::names::{Lead, Names};

/// From a letter sent until its PUBACK; a client that waited longer gives the session up.
const PATIENCE: Duration = Duration::from_secs(2);
/// For the CONNACK: more than the node's `deadline`, so that the node's answer is heard.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);
/// Letters a second, the whole fleet together, at most.
const LETTERS: u32 = 300;

/// What all clients of the fleet share.
#[derive(Clone)]
pub(super) struct Fleet {
    /// By what they find a node.
    pub(super) names: Names,
    /// What the brokers call themselves.
    pub(super) brokers: Arc<[String]>,
    /// How many clients: as many in each region.
    pub(super) size: usize,
    /// What they notice.
    pub(super) ledger: Ledger,
    /// Whether letters are to be written.
    pub(super) writing: watch::Receiver<bool>,
}

impl Fleet {
    /// Sends everybody off. They come back only with the `JoinSet`.
    pub(super) fn launch(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for number in 0..self.size {
            tasks.spawn(Client::new(self.clone(), number).live());
        }
        tasks
    }

    /// The index of the broker that a message under `here` names.
    fn named(&self, payload: &[u8]) -> Option<usize> {
        self.brokers.iter().position(|name| name.as_bytes() == payload)
    }

    /// Whom that client writes to: half the fleet away, and in the same region.
    fn partner(&self, number: usize) -> usize {
        let regions = self.names.regions();
        (number + self.size / 2 / regions * regions) % self.size
    }

    /// Asks for the name, and connects to the first address of the answer at which somebody
    /// listens.
    async fn arrive(
        &self,
        region: usize,
        version: Version,
        id: &str,
    ) -> Result<(Session, Lead), Gone> {
        let leads = self.names.ask(region).await.inspect_err(|_| self.ledger.unnamed())?;
        let mut gone = Gone::new("no address");
        for lead in leads {
            let mut session = Session::new(version, id, lead.addr());
            match session.accepted(CONNECT_PATIENCE).await {
                Ok(()) => return Ok((session, lead)),
                Err(why) => gone = why,
            }
            self.ledger.refused();
            if !gone.is_unreachable {
                break;
            }
        }
        Err(gone)
    }

    /// Between two letters of one client: a second, or more where the fleet is large.
    fn period(&self) -> Duration {
        let size = u32::try_from(self.size).unwrap_or(u32::MAX);
        Duration::from_secs(1).max(Duration::from_secs(1) * size / LETTERS)
    }
}

struct Client {
    fleet: Fleet,
    number: usize,
    /// The next letter's number.
    next: u32,
    /// Sent, not acknowledged: and since when.
    open: Option<(Letter, Instant)>,
}

impl Client {
    fn new(fleet: Fleet, number: usize) -> Client {
        Client { fleet, number, next: 0, open: None }
    }

    async fn live(mut self) {
        // Not all in one moment, at first and after a cut.
        sleep(Duration::from_millis(u64::try_from(self.number % 500).unwrap_or(0))).await;
        loop {
            if let Some((session, lead)) = self.arrive().await {
                self.fleet.ledger.served(self.number, lead);
                let _gone = self.correspond(session).await;
                let since = self.open.map_or_else(Instant::now, |(_, since)| since);
                self.fleet.ledger.cut(self.number, since);
            }
            let pause = 100 + u64::try_from(self.number * 7 % 200).unwrap_or(0);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn arrive(&self) -> Option<(Session, Lead)> {
        let id = format!("demo-c{:04}", self.number);
        let region = self.number % self.fleet.names.regions();
        let (mut session, lead) =
            self.fleet.arrive(region, Version::of(self.number), &id).await.ok()?;
        match self.subscribe(&mut session).await {
            Ok(()) => Some((session, lead)),
            Err(_) => {
                self.fleet.ledger.refused();
                None
            }
        }
    }

    async fn subscribe(&self, session: &mut Session) -> Result<(), Gone> {
        session.subscribe(&["here".to_owned(), address(self.number)])?;
        session.subscribed(PATIENCE).await
    }

    /// Writes and hears until the session ends, or patience does.
    async fn correspond(&mut self, mut session: Session) -> Gone {
        let period = self.fleet.period();
        let mut pen = interval_at(Later::now() + period / 4, period);
        pen.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if let Some((letter, _)) = self.open
            && let Err(gone) = self.send(&session, letter)
        {
            return gone;
        }
        loop {
            let waited_enough = self.open.map(|(_, since)| Later::from_std(since + PATIENCE));
            tokio::select! {
                heard = session.next() => match heard {
                    Ok(Heard::Published) => self.open = None,
                    Ok(Heard::Message { topic, payload }) => self.read(&topic, &payload),
                    Ok(_) => {}
                    Err(gone) => return gone,
                },
                _ = pen.tick() => {
                    if self.open.is_some() || !*self.fleet.writing.borrow() {
                        continue;
                    }
                    let letter = Letter { from: self.number, number: self.next };
                    self.next += 1;
                    self.fleet.ledger.sent(letter);
                    if let Err(gone) = self.send(&session, letter) {
                        return gone;
                    }
                }
                () = sleep_until(waited_enough.unwrap_or_else(Later::now)),
                    if waited_enough.is_some() => return Gone::new("no PUBACK"),
            }
        }
    }

    fn send(&mut self, session: &Session, letter: Letter) -> Result<(), Gone> {
        // A letter that is sent again on a new session gets a new chance.
        self.open = Some((letter, Instant::now()));
        let to = self.fleet.partner(self.number);
        let broker = self.fleet.ledger.broker_of(self.number);
        let broker = broker.map_or_else(|| "?".to_owned(), |broker| broker.to_string());
        let text = format!("{} {} {broker}", letter.from, letter.number);
        session.publish(&address(to), &text, false)
    }

    fn read(&self, topic: &str, payload: &[u8]) {
        let ledger = &self.fleet.ledger;
        if topic == "here" {
            if let Some(broker) = self.fleet.named(payload) {
                ledger.located(self.number, broker);
            }
            return;
        }
        let text = String::from_utf8_lossy(payload);
        let mut words = text.split(' ');
        let mut word = || words.next();
        let (Some(from), Some(number), Some(broker)) = (word(), word(), word()) else { return };
        let (Ok(from), Ok(number)) = (from.parse(), number.parse()) else { return };
        let there = broker.parse::<usize>().ok();
        let here = ledger.broker_of(self.number);
        ledger.arrived(Letter { from, number }, there.is_some() && here.is_some() && there != here);
    }
}

/// The topic of a client's letters.
fn address(number: usize) -> String {
    format!("demo/to/{number}")
}

/// Clients that come, evenly over `over`, and stay until the set is dropped.
pub(super) fn newcomers(fleet: &Fleet, party: Party, count: usize, over: Duration) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let Party { act, region, late } = party;
    for number in 0..count {
        let fleet = fleet.clone();
        let steps = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let delay = over * u32::try_from(number).unwrap_or(0) / steps;
        let id = format!("demo-{}-{act:?}-{number}", if late { "late" } else { "new" });
        tasks.spawn(async move {
            sleep(delay).await;
            let asked = Instant::now();
            match fleet.arrive(region, Version::of(number), &id).await {
                Ok((session, lead)) => {
                    let guest = fleet.ledger.let_in(party, lead, asked.elapsed());
                    stay(session, &fleet, guest).await;
                }
                Err(gone) => fleet.ledger.turned_away(act, gone.to_string()),
            }
        });
    }
    tasks
}

/// Asks where it is, and stays.
async fn stay(mut session: Session, fleet: &Fleet, guest: Guest) {
    if session.subscribe(&["here".to_owned()]).is_err() {
        return;
    }
    while let Ok(heard) = session.next().await {
        if let Heard::Message { payload, .. } = heard
            && let Some(broker) = fleet.named(&payload)
        {
            guest.located(broker);
        }
    }
}

/// Clients that go straight to one broker until it takes no more.
///
/// Returns them with their number, or `None` where the broker took `most` and still more.
pub(super) async fn strangers(broker: SocketAddr, most: usize) -> Option<(JoinSet<()>, usize)> {
    let mut tasks = JoinSet::new();
    for number in 0..most {
        let id = format!("demo-stranger-{number}");
        let mut session = Session::new(Version::of(number), &id, broker);
        if session.accepted(PATIENCE).await.is_err() {
            return Some((tasks, number));
        }
        tasks.spawn(async move { while session.next().await.is_ok() {} });
    }
    None
}
