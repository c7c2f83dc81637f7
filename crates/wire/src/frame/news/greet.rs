//! First and last words, and the names that later messages number.

use isobar_core::mesh::message::{
    ADDRESS_MAX, ADDRESSES_MAX, Hello, NAME_MAX, NAMES_MAX, Names, OwnerName, SERVICES_MAX,
    ServiceName, SiteName,
};

use super::spell::frozen;
use crate::frame::{List, Text, layout};

frozen! {
    /// See [`Hello`].
    HelloV1<'a> of Hello {
        site: Text<'a, NAME_MAX>,
        node: Text<'a, NAME_MAX>,
        process: [u8; 8],
        incarnation: u64,
        held: u64,
        dead: bool,
        known: [u8; 8],
        addresses: List<Text<'a, ADDRESS_MAX>, ADDRESSES_MAX>,
        services: List<ServiceNameV1<'a>, SERVICES_MAX>,
    }

    /// See [`ServiceName`].
    ServiceNameV1<'a> of ServiceName {
        number: u16,
        name: Text<'a, NAME_MAX>,
    }

    /// See [`SiteName`].
    SiteNameV1<'a> of SiteName {
        number: u16,
        name: Text<'a, NAME_MAX>,
    }

    /// See [`OwnerName`].
    OwnerNameV1<'a> of OwnerName {
        number: u16,
        site: u16,
        slot: u8,
        node: Text<'a, NAME_MAX>,
    }

    /// See [`Names`].
    NamesV1<'a> of Names {
        sites: List<SiteNameV1<'a>, NAMES_MAX>,
        owners: List<OwnerNameV1<'a>, NAMES_MAX>,
        services: List<ServiceNameV1<'a>, NAMES_MAX>,
    }
}

layout! {
    /// See [`Message::Leave`](super::Message::Leave).
    LeaveV1 {
        owner: u16,
        incarnation: u64,
    }
}
