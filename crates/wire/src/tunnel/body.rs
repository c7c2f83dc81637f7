//! The layouts of a data connection's words, field by field in the order of their bytes.
//!
//! Frozen: what changes is a new body, with a kind of its own.

use std::net::{IpAddr, SocketAddr};

use isobar_core::mesh::message::NAME_MAX;

use super::{
    BROKER_MAX, Committed, DataHello, LeaseGrant, Mode, OPENING_MAX, Open, Reason, Refused,
};
use crate::frame::{DecodeError, EncodeError, Fault, Kind, Text, layout, words};

layout! {
    /// See [`DataHello`].
    DataHelloV1<'a> {
        site: Text<'a, NAME_MAX>,
        node: Text<'a, NAME_MAX>,
        version: u16,
    }

    /// See [`Open`].
    OpenV1<'a> {
        service: Text<'a, NAME_MAX>,
        client: AddressV1,
        listener: AddressV1,
        mode: ModeV1,
        deadline_ms: u32,
        hop: u8,
        flow: u64,
        attempt: u8,
        age_ms: u32,
        lease: Option<u64>,
        opening: u32,
    }

    /// An IPv6 address, or an IPv4 one mapped into `::ffff:0:0/96`, and a port.
    AddressV1 {
        ip: [u8; 16],
        port: u16,
    }

    /// See [`Committed`].
    CommittedV1<'a> {
        code: Option<u8>,
        broker: Text<'a, BROKER_MAX>,
    }

    /// See [`Refused`].
    RefusedV1 {
        reason: u8,
        headroom: u32,
        retry_after_ms: u32,
    }

    /// See [`LeaseAsk`](super::LeaseAsk).
    LeaseAskV1<'a> {
        service: Text<'a, NAME_MAX>,
        n: u32,
    }

    /// See [`LeaseGrant`].
    LeaseGrantV1 {
        lease: u64,
        n: u32,
        ttl_ms: u32,
    }
}

words! {
    /// See [`Mode`].
    ModeV1 {
        Mqtt = 0,
        Tcp = 1,
    }
}

impl<'a> From<DataHello<'a>> for DataHelloV1<'a> {
    fn from(DataHello { site, node, version }: DataHello<'a>) -> Self {
        DataHelloV1 { site: Text(site), node: Text(node), version }
    }
}

impl<'a> From<DataHelloV1<'a>> for DataHello<'a> {
    fn from(DataHelloV1 { site, node, version }: DataHelloV1<'a>) -> Self {
        DataHello { site: site.0, node: node.0, version }
    }
}

impl<'a> TryFrom<Open<'a>> for OpenV1<'a> {
    type Error = EncodeError;

    fn try_from(open: Open<'a>) -> Result<Self, EncodeError> {
        if open.opening > OPENING_MAX {
            let (kind, fault) = (Kind::TunnelOpenV1, Fault::TooLong);
            return Err(EncodeError::Limit { kind, fault });
        }
        Ok(OpenV1 {
            service: Text(open.service),
            client: open.client.into(),
            listener: open.listener.into(),
            mode: match open.mode {
                Mode::Mqtt => ModeV1::Mqtt,
                Mode::Tcp => ModeV1::Tcp,
            },
            deadline_ms: open.deadline_ms,
            hop: open.hop,
            flow: open.flow,
            attempt: open.attempt,
            age_ms: open.age_ms,
            lease: open.lease,
            opening: open.opening,
        })
    }
}

impl<'a> TryFrom<OpenV1<'a>> for Open<'a> {
    type Error = DecodeError;

    fn try_from(body: OpenV1<'a>) -> Result<Self, DecodeError> {
        if body.opening > OPENING_MAX {
            let (kind, fault) = (Kind::TunnelOpenV1, Fault::TooLong);
            return Err(DecodeError::Body { kind, fault });
        }
        Ok(Open {
            service: body.service.0,
            client: body.client.into(),
            listener: body.listener.into(),
            mode: match body.mode {
                ModeV1::Mqtt => Mode::Mqtt,
                ModeV1::Tcp => Mode::Tcp,
            },
            deadline_ms: body.deadline_ms,
            hop: body.hop,
            flow: body.flow,
            attempt: body.attempt,
            age_ms: body.age_ms,
            lease: body.lease,
            opening: body.opening,
        })
    }
}

/// Scope and flow label of an IPv6 address mean nothing on another machine, and stay behind.
impl From<SocketAddr> for AddressV1 {
    fn from(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        AddressV1 { ip: ip.octets(), port: address.port() }
    }
}

/// A mapped address comes out as the IPv4 address it is, also where the client's socket had it
/// mapped.
impl From<AddressV1> for SocketAddr {
    fn from(AddressV1 { ip, port }: AddressV1) -> Self {
        SocketAddr::new(IpAddr::from(ip).to_canonical(), port)
    }
}

impl<'a> From<Committed<'a>> for CommittedV1<'a> {
    fn from(Committed { code, broker }: Committed<'a>) -> Self {
        CommittedV1 { code, broker: Text(&broker[..broker.floor_char_boundary(BROKER_MAX)]) }
    }
}

impl<'a> From<CommittedV1<'a>> for Committed<'a> {
    fn from(CommittedV1 { code, broker }: CommittedV1<'a>) -> Self {
        Committed { code, broker: broker.0 }
    }
}

impl From<Refused> for RefusedV1 {
    fn from(Refused { reason, headroom, retry_after_ms }: Refused) -> Self {
        RefusedV1 { reason: reason.number(), headroom, retry_after_ms }
    }
}

impl From<RefusedV1> for Refused {
    fn from(RefusedV1 { reason, headroom, retry_after_ms }: RefusedV1) -> Self {
        Refused { reason: Reason::from_number(reason), headroom, retry_after_ms }
    }
}

impl From<LeaseGrant> for LeaseGrantV1 {
    fn from(LeaseGrant { lease, n, ttl_ms }: LeaseGrant) -> Self {
        LeaseGrantV1 { lease, n, ttl_ms }
    }
}

impl From<LeaseGrantV1> for LeaseGrant {
    fn from(LeaseGrantV1 { lease, n, ttl_ms }: LeaseGrantV1) -> Self {
        LeaseGrant { lease, n, ttl_ms }
    }
}
