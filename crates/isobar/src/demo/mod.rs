//! `isobar demo`: one command that shows what Isobar is for, on a machine with nothing on it.
//!
//! It starts three sites, each with brokers (mosquittos, or embedded ones) and a node, puts a wide
//! area network between them, lets a few hundred clients write letters to each other, and then cuts
//! a link, fills a site, kills its brokers and kills a whole site. `--one-site` is a smaller play:
//! brokers of one site are filled, hung and killed. What it shows is what the clients noticed.
//! `docs/demo.md` is the tour.
//!
//! Everything but the clients and the network is a child process under a guard, so that the faults
//! are real and nothing outlives the demo. The demo decides nothing about placing: its nodes are
//! `isobar run` as anybody would run it.
//!
//! | file | what |
//! |---|---|
//! | `brokers`, `broker`, `bridge` | the brokers, the embedded one, its bridge |
//! | `node`, `certificates` | a node and its report; what the mesh's nodes prove themselves with |
//! | `child`, `guard` | processes that end with the demo |
//! | `fleet`, `mqtt`, `ledger` | clients, their sessions, what they noticed |
//! | `names` | the name by which they find a node, and their resolvers |
//! | `script`, `screen`, `verdict` | one site: what happens, what is shown, whether it held |
//! | `sites` | three sites, and the same for them |
//! | `wan` | the network between sites, with its delays and losses; for tests too |
//!
//! Drills on real processes (`drill::live`) use the same brokers, nodes, guards and network.

mod act;
mod bridge;
mod broker;
pub(crate) mod brokers;
pub(crate) mod certificates;
pub(crate) mod child;
pub(crate) mod failure;
mod fleet;
mod guard;
mod ledger;
mod mqtt;
mod names;
pub(crate) mod node;
mod screen;
mod script;
mod sites;
mod verdict;
pub mod wan;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use brokers::{Brokers, Kind, Ports};
use failure::Failure;
use names::{NAME, Names};
use node::Node;
use screen::Screen;
use script::Play;
use sites::Sites;

/// The demo's commands: one for people, two that it starts itself.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum DemoCommand {
    /// Show what Isobar does: three sites with brokers, nodes and clients on this machine, and faults
    Demo(DemoArgs),
    /// Run one program and end it when standard input ends
    #[command(hide = true)]
    DemoGuard(guard::GuardArgs),
    /// Run one embedded broker
    #[command(hide = true)]
    DemoBroker(broker::BrokerArgs),
}

/// Arguments of `isobar demo`.
#[derive(clap::Args, Clone, Debug)]
pub struct DemoArgs {
    /// Length of the script, once all clients are there
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(12..=3600))]
    seconds: u64,
    /// How many clients, all sites together
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u16).range(20..=2000))]
    clients: u16,
    /// Which brokers
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    brokers: Choice,
    /// One site only: a broker that is full, one that hangs, one that is killed
    #[arg(long)]
    one_site: bool,
}

/// What `--brokers` may say.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    /// mosquitto where there is one, else embedded brokers
    Auto,
    /// Real mosquittos
    Mosquitto,
    /// Embedded brokers
    Embedded,
}

impl DemoCommand {
    /// Runs it. A failed demo ends with 1, an interrupted one with 130.
    pub fn run(self) -> ExitCode {
        match self {
            DemoCommand::Demo(args) => demo(&args),
            DemoCommand::DemoGuard(args) => guard::guard(args),
            DemoCommand::DemoBroker(args) => broker::serve(&args),
        }
    }
}

