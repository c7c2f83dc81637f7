//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::contender::Mode;
use crate::dns::DnsOptions;
use crate::keep::Keep;
use crate::measure::Measure;

/// Measures Isobar beside HAProxy in front of MQTT brokers: the same load on both in
/// alternation, ratios at the end. See docs/benchmarks.md for what each figure means.
#[derive(Debug, Parser)]
#[command(name = "isobar-bench", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every measure.
    All(Options),
    /// CPU per connection: TCP, CONNECT, CONNACK, DISCONNECT, close.
    Connect(Options),
    /// CPU per echoed 100-byte message, and latency, at 10,000 messages a second.
    Echo(Options),
    /// CPU per MiB of 64 KiB messages, both directions added up.
    Bulk(Options),
    /// Process memory per idle connection.
    Idle(Options),
    /// System calls per echoed message, by `strace -c -f`.
    Calls(Options),
    /// What clients cost that one site carries to another, beside two HAProxys with TLS between them.
    Tunnel(TunnelOptions),
    /// Answers a second of the node's DNS server, beside NSD under the same `dnsperf`.
    Dns(DnsOptions),
    /// Memory of the links between nodes, without flows.
    Links(Options),
    /// How long Isobar's lock over a service's brokers is held, while clients connect.
    Lock(Options),
    /// CPU per answer of the provisioning endpoint, with and without TLS, beside HAProxy returning
    /// a fixed body.
    Provision(Options),
    /// CPU per connect as a range of source ports fills, in a network namespace.
    Ports(Options),
    /// `perf record` of one contender during one measure.
    Profile(ProfileOptions),
    /// The bench broker alone, until standard input ends: accepts, answers, echoes.
    Broker {
        /// The CPU to pin it to.
        #[arg(long)]
        cpu: Option<usize>,
        /// Where to listen.
        #[arg(required = true)]
        addrs: Vec<SocketAddr>,
    },
    /// The load alone; started by the bench.
    #[command(hide = true)]
    Load {
        /// What to do, as JSON.
        plan: String,
    },
    /// Holds something for the bench; started by it.
    #[command(hide = true, subcommand)]
    Keep(Keep),
}

/// Options of every measure.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Alternations; medians are over these.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// A small load, one round: shows that everything works, not how fast it is.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The isobar program; without it, one is built.
    #[arg(long, value_name = "PATH")]
    pub(crate) isobar: Option<PathBuf>,
    /// Another isobar program to measure as well, for instance an older one.
    #[arg(long, value_name = "PATH")]
    pub(crate) also: Option<PathBuf>,
    /// The rival.
    #[arg(long, value_name = "PATH", default_value = "haproxy")]
    pub(crate) haproxy: PathBuf,
    /// HAProxy against itself: shows the noise.
    #[arg(long, conflicts_with_all = ["isobar", "also", "mode"])]
    pub(crate) rival_only: bool,
    /// Isobar's modes, each as a contender of its own.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "mqtt")]
    pub(crate) mode: Vec<Mode>,
    /// Both log one line a flow, into a file.
    #[arg(long)]
    pub(crate) log: bool,
    /// Real mosquitto instead of the bench broker.
    #[arg(long)]
    pub(crate) mosquitto: bool,
    /// The CPUs: the proxy's, and the one for load and broker.
    #[arg(long, value_name = "PROXY,LOAD", value_delimiter = ',', num_args = 1,
          default_values_t = [0, 1])]
    pub(crate) cpus: Vec<usize>,
    /// Writes everything that was found here, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Options of `tunnel`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TunnelOptions {
    /// What to measure; without it, everything but the system calls.
    #[arg(value_enum)]
    pub(crate) measure: Option<TunnelMeasure>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What can be measured of tunnels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum TunnelMeasure {
    /// CPU per echoed 100-byte message, both proxies together, at 4,000 messages a second.
    Echo,
    /// Memory per idle flow, of each side.
    Idle,
    /// Bits a second through one flow towards the broker.
    Out,
    /// The same towards the client.
    Back,
    /// System calls per echoed message, by `strace -c -f`.
    Calls,
}

/// Options of `profile`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProfileOptions {
    /// The load to profile under.
    #[arg(value_enum)]
    pub(crate) measure: Load,
    /// Where the data goes.
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    pub(crate) into: PathBuf,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Loads that can be profiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Load {
    Connect,
    Echo,
    Bulk,
    Idle,
    TunnelEcho,
    TunnelOut,
    TunnelBack,
}

impl From<Load> for Measure {
    fn from(load: Load) -> Self {
        match load {
            Load::Connect => Self::Connect,
            Load::Echo => Self::Echo,
            Load::Bulk => Self::Bulk,
            Load::Idle => Self::Idle,
            Load::TunnelEcho => Self::TunnelEcho,
            Load::TunnelOut => Self::TunnelOut,
            Load::TunnelBack => Self::TunnelBack,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        let cli =
            Cli::try_parse_from(["isobar-bench", "all", "--cpus", "2,3", "--mode", "mqtt,tcp"]);
        let Command::All(options) = cli.unwrap().command else { panic!("another command") };
        assert_eq!((options.cpus, options.mode.len(), options.rounds), (vec![2, 3], 2, 7));
    }
}
