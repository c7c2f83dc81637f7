//! What a script may do to the world, and see of it.

use std::time::Duration;

use isobar_core::id::{BrokerId, PeerId, SiteId};
use isobar_core::mesh::{Input, Mesh};
use isobar_core::outlook::{Outlook, Standing};
use isobar_core::share::Sibling;
use isobar_core::time::Time;

use super::{Globe, State, Told};

impl Globe {
    /// SIGKILL.
    pub fn kill(&mut self, node: usize) {
        self.truth.dies(node, self.nodes[node].mesh.as_ref());
        let n = &mut self.nodes[node];
        (n.state, n.mesh, n.armed) = (State::Dead, None, Time::NEVER);
    }

    /// Starts a process again, with an incarnation to begin from.
    pub fn restart(&mut self, node: usize, given: u64) {
        self.kill(node);
        self.start(node, given);
    }

    /// A second process with the identity of the first node of `site`, at an address of its own.
    pub fn impostor(&mut self, site: usize, given: u64) -> usize {
        let node = self.build(site);
        self.truth.doubles(node, site * self.plan.nodes_per_site);
        self.start(node, given);
        node
    }

    /// SIGSTOP.
    pub fn stop(&mut self, node: usize) {
        self.nodes[node].state = State::Stopped;
    }

    /// SIGCONT.
    pub fn resume(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        n.state = State::Running;
        let waiting = std::mem::take(&mut n.socket);
        self.feed(node, Input::Tick);
        for event in waiting {
            self.happen(event);
        }
    }

    /// It says that it goes, and goes.
    pub fn leave(&mut self, node: usize) {
        self.feed(node, Input::Leave);
        self.run(Duration::from_millis(400));
        self.kill(node);
    }

    /// Nodes of a site.
    pub fn nodes_of(&self, site: usize) -> std::ops::Range<usize> {
        site * self.plan.nodes_per_site..(site + 1) * self.plan.nodes_per_site
    }

    /// Nothing passes any longer from these sites to those.
    pub fn cut(&mut self, from: &[usize], to: &[usize]) {
        self.paths.cut(from, to);
        self.truth.disturbed = true;
    }

    /// Nothing passes any longer from one node to another.
    pub fn cut_nodes(&mut self, from: usize, to: usize) {
        self.paths.cut_nodes(from, to);
    }

    /// Everything passes again.
    pub fn heal(&mut self) {
        self.paths.heal();
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// All notices so far.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Messages sent so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Bytes a node has said so far: frames as `wire` spells them, with the headers of QUIC, UDP
    /// and IP. Acknowledgements are apart.
    pub fn bytes(&self, node: usize) -> u64 {
        self.nodes[node].bytes
    }

    /// Bytes of packets that a node has said only to acknowledge others, at most.
    pub fn acks(&self, node: usize) -> u64 {
        self.nodes[node].acks
    }

    /// What a node publishes.
    pub fn outlook(&self, node: usize) -> &Outlook {
        &self.nodes[node].outlook
    }

    /// The siblings that a node counts.
    pub fn siblings(&self, node: usize) -> &[Sibling] {
        &self.nodes[node].siblings
    }

    /// Flows that siblings have on a node's first broker, as far as it knows.
    pub fn elsewhere(&self, node: usize) -> u32 {
        let counts = self.nodes[node].siblings.iter().flat_map(|sibling| &sibling.counts);
        counts.filter(|count| count.broker == BrokerId(0)).map(|count| count.flows).sum()
    }

    /// A node's machine.
    pub fn mesh(&self, node: usize) -> Option<&Mesh> {
        self.nodes[node].mesh.as_ref()
    }

    /// What a node holds of a site.
    pub fn standing(&self, node: usize, site: usize) -> Option<Standing> {
        let mesh = self.nodes[node].mesh.as_ref()?;
        let name = format!("s{site:03}");
        mesh.find_site(&name).and_then(|site| mesh.standing_of(site))
    }

    /// The site that a node's number means.
    pub fn site_of(&self, node: usize, site: SiteId) -> Option<usize> {
        let mesh = self.nodes[node].mesh.as_ref()?;
        mesh.site_name(site)?[1..].parse().ok()
    }

    /// Whether every running node holds every running node living, and all it says of itself,
    /// and every site with a running node reachable.
    pub fn converged(&self) -> bool {
        self.unconverged().is_none()
    }

    /// What is in the way of that.
    pub fn unconverged(&self) -> Option<String> {
        let regular = self.plan.sites * self.plan.nodes_per_site;
        let running = |&node: &usize| self.nodes[node].state == State::Running;
        for here in (0..regular).filter(running) {
            let mesh = self.nodes[here].mesh.as_ref()?;
            for there in (0..regular).filter(running).filter(|&there| there != here) {
                let owner = self.nodes[there].mesh.as_ref()?;
                let place = mesh.find(&self.identity(there));
                let Some(place) = place else { return Some(format!("{here} not met {there}")) };
                let (held, truth) = (mesh.held(place), owner.held(PeerId(0)));
                if held.incarnation != truth.incarnation || held.sum != truth.sum {
                    return Some(format!("{here} of {there}: {held:?} is not {truth:?}"));
                }
                if !mesh.is_living(place) {
                    return Some(format!("{here} holds {there} not living"));
                }
                let (mine, site) = (self.nodes[here].site, self.nodes[there].site);
                let standing = self.standing(here, site);
                if mine != site && standing != Some(Standing::Reachable) {
                    return Some(format!("{here} holds site {site} {standing:?}"));
                }
            }
        }
        None
    }

    /// Runs until the world has converged; how long that took.
    pub fn settle(&mut self, most: Duration) -> Duration {
        let begun = self.now;
        if begun == Time::ZERO {
            // Until everyone has started.
            self.run(Duration::from_millis(500));
        }
        while let Some(why) = self.unconverged() {
            assert!(self.now.since(begun) < most, "not converged within {most:?}: {why}");
            self.run(Duration::from_millis(100));
        }
        self.now.since(begun)
    }
}
