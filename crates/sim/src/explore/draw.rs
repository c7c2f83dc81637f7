//! A whole scenario from a seed: a world, what happens in it, and what must hold in every such
//! scenario.
//!
//! Swarm testing (Groce et al., ISSTA 2012): each kind of fault is there or not, by a coin of its
//! own, because what one kind shows another may hide. What is drawn heals before the end and is then
//! left alone for as long as its slowest client may need, so that what must hold then can be said.

mod expect;
mod faults;
mod world;

use std::time::Duration;

use super::dice::Dice;
use crate::drill::{Drill, Seeds, times};

pub use self::expect::{is_bound, suffices};

/// Nothing happens before this: everyone is connected by then.
const CALM: Duration = Duration::from_secs(20);

/// The scenario of this seed. It is to be run with the same seed.
pub fn draw(seed: u64) -> Drill {
    let topology = world::topology(seed);
    let clients = world::clients(seed);
    let (service, check, entry) = world::policy(seed);
    let mut dice = Dice::new(seed, "times");
    let mut drill = Drill {
        name: format!("explored-{seed}"),
        hypothesis: String::new(),
        duration: Duration::ZERO,
        seeds: Seeds { first: seed, last: seed },
        topology,
        service,
        check: Some(check),
        slow_start: dice.pick(&[0, 5, 30].map(Duration::from_secs)),
        drain_timeout: dice.seconds(5, 60),
        entry,
        clients,
        faults: Vec::new(),
        expectations: Vec::new(),
        stops: Vec::new(),
        without: None,
        must_fail: Vec::new(),
    };
    drill.faults = faults::faults(seed, &drill, CALM + drill.clients.arrive);
    let drill = expect_anew(drill);
    let hypothesis = format!(
        "Drawn from seed {seed}: whatever breaks, no limit is exceeded, and what fits is served \
         again soon after"
    );
    Drill { hypothesis, ..drill }
}

/// A scenario that was changed, with what must hold in it as it is now, and as long as that takes.
pub fn expect_anew(mut drill: Drill) -> Drill {
    let healed = healed(&drill);
    let wait = expect::settling(&drill);
    drill.duration = healed + wait + Duration::from_secs(20);
    drill.expectations = expect::expectations(&drill, healed, wait);
    drill
}

/// When the last fault has ended. Every fault that is drawn has such a time.
fn healed(drill: &Drill) -> Duration {
    times::last_end(&drill.faults, Some(&drill.topology)).unwrap_or(CALM)
}

#[cfg(test)]
mod tests;
