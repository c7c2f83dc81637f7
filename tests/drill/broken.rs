//! Broken drills. Each error names the line, what is wrong with it, and what would do.

use crate::{BASE, base_with, parse, refused};

/// A line of [`BASE`] to replace, what replaces it, the line that is blamed, a part of what is
/// said, a part of the remedy.
type Case = (usize, &'static str, usize, &'static str, &'static str);

const HYPOTHESIS: usize = 2;
const DURATION: usize = 3;
const SITES: usize = 5;
const BROKER: usize = 6;
const NAME: usize = 8;
const T: usize = 9;
const DO: usize = 10;
const ON: usize = 11;
const FOR: usize = 12;
const EXPECT_NAME: usize = 14;
const RECOVER: usize = 15;
const WITHIN: usize = 16;

const NOT_TOML: &[Case] = &[
    (DURATION, "duration = 5m", 3, "not TOML", "in quotes: \"5m\""),
    (DURATION, "duration = ", 3, "not TOML", "give the key a value"),
    (HYPOTHESIS, "hypothesis = \"a", 2, "not TOML", "close the quotes"),
    (7, "[[at]", 7, "not TOML", "close it: [mesh], [[at]]"),
    (FOR, "for = \"1m\"\nt = \"2m\"", 13, "duplicate key", "its own [[at]] or [[expect]]"),
];

const KEYS_AND_TYPES: &[Case] = &[
    (
        HYPOTHESIS,
        "hypotesis = \"x\"",
        2,
        "unknown key `hypotesis`; did you mean `hypothesis`?",
        "known here: name",
    ),
    (
        HYPOTHESIS,
        "keepalive = \"60s\"",
        2,
        "unknown key `keepalive` here",
        "`keepalive` belongs in `clients = { … }` in `[mesh]`",
    ),
    (DURATION, "duration = true", 3, "duration = true: must be a duration", "1s to"),
    (SITES, "sites = \"4\"", 5, "must be a whole number", "without quotes: sites = 4"),
    (SITES, "site = 4", 5, "did you mean `sites`?", "known here: sites"),
    (
        BROKER,
        "broker = { max_conn = 5 }",
        6,
        "unknown key `max_conn`; did you mean `maxconn`?",
        "known here: maxconn",
    ),
    (
        BROKER,
        "wan = { rtt = 80 }",
        6,
        "wan.rtt = 80: must be one of \"by-distance\", a duration",
        "1ms to 1m",
    ),
    (
        BROKER,
        "clients = { backof = \"fixed 5s\" }",
        6,
        "did you mean `backoff`?",
        "known here: keepalive",
    ),
    (7, "[at]", 7, "at must be a list of tables", "[[at]], in double brackets"),
    (T, "when = \"1m\"", 9, "unknown key `when` here", "belongs in `[[stop]]`"),
    (
        DO,
        "do = [\"broker.crash\"]",
        10,
        "do = [\"broker.crash\"]: must be a fault",
        "default: needed",
    ),
    (EXPECT_NAME, "expects = \"x\"", 14, "unknown key `expects`", "known here: name, recover"),
];

const HEAD: &[Case] = &[
    (HYPOTHESIS, "", 1, "no hypothesis", "say in a sentence"),
    (HYPOTHESIS, "hypothesis = \"\"", 2, "must be 1 to 400 characters", "a sentence"),
    (DURATION, "", 1, "no duration", "duration = \"5m\""),
    (DURATION, "duration = \"5\"", 3, "no unit", "\"5s\" or \"5ms\""),
    (DURATION, "duration = 300", 3, "no unit", "\"300s\""),
    (
        DURATION,
        "duration = \"5m\"\nseeds = \"20..1\"",
        4,
        "the first is above the last",
        "\"1..20\"",
    ),
    (DURATION, "duration = \"5m\"\nseeds = \"all\"", 4, "no range of seeds", "\"1..20\""),
    (
        DURATION,
        "duration = \"5m\"\nseeds = 7",
        4,
        "seeds = 7: must be a range of seeds",
        "up to 10000",
    ),
    (
        DURATION,
        "duration = \"5m\"\nmust_fail = [\"hop\"]",
        4,
        "unknown expectation or check; did you mean `hops`?",
        "known here: served, ",
    ),
    (DURATION, "duration = \"5m\"\nmust_fail = []", 4, "names nothing", "or remove the key"),
];

const WORLD: &[Case] = &[
    (SITES, "", 4, "no sites", "sites = 3 in [mesh]"),
    (SITES, "sites = 500", 5, "sites = 500: must be 1 to 120", "the most is 120"),
    (
        SITES,
        "sites = 4\nclients_per_site = 9_000_000",
        4,
        "36_000_000 clients in all sites",
        "at most 20_000_000",
    ),
    (
        BROKER,
        "broker = { connect_rate = \"1000\" }",
        6,
        "must be 1/s to 1_000_000/s",
        "write \"1000/s\"",
    ),
    (
        BROKER,
        "broker = { connect_rate = \"60000/min\" }",
        6,
        "must be 1/s to 1_000_000/s",
        "write \"1000/s\"",
    ),
    (
        BROKER,
        "broker = { connect_rate = \"100/min\" }",
        6,
        "must be 1/s to 1_000_000/s",
        "for example \"5000/s\"",
    ),
    (
        BROKER,
        "broker = { connect_rate = \"0\" }",
        6,
        "must be 1/s to 1_000_000/s",
        "for example \"5000/s\"",
    ),
    (
        BROKER,
        "broker = { connect_rate = 1000 }",
        6,
        "broker.connect_rate = 1000: must be a rate",
        "1/s to",
    ),
    (
        BROKER,
        "wan = { loss = \"150%\" }",
        6,
        "wan.loss = \"150%\": more than all of it",
        "at most \"100%\"",
    ),
    (BROKER, "wan = { loss = \"0.01\" }", 6, "no unit", "\"0.01%\""),
    (BROKER, "wan = { rtt = \"fast\" }", 6, "no round trip", "\"by-distance\", \"80ms\""),
    (BROKER, "wan = { rtt = \"0ms\" }", 6, "no round trip of 1ms", "\"80ms\" between all"),
    (BROKER, "wan = { rtt = [[\"0ms\"]] }", 6, "1 rows for 4 sites", "a row for each site"),
    (
        BROKER,
        "wan = { bursts = { length = \"1s\" } }",
        6,
        "need a length and a share",
        "share = \"1%\"",
    ),
    (
        BROKER,
        "clients = { backoff = \"linear 1s..5s\" }",
        6,
        "unknown back-off `linear`",
        "known here: full-jitter",
    ),
    (
        BROKER,
        "clients = { backoff = \"full-jitter 60s..1s\" }",
        6,
        "the first wait is the longest",
        "full-jitter 1s..1m",
    ),
    (
        BROKER,
        "clients = { backoff = [\"50% fixed 5s\"] }",
        6,
        "the shares are 50% together",
        "100% together",
    ),
    (BROKER, "clients = { away = \"5s\" }", 6, "they never leave", "stay = \"10m\""),
    (
        7,
        "[[site]]\nname = \"x\"\n[[at]]",
        5,
        "there are [[site]] tables as well",
        "remove one of the two",
    ),
    (
        BROKER,
        "[policy]\nspill = false",
        7,
        "policy.spill = false: must be a table",
        "write spill = { enabled = false }",
    ),
    (
        BROKER,
        "[policy]\nspill = \"off\"",
        7,
        "must be a table",
        "spill = { enabled = true } or spill = { enabled = false }",
    ),
];

const FAULTS: &[Case] = &[
    (
        DO,
        "do = \"broker.crush\"",
        10,
        "unknown fault; did you mean `broker.crash`?",
        "known here: broker.crash",
    ),
    (DO, "", 7, "no do", "do = \"site.down\""),
    (DO, "do = \"site.down\"", 11, "site.down befalls a site, not a broker", "on = \"site:fra\""),
    (DO, "do = \"broker.crash\"\nhow = \"drain\"", 11, "unknown way", "known here: rst, silent"),
    (DO, "do = \"broker.hang\"\nhow = \"silent\"", 11, "broker.hang takes no how", "remove it"),
    (DO, "do = \"broker.slow\"", 7, "broker.slow needs by", "by = \"10x\""),
    (DO, "do = \"broker.slow\"\nby = \"10\"", 11, "must be 2x to 100_000x", "write \"10x\""),
    (
        DO,
        "do = \"broker.crash\"\ndelay = \"1s\"",
        11,
        "broker.crash takes no delay",
        "it takes how, for",
    ),
    (ON, "", 7, "no on", "on = \"broker:fra/*\""),
    (ON, "on = \"broker:fra\"", 11, "which broker of the site?", "\"broker:fra/1\""),
    (ON, "on = \"broker:fra/9\"", 11, "no broker 9 there", "counted from 1 to 4"),
    (ON, "on = \"9 of broker:fra/*\"", 11, "of those there are 4", "at most \"4 of broker:fra/*\""),
    (ON, "on = \"17 of broker:*/*\"", 11, "of those there are 16", "at most \"16 of broker:*/*\""),
    (
        ON,
        "on = \"broker:far/1\"",
        11,
        "unknown site `far`; did you mean `fra`?",
        "known here: fra, nyc",
    ),
    (ON, "on = \"broker:@xx/1\"", 11, "unknown region `xx`", "known here: as"),
    (
        ON,
        "on = \"brokers:fra/1\"",
        11,
        "unknown kind of target `brokers`; did you mean `broker`?",
        "known here: site",
    ),
    (ON, "on = \"broker:fra/0\"", 11, "`0` is no number", "count from 1"),
    (ON, "on = \"broker:fra/3..1\"", 11, "the range runs backwards", "write \"broker:fra/1..3\""),
    (ON, "on = \"ten\"", 11, "no selector", "selectors look like"),
    (T, "", 7, "when?", "t = \"2m\""),
    (T, "t = \"5m\"", 9, "the drill ends at 5m", "make it earlier"),
    (T, "t = \"6m\"", 9, "t = \"6m\": the drill ends at 5m", "or the drill longer"),
    (T, "t = \"1m\"\nafter = \"lost\"", 10, "it begins at t already", "remove one"),
    (T, "after = \"lost\"", 9, "no fault is called `lost`", "give that [[at]] a name"),
    (T, "after = \"1m\"", 9, "a time, not an event", "write t = \"1m\""),
    (
        T,
        "after = \"site:fra dad\"",
        9,
        "unknown event `dad`; did you mean `dead`?",
        "known here: dead",
    ),
    (FOR, "for = \"10m\"", 12, "it ends at 11m, and the drill at 5m", "at most for = \"4m\""),
    (
        FOR,
        "every = \"2m\"\nfor = \"1s\"\n[[at]]\nt = \"1s\"\ndo = \"broker.hang\"\non = \"broker:*/*\"\nevery = \"1m\"",
        18,
        "it comes to the last of its targets at 901s",
        "shorten it",
    ),
    (
        FOR,
        "[[at]]\nname = \"lost\"\nt = \"2m\"\ndo = \"node.pause\"\non = \"node:fra/1\"",
        13,
        "a fault above has this name",
        "name = \"lost-2\"",
    ),
    (
        FOR,
        "[[at]]\nafter = \"lost ends\"\ndo = \"node.pause\"\non = \"node:fra/1\"",
        13,
        "lost lasts to the end",
        "for = \"…\"",
    ),
    (NAME, "name = \"a b\"", 8, "must be 1 to 64", "\"a-b\""),
    (NAME, "name = \"Über (alt)\"", 8, "must be 1 to 64", "for example \"Ueber-alt\""),
    (NAME, "name = \"東京\"", 8, "must be 1 to 64", "for example \"plant-1\""),
];

const EXPECTATIONS: &[Case] = &[
    (RECOVER, "", 13, "expects nothing", "recover = \"…\" with within"),
    (
        RECOVER,
        "recover = \"affected.served >= 0.99\"",
        15,
        "`0.99` is no value of affected.served",
        "a whole number",
    ),
    (
        RECOVER,
        "recover = \"affected.serve_ratio >= 0.99\"",
        15,
        "unknown metric `affected.serve_ratio`; did you mean `affected.served_ratio`?",
        "known here: affected.",
    ),
    (RECOVER, "recover = \"affected.served_ratio\"", 15, "no comparison", "a value"),
    (RECOVER, "recover = \"affected.served_ratio = 0.99\"", 15, "= is no comparison", "=="),
    (
        RECOVER,
        "recover = \"affected.served_ratio => 0.99\"",
        15,
        "`=>` is no comparison",
        "write \"affected.served_ratio >= 0.99\"",
    ),
    (
        RECOVER,
        "recover = \"affected.served_ratio >= 0.99 and all.served >= 1\"",
        15,
        "an [[expect]] takes one comparison",
        "write an [[expect]] for each",
    ),
    (
        WITHIN,
        "within = \"30s\"\n[[stop]]\nwhen = \"all.served >= 1 && all.served <= 5\"",
        18,
        "a [[stop]] takes one comparison",
        "choose one",
    ),
    (RECOVER, "recover = \"affected.served_ratio >= 99\"", 15, "is never above 1", "0.99 or 99%"),
    (
        RECOVER,
        "recover = \"all.outage_p99 <= 45\"",
        15,
        "is no value of all.outage_p99",
        "a duration",
    ),
    (
        RECOVER,
        "recover = \"all.outage_p99 <= 45s\"",
        15,
        "all.outage_p99 cannot be here",
        "use total",
    ),
    (
        RECOVER,
        "recover = \"all.disconnected == 0\"",
        15,
        "all.disconnected cannot be here",
        "never falls",
    ),
    (
        RECOVER,
        "sustain = \"affected.served_ratio >= 0.99\"",
        16,
        "sustain gives no time",
        "use recover",
    ),
    (
        WITHIN,
        "within = \"30s\"\ntotal = \"all.served >= 1\"",
        17,
        "it has recover already",
        "an [[expect]] for each",
    ),
    (WITHIN, "", 13, "no within", "within = \"45s\""),
    (WITHIN, "within = \"5m\"", 16, "it is due at 6m, and the drill ends at 5m", "shorten it"),
    (
        WITHIN,
        "within = \"30s\"\nfrom = \"lots ends\"",
        17,
        "unknown fault `lots`; did you mean `lost`?",
        "known here: lost",
    ),
    (
        WITHIN,
        "within = \"30s\"\nfrom = \"10m\"",
        17,
        "at 10m, and the drill ends at 5m",
        "make it earlier",
    ),
    (
        WITHIN,
        "within = \"30s\"\nfrom = \"2m\"\nuntil = \"1m\"",
        18,
        "until = \"1m\": at 1m, before from, which is at 2m",
        "make it later",
    ),
    (
        WITHIN,
        "within = \"30s\"\nuntil = \"30s\"",
        17,
        "at 30s, before the first fault, which is at 1m",
        "make it later",
    ),
    (
        RECOVER,
        "sustain = \"all.served >= 1\"\nfrom = \"lost\"\nuntil = \"1m\"\n[[expect]]\n\
         recover = \"all.served_ratio >= 1\"",
        17,
        "at 1m, not after from, which is at 1m",
        "make it later",
    ),
    (
        WITHIN,
        "within = \"30s\"\nof = \"node:fra/1\"",
        17,
        "is not measured of those",
        "sites: \"site:fra\"",
    ),
    (WITHIN, "within = \"30s\"\nof = \"10% of site:*\"", 17, "a draw", "name them"),
    (
        EXPECT_NAME,
        "name = \"hops\"",
        14,
        "a check of every drill has this name",
        "name = \"hops-2\"",
    ),
    (
        WITHIN,
        "within = \"30s\"\n[policy]\nwithout = \"one-hops\"",
        18,
        "unknown rule; did you mean `one-hop`?",
        "known here: commit",
    ),
    (
        WITHIN,
        "within = \"30s\"\n[policy]\nwithout = \"one-hop\"",
        18,
        "one-hop is off, and nothing must fail",
        "must_fail",
    ),
    (
        WITHIN,
        "within = \"30s\"\n[policy]\ndeadline = \"1s\"",
        18,
        "one attempt may take 5s",
        "longest of the three",
    ),
    (WITHIN, "within = \"30s\"\n[policy]\nspill = { reserve = \"10\" }", 18, "no unit", "\"10%\""),
    (WITHIN, "within = \"30s\"\n[stop]", 17, "stop must be a list of tables", "[[stop]]"),
    (WITHIN, "within = \"30s\"\n[[stop]]\nfor = \"1s\"", 17, "no when", "all.served_ratio"),
    (
        WITHIN,
        "within = \"30s\"\n[[stop]]\nwhen = \"all.outage_max > 1s\"",
        18,
        "is not known before the end",
        "at every moment",
    ),
    (
        WITHIN,
        "within = \"30s\"\n[entry]\npolicy = \"closest\"",
        18,
        "must be one of \"nearest\"",
        "write policy =",
    ),
];

#[test]
fn each_error_is_placed_and_has_a_remedy() {
    let mut wrong = Vec::new();
    for (number, line, blamed, message, help) in
        [NOT_TOML, KEYS_AND_TYPES, HEAD, WORLD, FAULTS, EXPECTATIONS].concat()
    {
        let text = base_with(number, line);
        let findings = refused(line, parse(&text));
        let fits = findings.len() == 1
            && findings[0].line == Some(blamed)
            && findings[0].message.contains(message)
            && findings[0].help.contains(help);
        if !fits {
            let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
            let told = told.join("\n");
            wrong.push(format!("{line}\nexpected {blamed}: {message} / {help}\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_a_file_lacks_is_said_of_the_whole_file() {
    for (text, message) in [
        ("", "empty file"),
        ("[mesh]\nsites = 1\n[[expect]]\ntotal = \"all.served >= 1\"", "no [drill]"),
        ("[drill]\nhypothesis = \"x\"\nduration = \"1m\"\n[mesh]\nsites = 1", "no [[expect]]"),
    ] {
        let findings = refused(text, parse(text));
        assert_eq!((findings.len(), findings[0].line), (1, None), "{findings:#?}");
        assert!(findings[0].message.contains(message), "{findings:#?}");
    }
}

#[test]
fn metrics_need_what_they_measure() {
    let head = "[drill]\nhypothesis = \"x\"\nduration = \"1m\"\n[mesh]\nsites = 2\n[[expect]]\n";
    for (line, message, help) in [
        ("sustain = \"broker.load_max <= 1\"", "the brokers of fra have no limit", "maxconn ="),
        ("total = \"affected.disconnected == 0\"", "there is no fault", "use all"),
        (
            "sustain = \"all.served >= 0\"\n[[at]]\nt = \"1s\"\ndo = \"broker.full\"\non = \"broker:fra/1\"",
            "the brokers of fra have no limit, and are never full",
            "max_connections",
        ),
        ("recover = \"all.served_ratio >= 1\"\nwithin = \"1s\"", "recovers from what?", "from ="),
        ("sustain = \"all.served_since_notice >= 1\"", "cannot be here", "use recover"),
    ] {
        let text = format!("{head}{line}\n");
        let findings = refused(line, parse(&text));
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert!(findings[0].message.contains(message), "{findings:#?}");
        assert!(findings[0].help.contains(help), "{findings:#?}");
    }
}

#[test]
fn one_run_finds_all_there_is_to_find() {
    let text = BASE
        .replace("duration = \"5m\"", "duration = \"5m\"\nseeds = \"x\"")
        .replace("broker:fra/1", "broker:fra/99")
        .replace("within = \"30s\"", "within = \"30\"");
    let findings = refused(&text, parse(&text));
    let lines: Vec<_> = findings.iter().map(|finding| finding.line.unwrap()).collect();
    assert_eq!(lines, [4, 12, 17], "{findings:#?}");
}

#[test]
fn a_remedy_says_what_is_so_without_the_key() {
    const FLAPS: &str = "do = \"link.flap\"\nperiod = \"1ms\"\non = \"link:*<->*\"";
    const WORLD: &str = "sites = 4\nbroker = { maxconn = 1000 }";
    for (good, bad, remedy) in [
        ("sites = 4", "sites = -4", "the least is 1"),
        ("sites = 4", "sites = 500", "the most is 120"),
        ("duration = \"5m\"", "duration = \"0s\"", "the least is 1s"),
        ("within = \"30s\"", "within = \"0s\"", "the least is 1ms"),
        ("do = \"broker.crash\"\non = \"broker:fra/1\"", FLAPS, "the least is 10ms"),
        (
            "for = \"1m\"",
            "for = \"0s\"",
            "the least is 1ms; without for it lasts to the end of the drill",
        ),
        (
            "for = \"1m\"",
            "every = \"0s\"",
            "the least is 1ms; without every it comes to all at once",
        ),
        ("maxconn = 1000", "maxconn = 0", "the least is 1; leave the key out for no limit"),
        (
            WORLD,
            "nodes_per_site = 3\n[[site]]\ncity = \"fra\"\nnodes = 0",
            "the least is 1; without the key it is 3",
        ),
        (
            WORLD,
            "broker = { maxconn = 5 }\n[[site]]\ncity = \"fra\"\nbroker = { maxconn = 0 }",
            "the least is 1; without the key it is 5",
        ),
    ] {
        let findings = refused(bad, parse(&BASE.replacen(good, bad, 1)));
        assert_eq!((findings.len(), findings[0].help.as_str()), (1, remedy), "{findings:#?}");
    }
}

#[test]
fn a_city_is_known_by_its_name_too() {
    for city in ["Frankfurt", "FRANKFURT", "FRA"] {
        let sites = format!("[[site]]\ncity = \"{city}\"\n[mesh]");
        let text = BASE.replacen("[mesh]\nsites = 4", &sites, 1);
        let findings = refused(city, parse(&text));
        assert_eq!((findings.len(), findings[0].line), (1, Some(5)), "{findings:#?}");
        assert!(findings[0].message.contains("unknown city; did you mean `fra`?"), "{findings:#?}");
        assert_eq!(findings[0].help, "Frankfurt is city = \"fra\"");
    }
}

#[test]
fn an_error_points_into_the_file() {
    let error = parse(&base_with(ON, "on   = \"broker:far/1\"  # typo")).unwrap_err().to_string();
    let expected = "\
x.toml:11:8: fault \"lost\": on = \"broker:far/1\": unknown site `far`; did you mean `fra`?
 11 | on   = \"broker:far/1\"  # typo
    |        ^^^^^^^^^^^^^^
  help: known here: fra, nyc, sin, sao";
    assert_eq!(error, expected);
}

#[test]
fn a_thousand_mistakes_are_not_all_told() {
    let text = format!("{BASE}{}", "[[at]]\n".repeat(3_000));
    assert_eq!(refused("many", parse(&text)).len(), 100);
}

#[test]
fn the_table_is_long_enough() {
    let tables = [NOT_TOML, KEYS_AND_TYPES, HEAD, WORLD, FAULTS, EXPECTATIONS];
    assert!(tables.iter().map(|table| table.len()).sum::<usize>() >= 20);
}

#[test]
fn round_trips_are_the_same_both_ways() {
    for (rows, problem) in [
        ("[[\"0ms\", \"20ms\"], [\"30ms\", \"0ms\"]]", "from fra to nyc and back it is 20ms"),
        ("[[\"5ms\", \"20ms\"], [\"20ms\", \"0ms\"]]", "from fra to itself it is \"0ms\""),
        ("[[\"0ms\", \"20ms\"], [\"20ms\"]]", "1 values for 2 sites"),
        ("[[\"0ms\", \"20\"], [\"20ms\", \"0ms\"]]", "no round trip of 1ms to 60s"),
    ] {
        let text = base_with(SITES, &format!("sites = 2\nwan = {{ rtt = {rows} }}"));
        let findings = refused(rows, parse(&text));
        assert_eq!((findings.len(), findings[0].line), (1, Some(6)), "{findings:#?}");
        assert!(findings[0].message.contains(problem), "{findings:#?}");
    }
    let missing =
        "[[site]]\nname = \"a\"\n[[site]]\nname = \"b\"\n[[expect]]\ntotal = \"all.served >= 1\"";
    let text = format!("[drill]\nhypothesis = \"x\"\nduration = \"1m\"\n{missing}");
    let findings = refused(&text, parse(&text));
    assert!(findings[0].message.contains("how far is \"a\" from the others?"), "{findings:#?}");
}
