//! What the network between sites does: as the drill says, and what befalls each link on top.
//!
//! Several faults may lie on one way at once; the way is what all of them make of it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use isobar_sim::drill::{Deed, Link, SiteNo, Topology};

use crate::demo::wan::{Path, Wan};

/// From site to site.
type Way = (SiteNo, SiteNo);

/// What lies on which ways, by the number of its strike.
#[derive(Debug, Default)]
pub(super) struct Links {
    laid: Mutex<BTreeMap<usize, Laid>>,
    changed: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Laid {
    deed: Deed,
    ways: Vec<Way>,
    /// Of a link that flaps: it is in its bad half.
    is_down: bool,
}

/// Makes every way what the drill says.
pub(super) fn lay(topology: &Topology, wan: &Wan) {
    for from in topology.site_numbers() {
        for to in topology.site_numbers() {
            let names = (&topology.at(from).name, &topology.at(to).name);
            wan.set(names.0, names.1, plain(topology, (from, to)));
        }
    }
}

fn plain(topology: &Topology, (from, to): Way) -> Path {
    let path = Path::of_rtt(topology.rtt(from, to));
    if from == to {
        return path;
    }
    let wan = &topology.wan;
    let jitter = path.delay.as_micros() as u64 * u64::from(wan.jitter_ppm) / 1_000_000;
    let path = Path { jitter: Duration::from_micros(jitter), ..path };
    match wan.bursts {
        None => path.losing(percent(wan.loss_ppm), Duration::ZERO),
        Some(bursts) => Path {
            also_lost_percent: percent(wan.loss_ppm),
            ..path.losing(percent(bursts.share_ppm), bursts.length)
        },
    }
}

fn percent(ppm: u32) -> f64 {
    f64::from(ppm) / 10_000.0
}

/// Lost by one cause or by the other, in percent.
fn either(a: f64, b: f64) -> f64 {
    a + b - a * b / 100.0
}

fn befallen(path: Path, laid: &Laid) -> Path {
    match laid.deed {
        Deed::LinkCut => Path { is_cut: true, ..path },
        Deed::LinkFlap(_) => Path { is_cut: path.is_cut || laid.is_down, ..path },
        Deed::LinkDelay(more) => Path { delay: path.delay + more, ..path },
        Deed::LinkLoss(ppm, None) => {
            let also_lost_percent = either(path.also_lost_percent, percent(ppm));
            Path { also_lost_percent, ..path }
        }
        Deed::LinkLoss(ppm, Some(burst)) => {
            // What was lost one by one is lost so on top.
            let also_lost_percent = either(path.also_lost_percent, path.loss_percent);
            Path { also_lost_percent, ..path.losing(percent(ppm), burst) }
        }
        _ => path,
    }
}

impl Links {
    /// Something befalls links. Whether it makes any of them worse: one that is cut cannot be.
    pub(super) fn strike(
        &self,
        number: usize,
        deed: Deed,
        links: &[Link],
        topology: &Topology,
        wan: &Wan,
    ) -> bool {
        let ways: Vec<Way> = links
            .iter()
            .flat_map(|link| {
                let back = link.both.then_some((link.to, link.from));
                [(link.from, link.to)].into_iter().chain(back)
            })
            .collect();
        let was_whole = ways.iter().any(|way| !self.is_cut(*way));
        // A link that flaps begins with its bad half.
        let laid = Laid { deed, ways, is_down: true };
        self.change(|all| all.insert(number, laid), topology, wan);
        was_whole
    }

    /// It is over.
    pub(super) fn lift(&self, number: usize, topology: &Topology, wan: &Wan) {
        self.change(|all| all.remove(&number), topology, wan);
    }

    /// A link that flaps is in its other half now. Whether it still lies there.
    pub(super) fn flip(&self, number: usize, topology: &Topology, wan: &Wan) -> bool {
        let mut lies = false;
        self.change(
            |all| {
                if let Some(laid) = all.get_mut(&number) {
                    (laid.is_down, lies) = (!laid.is_down, true);
                }
                None
            },
            topology,
            wan,
        );
        lies
    }

    /// Whether nothing of the one site arrives at the other.
    pub(super) fn is_cut(&self, way: Way) -> bool {
        let all = self.laid.lock().expect("nobody panics while holding it");
        all.values().any(|laid| laid.ways.contains(&way) && befallen(Path::default(), laid).is_cut)
    }

    /// When any way was last made better or worse.
    pub(super) fn changed(&self) -> Option<Instant> {
        *self.changed.lock().expect("nobody panics while holding it")
    }

    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<usize, Laid>) -> Option<Laid>,
        topology: &Topology,
        wan: &Wan,
    ) {
        let mut all = self.laid.lock().expect("nobody panics while holding it");
        let mut ways: Vec<Way> = all.values().flat_map(|laid| laid.ways.clone()).collect();
        change(&mut all);
        ways.extend(all.values().flat_map(|laid| laid.ways.iter().copied()));
        ways.sort_unstable();
        ways.dedup();
        for way in ways {
            let on_it = all.values().filter(|laid| laid.ways.contains(&way));
            let path = on_it.fold(plain(topology, way), befallen);
            wan.set(&topology.at(way.0).name, &topology.at(way.1).name, path);
        }
        *self.changed.lock().expect("nobody panics while holding it") = Some(Instant::now());
    }
}
