//! `isobar demo-broker`: one embedded broker, for machines without mosquitto.
//!
//! The broker is the crate `mqtt5` (`docs/decisions/0002-embedded-broker.md`), in memory, for
//! anybody on loopback. It is a process of its own so that killing and stopping it are the real
//! thing. What crosses to other brokers is the business of `bridge`.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use mqtt5::broker::config::{StorageBackend, StorageConfig};
use mqtt5::broker::{BrokerConfig, MqttBroker};

use super::bridge;

/// Arguments of the hidden `demo-broker` command.
#[derive(clap::Args, Clone, Debug)]
pub struct BrokerArgs {
    /// Its name, which the bridge uses as client id
    #[arg(long)]
    name: String,
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// Clients at once; one more is accepted and closed without a word
    #[arg(long)]
    max_connections: usize,
    /// The hub to bridge `demo/#` with
    #[arg(long)]
    hub: Option<SocketAddr>,
}

/// Serves until killed.
pub(super) fn serve(args: &BrokerArgs) -> ExitCode {
    // One thread, as mosquitto has.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("demo-broker {}: {error}", args.name);
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo-broker {}: {error}", args.name);
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &BrokerArgs) -> Result<(), Box<dyn std::error::Error>> {
    let storage = StorageConfig { backend: StorageBackend::Memory, ..StorageConfig::default() };
    let config = BrokerConfig::default()
        .with_bind_address(args.listen)
        .with_max_clients(args.max_connections)
        .with_storage(storage);
    let mut broker = MqttBroker::with_config(config).await?;
    let bridge = async {
        match args.hub {
            Some(hub) => bridge::run(&args.name, args.listen, hub).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = broker.run() => ended?,
        () = bridge => return Err(io::Error::other("the bridge has ended").into()),
    }
    Ok(())
}
