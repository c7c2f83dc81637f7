//! What a configuration file becomes: settings that nothing validates again.

use std::fmt;
use std::net::SocketAddr;

use isobar_net::settings::NodeSettings;

use super::finding::Finding;

/// A file that was read and found good.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What works, though hardly as intended.
    pub warnings: Vec<Finding>,
}

/// Everything a process needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What moves bytes.
    pub node: NodeSettings,
    /// What shows them.
    pub admin: AdminSettings,
    /// Where the site is, if the file says so.
    pub location: Option<Location>,
    /// What clients are told, service by service, in the order of `node.services`.
    pub public: Vec<Vec<PublicAddress>>,
}

/// The stats page, metrics and health checks. Its `Debug` hides the token.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where they listen.
    pub bind: SocketAddr,
    /// What they ask for; always there where `bind` is not a loopback address.
    pub token: Option<String>,
}

/// A place on earth, in degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Location {
    /// -90 to 90.
    pub latitude: f64,
    /// -180 to 180.
    pub longitude: f64,
}

/// An address that clients are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicAddress {
    /// The address.
    pub addr: SocketAddr,
    /// The name in the certificate that clients find there.
    pub tls_name: Option<String>,
}

impl fmt::Debug for AdminSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminSettings")
            .field("bind", &self.bind)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .finish()
    }
}
