//! What the demo shows while it runs.
//!
//! What happened is a line and stays. How things stand is, on a terminal, a table below those
//! lines that is drawn again every half second; elsewhere it is one line every two seconds. Here
//! are those of one site, with the flows that the node counts on each broker and the clients that
//! say they are there; those of several are in `sites`.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use isobar_admin::view::{Broker, BrokerState, Report};

use super::ledger::Ledger;
use super::node;

/// What the script does to a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// Strangers took every place.
    Filled,
    /// SIGSTOP.
    Stopped,
    /// SIGKILL.
    Killed,
}

impl Fault {
    fn words(self) -> &'static str {
        match self {
            Fault::None => "",
            Fault::Filled => "filled by strangers",
            Fault::Stopped => "stopped (SIGSTOP)",
            Fault::Killed => "killed (SIGKILL)",
        }
    }
}

/// How things stand, to be shown.
pub(super) struct Standing<'a> {
    /// By broker: its name, and what the script does to it.
    pub(super) brokers: &'a [(String, Fault)],
    /// The node's newest report, if it gave one.
    pub(super) report: Option<&'a Report>,
    /// What the clients say.
    pub(super) ledger: &'a Ledger,
    /// How many of them there are.
    pub(super) clients: usize,
}

/// The terminal, or what stands for it.
pub(super) struct Screen {
    out: io::Stdout,
    live: bool,
    began: Instant,
    /// Lines of the table now on the terminal.
    drawn: usize,
    shown: Option<Instant>,
}

const LINE_EVERY: Duration = Duration::from_secs(2);

impl Screen {
    /// Writes to standard output.
    pub(super) fn new() -> Screen {
        let out = io::stdout();
        let live = out.is_terminal();
        Screen { out, live, began: Instant::now(), drawn: 0, shown: None }
    }

    /// Shows lines as they are.
    pub(super) fn print(&mut self, text: &str) {
        self.erase();
        // A reader that has gone is no reason to leave brokers behind: the demo goes on.
        let _ = writeln!(self.out, "{text}");
        let _ = self.out.flush();
    }

    /// Shows what happened, with the time.
    pub(super) fn tell(&mut self, what: &str) {
        self.print(&format!("{:>6.1}s  {what}", self.began.elapsed().as_secs_f64()));
    }

    /// Shows how things stand: as a table, none of whose lines is wider than 80 columns (a wrapped
    /// one would not be erased), or as a line.
    pub(super) fn show(&mut self, table: impl FnOnce() -> String, line: impl FnOnce() -> String) {
        if self.live {
            let table = table();
            self.erase();
            let _ = write!(self.out, "{table}");
            let _ = self.out.flush();
            self.drawn = table.lines().count();
        } else if self.shown.is_none_or(|shown| shown.elapsed() >= LINE_EVERY) {
            self.shown = Some(Instant::now());
            self.tell(&line());
        }
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            // Up by that many lines, then clear to the end of the screen.
            let _ = write!(self.out, "\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
    }
}

/// A state as the stats page writes it.
pub(super) fn word(state: BrokerState) -> &'static str {
    match state {
        BrokerState::Up => "UP",
        BrokerState::Full => "FULL",
        BrokerState::Down => "DOWN",
    }
}

fn state(broker: Option<&Broker>) -> String {
    match broker {
        Some(broker) if broker.slow_start => format!("{} (slow start)", word(broker.state)),
        Some(broker) => word(broker.state).to_owned(),
        None => "?".to_owned(),
    }
}

/// A line for each broker, and what the clients have to say.
pub(super) fn table(standing: &Standing<'_>) -> String {
    let (served, on) = standing.ledger.census(standing.brokers.len());
    let mut text = String::from(
        "\n  broker  the node says    flows  clients  redispatched away  the script\n",
    );
    for ((name, fault), clients) in standing.brokers.iter().zip(on) {
        let broker = standing.report.and_then(|report| node::broker(report, name));
        let flows = broker.map_or(0, |broker| broker.flows.current);
        let away = broker.map_or(0, |broker| broker.redispatched_away);
        text.push_str(&format!(
            "  {name:<6}  {:<15}  {flows:>5}  {clients:>7}  {away:>17}  {}\n",
            state(broker),
            fault.words()
        ));
    }
    let (sent, arrived, crossed) = standing.ledger.post();
    text.push_str(&format!(
        "  clients {served} of {} served\n  letters {sent} sent, {arrived} arrived, {crossed} of \
         them from one broker to another\n",
        standing.clients
    ));
    text
}

/// The same in short.
pub(super) fn line(standing: &Standing<'_>) -> String {
    let (served, on) = standing.ledger.census(standing.brokers.len());
    let mut text = String::new();
    for ((name, _), clients) in standing.brokers.iter().zip(on) {
        let broker = standing.report.and_then(|report| node::broker(report, name));
        let flows = broker.map_or(0, |broker| broker.flows.current);
        text.push_str(&format!("{name} {} {flows}/{clients} | ", state(broker)));
    }
    let redispatched = standing.report.map_or(0, node::redispatches);
    let (sent, arrived, _) = standing.ledger.post();
    text.push_str(&format!(
        "served {served}/{} | redispatched {redispatched} | letters {arrived}/{sent}",
        standing.clients
    ));
    text
}
