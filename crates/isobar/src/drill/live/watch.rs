//! What nodes say of themselves, asked for as an operator's tools do: `/v1/report` and
//! `/v1/events`.
//!
//! A thread a node asks again and again while the node runs. What a node counts begins anew with
//! its process; sums go on here. Events have the time at which they happened, so that nothing is
//! lost by asking seldom.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use isobar_admin::view::mesh::Standing;
use isobar_admin::view::{EventKind, Events, Report};
use isobar_sim::drill::{NodeAt, SiteNo};

use super::cast::{Cast, Life, note_departure};
use crate::status;

/// What a node has said last is as old as that.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// A report older than that says nothing of now.
const FRESH: Duration = Duration::from_secs(2);
/// Changes that wait to be taken; a node keeps fewer itself.
const CHANGES_MAX: usize = 4_096;

/// What was seen, for whoever asks.
#[derive(Clone)]
pub(super) struct Watch(Arc<Shared>);

struct Shared {
    cast: Arc<Cast>,
    seen: Vec<Vec<Mutex<Seen>>>,
    stop: AtomicBool,
}

/// The threads that ask; dropped, they end.
pub(super) struct Watchers {
    watch: Watch,
    threads: Vec<JoinHandle<()>>,
}

/// What is known of a node.
#[derive(Debug, Default)]
struct Seen {
    report: Option<(Instant, Arc<Report>)>,
    /// Of processes that are gone.
    before: Totals,
    pid: u32,
    serial: Option<u64>,
    changes: Vec<Change>,
}

/// A site became something in a node's eyes.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Change {
    pub(super) by: NodeAt,
    /// Unix time, in seconds.
    pub(super) at: f64,
    pub(super) site: String,
    /// `reachable`, `avoided`, `suspect`, `dead` or `draining`.
    pub(super) is: String,
}

/// What only grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Totals {
    pub(super) flows: u64,
    pub(super) retries: u64,
    pub(super) turned_away: u64,
    pub(super) tunnels: u64,
    pub(super) tunnels_refused: u64,
    pub(super) said_bytes: u64,
}

impl Watchers {
    /// Begins to watch every node.
    pub(super) fn start(cast: &Arc<Cast>) -> std::io::Result<Watchers> {
        let seen = cast.nodes.iter();
        let seen = seen.map(|of| of.iter().map(|_| Mutex::default()).collect()).collect();
        let shared = Shared { cast: cast.clone(), seen, stop: AtomicBool::new(false) };
        let watch = Watch(Arc::new(shared));
        let mut watchers = Watchers { watch: watch.clone(), threads: Vec::new() };
        for (site, nodes) in (0..).zip(&cast.nodes) {
            for node in (0..).zip(nodes).map(|(node, _)| node) {
                let (watch, at) = (watch.clone(), NodeAt { site, node });
                let thread = std::thread::Builder::new().name(format!("watch-{site}-{node}"));
                watchers.threads.push(thread.spawn(move || watch.watches(at))?);
            }
        }
        Ok(watchers)
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        self.watch.0.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            // It panicked, if at all, where it was seen.
            let _ = thread.join();
        }
    }
}

