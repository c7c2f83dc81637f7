//! rustls and quinn, set up for a mesh: TLS 1.3 only, both sides show a certificate, the stock
//! verifiers judge it by the mesh's CA, ALPN `isobar/1`.
//!
//! There is no resumption: a resumed session would go on with a certificate that was judged by
//! rules of before, and links live long enough for a handshake not to matter. So no 0-RTT either.

use std::fmt;
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// What both sides of a link must speak; the number changes with what is not compatible.
pub const ALPN: &[u8] = b"isobar/1";

/// What a handshake needs, of one state of the files.
#[derive(Clone)]
pub struct Crypto {
    /// For `quinn::ServerConfig::with_crypto`.
    pub server: Arc<QuicServerConfig>,
    /// For `quinn::ClientConfig::new`.
    pub client: Arc<QuicClientConfig>,
    /// Which state of the files: one more after each change.
    pub generation: u64,
}

/// The stock verifiers over one set of CAs.
pub(super) struct Verifiers {
    /// Judges whom we dial.
    pub(super) of_servers: Arc<WebPkiServerVerifier>,
    /// Judges who dials us.
    pub(super) of_clients: Arc<dyn ClientCertVerifier>,
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Verifiers {
    /// Over these CAs. The error says which of them is none.
    pub(super) fn over(authorities: &[CertificateDer<'static>]) -> Result<Verifiers, String> {
        let mut roots = RootCertStore::empty();
        for (index, authority) in authorities.iter().enumerate() {
            roots
                .add(authority.clone())
                .map_err(|error| format!("certificate {} is no CA: {error}", index + 1))?;
        }
        let roots = Arc::new(roots);
        let of_servers = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider());
        let of_clients = WebPkiClientVerifier::builder_with_provider(roots, provider());
        Ok(Verifiers {
            of_servers: of_servers.build().map_err(|error| error.to_string())?,
            of_clients: of_clients.build().map_err(|error| error.to_string())?,
        })
    }
}

/// For the side that accepts.
pub(super) fn server(verifiers: &Verifiers, own: Arc<CertifiedKey>) -> Arc<QuicServerConfig> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3")
        .with_client_cert_verifier(verifiers.of_clients.clone())
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Arc::new(QuicServerConfig::try_from(config).expect("ring has QUIC's initial cipher suite"))
}

/// For the side that dials. Without a certificate of its own it is refused by every node.
pub(super) fn client(
    verifiers: &Verifiers,
    own: Option<Arc<CertifiedKey>>,
    alpn: &[u8],
) -> Arc<QuicClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3")
        .with_webpki_verifier(verifiers.of_servers.clone());
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    Arc::new(QuicClientConfig::try_from(config).expect("ring has QUIC's initial cipher suite"))
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypto").field("generation", &self.generation).finish_non_exhaustive()
    }
}
