//! The script of one site: what happens to which broker, when, and what is watched meanwhile.
//!
//! Full comes first and hung second, while every broker has its share of the clients: least
//! connections would pass over a broker with more than the others by itself, and nothing would
//! be shown. The killed broker comes last, because it comes back empty.

use std::time::{Duration, Instant};

use isobar_admin::view::Report;
use rustix::process::Signal;
use tokio::sync::watch;
use tokio::time::sleep;

use super::act::Act;
use super::brokers::Brokers;
use super::failure::Failure;
use super::fleet::{self, Fleet};
use super::ledger::{Ledger, Party};
use super::names::{NAME, Names};
use super::node::{self, Node};
use super::screen::{self, Fault, Screen, Standing};
use super::verdict;

/// Who plays what, as indices.
const KILLED: usize = 0;
const FILLED: usize = 1;
const HUNG: usize = 2;

/// For all clients to arrive, or to come back after the last act.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(30);
/// For the last newcomer's CONNACK, and for the last letter.
const ANSWER_PATIENCE: Duration = Duration::from_secs(12);
const LETTER_PATIENCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const NEWCOMERS_LEAST: usize = 12;

/// What the demo itself saw, beside the clients.
#[derive(Clone, Default, Debug)]
pub(super) struct Seen {
    /// Strangers that the filled broker took before it refused one, if it did.
    pub(super) strangers: Option<usize>,
    /// Flows that the filled broker refused to the node.
    pub(super) refused_by_full: u64,
    /// Newcomers in each act with a fault.
    pub(super) newcomers: usize,
    /// Clients on a broker when its fault came, by their own account.
    pub(super) on_hung: usize,
    /// The same for the killed one.
    pub(super) on_killed: usize,
    /// Redispatches by act.
    pub(super) redispatched: [u64; Act::ALL.len()],
    /// Clients that are served at the end.
    pub(super) served: usize,
    /// Whether the node finds no broker down at the end.
    pub(super) none_down: bool,
    /// Answers that the clients' resolver was given.
    pub(super) given: u64,
    /// DNS questions that the node answered.
    pub(super) answered: u64,
}

/// Newcomers of an act: there is one region.
fn party(act: Act) -> Party {
    Party { act, region: 0, late: false }
}

/// Everything that takes part, but for the processes.
pub(super) struct Play<'a> {
    brokers: &'a mut Brokers,
    node: &'a Node,
    screen: &'a mut Screen,
    fleet: Fleet,
    writing: watch::Sender<bool>,
    length: Duration,
    faults: Vec<(String, Fault)>,
    report: Option<Report>,
    act: Act,
    seen: Seen,
}

