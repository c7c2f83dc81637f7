//! Which brokers does a name stand for just now?
//!
//! Brokers, and nodes to join, may be given by DNS name. This machine says which names to ask for
//! and when, and what an answer does: like one who keeps an address book by asking around, it
//! writes down what it is told, asks again when that gets old, and never crosses anything out
//! because nobody answered. So a name server that is gone, or that has lost its zone, changes
//! nothing: the last good set is kept, and that is told. Only an answer with other addresses
//! replaces one.
//!
//! A name with addresses (A, AAAA) stands for one broker at each; a service's name (SRV) for those
//! at the addresses of its targets, of the lowest priority alone. What becomes of brokers that come
//! and go is the pool's business ([`Pool::handle_members`](crate::pool::Pool::handle_members)); how
//! names are asked for is the driver's.

mod figures;
mod terms;
mod watch;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

pub use figures::NameFigures;
pub use terms::{
    Answer, AskId, Entry, Families, Family, Found, Notice, Output, Plan, Question, Record, Target,
    Trouble,
};
use watch::{Good, Watch};

use crate::id::ServiceId;
use crate::rng::Rng;
use crate::time::Time;

/// Brokers of one service, and addresses and targets of one name. Of those beyond, the ones known
/// before are kept, then the lowest.
pub const TARGETS_MAX: usize = 1_024;
/// Names that are asked for, those of targets among them. Targets beyond are left out.
pub const NAMES_MAX: usize = 4_096;
/// Questions without an answer at once; others wait.
pub const ASKS_MAX: usize = 16;
/// A question has failed when it has no answer within this.
pub const ASK_WITHIN: Duration = Duration::from_secs(10);

/// A node's names, and what they stand for.
#[derive(Debug)]
pub struct Discovery {
    plan: Plan,
    watches: BTreeMap<Question, Watch>,
    asks: BTreeMap<AskId, (Question, Time)>,
    last_ask: u64,
    /// What was said last, by service and by join.
    members: Vec<(Vec<Found>, Vec<Found>)>,
    joins: Vec<Vec<SocketAddr>>,
    outputs: VecDeque<Output>,
    rng: Rng,
}

impl Discovery {
    /// All names are due at `now`. Brokers that are given by address are said at once.
    pub fn new(plan: Plan, now: Time) -> Discovery {
        let mut discovery = Discovery {
            watches: BTreeMap::new(),
            asks: BTreeMap::new(),
            last_ask: 0,
            members: plan.services.iter().map(|_| Default::default()).collect(),
            joins: plan.joins.iter().map(|_| Vec::new()).collect(),
            outputs: VecDeque::new(),
            rng: Rng::new(plan.seed),
            plan,
        };
        let entries = discovery.plan.services.iter().flatten().map(|entry| &entry.at);
        let named: BTreeSet<Question> =
            entries.chain(&discovery.plan.joins).filter_map(Target::question).collect();
        discovery.watches = named.into_iter().map(|q| (q, Watch::root(now))).collect();
        discovery.say();
        discovery.ask(now);
        discovery
    }

    /// A question has been answered, or has failed. One that took too long is forgotten.
    pub fn answered(&mut self, now: Time, ask: AskId, answer: Answer) {
        if let Some((question, _)) = self.asks.remove(&ask) {
            self.take(now, &question, answer);
            self.settle(now);
        }
        self.ask(now);
    }

    /// A timeout of [`Discovery::poll_timeout`] has come.
    pub fn tick(&mut self, now: Time) {
        let late: Vec<AskId> =
            self.asks.iter().filter(|(_, (_, until))| *until <= now).map(|(ask, _)| *ask).collect();
        for ask in late {
            self.answered(now, ask, Answer::Failed(Trouble::TimedOut));
        }
        self.ask(now);
    }

    /// The next effect, if there is one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Discovery::tick`] is due.
    pub fn poll_timeout(&self) -> Time {
        let late = self.asks.values().map(|(_, until)| *until).min();
        let asks = if self.asks.len() < ASKS_MAX {
            self.watches.values().filter(|watch| watch.asked.is_none()).map(|w| w.next).min()
        } else {
            None
        };
        late.unwrap_or(Time::NEVER).min(asks.unwrap_or(Time::NEVER))
    }

    /// Whether every configured name has been answered or has failed at least once.
    pub fn is_known(&self) -> bool {
        self.watches.iter().all(|(question, watch)| {
            !watch.root || watch.is_known() && !self.is_pending(question, watch)
        })
    }

    /// Asks for what is due, the longest due first.
    fn ask(&mut self, now: Time) {
        let free = ASKS_MAX.saturating_sub(self.asks.len());
        let due = |watch: &Watch| watch.asked.is_none() && watch.next <= now;
        let mut due: Vec<(Time, Question)> = self
            .watches
            .iter()
            .filter(|(_, watch)| due(watch))
            .map(|(question, watch)| (watch.next, question.clone()))
            .collect();
        due.sort_unstable();
        for (_, question) in due.into_iter().take(free) {
            self.last_ask += 1;
            let (ask, until) = (AskId(self.last_ask), now + ASK_WITHIN);
            if let Some(watch) = self.watches.get_mut(&question) {
                watch.asked = Some(ask);
            }
            self.asks.insert(ask, (question.clone(), until));
            self.outputs.push_back(Output::Ask { ask, question, until });
        }
    }

