//! The configuration reference, generated from the types of [`super::file`].
//!
//! `docs/configuration.md` is this module's output; a test fails when it is stale. Findings use
//! the same descriptions to say what a key takes.

use std::fmt::Write;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::File;

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from crates/isobar/src/config/file by `ISOBAR_BLESS=1 cargo test -p isobar --test config`. -->

A node reads one TOML file: `isobar run -c FILE`. `isobar check FILE` says whether it would,
and points at what is wrong. Only a service with its `bind` and a broker must be there:

```toml
[[service]]
name = \"mqtt\"
bind = [\"0.0.0.0:1883\"]

  [[service.broker]]
  addr = \"192.168.0.36:1883\"
```

- Durations are written `\"500ms\"`, `\"2s\"`, `\"1m\"`, `\"1h\"`; sizes `\"512B\"`, `\"64KiB\"`, `\"1MiB\"`;
  shares `\"10%\"`. A number without its unit is refused.
- Names of sites, nodes, services and brokers are 1 to 64 of `A-Z a-z 0-9 . _ -`.
- Files named in the file are looked up from the folder it stands in.
- Unknown keys are refused, with the nearest known one.
- The file is UTF-8 and at most 1 MiB.
";

/// One table of the file.
#[derive(Clone, Debug)]
pub struct TableDoc {
    /// Keys from the top: `service.broker`; empty for the top itself.
    pub path: Vec<String>,
    /// As the file opens it: `[[service.broker]]`.
    pub title: String,
    /// What it is for.
    pub doc: String,
    /// Its keys, in the order of the types.
    pub keys: Vec<KeyDoc>,
}

impl TableDoc {
    /// Whether a table with these keys from the top is one of these: a name that the operator
    /// gives is any.
    fn is_at(&self, path: &[String]) -> bool {
        let same = |(own, other): (&String, &String)| own == other || own == NAME;
        self.path.len() == path.len() && self.path.iter().zip(path).all(same)
    }
}

/// Stands for a name that the operator gives to a table.
const NAME: &str = "NAME";

/// One key of a table.
#[derive(Clone, Debug)]
pub struct KeyDoc {
    /// The key.
    pub name: String,
    /// What its value is: `duration`, `whole number`, …
    pub kind: String,
    /// What holds when it is absent.
    pub default: String,
    /// What its value must be within; may be empty.
    pub limits: String,
    /// What it does.
    pub doc: String,
}

impl KeyDoc {
    /// What its value must be, to follow "must be".
    pub(crate) fn takes(&self) -> String {
        match self.kind.as_str() {
            kind if kind.starts_with("address") => format!("an {kind}"),
            kind if kind.starts_with('"') => format!("one of {kind}"),
            kind if kind.starts_with("true") || kind.starts_with("two") => kind.to_owned(),
            kind => format!("a {kind}"),
        }
    }

    fn is_built(&self) -> bool {
        self.kind != "not yet"
    }
}

/// The whole of `docs/configuration.md`.
pub fn markdown() -> String {
    let tables = tables();
    let mut page = INTRODUCTION.to_owned();
    for table in &tables {
        let _ = write!(page, "\n## {}\n\n{}\n\n", table.title, table.doc);
        page.push_str("| key | takes | default | limits | what it does |\n|---|---|---|---|---|\n");
        for key in table.keys.iter().filter(|key| key.is_built()) {
            let cells = [&key.kind, &key.default, &key.limits, &key.doc];
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(page, "| `{}` | {} |", key.name, cells.join(" | "));
        }
    }
    page.push_str(
        "\n## Not yet\n\nThese keys are known and refused until what they ask for exists.\n\n",
    );
    page.push_str("| key | in | what it will do |\n|---|---|---|\n");
    for table in &tables {
        for key in table.keys.iter().filter(|key| !key.is_built()) {
            let _ = writeln!(page, "| `{}` | {} | {} |", key.name, table.title, key.doc);
        }
    }
    page
}

/// What is known of the key at `path`, counted from the top without positions in lists.
pub(crate) fn key(tables: &[TableDoc], path: &[String]) -> Option<KeyDoc> {
    let (name, table) = path.split_last()?;
    let table = tables.iter().find(|candidate| candidate.is_at(table))?;
    table.keys.iter().find(|key| key.name == *name).cloned()
}

/// Whether a table stands at `path`.
pub(crate) fn is_table(tables: &[TableDoc], path: &[String]) -> bool {
    tables.iter().any(|table| table.is_at(path))
}

