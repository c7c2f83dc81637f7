//! `isobar drill run`, `replay`, `diff`, `explore` and `capacity` as they are typed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use isobar_sim::drill::spell;
use isobar_sim::explore::draw;
use isobar_sim::report::json;
use tempfile::TempDir;

/// A small world in which nothing happens, with this expectation.
fn drill(expects: &str) -> String {
    format!(
        "[drill]\nhypothesis = \"a small world stays as it is\"\nduration = \"3s\"\nseeds = \"1..2\"\n\
         [mesh]\nsites = 2\nclients_per_site = 20\nbroker = {{ maxconn = 20 }}\n\
         [[expect]]\nname = \"it\"\n{expects}\n"
    )
}

const HOLDS: &str = "total = \"all.served >= 0\"";
const FAILS: &str = "total = \"all.served >= 1_000\"";
/// A fault that waits for what never comes.
const SHOWS_NOTHING: &str = "total = \"all.served >= 0\"\n[[at]]\nafter = \"site:nyc dead\"\n\
                             do = \"broker.hang\"\non = \"broker:fra/1\"\nfor = \"1s\"";

/// A folder with these drills in it.
fn folder(drills: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, expects) in drills {
        fs::write(folder.path().join(name), drill(expects)).unwrap();
    }
    folder
}

