//! The script of three sites: what happens to which, when, and what is watched meanwhile.
//!
//! The cut comes first, while nobody is carried along the link. `fra` is filled and then loses its
//! brokers while the others are well, and `nyc` dies last, with those of `fra` whom it took in.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use isobar_admin::view::Report;
use tokio::sync::watch;
use tokio::time::sleep;

use super::events::{Reader, Stands};
use super::table::{Carried, Shown, Standings};
use super::verdict::{self, Seen};
use super::{FRA, NAMES, NYC, SIN, SITES, Sites, routes};
use crate::demo::failure::Failure;
use crate::demo::fleet::{self, Fleet};
use crate::demo::ledger::{Act, Ledger};
use crate::demo::node;
use crate::demo::screen::{self, Screen};
use crate::demo::verdict::noticed;

/// For all clients to arrive, or to come back.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(20);
/// For the last newcomer's CONNACK, and for it to hear which broker serves it.
const ANSWER_PATIENCE: Duration = Duration::from_secs(12);
/// For nodes to find each other, at first and after a fault.
const MEET_PATIENCE: Duration = Duration::from_secs(20);
/// For nodes to notice a fault.
const NOTICE_PATIENCE: Duration = Duration::from_secs(10);
const LETTER_PATIENCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// For everybody to have written.
const CALM_LEAST: Duration = Duration::from_secs(2);
const NEWCOMERS_LEAST: usize = 6;

/// Everything that takes part, but for the processes.
pub(in crate::demo) struct Play<'a> {
    sites: &'a mut Sites,
    dir: &'a Path,
    screen: &'a mut Screen,
    fleet: Fleet,
    writing: watch::Sender<bool>,
    length: Duration,
    readers: [Reader; SITES],
    standings: Standings,
    reports: [Option<Report>; SITES],
    act: Act,
    seen: Seen,
}

