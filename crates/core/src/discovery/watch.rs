//! One name: what it stood for last, and when it is asked for again.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::terms::{Answer, AskId, Families, Notice, Output, Question, Record, Trouble};
use super::{NameFigures, TARGETS_MAX};
use crate::rng::Rng;
use crate::time::Time;

/// What an answer's own time is clamped to: nobody is asked all the time, and no change takes
/// longer to be seen.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5 * 60));
/// After a failure, and doubled with each further one, while there is a good answer to live on.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// The same while there is none.
const FIRST_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// So much later at most, as a part of the time, so that nodes do not ask together.
const JITTER: u32 = 8;
/// The largest weight of a broker.
const WEIGHT_MAX: u32 = 256;

/// The last good answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Good {
    /// None yet.
    Nothing,
    /// A host's, ordered.
    Addresses(Vec<IpAddr>),
    /// A service's of the lowest priority, ordered.
    Records(Vec<Record>),
}

impl Good {
    fn len(&self) -> u32 {
        match self {
            Good::Nothing => 0,
            Good::Addresses(addrs) => addrs.len() as u32,
            Good::Records(records) => records.len() as u32,
        }
    }
}

/// One name.
#[derive(Debug)]
pub(super) struct Watch {
    /// It is in the configuration; otherwise it is the target of one that is.
    pub(super) root: bool,
    pub(super) good: Good,
    /// Of a service: what its targets stood for when all were known last.
    pub(super) composed: Vec<(SocketAddr, u16)>,
    pub(super) asked: Option<AskId>,
    pub(super) next: Time,
    /// Failures since the last good answer.
    failures: u32,
    trouble: Option<Trouble>,
    good_at: Option<Time>,
    /// Records of other priorities, and what was found beyond the limit, in the last good answer.
    spare: u32,
    beyond: u32,
    /// Of a service: none of its targets has an address.
    bare: bool,
    asks: u64,
    failed: u64,
}

impl Watch {
    /// A configured name.
    pub(super) fn root(now: Time) -> Watch {
        Watch {
            root: true,
            good: Good::Nothing,
            composed: Vec::new(),
            asked: None,
            next: now,
            failures: 0,
            trouble: None,
            good_at: None,
            spare: 0,
            beyond: 0,
            bare: false,
            asks: 0,
            failed: 0,
        }
    }

    /// The target of a service.
    pub(super) fn target(now: Time) -> Watch {
        Watch { root: false, ..Watch::root(now) }
    }

    /// Whether it was answered, or has failed, once.
    pub(super) fn is_known(&self) -> bool {
        self.good != Good::Nothing || self.failures > 0
    }

    /// The hosts that a service's records name, as they are to be asked for.
    pub(super) fn hosts(&self, question: &Question) -> BTreeSet<Question> {
        let Good::Records(records) = &self.good else { return BTreeSet::new() };
        let host = |record: &Record| Question::Host(record.target.clone(), question.families());
        records.iter().map(host).collect()
    }

    /// Whether it is a service with that host among its targets.
    pub(super) fn names(&self, question: &Question, host: &str) -> bool {
        let Good::Records(records) = &self.good else { return false };
        matches!(question, Question::Service(..)) && records.iter().any(|r| r.target == host)
    }

    /// One question more has been answered, or has failed.
    pub(super) fn count(&mut self, failed: bool) {
        self.asks += 1;
        self.failed += u64::from(failed);
    }

