//! What was told to clients that asked where to go, and the certificates that clients see.

use alloc::string::String;
use alloc::vec::Vec;

use super::Expiry;

/// Counts since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProvisionReport {
    /// Questions by what came of them, a stable word.
    pub outcomes: Vec<(&'static str, u64)>,
    /// Of them, those asked by MQTT.
    pub by_mqtt: u64,
    /// Connections of those who ask by HTTP, now.
    pub connections: u64,
    /// TLS handshakes that failed.
    pub bad_handshakes: u64,
    /// MQTT 5 clients sent to another site.
    pub redirected: u64,
}

/// A table `[tls.NAME]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsReport {
    /// Its name.
    pub name: String,
    /// When its certificate ends.
    pub certificate: Expiry,
    /// Times that changed files were taken over.
    pub reloads: u64,
    /// Why the files as they are now are not in force, if they are not.
    pub stale: Option<String>,
}
