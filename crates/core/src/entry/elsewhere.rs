//! Had a client that has come here better gone elsewhere?
//!
//! It stands at the door already, so only a good reason sends it away: another site is named first
//! for it by a rule that does not draw, that site is heard from, and it is no last resort. Who
//! drew by headroom is not drawn again; such a client is sent away only where home may not be
//! named at all.
//!
//! Where it is sent, the same engine is asked with the same client and the same draw, and by the
//! same news that site names itself first: the client is served. Nodes may have different news for
//! a moment, so [`Sent`] remembers: nobody sends a client away twice within a while. Whatever nodes
//! think of each other, a client is sent on once by each at most, and then served.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::time::Duration;

use super::Entry;
use super::order::HOME;
use super::terms::{Ask, Endpoint, Form, Why};
use crate::id::ClientKey;
use crate::policy::Ranking;
use crate::time::Time;

/// For so long a client that was sent away is served here, should it come back.
pub const SENT_FOR: Duration = Duration::from_secs(600);
/// Clients remembered as sent away, at least. Beyond, who comes is served.
pub const SENT_MAX: usize = 65_536;

impl Entry {
    /// Where a client that has come here shall go instead; `None` where here is right.
    pub fn elsewhere(&self, ask: &Ask) -> Option<Endpoint> {
        let endpoints = self.ask(&Ask { form: Form::Plain, ..*ask }).endpoints.ok()?;
        let first = endpoints.first()?;
        let here = first.site == HOME;
        let last_resort = matches!(first.why, Why::LastGood | Why::AllNamed);
        let roll = self.roll(ask.service)?;
        let in_doubt = roll.site(first.site).is_none_or(|site| site.in_doubt());
        // Not among those named: it has no room, no broker, or drains. One that is open and is not
        // named shows its clients addresses of another kind, with TLS in front.
        let home_named = endpoints.iter().any(|endpoint| endpoint.site == HOME);
        if !home_named && roll.site(HOME).is_some_and(|home| home.barred().is_none()) {
            return None;
        }
        let drawn = self.policy.ranking == Ranking::Headroom && home_named;
        (!here && !last_resort && !in_doubt && !drawn).then(|| first.clone())
    }
}

/// Clients that this node has sent away lately.
#[derive(Debug, Default)]
pub struct Sent {
    /// With the time of the last one of each half.
    recent: BTreeMap<ClientKey, Time>,
    older: BTreeMap<ClientKey, Time>,
    turned: Time,
}

impl Sent {
    /// Nobody was.
    pub fn new(now: Time) -> Sent {
        Sent { turned: now, ..Sent::default() }
    }

    /// Whether this client may be sent away now; if so, it is noted that it was.
    pub fn may_send(&mut self, client: ClientKey, now: Time) -> bool {
        if now.since(self.turned) >= SENT_FOR {
            self.older = core::mem::take(&mut self.recent);
            self.turned = now;
        }
        let lately = [&self.recent, &self.older].into_iter().filter_map(|half| half.get(&client));
        let lately = lately.max().is_some_and(|at| now.since(*at) < SENT_FOR);
        if lately || self.recent.len() >= SENT_MAX {
            return false;
        }
        self.recent.insert(client, now);
        true
    }
}

/// A rule for client ids: text in which each `*` stands for any number of bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(String);

impl Pattern {
    /// Of this text.
    pub fn new(text: String) -> Pattern {
        Pattern(text)
    }

    /// Whether the rule is of that client id. Linear in both together but for the last `*`.
    pub fn fits(&self, id: &[u8]) -> bool {
        let pattern = self.0.as_bytes();
        let (mut p, mut i) = (0, 0);
        // Where the last star stands, and what it has swallowed so far.
        let mut star = None;
        while i < id.len() {
            if pattern.get(p) == Some(&b'*') {
                star = Some((p, i));
                p += 1;
            } else if pattern.get(p) == Some(&id[i]) {
                (p, i) = (p + 1, i + 1);
            } else if let Some((at, swallowed)) = star {
                star = Some((at, swallowed + 1));
                (p, i) = (at + 1, swallowed + 1);
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}
