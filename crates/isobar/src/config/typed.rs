//! Stage one: text becomes the file as typed, or the first thing that stands in the way.
//!
//! The parser knows what it expected; the operator knows what they meant. This file stands
//! between them: it names the key and its service, says what the key takes, and guesses at
//! misspellings.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Deserializer;
use toml::de::{DeTable, DeValue, Error};

use super::bounds::NAME_MAX;
use super::finding::{ConfigError, Finding, member_name};
use super::reference::{self, TableDoc};
use super::source::Source;

/// What differs between the sorts of files that are read: how to speak of one.
pub(crate) struct Dialect {
    /// What a file needs at least, and where to see one.
    pub(crate) start: &'static str,
    /// A file to learn from.
    pub(crate) example: &'static str,
    /// Where its keys are documented.
    pub(crate) page: &'static str,
    /// Its tables, generated from its types.
    pub(crate) tables: fn() -> Vec<TableDoc>,
    /// How a table that may stand several times begins a further time.
    pub(crate) another: &'static str,
    /// Brackets and braces as they are closed.
    pub(crate) closed: &'static str,
    /// What the tables of a list are called, by the path of the list.
    pub(crate) member: fn(&[&str]) -> Option<&'static str>,
}

/// The configuration of a node.
pub(crate) const NODE: Dialect = Dialect {
    start: "the least is a service with its bind and a broker; see configs/minimal.toml",
    example: "configs/one-site.toml",
    page: "docs/configuration.md",
    tables: reference::tables,
    another: "a further service or broker begins with its own [[service]] or [[service.broker]]",
    closed: "[admin], [[service]], { kind = \"tcp\" }",
    member: |path| match path {
        ["service"] => Some("service"),
        ["service", "broker"] => Some("broker"),
        _ => None,
    },
};

/// Parses the text and sorts it into the known keys.
pub(crate) fn parse<T: DeserializeOwned>(
    source: &Source<'_>,
    dialect: &Dialect,
) -> Result<T, ConfigError> {
    if source.text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(Finding::whole_file(source.file, "empty file", dialect.start).into());
    }
    let tree = DeTable::parse(source.text).map_err(|error| syntax(source, &error, dialect))?;
    let typed = T::deserialize(Deserializer::from(tree));
    typed.map_err(|error| misfit(source, &error, dialect).into())
}

/// A text that is not TOML.
fn syntax(source: &Source<'_>, error: &Error, dialect: &Dialect) -> Finding {
    let at = error.span().unwrap_or(0..0);
    let message = error.message();
    let found = source.quote(&at);
    let help = if message.starts_with("string values must be quoted") {
        if found.is_empty() {
            "give the key a value, or remove the line".to_owned()
        } else {
            format!("put it in quotes: \"{}\"", found.replace(['"', '\''], ""))
        }
    } else if message.starts_with("duplicate key") {
        let another = dialect.another;
        format!("a key may stand once in its table; remove one of the two ({another})")
    } else if message.contains("string") || message.contains("escape") {
        "close the quotes on the same line; a backslash is written \\\\".to_owned()
    } else if message.starts_with("unclosed array,") {
        "close the list with ]".to_owned()
    } else if message.starts_with("unclosed") {
        format!("close it: {}", dialect.closed)
    } else if message.starts_with("key with no value") {
        "write key = value, or [table] alone on its line".to_owned()
    } else if message.starts_with("unexpected key or value") {
        "one key = value to a line".to_owned()
    } else {
        format!("TOML is key = value, [table] and [[list of tables]]; see {}", dialect.example)
    };
    Finding::at(source, &at, "", format!("not TOML: {message}"), help)
}

/// TOML that is no such file: an unknown key, or a value of the wrong type.
fn misfit(source: &Source<'_>, error: &Error, dialect: &Dialect) -> Finding {
    let at = error.span().unwrap_or(0..0);
    let message = error.message();
    // It parsed a moment ago; without the tree only the names are lost.
    let place = DeTable::parse(source.text)
        .ok()
        .and_then(|tree| locate(tree.get_ref(), &at, dialect))
        .unwrap_or_default();
    let (message, help) = if let Some(rest) = message.strip_prefix("unknown field ") {
        unknown_key(rest, &place, dialect)
    } else if let Some(rest) = message.strip_prefix("unknown variant ") {
        unknown_choice(rest, &place, &source.quote(&at))
    } else {
        wrong_type(message, &place, &source.quote(&at), dialect)
    };
    Finding::at(source, &at, &place.scope, message, help)
}

fn unknown_key(message: &str, place: &Place, dialect: &Dialect) -> (String, String) {
    let mut names = quoted(message);
    let known = names.split_off(names.len().min(1));
    let key = names.pop().unwrap_or_default();
    let list = format!("keys known here: {}", known.join(", "));
    if let Some(nearest) = nearest(key, &known) {
        return (format!("unknown key `{key}`; did you mean `{nearest}`?"), list);
    }
    let elsewhere = reference::tables_with(&(dialect.tables)(), key);
    if !elsewhere.is_empty() {
        let help = format!("`{key}` belongs in {}; {list}", elsewhere.join(" or "));
        return (format!("unknown key `{key}` here"), help);
    }
    let inside =
        if place.table.is_empty() { String::new() } else { format!(" in {}", place.table) };
    (format!("unknown key `{key}`{inside}"), format!("remove it; {list}"))
}