const INTERRUPTED: u8 = 130;
/// Where everything of one site is.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn demo(args: &DemoArgs) -> ExitCode {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended =
        runtime.map_err(Failure::io("starting")).and_then(|runtime| runtime.block_on(stage(args)));
    match ended {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("isobar demo: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Chooses the play.
async fn stage(args: &DemoArgs) -> Result<ExitCode, Failure> {
    let mut interrupted = Interrupted::new()?;
    let dir = tempfile::Builder::new()
        .prefix("isobar-demo-")
        .tempdir()
        .map_err(Failure::io("making a directory for the demo"))?;
    let mut screen = Screen::new();
    let kind = choose(args.brokers, &mut screen)?;
    if args.one_site {
        one_site(args, kind, dir.path(), &mut screen, &mut interrupted).await
    } else {
        three_sites(args, kind, dir.path(), &mut screen, &mut interrupted).await
    }
}

/// Sets the stage, lets the script play until it ends or somebody interrupts, clears the stage.
async fn one_site(
    args: &DemoArgs,
    kind: Kind,
    dir: &Path,
    screen: &mut Screen,
    interrupted: &mut Interrupted,
) -> Result<ExitCode, Failure> {
    let clients = usize::from(args.clients);
    let mut ports = Ports::new();
    let start = async {
        let brokers = Brokers::start(kind, dir, clients, &mut ports).await?;
        let dns = SocketAddr::from((HERE, ports.shared(&[HERE])?));
        let node = Node::start(dir, &brokers.behind_node, dns, &mut ports).await?;
        let names = Names::new(&[dns], &[HERE.into()], vec![node.addr])?;
        let program = program(args, &brokers, &node, dns);
        Ok::<_, Failure>((brokers, node, names, program))
    };
    // Dropped half-way, whatever was started ends by its guard.
    let (mut brokers, node, names, program) = tokio::select! {
        started = start => started?,
        () = interrupted.wait() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    screen.print(&program);
    let length = Duration::from_secs(args.seconds);
    let play = Play::new(&mut brokers, &node, names, screen, (clients, length)).perform();
    let played = tokio::select! {
        held = play => held.map(code_of),
        () = interrupted.wait() => Ok(ExitCode::from(INTERRUPTED)),
    };
    // The node first: it would count every broker's end as a fault.
    let node_ended = node.end().await;
    let brokers_ended = brokers.end().await;
    let code = played?;
    node_ended.and(brokers_ended).map(|()| code)
}

/// The same for three sites.
async fn three_sites(
    args: &DemoArgs,
    kind: Kind,
    dir: &Path,
    screen: &mut Screen,
    interrupted: &mut Interrupted,
) -> Result<ExitCode, Failure> {
    let clients = sites::alike(usize::from(args.clients));
    let mut ports = Ports::new();
    let mut sites = tokio::select! {
        started = Sites::start(kind, dir, clients, &mut ports) => started?,
        () = interrupted.wait() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let seconds = args.seconds;
    let program = sites.program();
    screen.print(&format!(
        "Isobar demo, three sites, {seconds} seconds, {clients} clients\n{program}"
    ));
    let length = Duration::from_secs(seconds);
    let play = sites::Play::new(&mut sites, dir, screen, clients, length).perform();
    let played = tokio::select! {
        held = play => held.map(code_of),
        () = interrupted.wait() => Ok(ExitCode::from(INTERRUPTED)),
    };
    let ended = sites.end().await;
    let code = played?;
    ended.map(|()| code)
}

fn code_of(held: bool) -> ExitCode {
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn choose(choice: Choice, screen: &mut Screen) -> Result<Kind, Failure> {
    match choice {
        Choice::Embedded => Ok(Kind::Embedded),
        Choice::Mosquitto => brokers::find_mosquitto().map_err(Failure::Other),
        Choice::Auto => Ok(brokers::find_mosquitto().unwrap_or_else(|why| {
            screen.print(&format!("{why}: using embedded brokers instead"));
            Kind::Embedded
        })),
    }
}

fn program(args: &DemoArgs, brokers: &Brokers, node: &Node, dns: SocketAddr) -> String {
    let list: Vec<String> =
        brokers.behind_node.iter().map(|b| format!("{} {}", b.name, b.addr)).collect();
    format!(
        "Isobar demo, one site, {} seconds, {} clients\n  brokers     {}: {}\n  topics      demo/# crosses \
         the brokers, by a bridge from each to a hub\n  node        {} (MQTT), {dns} (DNS)\n  \
         name        {NAME}, all that the clients know\n  stats page  {}\n",
        args.seconds,
        args.clients,
        brokers.kind,
        list.join(", "),
        node.addr,
        node.page()
    )
}

/// A descriptor for each client, and for what else there is: as many as may be had. The
/// children inherit it.
pub(crate) fn raise_descriptor_limit() {
    // Where it is refused, the default still holds a demo of the default size.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
}

/// Ctrl-C, SIGTERM, or the terminal closed.
pub(crate) struct Interrupted([tokio::signal::unix::Signal; 3]);

impl Interrupted {
    /// Listens from now on.
    pub(crate) fn new() -> Result<Interrupted, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::io("listening for signals"));
        Ok(Interrupted([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    /// Until one of them comes.
    pub(crate) async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
