//! Who has what, and who else there is.

use isobar_core::mesh::message::{
    ADDRESS_MAX, ADDRESSES_MAX, Have, Introduction, NAME_MAX, OFFER_MAX, Offer, PEERS_MAX, Peers,
    Want,
};

use super::spell::frozen;
use crate::frame::{List, Text};

frozen! {
    /// See [`Offer`].
    OfferV1 of Offer {
        have: List<HaveV1, OFFER_MAX>,
    }

    /// See [`Have`].
    HaveV1 of Have {
        owner: u16,
        incarnation: u64,
        sum: [u8; 8],
    }

    /// See [`Want`].
    WantV1 of Want {
        owners: List<u16, OFFER_MAX>,
    }

    /// See [`Peers`].
    PeersV1<'a> of Peers {
        peers: List<IntroductionV1<'a>, PEERS_MAX>,
    }

    /// See [`Introduction`].
    IntroductionV1<'a> of Introduction {
        site: Text<'a, NAME_MAX>,
        node: Text<'a, NAME_MAX>,
        addresses: List<Text<'a, ADDRESS_MAX>, ADDRESSES_MAX>,
    }
}
