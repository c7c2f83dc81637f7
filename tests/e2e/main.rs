//! End to end: the `isobar` binary in front of real mosquittos.
//!
//! One module an item of what must be shown; the harness starts the processes. `baseline` has
//! no Isobar in it: it proves the harness against mosquitto and HAProxy, and records what HAProxy
//! does in the cases that Isobar exists for.
#![allow(unreachable_pub, reason = "a test exports nothing; `pub` marks the harness's door")]
#![allow(missing_docs, reason = "names of MQTT's fields and packets speak for themselves")]

#[path = "../harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the harness is whole; tests use what they need")]
mod harness;

mod affinity;
mod balance;
mod baseline;
mod discovery;
mod figures_agree;
mod full;
mod ghosts;
mod gone;
mod haproxy_equivalent;
mod hung;
mod idle;
mod junk;
mod killed;
mod limits;
mod mesh_again;
mod mesh_ends;
mod mesh_full;
mod mesh_home;
mod mesh_killed;
mod mesh_lossy;
mod mesh_many;
mod mesh_siblings;
mod mesh_silent;
mod mesh_small;
mod mesh_spill;
mod mesh_split;
mod mesh_trust;
mod mesh_two;
mod other_clients;
mod provision;
mod provision_mqtt;
mod proxy_protocol;
mod redirect;
mod refused;
mod relay;
mod source_ports;
mod stopping;
mod takeover;
mod tcp_mode;
mod tcplog;
mod unchanged;
mod wills;
