//! Options that several commands for drills have in common.

use std::num::{NonZeroU32, NonZeroUsize};

use isobar_sim::drill::{Drill, Seeds};

use super::bounds::SEEDS_MAX;

/// A drill that is larger than this has the machine for itself: several of them at once would want
/// more memory than most machines have.
const LARGE: u64 = 1_000_000;
/// One that is no larger than this is done sooner by one thread, unless the machine is idle.
const SMALL: u64 = 100_000;

/// Which seeds.
#[derive(Clone, Debug, clap::Args)]
pub struct SeedArgs {
    /// Run with this seed only.
    #[arg(long, value_name = "N", conflicts_with = "seeds", value_parser = read_seed)]
    pub seed: Option<u64>,

    /// Run with each of these seeds, as in 1..20, instead of those that the drill names.
    #[arg(long, value_name = "A..B", value_parser = read_seeds)]
    pub seeds: Option<Seeds>,
}

/// How much of the machine.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ThreadArgs {
    /// How many threads to use; without it, as many as the machine has cores.
    ///
    /// Several runs share them, one thread each. A run alone has them all, where it is large or the
    /// number is given: in a small world threads wait for each other more than they do. Results are
    /// the same.
    #[arg(long, value_name = "N", value_parser = read_threads)]
    pub threads: Option<NonZeroUsize>,
}

impl SeedArgs {
    /// Those asked for, or those of the drill.
    pub(super) fn of(&self, drill: &Drill) -> Seeds {
        let one = self.seed.map(|seed| Seeds { first: seed, last: seed });
        one.or(self.seeds).unwrap_or(drill.seeds)
    }

    /// Whether any were asked for.
    pub(super) fn are_given(&self) -> bool {
        self.seed.is_some() || self.seeds.is_some()
    }
}

impl ThreadArgs {
    /// Those asked for, or one a core.
    pub(super) fn count(self) -> usize {
        let cores = std::thread::available_parallelism().ok();
        self.threads.or(cores).map_or(2, NonZeroUsize::get)
    }
}

/// Runs at once, and threads of each.
pub(super) fn share(threads: ThreadArgs, runs: usize, drills: &[&Drill]) -> (usize, usize) {
    let most = drills.iter().map(|drill| drill.topology.clients()).max().unwrap_or(0);
    match threads.count() {
        threads if most > LARGE => (1, threads),
        count if runs > 1 => (count.min(runs), 1),
        _ if threads.threads.is_none() && most <= SMALL => (1, 1),
        count => (1, count),
    }
}

/// Reads one seed.
pub(super) fn read_seed(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| format!("a seed is a whole number, 0 to {}", u64::MAX))
}

/// Reads `1..20`, or `7` for one.
fn read_seeds(text: &str) -> Result<Seeds, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Err("the first is above the last".to_owned()),
        (Ok(first), Ok(last)) if last - first >= SEEDS_MAX => {
            Err(format!("at most {SEEDS_MAX} seeds"))
        }
        (Ok(first), Ok(last)) => Ok(Seeds { first, last }),
        _ => Err("write 1..20, or 7 for one".to_owned()),
    }
}

fn read_threads(text: &str) -> Result<NonZeroUsize, String> {
    const MOST: usize = 256;
    let threads: Option<NonZeroUsize> = text.parse().ok();
    threads.filter(|threads| threads.get() <= MOST).ok_or(format!("1 to {MOST}"))
}

/// Reads a number that is not zero, and not endless.
pub(super) fn read_count(text: &str) -> Result<NonZeroU32, String> {
    const MOST: u32 = 100_000_000;
    let count: Option<NonZeroU32> = text.replace('_', "").parse().ok();
    count.filter(|count| count.get() <= MOST).ok_or(format!("1 to {MOST}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_one_or_a_range() {
        assert_eq!(read_seeds("1..20"), Ok(Seeds { first: 1, last: 20 }));
        assert_eq!(read_seeds("7"), Ok(Seeds { first: 7, last: 7 }));
        for wrong in ["", "..", "1..", "5..1", "a..b", "-1..2", "0..10000", "1...3"] {
            assert!(read_seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn large_worlds_are_run_one_after_the_other() {
        let mut drill = isobar_sim::explore::draw(1);
        let four = ThreadArgs { threads: NonZeroUsize::new(4) };
        assert_eq!(share(four, 1, &[&drill]), (1, 4));
        assert_eq!(share(four, 3, &[&drill]), (3, 1));
        assert_eq!(share(four, 20, &[&drill]), (4, 1));
        let cores = ThreadArgs { threads: None };
        assert_eq!(share(cores, 1, &[&drill]), (1, 1));
        drill.topology.sites[0].clients = 500_000;
        assert_eq!(share(cores, 1, &[&drill]), (1, cores.count()));
        drill.topology.sites[0].clients = 2_000_000;
        assert_eq!(share(four, 20, &[&drill]), (1, 4));
    }
}
