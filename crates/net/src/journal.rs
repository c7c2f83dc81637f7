//! The last events of a node, kept for who looks later than they were logged.
//!
//! Bounded: the oldest are forgotten. What a stranger could repeat at will is logged only, so that
//! nobody can make it forget the rest.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use isobar_core::report::{Event, EventKind};

/// Events kept.
pub const EVENTS_MAX: usize = 256;

/// The last [`EVENTS_MAX`] events.
#[derive(Debug, Default)]
pub struct Journal {
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    /// Events ever.
    noted: u64,
    events: VecDeque<Event>,
}

/// An event that has just happened.
#[derive(Debug)]
pub struct Entry {
    /// What to.
    pub kind: EventKind,
    /// Its name.
    pub name: String,
    /// What it is now.
    pub is: &'static str,
    /// What it was.
    pub was: Option<&'static str>,
    /// Why.
    pub reason: String,
}

impl Journal {
    /// Keeps an event.
    pub fn note(&self, entry: Entry) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        let at_ms = at.map_or(0, |at| at.as_millis() as u64);
        let Entry { kind, name, is, was, reason } = entry;
        let mut ring = self.ring.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ring.noted += 1;
        let serial = ring.noted;
        while ring.events.len() >= EVENTS_MAX {
            ring.events.pop_front();
        }
        ring.events.push_back(Event { serial, at_ms, kind, name, is, was, reason });
    }

    /// All that are kept, oldest first.
    pub fn events(&self) -> Vec<Event> {
        let ring = self.ring.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ring.events.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let journal = Journal::default();
        for n in 0..EVENTS_MAX + 3 {
            let (kind, name) = (EventKind::Site, n.to_string());
            journal.note(Entry { kind, name, is: "dead", was: None, reason: String::new() });
        }
        let events = journal.events();
        assert_eq!(events.len(), EVENTS_MAX);
        assert_eq!((events[0].serial, &*events[0].name), (4, "3"));
        assert_eq!(events[EVENTS_MAX - 1].serial, EVENTS_MAX as u64 + 3);
    }
}
