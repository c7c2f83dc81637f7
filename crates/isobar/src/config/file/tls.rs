//! `[tls.NAME]` as typed.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::placed::Placed;

/// A certificate that clients are shown, under a name of your own: `[tls.edge]`. What listens
/// says which by that name; so far that is `provision` in `[entry]`. The files are read again at
/// SIGHUP and when they change; what is new is in force for new connections, once the files belong
/// together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file: the certificate, then the chain that leads to its CA.
    #[schemars(extend("default" = "needed", "x-type" = "path"))]
    pub cert: Option<Placed<String>>,

    /// A PEM file with its private key, readable to isobar alone.
    #[schemars(extend("default" = "needed", "x-type" = "path"))]
    pub key: Option<Placed<String>>,

    /// A PEM file with the CAs of client certificates. With it, a client must show a certificate
    /// of one of them.
    #[schemars(extend("default" = "none: clients show none", "x-type" = "path"))]
    pub client_ca: Option<Placed<String>>,
}
