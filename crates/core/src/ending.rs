//! How a flow ended: two characters, in the manner of HAProxy's termination state.
//!
//! The first says who or what ended it, the second in which phase it was. Where HAProxy has a
//! letter for the same thing, the letter is HAProxy's (its manual, section 8.5).

/// Who or what ended a flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
    /// Nothing went wrong: `-`.
    Normal,
    /// The client closed or reset: `C`.
    Client,
    /// The client said nothing for too long: `c`.
    ClientTimeout,
    /// A broker closed, reset or refused: `S`.
    Broker,
    /// A broker did not answer in time: `s`.
    BrokerTimeout,
    /// What the client sent broke a rule of ours (not MQTT, too long, per-source limit): `P`.
    Policy,
    /// A limit of the node or service was reached: `R`.
    Resource,
    /// Its broker was marked Down and the service shuts such sessions down: `D`.
    MarkedDown,
    /// The node was stopped, or the operator ended it: `K`.
    Killed,
    /// The same client id came back on another broker: `T`.
    TakenOver,
    /// Two brokers that accept others closed this opening in silence: `O`.
    OpeningAtFault,
    /// An error of our own: `I`.
    Internal,
    /// The link to the other site of its tunnel was lost: `N`.
    Link,
    /// Another site carried it, and home was well again: `H`.
    CalledHome,
    /// The node answered it itself, in the place of a broker: `L`.
    Answered,
}

/// How far a flow had come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// The client's CONNECT was being read: `R`.
    Opening,
    /// It waited for a broker: `Q`.
    Queue,
    /// A broker was being connected: `C`.
    Connect,
    /// The CONNACK was awaited, or told the client no: `H`.
    Connack,
    /// Data were relayed: `D`.
    Data,
    /// Everything was over: `-`.
    Done,
}

/// How a flow ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ending {
    /// Who or what.
    pub cause: Cause,
    /// When.
    pub phase: Phase,
}

impl Ending {
    /// An ending of this cause in this phase.
    pub const fn new(cause: Cause, phase: Phase) -> Ending {
        Ending { cause, phase }
    }

    /// The two characters.
    pub fn code(self) -> &'static str {
        CODES[self.index()]
    }

    /// A dense number below [`Ending::COUNT`], for tables of counts.
    pub fn index(self) -> usize {
        self.cause as usize * PHASES + self.phase as usize
    }

    /// How many endings there can be.
    pub const COUNT: usize = 15 * PHASES;

    /// The code of an [`Ending::index`].
    pub fn code_at(index: usize) -> &'static str {
        CODES[index]
    }
}

const PHASES: usize = 6;

const CODES: [&str; Ending::COUNT] = [
    "-R", "-Q", "-C", "-H", "-D", "--", //
    "CR", "CQ", "CC", "CH", "CD", "C-", //
    "cR", "cQ", "cC", "cH", "cD", "c-", //
    "SR", "SQ", "SC", "SH", "SD", "S-", //
    "sR", "sQ", "sC", "sH", "sD", "s-", //
    "PR", "PQ", "PC", "PH", "PD", "P-", //
    "RR", "RQ", "RC", "RH", "RD", "R-", //
    "DR", "DQ", "DC", "DH", "DD", "D-", //
    "KR", "KQ", "KC", "KH", "KD", "K-", //
    "TR", "TQ", "TC", "TH", "TD", "T-", //
    "OR", "OQ", "OC", "OH", "OD", "O-", //
    "IR", "IQ", "IC", "IH", "ID", "I-", //
    "NR", "NQ", "NC", "NH", "ND", "N-", //
    "HR", "HQ", "HC", "HH", "HD", "H-", //
    "LR", "LQ", "LC", "LH", "LD", "L-", //
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_where_their_index_says() {
        assert_eq!(Ending::new(Cause::Normal, Phase::Done).code(), "--");
        assert_eq!(Ending::new(Cause::Client, Phase::Data).code(), "CD");
        assert_eq!(Ending::new(Cause::ClientTimeout, Phase::Opening).code(), "cR");
        assert_eq!(Ending::new(Cause::BrokerTimeout, Phase::Connack).code(), "sH");
        assert_eq!(Ending::new(Cause::TakenOver, Phase::Data).code(), "TD");
        assert_eq!(Ending::new(Cause::Internal, Phase::Done).code(), "I-");
        assert_eq!(Ending::new(Cause::CalledHome, Phase::Data).code(), "HD");
        assert_eq!(Ending::new(Cause::Answered, Phase::Opening).code(), "LR");
        for (i, code) in CODES.iter().enumerate() {
            assert_eq!(CODES.iter().position(|c| c == code), Some(i), "{code} is unique");
        }
    }
}
