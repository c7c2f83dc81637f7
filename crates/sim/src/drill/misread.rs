//! Why a text of a drill is not what it should be.

/// What is wrong with a text, and what would do. Whoever read the file adds where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misread {
    /// Follows the text: `on = "site:atlantis": …`.
    pub problem: String,
    /// What would do; empty where `known` says it.
    pub help: String,
    /// The word that nobody knows, if that is the trouble.
    pub word: Option<String>,
    /// The words that would be known in its place.
    pub known: Vec<String>,
}

impl Misread {
    /// In words of its own.
    pub fn new(problem: impl Into<String>, help: impl Into<String>) -> Misread {
        Misread { problem: problem.into(), help: help.into(), word: None, known: Vec::new() }
    }

    /// A word that is none of the known ones.
    pub fn unknown<S: ToString>(what: &str, word: &str, known: &[S]) -> Misread {
        Misread {
            problem: format!("unknown {what} `{word}`"),
            help: String::new(),
            word: Some(word.to_owned()),
            known: known.iter().map(ToString::to_string).collect(),
        }
    }
}
