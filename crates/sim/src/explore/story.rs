//! A failure that was found, as a file to keep: what failed, with which seed and version, and the
//! drill that shows it.

use std::fmt::Write;

use super::blame::Blame;
use super::shrink::Shrunk;
use crate::drill::quantity::show_duration;
use crate::drill::{Drill, Seeds, spell};

/// What such a drill, and its file before `.toml`, is called.
pub fn regress_name(blame: &Blame, seed: u64) -> String {
    let name: String = format!("{}-{seed}", blame.word());
    let tail = name.len().saturating_sub(64);
    name[tail..].to_owned()
}

/// The file's text: found in the scenario of `seed` by `version`, and made small. `details` say in
/// sentences what did not hold.
pub fn regress(
    drawn: &Drill,
    shrunk: &Shrunk,
    seed: u64,
    version: &str,
    blame: &Blame,
    details: &[String],
) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        let line: String =
            line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        let _ = writeln!(text, "# {}", line.trim_end());
    };
    say(format!("Found by `isobar drill explore`: seed {seed}, version {version}."));
    say(format!("Fails: {blame}."));
    for one in details.iter().take(5) {
        say(format!("  {one}"));
    }
    say(format!("Drawn as {}; made small in {} runs.", size(drawn), shrunk.tries));
    let name = regress_name(blame, seed);
    let hypothesis = format!(
        "{}, shown by seed {seed} with {}, is mended: it must not come back",
        blame.to_string().chars().take(200).collect::<String>(),
        size(&shrunk.drill),
    );
    let hypothesis = hypothesis.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let seeds = Seeds { first: seed, last: seed };
    let drill = Drill { name, hypothesis, seeds, ..shrunk.drill.clone() };
    format!("{text}\n{}", spell(&drill))
}

fn size(drill: &Drill) -> String {
    let topology = &drill.topology;
    let counted =
        |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}, {}, {}, {} and {} in {}",
        counted(topology.sites.len() as u64, "site"),
        counted(topology.nodes(), "node"),
        counted(topology.brokers(), "broker"),
        counted(topology.clients(), "client"),
        counted(drill.faults.len() as u64, "fault"),
        show_duration(drill.duration),
    )
}
