//! Certificates for a mesh that lives as long as its directory: a CA whose key is never written,
//! and what each node needs, named as a node's configuration looks for it by default.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use isobar_net::mesh::trust::{Identity, MeshName};

use super::failure::Failure;
use crate::cert::authority::{Authority, Life};

const DAYS: u32 = 365;

/// Makes them for nodes by site and name.
pub(crate) fn make(dir: &Path, mesh: &str, nodes: &[(String, String)]) -> Result<(), Failure> {
    let failed = |error: &dyn fmt::Display| {
        Failure::Other(format!("making the mesh's certificates: {error}"))
    };
    let mesh = MeshName::parse(mesh).map_err(|error| failed(&error))?;
    let life = Life::days(DAYS);
    let (authority, made) = Authority::make(&mesh, &life).map_err(|error| failed(&error))?;
    write(&dir.join("mesh-ca.pem"), &made.cert_pem)?;
    for (site, node) in nodes {
        let identity = Identity::new(site, node).map_err(|error| failed(&error))?;
        let made = authority.issue(&identity, &life).map_err(|error| failed(&error))?;
        write(&dir.join(format!("{node}.pem")), &made.cert_pem)?;
        write(&dir.join(format!("{node}.key")), &made.key_pem)?;
    }
    Ok(())
}

/// For its owner's eyes.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    opened
        .and_then(|mut opened| opened.write_all(text.as_bytes()))
        .map_err(Failure::io(format!("writing {}", file.display())))
}