    /// What an answer does to its name.
    fn take(&mut self, now: Time, question: &Question, answer: Answer) {
        let Some(watch) = self.watches.get_mut(question) else { return };
        let failed = watch.take(now, question, answer, &mut self.rng, &mut self.outputs).is_err();
        let (host, is_host) = (question.name(), matches!(question, Question::Host(..)));
        // A target's questions are counted with the services that name it.
        for (service, watch) in &mut self.watches {
            if is_host && watch.names(service, host) {
                watch.count(failed);
            }
        }
    }

    /// What follows from a name that has changed: targets to be asked for or not any longer, and
    /// brokers that come and go.
    fn settle(&mut self, now: Time) {
        let wanted: BTreeSet<Question> =
            self.watches.iter().flat_map(|(question, watch)| watch.hosts(question)).collect();
        self.watches.retain(|question, watch| watch.root || wanted.contains(question));
        let live = |question: &Question| self.watches.contains_key(question);
        self.asks.retain(|_, (question, _)| live(question));
        for question in wanted {
            if self.watches.len() < NAMES_MAX {
                self.watches.entry(question).or_insert_with(|| Watch::target(now));
            }
        }
        let services: Vec<Question> =
            self.watches.keys().filter(|q| matches!(q, Question::Service(..))).cloned().collect();
        for question in services {
            let Some(watch) = self.watches.get(&question) else { continue };
            if self.is_pending(&question, watch) {
                continue;
            }
            let found = self.compose(&question, watch);
            if let Some(watch) = self.watches.get_mut(&question) {
                watch.compose(question.name(), found, &mut self.outputs);
            }
        }
        self.say();
    }

    /// Whether a service's target has not been asked for yet: until then the set that it had
    /// stands, for its brokers may be the same ones.
    fn is_pending(&self, question: &Question, watch: &Watch) -> bool {
        let known = |host: &Question| self.watches.get(host).is_none_or(Watch::is_known);
        !watch.hosts(question).iter().all(known)
    }

    /// The addresses of a service's targets, each with its record's weight; the heavier one, where
    /// two records lead to one address.
    fn compose(&self, question: &Question, watch: &Watch) -> BTreeMap<SocketAddr, u16> {
        let mut found = BTreeMap::new();
        let Good::Records(records) = &watch.good else { return found };
        for record in records {
            let host = Question::Host(record.target.clone(), question.families());
            let Some(Good::Addresses(addrs)) = self.watches.get(&host).map(|host| &host.good)
            else {
                continue;
            };
            for addr in addrs {
                let weight = found.entry(SocketAddr::new(*addr, record.port)).or_insert(0);
                *weight = record.weight.max(*weight);
            }
        }
        found
    }

    /// Says what is other than before.
    fn say(&mut self) {
        for s in 0..self.plan.services.len() {
            let found = self.members_of(s);
            if found != self.members[s] {
                self.members[s].clone_from(&found);
                let (service, (members, again)) = (ServiceId(s as u16), found);
                self.outputs.push_back(Output::Members { service, members, again });
            }
        }
        for join in 0..self.plan.joins.len() {
            let addrs: Vec<SocketAddr> =
                self.addresses(&self.plan.joins[join]).into_iter().map(|(addr, _)| addr).collect();
            if addrs != self.joins[join] {
                self.joins[join].clone_from(&addrs);
                self.outputs.push_back(Output::Join { join, addrs });
            }
        }
    }

    /// A service's brokers, each once: the entry that comes first decides what it is. Beside them,
    /// what others would have it be.
    fn members_of(&self, service: usize) -> (Vec<Found>, Vec<Found>) {
        let (mut members, mut again, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (entry, typed) in self.plan.services[service].iter().enumerate() {
            for (addr, weight) in self.addresses(&typed.at) {
                let is_own = typed.at.question().is_some() && self.plan.is_own(addr);
                let found = Found { addr, entry, weight: weight.unwrap_or(typed.weight) };
                if is_own {
                    continue;
                } else if seen.contains(&addr) {
                    again.push(found);
                } else if members.len() < TARGETS_MAX {
                    seen.insert(addr);
                    members.push(found);
                }
            }
        }
        again.truncate(TARGETS_MAX);
        (members, again)
    }

    /// What a target stands for, ordered; with weights, where the records have them.
    fn addresses(&self, target: &Target) -> Vec<(SocketAddr, Option<u16>)> {
        let watch = target.question().and_then(|question| self.watches.get(&question));
        match (target, watch) {
            (Target::Address(addr), _) => Vec::from([(*addr, None)]),
            (Target::Host(_, port, _), Some(watch)) => match &watch.good {
                Good::Addresses(addrs) => {
                    addrs.iter().map(|ip| (SocketAddr::new(*ip, *port), None)).collect()
                }
                Good::Nothing | Good::Records(_) => Vec::new(),
            },
            (Target::Service(..), Some(watch)) => {
                watch.composed.iter().map(|(addr, weight)| (*addr, Some(*weight))).collect()
            }
            (_, None) => Vec::new(),
        }
    }

    /// Every configured name, and how it stands.
    pub fn names(&self, now: Time) -> Vec<NameFigures> {
        let roots = self.watches.iter().filter(|(_, watch)| watch.root);
        roots
            .map(|(question, watch)| watch.figures(question, self.unresolved(question, watch), now))
            .collect()
    }

    /// Targets of a service without any address.
    fn unresolved(&self, question: &Question, watch: &Watch) -> Vec<String> {
        let bare =
            |host: &Question| self.watches.get(host).is_none_or(|host| host.good == Good::Nothing);
        let hosts = watch.hosts(question).into_iter().filter(bare);
        hosts.map(|host| String::from(host.name())).collect()
    }
}

#[cfg(test)]
mod tests;
