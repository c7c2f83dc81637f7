//! Tries to reach other nodes: whom we want, how often it failed, when the next is due.
//!
//! A failed try waits 0.2 to 1.5 s, with jitter: so little that a healed partition is whole again
//! within seconds. Introduced peers are names and addresses, nothing else; one that cannot be
//! reached three times is forgotten until it is introduced again. It is kept while we hear no other
//! site: no link to one stands, or those that do have been silent for a second (`HEARD`). Whom we
//! were told of when we began is kept for good, as addresses to join by are: where all restart
//! while they are cut from each other, nobody else would ever introduce them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::message::{ADDRESS_MAX, ADDRESSES_MAX, Introduction};
use super::roster::{ME, Roster, hash, is_name};
use super::terms::{DialId, Identity, MeshPolicy, Purpose, Table};
use crate::id::PeerId;
use crate::rng::Rng;
use crate::time::Time;

/// Introduced peers that we have not met.
const INTRODUCED_MAX: usize = 1_024;
/// One that cannot be reached this often is forgotten until it is introduced again, by whoever else
/// we have a link to.
const INTRODUCED_TRIES: u32 = 3;
/// Tries at once.
pub(super) const DIALS_MAX: usize = 64;
const BACKOFF_FIRST_MS: u32 = 200;
/// Short, so that a healed partition is whole again within seconds.
const BACKOFF_MAX_MS: u32 = 1_500;
/// For the lower identity to dial us.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// A process that was refused as the later of two tries again.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// Who takes it then may find out for so long that the other still lives.
const PROBATION: Duration = Duration::from_secs(2);
/// Someone we want a link to, and how it goes.
#[derive(Clone, Debug)]
pub(super) struct Try {
    pub(super) since: Time,
    pub(super) next: Time,
    pub(super) failures: u32,
    pub(super) pending: Option<DialId>,
}

impl Try {
    pub(super) fn new(now: Time) -> Try {
        Try { since: now, next: now, failures: 0, pending: None }
    }

    fn failed(&mut self, now: Time, rng: &mut Rng) {
        self.pending = None;
        self.failures += 1;
        let most = (BACKOFF_FIRST_MS << self.failures.min(4)).min(BACKOFF_MAX_MS);
        let wait = most / 2 + rng.below(most / 2 + 1);
        self.next = now + Duration::from_millis(u64::from(wait));
    }
}

/// Another process has our identity, and was first.
#[derive(Clone, Debug)]
pub(super) struct Withdrawn {
    /// Who said so.
    pub(super) by: Identity,
    pub(super) until: Time,
    /// When it took us after all.
    pub(super) accepted_at: Option<Time>,
}

/// A configured address.
#[derive(Clone, Debug)]
pub(super) struct Join {
    pub(super) address: String,
    /// It has led to someone.
    pub(super) reached: bool,
    /// It leads to ourselves.
    pub(super) oneself: bool,
    pub(super) tried: Try,
}

#[derive(Clone, Debug)]
pub(super) enum Target {
    Join(usize),
    Peer(Purpose, Identity),
}

/// Whom we want links to.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) joins: Vec<Join>,
    pub(super) introduced: BTreeMap<Identity, Vec<String>>,
    /// Those of them that are never forgotten.
    known: BTreeSet<Identity>,
    pub(super) wanted: BTreeMap<(Purpose, Identity), Try>,
    pub(super) wanted_peers: Vec<PeerId>,
    pub(super) wanted_data: Vec<PeerId>,
    pub(super) dials: BTreeMap<DialId, Target>,
    pub(super) next_dial: u64,
    /// What `wanted` was made from.
    pub(super) made_from: Option<u64>,
    pub(super) review_at: Time,
    /// When this process began: nobody can know of it yet, and so nobody dials it.
    began: Time,
    pub(super) withdrawn: Option<Withdrawn>,
}

impl Topology {
    pub(super) fn new(policy: &MeshPolicy, now: Time) -> Topology {
        let join = |address: &String| Join {
            address: address.clone(),
            reached: false,
            oneself: false,
            tried: Try::new(now),
        };
        let known = policy.known.iter().take(INTRODUCED_MAX).map(|introduction| {
            let Introduction { site, node, addresses } = introduction.clone();
            (Identity { site, node }, addresses)
        });
        let introduced: BTreeMap<_, _> =
            known.filter(|(identity, _)| *identity != policy.me).collect();
        Topology {
            joins: policy.join.iter().map(join).collect(),
            known: introduced.keys().cloned().collect(),
            introduced,
            wanted: BTreeMap::new(),
            wanted_peers: Vec::new(),
            wanted_data: Vec::new(),
            dials: BTreeMap::new(),
            next_dial: 0,
            made_from: None,
            review_at: now,
            began: now,
            withdrawn: None,
        }
    }

    /// Whether that peer was introduced, and not met yet.
    pub(super) fn knows(&self, identity: &Identity) -> bool {
        self.introduced.contains_key(identity)
    }

    /// A sum over all identities known: those met, and those introduced.
    pub(super) fn known(&self, roster: &Roster) -> u64 {
        let strange = self.introduced.keys().filter(|identity| roster.find(identity).is_none());
        strange.fold(roster.known, |sum, identity| sum ^ hash(identity))
    }