fn unknown_choice(message: &str, place: &Place, found: &str) -> (String, String) {
    let mut names = quoted(message);
    let known = names.split_off(names.len().min(1));
    let typed = names.pop().unwrap_or_default();
    let choices: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
    let must = format!("{} = {found}: must be one of {}", place.key, choices.join(", "));
    let guess = nearest(typed, &known).unwrap_or(known.first().copied().unwrap_or_default());
    (must, format!("write {} = \"{guess}\"", place.leaf()))
}

fn wrong_type(message: &str, place: &Place, found: &str, dialect: &Dialect) -> (String, String) {
    let tables = (dialect.tables)();
    let Some(key) = reference::key(&tables, &place.path) else {
        if reference::is_table(&tables, &place.path) {
            let help = format!("write [{}] on a line of its own, and its keys below", place.key);
            return (format!("{} = {found}: must be a table", place.key), help);
        }
        return (format!("{found}: {message}"), format!("see {}", dialect.page));
    };
    let name = &place.key;
    if key.kind == "tables" {
        let help = format!("write [[{}]], in double brackets, once for each", place.path.join("."));
        return (format!("{name} must be a list of tables"), help);
    }
    let must = if place.is_element {
        format!("{name} has {found}: must be {}", key.takes())
    } else {
        format!("{name} = {found}: must be {}", key.takes())
    };
    let name = place.leaf();
    let bare = found.trim_matches(['"', '\'']);
    let is_quoted = bare.len() < found.len();
    let is_number = bare.replace('_', "").parse::<i64>().is_ok();
    let help = match key.kind.as_str() {
        "whole number" if is_quoted && is_number => {
            format!("write it without quotes: {name} = {bare}")
        }
        "true or false" if is_quoted && matches!(bare, "true" | "false") => {
            format!("write it without quotes: {name} = {bare}")
        }
        "true or false" => format!("write {name} = true or {name} = false"),
        "name" | "text" | "path" if is_number => {
            format!("put it in quotes: {name} = \"{found}\"")
        }
        kind if kind.starts_with("list") && place.is_element && is_number => {
            format!("put it in quotes: \"{found}\"")
        }
        kind if kind.starts_with("list") && !found.starts_with(['[', '{']) => {
            format!("put it in brackets: {name} = [{found}]")
        }
        _ if key.limits.is_empty() => format!("default: {}", key.default),
        _ => format!("{}; default: {}", key.limits, key.default),
    };
    (must, help)
}

/// What stands between backticks, in order.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// The known name that `name` most likely is a misspelling of.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // No key is that long, and the distance takes time and space in proportion.
    if name.len() > NAME_MAX {
        return None;
    }
    let plain = name.to_ascii_lowercase().replace('-', "_");
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&plain, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .map(|(_, candidate)| candidate)
}

/// A place in the tree, as the operator knows it.
#[derive(Clone, Default)]
struct Place {
    /// For example `service "mqtt", broker "serv1"`.
    scope: String,
    /// The key within that table, for example `check.inter`.
    key: String,
    /// For example `[admin]`; empty at the top.
    table: String,
    /// Whether it is one of the values in a list.
    is_element: bool,
    /// Keys from the top, without positions in lists.
    path: Vec<String>,
}

impl Place {
    /// The key as it is written where it stands, without the tables around it.
    fn leaf(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

/// The place of the key or value that stands exactly at `at`.
fn locate(table: &DeTable<'_>, at: &Range<usize>, dialect: &Dialect) -> Option<Place> {
    search(table, at, &Place::default(), dialect)
}

fn search(
    table: &DeTable<'_>,
    at: &Range<usize>,
    here: &Place,
    dialect: &Dialect,
) -> Option<Place> {
    table.iter().find_map(|(key, value)| {
        let mut inside = here.clone();
        inside.path.push(key.get_ref().to_string());
        inside.key = match here.key.as_str() {
            "" => key.get_ref().to_string(),
            outer => format!("{outer}.{}", key.get_ref()),
        };
        if key.span() == *at || value.span() == *at {
            return Some(Place { table: here.table.clone(), ..inside });
        }
        search_value(value.get_ref(), at, &inside, dialect)
    })
}

fn search_value(
    value: &DeValue<'_>,
    at: &Range<usize>,
    here: &Place,
    dialect: &Dialect,
) -> Option<Place> {
    match value {
        DeValue::Table(table) => {
            let name = format!("[{}]", here.path.join("."));
            search(table, at, &Place { table: name, ..here.clone() }, dialect)
        }
        DeValue::Array(array) => array.iter().enumerate().find_map(|(index, element)| {
            if element.span() == *at {
                return Some(Place { is_element: true, ..here.clone() });
            }
            let mut inside = here.clone();
            if let Some(name) = member(here, index, element.get_ref(), dialect) {
                inside.scope =
                    [here.scope.as_str(), &name].join(", ").trim_matches([',', ' ']).to_owned();
                inside.key.clear();
            }
            search_value(element.get_ref(), at, &inside, dialect)
        }),
        _ => None,
    }
}

/// What a service or broker is called in findings.
fn member(here: &Place, index: usize, table: &DeValue<'_>, dialect: &Dialect) -> Option<String> {
    let path: Vec<&str> = here.path.iter().map(String::as_str).collect();
    let kind = (dialect.member)(&path)?;
    let text = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
    let name = text("name").or_else(|| text("addr").filter(|_| kind == "broker"));
    Some(member_name(kind, name, index))
}