    /// Takes an answer; an error keeps what there is.
    pub(super) fn take(
        &mut self,
        now: Time,
        question: &Question,
        answer: Answer,
        rng: &mut Rng,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Trouble> {
        self.asked = None;
        let judged = match (question, answer) {
            (_, Answer::Failed(trouble)) => Err(trouble),
            (Question::Host(_, families), Answer::Addresses(addrs, ttl)) => {
                self.addresses(addrs, *families).map(|good| (good, ttl))
            }
            (Question::Service(..), Answer::Records(records, ttl)) => {
                self.records(records).map(|good| (good, ttl))
            }
            (Question::Host(..), Answer::Records(..))
            | (Question::Service(..), Answer::Addresses(..)) => Err(Trouble::Unusable),
        };
        self.count(judged.is_err());
        let mut note = |notice| outputs.push_back(Output::Notice(notice));
        let name = || String::from(question.name());
        match judged {
            Ok((Judged { good, spare, beyond }, ttl)) => {
                self.next = now + jittered(ttl.clamp(ASK_AGAIN.0, ASK_AGAIN.1), rng);
                if self.trouble.take().is_some() {
                    note(Notice::Answered(name()));
                }
                if beyond > 0 && self.beyond == 0 {
                    let used = good.len();
                    note(Notice::Clamped { name: name(), found: used + beyond, used });
                }
                if let (Good::Addresses(new), true) = (&good, self.root) {
                    let old: &[IpAddr] = match &self.good {
                        Good::Addresses(old) => old,
                        Good::Nothing | Good::Records(_) => &[],
                    };
                    changed(question.name(), old, new).into_iter().for_each(&mut note);
                }
                (self.failures, self.good_at) = (0, Some(now));
                (self.good, self.spare, self.beyond) = (good, spare, beyond);
                Ok(())
            }
            Err(trouble) => {
                let (first, last) = if self.good == Good::Nothing { FIRST_RETRY } else { RETRY };
                let wait = first.saturating_mul(1 << self.failures.min(8)).min(last);
                self.next = now + jittered(wait, rng);
                self.failures = self.failures.saturating_add(1);
                if self.trouble.replace(trouble) != Some(trouble) {
                    note(Notice::Failed { name: name(), trouble, kept: self.good.len() });
                }
                Err(trouble)
            }
        }
    }

    /// Of a service: what its targets stand for now, all of them being known. Nothing changes
    /// where that is nothing at all.
    pub(super) fn compose(
        &mut self,
        name: &str,
        found: BTreeMap<SocketAddr, u16>,
        outputs: &mut VecDeque<Output>,
    ) {
        if self.good == Good::Nothing {
            return;
        }
        let mut note = |notice| outputs.push_back(Output::Notice(notice));
        if found.is_empty() {
            if !core::mem::replace(&mut self.bare, true) {
                let (name, kept) = (String::from(name), self.composed.len() as u32);
                note(Notice::Failed { name, trouble: Trouble::Empty, kept });
            }
            return;
        }
        if core::mem::take(&mut self.bare) {
            note(Notice::Answered(String::from(name)));
        }
        let heaviest = found.values().copied().max().unwrap_or(0);
        let found: Vec<(SocketAddr, u16)> =
            found.into_iter().map(|(addr, weight)| (addr, scaled(weight, heaviest))).collect();
        let total = found.len();
        let (known, found) = {
            let known: Vec<SocketAddr> = self.composed.iter().map(|(addr, _)| *addr).collect();
            let found = clamped(found, |(addr, _)| known.binary_search(addr).is_ok());
            (known, found)
        };
        if total > found.len() && self.beyond == 0 {
            let (found, used) = (total as u32, found.len() as u32);
            note(Notice::Clamped { name: String::from(name), found, used });
        }
        let new: Vec<SocketAddr> = found.iter().map(|(addr, _)| *addr).collect();
        changed(name, &known, &new).into_iter().for_each(&mut note);
        self.composed = found;
    }

    /// How it stands.
    pub(super) fn figures(
        &self,
        question: &Question,
        unresolved: Vec<String>,
        now: Time,
    ) -> NameFigures {
        let is_service = matches!(question, Question::Service(..));
        let bare = self.bare.then_some(Trouble::Empty);
        NameFigures {
            name: String::from(question.name()),
            records: question.records(),
            addresses: if is_service { self.composed.len() as u32 } else { self.good.len() },
            age: self.good_at.map(|at| now.since(at)),
            next: self.next.since(now),
            trouble: self.trouble.or(bare),
            asks: self.asks,
            failed: self.failed,
            spare: self.spare,
            beyond: self.beyond,
            unresolved,
        }
    }

    fn addresses(&self, mut addrs: Vec<IpAddr>, families: Families) -> Result<Judged, Trouble> {
        addrs.retain(|addr| !addr.is_unspecified() && !addr.is_multicast());
        // Never mixed: a host that has both is one host, and not two.
        let wanted = match families {
            Families::V4 => true,
            Families::V6 => false,
            Families::V4First => addrs.iter().any(IpAddr::is_ipv4),
            Families::V6First => !addrs.iter().any(IpAddr::is_ipv6),
        };
        addrs.retain(|addr| addr.is_ipv4() == wanted);
        addrs.sort_unstable();
        addrs.dedup();
        if addrs.is_empty() {
            return Err(Trouble::Empty);
        }
        let total = addrs.len();
        let known: &[IpAddr] = match &self.good {
            Good::Addresses(known) => known,
            Good::Nothing | Good::Records(_) => &[],
        };
        let addrs = clamped(addrs, |addr| known.binary_search(addr).is_ok());
        let beyond = (total - addrs.len()) as u32;
        Ok(Judged { good: Good::Addresses(addrs), spare: 0, beyond })
    }

    fn records(&self, mut records: Vec<Record>) -> Result<Judged, Trouble> {
        // "A Target of "." means that the service is decidedly not available at this domain."
        records.retain(|record| record.port > 0 && !matches!(&*record.target, "" | "."));
        let lowest = records.iter().map(|record| record.priority).min().ok_or(Trouble::Empty)?;
        let all = records.len();
        records.retain(|record| record.priority == lowest);
        let spare = (all - records.len()) as u32;
        let place = |record: &Record| (record.target.clone(), record.port);
        // The heaviest of several records of one place comes first, and stays.
        records.sort_unstable_by_key(|record| (place(record), u16::MAX - record.weight));
        records.dedup_by_key(|record| place(record));
        let total = records.len();
        let known: BTreeSet<_> = match &self.good {
            Good::Records(known) => known.iter().map(place).collect(),
            Good::Nothing | Good::Addresses(_) => BTreeSet::new(),
        };
        let records = clamped(records, |record| known.contains(&place(record)));
        let beyond = (total - records.len()) as u32;
        Ok(Judged { good: Good::Records(records), spare, beyond })
    }
}

/// An answer that will do.
struct Judged {
    good: Good,
    spare: u32,
    beyond: u32,
}

/// A little later, by chance.
fn jittered(wait: Duration, rng: &mut Rng) -> Duration {
    let more = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX) / JITTER;
    wait + Duration::from_millis(u64::from(rng.below(more + 1)))
}

