//! Drills that nobody wrote: scenarios drawn from seeds, failures made small, and the load at which
//! a drill begins to fail.
//!
//! Nothing here runs a drill. Whoever asks brings a function that does, and says whether it failed;
//! so everything here is a pure function of a seed or a drill, and can be tested without a world.

mod blame;
mod capacity;
mod dice;
mod draw;
mod edit;
mod shrink;
mod sound;
mod story;

pub use self::blame::{Blame, blames};
pub use self::capacity::{Capacity, Gone, Held, Load, capacity};
pub use self::draw::{draw, expect_anew, is_bound, suffices};
pub use self::shrink::{Shrunk, shrink};
pub use self::sound::is_sound;
pub use self::story::{regress, regress_name};
