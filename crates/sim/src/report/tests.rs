//! Records of a scripted stage, as every report shows them.

use crate::drill::{Check, Drill, Reason};
use crate::rehearsal::record::{FORMAT, Outcome, Record};
use crate::rehearsal::tests::script::{Script, drill, t};
use crate::rehearsal::{CrowdFinale, Detection, Finale, Finding, SiteFinale, Times};
use crate::report::json::ReadError;
use crate::report::{diff, json, junit, text};

fn lost() -> Drill {
    let drill = drill("20s").loses("lost", "2s", "site:fra", "3s");
    let drill = drill.recovers("affected.served_ratio >= 0.99", "5s", "", "");
    drill.totals("all.outage_p99 <= 10s").sustains(
        "affected.home_ratio >= 0.5",
        "site:fra dead",
        "",
    )
}

fn finale(seconds: u64) -> Finale {
    let mut times = Times::default();
    times.add(t("1s") * u32::try_from(seconds).unwrap());
    let crowd = CrowdFinale {
        notice: times.clone(),
        search: times.clone(),
        admit: times.clone(),
        reconnect: times.clone(),
        outage: times,
        never_served: [("refused".to_owned(), 3)].into(),
        ..CrowdFinale::default()
    };
    let by = crate::drill::NodeAt { site: 1, node: 0 };
    Finale {
        sites: vec![SiteFinale { affected: crowd, went: vec![0, 1], ..SiteFinale::default() }],
        detections: vec![Detection {
            site: 0,
            by,
            lost: t("2s"),
            avoided: Some(t("700ms")),
            dead: None,
            returned: None,
            back: None,
        }],
        hash: 0xfeed + seconds,
        events: 7,
        ..Finale::default()
    }
}

/// A run in which so many of a hundred are served after the loss, after an outage of so long.
fn run(drill: &Drill, seed: u64, served: u32, outage: u64) -> Record {
    let mut script = Script::served(move |at| if at > t("2s") { served } else { 100 });
    script.finale = finale(outage);
    if served < 50 {
        let what = "a <flow> went \"on\"".to_owned();
        script.finale.findings = vec![Finding { at: t("3s"), check: Check::Hops, what }];
    }
    let mut record = script.becomes("4s", 0, crate::drill::Become::Dead).runs(drill);
    record.seed = seed;
    record.file = "simulations/a drill.toml".to_owned();
    record
}

#[test]
fn what_is_written_is_read_back() {
    let records = vec![run(&lost(), 1, 100, 8), run(&lost(), 2, 40, 12)];
    let text = json::write(&records);
    assert_eq!(json::read(&text).unwrap(), records);
    assert_eq!(json::write(&json::read(&text).unwrap()), text);
    assert_eq!(json::read(&json::write(&[])).unwrap(), []);
    // Parts without parts stand in a line, and keys are sorted.
    let point = "          {\"at_us\": 0, \"attempts\": 0, \"capacity\": 200, \"connected\": 0, \
                 \"guests\": 0, \"refused\": 0, \"unserved\": 0}";
    assert!(text.contains(point), "{text}");
    let keys = text.lines().filter_map(|line| line.strip_prefix("      \"")?.split('"').next());
    let keys: Vec<&str> = keys.take_while(|key| *key != "why").collect();
    assert!(keys.is_sorted() && keys.len() > 15, "{keys:?}");
    assert_eq!(text.lines().filter(|line| line.ends_with(' ')).count(), 0);
}

