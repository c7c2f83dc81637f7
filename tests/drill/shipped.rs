//! What is shipped: drills that parse, a reference that is not stale, the command that checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use isobar::drill::{self, reference};
use isobar_sim::drill::{Deed, Drill, Rule, spell};

use crate::parse;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every drill in a folder, by its file's name.
fn drills(folder: &str) -> Vec<(String, Drill)> {
    let mut drills = Vec::new();
    for entry in fs::read_dir(root().join("simulations").join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let loaded = drill::load(&path).unwrap_or_else(|error| panic!("{error}"));
            // What is found is found in worlds that nobody would wish for.
            let found = folder == "regress";
            assert!(found || loaded.warnings.is_empty(), "{}", path.display());
            drills.push((path.file_stem().unwrap().to_str().unwrap().to_owned(), loaded.drill));
        }
    }
    drills.sort_by(|(a, _), (b, _)| a.cmp(b));
    drills
}

#[test]
fn every_drill_is_good_and_called_as_its_file() {
    let mut count = 0;
    for folder in ["", "negative", "large", "regress"] {
        for (name, drill) in drills(folder) {
            assert_eq!(drill.name, name);
            assert!(drill.hypothesis.len() > 40, "{name}: {}", drill.hypothesis);
            assert_eq!(folder == "negative", !drill.must_fail.is_empty(), "{name}");
            for seed in drill.seeds.iter() {
                assert!(drill.strikes(seed).iter().all(|s| !s.targets.is_empty()), "{name}");
            }
            count += usize::from(folder.is_empty());
        }
    }
    assert!(count >= 14, "{count} drills");
}

/// A plan written as a file is that plan again.
#[test]
fn every_drill_can_be_written_and_read_back() {
    for (name, drill) in ["", "negative", "large", "regress"].map(drills).concat() {
        let text = spell(&drill);
        let again = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}")).drill;
        assert!(again == drill, "{name}\n{text}");
    }
}

/// Each rule that the design names has a drill that fails without it, and one digest lies.
#[test]
fn every_rule_of_the_design_has_a_negative_drill() {
    let negative = drills("negative");
    let without: BTreeSet<Rule> = negative.iter().filter_map(|(_, drill)| drill.without).collect();
    let named = [
        Rule::Commit,
        Rule::WaitingRoom,
        Rule::Reserve,
        Rule::OneHop,
        Rule::Witnesses,
        Rule::WeightedChoice,
        Rule::Full,
        Rule::TooFast,
        Rule::Isolation,
    ];
    assert!(named.iter().all(|rule| without.contains(rule)), "{without:?}");
    let lies = |drill: &Drill| drill.faults.iter().any(|f| matches!(f.deed, Deed::NodeLie(_)));
    assert!(negative.iter().any(|(_, drill)| lies(drill)));
}

/// Every kind of fault is in some drill.
#[test]
fn every_fault_is_rehearsed_somewhere() {
    let all = [drills(""), drills("negative")].concat();
    let used: BTreeSet<&str> =
        all.iter().flat_map(|(_, drill)| &drill.faults).map(|fault| fault.deed.word()).collect();
    let unused: Vec<&str> = isobar_sim::drill::DEEDS
        .iter()
        .map(|deed| deed.word)
        .filter(|word| !used.contains(word))
        .collect();
    assert_eq!(unused, [""; 0]);
}

#[test]
fn the_reference_is_not_stale() {
    let path = root().join("docs/drills.md");
    let shipped = fs::read_to_string(&path).unwrap_or_default();
    let guide = shipped.split(reference::MARK).next().unwrap_or_default();
    let fresh = format!("{guide}{}", reference::markdown());
    if std::env::var_os("ISOBAR_BLESS").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let shipped = fs::read_to_string(&path).unwrap_or_default();
    assert!(shipped == fresh, "stale; run: ISOBAR_BLESS=1 cargo test -p isobar --test drill");
}

#[test]
fn the_reference_says_something_of_every_key() {
    for table in reference::tables() {
        assert!(!table.doc.is_empty(), "{}", table.title);
        for key in &table.keys {
            let here = format!("{} {}", table.title, key.name);
            assert!(!key.doc.is_empty() && !key.default.is_empty(), "{here}");
        }
    }
}

/// Every example in the guide that is a whole drill is good.
#[test]
fn the_examples_of_the_guide_are_good() {
    let guide = fs::read_to_string(root().join("docs/drills.md")).unwrap();
    let blocks = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let whole: Vec<&str> = blocks.filter(|block| block.contains("[drill]")).collect();
    assert!(!whole.is_empty());
    for text in whole {
        parse(text).unwrap_or_else(|error| panic!("{error}"));
    }
}

fn check(files: &[&Path]) -> Output {
    let program = env!("CARGO_BIN_EXE_isobar");
    Command::new(program).args(["drill", "check"]).args(files).output().unwrap()
}

#[test]
fn the_command_exits_with_0_or_3() {
    let good = root().join("simulations/site-loss-silent.toml");
    let output = check(&[&good]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    for words in [
        "site-loss-silent.toml: good",
        "8 sites (fra, nyc, sin, sao, syd, jnb, …), 16 nodes, 32 brokers, 16_000 clients",
        "lost: site.down silent, site:fra, for 4m",
        "served-once-noticed: affected.served_since_notice >= 0.99 within 45s of the first fault",
        "6m each, with seeds 1 to 20",
    ] {
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }

    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.toml");
    fs::write(&bad, "[drill]\nhypotesis = \"x\"\n").unwrap();
    let output = check(&[&good, &bad]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "bad.toml:2:1: unknown key `hypotesis`; did you mean `hypothesis`?";
    assert!(said.contains(expected), "{said}");
    assert_eq!(check(&[&folder.path().join("none.toml")]).status.code(), Some(3));
    assert_eq!(check(&[]).status.code(), Some(2));
}
