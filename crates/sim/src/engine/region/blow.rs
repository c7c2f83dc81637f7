//! What befalls a region: what a strike takes away, and what is there again once it is over.
//!
//! Whatever a strike does to a thing is *held* there under the strike's number, and taken off by
//! that number. How a thing is follows from all that holds it, so that two strikes on one thing
//! need not know of each other: it is well again when the last of them has let go. Like umbrellas
//! over one table: it gets sun when none is left, whichever is closed first.

mod broker;
mod crowd;
mod drain;
mod link;
mod node;

use std::time::Duration;

pub(crate) use self::broker::Harm;
pub(crate) use self::drain::{Draining, Stage};
pub(crate) use self::link::{TOO_LATE, Trouble, Way};
pub(crate) use self::node::Ill;

use super::Region;
use super::class;
use super::terms::Event;
use crate::drill::{Death, Down};
use crate::engine::wheel::Key;

/// What befalls a region, or something in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blow {
    /// The whole site goes: its machines vanish, or its processes are killed or drained.
    Site(Down),
    /// A broker.
    Broker(u16, Harm),
    /// A node.
    Node(u8, Ill),
    /// A node's clock is set by so many milliseconds.
    Clock(u8, i64),
    /// What goes from here to that site.
    Way(u16, Trouble),
    /// What comes from that site does not come any more; flapping, with this period.
    Back(u16, Option<Duration>),
    /// So many more clients come, over this time.
    Surge(u32, Duration),
    /// This share of the clients loses its connection, in millionths.
    Drop(u32, Death),
    /// All that the strike of this number holds here is let go.
    Lift,
}

/// What strikes hold a thing in, by their numbers.
#[derive(Debug)]
pub(crate) struct Holds<T>(Vec<(u32, T)>);

impl<T> Default for Holds<T> {
    fn default() -> Holds<T> {
        Holds(Vec::new())
    }
}

impl<T> Holds<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, number: u32, what: T) {
        self.0.push((number, what));
    }

    /// Whether that strike held it.
    fn lift(&mut self, number: u32) -> bool {
        let before = self.0.len();
        self.0.retain(|(holder, _)| *holder != number);
        self.0.len() < before
    }

    fn iter(&self) -> impl Iterator<Item = &(u32, T)> {
        self.0.iter()
    }

    fn any(&self, is: impl Fn(&T) -> bool) -> bool {
        self.0.iter().any(|(_, what)| is(what))
    }
}

impl Region {
    /// A strike befalls this site now, as soon as what else is to happen now has happened.
    pub(crate) fn strikes(&mut self, strike: u32, blow: Blow) {
        let number = self.blows.len() as u32;
        self.blows.push((strike, blow));
        let key = Key::new(class::BLOW, self.me as u32, number);
        self.agenda.push(self.now(), key, Event::Blow(number));
    }

    /// Whether that strike has stopped, cut or dropped anything here.
    pub(crate) fn is_struck_by(&self, strike: u32) -> bool {
        self.struck.contains(&strike)
    }

    pub(super) fn blow(&mut self, number: usize) {
        let (strike, blow) = self.blows[number];
        self.agenda.note(number as u64);
        let bit = match blow {
            Blow::Site(Down::Drain) => self.drains(strike),
            Blow::Site(Down::Rst) => self.site_falls(strike, Death::Rst),
            Blow::Site(Down::Silent) => self.site_falls(strike, Death::Silent),
            Blow::Broker(broker, harm) => self.harms(strike, broker, harm),
            Blow::Node(node, ill) => self.ails(strike, usize::from(node), ill),
            Blow::Clock(node, ms) => {
                self.nodes[usize::from(node)].clock += ms;
                true
            }
            Blow::Way(to, trouble) => self.troubles(strike, usize::from(to), trouble),
            Blow::Back(from, flap) => self.is_cut_off_from(strike, usize::from(from), flap),
            Blow::Surge(clients, over) => self.surges(strike, clients, over),
            Blow::Drop(ppm, how) => self.drops(strike, ppm, how),
            Blow::Lift => {
                self.lifts(strike);
                false
            }
        };
        if bit {
            self.struck.insert(strike);
        }
    }

    fn site_falls(&mut self, strike: u32, how: Death) -> bool {
        let mut bit = false;
        for node in 0..self.nodes.len() {
            bit |= self.node_goes(strike, node, how, false);
        }
        for broker in 0..self.brokers.len() as u16 {
            bit |= self.harms(strike, broker, Harm::Gone(how));
        }
        self.affects_home();
        bit
    }

    fn lifts(&mut self, strike: u32) {
        self.drain_is_over(strike);
        for broker in 0..self.brokers.len() as u16 {
            self.heals(strike, broker);
        }
        for node in 0..self.nodes.len() {
            self.recovers(strike, node);
        }
        self.mends(strike);
        self.surge_is_over(strike);
        self.stalls();
    }
}