#[test]
fn what_is_no_file_of_records_says_so() {
    let text = json::write(&[run(&lost(), 1, 100, 8)]);
    let newer = text.replace(&format!("\"format\": {FORMAT}"), "\"format\": 9");
    let one_newer = text.replacen("      \"format\": 1", "      \"format\": 9", 1);
    for (wrong, expected) in [
        ("", "no JSON: EOF"),
        ("# Drills", "no JSON: expected value at line 1 column 1"),
        (&text[..text.len() / 2], "no JSON: EOF"),
        ("[]", "no records of drills"),
        ("{\"records\": []}", "missing field `format`"),
        ("{\"format\": 1}", "missing field `records`"),
        ("{\"format\": 1, \"records\": [{}]}", "no records of drills: missing field"),
        ("{\"format\": 2}", "records of format 2, and this version reads 1"),
        ("{\"format\": 2, \"records\": [{}]}", "records of format 2"),
        (&newer, "records of format 9"),
        (&one_newer, "records of format 9"),
    ] {
        let error = json::read(wrong).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(matches!(json::read("{\"format\": 2}"), Err(ReadError::OtherFormat(2))));
}

#[test]
fn a_table_names_the_worst_seed_of_each_expectation() {
    let seeds = [(1, 100, 8), (2, 40, 9), (3, 99, 12)];
    let records: Vec<Record> = seeds.map(|(seed, n, s)| run(&lost(), seed, n, s)).into();
    let expected = "\
FAILED small: 3 runs: 1 passed, 2 failed
  All is well

          expectation  bound                                     worst  margin  seed
  FAILED  expect-1     affected.served_ratio >= 0.99 by 7s       0.4    -0.59   2
  FAILED  expect-2     all.outage_p99 <= 10s at the end          12s    -2s     3
  ok      expect-3     affected.home_ratio >= 0.5 from 4s        1      +0.5    1

  phase, worst of all seeds  how often  p50    p99    max
  detect                     1          700ms  700ms  700ms
  notice                     1          12s    12s    12s
  reconnect                  1          12s    12s    12s
  admit                      1          12s    12s    12s
  outage                     1          12s    12s    12s

  never served again: refused 9

  hops found 1 time: seed 2 at 3s: a <flow> went \"on\"

  seed 2 FAILED:
    expect-1 did not hold: affected.served_ratio >= 0.99 within 5s, so from 7s to 20s; it was 0.4 at 7s, and it had not recovered by 20s.
    hops was broken 1 time; first at 3s: a <flow> went \"on\". (No flow is carried through more than one other site.)

  seed 3 FAILED:
    expect-2 did not hold: all.outage_p99 <= 10s; at the end it was 12s.

  worst seed again: isobar drill run 'simulations/a drill.toml' --seed 2

";
    let table = text::table(&records);
    let squeeze = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(squeeze(&table), squeeze(expected), "{table}");
    let columns: Vec<_> = table
        .lines()
        .filter_map(|line| {
            line.find("expect-").filter(|_| line.contains("  +") || line.contains("  -"))
        })
        .collect();
    assert_eq!(columns, [10, 10, 10]);
}

#[test]
fn a_drill_that_must_fail_shows_where_it_did_not() {
    let drill = Drill { must_fail: vec![Reason::Expectation(0)], ..lost() };
    let bad = text::table(&[run(&drill, 1, 60, 8), run(&drill, 2, 100, 8)]);
    assert!(bad.contains("HELD, must fail") && bad.contains("--seed 2"), "{bad}");
    let good = text::table(&[run(&drill, 1, 60, 12)]);
    assert!(good.starts_with("passed small: 1 run: 1 passed\n"), "{good}");
    assert!(good.contains("fails") && !good.contains("FAILED"), "{good}");
}

#[test]
fn a_terminal_sees_no_control_characters() {
    let mut record = run(&lost(), 1, 40, 8);
    record.hypothesis = "all is \u{1b}[31mwell".to_owned();
    record.why[0].push('\u{7}');
    record.checks[0].check.push('\r');
    let changed = Record { hash: 1, drill: "a\u{1b}b".to_owned(), ..record.clone() };
    let old = Record { hash: 2, ..changed.clone() };
    let shown = text::table(&[record]) + &diff::diff(&[old], &[changed]).to_string();
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
}

#[test]
fn every_run_is_a_test_case() {
    let inconclusive = Drill { ..lost().sustains("mesh.agreement >= 1", "", "") };
    let mut records =
        vec![run(&lost(), 1, 100, 8), run(&lost(), 2, 40, 8), run(&inconclusive, 3, 100, 8)];
    assert_eq!(records[2].outcome, Outcome::Inconclusive);
    records[1].drill = "a \"drill\" & <more>\n\u{1}".to_owned();
    let xml = junit::write(&records);
    assert!(
        xml.contains("<testsuites name=\"isobar drill\" tests=\"3\" failures=\"1\" errors=\"1\">")
    );
    let case = "<testcase classname=\"small\" name=\"seed 1\" time=\"20.000\"/>";
    assert!(xml.contains(case), "{xml}");
    let name = "name=\"a &quot;drill&quot; &amp; &lt;more&gt;&#10;\u{fffd}\"";
    assert!(xml.contains(name), "{xml}");
    assert!(xml.contains("a &lt;flow&gt; went &quot;on&quot;"), "{xml}");
    assert!(xml.contains("Again: isobar drill run &apos;simulations/a drill.toml&apos; --seed 2"));
    assert!(xml.contains("<error message=\"expect-4 was not judged"), "{xml}");
    assert_eq!(unclosed(&xml), Vec::<String>::new());
}

/// Tags that are open at the end; a wrong nesting panics.
fn unclosed(xml: &str) -> Vec<String> {
    let mut open = Vec::new();
    for part in xml.split('<').skip(1).filter(|part| !part.starts_with('?')) {
        let (tag, _) = part.split_once('>').unwrap();
        let name = |tag: &str| tag.split([' ', '/']).next().unwrap().to_owned();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed.to_owned())),
            None if tag.ends_with('/') => {}
            None => open.push(name(tag)),
        }
    }
    open
}

