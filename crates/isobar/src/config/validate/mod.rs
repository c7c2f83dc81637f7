//! Stage two: the file as typed becomes settings, or everything that is wrong with it.
//!
//! Each reader takes typed values, reports what it refuses, and goes on with a stand-in, so that
//! one run finds all there is to find. The stand-ins never get out: one error, and there are no
//! settings.

mod admin;
mod binds;
mod broker;
mod check;
mod effect;
mod entry;
mod idle;
mod listen;
mod mesh;
mod node;
mod pool;
mod read;
mod resolver;
mod rules;
mod secret;
mod service;
mod tls;
mod zone;

pub(crate) use service::spill;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use isobar_core::policy::Mode;
use isobar_net::settings::NodeSettings;

use super::bounds::SERVICES_MAX;
use super::file::File;
use super::finding::{ConfigError, Finding, Refusal, Report, Scope};
use super::host::Host;
use super::settings::{Loaded, Settings};
use super::source::Source;
use binds::Binds;
use pool::Pool;

/// What every reader needs at hand.
struct Validation<'a> {
    report: Report<'a>,
    host: &'a Host,
    /// Where relative file names begin.
    folder: PathBuf,
    /// Whether there are other nodes.
    has_mesh: bool,
}

/// Validates `file`, which was read from `source`.
pub(super) fn settings(
    file: &File,
    source: &Source<'_>,
    host: &Host,
) -> Result<Loaded, ConfigError> {
    let folder = match source.file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let mut v =
        Validation { report: Report::new(source), host, folder, has_mesh: file.mesh.is_some() };

    let top = node::read(&mut v, file);
    let mut binds = Binds::default();
    let admin = admin::read(&mut v, file.admin.as_ref(), &mut binds);
    let mesh = file.mesh.as_ref().and_then(|typed| mesh::read(&mut v, typed, &top));
    let resolvers = file.resolver.as_ref().map(|typed| resolver::read(&mut v, typed));
    let mut pool = Pool::default();
    let mut services = Vec::new();
    let mut names = HashMap::new();
    let typed = file.services.as_deref().unwrap_or_default();
    for (index, typed) in typed.iter().take(SERVICES_MAX).enumerate() {
        let shared = service::Shared {
            pool: &mut pool,
            binds: &mut binds,
            names: &mut names,
            node_maxconn: top.maxconn,
        };
        services.push(service::read(&mut v, index, typed, shared));
    }
    if let Some(first_beyond) = typed.get(SERVICES_MAX) {
        let help = format!("a node has at most {SERVICES_MAX}; run a second node for the rest");
        v.report.error(&Scope::top(), &first_beyond.at, "too many services", help);
    }
    let tls = tls::read(&mut v, file.tls.as_ref());
    let tables = file.tls.as_ref();
    let around = entry::Around { top: &top, services: &services, binds: &mut binds, tables };
    let entry = entry::read(&mut v, file.entry.as_ref(), around);
    let answers = entry.provision.as_ref().is_some_and(|provision| provision.mqtt);
    for service in services.iter_mut().filter(|service| service.policy.mode == Mode::Mqtt) {
        service.reception.provision = answers;
    }
    let made = idle::Made { services: &services, entry: &entry, mesh: mesh.as_ref() };
    idle::warn(&mut v, file, &made);
    pool.refuse_loops(&mut v.report, &binds);
    if typed.is_empty() {
        let help = "add [[service]] with bind = [\"0.0.0.0:1883\"], and in it [[service.broker]] \
                    with addr = \"192.168.0.36:1883\"";
        v.report.errors.push(Finding::whole_file(source.file, "no service", help));
    }

    let Report { mut errors, mut warnings, .. } = v.report;
    errors.sort_by_key(|finding| (finding.line, finding.column));
    warnings.sort_by_key(|finding| (finding.line, finding.column));
    if !errors.is_empty() {
        return Err(ConfigError { findings: errors });
    }
    let node = NodeSettings {
        site: top.site,
        node: top.node,
        maxconn: top.maxconn,
        drain_timeout: top.drain_timeout,
        workers: top.workers,
        seed: top.seed,
        brokers: pool.into_brokers(),
        services,
        mesh,
        tls,
        beside: entry.descriptors(),
        resolvers: resolvers.unwrap_or_default(),
    };
    let settings = Settings { node, admin, location: top.location, entry };
    Ok(Loaded { settings, warnings })
}

const NOT_YET: &str = "not yet in this version";
const TLS_HELP: &str = "remove it; until TLS comes to services, pass it through with mode = \"tcp\" or \
                        end it in front of this node";

/// Checks a name of the file: a site, a node, a service or a broker.
fn name(text: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=super::bounds::NAME_MAX).contains(&text.len()) && text.chars().all(fits) {
        return Ok(());
    }
    let help = match text {
        "" => "leave the key out for the default".to_owned(),
        text => format!("for example \"{}\"", usable(text)),
    };
    Err(Refusal::new("must be 1 to 64 of A-Z a-z 0-9 . _ -", help))
}

/// What stands in the alphabet of names and is likest to what was typed.
fn usable(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => name.push(c),
            'ä' => name.push_str("ae"),
            'ö' => name.push_str("oe"),
            'ü' => name.push_str("ue"),
            'Ä' => name.push_str("Ae"),
            'Ö' => name.push_str("Oe"),
            'Ü' => name.push_str("Ue"),
            'ß' => name.push_str("ss"),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name: String = name.trim_matches('-').chars().take(super::bounds::NAME_MAX).collect();
    if name.is_empty() { "plant-1".to_owned() } else { name }
}
