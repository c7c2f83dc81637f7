//! The drills of `simulations/` run, each with a few of its seeds; those that must fail do, each for
//! its stated reason; and a run is the same whenever and on however many threads it is made.

use std::path::{Path, PathBuf};
use std::process::Command;

use isobar_sim::rehearsal::record::{Outcome, Record};
use isobar_sim::report::json;

use crate::shipped::root;

/// Runs drills of `simulations/`, and reads what came of them.
fn run(files: &[&str], options: &[&str]) -> Vec<Record> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("records.json");
    let files: Vec<PathBuf> =
        files.iter().map(|file| root().join("simulations").join(file)).collect();
    let files: Vec<&Path> =
        files.iter().map(PathBuf::as_path).filter(|file| file.exists()).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_isobar"));
    command.args(["drill", "run", "--quiet"]).args(files).args(options).arg("--json").arg(&out);
    let output = command.output().unwrap();
    let text = std::fs::read_to_string(&out)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    json::read(&text).unwrap()
}

/// Two seeds each; `isobar drill run simulations simulations/negative` has all twenty.
#[test]
fn every_drill_passes_and_every_negative_one_fails_for_its_reason() {
    let records = run(&[".", "negative"], &["--seeds", "1..2", "--threads", "2"]);
    assert!(records.len() >= 60, "{} runs", records.len());
    assert_all_passed(&records);
}

/// The rule is what makes the difference: with it, the same drills pass.
#[test]
fn negative_drills_pass_with_their_rule_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut controls = 0;
    for entry in std::fs::read_dir(root().join("simulations/negative")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let keeps = |line: &&str| !line.starts_with("without") && !line.starts_with("must_fail");
        if text.lines().any(|line| line.starts_with("without")) {
            let text: String = text.lines().filter(keeps).map(|line| format!("{line}\n")).collect();
            std::fs::write(folder.path().join(path.file_name().unwrap()), text).unwrap();
            controls += 1;
        }
    }
    assert_eq!(controls, 9, "all but the one whose node lies");
    let records = run(&[folder.path().to_str().unwrap()], &["--seeds", "1..2", "--threads", "2"]);
    assert_eq!(records.len(), 2 * controls);
    assert_all_passed(&records);
}

/// What exploration has found is mended, and stays so: each with the seed that showed it.
#[test]
fn what_was_found_stays_mended() {
    let records = run(&["regress"], &["--threads", "2"]);
    assert!(!records.is_empty());
    assert_all_passed(&records);
}

fn assert_all_passed(records: &[Record]) {
    let bad = records.iter().filter(|record| record.outcome != Outcome::Passed);
    let bad: Vec<String> = bad
        .map(|record| {
            format!("{} {}: {:?} {:?}", record.drill, record.seed, record.outcome, record.why)
        })
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// The whole record is compared, not its hash alone.
#[test]
fn one_record_whatever_the_threads_and_twice() {
    for file in ["site-loss-silent.toml", "rolling-drain.toml", "link-flap.toml"] {
        let seed = ["--seed", "7", "--threads"];
        let one = run(&[file], &[&seed[..], &["1"]].concat());
        assert!(one[0].hash != 0 && one[0].events > 10_000, "{file}");
        for threads in ["1", "2"] {
            assert!(run(&[file], &[&seed[..], &[threads]].concat()) == one, "{file}, {threads}");
        }
    }
}

/// What these drills came to when they were last looked at: the same in debug and release, on any
/// machine. A change of core or of the simulator changes them, and says so.
#[test]
fn hashes_are_what_they_were() {
    let path = root().join("tests/drill/hashes.txt");
    let records =
        run(&["site-loss-rst.toml", "node-loss.toml", "surge.toml"], &["--seeds", "1..2"]);
    let line = |record: &Record| format!("{} {} {:016x}\n", record.drill, record.seed, record.hash);
    let fresh: String = records.iter().map(line).collect();
    if std::env::var_os("ISOBAR_BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == fresh,
        "if that was meant, run: ISOBAR_BLESS=1 cargo test -p isobar --test drill\n{fresh}"
    );
}
