//! Who is affected by a fault: whose connection, or whose home site's door, runs through what it
//! takes away, at the moment it does.
//!
//! A client's connection may run through its home and another site, and a fault knows only what it
//! takes away: so the region it strikes tells those where the flow came from, by the world's own
//! letters, which nothing can cut; see `stall`.

use super::Region;
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

    /// One more client is there, such as of a surge, and is counted as it is.
    pub(super) fn joins(&mut self, no: u32) {
        if let Some(stand) = self.stand(no) {
            let affected = self.clients[no as usize].is(Trait::Affected);
            self.account.enters(affected, stand);
        }
    }
}
