//! What is wrong with a configuration file, and how it is told.
//!
//! A finding says where (file, line, column, service, broker, key), what was found, what must be
//! there, and what would do. It is written for the person who has the file open.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use super::bounds::NAME_MAX;
use super::source::{Excerpt, Source, harmless};

/// Errors, and warnings, kept of one file: what is wrong a hundred times has one cause.
const FINDINGS_MAX: usize = 100;
/// Characters of a message or a remedy; what the file says in it may be much longer.
const TEXT_MAX: usize = 800;

/// Why a file gives no settings. Nothing was started and nothing changed.
#[derive(Clone, Debug)]
pub struct ConfigError {
    /// At least one; all of them, up to a hundred, where the file could be read to its end.
    pub findings: Vec<Finding>,
}

/// One thing wrong with the file, or worth a warning.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// The file as the operator named it.
    pub file: String,
    /// Line, from 1; absent if the file as a whole is meant.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// For example `service "mqtt", broker "serv1"`; empty at the top of the file.
    pub scope: String,
    /// What was found and what must be there.
    pub message: String,
    /// What would do.
    pub help: String,
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

/// Why a single value is refused; where it stands is for the caller to add.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    /// Follows the value: `weight = 0: …`.
    pub problem: String,
    /// What would do.
    pub help: String,
}

/// The table being read, for naming it and for pointing at it where a key is missing.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// For example `service "mqtt", broker "serv1"`.
    pub name: String,
    /// The table's header or braces.
    pub at: Range<usize>,
}

/// Collects findings, so that one run names all of them.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// The file under the findings.
    pub source: &'a Source<'a>,
    /// Each of these refuses the file.
    pub errors: Vec<Finding>,
    /// None of these does.
    pub warnings: Vec<Finding>,
}

impl Refusal {
    /// `problem` completes "key = value: …", `help` says what would do.
    pub(crate) fn new(problem: impl Into<String>, help: impl Into<String>) -> Refusal {
        Refusal { problem: problem.into(), help: help.into() }
    }
}

impl Scope {
    /// The top of the file.
    pub(crate) fn top() -> Scope {
        Scope { name: String::new(), at: 0..0 }
    }
}

impl Finding {
    /// A finding about the file as a whole.
    pub(crate) fn whole_file(
        file: &Path,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Finding {
        Finding {
            file: harmless(&file.display().to_string()),
            line: None,
            column: None,
            scope: String::new(),
            message: shown(&message.into()),
            help: shown(&help.into()),
            excerpt: None,
        }
    }

    /// A finding about the bytes `at`.
    pub(crate) fn at(
        source: &Source<'_>,
        at: &Range<usize>,
        scope: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Finding {
        let position = source.position(at.start);
        Finding {
            line: Some(position.line),
            column: Some(position.column),
            scope: scope.to_owned(),
            excerpt: Some(source.excerpt(at)),
            ..Finding::whole_file(source.file, message, help)
        }
    }
}

/// What findings call a service or broker: by its name, or by its position from 1.
pub(crate) fn member_name(kind: &str, name: Option<&str>, index: usize) -> String {
    match name {
        Some(name) => format!("{kind} {}", quote_name(name)),
        None => format!("{kind} {}", index + 1),
    }
}

/// A text of a finding, harmless and of bounded length.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(TEXT_MAX).collect();
    if cut.len() < text.len() { format!("{}…", harmless(&cut)) } else { harmless(&cut) }
}

/// A name in quotes, short and without control characters.
pub(crate) fn quote_name(name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(NAME_MAX + 1).collect();
    format!("\"{shown}\"")
}

impl<'a> Report<'a> {
    /// An empty one.
    pub(crate) fn new(source: &'a Source<'a>) -> Report<'a> {
        Report { source, errors: Vec::new(), warnings: Vec::new() }
    }

    /// Refuses the value of `key` that stands at `at`.
    pub(crate) fn refuse(&mut self, scope: &Scope, key: &str, at: &Range<usize>, refusal: Refusal) {
        let message = format!("{key} = {}: {}", self.source.quote(at), refusal.problem);
        self.error(scope, at, message, refusal.help);
    }

    /// An error in words of its own.
    pub(crate) fn error(
        &mut self,
        scope: &Scope,
        at: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.errors.len() < FINDINGS_MAX {
            self.errors.push(Finding::at(self.source, at, &scope.name, message, help));
        }
    }

    /// Something the table `scope` lacks.
    pub(crate) fn missing(&mut self, scope: &Scope, message: &str, help: impl Into<String>) {
        self.error(scope, &scope.at, message, help);
    }

    /// Something that works, though hardly as intended.
    pub(crate) fn warn(
        &mut self,
        scope: &Scope,
        at: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.warnings.len() < FINDINGS_MAX {
            self.warnings.push(Finding::at(self.source, at, &scope.name, message, help));
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{line}:{column}:")?;
        }
        if !self.scope.is_empty() {
            write!(f, " {}:", self.scope)?;
        }
        writeln!(f, " {}", self.message)?;
        if let (Some(line), Some(excerpt)) = (self.line, &self.excerpt) {
            let number = line.to_string();
            let gutter = number.len();
            writeln!(f, " {number} | {}", excerpt.line)?;
            writeln!(f, " {:gutter$} | {}{}", "", excerpt.indent, "^".repeat(excerpt.width))?;
        }
        write!(f, "  help: {}", self.help)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, finding) in self.findings.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<Finding> for ConfigError {
    fn from(finding: Finding) -> ConfigError {
        ConfigError { findings: vec![finding] }
    }
}
