//! The run and the judge, on a stage that is a script of scenes: here alone a world that does what it
//! is told is the right one.

mod judging;
mod naive;
mod outcomes;
pub(crate) mod script;
mod simulated;
mod strikes;
mod words;
mod writing;
