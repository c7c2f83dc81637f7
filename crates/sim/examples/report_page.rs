//! A page of made-up records, to look at it.
//!
//! `cargo run -p isobar-sim --example report_page -- FILE [small|large|one|many]`

#[path = "../tests/page/sample.rs"]
mod sample;

use std::process::ExitCode;

use isobar_sim::rehearsal::record::Record;
use isobar_sim::report::page::page;
use sample::Loss;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(path) = words.next() else {
        eprintln!("usage: page FILE [small|large|one|many]");
        return ExitCode::from(2);
    };
    let records: Vec<Record> = match words.next().as_deref() {
        Some("large") => (1..=20).map(|seed| Loss::large().run(seed)).collect(),
        Some("one") => vec![Loss::small().run(2)],
        Some("many") => (1..=5)
            .flat_map(|seed| {
                [Loss::small().run(seed), sample::negative(seed), sample::inconclusive(seed)]
            })
            .collect(),
        _ => (1..=20).map(|seed| Loss::small().run(seed)).collect(),
    };
    match std::fs::write(&path, page(&records)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
