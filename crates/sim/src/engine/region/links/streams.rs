//! The one ordered stream of a link: what is lost on it is sent again, and what is behind it waits.

use std::time::Duration;

use isobar_core::mesh::Purpose as For;

use super::super::Region;
use super::super::data::KEEP;
use super::super::terms::{Event, Letter, Say, ToNode};

/// Between two tries to send again what was lost, at most: heartbeats bring an answer, and an
/// answer tells what is missing.
const AGAIN: Duration = Duration::from_secs(1);

impl Region {
    /// On a link's stream: late where it was lost at first, never out of order.
    pub(in super::super) fn streams(&mut self, node: usize, link: u32, say: Say) {
        let Some(end) = self.link(node, link) else { return };
        let (far, waits) = (end.far, !end.held.is_empty());
        let (site, _) = self.node_of(far);
        let lost = !waits && self.is_lost(node, site);
        if !waits && !lost {
            return self.is_streamed(node, link, say);
        }
        if let Some(end) = self.link(node, link) {
            end.held.push_back(say);
        }
        if lost {
            self.again_later(node, link);
        }
    }

    fn is_streamed(&mut self, node: usize, link: u32, say: Say) {
        let Some(end) = self.link(node, link) else { return };
        let (far, before, data) = (end.far, end.stream, end.purpose == For::Data);
        let (site, there) = self.node_of(far);
        let key = self.node_key(node);
        let at = self.now() + self.way(site, node) + self.nodes[node].slow + self.delay(site);
        let at = at.max(before + Duration::from_nanos(1));
        if let Some(end) = self.link(node, link) {
            end.stream = at;
        }
        let conn = if data { link } else { 0 };
        let (to, from) = (there as u8, self.gnode(node));
        self.send(site, at, key, Letter::Node(ToNode { to, from, conn, say }));
    }

    /// After a round trip and a half, then after twice as long, and so on.
    fn again_later(&mut self, node: usize, link: u32) {
        let Some(end) = self.link(node, link) else { return };
        let (far, tries) = (end.far, u32::from(end.tries.min(10)));
        let most = if end.purpose == For::Data { KEEP } else { AGAIN };
        end.tries = end.tries.saturating_add(1);
        let (site, _) = self.node_of(far);
        let wait = (self.rtts[site] * 3 / 2 * (1 << tries)).min(most.max(self.rtts[site] * 3 / 2));
        let key = self.node_key(node);
        self.agenda.push(self.now() + wait, key, Event::Again { node: node as u8, link });
    }

    /// What was lost is sent again, and what waits behind it.
    pub(in super::super) fn sends_again(&mut self, node: usize, link: u32) {
        while let Some(end) = self.link(node, link).filter(|end| !end.over && !end.held.is_empty())
        {
            let far = end.far;
            let (site, _) = self.node_of(far);
            if self.is_lost(node, site) {
                return self.again_later(node, link);
            }
            let Some(end) = self.link(node, link) else { return };
            end.tries = 0;
            if let Some(say) = end.held.pop_front() {
                self.is_streamed(node, link, say);
            }
        }
    }

    /// A packet that is not sent again.
    pub(in super::super) fn says_once(&mut self, node: usize, to: u16, say: Say) {
        let (site, _) = self.node_of(to);
        if self.is_lost(node, site) {
            self.nodes[node].count += 1;
        } else {
            self.say(node, to, say);
        }
    }
}
