//! Who carries this client id on this node, and who must go when it comes back?
//!
//! Brokers that share nothing cannot do MQTT's takeover among themselves (MQTT 5.0 section
//! 3.1.4), so it is done here: once the new flow's CONNACK said success, and only where the
//! two are on different brokers. On the same broker it is the broker's own business, and of two
//! carried to the same site that site's. Siblings tell each other whom they have taken. A table
//! of 128-bit keys, one entry per accepted flow: bounded by `maxconn`.

use alloc::collections::BTreeMap;

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

/// What follows from a sibling's word on a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Our flow came before, and was taken by another: it must end.
    Ends(FlowId),
    /// Our flow came later, when the sibling's was not accepted yet: it is to be told once more
    /// of this one, and ends its own.
    Stays(Taken, Time),
    /// No flow of ours, or the broker's own business.
    Nothing,
}

/// The accepted flows of one service by client id.
#[derive(Clone, Debug, Default)]
pub struct Takeover {
    flows: BTreeMap<ClientKey, (FlowId, Taken, Time)>,
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
            Some((_, on, came)) if *came > since && *on != by => Some(flow),
            listed => {
                let came = listed.map_or(since, |(_, _, came)| since.max(*came));
                let (older, on, _) = self.flows.insert(client, (flow, by, came))?;
                (on != by).then_some(older)
            }
        }
    }

    /// Whether a flow was accepted for `client` whose client came after `since`. One that came
    /// then and still tries is to be taken to no further broker: on the later one's it would
    /// throw that out.
    pub fn has_later(&self, client: ClientKey, since: Time) -> bool {
        self.flows.get(&client).is_some_and(|(_, _, came)| *came > since)
    }

    /// A sibling has accepted this client, which came to it at `since` by our clock, `by` this
    /// broker of the site or by that other site.
    pub fn heard(&self, client: ClientKey, by: impl Into<Taken>, since: Time) -> Heard {
        let by = by.into();
        match self.flows.get(&client) {
            Some((flow, on, came)) if *on != by && *came < since => Heard::Ends(*flow),
            Some((_, on, came)) if *on != by && *came > since => Heard::Stays(*on, *came),
            _ => Heard::Nothing,
        }
    }

    /// `flow` has ended.
    pub fn ended(&mut self, client: ClientKey, flow: FlowId) {
        if self.flows.get(&client).is_some_and(|(current, ..)| *current == flow) {
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
        let me = ClientKey::from_bits(1);
        let (mut one, mut other) = (Takeover::default(), Takeover::default());
        one.accepted(me, FlowId(1), BrokerId(0), Time(1));
        other.accepted(me, FlowId(2), SiteId(0), Time(2));
        assert_eq!(one.heard(me, SiteId(0), Time(2)), Heard::Ends(FlowId(1)));
        let stays = Heard::Stays(Taken::There(SiteId(0)), Time(2));
        assert_eq!(other.heard(me, BrokerId(0), Time(1)), stays);
        assert_eq!(
            one.heard(me, BrokerId(0), Time(2)),
            Heard::Nothing,
            "the broker does it itself"
        );
        assert_eq!(one.heard(ClientKey::from_bits(9), BrokerId(1), Time(2)), Heard::Nothing);
        one.ended(me, FlowId(1));
        assert!(one.is_empty());
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
