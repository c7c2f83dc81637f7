//! Why a run failed, in a word that stays the same while a drill is made smaller.

use std::fmt;

use crate::rehearsal::record::Record;

/// What a failed run failed by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Blame {
    /// The program itself gave up: an assertion, an index. Its message, with numbers left out.
    Panic(String),
    /// A check of every drill, by its word.
    Check(String),
    /// An expectation, by its name.
    Expectation(String),
}

/// All that a run failed by, the gravest first. What is meant to fail is no failure.
pub fn blames(record: &Record) -> Vec<Blame> {
    let found = record.checks.iter().filter(|check| check.found > 0 && !check.must_fail);
    let checks = found.map(|check| Blame::Check(check.check.clone()));
    let missed = record.expectations.iter().filter(|one| one.held == Some(false) && !one.must_fail);
    checks.chain(missed.map(|one| Blame::Expectation(one.name.clone()))).collect()
}

impl Blame {
    /// Of a panic with this message: two panics at one place are one, whatever they counted.
    pub fn panic(message: &str) -> Blame {
        let mut said = String::new();
        for c in message.lines().next().unwrap_or_default().chars().take(200) {
            match c {
                '0'..='9' if said.ends_with('#') => {}
                '0'..='9' => said.push('#'),
                c => said.push(c),
            }
        }
        Blame::Panic(said)
    }

    /// A word for a file's name.
    pub fn word(&self) -> &str {
        match self {
            Blame::Panic(_) => "panic",
            Blame::Check(word) | Blame::Expectation(word) => word,
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blame::Panic(message) => write!(f, "panic: {message}"),
            Blame::Check(word) => write!(f, "check {word}"),
            Blame::Expectation(name) => write!(f, "expectation {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_that_differ_in_numbers_are_one() {
        let one = Blame::panic("index 17 of 4 at left: 3\nsecond line");
        assert_eq!(one, Blame::panic("index 2 of 99 at left: 12"));
        assert_ne!(one, Blame::panic("index 2 of 99 at right: 12"));
        assert_eq!(one.to_string(), "panic: index # of # at left: #");
    }
}
