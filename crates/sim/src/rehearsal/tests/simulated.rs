//! The simulated world as the stage: one record, whatever the threads.

use super::script::drill;
use crate::engine::stage::Simulated;
use crate::rehearsal::rehearse;
use crate::report::json;

#[test]
fn a_seed_makes_one_record() {
    let drill = drill("40s")
        .loses("lost", "10s", "site:fra", "10s")
        .recovers("all.served_ratio >= 0.5", "10s", "", "")
        .totals("mesh.false_dead == 0");
    let run = |seed, threads| {
        let mut stage = Simulated::new(&drill, seed, threads);
        let Ok(record) = rehearse(&drill, seed, false, &mut stage, |_| ());
        record
    };
    let one = run(1, 1);
    assert!(one.hash != 0 && one.events > 0 && one.faults[0].took_effect);
    assert_eq!(json::write(&[run(1, 2)]), json::write(std::slice::from_ref(&one)));
    assert_ne!(run(2, 1).hash, one.hash);
}