/// No more than there may be: those known before, then the lowest, in their order.
fn clamped<T>(mut all: Vec<T>, known: impl Fn(&T) -> bool) -> Vec<T> {
    if all.len() <= TARGETS_MAX {
        return all;
    }
    let mut room = TARGETS_MAX.saturating_sub(all.iter().filter(|one| known(one)).count());
    all.retain(|one| {
        let stays = known(one) || room > 0;
        room -= usize::from(stays && !known(one));
        stays
    });
    all.truncate(TARGETS_MAX);
    all
}

/// A record's weight as a broker's: the same up to 256, in proportion to the heaviest beyond, and
/// at least 1.
fn scaled(weight: u16, heaviest: u16) -> u16 {
    let (weight, heaviest) = (u32::from(weight), u32::from(heaviest));
    let fit = if heaviest <= WEIGHT_MAX { weight } else { weight * WEIGHT_MAX / heaviest };
    fit.max(1) as u16
}

/// What is worth to be told of a name's new addresses. Both are ordered.
fn changed<T: Ord>(name: &str, old: &[T], new: &[T]) -> Option<Notice> {
    let less = |a: &[T], b: &[T]| a.iter().filter(|one| b.binary_search(one).is_err()).count();
    let (added, removed) = (less(new, old) as u32, less(old, new) as u32);
    let (name, now) = (String::from(name), new.len() as u32);
    (added + removed > 0).then_some(Notice::Changed { name, added, removed, now })
}
