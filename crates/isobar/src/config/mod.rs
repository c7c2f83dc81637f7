//! The configuration: a file becomes settings, or a list of what is wrong with it.
//!
//! Two stages. [`mod@file`] is the file as typed; it knows every key and judges no value. Validation
//! turns it into [`Settings`]: units are gone, secrets are read, defaults
//! are filled in. After that nothing validates again. The first stage stops at the first
//! syntax error, unknown key or wrong type; the second finds everything there is to find.

mod address;
pub mod bounds;
pub mod file;
pub(crate) mod finding;
mod host;
pub(crate) mod placed;
pub mod reference;
mod settings;
pub(crate) mod source;
pub(crate) mod typed;
pub(crate) mod units;
pub(crate) mod validate;

use std::path::Path;

pub use finding::{ConfigError, Finding};
pub use host::Host;
pub use isobar_entry::settings::EntrySettings;
pub use placed::Placed;
pub use settings::{AdminSettings, Loaded, Location, Settings};
pub use units::{Bytes, Percent, show_count, show_duration};

use source::Source;

/// Reads and validates the file at `path`, with every file it names.
pub fn load(path: &Path, host: &Host) -> Result<Loaded, ConfigError> {
    let text = source::read(path, "check the path; configs/minimal.toml is a start")?;
    parse(path, &text, host)
}

/// Validates `text` as if it stood in the file at `path`; the files it names are read from that
/// file's folder.
pub fn parse(path: &Path, text: &str, host: &Host) -> Result<Loaded, ConfigError> {
    let source = Source::new(path, text);
    let file = typed::parse(&source, &typed::NODE)?;
    validate::settings(&file, &source, host)
}