fn isobar(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isobar"));
    command.arg("drill").args(args).current_dir(folder).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complained(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn run_exits_with_the_worst_that_came() {
    let all = [("a.toml", HOLDS), ("b.toml", SHOWS_NOTHING), ("c.toml", FAILS)];
    let folder = folder(&all);
    for (files, expected) in [
        (vec!["a.toml"], 0),
        (vec!["a.toml", "b.toml"], 2),
        (vec!["a.toml", "b.toml", "c.toml"], 1),
        (vec!["c.toml", "a.toml"], 1),
        (vec!["."], 1),
        (vec!["a.toml", "none.toml"], 3),
    ] {
        let output = isobar(folder.path(), &[&["run"], files.as_slice()].concat());
        assert_eq!(code(&output), expected, "{files:?}: {}{}", said(&output), complained(&output));
    }
}

#[test]
fn run_tells_drills_in_their_order_whoever_is_faster() {
    let folder = folder(&[("a.toml", HOLDS), ("b.toml", FAILS), ("c.toml", HOLDS)]);
    let run = |threads| isobar(folder.path(), &["run", ".", "--threads", threads]);
    let (one, four) = (run("1"), run("4"));
    assert_eq!(said(&one), said(&four));
    let said = said(&one);
    let place = |words: &str| said.find(words).unwrap_or_else(|| panic!("{words} in\n{said}"));
    assert!(place("a: ") < place("b: ") && place("b: ") < place("c: "), "{said}");
    place("3 drills, 6 runs: 4 passed, 2 failed, 0 inconclusive");
    assert_eq!(complained(&one), "", "no progress where nobody sees it");
    let quiet = isobar(folder.path(), &["run", ".", "-q"]);
    let told = String::from_utf8(quiet.stdout).unwrap();
    assert!(told.contains("b: ") && !told.contains("a: ") && !told.contains("c: "), "{told}");
}

#[test]
fn a_bad_file_is_told_before_anything_is_run() {
    let folder = folder(&[("a.toml", HOLDS), ("b.toml", "totally = \"x\"")]);
    let output = isobar(folder.path(), &["run", ".", "--json", "out.json"]);
    assert_eq!((code(&output), said(&output).as_str()), (3, ""));
    assert!(complained(&output).contains("unknown key `totally`"), "{output:?}");
    assert!(!folder.path().join("out.json").exists());
    fs::create_dir(folder.path().join("empty")).unwrap();
    let output = isobar(folder.path(), &["run", "empty"]);
    assert_eq!(code(&output), 3);
    assert!(complained(&output).contains("no *.toml in this folder"), "{output:?}");
}

#[test]
fn folders_within_a_folder_are_not_searched() {
    let folder = folder(&[("a.toml", HOLDS)]);
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::write(folder.path().join("more/b.toml"), "no drill").unwrap();
    fs::write(folder.path().join("notes.txt"), "no drill").unwrap();
    let output = isobar(folder.path(), &["run", "."]);
    assert_eq!(code(&output), 0, "{}", complained(&output));
}

#[test]
fn wrong_usage_is_2_as_everywhere() {
    let folder = folder(&[("a.toml", HOLDS)]);
    for args in [
        vec!["run"],
        vec!["run", "a.toml", "--seeds", "5..1"],
        vec!["run", "a.toml", "--seeds", "x"],
        vec!["run", "a.toml", "--seed", "1", "--seeds", "1..2"],
        vec!["run", "a.toml", "--threads", "0"],
        vec!["run", "a.toml", "--json"],
        vec!["run", "a.toml", "--yaml", "x"],
        vec!["replay"],
        vec!["diff", "a"],
        vec!["explore", "--minutes", "0"],
        vec!["explore", "--scenarios", "many"],
        vec!["capacity"],
    ] {
        let output = isobar(folder.path(), &args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(!complained(&output).is_empty() && said(&output).is_empty(), "{args:?}");
    }
}

#[test]
fn what_is_no_drill_or_no_seed_is_told_in_its_words() {
    let folder = folder(&[("a.toml", HOLDS)]);
    for command in ["check", "capacity"] {
        let output = isobar(folder.path(), &[command, "."]);
        assert_eq!(code(&output), 3, "{output:?}");
        assert!(complained(&output).contains("name a drill file in it"), "{output:?}");
    }
    for args in [
        vec!["run", "a.toml", "--seed", "abc"],
        vec!["capacity", "a.toml", "--seed", "1.5"],
        vec!["replay", "a.toml", "--seed=-1"],
        vec!["explore", "--seed", "x"],
    ] {
        let output = isobar(folder.path(), &args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(complained(&output).contains("a seed is a whole number"), "{output:?}");
    }
}

#[test]
fn reports_are_there_whole_or_not_at_all() {
    let folder = folder(&[("a.toml", HOLDS), ("b.toml", FAILS)]);
    let here = folder.path();
    let files = || -> Vec<String> {
        let entries = fs::read_dir(here).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let args =
        ["run", ".", "--seeds", "3..4", "--json", "r.json", "--junit", "r.xml", "--html", "r.html"];
    assert_eq!(code(&isobar(here, &args)), 1);
    assert_eq!(files(), ["a.toml", "b.toml", "r.html", "r.json", "r.xml"]);
    let records = json::read(&fs::read_to_string(here.join("r.json")).unwrap()).unwrap();
    let runs: Vec<_> = records.iter().map(|r| (r.file.as_str(), r.seed)).collect();
    assert_eq!(runs, [("./a.toml", 3), ("./a.toml", 4), ("./b.toml", 3), ("./b.toml", 4)]);
    assert_eq!(records[2].source, drill(FAILS));
    assert!(fs::read_to_string(here.join("r.xml")).unwrap().contains("<testsuites"));
    assert!(fs::read_to_string(here.join("r.html")).unwrap().starts_with("<!DOCTYPE html>"));

    // Told at once, and what is there stays.
    for (args, expected) in [
        (vec!["--json", "gone/r.json"], "gone/r.json: cannot be written"),
        (vec!["--json", "."], "it is a folder"),
        (vec!["--json", "x", "--html", "x"], "two reports in one file"),
    ] {
        let output = isobar(here, &[&["run", "a.toml"], args.as_slice()].concat());
        assert_eq!((code(&output), said(&output).as_str()), (3, ""), "{args:?}");
        assert!(complained(&output).contains(expected), "{args:?}: {output:?}");
    }
    assert_eq!(files(), ["a.toml", "b.toml", "r.html", "r.json", "r.xml"]);
    assert_eq!(code(&isobar(here, &["run", "a.toml", "--json", "/dev/null"])), 0);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn no_report_replaces_a_drill() {
    let folder = folder(&[("a.toml", HOLDS), ("b.toml", HOLDS)]);
    let here = folder.path();
    std::os::unix::fs::symlink("a.toml", here.join("link.json")).unwrap();
    let whole = here.join("a.toml");
    for (args, expected) in [
        (vec!["a.toml", "--json", "a.toml"], "a.toml: --json would replace a drill"),
        (vec!["a.toml", "--html", "x.html", "--json", "a.toml"], "for example --json a.json"),
        (vec!["a.toml", "--junit", "./a.toml"], "for example --junit ./a.xml"),
        (vec!["a.toml", "--html", whole.to_str().unwrap()], "--html would replace a drill"),
        (vec!["./a.toml", "--html", "link.json"], "link.json: --html would replace a drill"),
        (vec!["link.json", "--json", "a.toml"], "--json would replace a drill"),
        (vec![".", "--json", "b.toml"], "b.toml: --json would replace a drill"),
        (vec!["a.toml", "--json", "x", "--html", "./x"], "two reports in one file"),
    ] {
        let output = isobar(here, &[&["run"], args.as_slice()].concat());
        assert_eq!((code(&output), said(&output).as_str()), (3, ""), "{args:?}: {output:?}");
        assert!(complained(&output).contains(expected), "{args:?}: {output:?}");
    }
    for name in ["a.toml", "b.toml"] {
        assert_eq!(fs::read_to_string(here.join(name)).unwrap(), drill(HOLDS), "{name}");
    }
    assert_eq!(fs::read_dir(here).unwrap().count(), 3, "nothing is left half made");
    assert_eq!(code(&isobar(here, &["run", "a.toml", "--json", "b.json"])), 0);
}

#[test]
fn a_run_is_made_again_from_its_record_alone() {
    let folder = folder(&[("a.toml", HOLDS)]);
    let here = folder.path();
    assert_eq!(code(&isobar(here, &["run", "a.toml", "--json", "r.json"])), 0);
    // The record holds the drill: the file may go.
    fs::rename(here.join("a.toml"), here.join("kept.toml")).unwrap();
    let output = isobar(here, &["replay", "r.json", "--seed", "2"]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(said(&output).contains("same: a seed 2"), "{output:?}");
    let twice = isobar(here, &["replay", "kept.toml", "--threads", "2"]);
    assert_eq!(code(&twice), 0, "{twice:?}");

    let ambiguous = isobar(here, &["replay", "r.json"]);
    assert_eq!(code(&ambiguous), 3);
    assert!(complained(&ambiguous).contains("holds 2 such runs"), "{ambiguous:?}");
    for args in [vec!["r.json", "--seed", "9"], vec!["none.json"], vec!["none.toml"]] {
        assert_eq!(code(&isobar(here, &[&["replay"], args.as_slice()].concat())), 3, "{args:?}");
    }

    let text = fs::read_to_string(here.join("r.json")).unwrap();
    let mut records = json::read(&text).unwrap();
    records[1].hash ^= 1;
    fs::write(here.join("other.json"), json::write(&records)).unwrap();
    let differs = isobar(here, &["replay", "other.json", "--seed", "2"]);
    assert_eq!(code(&differs), 1);
    assert!(said(&differs).contains("differs: a seed 2"), "{differs:?}");
    records[1].live = true;
    fs::write(here.join("live.json"), json::write(&records)).unwrap();
    assert_eq!(code(&isobar(here, &["replay", "live.json", "--seed", "2"])), 2);
}

#[test]
fn diff_exits_as_diff_does() {
    let folder = folder(&[("a.toml", HOLDS)]);
    let here = folder.path();
    for (seeds, file) in [("1..2", "one.json"), ("1..2", "same.json"), ("2..3", "other.json")] {
        assert_eq!(code(&isobar(here, &["run", "a.toml", "--seeds", seeds, "--json", file])), 0);
    }
    fs::write(here.join("old.json"), "{\"format\": 99, \"records\": []}").unwrap();
    for (other, expected, words) in [
        ("same.json", 0, "nothing differs"),
        ("other.json", 1, "a seed 3: only in the new one"),
        ("a.toml", 3, "no JSON"),
        ("old.json", 3, "format 99"),
        ("none.json", 3, "cannot be read"),
    ] {
        let output = isobar(here, &["diff", "one.json", other]);
        assert_eq!(code(&output), expected, "{other}: {output:?}");
        assert!(format!("{}{}", said(&output), complained(&output)).contains(words), "{output:?}");
    }
}

/// Ctrl-C: what is known by then is told and written.
#[test]
fn an_interrupted_run_tells_what_it_knows() {
    let folder = folder(&[("a.toml", HOLDS)]);
    let here = folder.path();
    let endless = drill(HOLDS).replace("3s", "10000h");
    fs::write(here.join("b.toml"), endless).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_isobar"));
    command.args(["drill", "run", "a.toml", "b.toml", "--json", "r.json", "--threads", "1"]);
    let child =
        command.current_dir(here).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Reports are begun before anything is run, and after it listens.
    let begun = Instant::now();
    let part = || {
        let entries = fs::read_dir(here).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.into_iter().any(|name| name.ends_with(".part"))
    };
    while !part() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_secs(3));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 2, "{output:?}");
    assert!(complained(&output).contains("interrupted"), "{output:?}");
    let records = json::read(&fs::read_to_string(here.join("r.json")).unwrap()).unwrap();
    assert_eq!(records.len(), 2, "both runs of the first drill: {output:?}");
}

#[test]
fn explore_counts_what_it_ran_and_keeps_what_fails() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let args = ["explore", "--scenarios", "3", "--seed", "40", "--tries", "5", "--regress", "kept"];
    let output = isobar(here, &args);
    let text = said(&output);
    assert!(text.contains("scenarios from seed 40 on"), "{output:?}");
    assert!(text.contains("3 scenarios, of seeds 40 to 42: "), "{output:?}");
    let kept: Vec<PathBuf> = fs::read_dir(here.join("kept"))
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    let failed = text.lines().filter(|line| line.starts_with("failed ")).count();
    assert_eq!(code(&output), i32::from(failed > 0), "{output:?}");
    assert_eq!(kept.is_empty(), failed == 0, "{output:?}");
    for path in kept {
        let loaded = isobar::drill::load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.drill.name, path.file_stem().unwrap().to_str().unwrap());
    }
}

#[test]
fn a_scenario_can_be_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let output = isobar(folder.path(), &["explore", "--seed", "7", "--draw"]);
    assert_eq!((code(&output), said(&output)), (0, spell(&draw(7))));
    assert_eq!(code(&isobar(folder.path(), &["explore", "--draw"])), 2);
}

#[test]
fn capacity_is_found_by_halving() {
    let folder = folder(&[
        ("a.toml", "total = \"all.served >= 0\""),
        ("b.toml", "total = \"all.served >= 1_000\""),
    ]);
    let output = isobar(folder.path(), &["capacity", "a.toml"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let text = said(&output);
    assert!(text.contains("all sites there          at least 176 clients"), "{text}");
    assert!(text.contains("any one gone") && !text.contains("any two gone"), "{text}");
    let output = isobar(folder.path(), &["capacity", "b.toml", "--seeds", "1..2"]);
    assert_eq!(code(&output), 1, "{output:?}");
    assert!(said(&output).contains("none"), "{output:?}");
    assert!(said(&output).contains("it did not hold: all.served >= 1000"), "{output:?}");
    assert_eq!(code(&isobar(folder.path(), &["capacity", "none.toml"])), 3);
}

#[test]
fn capacity_says_what_failed_beyond() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody who is at home where a site is gone is served, however few there are.
    let text = drill("sustain = \"all.served_ratio >= 0.6\"").replace("sites = 2", "sites = 3");
    fs::write(folder.path().join("a.toml"), text).unwrap();
    let output = isobar(folder.path(), &["capacity", "a.toml"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let text = said(&output);
    let two: Vec<&str> = text.lines().filter(|line| line.contains("any two gone")).collect();
    let [held, beyond] = two.as_slice() else { panic!("{text}") };
    assert!(held.contains("none") && held.contains("worst: fra and nyc"), "{text}");
    assert!(!held.ends_with(';'), "{text}");
    assert!(beyond.contains("clients") && beyond.contains("it did not hold: "), "{text}");
}
