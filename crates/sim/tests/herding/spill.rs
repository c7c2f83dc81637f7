//! The weighted choice among sites, before the same board.

use std::time::Duration;

use isobar_core::id::{FlowId, PeerId, ServiceId, SiteId};
use isobar_core::outlook::{Candidate, Door, Heard, Standing};
use isobar_core::policy::{Balance, Rules};
use isobar_core::pool::Pool;
use isobar_core::spill::{Abroad, AskAbroad, Crossing};
use isobar_core::time::Time;

use super::choosers::pool;
use super::farm::{Chooser, Estimate, SERVERS};
use super::{Case, case, measure};

const SERVICE: ServiceId = ServiceId(0);
/// Places at each site.
const PLACES: u32 = 20;

/// One of so many senders that its own flows do not matter: each is given back at once.
struct Sender {
    pool: Pool,
}

impl Sender {
    fn new(weighted_choice: bool, seed: u64) -> Sender {
        let mut pool = pool(Balance::LeastConn, seed);
        pool.set_rules(Rules { weighted_choice, ..Rules::default() });
        Sender { pool }
    }
}

impl Chooser for Sender {
    fn read(&mut self, now: Time, board: &[u32]) {
        let candidate = |(site, &count): (usize, &u32)| Candidate {
            site: SiteId(site as u16 + 1),
            standing: Standing::Reachable,
            rtt: Duration::from_millis(80),
            // A site that is over its places has none to offer; somebody must take the job.
            headroom: PLACES.saturating_sub(count).max(1),
            heard: Heard::at(now),
            admit_per_second: 1_000_000,
            doors: vec![Door { peer: PeerId(site as u16 + 1), warm: true }],
        };
        let candidates: Vec<Candidate> = board.iter().enumerate().map(candidate).collect();
        self.pool.handle_candidates(now, SERVICE, &candidates);
    }

    fn choose(&mut self, now: Time, job: u64) -> usize {
        let ask = AskAbroad {
            session: None,
            rather: None,
            waited: false,
            patience: now,
            from_budget: false,
            turned_away: false,
        };
        let found = self.pool.place_abroad(now, SERVICE, FlowId(job), &ask, &[]);
        let Abroad::Site(mut passage) = found else {
            panic!("a hundred sites have room: {found:?}")
        };
        let site = passage.course().site.index() - 1;
        self.pool.settle_abroad(now, &mut passage, Crossing::Abandoned);
        self.pool.release_abroad(now, passage);
        while self.pool.poll_output().is_some() {}
        assert!(site < SERVERS);
        site
    }
}

fn cases() -> Vec<Case> {
    // No other program measured these: what is expected is random's, which weights must better.
    if super::long() {
        [0, 1, 5, 10, 50].map(|age| case(age, 9.95, 1_000, 300)).into()
    } else {
        [1, 10].map(|age| case(age, 9.95, 60, 60)).into()
    }
}

/// By weight, the age of news hardly matters: there is no best one to run to.
#[test]
fn a_weighted_choice_of_sites_does_not_herd() {
    let found = measure("sites by weight", &cases(), |seed| Box::new(Sender::new(true, seed)));
    let most = |found: &[Estimate]| found.iter().map(|f| f.mean).fold(0.0, f64::max);
    assert!(most(&found) < 9.95, "better than no news at all, however old");
    let best =
        measure("the apparent best site", &cases(), |seed| Box::new(Sender::new(false, seed)));
    assert!(most(&best) > 2.0 * most(&found), "and the apparent best is far worse");
}
