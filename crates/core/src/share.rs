//! How much of a broker's `maxconn` is this node's, and how loaded is the broker really?
//!
//! The nodes of a site share its brokers. What siblings have there is known by their last word,
//! which is good enough to balance by, together with a guess: they have done since as we have,
//! but for those whose last two words were the same. A standby does nothing.
//! It is not good enough for a hard limit, so the places of `maxconn` are like coins: each node
//! spends only its own, and asks a sibling for some of its before they run out. A node alone
//! has them all. Coins that two think they have (when they meet) are given up by whoever does
//! not use them; coins that nobody has (a sibling is gone, or a message was lost) are taken by
//! all alike, and only a while later, when everybody has said what they hold. So the sum passes
//! `maxconn` only where siblings cannot hear each other; then the broker's own refusal rules.
//!
//! Our coins may run out while a sibling has some to spare. Then an opening waits for those that
//! were asked for, but only as long as somebody may still give: who has said no, or nothing, is
//! *dry* for a while, and a broker of which all siblings are dry is simply full.

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{BrokerId, PeerId};
use crate::time::Time;

/// A sibling's places are free again when it has been gone for this long.
pub const GONE_AFTER: Duration = Duration::from_secs(3);
/// As many places are found lost as were missing all the time for this long: longer than two
/// words in a row take to come, of which one may be lost itself.
const LOST_AFTER: Duration = Duration::from_millis(2_500);
/// The last few are found lost when nobody's places and flows have changed for this long.
const QUIET_FOR: Duration = Duration::from_secs(5);
/// Places are found held twice when that has been so for this long. To give some up that were not
/// is no harm: they are lost then.
const OVER_AFTER: Duration = Duration::from_secs(1);
/// Siblings are asked for places ahead no more often than this.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// An answer takes no longer than this, or does not come.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// Who gave nothing, or did not answer, is not asked again before, unless it says that it has more.
const DRY_FOR: Duration = Duration::from_millis(500);
const DEAF_FOR: Duration = Duration::from_secs(2);
/// Siblings that a broker's books know, at most; others are not counted.
const SIBLINGS_MAX: usize = 64;

/// What a sibling says of the brokers that it shares with us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sibling {
    /// Who.
    pub peer: PeerId,
    /// Another one with every word of it.
    pub word: u64,
    /// It has said what it has: of a broker that is not in `counts` it has nothing.
    pub told: bool,
    /// What it has there.
    pub counts: Vec<SiblingCount>,
}

/// A sibling's part in one broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SiblingCount {
    /// Which.
    pub broker: BrokerId,
    /// Flows that it has placed there.
    pub flows: u32,
    /// Places of the broker's `maxconn` that it holds; 0 where there is none.
    pub share: u32,
}

/// One sibling, as known for one broker.
#[derive(Clone, Copy, Debug)]
struct Other {
    peer: PeerId,
    word: u64,
    flows: u32,
    share: u32,
    /// What we had placed when it last spoke.
    mark: u64,
    /// It had not as many flows as at its word before.
    busy: bool,
    /// Since when nothing was heard of it.
    gone: Option<Time>,
    /// It gave nothing when it seemed to have so many to spare; asked again not before.
    dry: Option<(u32, Time)>,
}

impl Other {
    /// Places that it does not use, as far as it has said.
    fn spare(&self) -> u32 {
        self.share.saturating_sub(self.flows)
    }

    /// Whether it may have something for us. It gives half of what it does not use.
    fn may_give(&self, now: Time) -> bool {
        self.spare() > 1 && self.dry.is_none_or(|(_, until)| now >= until)
    }
}

/// How short of places a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Need {
    /// Flows that it has there.
    pub(crate) flows: u32,
    /// Openings that wait.
    pub(crate) waiting: u32,
    /// Flows a second that it places there.
    pub(crate) pace: u32,
}

