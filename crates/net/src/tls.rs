//! Certificates that clients are shown: the tables `[tls.NAME]`.
//!
//! A table is read whole or not at all: certificate, key and the CA of client certificates must
//! belong together. When its files change while the node runs, what is new is in force for new
//! handshakes; until it belongs together, the old stays. Which listener shows which table is the
//! listener's affair; here nobody is spoken to.

mod keep;
mod table;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use tokio::sync::watch;

use crate::mesh::trust::{Certificate, Fingerprint, Validity, now};
pub use keep::keep;
pub use table::{Inspection, Part, Remark, TlsError, inspect};

use table::{Material, Reading};

/// One table, as the configuration has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsSettings {
    /// Its name.
    pub name: String,
    /// The chain that is shown, the listener's own certificate first.
    pub cert: PathBuf,
    /// The private key of that.
    pub key: PathBuf,
    /// CAs of client certificates; where there are some, clients must show one.
    pub client_ca: Option<PathBuf>,
}

/// What a table's files say now.
pub struct Certificates {
    settings: TlsSettings,
    state: Mutex<State>,
    shown: watch::Sender<Arc<ServerConfig>>,
}

struct State {
    certificate: Certificate,
    issuer: Option<Fingerprint>,
    /// What was read, to tell a change.
    read: Vec<Vec<u8>>,
    reloads: u64,
    /// Why the files as they are now are not in force.
    stale: Option<String>,
    /// When they begin, where that is all that they lack.
    next: Option<Validity>,
}

/// What came of reading the files again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reloaded {
    /// They are in force, for new handshakes.
    Taken,
    /// They say what they said.
    Same,
    /// They do not belong together; what was in force stays so.
    Kept(Vec<TlsError>),
    /// They belong together and have not begun; what was in force stays so until then.
    Next(Validity),
}

/// A table in figures.
#[derive(Clone, Debug)]
pub struct TlsFigures {
    /// Its name.
    pub name: String,
    /// The certificate that clients see.
    pub certificate: Certificate,
    /// Whole days until it ends; negative once it has.
    pub days_left: i64,
    /// Times that changed files were taken over.
    pub reloads: u64,
    /// Why the files as they are now are not in force, if they are not.
    pub stale: Option<String>,
}

impl Certificates {
    /// Reads the files. Everything wrong with them comes back.
    pub fn load(settings: TlsSettings) -> Result<Certificates, Vec<TlsError>> {
        let Material { config, certificate, issuer, read } = inspect(&settings, now()).found?;
        let state = State { certificate, issuer, read, reloads: 0, stale: None, next: None };
        let shown = watch::Sender::new(config);
        Ok(Certificates { settings, state: Mutex::new(state), shown })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What handshakes need: look anew for each.
    pub fn shown(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.shown.subscribe()
    }

    /// The CA that signed the certificate, where the chain has it.
    pub fn issuer(&self) -> Option<Fingerprint> {
        self.state().issuer
    }

    /// Reads the files again. Blocks on the disk.
    pub fn reload(&self) -> Reloaded {
        self.reload_at(now())
    }

    fn reload_at(&self, now: UnixTime) -> Reloaded {
        let Reading { found, ahead, .. } = table::read(&self.settings, now);
        let mut state = self.state();
        (state.stale, state.next) = (None, None);
        let material = match (found, ahead) {
            (Ok(material), None) => material,
            (Ok(material), Some(_)) => {
                let validity = material.certificate.validity;
                state.next = Some(validity);
                return Reloaded::Next(validity);
            }
            (Err(mut errors), ahead) => {
                errors.extend(ahead);
                let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
                state.stale = Some(told.join("; "));
                return Reloaded::Kept(errors);
            }
        };
        if state.read == material.read {
            return Reloaded::Same;
        }
        let Material { config, certificate, issuer, read } = material;
        let reloads = state.reloads + 1;
        *state = State { certificate, issuer, read, reloads, stale: None, next: None };
        drop(state);
        self.shown.send_replace(config);
        Reloaded::Taken
    }

    /// Whether files that were read ahead of their time have begun: they are to be read again.
    fn is_due(&self, now: UnixTime) -> bool {
        self.state().next.is_some_and(|validity| !validity.is_ahead(now))
    }

    /// Figures for pages and metrics.
    pub fn figures(&self) -> TlsFigures {
        let state = self.state();
        TlsFigures {
            name: self.settings.name.clone(),
            days_left: state.certificate.validity.days_left(now()),
            certificate: state.certificate.clone(),
            reloads: state.reloads,
            stale: state.stale.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("settings", &self.settings).finish_non_exhaustive()
    }
}
