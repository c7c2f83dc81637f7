//! `isobar run -c FILE`: a node, until it is told to stop.
//!
//! The first SIGTERM or SIGINT lets flows go on for `drain_timeout` while no new ones come;
//! the second ends them at once. Either way each flow is told in its own protocol.

mod entry;
mod provision;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use isobar_admin::Admin;
use isobar_core::report::NodeReport;
use isobar_net::settings::ServiceSettings;
use isobar_net::{Node, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use self::entry::{Door, EntryError};
use self::provision::Desk;
use crate::config::{self, ConfigError, Host, Settings};

const AFTER_HELP: &str = "\
Signals: SIGTERM or SIGINT drains (no new clients; the others may go on for drain_timeout);
a second one ends at once.

Flows are logged to standard output, one line each; everything else goes to standard error.
ISOBAR_LOG=debug says more. Exit codes: 0 stopped as told, 1 did not start, 2 wrong usage.";

/// How often a draining node looks whether it is empty.
const LOOK: Duration = Duration::from_millis(50);

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,

    /// The form of events on standard error.
    #[arg(long, value_enum, default_value_t = Events::Text, value_name = "FORM")]
    pub events: Events,
}

/// The form of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Events {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why a node did not run.
#[derive(Debug)]
enum RunError {
    Config(ConfigError),
    Start(StartError),
    Entry(EntryError),
    Admin(SocketAddr, io::Error),
    Provision(SocketAddr, io::Error),
    System(&'static str, io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Config(error) => write!(f, "{error}"),
            RunError::Start(error) => write!(f, "error: {error}"),
            RunError::Entry(error) => write!(f, "error: {error}"),
            RunError::Admin(addr, error) => {
                write!(f, "error: [admin] cannot listen on {addr}: {error}")
            }
            RunError::Provision(addr, error) => {
                write!(f, "error: [entry.provision] cannot listen on {addr}: {error}")
            }
            RunError::System(what, error) => write!(f, "error: {what}: {error}"),
        }
    }
}

/// Runs a node.
pub fn run(args: &Args) -> ExitCode {
    listen_to_events(args.events);
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> Result<(), RunError> {
    let loaded = config::load(&args.config, &Host::system()).map_err(RunError::Config)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| RunError::System("cannot start", error))?;
    runtime.block_on(serve(loaded.settings))
}

async fn serve(settings: Settings) -> Result<(), RunError> {
    let no_signal = |error| RunError::System("cannot listen to signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signal)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(no_signal)?;

    let admin = settings.admin.bind;
    let admin = tokio::net::TcpListener::bind(admin)
        .await
        .map_err(|error| RunError::Admin(admin, error))?;
    let drain = settings.node.drain_timeout;
    let wanted = (settings.node.maxconn, settings.node.beside);
    let provision = provision::bind(&settings.entry)
        .map_err(|(addr, error)| RunError::Provision(addr, error))?;
    let redirects = |service: &ServiceSettings| !service.reception.redirect.is_empty();
    let tells = provision.is_some() || settings.node.services.iter().any(redirects);
    let offers = provision::offers(&settings.node);
    // First of all: a name that leads to other sites is good whatever comes of this node.
    let door = Door::open(settings.entry, &settings.node).map_err(RunError::Entry)?;
    let door = Arc::new(door);
    let node = Arc::new(Node::start(settings.node, io::stdout()).map_err(RunError::Start)?);
    let following = tokio::spawn(entry::follow(door.guide.clone(), node.outlook()));
    let desk = Desk::open(provision, &node, (&door.guide, door.geo.clone()), offers)
        .map_err(|error| RunError::System("cannot start the provisioning endpoint", error))?;
    announce(&node, &admin, wanted);
    door.announce();
    if let Some(url) = desk.url() {
        tracing::info!("provisioning at {url}");
    }

    let (source, events, dns) = (node.clone(), node.clone(), door.clone());
    let pages = Admin {
        source: Arc::new({
            let told = desk.reporter();
            move || NodeReport {
                dns: dns.report(),
                provision: tells.then(&told),
                ..source.report()
            }
        }),
        entry: door.shown(),
        events: Arc::new(move || events.events()),
        token: settings.admin.token,
    };
    // Pages are served to the very end, so that a drain can be watched.
    let pages = tokio::spawn(isobar_admin::serve(admin, pages, std::future::pending()));

    loop {
        tokio::select! {
            () = told(&mut terminate, &mut interrupt) => break,
            _ = hangup.recv() => hung_up(&node),
        }
    }
    node.drain();
    tracing::info!(flows = node.flows(), within = ?drain, "stopping: no new clients; flows may end");
    tokio::select! {
        () = empty(&node, Instant::now() + drain) => {}
        () = told(&mut terminate, &mut interrupt) => tracing::info!("told twice: stopping at once"),
    }
    let left = node.flows();
    if left > 0 {
        tracing::info!(flows = left, "ending flows");
    }
    following.abort();
    // It has a thread of its own, which ends within a moment.
    let _ = tokio::task::spawn_blocking(move || desk.close()).await;
    pages.abort();
    // The task's hold on the node goes with it.
    let _ = pages.await;
    match Arc::try_unwrap(node) {
        Ok(node) => {
            let stopped = tokio::task::spawn_blocking(|| node.stop()).await;
            if let Err(error) = stopped {
                tracing::error!(%error, "stopping failed");
            }
        }
        Err(node) => node.end_flows(),
    }
    tracing::info!("stopped");
    Ok(())
}

/// Only what trust is made of may change while a node runs.
fn hung_up(node: &Node) {
    match node.reload_trust() {
        true => tracing::info!("SIGHUP: reading certificates, key, CA and deny list again"),
        false => tracing::warn!(
            "SIGHUP: a running node does not reload its configuration yet; restart it"
        ),
    }
}

/// Says where clients and operators can come, and what descriptors allow.
fn announce(node: &Node, admin: &tokio::net::TcpListener, (wanted, beside): (u32, u64)) {
    for (service, addr) in node.addresses() {
        tracing::info!(service, %addr, "listening");
    }
    let allowed = node.descriptors();
    if allowed.maxconn < wanted {
        tracing::warn!(
            wanted,
            allowed = allowed.maxconn,
            descriptors = allowed.limit,
            "maxconn is capped: a flow takes two descriptors; raise the hard limit (ulimit -Hn, LimitNOFILE=) to {}",
            2 * u64::from(wanted) + isobar_net::descriptors::RESERVE + beside,
        );
    }
    if let Some(mesh) = node.mesh() {
        tracing::info!(addr = %mesh.addr, "mesh: listening");
    }
    if let Ok(addr) = admin.local_addr() {
        tracing::info!("stats page at http://{addr}/");
    }
}

async fn told(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn empty(node: &Node, until: Instant) {
    let watch = async {
        while node.flows() > 0 {
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = watch => {}
        () = sleep_until(until) => {}
    }
}

fn listen_to_events(form: Events) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("ISOBAR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let set = match form {
        Events::Text => {
            let ansi = io::IsTerminal::is_terminal(&io::stderr());
            tracing::subscriber::set_global_default(events.with_ansi(ansi).finish())
        }
        Events::Json => tracing::subscriber::set_global_default(events.json().finish()),
    };
    // Set before: by a test in the same process, which then sees the events.
    let _ = set;
}
