//! What has happened in a drill, and when: what moments are reckoned from.

use std::time::Duration;

use super::scene::Became;
use crate::drill::{Become, Drill, Event, Moment, Strike};

/// Events that have come, each with its first time.
pub(super) struct Clock<'a> {
    drill: &'a Drill,
    faults: Vec<Course>,
    /// By site, and within it by what it became.
    became: Vec<Option<Duration>>,
}

/// How far a fault is.
#[derive(Clone, Copy, Default)]
struct Course {
    /// Strikes of it that have not ended.
    left: usize,
    /// When the first of them came.
    began: Option<Duration>,
    /// When the last of them ended.
    ended: Option<Duration>,
}

impl<'a> Clock<'a> {
    /// Nothing has happened.
    pub fn new(drill: &'a Drill, strikes: &[Strike]) -> Clock<'a> {
        let mut faults = vec![Course::default(); drill.faults.len()];
        for strike in strikes {
            faults[strike.fault].left += 1;
        }
        Clock { drill, faults, became: vec![None; drill.topology.sites.len() * Become::ALL.len()] }
    }

    /// A strike of this fault has come; whether it was the first.
    pub fn begins(&mut self, fault: usize, now: Duration) -> bool {
        let began = &mut self.faults[fault].began;
        let is_first = began.is_none();
        began.get_or_insert(now);
        is_first
    }

    /// A strike of this fault is over; whether it was the last.
    pub fn ends(&mut self, fault: usize, now: Duration) -> bool {
        let course = &mut self.faults[fault];
        course.left = course.left.saturating_sub(1);
        let is_last = course.left == 0;
        if is_last {
            course.ended = Some(now);
        }
        is_last
    }

    /// A site has become something; whether that was the first time.
    pub fn becomes(&mut self, became: &Became) -> bool {
        let place = place(usize::from(became.site), became.what);
        match self.became.get_mut(place) {
            Some(first @ None) => {
                *first = Some(became.at);
                true
            }
            _ => false,
        }
    }

    /// When that is, as soon as it is known.
    pub fn at(&self, moment: &Moment) -> Option<Duration> {
        let (event, wait) = match moment {
            Moment::At(time) => return Some(*time),
            Moment::After(event, wait) => (event, *wait),
        };
        let time = match event {
            Event::Begins(fault) => self.faults[*fault].began,
            Event::Ends(fault) => self.faults[*fault].ended,
            Event::Becomes(sites, what) => {
                let sites = sites.sites(&self.drill.topology);
                sites.into_iter().filter_map(|s| self.became[place(usize::from(s), *what)]).min()
            }
        };
        Some(time?.saturating_add(wait))
    }

    /// When the first fault came.
    pub fn first_fault(&self) -> Option<Duration> {
        self.faults.iter().filter_map(|course| course.began).min()
    }
}

fn place(site: usize, what: Become) -> usize {
    site * Become::ALL.len() + what as usize
}
