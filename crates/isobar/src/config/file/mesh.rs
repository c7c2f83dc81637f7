//! `[mesh]` as typed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::bounds;
use crate::config::placed::Placed;

/// Other sites and siblings: who they are, where they are, and by what they are known. Every key
/// has a default; `isobar cert` makes the files and prints this table. Files are read again when
/// they change.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mesh {
    /// The mesh, a DNS name in lower case. Certificates of another are refused.
    #[schemars(extend("default" = "as the certificate says", "x-type" = "DNS name"))]
    pub name: Option<Placed<String>>,

    /// UDP address and port to listen on, and to speak from.
    #[schemars(extend("default" = bounds::MESH_BIND, "x-type" = "address:port"))]
    pub bind: Option<Placed<String>>,

    /// Where other nodes reach this one; needed behind a wildcard or NAT.
    #[schemars(extend("default" = "`bind`", "x-type" = "address:port"))]
    pub advertise: Option<Placed<String>>,

    /// Some other nodes, for the first contact: `198.51.100.7:7443`, a DNS name with a port, or
    /// one with SRV records, `_isobar._udp.example.com`. Names are looked up again and again. This
    /// node may be among them, and each may be down.
    #[schemars(extend("default" = "none: the others come",
        "x-type" = "list of address:port, name:port or SRV name", "x-limits" = "up to 64"))]
    pub join: Option<Placed<Vec<Placed<String>>>>,

    /// Whether the kernel may split one large write into datagrams (generic segmentation
    /// offload); `false` where a network card or its driver spoils that.
    #[schemars(extend("default" = "true"))]
    pub gso: Option<Placed<bool>>,

    /// Certificates of the mesh's CA: one, or old and new while it is being replaced.
    #[schemars(extend("default" = bounds::MESH_CA, "x-type" = "path"))]
    pub ca: Option<Placed<String>>,

    /// This node's certificate, which names its site and itself.
    #[schemars(extend("default" = "`node`.pem", "x-type" = "path"))]
    pub cert: Option<Placed<String>>,

    /// Its private key, readable to isobar alone.
    #[schemars(extend("default" = "`node`.key", "x-type" = "path"))]
    pub key: Option<Placed<String>>,

    /// Certificates and nodes that are no longer trusted: a line is a SHA-256 fingerprint or a
    /// `spiffe://…`, and `#` begins a comment.
    #[schemars(extend("default" = "none", "x-type" = "path"))]
    pub deny: Option<Placed<String>>,
}
