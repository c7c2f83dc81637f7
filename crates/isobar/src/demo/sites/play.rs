//! The script of three sites: what happens to which, when, and what is watched meanwhile.
//!
//! The cut comes first, while nobody is carried along the link. `fra` is filled and then loses its
//! brokers while the others are well, and `nyc` dies last, with those of `fra` whom it took in.

use std::path::Path;
use std::time::{Duration, Instant};

use isobar_admin::view::Report;
use tokio::sync::watch::{Sender, channel};
use tokio::task::JoinSet;

use super::events::Reader;
use super::table::{Census, Standings};
use super::verdict::{self, Seen};
use super::{FRA, NAMES, NYC, SIN, SITES, Sites};
use crate::demo::act::Act;
use crate::demo::failure::Failure;
use crate::demo::fleet::{self, Fleet};
use crate::demo::ledger::{Ledger, Party, percentile};
use crate::demo::names::NAME;
use crate::demo::node;
use crate::demo::screen::Screen;
use crate::demo::verdict::noticed;

mod watch;

/// For all clients to arrive, or to come back.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(20);
/// For the last newcomer's CONNACK, and for it to hear which broker serves it.
const ANSWER_PATIENCE: Duration = Duration::from_secs(12);
/// For nodes to find each other, at first and after a fault.
const MEET_PATIENCE: Duration = Duration::from_secs(20);
/// For nodes to notice a fault.
const NOTICE_PATIENCE: Duration = Duration::from_secs(10);
/// For the name to follow, in all regions: the nodes' news, and what resolvers keep.
const NAME_PATIENCE: Duration = Duration::from_secs(15);
const LETTER_PATIENCE: Duration = Duration::from_secs(5);
/// For newcomers that come together.
const AT_ONCE: Duration = Duration::from_secs(1);
/// For everybody to have written.
const CALM_LEAST: Duration = Duration::from_secs(2);
const NEWCOMERS_LEAST: usize = 6;

