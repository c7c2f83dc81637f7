//! Good drills with random damage, and any bytes at all: nothing panics, and what is refused is
//! refused in words.

use std::fs;

use isobar::drill;
use isobar_sim::drill::spell;
use proptest::prelude::*;

use crate::parse;

const SOURCES: [&str; 4] = [
    include_str!("../../simulations/site-loss-silent.toml"),
    include_str!("../../simulations/rolling-drain.toml"),
    include_str!("../../simulations/clock-back.toml"),
    include_str!("../../simulations/negative/too-fast-is-full.toml"),
];

/// Pieces that stand somewhere in a drill, and some that should stand nowhere.
const TOKENS: &[&str] = &[
    "[[",
    "\"\"\"",
    "= -9223372036854775808",
    "99999999999h",
    "\"fra\"",
    "on = \"link:fra<->*\"",
    "on = \"100000000 of broker:*/*\"",
    "on = \"0.0001% of node:*/1..65535\"",
    "\"18446744073709551615\"",
    "after = \"lost ends + 9223372036854s\"",
    "every = \"1ms\"",
    "{a={a={a={a={a=1}}}}}",
    "\u{1b}[2J\u{202e}ß",
    "sustain = \"broker.load_max <= 999999999.999999\"",
    "seeds = \"0..18446744073709551615\"",
    "location = [1e308, nan]",
];

/// One piece of damage.
#[derive(Clone, Debug)]
enum Damage {
    Remove(usize, usize),
    Repeat(usize, usize),
    SwapLines(usize, usize),
    /// The value of one line gets that of another: right syntax, wrong type or place.
    SwapValues(usize, usize),
    Insert(usize, String),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = 0..1_500_usize;
    let line = 0..60_usize;
    let token = prop_oneof![
        prop::sample::select(TOKENS).prop_map(str::to_owned),
        any::<String>(),
        Just("[".repeat(300)),
    ];
    prop_oneof![
        (place.clone(), 1..100_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        (place.clone(), 1..100_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (line.clone(), line.clone()).prop_map(|(a, b)| Damage::SwapLines(a, b)),
        (line.clone(), line).prop_map(|(a, b)| Damage::SwapValues(a, b)),
        (place, token).prop_map(|(at, token)| Damage::Insert(at, token)),
    ]
}

fn apply(text: String, damage: &Damage) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut bytes = text.into_bytes();
    match damage {
        Damage::Remove(at, length) => {
            let end = bytes.len();
            bytes.drain((*at).min(end)..(at + length).min(end));
        }
        Damage::Repeat(at, length) => {
            let at = (*at).min(bytes.len());
            let copy = bytes[at..(at + length).min(bytes.len())].to_vec();
            bytes.splice(at..at, copy);
        }
        Damage::Insert(at, token) => {
            let at = (*at).min(bytes.len());
            bytes.splice(at..at, token.bytes());
        }
        Damage::SwapLines(a, b) => {
            if a.max(b) < &lines.len() {
                lines.swap(*a, *b);
            }
            return lines.join("\n");
        }
        Damage::SwapValues(a, b) => {
            let value = |line: &String| Some(line.split_once(" = ")?.1.to_owned());
            let other = lines.get(*b).and_then(value);
            if let (Some(line), Some(other)) = (lines.get_mut(*a), other)
                && let Some((key, _)) = line.split_once(" = ")
            {
                *line = format!("{key} = {other}");
            }
            return lines.join("\n");
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_refused_in_words(
        source in prop::sample::select(&SOURCES[..]),
        damages in prop::collection::vec(damage(), 0..5),
    ) {
        let text = damages.iter().fold(source.to_owned(), apply);
        match parse(&text) {
            Ok(loaded) => {
                // A plan can be asked for what comes to whom, and written as a file again.
                let again = parse(&spell(&loaded.drill)).map(|loaded| loaded.drill);
                prop_assert!(again.as_ref().is_ok_and(|again| *again == loaded.drill), "{again:?}");
                prop_assert!(loaded.drill.strikes(1).iter().all(|strike| !strike.targets.is_empty()));
            }
            Err(error) => {
                prop_assert!(!error.findings.is_empty());
                for finding in &error.findings {
                    prop_assert!(!finding.message.is_empty() && !finding.help.is_empty(), "{error}");
                    let lines = text.matches('\n').count() + 1;
                    prop_assert!(finding.line.is_none_or(|line| (1..=lines).contains(&line)));
                }
                let shown = error.to_string();
                let is_harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
                prop_assert!(shown.chars().all(is_harmless), "{shown:?}");
            }
        }
    }

    #[test]
    fn any_text_at_all(text in any::<String>()) {
        let _ = parse(&text);
    }

    /// The small languages take any text.
    #[test]
    fn any_text_in_a_value(text in "[ -~ä]{0,40}", line in 1..17_usize) {
        let quoted = text.replace(['\\', '"'], "");
        let keys = ["on", "after", "recover", "of", "from", "seeds", "without", "rtt", "backoff"];
        let key = keys[line % keys.len()];
        let _ = parse(&crate::base_with(line.min(16), &format!("{key} = \"{quoted}\"")));
    }
}

#[test]
fn any_bytes_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes.toml");
    for bytes in
        [&b"\xff\xfe\x00"[..], b"", b"\xef\xbb\xbf", b"[drill]\nname = \"\xc3\x28\"", b"\0"]
    {
        fs::write(&path, bytes).unwrap();
        assert!(drill::load(&path).is_err());
    }
    fs::write(&path, vec![b'#'; 2 * 1024 * 1024]).unwrap();
    assert!(drill::load(&path).is_err());
}
