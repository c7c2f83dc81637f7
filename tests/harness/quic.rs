//! Somebody at the door of a node: bare QUIC, and words spelled by hand from `docs/protocol.md`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::timeout;

use super::addr::fresh_ip;
use super::mesh_ca::MeshCa;

/// A handshake, and a node's answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a node, from nobody that it knows.
pub struct Caller {
    // Dropped, it would close the connection.
    _endpoint: Endpoint,
    connection: Connection,
}

/// How a node ended it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The handshake, by an alert of TLS (RFC 8446, 6.2).
    Alert(u64),
    /// With a code of the mesh, and why.
    Closed(u64, String),
    /// In another way.
    Otherwise(String),
}

impl Caller {
    /// Knocks at `node` with the certificate of `papers`, if any.
    pub async fn call(
        node: SocketAddr,
        ca: &MeshCa,
        papers: Option<&str>,
        alpn: &str,
    ) -> Result<Caller, Ended> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(ca, "mesh-ca.pem") {
            roots.add(authority).expect("it is a CA");
        }
        let builder = rustls::ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring has TLS 1.3")
            .with_root_certificates(roots);
        let mut tls = match papers {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let key = PrivateKeyDer::from_pem_file(ca.path(&format!("{name}.key")));
                let chain = certificates(ca, &format!("{name}.pem"));
                builder.with_client_auth_cert(chain, key.expect("a key")).expect("they fit")
            }
        };
        tls.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let quic = QuicClientConfig::try_from(tls).expect("ring has QUIC's suite");
        let mut endpoint = Endpoint::client((fresh_ip(), 0).into()).expect("a socket");
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(quic)));
        let connecting = endpoint.connect(node, "isobar.test").expect("an address and a name");
        match timeout(PATIENCE, connecting).await {
            Ok(Ok(connection)) => Ok(Caller { _endpoint: endpoint, connection }),
            Ok(Err(error)) => Err(Ended::by(error)),
            Err(_) => Err(Ended::Otherwise("no answer".to_owned())),
        }
    }

    /// Says words on a stream of its own, which stays open.
    pub async fn say(&self, words: &[u8]) {
        // It may have been closed by now: that is what its end will tell.
        let Ok(mut stream) = self.connection.open_uni().await else { return };
        let _ = stream.write_all(words).await;
        let held = self.connection.clone();
        tokio::spawn(async move {
            held.closed().await;
            drop(stream);
        });
    }

    /// Whether it stands for so long.
    pub async fn stands(&self, time: Duration) -> bool {
        timeout(time, self.connection.closed()).await.is_err()
    }

    /// How the node ends it.
    pub async fn ended(&self) -> Ended {
        match timeout(PATIENCE, self.connection.closed()).await {
            Ok(error) => Ended::by(error),
            Err(_) => Ended::Otherwise("it stands".to_owned()),
        }
    }
}

impl Ended {
    fn by(error: ConnectionError) -> Ended {
        match error {
            ConnectionError::ConnectionClosed(close) => {
                let code = u64::from(close.error_code);
                match code.checked_sub(0x100) {
                    Some(alert) => Ended::Alert(alert),
                    None => Ended::Otherwise(close.to_string()),
                }
            }
            ConnectionError::ApplicationClosed(close) => {
                let why = String::from_utf8_lossy(&close.reason).into_owned();
                Ended::Closed(close.error_code.into_inner(), why)
            }
            other => Ended::Otherwise(other.to_string()),
        }
    }
}

fn certificates(ca: &MeshCa, file: &str) -> Vec<CertificateDer<'static>> {
    let found = CertificateDer::pem_file_iter(ca.path(file)).expect("a file");
    found.map(|certificate| certificate.expect("a certificate")).collect()
}

/// Magic and major, kind, length and body; all that is spelled here is short.
pub fn frame(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("short");
    let [high, low] = kind.to_be_bytes();
    [&[0xb1, high, low, 0, 0, length], body].concat()
}

fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    [&[length], text.as_bytes()].concat()
}

/// `data_hello`: I am that node, and bring tunnels.
pub fn data_hello(site: &str, node: &str) -> Vec<u8> {
    frame(0x4001, &[text(site), text(node), vec![1]].concat())
}

/// `hello`: I am that node, and have news.
pub fn hello(site: &str, node: &str) -> Vec<u8> {
    let (process, known) = ([7; 8], [0; 8]);
    // An incarnation, none held, not dead; no addresses and no services.
    let (numbers, lists) = ([5, 0, 0], [0, 0]);
    frame(0x0101, &[&text(site)[..], &text(node), &process, &numbers, &known, &lists].concat())
}

/// `names` and `about`: what I number 0 is that node in that site, and it lives.
pub fn names_and_about(site: &str, node: &str) -> [Vec<u8>; 2] {
    // One site, one owner with its site and slot, no services.
    let names = [&[1, 0][..], &text(site), &[1, 0, 0, 0], &text(node), &[0]].concat();
    // Owner, incarnation and seq, not draining, no addresses.
    [frame(0x0201, &names), frame(0x0b01, &[0, 5, 1, 0, 0])]
}
