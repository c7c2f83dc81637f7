//! Data connections between nodes, and the words of tunnels on them.
//!
//! What is said on one comes in order, late where it was lost at first or the way was cut for a
//! while, as long as the connection stands. It is given up where nothing has come for as long as
//! QUIC waits, or as soon as core closes it; then all that it carried ends, and nothing else: a node
//! that was started again has connections of its own beside those of the process before. Words have
//! no connection id of their own: they name the number that it has at who speaks.

use std::time::Duration;

use isobar_core::mesh::{LinkEnd, Purpose as For};

use super::Region;
use super::links::{IDLE, Link, first_link};
use super::terms::{Event, Say};

/// A data connection says something as often.
pub(super) const KEEP: Duration = Duration::from_secs(5);

impl Region {
    /// Says something of a tunnel, on the connection that it is on.
    pub(super) fn says_on_road(&mut self, node: usize, road: u32, say: Say) {
        if self.link(node, road).is_some_and(|end| !end.over) {
            self.streams(node, road, say);
        }
    }

    /// Says something to another node on the data connection to it, and which that is. Who sends a
    /// flow or asks for places opens one, if there is none; else nobody is there any more who would
    /// listen.
    pub(super) fn says_on_data(&mut self, node: usize, to: u16, say: Say) -> Option<u32> {
        let known = self.nodes[node].life.as_ref().and_then(|life| life.data.get(&to).copied());
        let link = match (known, &say) {
            (Some(link), _) => link,
            (None, Say::Tunnel { .. } | Say::AskLease { .. }) => {
                let link = self.warms(node, to);
                // Without a connection it pays a handshake more.
                let (site, _) = self.node_of(to);
                let stands = self.now() + self.rtts[site] * 3 / 2;
                if let Some(end) = self.link(node, link) {
                    end.stream = stands;
                }
                link
            }
            (None, _) => return None,
        };
        self.streams(node, link, say);
        Some(link)
    }

    /// A data connection is made for a flow.
    fn warms(&mut self, node: usize, far: u16) -> u32 {
        let link = self.new_link(node, far, For::Data, None);
        self.opens_link(node, link);
        link
    }

    /// A word on a data connection.
    pub(super) fn hears_data(&mut self, node: usize, from: u16, conn: u32, say: Say) {
        if let Say::NoData { conn } = say {
            return self.is_no_data(node, from, conn);
        }
        let opens = matches!(say, Say::Tunnel { .. } | Say::AskLease { .. });
        let Some(road) = self.is_heard(node, from, conn, opens) else { return };
        match say {
            Say::Tunnel { far, tunnel, client, hop, left, leased } => {
                self.tunnel_comes(node, (far, tunnel, road), client, hop, left, leased);
            }
            Say::Taken { seat, tunnel, no } => self.taken(seat, tunnel, no),
            Say::Declined { seat, tunnel, declined } => self.declined(seat, tunnel, declined),
            Say::TunnelGone { seat, tunnel } => self.tunnel_gone(seat, tunnel),
            Say::SenderGone { far, tunnel } => self.sender_gone(far, tunnel),
            Say::AskLease { n } => self.lends(node, from, n),
            Say::Lease { n } => self.lent(node, from, n),
            Say::Ping { far, tunnel } => self.ping_comes(far, tunnel),
            Say::Pong { seat, tunnel } => self.pong_comes(seat, tunnel),
            // To have come is all it means; the others are of links of news.
            _ => {}
        }
    }

    /// The connection on which this came, if it is known. One that was known is reset.
    fn is_heard(&mut self, node: usize, from: u16, conn: u32, opens: bool) -> Option<u32> {
        let now = self.now();
        let of_it = self.nodes[node].life.as_ref().and_then(|life| life.data.get(&from).copied());
        if let Some(link) = of_it
            && let Some(end) = self.link(node, link)
            && end.theirs.is_none_or(|theirs| theirs == conn)
        {
            (end.theirs, end.heard) = (Some(conn), now);
            return Some(link);
        }
        match self.data_of(node, |end| (end.far, end.theirs) == (from, Some(conn))) {
            Some(link) => {
                let end = self.link(node, link)?;
                if end.over {
                    self.says_once(node, from, Say::NoData { conn });
                    return None;
                }
                end.heard = now;
                return Some(link);
            }
            None if !opens => return None,
            None => {}
        }
        let link = self.warms(node, from);
        if let Some(end) = self.link(node, link) {
            end.theirs = Some(conn);
        }
        Some(link)
    }

    /// The youngest data connection of a kind, also of those that are over.
    fn data_of(&self, node: usize, of: impl Fn(&Link) -> bool) -> Option<u32> {
        let node = &self.nodes[node];
        let links = &node.life.as_ref()?.links;
        let at = links.iter().rposition(|end| end.purpose == For::Data && of(end))?;
        Some(first_link(node.lives) + at as u32)
    }

    fn is_no_data(&mut self, node: usize, from: u16, conn: u32) {
        if self.link(node, conn).is_some_and(|end| end.far == from && end.purpose == For::Data) {
            self.link_ends(node, conn, LinkEnd::Lost);
        }
    }

    pub(super) fn keeps_later(&mut self, node: usize, link: u32) {
        let key = self.node_key(node);
        self.agenda.push(self.now() + KEEP, key, Event::Keep { node: node as u8, link });
    }

    /// Says that it is there, or gives it up.
    pub(super) fn keeps(&mut self, node: usize, link: u32) {
        let now = self.now();
        let Some(end) = self.link(node, link).filter(|end| !end.over) else { return };
        let (far, heard) = (end.far, end.heard);
        if now.since(heard) >= IDLE {
            return self.link_ends(node, link, LinkEnd::Lost);
        }
        let (site, _) = self.node_of(far);
        if self.is_lost(node, site) {
            self.nodes[node].count += 1;
        } else {
            self.says_as(node, far, Say::Alive, link);
        }
        self.keeps_later(node, link);
    }

    /// A connection is over, and all that it carried; the youngest of those that still stand is used.
    pub(super) fn cools(&mut self, node: usize, far: u16, link: u32) {
        let another = self.data_of(node, |end| end.far == far && end.open && !end.over);
        if let Some(life) = &mut self.nodes[node].life
            && life.data.get(&far) == Some(&link)
        {
            match another {
                Some(another) => life.data.insert(far, another),
                None => life.data.remove(&far),
            };
        }
        self.drops_tunnels(node, link);
    }
}
