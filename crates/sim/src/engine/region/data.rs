//! Data connections between nodes, and the words of tunnels on them.
//!
//! What is said on one comes in order, late where it was lost at first or the way was cut for a
//! while, as long as the connection stands. It is given up where nothing has come for as long as
//! QUIC waits, or as soon as core holds the other node for lost; then all that it carried ends.
//! Words have no connection id of their own: they name the number that it has at who speaks.

use std::time::Duration;

use isobar_core::mesh::{LinkEnd, Purpose as For};

use super::Region;
use super::links::IDLE;
use super::terms::{Event, Say};

/// A data connection says something as often.
pub(super) const KEEP: Duration = Duration::from_secs(5);

impl Region {
    /// Says something to another node on the data connection to it. Who sends a flow or asks for
    /// places opens one, if there is none; else nobody is there any more who would listen.
    pub(super) fn says_on_data(&mut self, node: usize, to: u16, say: Say) {
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
            (None, _) => return,
        };
        self.streams(node, link, say);
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
        if !self.is_heard(node, from, conn, opens) {
            return;
        }
        match say {
            Say::Tunnel { far, tunnel, client, hop, left, leased } => {
                self.tunnel_comes(node, (far, tunnel, client), hop, left, leased);
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

    /// Whether a connection is known on which this came. One that was known is reset.
    fn is_heard(&mut self, node: usize, from: u16, conn: u32, opens: bool) -> bool {
        let now = self.now();
        let of_it = self.nodes[node].life.as_ref().and_then(|life| life.data.get(&from).copied());
        if let Some(end) = of_it.and_then(|link| self.link(node, link))
            && end.theirs.is_none_or(|theirs| theirs == conn)
        {
            (end.theirs, end.heard) = (Some(conn), now);
            return true;
        }
        let Some(life) = &mut self.nodes[node].life else { return false };
        let its = |end: &&mut super::links::Link| {
            (end.purpose, end.far, end.theirs) == (For::Data, from, Some(conn))
        };
        match life.links.iter_mut().rev().find(its) {
            Some(end) if !end.over => {
                end.heard = now;
                return true;
            }
            Some(_) => {
                self.says_once(node, from, Say::NoData { conn });
                return false;
            }
            None if !opens => return false,
            None => {}
        }
        // A new one. What has been silent for long is what it replaces.
        if let Some(old) = of_it
            && self.link(node, old).is_some_and(|end| now.since(end.heard) > KEEP * 6 / 5)
        {
            self.data_is_lost(node, old);
        }
        let link = self.warms(node, from);
        if let Some(end) = self.link(node, link) {
            end.theirs = Some(conn);
        }
        true
    }

    fn is_no_data(&mut self, node: usize, from: u16, conn: u32) {
        if self.link(node, conn).is_some_and(|end| end.far == from && end.purpose == For::Data) {
            self.data_is_lost(node, conn);
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
            return self.data_is_lost(node, link);
        }
        let (site, _) = self.node_of(far);
        if self.is_lost(node, site) {
            self.nodes[node].count += 1;
        } else {
            self.says_as(node, far, Say::Alive, link);
        }
        self.keeps_later(node, link);
    }

    /// A connection is over; and all that it carried, unless another stands beside it.
    fn data_is_lost(&mut self, node: usize, link: u32) {
        let Some(far) = self.link(node, link).filter(|end| !end.over).map(|end| end.far) else {
            return;
        };
        self.link_ends(node, link, LinkEnd::Lost);
        let Some(life) = &self.nodes[node].life else { return };
        let another = life.links.iter().any(|end| {
            (end.purpose, end.far, end.over) == (For::Data, far, false) && end.theirs.is_some()
        });
        if !another {
            self.drops_tunnels(node, far);
        }
    }

    /// A node is lost: data connections to it are closed at once, and it is told so once.
    pub(super) fn cools(&mut self, node: usize, far: u16) {
        let link = self.nodes[node].life.as_ref().and_then(|life| life.data.get(&far).copied());
        if let Some(link) = link {
            if let Some(conn) = self.link(node, link).and_then(|end| end.theirs) {
                self.says_once(node, far, Say::NoData { conn });
            }
            self.link_ends(node, link, LinkEnd::Lost);
        }
        self.drops_tunnels(node, far);
    }
}
