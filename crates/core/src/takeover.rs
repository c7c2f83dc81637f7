//! Who carries this client id on this node, and who must go when it comes back?
//!
//! Brokers that share nothing cannot do MQTT's takeover among themselves (MQTT 5.0 section
//! 3.1.4), so it is done here: once the new flow's CONNACK said success, and only where the
//! two are on different brokers. On the same broker it is the broker's own business, and of two
//! carried to the same site that site's. Siblings tell each other whom they have taken. A table
//! of 128-bit keys, one entry per accepted flow: bounded by `maxconn`.
//!
//! Of two at two siblings, the client's later one should stay; but a sibling's word on when its
//! client came is late by as long as it travels, so that each may take its own for the older one
//! and end it. So one of the two, that with the lower identity, judges: it yields to a flow that
//! is later by a margin, and else says so again, with a time that makes the other one yield,
//! which does so to whatever is not older than its own.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{BrokerId, ClientKey, FlowId, SiteId};
use crate::time::Time;

/// Who has taken a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// A broker of this site.
    Here(BrokerId),
    /// Another site.
    There(SiteId),
}

impl From<BrokerId> for Taken {
    fn from(broker: BrokerId) -> Taken {
        Taken::Here(broker)
    }
}

impl From<SiteId> for Taken {
    fn from(site: SiteId) -> Taken {
        Taken::There(site)
    }
}

/// More than two words of siblings are late by together. Of two clients with one id that come to
/// two siblings within it, the lower sibling's stays.
pub const MARGIN: Duration = Duration::from_millis(500);

/// Which of two siblings keeps its flow where time cannot decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Precedence {
    /// This node: its identity is the lower one.
    Ours,
    /// The sibling.
    Theirs,
}

/// What follows from a sibling's word on a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Our flow came before, and was taken by another: it must end.
    Ends(FlowId),
    /// Our flow stays: the sibling is to be told of it once more, with this time, and ends its own.
    Stays(Taken, Time),
    /// No flow of ours, or the broker's own business.
    Nothing,
}

/// Clients that siblings are told of at once, at most, when there are some again. Of those beyond,
/// an older flow ends by its own keepalive.
const MEETING_MAX: usize = 16_384;
/// From a client's coming to its CONNACK, as a rule.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(1);

/// The accepted flows of one service by client id.
#[derive(Clone, Debug)]
pub struct Takeover {
    flows: BTreeMap<ClientKey, Listed>,
    /// Since when no sibling lives.
    alone_since: Option<Time>,
}

