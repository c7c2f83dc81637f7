//! Clients, one by one and in 24 bytes each: a connected idle client has nothing to come, and is
//! asked for nothing until something befalls the place that serves it.

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
}

/// A client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// When it noticed that it was not served, in ms of the planet's time; 0 if it is.
    pub(crate) noticed: u32,
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
    pub(crate) mood: Mood,
    /// What it was connected to does not know it any more.
    pub(crate) lost: bool,
}

impl Client {
    /// Nobody serves it yet.
    pub(crate) fn new(home: usize) -> Client {
        Client {
            noticed: 0,
            seat: NOWHERE,
            site: home as u16,
            by: home as u16,
            broker: 0,
            turn: 0,
            flow: 0,
            node: 0,
            tries: 0,
            mood: Mood::Resting,
            lost: false,
        }
    }

    /// Whether it is connected, as far as it knows.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.mood, Mood::Served | Mood::Stirred | Mood::Asking)
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
        assert_eq!(size_of::<Client>(), 24);
    }
}
