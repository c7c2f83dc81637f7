//! `isobar-bench`: the same load on Isobar and on HAProxy, in alternation.
//!
//! This program starts itself again for each part, in processes of their own: the bench broker
//! (`broker`), the load (`load`), and keepers (`keep`) that end proxies when the bench is gone.
//! A trial (`trial`) is one proxy under one load; a measure (`measure`) is what is made of its
//! report; `bench` alternates.

mod bench;
mod broker;
mod calls;
mod chain;
mod child;
mod cli;
mod conn;
mod contender;
mod dns;
mod failure;
mod findings;
mod keep;
mod links;
mod load;
mod lock;
mod measure;
mod mqtt;
mod ports;
mod procfs;
mod profile;
mod provision;
mod sockets;
mod stats;
mod trial;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::bench::Bench;
use crate::cli::{Cli, Command, Options, ProfileOptions, TunnelMeasure, TunnelOptions};
use crate::failure::{Context, Result};
use crate::measure::Measure;
use crate::trial::Setting;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let is_child = matches!(command, Command::Load { .. } | Command::Keep(_));
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if is_child {
                // For the parent, which expects another line and puts this one into its error.
                // It may be gone, and with it anyone to tell.
                let _ = writeln!(io::stdout(), "{failure}");
            } else {
                eprintln!("isobar-bench: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::All(options) => measure(&options, |bench| {
            for one in Measure::ALL {
                bench.alternate(one)?;
            }
            bench.count_calls(&Setting::default())?;
            bench.fill_ports()
        }),
        Command::Connect(options) => measure(&options, |bench| bench.alternate(Measure::Connect)),
        Command::Echo(options) => measure(&options, |bench| bench.alternate(Measure::Echo)),
        Command::Bulk(options) => measure(&options, |bench| bench.alternate(Measure::Bulk)),
        Command::Idle(options) => measure(&options, |bench| bench.alternate(Measure::Idle)),
        Command::Calls(options) => {
            measure(&options, |bench| bench.count_calls(&Setting::default()))
        }
        Command::Tunnel(options) => tunnel(&options),
        Command::Dns(options) => dns::main(&options),
        Command::Links(options) => measure(&options, Bench::weigh_links),
        Command::Lock(options) => measure(&options, Bench::time_lock),
        Command::Provision(options) => measure(&options, Bench::ask_provisioning),
        Command::Ports(options) => measure(&options, Bench::fill_ports),
        Command::Profile(options) => profile(&options),
        Command::Broker { cpu, addrs } => {
            let _commands = child::follow_parent();
            cpu.map_or(Ok(()), child::pin)?;
            broker::serve(&addrs)
        }
        Command::Load { plan } => {
            load::main(&serde_json::from_str(&plan).context("reading the plan")?)
        }
        Command::Keep(keep) => keep::main(&keep),
    }
}

/// Publishes what was found even if the rest could not be.
fn measure(options: &Options, with: impl FnOnce(&mut Bench) -> Result<()>) -> Result<()> {
    let mut bench = Bench::new(options)?;
    let made = with(&mut bench);
    bench.publish(options.json.as_deref())?;
    made
}

fn tunnel(options: &TunnelOptions) -> Result<()> {
    let one = match options.measure {
        None => None,
        Some(TunnelMeasure::Echo) => Some(Measure::TunnelEcho),
        Some(TunnelMeasure::Idle) => Some(Measure::TunnelIdle),
        Some(TunnelMeasure::Out) => Some(Measure::TunnelOut),
        Some(TunnelMeasure::Back) => Some(Measure::TunnelBack),
        Some(TunnelMeasure::Calls) => {
            let setting = Measure::TunnelEcho.setting();
            return measure(&options.options, |bench| bench.count_calls(&setting));
        }
    };
    measure(&options.options, |bench| match one {
        Some(one) => bench.alternate(one),
        None => Measure::TUNNELS.into_iter().try_for_each(|one| bench.alternate(one)),
    })
}

fn profile(options: &ProfileOptions) -> Result<()> {
    let mut bench = Bench::new(&options.options)?;
    let measure = Measure::from(options.measure);
    let work = measure.work(&bench.sizes);
    for contender in &bench.contenders {
        let setting = measure.setting();
        let name = measure.name();
        profile::record(&mut bench.ground, contender, name, &setting, &work, &options.into)?;
    }
    Ok(())
}
