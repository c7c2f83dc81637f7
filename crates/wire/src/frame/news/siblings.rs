//! What only the nodes of one site say to each other.

use isobar_core::id::ClientKey;
use isobar_core::mesh::message::{
    BrokerCount, COUNTS_MAX, CountPage, Places, TAKINGS_MAX, Taker, Taking,
};

use super::digest::StampV1;
use super::spell::{Spell, frozen};
use crate::frame::{List, layout};

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

layout! {
    /// See [`Message::Taken`](super::Message::Taken).
    TakenV1 {
        clients: List<TakingV1, TAKINGS_MAX>,
    }

    /// See [`Taking`].
    TakingV1 {
        service: u16,
        client: [u8; 16],
        age_ms: u32,
        site: Option<u16>,
        broker: [u8; 8],
    }
}

impl<'a> Spell<'a, Taking> for TakingV1 {
    fn spell(value: &'a Taking) -> Self {
        let (site, broker) = match value.by {
            Taker::Broker(key) => (None, key),
            Taker::Site(site) => (Some(site), 0),
        };
        TakingV1 {
            service: value.service,
            client: value.client.bits().to_be_bytes(),
            age_ms: value.age_ms,
            site,
            broker: broker.to_be_bytes(),
        }
    }

    fn read(self) -> Taking {
        let broker = u64::from_be_bytes(self.broker);
        Taking {
            service: self.service,
            client: ClientKey::from_bits(u128::from_be_bytes(self.client)),
            by: self.site.map_or(Taker::Broker(broker), Taker::Site),
            age_ms: self.age_ms,
        }
    }
}
