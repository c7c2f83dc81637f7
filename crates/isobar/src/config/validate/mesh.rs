//! `[mesh]`: where other nodes are, and by what they and this one are known.
//!
//! The files are read here as they will be at start, and judged as a peer would judge them.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use isobar_net::mesh::trust::{
    self, FileError, FileRemark, Identity, Inspection, MeshName, TrustFiles, TrustSettings, Which,
};
use isobar_net::settings::{JoinAddress, MeshSettings};

use super::Validation;
use super::node::Top;
use crate::config::address::{self, Target};
use crate::config::bounds;
use crate::config::file::Mesh;
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;

/// Reads the table; `None` if it cannot be told who this node is.
pub(super) fn read(
    v: &mut Validation<'_>,
    typed: &Placed<Mesh>,
    top: &Top,
) -> Option<MeshSettings> {
    let scope = Scope { name: "[mesh]".to_owned(), at: typed.at.clone() };
    let mesh = &typed.value;
    let bind = bind(v, &scope, mesh.bind.as_ref());
    let advertise = advertise(v, &scope, mesh, bind);
    let join = join(v, &scope, mesh.join.as_ref());
    let trust = trust(v, &scope, mesh, top)?;
    let gso = mesh.gso.as_ref().is_none_or(|on| on.value);
    Some(MeshSettings { bind, advertise: advertise?, join, gso, trust })
}

fn bind(v: &mut Validation<'_>, scope: &Scope, typed: Option<&Placed<String>>) -> SocketAddr {
    let standard = bounds::MESH_BIND.parse().expect("the default is an address");
    let Some(typed) = typed else { return standard };
    address::listen(&typed.value).unwrap_or_else(|refusal| {
        v.report.refuse(scope, "bind", &typed.at, refusal);
        standard
    })
}

/// Where others reach this node: what the file says, or what it binds if that is one address.
fn advertise(
    v: &mut Validation<'_>,
    scope: &Scope,
    mesh: &Mesh,
    bind: SocketAddr,
) -> Option<SocketAddr> {
    let port = bind.port();
    let help = format!("say where others reach this node: advertise = \"203.0.113.10:{port}\"");
    let Some(typed) = &mesh.advertise else {
        if !bind.ip().is_unspecified() {
            return Some(bind);
        }
        let at = mesh.bind.as_ref().map_or(&scope.at, |bind| &bind.at);
        let message = format!("no advertise, and bind, {bind}, is a wildcard");
        v.report.error(scope, at, message, help);
        return None;
    };
    let refusal = match address::listen(&typed.value) {
        Ok(addr) if addr.ip().is_unspecified() => {
            Refusal::new("a wildcard, which no node can reach", help)
        }
        Ok(addr) if addr.is_ipv4() != bind.is_ipv4() => {
            let problem = format!("of another family than bind, {bind}");
            Refusal::new(problem, "use IPv4 for both, or IPv6 for both")
        }
        Ok(addr) => return Some(addr),
        Err(refusal) => refusal,
    };
    v.report.refuse(scope, "advertise", &typed.at, refusal);
    None
}

fn join(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Vec<Placed<String>>>>,
) -> Vec<JoinAddress> {
    let mut nodes = Vec::new();
    let Some(typed) = typed else { return nodes };
    if typed.value.len() > bounds::JOIN_MAX {
        let help = format!("at most {}; any one leads to the others", bounds::JOIN_MAX);
        v.report.refuse(scope, "join", &typed.at, Refusal::new("too many", help));
        return nodes;
    }
    for entry in &typed.value {
        match address::target(&entry.value) {
            // Not looked up here: names change, and nodes come up in any order.
            Ok(Target::Address(addr)) => nodes.push(JoinAddress::Address(addr)),
            Ok(Target::Name(name, port)) => nodes.push(JoinAddress::Name(name, port)),
            Ok(Target::Service(name)) => nodes.push(JoinAddress::Service(name)),
            Err(Refusal { problem, .. }) => {
                let help = "a node is \"198.51.100.7:7443\", \"mesh.example.com:7443\" or \
                            \"_isobar._udp.example.com\"";
                v.report.refuse(scope, "join", &entry.at, Refusal::new(problem, help));
            }
        }
    }
    nodes
}

fn trust(v: &mut Validation<'_>, scope: &Scope, mesh: &Mesh, top: &Top) -> Option<TrustSettings> {
    let name = match mesh.name.as_ref().map(|typed| (typed, MeshName::parse(&typed.value))) {
        None => None,
        Some((_, Ok(name))) => Some(name),
        Some((typed, Err(bad))) => {
            let help = "the name that `isobar cert ca --mesh` was given";
            v.report.refuse(scope, "name", &typed.at, Refusal::new(bad.to_string(), help));
            return None;
        }
    };
    let own = match Identity::new(&top.site, &top.node) {
        Ok(own) => own,
        Err(bad) => {
            let message = format!("site and node, as a certificate names them, {bad}");
            v.report.error(scope, &scope.at, message, "choose other names at the top of the file");
            return None;
        }
    };
    let path = |typed: &Option<Placed<String>>, standard: &str| -> PathBuf {
        v.folder.join(typed.as_ref().map_or(standard, |typed| &typed.value))
    };
    let files = TrustFiles {
        ca: path(&mesh.ca, bounds::MESH_CA),
        cert: path(&mesh.cert, &format!("{}.pem", top.node)),
        key: path(&mesh.key, &format!("{}.key", top.node)),
        deny: mesh.deny.as_ref().map(|deny| v.folder.join(&deny.value)),
    };
    let settings = TrustSettings { mesh: name, own, files };
    let Inspection { found, remarks } = trust::inspect(&settings, trust::now());
    for FileRemark { which, message, help } in remarks {
        let message = format!("{}: {message}", which.key());
        v.report.warn(scope, at(mesh, which, scope), message, help);
    }
    match found {
        Ok(material) => Some(TrustSettings { mesh: Some(material.mesh), ..settings }),
        Err(errors) => {
            errors.into_iter().for_each(|error| refuse(v, scope, mesh, error));
            None
        }
    }
}

fn refuse(v: &mut Validation<'_>, scope: &Scope, mesh: &Mesh, error: FileError) {
    let FileError { which, path, problem, help } = error;
    let message = format!("{} = {path:?}: {problem}", which.key());
    v.report.error(scope, at(mesh, which, scope), message, help);
}

/// Where a file is named; the table's place for one left to its default.
fn at<'a>(mesh: &'a Mesh, which: Which, scope: &'a Scope) -> &'a Range<usize> {
    let typed = match which {
        Which::Ca => &mesh.ca,
        Which::Cert => &mesh.cert,
        Which::Key => &mesh.key,
        Which::Deny => &mesh.deny,
    };
    typed.as_ref().map_or(&scope.at, |typed| &typed.at)
}
