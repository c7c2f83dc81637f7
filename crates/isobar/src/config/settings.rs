//! What a configuration file becomes: settings that nothing validates again.

use std::fmt;
use std::net::SocketAddr;

use isobar_entry::settings::EntrySettings;
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
    /// How clients find a site.
    pub entry: EntrySettings,
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

impl fmt::Debug for AdminSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminSettings")
            .field("bind", &self.bind)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .finish()
    }
}
