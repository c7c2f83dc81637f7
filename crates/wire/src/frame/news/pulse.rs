//! Who hears whom.

use isobar_core::mesh::message::{
    Doubt, EARS_MAX, Ear, Ears, Grave, Heartbeat, Held, NODES_MAX, Verdict, Vote,
};

use super::spell::{frozen, frozen_words};
use crate::frame::{List, layout};

frozen! {
    /// See [`Heartbeat`]. At most 58 bytes.
    HeartbeatV1 of Heartbeat {
        incarnation: u64,
        seq: u64,
        about: u64,
        shape: u64,
        load: u64,
        hears: u64,
        silence: u16,
        wanted: bool,
    }

    /// See [`Held`].
    HeldV1 of Held {
        incarnation: u64,
        doubt: DoubtV1,
    }

    /// See [`Vote`].
    VoteV1 of Vote {
        site: u16,
        witness: u16,
        silence: Option<u32>,
    }

    /// See [`Ears`].
    EarsV1 of Ears {
        ears: List<EarV1, EARS_MAX>,
    }

    /// See [`Ear`].
    EarV1 of Ear {
        owner: u16,
        silence: u16,
        deaf: u16,
        rtt: u16,
        hears: u64,
    }

    /// See [`Verdict`].
    VerdictV1 of Verdict {
        site: u16,
        graves: List<GraveV1, NODES_MAX>,
    }

    /// See [`Grave`].
    GraveV1 of Grave {
        owner: u16,
        incarnation: u64,
    }
}

frozen_words! {
    /// See [`Doubt`].
    DoubtV1 of Doubt {
        Old = 0,
        Suspect = 1,
        Dead = 2,
    }
}

layout! {
    /// See [`Message::Ping`](super::Message::Ping).
    PingV1 {
        token: [u8; 8],
    }

    /// See [`Message::Pong`](super::Message::Pong).
    PongV1 {
        token: [u8; 8],
    }

    /// See [`Message::WitnessAsk`](super::Message::WitnessAsk).
    WitnessAskV1 {
        site: u16,
    }
}
