//! The bench itself, on a load so small that its figures mean nothing. Needs Debian's
//! `haproxy`; without it these tests fail, for a bench without a rival is none.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_isobar-bench");

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn a_quick_run_gives_every_figure() {
    for (measure, figures) in [("connect", 1), ("echo", 4), ("bulk", 1), ("idle", 2)] {
        let json = scratch(&format!("smoke-{measure}.json"));
        let output = Command::new(BENCH)
            .args([measure, "--quick", "--rival-only", "--json"])
            .arg(&json)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{measure}: {said}");
        let found: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
        let rows = found["rows"].as_array().unwrap();
        assert_eq!(rows.len(), figures, "{measure}: {found}");
        for row in rows {
            assert!(row["ours"]["median"].as_f64().unwrap() > 0.0, "{measure}: {row}");
        }
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(table.contains("haproxy again"), "{table}");
        assert!(!table.contains(" failed in round"), "{table}");
    }
}

#[test]
fn a_program_that_does_not_run_is_an_error_that_says_so() {
    let output = Command::new(BENCH)
        .args(["connect", "--quick", "--isobar", "/bin/false"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("isobar mqtt") && said.contains("it ended: exit status: 1"), "{said}");
}

/// Killed in the middle, the bench leaves neither its own children nor a proxy behind.
#[test]
fn nothing_outlives_the_bench() {
    let mut bench = Command::new(BENCH)
        .args(["idle", "--rival-only", "--rounds", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let directory = std::env::temp_dir().join(format!("isobar-bench-{}", bench.id()));
    let config = directory.join("1-proxy0.conf");
    let marker = config.to_str().unwrap().to_owned();
    wait_until("the proxy runs", || running(&marker) >= 2);
    bench.kill().unwrap();
    bench.wait().unwrap();
    wait_until("the proxy and its keeper are gone", || running(&marker) == 0);
    wait_until("the directory is gone", || !directory.exists());
}

#[test]
fn a_broker_ends_with_its_standard_input() {
    let mut broker = Command::new(BENCH)
        .args(["broker", "127.0.1.77:0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(broker.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    drop(broker.stdin.take());
    wait_until("the broker has ended", || broker.try_wait().unwrap().is_some());
}

/// How many processes have `marker` in their command line.
fn running(marker: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    processes
        .filter(|process| {
            fs::read(process.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
        })
        .count()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
