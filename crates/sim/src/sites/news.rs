//! What sites tell each other, and when pools are woken.

use std::time::Duration;

use isobar_core::id::PeerId;
use isobar_core::outlook::{Candidate, Door, Heard, Standing};
use isobar_core::pool::{Fact, Output};
use isobar_core::time::Time;

use super::{Event, Id, S, Sites};

/// A site speaks this often.
const EVERY: Duration = Duration::from_secs(1);

/// What a site says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    room: u32,
    heard: Time,
    admit: u32,
}

impl Sites {
    pub(super) fn speaks(&mut self, site: usize) {
        let load = self.sites[site].pool.load(self.now, S);
        let word = Word { room: load.room, heard: self.now, admit: load.admit_per_second };
        for other in (0..self.sites.len()).filter(|other| *other != site) {
            self.push(self.rtts[site][other] / 2, Event::Hears(other, site, word));
        }
        self.push(EVERY, Event::Speaks(site));
    }

    pub(super) fn hears(&mut self, site: usize, from: usize, word: Word) {
        let rtts = self.rtts[site].clone();
        let here = &mut self.sites[site];
        here.heard.insert(from, Word { heard: self.now, ..word });
        let candidate = |(from, word): (&usize, &Word)| Candidate {
            site: Sites::site_id(*from),
            standing: Standing::Reachable,
            rtt: rtts[*from],
            headroom: word.room,
            heard: Heard::at(word.heard),
            admit_per_second: word.admit,
            doors: vec![Door { peer: PeerId(*from as u16), warm: true }],
        };
        let candidates: Vec<_> = here.heard.iter().map(candidate).collect();
        here.pool.handle_candidates(self.now, S, &candidates);
    }

    pub(super) fn tick(&mut self, site: usize) {
        let here = &mut self.sites[site];
        here.tick = Time::NEVER;
        here.pool.handle(self.now, Fact::Tick);
        if here.pool.poll_timeout() <= self.now {
            self.accuse(String::from("a tick leaves a timeout that is due: a busy loop"));
        }
    }

    /// Carries out what the pools want.
    pub(super) fn pump(&mut self) {
        for site in 0..self.sites.len() {
            while let Some(output) = self.sites[site].pool.poll_output() {
                self.carry_out(site, output);
            }
            let due = self.sites[site].pool.poll_timeout();
            if due < self.sites[site].tick {
                self.sites[site].tick = due;
                self.push(due.since(self.now), Event::Tick(site));
            }
        }
    }

    fn carry_out(&mut self, site: usize, output: Output) {
        match output {
            Output::Granted(flow, ticket, token) => self.granted(site, flow.0, ticket, token),
            Output::TurnedAway(flow, ticket, why) => self.turned_away(flow.0, ticket, why),
            Output::ComeHome(_, flow) => {
                self.tally.called.push(self.now);
                self.ends(flow.0 as Id);
            }
            Output::AskLease { service, site: to, door, n } => {
                // Asked and answered in no time: what matters here is what is counted.
                let there = &mut self.sites[to.index()].pool;
                let peer = PeerId(site as u16);
                let granted = there.grant_lease(self.now, service, peer, n);
                let ttl = isobar_core::lease::LEASE_TTL;
                self.sites[site].pool.handle_lease(self.now, service, (to, door), granted, ttl);
            }
            Output::AskPlaces { .. } => {
                self.accuse(String::from("a node alone has nobody to ask for places"));
            }
            Output::Probe { .. } | Output::ShutdownSessions(..) | Output::Notice(_) => {}
        }
    }
}
