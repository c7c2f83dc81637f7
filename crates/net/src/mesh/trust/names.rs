//! Names in certificates: of a mesh, and of a node in it.
//!
//! A node is `spiffe://<mesh>/site/<site>/node/<node>`, in the one URI name of its certificate
//! (SPIFFE-ID 2, X.509-SVID 2). Every node of a mesh has the DNS name `isobar.<mesh>` besides, for
//! the stock verifiers, which ask for one.

use std::fmt;

use rustls::pki_types::DnsName;

/// Longest name of a site or a node; the configuration knows the same bound.
const NAME_MAX: usize = 64;
/// Longest name of a mesh; `isobar.` before it, and a DNS name ends at 253.
const MESH_MAX: usize = 200;

/// The name of a mesh: a DNS name in lower case, such as `example` or `mqtt.example.com`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MeshName(String);

/// Which node of which site.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Identity {
    /// The site's name.
    pub site: String,
    /// The node's name, unique in its site.
    pub node: String,
}

/// Why a text is no such name; completes "NAME: …".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadName(&'static str);

impl MeshName {
    /// Reads a name: labels of `a-z 0-9 -`, with dots between them.
    pub fn parse(text: &str) -> Result<MeshName, BadName> {
        let must = BadName(
            "must be a DNS name of at most 200 of a-z 0-9 - and dots, such as \"example\" or \
             \"mqtt.example.com\"",
        );
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if text.is_empty() || text.len() > MESH_MAX || !text.chars().all(fits) {
            return Err(must);
        }
        if text.ends_with('.') || text.split('.').any(|label| label.starts_with('-')) {
            return Err(must);
        }
        // The verifiers' own opinion counts: labels' lengths, no number alone at the end.
        match DnsName::try_from(format!("isobar.{text}")) {
            Ok(_) => Ok(MeshName(text.to_owned())),
            Err(_) => Err(must),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The DNS name that the certificate of each of its nodes has.
    pub fn server_name(&self) -> String {
        format!("isobar.{}", self.0)
    }

    /// The URI name of its CA: its nodes' without their path.
    pub fn spiffe(&self) -> String {
        format!("spiffe://{}", self.0)
    }
}

impl Identity {
    /// A node of a site. Both names are 1 to 64 of `A-Z a-z 0-9 . _ -`, and not `.` or `..`.
    pub fn new(site: &str, node: &str) -> Result<Identity, BadName> {
        segment(site)?;
        segment(node)?;
        Ok(Identity { site: site.to_owned(), node: node.to_owned() })
    }

    /// The URI name of its certificate.
    pub fn spiffe(&self, mesh: &MeshName) -> String {
        format!("{}/site/{}/node/{}", mesh.spiffe(), self.site, self.node)
    }
}

/// Reads a node's URI name.
pub fn parse_spiffe(uri: &str) -> Result<(MeshName, Identity), BadName> {
    let must = BadName("must look like spiffe://example/site/fra/node/fra-1");
    let rest = uri.strip_prefix("spiffe://").ok_or(must)?;
    let mut parts = rest.split('/');
    let mut next = || parts.next().ok_or(must);
    let (mesh, site_word, site, node_word, node) = (next()?, next()?, next()?, next()?, next()?);
    if parts.next().is_some() || site_word != "site" || node_word != "node" {
        return Err(must);
    }
    Ok((MeshName::parse(mesh)?, Identity::new(site, node)?))
}

fn segment(text: &str) -> Result<(), BadName> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=NAME_MAX).contains(&text.len()) && text.chars().all(fits) && text != "." && text != ".."
    {
        return Ok(());
    }
    Err(BadName("must be 1 to 64 of A-Z a-z 0-9 . _ -, and not dots alone"))
}

impl fmt::Display for MeshName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Site and node, as events and pages name a peer: `fra/fra-1`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.site, self.node)
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_its_uri() {
        let mesh = MeshName::parse("mqtt.example.com").unwrap();
        let node = Identity::new("fra", "Node_1.lan").unwrap();
        let uri = node.spiffe(&mesh);
        assert_eq!(uri, "spiffe://mqtt.example.com/site/fra/node/Node_1.lan");
        assert_eq!(parse_spiffe(&uri).unwrap(), (mesh, node));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(64);
        for bad in ["", ".", "a.", "-a", "a.-b", "A", "a_b", "a b", "1", "a.1", "ä", "a..b", &long]
        {
            assert!(MeshName::parse(bad).is_err(), "{bad}");
        }
        for good in ["example", "a-1.b", "1.a", "mesh-7"] {
            assert_eq!(MeshName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", &"a".repeat(65)] {
            assert!(Identity::new("fra", bad).is_err(), "{bad}");
            assert!(Identity::new(bad, "fra-1").is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_uri_of_a_node_is_refused() {
        for bad in [
            "",
            "spiffe://",
            "spiffe://example",
            "spiffe://example/site/fra",
            "spiffe://example/site/fra/node/",
            "spiffe://example/site//node/fra-1",
            "spiffe://example/site/fra/node/fra-1/",
            "spiffe://example/site/fra/node/fra-1?x",
            "spiffe://example/node/fra-1/site/fra",
            "spiffe://Example/site/fra/node/fra-1",
            "https://example/site/fra/node/fra-1",
            "spiffe://example/site/%66ra/node/fra-1",
        ] {
            assert!(parse_spiffe(bad).is_err(), "{bad}");
        }
    }
}
