//! What befalls the ways between sites. Each way has its own troubles: what is cut in one
//! direction comes through in the other.
//!
//! Only what nodes say to each other goes these ways. Clients and resolvers reach a site over the
//! internet at large.

use std::time::Duration;

use isobar_core::time::Time;

use super::super::terms::Event;
use super::super::{Region, class};
use super::Holds;
use crate::drill::Bursts;
use crate::drill::quantity::MILLION;
use crate::engine::draw::{Draws, Purpose};
use crate::engine::wheel::Key;

/// How a way may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// Nothing comes through; flapping, with this period.
    Cut(Option<Duration>),
    /// So many packets in a million are lost, each by itself or in bursts.
    Loss(u32, Option<Duration>),
    /// Every packet takes so much longer.
    Delay(Duration),
}

/// The way to another site, and what is known of the way back.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// A trouble, and whether it is on just now.
    out: Holds<(Trouble, bool)>,
    back: Holds<bool>,
}

impl Way {
    /// Whether something is wrong with the way there.
    pub(crate) fn is_well(&self) -> bool {
        self.out.is_empty()
    }

    pub(crate) fn is_cut_there(&self) -> bool {
        self.out.any(|(trouble, on)| *on && matches!(trouble, Trouble::Cut(_)))
    }

    /// Whether most of what is said comes through, and before others give it up.
    pub(crate) fn comes_through(&self) -> bool {
        !self.out.any(|(trouble, on)| match trouble {
            Trouble::Cut(_) => *on,
            Trouble::Loss(ppm, _) => *ppm >= MILLION / 2,
            Trouble::Delay(delay) => *delay >= TOO_LATE,
        })
    }

    /// Whether what needs both directions comes to nothing.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut_there() || self.back.any(|on| *on)
    }
}

/// What comes so much later than before has not come, to who waits for it.
pub(crate) const TOO_LATE: Duration = Duration::from_millis(500);

/// A way in one direction, for draws.
fn entity(from: usize, to: usize) -> u64 {
    (from as u64) << 32 | to as u64
}

/// Whether everything on a way is lost just now: in each period once, at a moment of its own.
fn in_burst(draws: Draws, way: u64, salt: u64, bursts: Bursts, now: Time) -> bool {
    let length = bursts.length.as_nanos() as u64;
    let period = (u128::from(length) * u128::from(MILLION) / u128::from(bursts.share_ppm)) as u64;
    let (number, within) = (now.0 / period, now.0 % period);
    let free = period.saturating_sub(length);
    let begins = draws.below(free.max(1), way ^ salt << 16, Purpose::Burst, number);
    (begins..begins + length).contains(&within)
}

impl Region {
    /// Whether that has made any difference already; losses and delays do when something is lost
    /// or delayed.
    pub(super) fn troubles(&mut self, strike: u32, to: usize, trouble: Trouble) -> bool {
        let was_whole = !self.ways[to].is_cut_there();
        self.ways[to].out.put(strike, (trouble, true));
        let Trouble::Cut(flap) = trouble else { return false };
        self.flaps_later(strike, flap);
        self.seats_stall();
        was_whole
    }

    pub(super) fn is_cut_off_from(
        &mut self,
        strike: u32,
        from: usize,
        flap: Option<Duration>,
    ) -> bool {
        self.ways[from].back.put(strike, true);
        self.flaps_later(strike, flap);
        self.seats_stall();
        // Where it begins it is known whether it was whole.
        false
    }

    fn flaps_later(&mut self, strike: u32, period: Option<Duration>) {
        let Some(period) = period else { return };
        let began = self.now();
        // One clock for all ways of a strike.
        if self.flaps.iter().all(|flap| flap.0 != strike) {
            self.flaps.push((strike, period, began));
            self.flap_at(strike, began + period / 2);
        }
    }

    fn flap_at(&mut self, strike: u32, at: Time) {
        let key = Key::new(class::FLAP, strike, (at.0 >> 16) as u32);
        self.agenda.push(at, key, Event::Flap(strike));
    }

    /// Half of a period has passed.
    pub(in super::super) fn flap(&mut self, strike: u32) {
        let Some((_, period, began)) = self.flaps.iter().find(|flap| flap.0 == strike).copied()
        else {
            return;
        };
        let half = (period / 2).max(Duration::from_micros(100)).as_nanos() as u64;
        let halves = (self.now().0 - began.0) / half;
        let on = halves.is_multiple_of(2);
        for way in &mut self.ways {
            for (holder, (_, is_on)) in &mut way.out.0 {
                *is_on = if *holder == strike { on } else { *is_on };
            }
            for (holder, is_on) in &mut way.back.0 {
                *is_on = if *holder == strike { on } else { *is_on };
            }
        }
        self.flap_at(strike, Time(began.0 + (halves + 1) * half));
        self.seats_stall();
    }

    pub(super) fn mends(&mut self, strike: u32) {
        self.flaps.retain(|flap| flap.0 != strike);
        for way in &mut self.ways {
            way.out.lift(strike);
            way.back.lift(strike);
        }
    }

    /// Whether the next packet of a node to a site is lost.
    pub(in super::super) fn is_lost(&mut self, node: usize, to: usize) -> bool {
        if to == self.me {
            return false;
        }
        let wan = &self.plan.drill.topology.wan;
        let count = u64::from(self.nodes[node].count);
        let gnode = u64::from(self.gnode(node));
        let (draws, way, now) = (self.draws, entity(self.me, to), self.now());
        if draws.happens(wan.loss_ppm, gnode, Purpose::Loss, count)
            || wan.bursts.is_some_and(|bursts| in_burst(draws, way, 0, bursts, now))
        {
            return true;
        }
        if self.ways[to].is_well() {
            return false;
        }
        let loses = |(strike, (trouble, on)): &(u32, (Trouble, bool))| match *trouble {
            Trouble::Cut(_) => on.then_some(None),
            Trouble::Loss(ppm, burst) => {
                let salt = u64::from(*strike) + 1;
                let lost = match burst {
                    None => draws.happens(ppm, gnode, Purpose::Loss, salt << 32 | count),
                    Some(length) => {
                        let bursts = Bursts { length, share_ppm: ppm };
                        ppm > 0 && in_burst(draws, way, salt, bursts, now)
                    }
                };
                lost.then_some(Some(*strike))
            }
            Trouble::Delay(_) => None,
        };
        match self.ways[to].out.iter().find_map(loses) {
            None => false,
            Some(by) => {
                self.struck.extend(by);
                true
            }
        }
    }

    /// By how much later than else a packet comes there.
    pub(in super::super) fn delay(&mut self, to: usize) -> Duration {
        if self.ways[to].is_well() {
            return Duration::ZERO;
        }
        let mut all = Duration::ZERO;
        for (strike, (trouble, _)) in self.ways[to].out.iter() {
            if let Trouble::Delay(delay) = trouble {
                all += *delay;
                self.struck.insert(*strike);
            }
        }
        all
    }
}