/// One node's part in one broker.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    max: Option<u32>,
    own: u32,
    others: Vec<Other>,
    /// Flows that we have placed there, ever.
    placed: u64,
    /// Since when the books of the siblings and ours add up to less than `max`, and by how much at
    /// least: what is on its way from one to the other is missing for a moment, too.
    lost: Option<(Time, u64)>,
    /// Since when all have held what they hold, and a number for that.
    quiet: (Time, u64),
    /// Since when they add up to more.
    over_since: Option<Time>,
    /// Not asked ahead before.
    ask_at: Time,
    /// Whom we have asked, and how long an answer may take.
    asked: Option<(PeerId, Time)>,
}

impl Share {
    /// All of it.
    pub(crate) fn alone(max: Option<u32>) -> Share {
        let own = max.unwrap_or(u32::MAX);
        let (others, lost, over_since, asked) = (Vec::new(), None, None, None);
        let ask_at = Time::ZERO;
        let quiet = (Time::ZERO, 0);
        Share { max, own, others, placed: 0, lost, quiet, over_since, ask_at, asked }
    }

    /// Flows that this node may place there.
    pub(crate) fn limit(&self) -> Option<u32> {
        self.max.map(|_| self.own)
    }

    /// Flows that siblings have there, as far as they have said.
    pub(crate) fn elsewhere(&self) -> u32 {
        self.living().map(|other| other.flows).fold(0, u32::saturating_add)
    }

    /// The same, with what those who do something may have placed since: as much as we.
    pub(crate) fn guess_elsewhere(&self) -> u64 {
        let since = |other: &Other| if other.busy { self.placed - other.mark } else { 0 };
        self.living().map(|other| u64::from(other.flows) + since(other)).sum()
    }

    /// Siblings that share the broker with us.
    pub(crate) fn siblings(&self) -> usize {
        self.living().count()
    }

    /// We have placed a flow there.
    pub(crate) fn placed(&mut self) {
        self.placed += 1;
    }

    /// Takes in who is heard now, with `flows` of our own there.
    pub(crate) fn hear(&mut self, broker: BrokerId, siblings: &[Sibling], flows: u32, now: Time) {
        for other in &mut self.others {
            let sibling = siblings.iter().find(|sibling| sibling.peer == other.peer);
            // One that lives and has no such broker any more is as good as gone.
            let has = |sibling: &Sibling| sibling.counts.iter().any(|c| c.broker == broker);
            let heard = sibling.is_some_and(|sibling| !sibling.told || has(sibling));
            other.gone = if heard { None } else { other.gone.or(Some(now)) };
        }
        if self.asked.is_some_and(|(peer, _)| self.living().all(|other| other.peer != peer)) {
            self.asked = None;
        }
        let mut met = false;
        for sibling in siblings {
            let Some(count) = sibling.counts.iter().find(|count| count.broker == broker) else {
                continue;
            };
            met |= self.hear_one(sibling, *count);
        }
        self.settle(flows, met, now);
    }

    /// Whether it is new to us.
    fn hear_one(&mut self, sibling: &Sibling, count: SiblingCount) -> bool {
        let (peer, word, mark) = (sibling.peer, sibling.word, self.placed);
        let (flows, share) = (count.flows, count.share);
        let (busy, gone, dry) = (true, None, None);
        let new = Other { peer, word, flows, share, mark, busy, gone, dry };
        let full = self.others.len() >= SIBLINGS_MAX;
        match self.others.iter_mut().find(|other| other.peer == peer) {
            Some(known) if known.word == word => false,
            Some(known) => {
                let dry = known.dry.filter(|(spare, _)| new.spare() <= *spare);
                let busy = known.flows != flows;
                *known = Other { dry, busy, ..new };
                false
            }
            None if full => false,
            None => {
                self.others.push(new);
                true
            }
        }
    }

    /// What time alone changes.
    pub(crate) fn refresh(&mut self, flows: u32, now: Time) {
        let before = self.others.len();
        self.others.retain(|other| other.gone.is_none_or(|since| now < since + GONE_AFTER));
        let lost = self.others.len() < before;
        if let Some((peer, until)) = self.asked
            && now >= until
        {
            self.has_dried(peer, now + DEAF_FOR);
        }
        self.settle(flows, lost, now);
    }