impl Watch {
    fn seen(&self, at: NodeAt) -> MutexGuard<'_, Seen> {
        let seen = &self.0.seen[usize::from(at.site)][usize::from(at.node)];
        seen.lock().expect("nobody panics while holding it")
    }

    /// What this node said last, however long ago.
    pub(super) fn report(&self, at: NodeAt) -> Option<Arc<Report>> {
        self.seen(at).report.as_ref().map(|(_, report)| report.clone())
    }

    /// The word of a node of that site which runs; `None` where none does.
    pub(super) fn speaks(&self, site: SiteNo) -> Option<Arc<Report>> {
        let nodes = (0..).zip(&self.0.cast.nodes[usize::from(site)]);
        let mut alive = nodes.filter(|(_, seat)| matches!(seat.life(), Life::Runs | Life::Leaves));
        alive.find_map(|(node, _)| {
            let seen = self.seen(NodeAt { site, node });
            let fresh = seen.report.as_ref().filter(|(at, _)| at.elapsed() < FRESH);
            fresh.map(|(_, report)| report.clone())
        })
    }

    /// What it has counted in all its lives.
    pub(super) fn totals(&self, at: NodeAt) -> Totals {
        let seen = self.seen(at);
        let now = seen.report.as_ref().map(|(_, report)| Totals::of(report));
        seen.before.plus(now.unwrap_or_default())
    }

    /// What has changed in its eyes since this was last asked.
    pub(super) fn changes(&self, at: NodeAt) -> Vec<Change> {
        std::mem::take(&mut self.seen(at).changes)
    }

    fn watches(&self, at: NodeAt) {
        let seat = self.0.cast.node(at);
        let Some(admin) = seat.admin.map(|admin| admin.to_string()) else { return };
        // One connection for all questions: the kernel's table, which is read ten times a second,
        // does not fill with those that are over.
        let agent = status::agent(PATIENCE);
        while !self.0.stop.load(Ordering::Acquire) {
            match seat.life() {
                Life::Runs => self.asks(at, &agent, &admin),
                Life::Leaves => {
                    self.asks(at, &agent, &admin);
                    note_departure(seat);
                }
                Life::Stopped | Life::Gone => {}
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Who does not answer is asked again soon.
    fn asks(&self, at: NodeAt, agent: &ureq::Agent, admin: &str) {
        let Some((report, events)) = ask(agent, admin) else { return };
        let mut seen = self.seen(at);
        seen.takes(report);
        seen.hears(at, events);
    }

    /// The word of a node of that site, asked for now; `None` where none answers in that time.
    pub(super) async fn asks_now(&self, site: SiteNo, patience: Duration) -> Option<Report> {
        let nodes = self.0.cast.nodes[usize::from(site)].iter();
        let mut alive = nodes.filter(|seat| matches!(seat.life(), Life::Runs | Life::Leaves));
        let admin = alive.next()?.admin?.to_string();
        let asks = move || ask(&status::agent(patience), &admin).map(|(report, _)| report);
        tokio::task::spawn_blocking(asks).await.ok()?
    }
}

/// What a node says of itself and of others. Its report is made anew twice a second only; what it
/// holds of a site is in its events at once.
fn ask(agent: &ureq::Agent, admin: &str) -> Option<(Report, Events)> {
    let fetch = |path| status::fetch_by(agent, admin, None, path).ok();
    let mut report: Report = serde_json::from_str(&fetch("/v1/report")?).ok()?;
    let events: Events = serde_json::from_str(&fetch("/v1/events")?).ok()?;
    for event in events.events.iter().filter(|event| event.kind == EventKind::Site) {
        let sites = report.mesh.iter_mut().flat_map(|mesh| &mut mesh.sites);
        for site in sites.filter(|site| site.name == event.name) {
            site.standing = standing(&event.is).or(site.standing);
        }
    }
    Some((report, events))
}

/// As an event says it.
fn standing(is: &str) -> Option<Standing> {
    match is {
        "reachable" => Some(Standing::Reachable),
        "draining" => Some(Standing::Draining),
        "avoided" => Some(Standing::Avoided),
        "suspect" => Some(Standing::Suspect),
        "dead" => Some(Standing::Dead),
        _ => None,
    }
}

impl Seen {
    fn takes(&mut self, report: Report) {
        if self.pid != report.pid {
            if let Some((_, last)) = self.report.take() {
                self.before = self.before.plus(Totals::of(&last));
            }
            (self.pid, self.serial) = (report.pid, None);
        }
        self.report = Some((Instant::now(), Arc::new(report)));
    }

    fn hears(&mut self, by: NodeAt, events: Events) {
        for event in events.events {
            if self.serial.is_some_and(|known| event.serial <= known) {
                continue;
            }
            self.serial = Some(event.serial);
            if event.kind == EventKind::Site && self.changes.len() < CHANGES_MAX {
                let (at, site, is) = (event.at_seconds, event.name, event.is);
                self.changes.push(Change { by, at, site, is });
            }
        }
    }
}

impl Totals {
    fn of(report: &Report) -> Totals {
        let services = || report.services.iter();
        let tunnels = || report.mesh.iter().flat_map(|mesh| &mesh.sites);
        let counted = |counts: Vec<isobar_admin::view::Counted>| {
            counts.iter().map(|counted| counted.count).sum::<u64>()
        };
        let refused = tunnels().map(|site| counted(site.counted(|service| &service.sent.refused)));
        let failed = tunnels().map(|site| counted(site.counted(|service| &service.failed)));
        let taken = tunnels().map(|site| site.sum(|service| service.sent.total));
        let tunnels_refused = refused.sum();
        let rejected = services().flat_map(|service| &service.rejected);
        let listeners = services().flat_map(|service| &service.listeners);
        let own = listeners.filter(|listener| !listener.tunnels);
        Totals {
            flows: own.map(|listener| listener.flows.total).sum(),
            retries: services().map(|service| service.retries).sum(),
            turned_away: rejected.map(|counted| counted.count).sum(),
            tunnels: taken.sum::<u64>() + tunnels_refused + failed.sum::<u64>(),
            tunnels_refused,
            said_bytes: report.mesh.as_ref().map_or(0, |mesh| mesh.counts.said_bytes),
        }
    }

    /// What two processes have counted together.
    pub(super) fn plus(self, more: Totals) -> Totals {
        Totals {
            flows: self.flows + more.flows,
            retries: self.retries + more.retries,
            turned_away: self.turned_away + more.turned_away,
            tunnels: self.tunnels + more.tunnels,
            tunnels_refused: self.tunnels_refused + more.tunnels_refused,
            said_bytes: self.said_bytes + more.said_bytes,
        }
    }

    /// What has come since.
    pub(super) fn since(self, before: Totals) -> Totals {
        Totals {
            flows: self.flows.saturating_sub(before.flows),
            retries: self.retries.saturating_sub(before.retries),
            turned_away: self.turned_away.saturating_sub(before.turned_away),
            tunnels: self.tunnels.saturating_sub(before.tunnels),
            tunnels_refused: self.tunnels_refused.saturating_sub(before.tunnels_refused),
            said_bytes: self.said_bytes.saturating_sub(before.said_bytes),
        }
    }
}
