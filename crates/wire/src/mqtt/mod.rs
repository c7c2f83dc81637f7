//! MQTT 3.1, 3.1.1 and 5.0, as far as a balancer must understand them.
//!
//! Before the commit we read one packet from each side ([`opening`], [`connack`]). After it we
//! read only boundaries ([`cursor`]): topics and payloads are never looked at. Only who asks the
//! node itself where to go is heard further ([`mod@subscribe`]). Section numbers are of the OASIS
//! standards, "MQTT Version 5.0" unless a comment says 3.1.1.

pub mod connack;
pub mod cursor;
pub mod opening;
mod properties;
mod read;
pub mod say;
pub mod subscribe;

/// The protocol versions in use. What else a client may name is the broker's to judge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Protocol {
    /// 3.1: name `MQIsdp`, level 3.
    V31,
    /// 3.1.1: name `MQTT`, level 4.
    V311,
    /// 5.0: name `MQTT`, level 5.
    V5,
}

impl Protocol {
    /// The version as people write it: `3.1`, `3.1.1` or `5.0`.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::V31 => "3.1",
            Protocol::V311 => "3.1.1",
            Protocol::V5 => "5.0",
        }
    }
}