    /// A sibling did not give us anything.
    fn has_dried(&mut self, peer: PeerId, until: Time) {
        self.asked = self.asked.filter(|(asked, _)| *asked != peer);
        if let Some(other) = self.others.iter_mut().find(|other| other.peer == peer) {
            other.dry = Some((other.spare(), until));
        }
    }

    /// When [`Share::refresh`] is due.
    pub(crate) fn next_timeout(&self) -> Time {
        let gone = self.others.iter().filter_map(|other| other.gone).min();
        let gone = gone.map_or(Time::NEVER, |since| since + GONE_AFTER);
        let asked = self.asked.map_or(Time::NEVER, |(_, until)| until);
        let lost = self.lost.map_or(Time::NEVER, |(since, _)| since + LOST_AFTER);
        let over = self.over_since.map_or(Time::NEVER, |since| since + OVER_AFTER);
        gone.min(asked).min(lost).min(over)
    }

    /// Places that nobody has are taken, and those that two have are given up; at once where a
    /// sibling has just come or gone for good, else when that is so for a while.
    fn settle(&mut self, flows: u32, at_once: bool, now: Time) {
        let Some(max) = self.max else { return };
        if self.others.is_empty() {
            // Whatever is missing or too much is nobody else's.
            (self.own, self.lost, self.over_since) = (max, None, None);
            return;
        }
        let max = u64::from(max);
        let shares: u64 = self.others.iter().map(|other| u64::from(other.share)).sum();
        let held = shares + u64::from(self.own);
        let nodes = 1 + self.living().count() as u64;
        if held <= max {
            self.over_since = None;
        }
        // Fewer than one for each cannot be divided: who has least takes them.
        let (is_quiet, has_least) = (self.is_quiet(flows, now), self.has_least(flows));
        if held == max || held < max && max - held < nodes && !has_least {
            self.lost = None;
            return;
        }
        if held < max {
            let (since, least) = self.lost.unwrap_or((now, max - held));
            let least = least.min(max - held);
            self.lost = Some((since, least));
            if at_once {
                self.own += ((max - held) / nodes) as u32;
                self.lost = None;
            } else if now >= since + LOST_AFTER {
                let rest = if is_quiet && has_least { least % nodes } else { 0 };
                self.own += (least / nodes + rest) as u32;
                // Looked at again, once all is quiet.
                let left = least % nodes - rest;
                self.lost = (has_least && left > 0).then_some((now, left));
            }
            return;
        }
        self.lost = None;
        let used =
            |other: &Other| u64::from(if other.gone.is_none() { other.flows } else { other.share });
        let used: u64 = self.others.iter().map(used).sum::<u64>() + u64::from(flows);
        let since = *self.over_since.get_or_insert(now);
        // Where flows alone take all there is, a place that becomes free is not filled again.
        if !at_once && used < max && now < since + OVER_AFTER {
            return;
        }
        self.over_since = None;
        // What nobody uses is divided anew. All do so, and by the same words: what is given up
        // too much is missing then, and taken again.
        let mut part = flows + (max.saturating_sub(used) / nodes) as u32;
        if at_once && shares < max {
            // They have divided it among themselves before, and give nothing up at once for one
            // who comes to them anew: there is what they have left.
            part = part.min((max - shares) as u32).max(flows);
        }
        self.own = self.own.min(part);
    }

    /// Nobody has given or taken a place, and no flow has come or gone, for so long that nothing can be
    /// on its way and all know the same.
    fn is_quiet(&mut self, flows: u32, now: Time) -> bool {
        let of = |share: u32, flows: u32| u64::from(share) << 32 | u64::from(flows);
        let held = self.others.iter().fold(of(self.own, flows), |all, other| {
            all.wrapping_mul(0x0001_0000_0000_01b3) ^ of(other.share, other.flows)
        });
        if self.quiet.1 != held {
            self.quiet = (now, held);
        }
        now >= self.quiet.0 + QUIET_FOR
    }

