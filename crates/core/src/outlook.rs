//! What the mesh knows of other sites, as services read it: who could take a flow now?
//!
//! The mesh publishes a new one whenever an answer changes, under one generation number;
//! services, DNS and the page read it without the mesh's lock. It says what is, and chooses
//! nothing: choosing is `spill`'s for flows that are here, and `entry`'s for clients that ask
//! where to go.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{PeerId, ServiceId, SiteId};
use crate::time::Time;

/// What we hold of a site.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// New flows may go there.
    Reachable,
    /// It asked for no new flows.
    Draining,
    /// Silent for a moment: no new flows, undone at the next word from it. Mine alone.
    Avoided,
    /// Silent for longer: witnesses are asked.
    Suspect,
    /// Gone, by the word of witnesses too.
    Dead,
}

/// One node of a site that has a data connection to us or could have one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Door {
    /// The node.
    pub peer: PeerId,
    /// Whether a data connection stands; without one a flow pays a handshake more.
    pub warm: bool,
}

/// When the words came from which a number is summed up. What was done after the newest of them is
/// in none; what was done a while before the oldest - the way, and what a speaker takes to say
/// what it knows - is in all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Heard {
    /// The first of them.
    pub oldest: Time,
    /// The last of them.
    pub newest: Time,
}

impl Heard {
    /// One word, or several that came together.
    pub fn at(now: Time) -> Heard {
        Heard { oldest: now, newest: now }
    }

    /// With one more word.
    pub fn and(self, at: Time) -> Heard {
        Heard { oldest: self.oldest.min(at), newest: self.newest.max(at) }
    }
}

/// A site as a place for one service's flows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The site.
    pub site: SiteId,
    /// What we hold of it.
    pub standing: Standing,
    /// Smoothed round trip to it, of the fastest of its links.
    pub rtt: Duration,
    /// Flows that it would still take from others, by its nodes' last words: the sum of their
    /// rooms. What we have sent there since is not taken off here; `spill` does that.
    pub headroom: u32,
    /// When those words came.
    pub heard: Heard,
    /// Flows a second that it takes from others, all senders together.
    pub admit_per_second: u32,
    /// Its living nodes, warm ones first. Never empty.
    pub doors: Vec<Door>,
}

/// A site as clients find it for one service, who may be told to go there: our own as well, and
/// those that are Dead with their nodes' last words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entrance {
    /// The site.
    pub site: SiteId,
    /// What we hold of it. Our own is reachable or draining.
    pub standing: Standing,
    /// Brokers that are alive, full or not, and that the operator has not taken out.
    pub brokers_up: u32,
    /// Flows that its brokers would still take from clients that come to it, the reserve among
    /// them: it is kept for such clients. Where no limit is known, what its nodes say, or as many
    /// again as there are.
    pub free: u32,
    /// Flows that its brokers take in all. Where no limit is known, what is there and free.
    pub capacity: u32,
    /// When the words came.
    pub heard: Heard,
    /// Where clients reach its nodes that take new ones, as they told it: `host:port`, ordered,
    /// each once, at most [`ENTRANCE_ADDRESSES_MAX`]. Shared, for they seldom change.
    pub addresses: Arc<[String]>,
}

/// Addresses of one [`Entrance`].
pub const ENTRANCE_ADDRESSES_MAX: usize = 64;

/// All sites, for all services.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outlook {
    /// Grows with every change; DNS answers and pages carry it too.
    pub generation: u64,
    /// Names of sites by [`SiteId`], our own first.
    pub sites: Vec<String>,
    /// Candidates by [`ServiceId`], ordered by site. Sites that are Dead are left out.
    pub services: Vec<Vec<Candidate>>,
    /// Entrances by [`ServiceId`], ordered by site.
    pub entrances: Vec<Vec<Entrance>>,
}

impl Outlook {
    /// Candidates for a service; none where there is no mesh.
    pub fn candidates(&self, service: ServiceId) -> &[Candidate] {
        self.services.get(service.index()).map_or(&[], Vec::as_slice)
    }
    /// Where a service's clients may be told to go; none before our own first digest.
    pub fn entrances(&self, service: ServiceId) -> &[Entrance] {
        self.entrances.get(service.index()).map_or(&[], Vec::as_slice)
    }
}
