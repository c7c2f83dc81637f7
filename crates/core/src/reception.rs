//! Is this client for the brokers at all, or does the node answer it itself?
//!
//! Asked once, when a CONNECT is whole and before a broker is touched, and only where a service
//! has been told to: a client that asks where to go is answered in the place of a broker, and one
//! that is known to follow may be sent to another site. Whether it is sent, and where, is
//! [`Entry::elsewhere`](crate::entry::Entry::elsewhere)'s to say.
//!
//! A flow that came by tunnel was received where it came from, and is not asked about here.

use alloc::vec::Vec;

use crate::ending::{Cause, Ending, Phase};
use crate::entry::Pattern;
use crate::id::ClientKey;

/// The user name of a client that asks where to go.
pub const PROVISION_USER: &[u8] = b"$isobar-provision";
/// What it subscribes to.
pub const PROVISION_TOPIC: &str = "$isobar/provision";

/// What a service answers in the place of its brokers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReceptionPolicy {
    /// Clients that ask where to go.
    pub provision: bool,
    /// Clients that are known to follow a redirect: an MQTT 5 client of any of these.
    pub redirect: Vec<Pattern>,
}

/// What a CONNECT says, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Introduction<'a> {
    /// It speaks MQTT 5.
    pub v5: bool,
    /// Its client id; may be empty.
    pub client_id: &'a [u8],
    /// Its user name.
    pub username: Option<&'a [u8]>,
}

/// Who answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reception {
    /// A broker.
    Broker,
    /// The node: the client asks where to go.
    Provision,
    /// The node, if this client had better go elsewhere; else a broker.
    Redirect(ClientKey),
}

impl ReceptionPolicy {
    /// Whether there is anything to be asked about.
    pub fn is_idle(&self) -> bool {
        !self.provision && self.redirect.is_empty()
    }

    /// Who answers this client.
    pub fn receive(&self, client: Introduction<'_>) -> Reception {
        if self.provision && client.username == Some(PROVISION_USER) {
            return Reception::Provision;
        }
        let id = client.client_id;
        // One whose id a broker makes up is another client each time: nobody could remember it.
        let follows = client.v5 && !id.is_empty() && self.redirect.iter().any(|rule| rule.fits(id));
        if follows { Reception::Redirect(ClientKey::of(id)) } else { Reception::Broker }
    }
}

/// How a flow ends that was answered here.
pub const ANSWERED: Ending = Ending::new(Cause::Answered, Phase::Opening);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn policy(provision: bool, rules: &[&str]) -> ReceptionPolicy {
        let redirect = rules.iter().map(|rule| Pattern::new(rule.to_string())).collect();
        ReceptionPolicy { provision, redirect }
    }

    #[test]
    fn only_those_that_are_meant_are_answered_here() {
        let says = |v5, id: &'static str, user: Option<&'static str>| Introduction {
            v5,
            client_id: id.as_bytes(),
            username: user.map(str::as_bytes),
        };
        let sensor = Reception::Redirect(ClientKey::of(b"sensor-1"));
        let asks = Some("$isobar-provision");
        let on = policy(true, &["sensor-*", "gw"]);
        for (policy, says, expected) in [
            (&on, says(true, "sensor-1", None), sensor),
            (&on, says(true, "sensor-1", Some("u")), sensor),
            (&on, says(false, "sensor-1", None), Reception::Broker),
            (&on, says(true, "meter-1", None), Reception::Broker),
            (&on, says(true, "a-sensor-1", None), Reception::Broker),
            (&on, says(true, "sensor-1", asks), Reception::Provision),
            (&on, says(false, "", asks), Reception::Provision),
            (&on, says(false, "", Some("$isobar-provision2")), Reception::Broker),
            (&policy(true, &["*"]), says(true, "", None), Reception::Broker),
            (&policy(false, &[]), says(true, "sensor-1", asks), Reception::Broker),
        ] {
            assert_eq!(policy.receive(says), expected, "{policy:?} {says:?}");
        }
        assert!(policy(false, &[]).is_idle() && !on.is_idle() && !policy(true, &[]).is_idle());
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (rule, id, fits) in [
            ("sensor-*", "sensor-", true),
            ("sensor-*", "sensor-12", true),
            ("sensor-*", "sensor", false),
            ("*", "x", true),
            ("*-eu-*", "gw-eu-1", true),
            ("*-eu-*", "gw-us-1", false),
            ("*a*b*c", "xxaxbxbxc", true),
            ("*a*b*c", "xxaxbxbx", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("", "a", false),
            ("a", "ab", false),
            ("**", "anything", true),
        ] {
            assert_eq!(Pattern::new(rule.to_string()).fits(id.as_bytes()), fits, "{rule} {id}");
        }
        let slow = Pattern::new("*a".repeat(50) + "b");
        assert!(!slow.fits("a".repeat(60_000).as_bytes()), "and takes no long time");
    }
}