/// Everything that takes part, but for the processes.
pub(in crate::demo) struct Play<'a> {
    sites: &'a mut Sites,
    dir: &'a Path,
    screen: &'a mut Screen,
    fleet: Fleet,
    writing: Sender<bool>,
    length: Duration,
    readers: [Reader; SITES],
    standings: Standings,
    /// What the name was last seen to be answered with, by region.
    told: Vec<Vec<usize>>,
    reports: [Option<Report>; SITES],
    act: Act,
    /// The round trip to `nyc` that `fra` measures in the full act, by looks.
    nyc_rtts: Vec<Duration>,
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
        let (writing, may_write) = channel(false);
        let fleet = Fleet {
            names: sites.names.clone(),
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
            told: vec![Vec::new(); SITES],
            reports: Default::default(),
            act: Act::Arrival,
            nyc_rtts: Vec::new(),
            seen,
        }
    }

    /// Plays it all; true if what was promised held.
    pub(in crate::demo) async fn perform(mut self) -> Result<bool, Failure> {
        self.until(MEET_PATIENCE, Play::all_well).await;
        if !self.all_well() {
            return Err(Failure::Other("the sites did not find each other".to_owned()));
        }
        let watch = self.fleet.names.watch();
        self.until(NAME_PATIENCE, Play::all_led_home).await;
        if !self.all_led_home() {
            return Err(Failure::Other(format!("{NAME} does not lead to the nearest site")));
        }
        let clients = self.fleet.size;
        self.screen.tell(&format!(
            "{clients} clients ask for {NAME} and connect, {} near each site, half by MQTT 3.1.1, \
             half by 5.0",
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
        self.until(ANSWER_PATIENCE, |play| play.at_home() == play.fleet.size).await;
        self.seen.home_in_calm = self.at_home();
        self.cut().await;
        self.full().await;
        self.killed().await?;
        self.home().await?;
        self.lost().await?;
        self.after().await;

        drop(watch);
        self.seen.given = self.fleet.names.given();
        self.look().await;
        self.seen.served = self.served();
        self.seen.none_down = self.none_down();
        self.seen.all_well = self.all_well();
        drop(fleet);
        let (text, held) = verdict::judge(&self.fleet, &self.seen);
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
        let free = self.sites.room.saturating_sub(self.census().at_home(FRA));
        let beyond = self.seen.newcomers;
        self.seen.free = free;
        self.screen.tell(&format!(
            "fra fills: it has {free} places left, and {} newcomers come who live near it",
            free + beyond
        ));
        let over = self.share(8);
        let first = self.party(FRA, false);
        let newcomers = fleet::newcomers(&self.fleet, first, free + beyond, over);
        self.all_told(Act::Full, free + beyond).await;
        self.seen.nyc_rtt = percentile(&self.nyc_rtts, 50);
        let (late, _) = self.late(FRA, free + beyond).await;
        self.pause(4).await;
        self.tell_visits(Act::Full);
        drop((newcomers, late));
        self.screen.tell("the newcomers leave");
        self.until(NAME_PATIENCE, |play| play.fleet.names.lead_to(FRA, FRA)).await;
        self.close_act();
    }

    async fn killed(&mut self) -> Result<(), Failure> {
        self.until(NAME_PATIENCE, |play| play.fleet.names.are_fresh(FRA)).await;
        self.begin(Act::Killed);
        self.seen.on_killed = self.clients_on(FRA);
        self.screen.tell(&format!(
            "both brokers of fra are killed (SIGKILL), {} clients were on them; {} newcomers come",
            self.seen.on_killed, self.seen.newcomers
        ));
        let moment = Instant::now();
        self.sites.list[FRA].kill_brokers().await?;
        let (first, count) = (self.party(FRA, false), self.seen.newcomers);
        let newcomers = fleet::newcomers(&self.fleet, first, count, AT_ONCE);
        self.all_told(Act::Killed, count).await;
        self.until(ARRIVAL_PATIENCE, Play::all_served).await;
        let (late, is_passed_over) = self.late(FRA, count).await;
        self.seen.killed_named = is_passed_over.then(|| self.fleet.names.named_after(FRA, moment));
        let all = self.seen.on_killed + 2 * count;
        self.until(ANSWER_PATIENCE, |play| {
            let census = play.census();
            census.sent_by(FRA) + census.led_from(FRA) >= all
        })
        .await;
        self.pause(4).await;
        self.seen.carried_after_kill = self.census().sent_by(FRA);
        self.seen.led_after_kill = self.census().led_from(FRA);
        self.tell_visits(Act::Killed);
        drop((newcomers, late));
        self.close_act();
        Ok(())
    }

    async fn home(&mut self) -> Result<(), Failure> {
        self.begin(Act::Home);
        let Sites { kind, list, .. } = &mut *self.sites;
        list[FRA].start_brokers(kind, self.dir).await?;
        self.screen
            .tell("the brokers of fra are back; who is elsewhere stays until the session ends");
        self.until(NOTICE_PATIENCE, Play::none_down).await;
        // Past its slow start.
        self.pause(3).await;
        self.until(NAME_PATIENCE, |play| play.fleet.names.lead_to(FRA, FRA)).await;
        let count = self.seen.newcomers;
        self.screen.tell(&format!("{count} newcomers come who live near fra"));
        let newcomers = fleet::newcomers(&self.fleet, self.party(FRA, false), count, AT_ONCE);
        self.all_told(Act::Home, count).await;
        self.pause(4).await;
        self.tell_visits(Act::Home);
        drop(newcomers);
        self.close_act();
        Ok(())
    }

    async fn lost(&mut self) -> Result<(), Failure> {
        self.until(NAME_PATIENCE, |play| play.fleet.names.are_fresh(NYC)).await;
        self.begin(Act::Lost);
        let (own, taken) = self.clients_of(NYC);
        self.seen.on_lost = own + taken;
        self.screen.tell(&format!(
            "all of nyc is killed (SIGKILL of node and brokers): {own} clients were connected \
             there, {taken} carried there"
        ));
        let moment = Instant::now();
        self.sites.list[NYC].kill().await?;
        self.reports[NYC] = None;
        self.until(ARRIVAL_PATIENCE, Play::all_served).await;
        let dead = |play: &Play<'a>| {
            [FRA, SIN].iter().all(|by| play.standings[*by][NYC].as_deref() == Some("dead"))
        };
        self.until(NOTICE_PATIENCE, dead).await;
        self.seen.called_dead = dead(self);
        let (late, is_passed_over) = self.late(NYC, 0).await;
        self.seen.lost_named = is_passed_over.then(|| self.fleet.names.named_after(NYC, moment));
        self.pause(8).await;
        self.tell_visits(Act::Lost);
        drop(late);
        self.close_act();
        let Sites { kind, list, .. } = &mut *self.sites;
        list[NYC].start_brokers(kind, self.dir).await?;
        self.standings[NYC] = Default::default();
        self.readers[NYC] = Reader::at_end(&self.dir.join("nyc-1.log"));
        list[NYC].start_node(self.dir).await?;
        self.screen.tell("nyc is back, node and brokers");
        self.until(MEET_PATIENCE, |play| play.all_well() && play.none_down()).await;
        self.until(NAME_PATIENCE, |play| play.fleet.names.lead_to(NYC, NYC)).await;
        Ok(())
    }

    async fn after(&mut self) {
        self.begin(Act::After);
        let count = self.seen.newcomers;
        self.screen.tell(&format!("calm again; {count} newcomers come who live near nyc"));
        let newcomers = fleet::newcomers(&self.fleet, self.party(NYC, false), count, AT_ONCE);
        self.all_told(Act::After, count).await;
        self.pause(8).await;
        self.tell_visits(Act::After);
        self.until(ARRIVAL_PATIENCE, Play::all_served).await;
        self.writing.send_replace(false);
        self.until(LETTER_PATIENCE, |play| play.fleet.ledger.delivered(Act::After)).await;
        self.close_act();
        drop(newcomers);
    }

    /// Newcomers who live near a site, once the name leads nobody there any more, beside those who
    /// came before; and whether it came to that.
    async fn late(&mut self, site: usize, before: usize) -> (JoinSet<()>, bool) {
        self.until(NAME_PATIENCE, |play| play.fleet.names.pass_over(site)).await;
        let is_passed_over = self.fleet.names.pass_over(site);
        let (count, near) = (self.seen.newcomers, NAMES[site]);
        self.screen.tell(&format!(
            "the name leads nobody to {near} any more; {count} newcomers come who live near it"
        ));
        let newcomers = fleet::newcomers(&self.fleet, self.party(site, true), count, AT_ONCE);
        self.all_told(self.act, before + count).await;
        (newcomers, is_passed_over)
    }

    fn party(&self, region: usize, late: bool) -> Party {
        Party { act: self.act, region, late }
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

    fn census(&self) -> Census {
        Census::count(self.fleet.ledger.stays())
    }

    /// Clients of the fleet that this site's brokers serve.
    fn clients_on(&self, site: usize) -> usize {
        let census = self.census();
        (0..SITES).map(|door| census.counted(door, site)).sum()
    }

    /// Those connected to this site, and those who are only carried there.
    fn clients_of(&self, site: usize) -> (usize, usize) {
        let census = self.census();
        let own = census.counted(site, site);
        (own + census.sent_by(site), self.clients_on(site) - own)
    }

    /// Clients that were led to the nearest site, and are served there.
    fn at_home(&self) -> usize {
        let census = self.census();
        (0..SITES).map(|site| census.at_home(site)).sum()
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

    /// Everybody is led to the nearest site.
    fn all_led_home(&self) -> bool {
        (0..SITES).all(|site| self.fleet.names.lead_to(site, site))
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
}
