//! What must be so, told as stories about one site. Each runs in virtual time, with the
//! checkers watching every call; most say what would be seen without Isobar, or without a rule.

use std::time::Duration;

use isobar_core::id::BrokerId;
use isobar_core::policy::CheckKind;
use isobar_core::pool::Notice;
use isobar_core::report::{AdminState, BrokerState};
use isobar_sim::{Fault, Id, Junk, Kind, Leaving, Nature, Site, World};

const A: u16 = 0;
const B: u16 = 1;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn went_down(world: &World, broker: u16) -> usize {
    world.figures().told(|notice| matches!(notice, Notice::Down(b, _) if b.0 == broker))
}

fn found_full(world: &World, broker: u16) -> usize {
    world.figures().told(|notice| matches!(notice, Notice::Full(b, _) if b.0 == broker))
}

/// Everybody goes, and the books close at nothing.
fn close(mut world: World) {
    world.all_leave();
    world.run(secs(60));
    assert_eq!(world.unfinished(), (0, 0));
    world.assert_sound();
}

mod ablation;
mod balance;
mod full;
mod hang;
mod outage;
mod retries;
mod rude;
mod sessions;
mod waiting;
