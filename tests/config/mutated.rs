//! Good files with random damage: whatever comes of it, nothing panics, and what is refused is
//! refused in words.

use std::path::Path;

use isobar::config;
use proptest::prelude::*;

use crate::host;

const EXAMPLE: &str = include_str!("../../configs/one-site.toml");

const MESH: &str = include_str!("../../configs/mesh-fra.toml");

/// One piece of damage.
#[derive(Clone, Debug)]
enum Damage {
    SetByte(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize),
    SwapLines(usize, usize),
    DropLine(usize),
    /// The value of one line gets that of another: right syntax, wrong type.
    SwapValues(usize, usize),
    Insert(usize, String),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = 0..EXAMPLE.len();
    let length = 1..200_usize;
    let line = 0..EXAMPLE.lines().count();
    let token = prop_oneof![
        Just("[[".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("= -9223372036854775808".to_owned()),
        Just("99999999999h".to_owned()),
        Just("[".repeat(300)),
        Just("{a={a={a={a={a=1}}}}}".to_owned()),
        Just("\u{1b}[2J\u{202e}ß".to_owned()),
        any::<String>(),
    ];
    prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Damage::SetByte(at, byte)),
        (place.clone(), length.clone()).prop_map(|(at, length)| Damage::Remove(at, length)),
        (place.clone(), length).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (line.clone(), line.clone()).prop_map(|(a, b)| Damage::SwapLines(a, b)),
        line.clone().prop_map(Damage::DropLine),
        (line.clone(), line).prop_map(|(a, b)| Damage::SwapValues(a, b)),
        (place, token).prop_map(|(at, token)| Damage::Insert(at, token)),
    ]
}

fn apply(text: String, damage: &Damage) -> String {
    let by_line = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        lines.join("\n")
    };
    let by_byte = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = text.clone().into_bytes();
        change(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let cut = |at: usize, length: usize, end: usize| at.min(end)..(at + length).min(end);
    match damage {
        Damage::SetByte(at, byte) => by_byte(&|bytes| {
            if let Some(place) = bytes.get_mut(*at) {
                *place = *byte;
            }
        }),
        Damage::Remove(at, length) => by_byte(&|bytes| {
            bytes.drain(cut(*at, *length, bytes.len()));
        }),
        Damage::Repeat(at, length) => by_byte(&|bytes| {
            let copy = bytes[cut(*at, *length, bytes.len())].to_vec();
            let at = (*at).min(bytes.len());
            bytes.splice(at..at, copy);
        }),
        Damage::Insert(at, token) => by_byte(&|bytes| {
            let at = (*at).min(bytes.len());
            bytes.splice(at..at, token.bytes());
        }),
        Damage::SwapLines(a, b) => by_line(&|lines| {
            if a.max(b) < &lines.len() {
                lines.swap(*a, *b);
            }
        }),
        Damage::DropLine(at) => by_line(&|lines| {
            if *at < lines.len() {
                lines.remove(*at);
            }
        }),
        Damage::SwapValues(a, b) => by_line(&|lines| {
            let value = |line: &String| Some(line.split_once(" = ")?.1.to_owned());
            let other = lines.get(*b).and_then(value);
            if let (Some(line), Some(other)) = (lines.get_mut(*a), other)
                && let Some((key, _)) = line.split_once(" = ")
            {
                *line = format!("{key} = {other}");
            }
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_refused_in_words(
        damages in prop::collection::vec(damage(), 0..6),
        with_secrets in any::<bool>(),
        of_mesh in any::<bool>(),
    ) {
        // The files with secrets are not there; without them the way to settings is open.
        let names_secret = |line: &&str| line.contains("_file = ");
        let example = if of_mesh { MESH } else { EXAMPLE };
        let lines = example.lines().filter(|line| with_secrets || !names_secret(line));
        let example = lines.collect::<Vec<_>>().join("\n");
        let text = damages.iter().fold(example, apply);
        if let Err(error) = config::parse(Path::new("damaged.toml"), &text, &host()) {
            prop_assert!(!error.findings.is_empty());
            for finding in &error.findings {
                prop_assert!(!finding.message.is_empty() && !finding.help.is_empty());
                let lines = text.matches('\n').count() + 1;
                prop_assert!(finding.line.is_none_or(|line| (1..=lines).contains(&line)));
            }
            let shown = error.to_string();
            prop_assert!(shown.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{shown:?}");
        }
    }

    #[test]
    fn any_text_at_all(text in any::<String>()) {
        let _ = config::parse(Path::new("any.toml"), &text, &host());
    }
}
