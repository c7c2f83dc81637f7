//! Real processes and a raw MQTT client, for the end-to-end tests.
//!
//! A test starts brokers ([`Mosquitto`]), a node ([`Isobar`]) or an HAProxy to compare with
//! ([`Haproxy`]), talks to them with [`Client`] or a [`Storm`] of clients, and waits for what
//! must become true with [`eventually`]. The client spells MQTT on its own, without
//! `isobar-wire`: what is tested must not be its own judge.
//!
//! Every process has its own loopback addresses and free ports, and dies with the test.

mod addr;
mod client;
mod dns;
mod fake;
mod haproxy;
mod http;
mod isobar;
mod mesh;
mod mesh_ca;
mod metrics;
mod mosquitto;
pub mod packet;
mod plan;
mod process;
mod pulse;
pub mod quic;
mod resolver;
mod standing;
mod storm;
mod tls;
mod wait;

pub use addr::{free_addr, fresh_ip};
pub use client::{Client, Failure, PATIENCE, PublishOpts};
pub use dns::{Dns, srv};
pub use fake::FakeBroker;
pub use haproxy::Haproxy;
pub use isobar::{Isobar, binary, broker, brokers, counted, num, text};
pub use mesh::{A_YEAR, Mesh, MeshNode, MeshPlan, Site, took};
pub use mesh_ca::MeshCa;
pub use metrics::metric;
pub use mosquitto::{Mosquitto, MosquittoBuilder, Watcher};
pub use packet::{Connack, Connect, Packet, Publish, Version, Will, kind, prop};
pub use plan::{Broker, Node, Service};
pub use process::{Lines, Proc, find_library, find_program};
pub use pulse::{Beats, Pulse, undisturbed};
pub use quic::{Caller, Ended};
pub use resolver::{TTL_NEAR, Told, Unbound, dig, free_dns_addr, run};
pub use standing::{Change, changes, said_after, standing, wait_said, wait_standing};
pub use storm::{Outcome, Outcomes, Storm, quantile};
pub use tls::Certified;
pub use wait::{alone, beside, eventually, long, until};

/// Once per process: as many descriptors as the system allows, for thousands of clients, and
/// for the processes that inherit the limit.
pub fn raise_descriptor_limit() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let limit = rlimit::increase_nofile_limit(1 << 20).expect("the limit can be read");
        assert!(
            limit >= 12_000,
            "{limit} descriptors: 5,000 clients through a node need 12,000 (ulimit -Hn)"
        );
    });
}