impl<'a> Play<'a> {
    /// Prepares the play; nothing happens yet. As many clients at each site.
    pub(in crate::demo) fn new(
        sites: &'a mut Sites,
        dir: &'a Path,
        screen: &'a mut Screen,
        clients: usize,
        length: Duration,
    ) -> Play<'a> {
        let (writing, may_write) = watch::channel(false);
        let fleet = Fleet {
            doors: sites.list.iter().map(|site| site.addr()).collect(),
            routes: routes().into(),
            brokers: sites.brokers().into(),
            size: clients,
            ledger: Ledger::new(clients),
            writing: may_write,
        };
        let newcomers = (clients / SITES / 5).max(NEWCOMERS_LEAST);
        let seen = Seen { newcomers, ..Seen::default() };
        Play {
            sites,
            dir,
            screen,
            fleet,
            writing,
            length,
            readers: Default::default(),
            standings: Standings::default(),
            reports: Default::default(),
            act: Act::Arrival,
            seen,
        }
    }

    /// Plays it all; true if what was promised held.
    pub(in crate::demo) async fn perform(mut self) -> Result<bool, Failure> {
        self.until(MEET_PATIENCE, Play::all_well).await;
        if !self.all_well() {
            return Err(Failure::Other("the sites did not find each other".to_owned()));
        }
        let clients = self.fleet.size;
        self.screen.tell(&format!(
            "{clients} clients connect, {} to each site, half by MQTT 3.1.1, half by 5.0",
            clients / SITES
        ));
        let fleet = self.fleet.launch();
        self.until(ARRIVAL_PATIENCE, Play::all_served).await;
        self.screen.tell(&format!("{} clients are served", self.served()));
        self.writing.send_replace(true);

        self.begin(Act::Calm);
        self.screen.tell("calm: every client writes a letter a second to another of its site");
        let calm = self.share(8).max(CALM_LEAST);
        self.until(calm, |_| false).await;
        self.seen.carried_in_calm = self.carried().all();
        self.cut().await;
        self.full().await;
        self.killed().await?;
        self.home().await?;
        self.lost().await?;
        self.after().await;

        self.seen.served = self.served();
        self.seen.none_down = self.none_down();
        self.seen.all_well = self.all_well();
        drop(fleet);
        let (text, held) = verdict::judge(&self.fleet.ledger, &self.seen, clients);
        self.screen.print(&text);
        Ok(held)
    }

    async fn cut(&mut self) {
        self.begin(Act::Cut);
        self.sites.wan.change(NAMES[NYC], NAMES[SIN], |path| path.is_cut = true);
        self.screen.tell("the link from nyc to sin is cut, one way: nothing of nyc arrives in sin");
        self.until(NOTICE_PATIENCE, |play| !play.seen.noticed_cut.is_empty()).await;
        self.pause(10).await;
        self.sites.wan.change(NAMES[NYC], NAMES[SIN], |path| path.is_cut = false);
        self.seen.lost_by_cut = self.sites.wan.figures(NAMES[NYC], NAMES[SIN]).cut;
        self.screen.tell("the link is whole again");
        self.until(MEET_PATIENCE, Play::all_well).await;
        self.pause(2).await;
        self.close_act();
    }

    async fn full(&mut self) {
        self.begin(Act::Full);
        let at_home = self.carried().at_home(FRA);
        let free = self.sites.room.saturating_sub(at_home);
        let overflow = self.seen.newcomers;
        self.seen.free = free;
        self.screen.tell(&format!(
            "fra fills: it has {free} places left, and {} newcomers come there",
            free + overflow
        ));
        let over = self.share(8);
        let newcomers = fleet::newcomers(&self.fleet, (Act::Full, FRA), free + overflow, over);
        self.all_told(Act::Full, free + overflow).await;
        self.pause(8).await;
        self.tell_visits(Act::Full);
        drop(newcomers);
        self.screen.tell("the newcomers leave");
        self.pause(3).await;
        self.close_act();
    }

    async fn killed(&mut self) -> Result<(), Failure> {
        self.begin(Act::Killed);
        self.seen.on_killed = self.clients_on(FRA);
        self.screen.tell(&format!(
            "both brokers of fra are killed (SIGKILL), {} clients were on them; {} newcomers come",
            self.seen.on_killed, self.seen.newcomers
        ));
        self.sites.list[FRA].kill_brokers().await?;
        let count = self.seen.newcomers;
        let newcomers =
            fleet::newcomers(&self.fleet, (Act::Killed, FRA), count, Duration::from_secs(1));
        self.all_told(Act::Killed, count).await;
        self.until(ARRIVAL_PATIENCE, Play::all_served).await;
        self.pause(14).await;
        self.seen.carried_after_kill = self.carried().sent_by(FRA);
        self.tell_visits(Act::Killed);
        drop(newcomers);
        self.close_act();
        Ok(())
    }

    async fn home(&mut self) -> Result<(), Failure> {
        self.begin(Act::Home);
        let Sites { kind, list, .. } = &mut *self.sites;
        list[FRA].start_brokers(kind, self.dir).await?;
        self.screen
            .tell("the brokers of fra are back; who is carried stays until the session ends");
        self.until(NOTICE_PATIENCE, Play::none_down).await;
        // Past its slow start.
        self.pause(5).await;
        let count = self.seen.newcomers;
        self.screen.tell(&format!("{count} newcomers come to fra"));
        let newcomers =
            fleet::newcomers(&self.fleet, (Act::Home, FRA), count, Duration::from_secs(1));
        self.all_told(Act::Home, count).await;
        self.pause(5).await;
        self.tell_visits(Act::Home);
        drop(newcomers);
        self.close_act();
        Ok(())
    }

    async fn lost(&mut self) -> Result<(), Failure> {
        self.begin(Act::Lost);
        let (own, taken) = self.clients_of(NYC);
        self.seen.on_lost = own + taken;
        self.screen.tell(&format!(
            "all of nyc is killed (SIGKILL of node and brokers): {own} clients were connected \
             there, {taken} carried there"
        ));
        self.sites.list[NYC].kill().await?;
        self.reports[NYC] = None;
        self.until(ARRIVAL_PATIENCE, Play::all_served).await;
        let dead = |play: &Play<'a>| {
            [FRA, SIN].iter().all(|by| play.standings[*by][NYC].as_deref() == Some("dead"))
        };
        self.until(NOTICE_PATIENCE, dead).await;
        self.seen.called_dead = dead(self);
        self.pause(14).await;
        self.close_act();
        let Sites { kind, list, .. } = &mut *self.sites;
        list[NYC].start_brokers(kind, self.dir).await?;
        self.standings[NYC] = Default::default();
        self.readers[NYC] = Reader::at_end(&self.dir.join("nyc-1.log"));
        list[NYC].start_node(self.dir).await?;
        self.screen.tell("nyc is back, node and brokers");
        self.until(MEET_PATIENCE, |play| play.all_well() && play.none_down()).await;
        Ok(())
    }

    async fn after(&mut self) {
        self.begin(Act::After);
        let count = self.seen.newcomers;
        self.screen.tell(&format!("calm again; {count} newcomers come to nyc"));
        let newcomers =
            fleet::newcomers(&self.fleet, (Act::After, NYC), count, Duration::from_secs(1));
        self.all_told(Act::After, count).await;
        self.pause(8).await;
        self.tell_visits(Act::After);
        self.until(ARRIVAL_PATIENCE, Play::all_served).await;
        self.writing.send_replace(false);
        self.until(LETTER_PATIENCE, |play| play.fleet.ledger.delivered(Act::After)).await;
        self.close_act();
        drop(newcomers);
    }

    fn begin(&mut self, act: Act) {
        self.act = act;
        self.fleet.ledger.begin(act);
    }

    /// Says what the clients noticed in the act that ends.
    fn close_act(&mut self) {
        let figures = self.fleet.ledger.figures(self.act);
        self.screen.tell(&format!("        clients noticed: {}", noticed(&figures)));
    }

    fn tell_visits(&mut self, act: Act) {
        for line in verdict::visits(&self.fleet.ledger.visits(act)) {
            self.screen.tell(&format!("        newcomers: {line}"));
        }
    }

    fn carried(&self) -> Carried {
        Carried::count(self.fleet.ledger.stays())
    }

    /// Clients of the fleet that this site's brokers serve.
    fn clients_on(&self, site: usize) -> usize {
        let carried = self.carried();
        (0..SITES).map(|door| carried.counted(door, site)).sum()
    }

    /// Those connected to this site, and those who are only carried there.
    fn clients_of(&self, site: usize) -> (usize, usize) {
        let carried = self.carried();
        let own = carried.at_home(site);
        (own + carried.sent_by(site), self.clients_on(site) - own)
    }

    fn served(&self) -> usize {
        self.fleet.ledger.census(0).0
    }

    fn all_served(&self) -> bool {
        self.served() == self.fleet.size
    }

    /// Every site is reachable in the eyes of every other.
    fn all_well(&self) -> bool {
        let is_well = |by: usize, of: usize| {
            by == of || self.standings[by][of].as_deref() == Some("reachable")
        };
        (0..SITES).all(|by| (0..SITES).all(|of| is_well(by, of)))
    }

    fn none_down(&self) -> bool {
        self.reports.iter().all(|report| report.as_ref().is_some_and(node::none_down))
    }

    /// So many hundredths of the script's length.
    fn share(&self, percent: u32) -> Duration {
        self.length * percent / 100
    }

    /// Lets that much of the script's length pass, watching.
    async fn pause(&mut self, percent: u32) {
        let patience = self.share(percent);
        self.until(patience, |_| false).await;
    }

    /// Until that many newcomers were answered, and those let in know where they are.
    async fn all_told(&mut self, act: Act, expected: usize) {
        self.until(ANSWER_PATIENCE, move |play| {
            let visits = play.fleet.ledger.visits(act);
            let told = visits.iter().filter(|visit| visit.stay.broker.is_some()).count();
            told + play.fleet.ledger.figures(act).turned_away.len() >= expected
        })
        .await;
    }

    /// Watches until it is so, or patience ends: the verdict says which.
    async fn until(&mut self, patience: Duration, is_so: impl Fn(&Play<'a>) -> bool) {
        let deadline = Instant::now() + patience;
        loop {
            self.look().await;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || is_so(self) {
                return;
            }
            sleep(left.min(LOOK_EVERY)).await;
        }
    }

    /// Asks the nodes, tells what is new, shows the rest.
    async fn look(&mut self) {
        for (site, name) in NAMES.iter().enumerate() {
            let Some(node) = &self.sites.list[site].node else { continue };
            for stands in self.readers[site].news(node.log()) {
                self.hear(site, name, stands);
            }
        }
        let ask = self.sites.list.iter().map(|site| async {
            match &site.node {
                Some(node) => node.report().await.ok(),
                None => None,
            }
        });
        for (site, report) in join_all(ask).await.into_iter().enumerate() {
            // A report that fails leaves the old one standing; the verdict wants a good one.
            if let Some(report) = report {
                self.tell_news(site, &report);
                self.reports[site] = Some(report);
            }
        }
        let shown = Shown {
            reports: &self.reports,
            standings: &self.standings,
            ledger: &self.fleet.ledger,
            clients: self.fleet.size,
        };
        self.screen.show(|| shown.table(), || shown.line());
    }

    fn hear(&mut self, by: usize, name: &str, stands: Stands) {
        let Stands { site, standing, reason } = stands;
        let Some(of) = NAMES.iter().position(|name| *name == site) else { return };
        self.screen.tell(&format!("        {name} says: {site} is {standing} ({reason})"));
        if self.act == Act::Cut && standing != "reachable" {
            self.seen.noticed_cut.push(standing.clone());
        }
        self.standings[by][of] = Some(standing);
    }

    fn tell_news(&mut self, site: usize, new: &Report) {
        let Some(old) = &self.reports[site] else { return };
        self.seen.redispatched[self.act as usize] +=
            node::redispatches(new).saturating_sub(node::redispatches(old));
        for broker in &self.sites.list[site].brokers {
            let name = &broker.name;
            let (Some(was), Some(is)) = (node::broker(old, name), node::broker(new, name)) else {
                continue;
            };
            if was.state != is.state {
                let (was, is) = (screen::word(was.state), screen::word(is.state));
                let by = NAMES[site];
                self.screen.tell(&format!("        {by} says: {name} was {was}, is {is}"));
            }
        }
    }
}