/// The tables that know a key of this name.
pub(crate) fn tables_with(tables: &[TableDoc], name: &str) -> Vec<String> {
    let knows = |table: &&TableDoc| table.keys.iter().any(|key| key.name == name);
    tables.iter().filter(knows).map(|table| table.title.clone()).collect()
}

/// Every table of the file, outer before inner.
pub fn tables() -> Vec<TableDoc> {
    tables_of::<File>("The node")
}

/// Every table of a file of this type, whose top is called `top`.
pub(crate) fn tables_of<T: JsonSchema>(top: &str) -> Vec<TableDoc> {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut tables = Vec::new();
    collect(schema.as_value(), Vec::new(), top.to_owned(), &mut tables);
    tables
}

fn collect(schema: &Value, path: Vec<String>, title: String, tables: &mut Vec<TableDoc>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let keys = properties.iter().map(|(name, property)| describe(name, property)).collect();
    tables.push(TableDoc {
        path: path.clone(),
        title: title.clone(),
        doc: text(schema, "description"),
        keys,
    });
    for (name, property) in properties {
        let mut inner = path.clone();
        inner.push(name.clone());
        for branch in branches(property) {
            if let Some(each) = branch.get("additionalProperties").filter(|each| each.is_object()) {
                let inner = [&inner[..], &[NAME.to_owned()]].concat();
                let title = format!("`[{}]`", inner.join("."));
                collect(each, inner, title, tables);
                continue;
            }
            let is_list = branch.get("items").is_some();
            let outer = if path.is_empty() { "" } else { &title };
            let name_of = Inner { path: &path, name, outer };
            let inner_title = name_of.title(kind(property) == "tables", is_list);
            let elements = branch.get("items").map_or_else(|| vec![branch], branches);
            for element in elements {
                collect(element, inner.clone(), inner_title.clone(), tables);
            }
        }
    }
}

/// A table within another.
struct Inner<'a> {
    path: &'a [String],
    name: &'a str,
    /// The outer table's title; empty for the top.
    outer: &'a str,
}

impl Inner<'_> {
    /// How the file opens it.
    fn title(&self, in_double_brackets: bool, is_list: bool) -> String {
        let Inner { path, name, outer } = *self;
        let full = path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        match (in_double_brackets, is_list, outer.is_empty()) {
            (true, _, _) => format!("`[[{full}]]`"),
            (_, true, _) => format!("`{name} = [{{ … }}]` in {outer}"),
            (_, _, true) => format!("`[{full}]`"),
            _ => format!("`{name} = {{ … }}` in {outer}"),
        }
    }
}

fn describe(name: &str, property: &Value) -> KeyDoc {
    let mut doc = text(property, "description");
    for branch in branches(property) {
        if let (Some(choice), Some(says)) = (branch.get("const"), branch.get("description")) {
            let choice = choice.as_str().unwrap_or_default();
            let _ = write!(doc, " `{choice}`: {}", says.as_str().unwrap_or_default());
        }
    }
    KeyDoc {
        name: name.to_owned(),
        kind: kind(property),
        default: text(property, "default"),
        limits: text(property, "x-limits"),
        doc,
    }
}

/// What a value is, in words.
fn kind(property: &Value) -> String {
    let alternatives = branches(property);
    let stated = std::iter::once(property).chain(alternatives.iter().copied());
    if let Some(stated) = stated.filter_map(|schema| schema.get("x-type")?.as_str()).next() {
        return stated.to_owned();
    }
    let choices: Vec<String> = alternatives
        .iter()
        .filter_map(|branch| branch.get("const")?.as_str())
        .map(|choice| format!("\"{choice}\""))
        .collect();
    if !choices.is_empty() {
        return choices.join(", ");
    }
    let is = |name: &str| alternatives.iter().any(|branch| has_type(branch, name));
    let named = [
        ("integer", "whole number"),
        ("boolean", "true or false"),
        ("string", "text"),
        ("object", "table"),
        ("array", "list"),
    ];
    named.iter().find(|(name, _)| is(name)).map_or("value", |(_, words)| words).to_owned()
}

fn has_type(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(any)) => any.iter().any(|one| one == name),
        _ => false,
    }
}

/// The alternatives of a schema, however deep; itself where it has none.
fn branches(schema: &Value) -> Vec<&Value> {
    match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        Some(alternatives) => alternatives.iter().flat_map(branches).collect(),
        None => vec![schema],
    }
}

/// A text of the schema on one line.
fn text(schema: &Value, key: &str) -> String {
    let text = schema.get(key).and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