    /// Whether our side needs a news link to that peer.
    pub(super) fn wants(&self, peer: PeerId) -> bool {
        self.wanted_peers.binary_search(&peer).is_ok()
    }

    /// Someone told of a peer. Used to dial it, and for nothing else.
    pub(super) fn introduced(
        &mut self,
        roster: &Roster,
        introduction: &Introduction,
    ) -> Result<(), Table> {
        let Introduction { site, node, addresses } = introduction;
        if !is_name(site) || !is_name(node) || addresses.is_empty() {
            return Ok(());
        }
        let identity = Identity { site: site.clone(), node: node.clone() };
        let met = roster.find(&identity);
        if met.is_some_and(|peer| peer == ME || !roster.peer(peer).addresses().is_empty()) {
            return Ok(());
        }
        if self.introduced.len() >= INTRODUCED_MAX && !self.introduced.contains_key(&identity) {
            return Err(Table::Introductions);
        }
        let fit = addresses.iter().filter(|address| address.len() <= ADDRESS_MAX);
        let addresses = fit.take(ADDRESSES_MAX).cloned().collect();
        if self.introduced.insert(identity, addresses).is_none() {
            self.made_from = None;
        }
        Ok(())
    }

    /// A connection stands; perhaps one that we dialled.
    pub(super) fn reached(&mut self, now: Time, dial: Option<DialId>, identity: &Identity) {
        match dial.and_then(|dial| self.dials.remove(&dial)) {
            Some(Target::Join(at)) => {
                let join = &mut self.joins[at];
                (join.reached, join.tried) = (true, Try::new(now + PATIENCE));
            }
            Some(Target::Peer(purpose, identity)) => {
                if let Some(tried) = self.wanted.get_mut(&(purpose, identity)) {
                    *tried = Try::new(now);
                    // A link that breaks at once must not be dialled in a loop.
                    tried.next = now + Duration::from_millis(u64::from(BACKOFF_FIRST_MS));
                }
            }
            None => {}
        }
        self.introduced.remove(identity);
    }

    /// A try came to nothing. Who is `alone`, and hears no other site, forgets nobody: there would
    /// be nobody left to introduce them again.
    pub(super) fn failed(&mut self, now: Time, dial: DialId, alone: bool, rng: &mut Rng) {
        match self.dials.remove(&dial) {
            Some(Target::Join(at)) => self.joins[at].tried.failed(now, rng),
            Some(Target::Peer(purpose, identity)) => {
                let key = (purpose, identity);
                let Some(tried) = self.wanted.get_mut(&key) else { return };
                tried.failed(now, rng);
                let lasting = alone || self.known.contains(&key.1);
                let hopeless = tried.failures >= INTRODUCED_TRIES && !lasting;
                if hopeless && self.introduced.remove(&key.1).is_some() {
                    self.made_from = None;
                }
            }
            None => {}
        }
    }

    /// That peer refused us, because another process has our identity.
    pub(super) fn refused(&mut self, now: Time, by: Identity) {
        self.withdrawn = Some(Withdrawn { by, until: now + REFUSED_FOR, accepted_at: None });
    }

    /// A peer took us; if we had withdrawn, it may still find that another lives.
    pub(super) fn accepted(&mut self, now: Time) {
        if let Some(withdrawn) = &mut self.withdrawn {
            withdrawn.accepted_at = Some(now);
        }
    }

    /// Whether we keep away from that peer.
    pub(super) fn is_withdrawn(&self, from: &Identity) -> bool {
        self.withdrawn.as_ref().is_some_and(|withdrawn| withdrawn.by != *from)
    }

    /// Whether a new try is due for who refused us, and nobody else.
    pub(super) fn review_withdrawal(&mut self, now: Time) {
        let Some(withdrawn) = &self.withdrawn else { return };
        let taken = withdrawn.accepted_at.is_some_and(|at| now.since(at) >= PROBATION);
        let unreachable =
            now.since(withdrawn.until) >= REFUSED_FOR && withdrawn.accepted_at.is_none();
        if taken || unreachable {
            self.withdrawn = None;
        }
    }

    /// That address is our own.
    pub(super) fn is_oneself(&mut self, remote: &str) {
        for join in self.joins.iter_mut().filter(|join| join.address == remote) {
            join.oneself = true;
        }
    }

    /// A configured address stands for others than before. A try that is under way goes on.
    pub(super) fn join_moved(&mut self, now: Time, join: usize) {
        let Some(join) = self.joins.get_mut(join) else { return };
        (join.reached, join.oneself) = (false, false);
        if join.tried.pending.is_none() {
            join.tried = Try::new(now);
        }
        self.review_at = Time::ZERO;
    }

    /// Others hold this process for the one before it, or for nobody.
    pub(super) fn is_new(&self, now: Time) -> bool {
        now.since(self.began) < PATIENCE
    }

    /// Links have come or gone: look again soon.
    pub(super) fn changed(&mut self) {
        self.review_at = Time::ZERO;
    }

    pub(super) fn introduced_len(&self) -> usize {
        self.introduced.len()
    }

    pub(super) fn dial(&mut self, target: Target) -> DialId {
        self.next_dial += 1;
        let dial = DialId(self.next_dial);
        self.dials.insert(dial, target);
        dial
    }
}
