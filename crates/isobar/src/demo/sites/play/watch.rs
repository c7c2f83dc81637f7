//! What is watched while the script plays: nodes, and what the name is answered with.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use isobar_admin::view::Report;
use tokio::time::sleep;

use super::Play;
use crate::demo::act::Act;
use crate::demo::node;
use crate::demo::screen;
use crate::demo::sites::events::Stands;
use crate::demo::sites::table::{self, Shown};
use crate::demo::sites::{FRA, NAMES, NYC};

const LOOK_EVERY: Duration = Duration::from_millis(250);

impl<'a> Play<'a> {
    /// Watches until it is so, or patience ends: the verdict says which.
    pub(super) async fn until(&mut self, patience: Duration, is_so: impl Fn(&Play<'a>) -> bool) {
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
    pub(super) async fn look(&mut self) {
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
                if site == FRA && self.act == Act::Full {
                    self.nyc_rtts.extend(rtt(&report, NAMES[NYC]));
                }
                self.reports[site] = Some(report);
            }
        }
        self.hear_names();
        let shown = Shown {
            reports: &self.reports,
            standings: &self.standings,
            told: &self.told,
            ledger: &self.fleet.ledger,
            clients: self.fleet.size,
        };
        self.screen.show(|| shown.table(), || shown.line());
    }

    fn hear_names(&mut self) {
        for (region, name) in NAMES.iter().enumerate() {
            let told = self.fleet.names.told(region);
            if self.told[region] != told {
                let said = table::said(&told);
                self.screen.tell(&format!("        the name leads those near {name} to {said}"));
                self.told[region] = told;
            }
        }
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
        let before = self.reports[site].as_ref();
        let answered_before = before.map_or(0, node::answered);
        self.seen.answered += node::answered(new).saturating_sub(answered_before);
        let Some(old) = before else { return };
        self.seen.stale[self.act as usize] +=
            node::stale_arrivals(new).saturating_sub(node::stale_arrivals(old));
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

/// What that node measures as the round trip to a site.
fn rtt(report: &Report, site: &str) -> Option<Duration> {
    let mut sites = report.mesh.iter().flat_map(|mesh| &mesh.sites);
    let seconds = sites.find(|of| of.name == site)?.rtt_seconds?;
    Duration::try_from_secs_f64(seconds).ok()
}