    /// Nobody has as few places as we, or as few flows on as many: seen alike by all, once all is quiet.
    /// Where two are alike, nobody does.
    fn has_least(&self, flows: u32) -> bool {
        let mine = (self.own, flows);
        self.others.iter().all(|other| mine < (other.share, other.flows))
    }

    /// Whether places may come from a sibling, so that it is worth to wait for one.
    pub(crate) fn hopes(&self, now: Time) -> bool {
        let has_asked = self.asked.is_some_and(|(_, until)| now < until);
        let more = self.max.is_some_and(|max| self.own < max);
        more && (has_asked || self.living().any(|other| other.may_give(now)))
    }

    /// Whether more places could be of use with so many flows, and nobody is asked yet: for most
    /// brokers the answer is no, and then nothing else has to be looked at.
    pub(crate) fn may_want(&self, flows: u32) -> bool {
        let enough = flows.saturating_add(ahead(self.own)) < self.own;
        let is_all_ours = self.max.is_none_or(|max| self.own >= max);
        !enough && !is_all_ours && self.asked.is_none() && !self.others.is_empty()
    }

    /// Whom to ask for how many places, before our own run out. Ahead of need that is done now
    /// and then; while openings wait, as soon as the last question is answered.
    pub(crate) fn wants(&mut self, need: Need, now: Time) -> Option<(PeerId, u32)> {
        let Need { flows, waiting, pace } = need;
        let max = self.max?;
        let waits = waiting > 0 && flows >= self.own;
        if !self.may_want(flows) || (now < self.ask_at && !waits) {
            return None;
        }
        let may_give = self.living().filter(|other| other.may_give(now));
        let richest = may_give.max_by_key(|other| other.spare())?;
        let (peer, mut spare) = (richest.peer, richest.spare());
        if !waits && spare / 2 <= ahead(richest.share) {
            // It would ask for them again: what goes back and forth is always on its way, and that
            // looks lost.
            spare = spare.saturating_sub(self.own.saturating_sub(flows)) / 2;
        }
        if spare == 0 {
            return None;
        }
        (self.ask_at, self.asked) = (now + ASK_EVERY, Some((peer, now + ANSWER_WITHIN)));
        Some((peer, (max / 8).max(2).max(waiting).max(pace).min(spare)))
    }

    /// A sibling asks for places: how many it gets. They are its own from now on.
    pub(crate) fn give(&mut self, to: PeerId, wanted: u32, flows: u32) -> u32 {
        let Some(other) = self.others.iter_mut().find(|other| other.peer == to) else { return 0 };
        let given =
            if self.max.is_some() { self.own.saturating_sub(flows) / 2 } else { 0 }.min(wanted);
        if given > 0 {
            self.own -= given;
            other.share = other.share.saturating_add(given);
        }
        given
    }

    /// A sibling has answered us: so many places it gives, or none.
    pub(crate) fn take(&mut self, from: PeerId, given: u32, now: Time) {
        let Some(max) = self.max else { return };
        let Some(other) = self.others.iter_mut().find(|other| other.peer == from) else { return };
        if given == 0 {
            return self.has_dried(from, now + DRY_FOR);
        }
        // It cannot give what it does not have, whatever it says.
        let given = given.min(other.share).min(max.saturating_sub(self.own));
        other.share -= given;
        other.dry = None;
        self.own += given;
        self.asked = self.asked.filter(|(asked, _)| *asked != from);
    }

    fn living(&self) -> impl Iterator<Item = &Other> {
        self.others.iter().filter(|other| other.gone.is_none())
    }
}

/// With no more than this to spare of so many, more are asked for.
fn ahead(own: u32) -> u32 {
    (own / 8).max(2)
}

#[cfg(test)]
mod tests;