#[test]
fn a_difference_is_what_changed_and_no_more() {
    let old = vec![run(&lost(), 1, 100, 8), run(&lost(), 2, 100, 8), run(&lost(), 4, 100, 8)];
    let same = Record { version: "9.9.9".to_owned(), ..old[0].clone() };
    assert!(diff::diff(&old, &old).is_empty());
    assert_eq!(diff::diff(&old, &old).to_string(), "");
    let new = vec![run(&lost(), 3, 100, 8), run(&lost(), 2, 40, 9), same];
    let diff = diff::diff(&old, &new);
    assert_eq!((diff.same, diff.is_empty()), (1, false));
    let run = &diff.runs[0];
    assert_eq!((run.seed, run.is_same_hash()), (2, Some(false)));
    assert_eq!(run.outcome, (Outcome::Passed, Outcome::Failed));
    let names: Vec<_> = run.expectations.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["expect-1"]);
    assert_eq!(run.checks, [("hops".to_owned(), 0, 1)]);
    let metric = |name: &str| run.metrics.iter().find(|one| one.name == name);
    let unserved = metric("all.unserved").map(|one| (one.old, one.new));
    assert_eq!(unserved, Some((Some(0), Some(60))));
    assert_eq!(metric("all.abroad"), None);
    assert_eq!(run.others, ["phases", "served", "sites"]);
    let shown = diff.to_string();
    for line in [
        "small seed 2: hash 000000000000fef5 -> 000000000000fef6",
        "  passed -> FAILED",
        "  expect-1: held (1) -> failed (0.4)",
        "  hops: found 0 -> 1",
        "  all.outage_max          8s -> 9s (+1s)",
        "  also: phases, served, sites",
        "small seed 4: only in the old one",
        "small seed 3: only in the new one",
        "1 of 4 runs alike",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

#[test]
fn real_processes_have_no_hash_to_differ_in() {
    let old = Record { hash: 0, events: 0, live: true, ..run(&lost(), 1, 100, 8) };
    let new = Record { hash: 5, live: false, ..old.clone() };
    assert!(diff::diff(&[old], &[new]).is_empty());
}
