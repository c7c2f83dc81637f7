//! What clients were told who asked where to go, and the certificates that clients see.

use isobar_core::report as core;
use serde::{Deserialize, Serialize};

use super::Counted;
use super::mesh::Certificate;

/// Those who asked where to go.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Provision {
    /// Questions, by what came of them.
    pub requests: Vec<Counted>,
    /// Of them, those asked by MQTT.
    pub by_mqtt: u64,
    /// Connections of those who ask by HTTP, now.
    pub connections: u64,
    /// TLS handshakes that failed.
    pub bad_handshakes: u64,
    /// MQTT 5 clients sent to another site.
    pub redirected: u64,
}

/// A certificate that clients see: `[tls.NAME]`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tls {
    /// Its name.
    pub name: String,
    /// When it ends.
    pub certificate: Certificate,
    /// Times that changed files were taken over.
    pub reloads: u64,
    /// Why the files as they are now are not in force, `null` if they are.
    pub stale: Option<String>,
}

impl From<core::ProvisionReport> for Provision {
    fn from(report: core::ProvisionReport) -> Provision {
        let counted = |(label, count): (&'static str, u64)| Counted { label: label.into(), count };
        Provision {
            requests: report.outcomes.into_iter().map(counted).collect(),
            by_mqtt: report.by_mqtt,
            connections: report.connections,
            bad_handshakes: report.bad_handshakes,
            redirected: report.redirected,
        }
    }
}

impl From<core::TlsReport> for Tls {
    fn from(report: core::TlsReport) -> Tls {
        Tls {
            name: report.name,
            certificate: report.certificate.into(),
            reloads: report.reloads,
            stale: report.stale,
        }
    }
}
