//! What a node says of itself, page by page.

use isobar_core::mesh::message::{
    ADDRESS_MAX, ADDRESSES_MAX, About, BROKERS_MAX, BrokerSeen, BrokerShape, LOAD_PAGES_MAX,
    LoadPage, PAGE_BROKERS_MAX, PAGE_SERVICES_MAX, ServiceLoad, ServiceShape, ShapePage, Stamp,
};

use super::spell::{frozen, frozen_words};
use crate::frame::{Fault, List, Text, layout};

frozen! {
    /// See [`Stamp`].
    StampV1 of Stamp {
        incarnation: u64,
        seq: u64,
    }

    /// See [`About`].
    AboutV1<'a> of About {
        owner: u16,
        stamp: StampV1,
        draining: bool,
        addresses: List<Text<'a, ADDRESS_MAX>, ADDRESSES_MAX>,
    }

    /// See [`ShapePage`].
    ShapeV1<'a> of ShapePage {
        owner: u16,
        stamp: StampV1,
        page: u8,
        services: List<ServiceShapeV1<'a>, PAGE_SERVICES_MAX>,
    }

    /// See [`ServiceShape`].
    ServiceShapeV1<'a> of ServiceShape {
        service: u16,
        reserve: u32,
        addresses: List<Text<'a, ADDRESS_MAX>, ADDRESSES_MAX>,
        brokers: List<BrokerShapeV1, BROKERS_MAX>,
    }

    /// See [`BrokerShape`].
    BrokerShapeV1 of BrokerShape {
        key: [u8; 8],
        capacity: Option<u32>,
        state: BrokerSeenV1,
    }

    /// See [`LoadPage`].
    LoadPageV1 of LoadPage {
        owner: u16,
        stamp: StampV1,
        page: u8,
        services: List<ServiceLoadV1, PAGE_SERVICES_MAX>,
    }

    /// See [`ServiceLoad`]. At most 18 bytes.
    ServiceLoadV1 of ServiceLoad {
        service: u16,
        flows: u32,
        room: u32,
        admit_per_second: u32,
    }
}

frozen_words! {
    /// See [`BrokerSeen`].
    BrokerSeenV1 of BrokerSeen {
        Up = 0,
        Full = 1,
        Draining = 2,
        Down = 3,
    }
}

layout! {
    /// See [`Message::Load`](super::Message::Load).
    LoadV1 {
        pages: List<LoadPageV1, LOAD_PAGES_MAX>,
    }
}

/// The limit of all its services together, which no one list can hold.
pub(super) fn check_shape(page: &ShapePage) -> Result<(), Fault> {
    let brokers: usize = page.services.iter().map(|service| service.brokers.len()).sum();
    if brokers > PAGE_BROKERS_MAX { Err(Fault::TooMany) } else { Ok(()) }
}

/// The limit of all its pages together.
pub(super) fn check_load(pages: &[LoadPage]) -> Result<(), Fault> {
    let services: usize = pages.iter().map(|page| page.services.len()).sum();
    if services > PAGE_SERVICES_MAX { Err(Fault::TooMany) } else { Ok(()) }
}
