//! The report page: all that matters is on it, nothing foreign gets in, and it stays of a size.

mod html;
mod sample;

use html::Parsed;
use isobar_sim::rehearsal::record::{Outcome, Record, SiteRecord};
use isobar_sim::report::page::page;
use sample::{Loss, S};

fn runs(loss: Loss, seeds: std::ops::RangeInclusive<u64>) -> Vec<Record> {
    seeds.map(|seed| loss.run(seed)).collect()
}

fn many() -> Vec<Record> {
    let of_seed =
        |seed| [Loss::small().run(seed), sample::negative(seed), sample::inconclusive(seed)];
    (1..=5).flat_map(of_seed).collect()
}

/// A page, parsed: an ill-formed one panics.
fn parsed(records: &[Record]) -> Parsed {
    Parsed::of(&page(records))
}

#[track_caller]
fn assert_has(page: &Parsed, texts: &[&str]) {
    for text in texts {
        assert!(page.text.contains(text), "no {text:?}");
    }
}

#[test]
fn an_operator_finds_what_was_expected_and_what_came() {
    let run = Loss::small().run(4);
    let page = parsed(std::slice::from_ref(&run));
    for judged in &run.expectations {
        assert_has(&page, &[&judged.name, &judged.bound]);
    }
    assert_has(
        &page,
        &[
            &run.hypothesis,
            "✗ failed",
            // Values, bounds and margins, each with its unit.
            "98.6",
            "≥ 99%",
            "\u{2212}0.3",
            "points",
            "≤ 1s",
            "≤ 3s",
            "= 0",
            "±0",
            "1m45s to 6m",
            "worst at 1m48s",
            "held after 44s",
            "site.down how = \"silent\" on fra, 1m to 5m",
            "from 2m30s on",
            "no answer",
            "refused: server busy",
            "isobar drill run simulations/site-loss-silent.toml --seed 4",
            "keeps-reserve",
            "flow.redispatches",
            "1,402",
            "41,250 B/s",
            &format!("{:016x}", run.hash),
            "Isobar 0.1.0",
            "Detect",
            "Notice",
            "Reconnect",
            "Admit",
        ],
    );
}

#[test]
fn every_expectation_is_told_by_its_worst_seed() {
    let records = runs(Loss::small(), 1..=20);
    let page = parsed(&records);
    let first = &records[0].expectations[0];
    let worst = records.iter().filter_map(|run| run.expectations[0].margin).min().unwrap();
    assert!(worst < 0);
    let points =
        format!("\u{2212}0.{} points", format!("{:06}", -worst)[2..].trim_end_matches('0'));
    assert_has(&page, &[&first.name, &points, "held on 17 of 20", "3 of 20 seeds failed"]);
    assert_has(&page, &["Not passed: seeds 4, 11, 18."]);
    let strip = page.attributes("class", "seed bad");
    assert_eq!(strip, 3, "the worst of them is marked besides");
}

#[test]
fn a_passed_drill_says_how_much_room_it_had() {
    let records = runs(Loss::small(), 1..=3);
    let page = parsed(&records);
    assert_has(&page, &["All 3 seeds passed.", "Least room: "]);
    assert!(!page.text.contains("✗"), "nothing failed");
}

#[test]
fn a_drill_that_must_fail_is_told_so() {
    let page = parsed(&[sample::negative(1)]);
    assert_has(&page, &["must fail", "✓ failed, as it must", "1,204", "and 1,194 more"]);
    let mut held = sample::negative(1);
    held.outcome = Outcome::Failed;
    held.expectations[2].held = Some(true);
    let page = parsed(&[held]);
    assert_has(&page, &["✗ held, but must fail"]);
}

#[test]
fn a_fault_without_effect_is_no_success() {
    let page = parsed(&[sample::inconclusive(1)]);
    assert_has(&page, &["? inconclusive", "never took effect", "? not measured"]);
    assert_has(&page, &["'simulations/link flap.toml'", "No client noticed a loss."]);
}

#[test]
fn several_drills_begin_with_a_table_of_links() {
    let page = parsed(&many());
    assert_has(&page, &["3 drills: 1 failed, 1 inconclusive, 1 passed"]);
    for link in ["#d1", "#d2", "#d3"] {
        assert_eq!(page.attributes("href", link), 1, "{link}");
    }
}

#[test]
fn no_name_becomes_markup() {
    const EVIL: &str = "<script>alert(1)</script>\"'&";
    let mut run = Loss::small().run(4);
    run.drill = EVIL.to_owned();
    run.hypothesis = EVIL.to_owned();
    run.version = EVIL.to_owned();
    run.file = format!("{EVIL}.toml");
    run.why = vec![EVIL.to_owned()];
    run.faults[0].fault = EVIL.to_owned();
    run.faults[0].deed = EVIL.to_owned();
    run.faults[0].targets = EVIL.to_owned();
    run.faults[0].sites = vec![EVIL.to_owned()];
    run.sites[0].name = EVIL.to_owned();
    run.expectations[0].name = EVIL.to_owned();
    run.expectations[0].bound = EVIL.to_owned();
    run.expectations[0].of = EVIL.to_owned();
    run.expectations[0].unit = EVIL.to_owned();
    run.checks[0].check = EVIL.to_owned();
    run.checks[0].doc = EVIL.to_owned();
    run.checks[0].found = 1;
    run.checks[0].findings =
        vec![isobar_sim::rehearsal::record::Found { at_us: 1, what: EVIL.to_owned() }];
    run.never_served.insert(EVIL.to_owned(), 7);
    run.metrics.insert(EVIL.to_owned(), 7);
    let mut other = run.clone();
    other.seed = 5;
    let page = parsed(&[run, other]);
    assert_eq!(page.elements("script"), 0);
    assert!(page.text.matches(EVIL).count() > 20, "it is there, as text");
}