impl Default for Takeover {
    fn default() -> Takeover {
        Takeover { flows: BTreeMap::new(), alone_since: Some(Time::ZERO) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Listed {
    flow: FlowId,
    by: Taken,
    /// When its client came.
    came: Time,
    /// The same, or when a sibling's client came, as far as we know, against which it stays.
    stands: Time,
}

impl Takeover {
    /// `flow`, whose client came at `since`, was accepted for `client` by `by`. Returns the
    /// flow that must end: the one whose client came first. That may be `flow` itself, where a
    /// hung broker let its client go, come back, and be accepted elsewhere meanwhile. On the
    /// same broker it is the one accepted last that stays, whoever came first, and it is listed
    /// as having come when the later of the two did: that is when the client was last there.
    pub fn accepted(
        &mut self,
        client: ClientKey,
        flow: FlowId,
        by: impl Into<Taken>,
        since: Time,
    ) -> Option<FlowId> {
        let by = by.into();
        match self.flows.get(&client) {
            Some(listed) if listed.came > since && listed.by != by => Some(flow),
            listed => {
                let came = listed.map_or(since, |listed| since.max(listed.came));
                let listed = Listed { flow, by, came, stands: came };
                let older = self.flows.insert(client, listed)?;
                (older.by != by).then_some(older.flow)
            }
        }
    }

    /// Whether a flow was accepted for `client` whose client came after `since`. One that came
    /// then and still tries is to be taken to no further broker: on the later one's it would
    /// throw that out.
    pub fn has_later(&self, client: ClientKey, since: Time) -> bool {
        self.flows.get(&client).is_some_and(|listed| listed.came > since)
    }

    /// A sibling has accepted this client, which came to it at `since` by our clock or a little
    /// before, `by` this broker of the site or by that other site.
    pub fn heard(
        &mut self,
        client: ClientKey,
        by: impl Into<Taken>,
        since: Time,
        precedence: Precedence,
    ) -> Heard {
        let by = by.into();
        let Some(listed) = self.flows.get_mut(&client).filter(|listed| listed.by != by) else {
            return Heard::Nothing;
        };
        match precedence {
            Precedence::Ours if since > listed.stands + MARGIN => Heard::Ends(listed.flow),
            // Its own clock cannot say that the sibling's came later than this.
            Precedence::Ours => {
                listed.stands = listed.stands.max(since);
                Heard::Stays(listed.by, listed.stands)
            }
            Precedence::Theirs if since >= listed.came => Heard::Ends(listed.flow),
            Precedence::Theirs => Heard::Stays(listed.by, listed.came),
        }
    }

    /// Siblings live, or none does. Those that have just come are to be told of the clients that
    /// were accepted while there was nobody to tell: some of these may have come there, too.
    pub fn siblings(&mut self, living: bool, now: Time) -> Vec<(ClientKey, Taken, Time)> {
        if !living {
            self.alone_since.get_or_insert(now);
            return Vec::new();
        }
        let Some(since) = self.alone_since.take() else { return Vec::new() };
        let since = since - ACCEPTED_WITHIN;
        let untold = self.flows.iter().filter(|(_, listed)| listed.came >= since);
        let told = untold.map(|(client, listed)| (*client, listed.by, listed.came));
        told.take(MEETING_MAX).collect()
    }

    /// `flow` has ended.
    pub fn ended(&mut self, client: ClientKey, flow: FlowId) {
        if self.flows.get(&client).is_some_and(|listed| listed.flow == flow) {
            self.flows.remove(&client);
        }
    }

    /// Flows in the table.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_flow_on_another_broker_ends_and_only_that() {
        let (a, b) = (ClientKey::from_bits(1), ClientKey::from_bits(2));
        let mut table = Takeover::default();
        assert_eq!(table.accepted(a, FlowId(1), BrokerId(0), Time(1)), None);
        assert_eq!(table.accepted(b, FlowId(2), BrokerId(0), Time(2)), None);
        assert_eq!(
            table.accepted(a, FlowId(3), BrokerId(0), Time(3)),
            None,
            "the broker does it itself"
        );
        assert_eq!(table.accepted(a, FlowId(4), BrokerId(1), Time(4)), Some(FlowId(3)));
        table.ended(a, FlowId(3));
        assert_eq!(
            table.accepted(a, FlowId(5), BrokerId(0), Time(5)),
            Some(FlowId(4)),
            "4 was current"
        );
        let ghost = table.accepted(a, FlowId(6), BrokerId(1), Time(4));
        assert_eq!(ghost, Some(FlowId(6)), "its client came before that of 5");
        assert!(table.has_later(a, Time(4)));
        assert!(!table.has_later(a, Time(5)), "that is the one there is");
        table.ended(a, FlowId(6));
        table.ended(a, FlowId(5));
        assert!(!table.has_later(a, Time(4)), "it has gone");
        table.ended(b, FlowId(2));
        assert!(table.is_empty());
    }

    #[test]
    fn on_the_same_broker_the_survivor_is_listed_whoever_came_first() {
        let (a, broker) = (ClientKey::from_bits(1), BrokerId(0));
        let mut table = Takeover::default();
        assert_eq!(table.accepted(a, FlowId(2), broker, Time(2)), None);
        assert_eq!(table.accepted(a, FlowId(1), broker, Time(1)), None, "the broker ends 2");
        table.ended(a, FlowId(2));
        assert_eq!(table.len(), 1, "1 is there");
        assert!(table.has_later(a, Time(1)), "the client was there later than that");
        assert!(!table.has_later(a, Time(2)));
        assert_eq!(table.accepted(a, FlowId(3), BrokerId(1), Time(3)), Some(FlowId(1)));
        table.ended(a, FlowId(1));
        table.ended(a, FlowId(3));
        assert!(table.is_empty());
    }

    #[test]
    fn of_two_siblings_the_one_with_the_later_client_keeps_it() {
        use Precedence::{Ours, Theirs};
        let me = ClientKey::from_bits(1);
        let (mut one, mut other) = (Takeover::default(), Takeover::default());
        let (early, late) = (at(1_000), at(3_000));
        one.accepted(me, FlowId(1), BrokerId(0), early);
        other.accepted(me, FlowId(2), SiteId(0), late);
        for (ours, theirs) in [(Ours, Theirs), (Theirs, Ours)] {
            assert_eq!(one.heard(me, SiteId(0), late, ours), Heard::Ends(FlowId(1)));
            let stays = Heard::Stays(Taken::There(SiteId(0)), late);
            assert_eq!(other.heard(me, BrokerId(0), early, theirs), stays);
            let same = one.heard(me, BrokerId(0), late, ours);
            assert_eq!(same, Heard::Nothing, "the broker does it itself");
            let nobody = one.heard(ClientKey::from_bits(9), BrokerId(1), late, ours);
            assert_eq!(nobody, Heard::Nothing);
        }
        one.ended(me, FlowId(1));
        assert!(one.is_empty());
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    /// Two siblings that have accepted one client each, and what they say, which is late.
    struct Pair {
        tables: [Takeover; 2],
        lives: [bool; 2],
        /// When it is heard, by whom, and when the other's client had come by its own word.
        mail: BTreeMap<(Time, u32), (usize, Duration)>,
        said: u32,
    }

    impl Pair {
        fn tell(&mut self, from: usize, since: Time, now: Time, delay: Duration) {
            self.said += 1;
            // In milliseconds, as it is spelled.
            let age = Duration::from_millis(now.since(since).as_millis() as u64);
            self.mail.insert((now + delay, self.said), (1 - from, age));
        }

        /// Clients come at these times, are accepted and told of a while later, and every word
        /// is late by one of the delays. Which of the two is left.
        fn play(came: [Time; 2], accepted: [Time; 2], delays: &[u64]) -> ([bool; 2], u32) {
            let me = ClientKey::from_bits(1);
            let tables = [Takeover::default(), Takeover::default()];
            let mut pair = Pair { tables, lives: [true; 2], mail: BTreeMap::new(), said: 0 };
            let mut delays = delays.iter().cycle().map(|ms| Duration::from_millis(*ms));
            let mut delay = || delays.next().unwrap_or_default();
            let mut to_accept = [0, 1];
            to_accept.sort_by_key(|node| accepted[*node]);
            let mut due = to_accept.into_iter().peekable();
            loop {
                let next = due.peek().map(|node| accepted[*node]);
                let first = pair.mail.first_key_value().map(|(key, _)| key.0);
                if let Some(now) = next.filter(|at| first.is_none_or(|first| *at <= first)) {
                    let Some(node) = due.next() else { break };
                    let by = BrokerId(node as u16);
                    let ends = pair.tables[node].accepted(me, FlowId(node as u64), by, came[node]);
                    assert_eq!(ends, None);
                    pair.tell(node, came[node], now, delay());
                } else if let Some(((now, _), (node, age))) = pair.mail.pop_first() {
                    let order = [Precedence::Ours, Precedence::Theirs][node];
                    let by = BrokerId(1 - node as u16);
                    match pair.tables[node].heard(me, by, now - age, order) {
                        Heard::Nothing => {}
                        Heard::Stays(_, since) => pair.tell(node, since, now, delay()),
                        Heard::Ends(flow) => {
                            pair.lives[node] = false;
                            pair.tables[node].ended(me, flow);
                        }
                    }
                } else {
                    break;
                }
            }
            (pair.lives, pair.said)
        }
    }

    #[test]
    fn siblings_that_come_are_told_of_whom_we_took_while_alone() {
        let (one, two) = (ClientKey::from_bits(1), ClientKey::from_bits(2));
        let mut table = Takeover::default();
        table.accepted(one, FlowId(1), BrokerId(0), at(5_000));
        let told = [(one, Taken::Here(BrokerId(0)), at(5_000))];
        assert_eq!(table.siblings(true, at(6_000)), told);
        assert_eq!(table.siblings(true, at(6_100)), []);
        assert_eq!(table.siblings(false, at(20_000)), []);
        assert_eq!(table.siblings(false, at(30_000)), []);
        table.accepted(two, FlowId(2), BrokerId(1), at(25_000));
        let told = [(two, Taken::Here(BrokerId(1)), at(25_000))];
        assert_eq!(table.siblings(true, at(40_000)), told);
    }

    #[test]
    fn of_two_that_came_at_nearly_the_same_time_exactly_one_stays() {
        let times = [0, 1, 20, 90, 249, 250, 251, 400, 499, 500, 501, 749, 751, 1_100];
        let delays = [[0, 0, 0], [249, 0, 7], [0, 249, 249], [249, 249, 0], [3, 100, 249]];
        for lower in times {
            for higher in times {
                for wait in [0, 5, 300] {
                    for delays in delays {
                        let came = [at(1_000 + lower), at(1_000 + higher)];
                        let accepted = [came[0] + Duration::from_millis(wait), came[1]];
                        let (lives, said) = Pair::play(came, accepted, &delays);
                        let what = (lower, higher, wait, delays);
                        assert!(lives[0] != lives[1], "{what:?}: {lives:?}");
                        assert!(said <= 6, "{what:?}: {said} words");
                        // Outside the margin it is the later one.
                        if higher > lower + 500 || lower > higher {
                            assert_eq!(lives[1], higher > lower, "{what:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn two_at_one_site_are_that_site_s_business() {
        let me = ClientKey::from_bits(1);
        let mut table = Takeover::default();
        table.accepted(me, FlowId(1), SiteId(4), Time(1));
        assert_eq!(table.accepted(me, FlowId(2), SiteId(4), Time(2)), None);
        assert_eq!(table.accepted(me, FlowId(3), BrokerId(4), Time(3)), Some(FlowId(2)));
    }
}
