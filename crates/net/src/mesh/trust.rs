//! Trust: who may be a peer.
//!
//! Each mesh has a CA, and each node a certificate that names its site and itself. The stock
//! verifiers of rustls judge signature, dates and mesh while hands are shaken; [`Trust::admit`]
//! then reads whom the certificate names, and asks the deny list. What a peer says later is held
//! against that name by [`Trust::confirm`]. No peer is believed before both. Who dials has a
//! connection before the other side has judged it (TLS 1.3): only its first word says that it did.
//!
//! The files may change while the node runs: see `watch`. New handshakes use what is new; a link
//! that stands goes on, until [`Trust::standing`] says that it is time to renew or to drop it.

mod certificate;
mod deny;
mod files;
mod material;
mod names;
pub(crate) mod pem;
mod refusal;
mod tls;
mod watch;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use quinn::ConnectionError;
use rustls::pki_types::{CertificateDer, UnixTime};

pub use certificate::{Certificate, Fingerprint, NoIdentity, Validity, now};
pub use files::{FileError, TrustFiles, Which};
pub use material::{
    EXPIRY_ALARM_DAYS, FileRemark, Inspection, Material, TrustSettings, inspect, is_signed_by,
};
pub use names::{BadName, Identity, MeshName, parse_spiffe};
pub use pem::{Der, Pem};
pub use refusal::{Failure, Reason, Refusal};
pub(crate) use tls::provider;
pub use tls::{ALPN, Crypto};
pub(crate) use watch::Alarm;
pub use watch::Reloaded;

use refusal::Tally;

/// The oldest a link gets before it is renewed: so long may a certificate be over, or a CA gone,
/// until the last link that was made with it has been judged again.
pub const LINK_AGE_MAX: Duration = Duration::from_secs(6 * 3600);
/// A peer whose certificate is about to end is asked for another one this often.
const LOOK_AGAIN: Duration = Duration::from_secs(120);
/// After a change of certificate or CA, links of before are renewed within this time.
pub const RENEW_WITHIN: Duration = Duration::from_secs(10 * 60);

/// Who this node is, and whom it believes.
pub struct Trust {
    settings: TrustSettings,
    mesh: MeshName,
    server_name: String,
    state: Mutex<State>,
    refused: Tally,
    refused_us: Tally,
    changed: tokio::sync::watch::Sender<u64>,
}

/// What the files last said.
struct State {
    material: Arc<Material>,
    crypto: Crypto,
    reloads: u64,
    /// Why the files as they are now are not in force.
    stale: Option<String>,
}

/// A peer that was admitted: what its certificate says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Which node it is.
    pub identity: Identity,
    /// Its certificate.
    pub fingerprint: Fingerprint,
    /// When that is valid.
    pub validity: Validity,
    generation: u64,
}

/// What is to be done with a link that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nothing.
    Good,
    /// Make a new one beside it, let what it carries end, then close it. Where none comes, close it
    /// all the same.
    Renew,
    /// Close it now: its peer is denied; or its certificate is over, unless the peer has shown
    /// another one since.
    Drop(Refusal),
}

/// Trust in figures.
#[derive(Clone, Debug)]
pub struct TrustReport {
    /// The mesh.
    pub mesh: String,
    /// This node's certificate.
    pub certificate: Certificate,
    /// Whole days until it ends; negative once it has.
    pub certificate_days_left: i64,
    /// The CA's.
    pub authority: Certificate,
    /// Whole days until that ends.
    pub authority_days_left: i64,
    /// Entries of the deny list.
    pub denied: usize,
    /// Times that changed files were taken over.
    pub reloads: u64,
    /// Why the files as they are now are not in force, if they are not.
    pub stale: Option<String>,
    /// Peers refused.
    pub refused: Vec<(Reason, u64)>,
    /// Times that peers refused us.
    pub refused_us: Vec<(Reason, u64)>,
}

impl Trust {
    /// Reads the files. Everything wrong with them comes back; what there is to remark on them was
    /// told when the configuration was read, and ends are told by [`Trust::keep`].
    pub fn load(settings: TrustSettings) -> Result<Trust, Vec<FileError>> {
        let material = Arc::new(inspect(&settings, now()).found?);
        let mesh = material.mesh.clone();
        // Later files must be of the same mesh.
        let settings = TrustSettings { mesh: Some(mesh.clone()), ..settings };
        Ok(Trust {
            server_name: mesh.server_name(),
            mesh,
            settings,
            state: Mutex::new(State {
                crypto: crypto(&material, 1),
                material,
                reloads: 0,
                stale: None,
            }),
            refused: Tally::new(),
            refused_us: Tally::new(),
            changed: tokio::sync::watch::Sender::new(1),
        })
    }

    /// The mesh.
    pub fn mesh(&self) -> &MeshName {
        &self.mesh
    }

    /// Which node this is.
    pub fn own(&self) -> &Identity {
        &self.settings.own
    }

    /// The name to dial every node by.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// What the next handshake needs. Ask anew for each: `Incoming::accept_with` and
    /// `Endpoint::connect_with` take a configuration for one connection.
    pub fn crypto(&self) -> Crypto {
        self.state().crypto.clone()
    }