#[test]
fn the_file_stands_alone() {
    for records in [runs(Loss::small(), 1..=3), many(), Vec::new()] {
        let page = parsed(&records);
        for (name, value) in &page.all {
            let foreign = ["http:", "https:", "//", "file:", "javascript:"];
            let loads = ["src", "href", "srcset", "xlink:href", "data", "action", "style"]
                .contains(&name.as_str());
            assert!(!loads || value.starts_with('#') || value == "data:,", "{name}={value}");
            assert!(!foreign.iter().any(|start| value.starts_with(start)), "{name}={value}");
            assert!(!name.starts_with("on"), "{name}={value}");
        }
        assert_eq!(page.elements("script"), 0);
        assert!(!page.style.contains("url(") && !page.style.contains("@import"));
        // Every link has its place, and every place is one.
        for (name, value) in &page.all {
            if let (true, Some(id)) = (name == "href", value.strip_prefix('#')) {
                assert_eq!(page.attributes("id", id), 1, "{id}");
            }
        }
    }
}

#[test]
fn drawings_and_tables_say_what_they_are() {
    let page = parsed(&many());
    assert_eq!(page.elements("table"), page.elements("caption"));
    let drawings = page.attributes("role", "img");
    assert!(drawings > 50);
    assert_eq!(page.elements("desc"), drawings);
    assert!(page.attributes("scope", "col") > 20 && page.attributes("scope", "row") > 20);
    assert_eq!(page.elements("h1"), 1);
}

#[test]
fn equal_records_give_equal_bytes_in_any_order_of_seeds() {
    let mut records = runs(Loss::small(), 1..=5);
    let first = page(&records);
    assert_eq!(first, page(&records));
    records.reverse();
    assert_eq!(first, page(&records));
}

#[test]
fn fifty_sites_on_twenty_seeds_fit_in_a_mail() {
    let page = page(&runs(Loss::large(), 1..=20));
    assert!(page.len() < 1_500_000, "{}", page.len());
    let page = Parsed::of(&page);
    assert_has(&page, &["the 6 that give most concern", "The 44 other sites", "others"]);
}

#[test]
fn however_much_there_is_the_page_is_bounded() {
    // A day of curves, and seeds without end.
    let mut run = Loss { sites: 3, clients: 100, room: 200 }.run(1);
    let last = 86_400;
    for site in &mut run.sites {
        site.curve = (0..=last)
            .map(|t| isobar_sim::rehearsal::record::Point {
                at_us: t * S,
                connected: t % 97,
                ..Default::default()
            })
            .collect();
    }
    (run.duration_us, run.ended_us) = (last * S, last * S);
    let one = page(std::slice::from_ref(&run)).len();
    assert!(one < 120_000, "{one}");

    let mut short = Loss { sites: 1, clients: 10, room: 20 }.run(1);
    short.sites[0].curve.truncate(3);
    let records: Vec<Record> = (0..2_000).map(|seed| Record { seed, ..short.clone() }).collect();
    let all = page(&records).len();
    assert!(all < 1_500_000, "{all}");
}

#[test]
fn what_is_empty_or_absurd_has_a_page() {
    let mut bare = Loss::small().run(1);
    bare.expectations.clear();
    bare.checks.clear();
    bare.faults.clear();
    bare.sites.clear();
    bare.metrics.clear();
    bare.file.clear();
    (bare.duration_us, bare.ended_us, bare.hash) = (0, 0, 0);
    let mut absurd = Loss::small().run(2);
    absurd.ended_us = u64::MAX;
    absurd.went = vec![vec![u64::MAX; 40]; 3];
    absurd.never_served.insert("x".to_owned(), u64::MAX);
    absurd.never_served.insert("y".to_owned(), u64::MAX);
    for site in &mut absurd.sites {
        let extreme = |point: &mut isobar_sim::rehearsal::record::Point| {
            (point.connected, point.refused, point.attempts) = (u64::MAX, u64::MAX, u64::MAX);
            (point.at_us, point.capacity) = (u64::MAX - point.at_us, Some(1));
        };
        site.curve.iter_mut().for_each(extreme);
    }
    absurd.sites.push(SiteRecord { name: String::new(), clients: u64::MAX, curve: Vec::new() });
    for judged in &mut absurd.expectations {
        (judged.value, judged.margin) = (Some(u64::MAX), Some(i64::MIN));
        judged.must_fail = true;
    }
    for checked in &mut absurd.checks {
        checked.found = u64::MAX;
    }
    assert_has(&parsed(&[bare.clone()]), &["No fault came.", "No site was looked at."]);
    let _ = parsed(&[absurd.clone()]);
    absurd.drill.clone_from(&bare.drill);
    let _ = parsed(&[bare, absurd]);
    assert_has(&parsed(&[]), &["There is no record to tell of."]);
}

#[test]
fn a_thousand_sites_are_bounded_too() {
    let mut run = Loss { sites: 100, clients: 500, room: 600 }.run(1);
    run.sites = (0..10).flat_map(|_| run.sites.clone()).collect();
    run.went = vec![vec![3; 1_000]; 1_000];
    let page = page(std::slice::from_ref(&run));
    assert!(page.len() < 1_500_000, "{}", page.len());
    assert_has(&Parsed::of(&page), &["844 further sites left out", "988 others"]);
}
