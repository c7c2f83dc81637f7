//! What only the nodes of one site say to each other.

use bincode::de::BorrowDecoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Encode};
use isobar_core::id::ClientKey;
use isobar_core::mesh::message::{
    BrokerCount, COUNTS_MAX, CountPage, Places, TAKINGS_MAX, Taker, Taking,
};

use super::digest::StampV1;
use super::spell::{Spell, frozen};
use crate::frame::{List, bad_value, layout};

frozen! {
    /// See [`CountPage`].
    CountsV2 of CountPage {
        owner: u16,
        stamp: StampV1,
        page: u8,
        brokers: List<BrokerCountV2, COUNTS_MAX>,
    }

    /// See [`BrokerCount`].
    BrokerCountV2 of BrokerCount {
        key: [u8; 8],
        flows: u32,
        share: u32,
    }

    /// See [`Places`].
    PlacesV1 of Places {
        broker: [u8; 8],
        n: u32,
    }
}

frozen! {
    /// See [`Taking`].
    TakingV1 of Taking {
        service: u16,
        client: [u8; 16],
        age_ms: u32,
        by: TakerV1,
    }
}

layout! {
    /// See [`Message::Taken`](super::Message::Taken).
    TakenV1 {
        clients: List<TakingV1, TAKINGS_MAX>,
    }
}

/// See [`Taker`]: a byte that says which, and the one or the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum TakerV1 {
    Broker([u8; 8]),
    Site(u16),
}

impl Encode for TakerV1 {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        match self {
            TakerV1::Broker(key) => {
                0u8.encode(encoder)?;
                key.encode(encoder)
            }
            TakerV1::Site(number) => {
                1u8.encode(encoder)?;
                number.encode(encoder)
            }
        }
    }
}

impl<'de, C> BorrowDecode<'de, C> for TakerV1 {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        match <u8 as BorrowDecode<'de, C>>::borrow_decode(decoder)? {
            0 => Ok(TakerV1::Broker(BorrowDecode::borrow_decode(decoder)?)),
            1 => Ok(TakerV1::Site(BorrowDecode::borrow_decode(decoder)?)),
            _ => Err(bad_value()),
        }
    }
}

impl<'a> Spell<'a, Taker> for TakerV1 {
    fn spell(value: &'a Taker) -> Self {
        match value {
            Taker::Broker(key) => TakerV1::Broker(Spell::spell(key)),
            Taker::Site(number) => TakerV1::Site(*number),
        }
    }

    fn read(self) -> Taker {
        match self {
            TakerV1::Broker(key) => Taker::Broker(key.read()),
            TakerV1::Site(number) => Taker::Site(number),
        }
    }
}

/// Sixteen bytes as they are.
impl<'a> Spell<'a, ClientKey> for [u8; 16] {
    fn spell(value: &'a ClientKey) -> Self {
        value.bits().to_be_bytes()
    }

    fn read(self) -> ClientKey {
        ClientKey::from_bits(u128::from_be_bytes(self))
    }
}
