//! What a script may do to the sites, and see of them.

use std::time::Duration;

use isobar_core::id::BrokerId;
use isobar_core::pool::Token;
use isobar_core::rng::mix;
use isobar_core::time::Time;

use super::{Client, Event, Place, S, Sites, Tally};

impl Sites {
    /// Lets time pass.
    pub fn run(&mut self, time: Duration) -> &mut Sites {
        let end = self.now + time;
        loop {
            let ours = self.agenda.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
            let theirs = self.globe.next_at();
            if ours.min(theirs) > end {
                break;
            }
            self.now = ours.min(theirs);
            self.globe.advance(self.now);
            let heard = self.hear_mesh();
            if theirs <= ours && !heard {
                continue;
            }
            if ours < theirs
                && let Some((key, event)) = self.agenda.pop_first()
            {
                self.hash = mix(self.hash ^ key.0.0 ^ key.1.rotate_left(32));
                self.happens(event);
            }
            self.pump();
            self.check();
        }
        self.now = end;
        self.globe.advance(end);
        self
    }

    /// Outlooks reach their pools up to so much later than they are published.
    pub fn lag(&mut self, most: Duration) {
        self.lag = most;
    }

    /// `n` clients arrive at a site, evenly over a time and over its nodes, and come back for ever.
    pub fn arrive(&mut self, site: usize, n: usize, over: Duration) -> std::ops::Range<usize> {
        let nodes = self.nodes_of(site);
        self.arrive_at(nodes, n, over)
    }

    /// The same at these nodes only.
    pub fn arrive_at(
        &mut self,
        nodes: std::ops::Range<usize>,
        n: usize,
        over: Duration,
    ) -> std::ops::Range<usize> {
        let first = self.clients.len();
        for i in 0..n {
            let no = self.client(nodes.start + i % nodes.len());
            self.push(over * i as u32 / n as u32, Event::Arrives(no));
        }
        first..first + n
    }

    pub(super) fn client(&mut self, node: usize) -> usize {
        let (place, took) = (Place::Away, Duration::ZERO);
        let (refused, retired, twin) = (false, false, None);
        self.clients.push(Client { node, place, refused, retired, took, twin });
        self.clients.len() - 1
    }

    /// These clients go, and come back no more.
    pub fn leave(&mut self, clients: std::ops::Range<usize>) {
        for no in clients {
            self.clients[no].retired = true;
            match self.clients[no].place {
                Place::Served(id, _) => self.ends(id),
                Place::Flow(id) => self.tell(id, isobar_core::flow::Event::ClientGone),
                Place::Away => {}
            }
            self.pump();
        }
    }

    /// A broker dies, with all its flows, or is back.
    pub fn broker(&mut self, site: usize, broker: u16, up: bool) {
        self.brokers[site][usize::from(broker)].up = up;
        if up {
            return;
        }
        let there = |task: &&super::Task| {
            let on = task.token.as_ref().map(Token::broker);
            self.site_of(task.node) == site && task.committed && on == Some(BrokerId(broker))
        };
        let ids: Vec<_> = self.tasks.values().filter(there).map(|task| task.id).collect();
        for id in ids {
            self.ends(id);
        }
        self.pump();
    }

    /// A node takes no new flows of other sites, or does so again.
    pub fn drain(&mut self, node: usize, draining: bool) {
        self.nodes[node].draining = draining;
        self.nodes[node].pool.drain(draining);
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// How many of these clients are served, by site.
    pub fn served(&self, clients: std::ops::Range<usize>) -> Vec<usize> {
        let mut served = vec![0; self.brokers.len()];
        for no in clients {
            if let Place::Served(_, site) = self.clients[no].place {
                served[site] += 1;
            }
        }
        served
    }

    /// Clients that have come so far.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Clients that are not served now.
    pub fn unserved(&self) -> usize {
        self.clients.iter().filter(|c| !matches!(c.place, Place::Served(..)) && !c.retired).count()
    }

    /// How many of these clients were refused, the last time they came.
    pub fn refused(&self, clients: std::ops::Range<usize>) -> usize {
        clients.filter(|no| self.clients[*no].refused).count()
    }

    /// How long the last flow of each of these clients took to its CONNACK.
    pub fn took(&self, clients: std::ops::Range<usize>) -> Vec<Duration> {
        clients.map(|no| self.clients[no].took).collect()
    }

    /// Flows that each of a site's brokers holds.
    pub fn loads(&self, site: usize) -> Vec<u32> {
        self.brokers[site].iter().map(|broker| broker.active).collect()
    }

    /// Those of these clients that a broker of their own site serves.
    pub fn on_broker(&self, clients: std::ops::Range<usize>, broker: u16) -> Vec<usize> {
        let there = |no: &usize| {
            let Place::Served(id, _) = self.clients[*no].place else { return false };
            let token = self.tasks.get(&id).and_then(|task| task.token.as_ref());
            token.map(Token::broker) == Some(BrokerId(broker))
        };
        clients.filter(there).collect()
    }

    /// Flows that a site's brokers hold.
    pub fn load(&self, site: usize) -> u32 {
        self.brokers[site].iter().map(|broker| broker.active).sum()
    }

    /// Flows that a site would take of others: no more than its nodes say, nor than its brokers
    /// have beside the reserve.
    pub fn room(&self, site: usize) -> u32 {
        let loads = self.nodes_of(site).map(|node| self.nodes[node].pool.load(self.now, S));
        let (rooms, flows) =
            loads.fold((0, 0), |(rooms, flows), load| (rooms + load.room, flows + load.flows));
        let all: u32 = self.brokers[site].iter().map(|broker| broker.limit).sum();
        let reserve = all * u32::from(self.policy.spill.reserve) / 100;
        rooms.min(all.saturating_sub(flows + reserve))
    }

    /// What became of everyone.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Tasks that are not over.
    pub fn unfinished(&self) -> usize {
        self.tasks.len()
    }

    /// Passages that pools hold to other sites.
    pub fn away(&self) -> u32 {
        let reports = self.nodes.iter().map(|node| node.pool.report(S, self.now));
        reports.flat_map(|report| report.sent).map(|site| site.carried).sum()
    }

    /// The whole history so far, hashed.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// What the checkers found.
    pub fn violations(&self) -> Vec<&str> {
        let mesh = self.globe.violations().iter();
        self.violations.iter().chain(mesh).map(String::as_str).collect()
    }
}
