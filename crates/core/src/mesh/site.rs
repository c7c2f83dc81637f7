//! One site, as this node sees it: its nodes, and the links that hear it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::detector::Hearing;
use crate::id::{PeerId, SiteId};
use crate::outlook::Standing;
use crate::time::Time;

/// One link between our site and another, as it hears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ear {
    /// The node at our end: this one, or a sibling that told us.
    pub(crate) by: PeerId,
    /// The node at the far end.
    pub(crate) of: PeerId,
    /// Last word from there. Of a sibling's ear that hears as it should: when that was told.
    pub(crate) heard_at: Time,
    /// A sibling's ear that hears as it should: no silence until it says so.
    pub(crate) well: bool,
    /// When a sibling told of it; ears that are not told again are dropped.
    pub(crate) told_at: Time,
    /// For how long the far end has not heard ours.
    pub(crate) deaf: Duration,
    /// Smoothed round trip; zero while unknown.
    pub(crate) rtt: Duration,
    /// Slots of the nodes that the far end hears in its own site.
    pub(crate) mask: u64,
}

/// A witness's last word on a suspect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ballot {
    /// When it came.
    pub(crate) at: Time,
    /// When the witness's site last heard the suspect; `None` for never.
    pub(crate) heard_at: Option<Time>,
}

/// A site.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) name: String,
    /// The same on every node.
    pub(crate) hash: u64,
    /// By slot.
    pub(crate) nodes: Vec<PeerId>,
    /// `None` until it was heard of by news.
    pub(crate) standing: Option<Standing>,
    pub(crate) since: Time,
    /// Some link of ours has heard it: before that, silence says nothing.
    pub(crate) met: bool,
    /// A verdict stands, or all have left.
    pub(crate) dead: bool,
    /// When it was last back from the dead: silence before that was of another life.
    pub(crate) returned_at: Time,
    /// What links heard of it, at this beat.
    pub(crate) hearing: Hearing,
    /// What is published of it is not what is known.
    pub(crate) stale: bool,
    /// Last word from it, to anyone of ours who would tell.
    pub(crate) heard_at: Time,
    pub(crate) ears: Vec<Ear>,
    /// When witnesses were last asked about it.
    pub(crate) asked_at: Time,
    pub(crate) votes: BTreeMap<SiteId, Ballot>,
    /// A sibling's verdict that may be long over: graves that hold once its silence bears them out.
    pub(crate) doubted: Vec<(PeerId, u64)>,
}

impl Site {
    pub(crate) fn new(name: String, hash: u64) -> Site {
        Site {
            name,
            hash,
            nodes: Vec::new(),
            standing: None,
            since: Time::ZERO,
            met: false,
            dead: false,
            returned_at: Time::ZERO,
            hearing: Hearing::default(),
            stale: true,
            heard_at: Time::ZERO,
            ears: Vec::new(),
            asked_at: Time::ZERO,
            votes: BTreeMap::new(),
            doubted: Vec::new(),
        }
    }

    /// It counts as a site of the mesh: one that was heard, and that is not gone.
    pub(crate) fn is_member(&self) -> bool {
        self.standing.is_some() && self.met && !self.dead
    }

    pub(crate) fn ear_mut(&mut self, by: PeerId, of: PeerId) -> Option<&mut Ear> {
        self.ears.iter_mut().find(|ear| ear.by == by && ear.of == of)
    }

    /// The ear of that link, which may be new.
    pub(crate) fn listen(&mut self, by: PeerId, of: PeerId, now: Time) -> &mut Ear {
        self.met = true;
        let at = self.ears.iter().position(|ear| ear.by == by && ear.of == of);
        let at = at.unwrap_or_else(|| {
            let (deaf, rtt) = (Duration::ZERO, Duration::ZERO);
            let (heard_at, told_at) = (now, now);
            self.ears.push(Ear { by, of, heard_at, well: false, told_at, deaf, rtt, mask: 0 });
            self.ears.len() - 1
        });
        &mut self.ears[at]
    }

    /// The fastest of its links.
    pub(crate) fn rtt(&self) -> Duration {
        let known = self.ears.iter().map(|ear| ear.rtt).filter(|rtt| !rtt.is_zero());
        known.min().unwrap_or_default()
    }
}