impl<'a> Play<'a> {
    /// Prepares the play; nothing happens yet.
    pub(super) fn new(
        brokers: &'a mut Brokers,
        node: &'a Node,
        names: Names,
        screen: &'a mut Screen,
        (clients, length): (usize, Duration),
    ) -> Play<'a> {
        let (writing, may_write) = watch::channel(false);
        let ledger = Ledger::new(clients);
        let fleet = Fleet {
            names,
            brokers: brokers.behind_node.iter().map(|broker| broker.name.clone()).collect(),
            size: clients,
            ledger,
            writing: may_write,
        };
        let faults = brokers.behind_node.iter().map(|b| (b.name.clone(), Fault::None)).collect();
        let seen = Seen { newcomers: (clients / 5).max(NEWCOMERS_LEAST), ..Seen::default() };
        let (report, act) = (None, Act::Arrival);
        Play { brokers, node, screen, fleet, writing, length, faults, report, act, seen }
    }

    /// Plays it all; true if what was promised held.
    pub(super) async fn perform(mut self) -> Result<bool, Failure> {
        let clients = self.fleet.size;
        let names = self.fleet.names.clone();
        let watch = names.watch();
        self.until(ARRIVAL_PATIENCE, |_| names.told(0) == [0]).await;
        self.screen.tell(&format!(
            "{clients} clients ask for {NAME} and connect, half by MQTT 3.1.1, half by 5.0"
        ));
        let fleet = self.fleet.launch();
        let all = |ledger: &Ledger| ledger.census(0).0 == clients;
        self.until(ARRIVAL_PATIENCE, all).await;
        let served = self.fleet.ledger.census(0).0;
        self.screen.tell(&format!("{served} clients are served"));
        self.writing.send_replace(true);

        self.begin(Act::Calm);
        self.screen.tell("calm: every client writes a letter a second to another, at QoS 1");
        self.pause(10).await;
        self.full().await?;
        self.hung().await?;
        self.killed().await?;

        self.until(ARRIVAL_PATIENCE, all).await;
        self.until_none_down(ARRIVAL_PATIENCE).await;
        self.begin(Act::After);
        self.screen.tell("calm again");
        self.pause(15).await;
        self.writing.send_replace(false);
        self.until(LETTER_PATIENCE, |ledger| ledger.delivered(Act::After)).await;
        drop(watch);
        self.seen.given = names.given();
        self.look().await;
        self.close_act();
        self.seen.served = self.fleet.ledger.census(0).0;
        self.seen.none_down = self.report.as_ref().is_some_and(node::none_down);
        drop(fleet);
        self.seen.answered = self.report.as_ref().map_or(0, node::answered);
        let (text, held) = verdict::judge(&self.fleet, &self.seen);
        self.screen.print(&text);
        Ok(held)
    }

    async fn full(&mut self) -> Result<(), Failure> {
        self.begin(Act::Full);
        let broker = &self.brokers.behind_node[FILLED];
        let (name, room) = (broker.name.clone(), broker.max_connections);
        let before = self.away(&name);
        let strangers = fleet::strangers(broker.addr, room + 10).await;
        self.faults[FILLED].1 = Fault::Filled;
        self.seen.strangers = strangers.as_ref().map(|(_, number)| *number);
        let number = self.seen.strangers.unwrap_or(room + 10);
        self.screen.tell(&format!(
            "{name} is full: {number} strangers went straight to it, and it takes {room} \
             (max_connections); {} newcomers come to the node",
            self.seen.newcomers
        ));
        let newcomers =
            fleet::newcomers(&self.fleet, party(Act::Full), self.seen.newcomers, self.share(12));
        self.pause(17).await;
        self.all_answered(Act::Full).await;
        self.look().await;
        self.seen.refused_by_full = self.away(&name) - before;
        drop((newcomers, strangers));
        self.faults[FILLED].1 = Fault::None;
        self.screen.tell(&format!("the strangers and the newcomers leave {name}"));
        self.pause(3).await;
        self.close_act();
        Ok(())
    }

    async fn hung(&mut self) -> Result<(), Failure> {
        self.begin(Act::Hung);
        let name = self.faults[HUNG].0.clone();
        self.seen.on_hung = self.clients_on(HUNG);
        self.brokers.behind_node[HUNG].child()?.signal(Signal::STOP)?;
        self.faults[HUNG].1 = Fault::Stopped;
        self.screen.tell(&format!(
            "{name} hangs (SIGSTOP), {} clients are on it; {} newcomers come",
            self.seen.on_hung, self.seen.newcomers
        ));
        // At once: before the node can know.
        let over = Duration::from_secs(1);
        let newcomers = fleet::newcomers(&self.fleet, party(Act::Hung), self.seen.newcomers, over);
        self.pause(21).await;
        self.all_answered(Act::Hung).await;
        self.brokers.behind_node[HUNG].child()?.signal(Signal::CONT)?;
        self.faults[HUNG].1 = Fault::None;
        self.screen.tell(&format!("{name} goes on (SIGCONT)"));
        self.pause(9).await;
        drop(newcomers);
        self.close_act();
        Ok(())
    }

    async fn killed(&mut self) -> Result<(), Failure> {
        self.begin(Act::Killed);
        let name = self.faults[KILLED].0.clone();
        self.seen.on_killed = self.clients_on(KILLED);
        self.brokers.behind_node[KILLED].child()?.signal(Signal::KILL)?;
        self.faults[KILLED].1 = Fault::Killed;
        self.screen.tell(&format!(
            "{name} is killed (SIGKILL), {} clients were on it; {} newcomers come",
            self.seen.on_killed, self.seen.newcomers
        ));
        let over = Duration::from_secs(1);
        let newcomers =
            fleet::newcomers(&self.fleet, party(Act::Killed), self.seen.newcomers, over);
        self.brokers.behind_node[KILLED].bury().await?;
        self.pause(15).await;
        self.all_answered(Act::Killed).await;
        self.brokers.launch(KILLED).await?;
        self.screen.tell(&format!("{name} is back"));
        self.brokers.await_bridge(KILLED).await?;
        self.faults[KILLED].1 = Fault::None;
        self.pause(10).await;
        drop(newcomers);
        self.close_act();
        Ok(())
    }

    fn begin(&mut self, act: Act) {
        self.act = act;
        self.fleet.ledger.begin(act);
    }

    /// Says what the clients noticed in the act that ends.
    fn close_act(&mut self) {
        let figures = self.fleet.ledger.figures(self.act);
        self.screen.tell(&format!("        clients noticed: {}", verdict::noticed(&figures)));
    }

    fn clients_on(&self, broker: usize) -> usize {
        self.fleet.ledger.census(self.faults.len()).1[broker]
    }

    /// Flows that this broker failed, to the node's knowledge.
    fn away(&self, name: &str) -> u64 {
        let broker = self.report.as_ref().and_then(|report| node::broker(report, name));
        broker.map_or(0, |broker| broker.redispatched_away.max(broker.refused_full))
    }

    /// So many hundredths of the script's length.
    fn share(&self, percent: u32) -> Duration {
        self.length * percent / 100
    }

    /// Lets that much of the script's length pass, watching.
    async fn pause(&mut self, percent: u32) {
        let patience = self.share(percent);
        self.until(patience, |_| false).await;
    }

    async fn all_answered(&mut self, act: Act) {
        let expected = self.seen.newcomers;
        self.until(ANSWER_PATIENCE, move |ledger| {
            let figures = ledger.figures(act);
            figures.newcomers.len() + figures.turned_away.len() >= expected
        })
        .await;
    }

    /// Watches until it is so, or patience ends: the verdict says which.
    async fn until(&mut self, patience: Duration, is_so: impl Fn(&Ledger) -> bool) {
        let deadline = Instant::now() + patience;
        loop {
            self.look().await;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || is_so(&self.fleet.ledger) {
                return;
            }
            sleep(left.min(LOOK_EVERY)).await;
        }
    }

    async fn until_none_down(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while !self.report.as_ref().is_some_and(node::none_down) && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
            self.look().await;
        }
    }

    /// Asks the node, tells what is new, shows the rest.
    async fn look(&mut self) {
        // A report that fails leaves the old one standing; the verdict wants a good one.
        if let Ok(report) = self.node.report().await {
            self.tell_news(&report);
            self.report = Some(report);
        }
        let standing = Standing {
            brokers: &self.faults,
            report: self.report.as_ref(),
            ledger: &self.fleet.ledger,
            clients: self.fleet.size,
        };
        self.screen.show(|| screen::table(&standing), || screen::line(&standing));
    }

    fn tell_news(&mut self, new: &Report) {
        let Some(old) = self.report.take() else { return };
        self.seen.redispatched[self.act as usize] +=
            node::redispatches(new).saturating_sub(node::redispatches(&old));
        for (name, _) in &self.faults {
            let (Some(was), Some(is)) = (node::broker(&old, name), node::broker(new, name)) else {
                continue;
            };
            if was.state != is.state {
                let (was, is) = (screen::word(was.state), screen::word(is.state));
                self.screen.tell(&format!("        the node: {name} was {was}, is {is}"));
            }
            let more = is.redispatched_away.saturating_sub(was.redispatched_away);
            if more > 0 {
                self.screen.tell(&format!(
                    "        the node: {more} redispatched from {name} to another broker"
                ));
            }
        }
    }
}
