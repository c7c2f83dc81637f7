//! One connection to another node: how far the greeting has come, and what numbers mean on it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::message::Hello;
use super::terms::Purpose;
use crate::bucket::Bucket;
use crate::id::{PeerId, SiteId};
use crate::time::Time;

/// Connections of all kinds at once.
pub const LINKS_MAX: usize = 4_096;
/// Numbers kept for one link of another site.
pub(crate) const FOREIGN_NUMBERS_MAX: usize = 1_024;
/// Owners that one link may ask about: this many at once, then this many a second.
pub(crate) const WANTS: u32 = 1_024;

/// How far the greeting has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Their hello is awaited.
    Greeting,
    /// Their hello came from another process than the one on the link we have: does that one
    /// still answer?
    Contending(Box<Hello>, Time),
    /// Both have greeted.
    Up,
}

/// Which numbers have been named: one bit each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Vec<u64>);

impl Marks {
    /// Sets a mark; whether it was new.
    pub(crate) fn set(&mut self, number: u16) -> bool {
        let (word, bit) = (usize::from(number / 64), 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    pub(crate) fn clear(&mut self, number: u16) {
        if let Some(word) = self.0.get_mut(usize::from(number / 64)) {
            *word &= !(1 << (number % 64));
        }
    }
}

/// What their numbers mean, in ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Theirs {
    pub(crate) sites: BTreeMap<u16, SiteId>,
    pub(crate) owners: BTreeMap<u16, PeerId>,
    pub(crate) services: BTreeMap<u16, u16>,
    /// Nodes by their places in the sender's eyes.
    pub(crate) slots: BTreeMap<(SiteId, u8), PeerId>,
}

/// What was named to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) sites: Marks,
    pub(crate) owners: Marks,
    pub(crate) services: Marks,
    /// When names were last told.
    pub(crate) at: Option<Time>,
}

impl Theirs {
    /// A number of ours got another meaning.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.owners.retain(|_, owner| *owner != peer);
        self.slots.retain(|_, owner| *owner != peer);
    }
}

/// A connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) peer: PeerId,
    pub(crate) purpose: Purpose,
    pub(crate) remote: String,
    /// Nobody had told us of the node there.
    pub(crate) newcomer: bool,
    /// We dialled it.
    pub(crate) ours: bool,
    pub(crate) since: Time,
    pub(crate) phase: Phase,
    /// The process at the far end.
    pub(crate) process: u64,
    /// Last message.
    pub(crate) heard_at: Time,
    /// Apart, because heartbeats hardly ever need them.
    pub(crate) theirs: Box<Theirs>,
    pub(crate) told: Box<Told>,
    /// The slots in our last heartbeat, whose nodes were all named: nearly always the next one's.
    pub(crate) told_hears: Option<u64>,
    /// Those in their last one, and what they mean: nearly always the next one's too.
    pub(crate) said: Option<(u64, u64)>,
    pub(crate) beats_out: u64,
    /// Incarnation and seq of the newest heartbeat.
    pub(crate) beats_in: (u64, u64),
    /// `hears` of the newest heartbeat, in our slots.
    pub(crate) mask: u64,
    /// What the far end says of not hearing us.
    pub(crate) deaf: Duration,
    pub(crate) wanted_there: bool,
    /// The last heartbeat told of pages that we lack.
    pub(crate) behind: bool,
    pub(crate) rtt: Duration,
    /// Packets lost in a million, smoothed.
    pub(crate) loss: u32,
    /// Packets lost and sent, as last told.
    pub(crate) packets: (u64, u64),
    pub(crate) wants: Bucket,
    /// Another one shall take its place.
    pub(crate) renew: bool,
    /// When it was last told that it is dead, or old.
    pub(crate) told_dead_at: Option<Time>,
}

impl Link {
    pub(crate) fn new(
        peer: PeerId,
        purpose: Purpose,
        remote: String,
        ours: bool,
        now: Time,
    ) -> Link {
        Link {
            peer,
            purpose,
            remote,
            newcomer: false,
            ours,
            since: now,
            phase: Phase::Greeting,
            process: 0,
            heard_at: now,
            theirs: Box::default(),
            told: Box::default(),
            told_hears: None,
            said: None,
            beats_out: 0,
            beats_in: (0, 0),
            mask: 0,
            deaf: Duration::ZERO,
            wanted_there: true,
            behind: false,
            rtt: Duration::ZERO,
            loss: 0,
            packets: (0, 0),
            wants: Bucket::full(WANTS, now),
            renew: false,
            told_dead_at: None,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.purpose == Purpose::News && self.phase == Phase::Up
    }

    /// The transport measured.
    pub(crate) fn measured(&mut self, rtt: Duration, lost: u64, sent: u64) {
        self.rtt = rtt;
        let (lost_before, sent_before) = self.packets;
        let gone = lost.saturating_sub(lost_before);
        let went = sent.saturating_sub(sent_before);
        if went == 0 {
            return;
        }
        self.packets = (lost, sent);
        let part = (gone.min(went).saturating_mul(1_000_000) / went) as u32;
        self.loss = (self.loss / 8 * 7).saturating_add(part / 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_new_once() {
        let mut marks = Marks::default();
        assert!(marks.set(3) && marks.set(700) && !marks.set(3) && !marks.set(700));
        marks.clear(3);
        assert!(marks.set(3));
    }

    #[test]
    fn loss_is_smoothed() {
        let mut link = Link::new(PeerId(1), Purpose::News, String::new(), true, Time::ZERO);
        for n in 1..100 {
            link.measured(Duration::from_millis(20), n * 5, n * 100);
        }
        assert!((45_000..=50_000).contains(&link.loss), "{}", link.loss);
    }
}
