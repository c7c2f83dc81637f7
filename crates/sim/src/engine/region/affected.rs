//! Who is affected by a fault: whose connection, or whose home site's door, runs through what it
//! takes away, at the moment it does.
//!
//! A client's connection may run through its home and another site, and a fault knows only what it
//! takes away: so the region it strikes tells those where the flow came from, by the world's own
//! letters, which nothing can cut.

use super::Region;
use super::place::{Far, Held, Seat, Sitter, Who, Whose};
use super::terms::Letter;
use crate::engine::account::Stand;
use crate::engine::crowd::Trait;

impl Region {
    /// A fault takes away what a client of this region is connected through, or its home's door.
    pub(super) fn affects(&mut self, no: u32) {
        let stand = self.stand(no);
        let client = &mut self.clients[no as usize];
        if client.is(Trait::Affected) {
            return;
        }
        client.set(Trait::Affected, true);
        let waits = client.is(Trait::Bereft) && !client.is_connected();
        let noticed = client.noticed;
        if let Some(stand) = stand {
            self.account.leaves(false, stand);
            self.account.enters(true, stand);
            if waits && stand == Stand::Unserved {
                self.account.takes_over(noticed);
            }
        }
    }

    /// The door of this site is taken away: all who are at home here are affected.
    pub(super) fn affects_home(&mut self) {
        for no in 0..self.clients.len() as u32 {
            self.affects(no);
        }
    }

    /// A client of any region.
    pub(super) fn affects_one(&mut self, who: Who, node: usize) {
        if usize::from(who.site) == self.me {
            return self.affects(who.no);
        }
        let key = self.node_key(node);
        let at = self.now() + self.client_way(usize::from(who.site));
        self.send(usize::from(who.site), at, key, Letter::Affects(who));
    }

    /// The client behind a flow that a node of another site has sent here: it is not served any
    /// more, whatever that node knows.
    pub(super) fn bereaves(&mut self, far: Far, tunnel: u32, node: usize) {
        let (site, _) = self.node_of(far.node);
        let key = self.node_key(node);
        let at = self.now() + self.rtts[site] / 2;
        self.send(site, at, key, Letter::Bereaves { seat: far.seat, tunnel });
    }

    /// What a flow that was sent on from here was carried by is gone.
    pub(super) fn bereft(&mut self, seat: Seat, tunnel: u32) {
        let Some(Sitter::Holds(held)) = self.seats.at(seat).map(|chair| &chair.sitter) else {
            return;
        };
        if let Held { whose: Whose::Client(who), node, tunnel: (number, _), .. } = **held
            && number == tunnel
        {
            self.stirs_one(who, usize::from(node));
        }
    }

    /// What a client of any region is connected to is no more, and a fault did it: only its own
    /// PINGREQ will tell.
    pub(super) fn stirs_one(&mut self, who: Who, node: usize) {
        if usize::from(who.site) == self.me {
            self.affects(who.no);
            return self.stirs(who.no);
        }
        let key = self.node_key(node);
        let at = self.now() + self.client_way(usize::from(who.site));
        self.send(usize::from(who.site), at, key, Letter::Stir(who));
    }

    /// Whether a client of this region still has the connection that this is about.
    pub(super) fn is_its(&self, who: Who) -> bool {
        self.clients.get(who.no as usize).is_some_and(|client| client.flow == who.turn)
    }

    /// One more client is there, such as of a surge, and is counted as it is.
    pub(super) fn joins(&mut self, no: u32) {
        if let Some(stand) = self.stand(no) {
            let affected = self.clients[no as usize].is(Trait::Affected);
            self.account.enters(affected, stand);
        }
    }
}
