//! Is the client still there, on this connection, before its CONNECT is said in its name?
//!
//! Who has hung up while its flow waited, or was tried at a broker in vain, may be back as another
//! flow; and one that fell silent may even have been accepted as that. What is said for it then
//! would throw it out itself: brokers keep the client that came last. So the driver is asked to
//! look, before such an action, and tells what it sees in the action's place. A window remains:
//! only accepted flows are known. A later one that still waits for its own CONNACK is not seen,
//! and may be thrown out where both come to one broker.

use core::time::Duration;

use super::{Action, Flow};
use crate::id::ClientKey;
use crate::policy::ServicePolicy;
use crate::time::Time;

/// No client is back on a further connection sooner than this.
const BACK_AFTER: Duration = Duration::from_millis(5);

/// What to look for before an action; the first that is so is told in the action's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Whether it was accepted on a connection that came later, by
    /// [`Takeover::has_later`](crate::takeover::Takeover::has_later): then
    /// [`Event::TakenOver`](super::Event::TakenOver).
    pub back: Option<(ClientKey, Time)>,
}

impl Flow {
    /// Whether the driver is to look after the client before it does `action`, at `now`: first
    /// whether it has hung up, which is [`Event::ClientGone`](super::Event::ClientGone), then as
    /// the [`Look`] says.
    pub fn look(&self, policy: &ServicePolicy, action: &Action, now: Time) -> Option<Look> {
        match action {
            // Not taken elsewhere; at the first place it is looked after once that stands.
            Action::Place(ask) if ask.attempt > 0 => Some(Look { back: None }),
            Action::PlaceAbroad(_) => Some(Look { back: None }),
            // Costs a table's lock: only where there was time for the client to be back.
            Action::AwaitAnswer { .. } | Action::Tunnel { .. } => {
                let opening = self.opening.filter(|_| now.since(self.since) >= BACK_AFTER)?;
                let client = opening.client.filter(|_| policy.takeover);
                Some(Look { back: client.map(|client| (client, self.since)) })
            }
            Action::ReadOpening { .. }
            | Action::Place(_)
            | Action::Wait { .. }
            | Action::Connect { .. }
            | Action::Pause { .. }
            | Action::Commit(_)
            | Action::Refuse(..)
            | Action::End(_) => None,
        }
    }
}