    /// Changes whenever links should be looked at anew with [`Trust::standing`].
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Reads who the peer of a connection is, whose handshake is done on this side. A refused one
    /// is counted, told, and closed with the reason.
    pub fn admit(&self, connection: &quinn::Connection) -> Result<Peer, Refusal> {
        let shown = connection.peer_identity();
        let shown = shown.and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
        let shown = shown.map(|chain| *chain).unwrap_or_default();
        self.judge(&shown, now()).inspect_err(|refusal| {
            self.tell_refused(refusal, &connection.remote_address());
            refusal.close(connection);
        })
    }

    /// Whether the peer is the node that it says it is. If not, that is counted and told, and the
    /// connection closed.
    pub fn confirm(
        &self,
        connection: &quinn::Connection,
        peer: &Peer,
        claims: &Identity,
    ) -> Result<(), Refusal> {
        if *claims == peer.identity {
            return Ok(());
        }
        let certified = peer.identity.clone();
        let refusal = Refusal::WrongSite { claims: claims.clone(), certified };
        self.tell_refused(&refusal, &connection.remote_address());
        refusal.close(connection);
        Err(refusal)
    }

    /// Whether trust is why a connection, or the try to make one, failed. If so it is counted and
    /// told. `with` is the peer's address, or whatever else names it.
    pub fn note_failure(
        &self,
        error: &ConnectionError,
        with: &dyn fmt::Display,
    ) -> Option<Failure> {
        let failure = refusal::failure(error)?;
        match &failure {
            Failure::Refused(refusal) => self.tell_refused(refusal, with),
            Failure::RefusedUs(reason) => {
                if let Some(count) = self.refused_us.count(*reason) {
                    let reason = reason.label();
                    tracing::error!(peer = %with, reason, count, "mesh: a peer refuses this node");
                }
            }
        }
        Some(failure)
    }

    /// What is to be done with a link to `peer` that stands since `age`. Links should not all be
    /// renewed at once: add a jitter of your own to `age`.
    pub fn standing(&self, peer: &Peer, age: Duration) -> Standing {
        self.standing_at(peer, age, now())
    }

    fn standing_at(&self, peer: &Peer, age: Duration, now: UnixTime) -> Standing {
        let state = self.state();
        if state.material.deny.denies(&peer.identity, &peer.fingerprint) {
            return Standing::Drop(Refusal::Denied(peer.identity.clone(), peer.fingerprint));
        }
        if peer.validity.is_over(now) {
            return Standing::Drop(Refusal::Expired(Some(peer.validity)));
        }
        let is_old = peer.generation != state.crypto.generation && age >= RENEW_WITHIN;
        // By then the peer has another certificate, if it ever will.
        let ends = peer.validity.ends_within(RENEW_WITHIN, now) && age >= LOOK_AGAIN;
        if is_old || ends || age >= LINK_AGE_MAX {
            return Standing::Renew;
        }
        Standing::Good
    }

    /// Figures for pages and metrics.
    pub fn report(&self) -> TrustReport {
        let now = now();
        let state = self.state();
        let Material { certificate, authority, deny, .. } = &*state.material;
        TrustReport {
            mesh: self.mesh.to_string(),
            certificate_days_left: certificate.validity.days_left(now),
            certificate: certificate.clone(),
            authority_days_left: authority.validity.days_left(now),
            authority: authority.clone(),
            denied: deny.len(),
            reloads: state.reloads,
            stale: state.stale.clone(),
            refused: self.refused.figures(),
            refused_us: self.refused_us.figures(),
        }
    }

    /// Judges a certificate that the stock verifiers have let pass.
    fn judge(&self, shown: &[CertificateDer<'static>], now: UnixTime) -> Result<Peer, Refusal> {
        let leaf = shown.first().ok_or(Refusal::NoCertificate)?;
        let certificate = Certificate::read(leaf).map_err(Refusal::BadCertificate)?;
        let validity = certificate.validity;
        if validity.is_over(now) {
            return Err(Refusal::Expired(Some(validity)));
        }
        let (mesh, identity) = certificate.identity().map_err(Refusal::NoIdentity)?;
        if mesh != self.mesh {
            return Err(Refusal::WrongMesh(Some(mesh)));
        }
        let fingerprint = certificate.fingerprint;
        let state = self.state();
        if state.material.deny.denies(&identity, &fingerprint) {
            return Err(Refusal::Denied(identity, fingerprint));
        }
        Ok(Peer { identity, fingerprint, validity, generation: state.crypto.generation })
    }

    fn tell_refused(&self, refusal: &Refusal, with: &dyn fmt::Display) {
        let reason = refusal.reason();
        let Some(count) = self.refused.count(reason) else { return };
        let label = reason.label();
        match reason {
            // Somebody of this mesh lies, or was given the wrong files: a person must look.
            Reason::WrongSite | Reason::Denied => {
                tracing::error!(peer = %with, reason = label, count, "mesh: peer refused: {refusal}");
            }
            _ => {
                tracing::warn!(peer = %with, reason = label, count, "mesh: peer refused: {refusal}");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

fn crypto(material: &Material, generation: u64) -> Crypto {
    Crypto {
        server: tls::server(&material.verifiers, material.own.clone()),
        client: tls::client(&material.verifiers, Some(material.own.clone()), ALPN),
        generation,
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("settings", &self.settings).finish_non_exhaustive()
    }
}
