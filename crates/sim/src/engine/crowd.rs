//! Clients, one by one and in 32 bytes each: a connected idle client has nothing to come, and is
//! asked for nothing until something befalls the place that serves it.

use isobar_core::flow::Refusal;

use super::region::place::NOWHERE;

/// What a client is about; always one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Mood {
    /// Connected and idle, or so it thinks.
    Served,
    /// Connected; its next PINGREQ is in the agenda, as something has befallen its server.
    Stirred,
    /// Its PINGREQ is not answered yet.
    Asking,
    /// It waits before it tries again.
    Resting,
    /// It has asked for an address.
    Resolving,
    /// From its SYN to its CONNACK.
    Opening,
    /// It wants no connection for a while, or for good.
    Away,
}

/// Something that is so of a client, or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(crate) enum Trait {
    /// What it was connected to does not know it any more.
    Lost = 1,
    /// A fault took away what it was connected through, or it came with a surge.
    Affected = 2,
    /// It lost a connection, and has none since: it did not merely arrive.
    Bereft = 4,
    /// It was welcomed after the first fault had begun; without faults, ever.
    Since = 128,
    /// What it is connected to still knows it, and does not answer just now.
    Stuck = 8,
    /// The same, of the site that its flow is carried to.
    Far = 16,
    /// Its connection was dropped in silence: nothing arrives that it says there.
    Deaf = 32,
    /// It has been served once: it knows the address of the node that it spoke to then.
    Known = 64,
    /// The node that it knocked at has vanished, and its welcome may be on its way still.
    Orphan = 256,
}

/// What a client's last try came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Last {
    /// There was none since it last had a connection.
    None,
    /// Nobody told it an address.
    Nameless,
    /// No answer came, or none in time.
    Silence,
    /// It was closed without a word.
    Closed,
    /// A CONNACK of a node's, or of a broker's that does not take this client.
    Refused(Option<Refusal>),
}

impl Last {
    /// For reports.
    pub(crate) fn label(self, knows: bool) -> &'static str {
        match self {
            Last::None if knows => "has not tried yet",
            Last::None => "does not know yet",
            Last::Nameless => "no address",
            Last::Silence => "no answer in time",
            Last::Closed => "closed without a word",
            Last::Refused(Some(refusal)) => refusal.label(),
            Last::Refused(None) => "refused by the broker",
        }
    }
}

/// A client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// When it began to want a connection that it does not have, as far as it knows, in ms of the
    /// planet's time; 0 if it has one.
    pub(crate) noticed: u32,
    /// When it lost what served it, known to it or not, in ms; 0 if it has lost nothing.
    pub(crate) lost_at: u32,
    /// When its last SYN went out, in wrapping microseconds.
    pub(crate) opened: u32,
    /// The seat of its flow at its home site's node, if that is kept: the flow is in the making, or
    /// another site carries it.
    pub(crate) seat: u32,
    /// The site it speaks to, and the one whose broker serves it.
    pub(crate) site: u16,
    pub(crate) by: u16,
    pub(crate) broker: u16,
    /// Counts its moods: what belongs to an earlier one is stale.
    pub(crate) turn: u16,
    /// The turn in which it knocked where it is connected.
    pub(crate) flow: u16,
    pub(crate) node: u8,
    /// Tries since it noticed.
    pub(crate) tries: u8,
    traits: u16,
    pub(crate) mood: Mood,
    pub(crate) last: Last,
}

impl Client {
    /// Nobody serves it yet.
    pub(crate) fn new(home: usize) -> Client {
        Client {
            noticed: 0,
            lost_at: 0,
            opened: 0,
            seat: NOWHERE,
            site: home as u16,
            by: home as u16,
            broker: 0,
            turn: 0,
            flow: 0,
            node: 0,
            tries: 0,
            last: Last::None,
            traits: 0,
            mood: Mood::Away,
        }
    }

    /// Whether it is connected, as far as it knows.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.mood, Mood::Served | Mood::Stirred | Mood::Asking)
    }

    /// Whether it is connected, in truth.
    pub(crate) fn is_served(&self) -> bool {
        const NOT: u16 = Trait::Lost as u16 | Trait::Stuck as u16 | Trait::Far as u16;
        self.is_connected() && self.traits & NOT == 0
    }

    pub(crate) fn is(&self, what: Trait) -> bool {
        self.traits & what as u16 != 0
    }

    pub(crate) fn set(&mut self, what: Trait, so: bool) {
        self.traits = if so { self.traits | what as u16 } else { self.traits & !(what as u16) };
    }

    /// A new mood.
    pub(crate) fn feels(&mut self, mood: Mood) -> u16 {
        self.mood = mood;
        self.turn = self.turn.wrapping_add(1);
        self.turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_small() {
        assert_eq!(size_of::<Client>(), 32);
    }

    #[test]
    fn traits_are_kept_apart() {
        let mut client = Client::new(1);
        client.set(Trait::Affected, true);
        client.set(Trait::Lost, true);
        client.set(Trait::Lost, false);
        assert_eq!(
            [Trait::Lost, Trait::Affected, Trait::Bereft].map(|what| client.is(what)),
            [false, true, false]
        );
    }
}
