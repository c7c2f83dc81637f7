//! A CA, nodes with files, and endpoints that shake hands.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, ConnectionError, Endpoint};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::mesh::trust::names::{Identity, MeshName};
use crate::mesh::trust::{Trust, TrustFiles, TrustSettings, tls};

/// Nothing on loopback takes longer.
pub const SOON: Duration = Duration::from_secs(10);
const DAY: u64 = 86_400;

pub struct Ca {
    pub pem: String,
    pub der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate says; the rest is as it should be.
#[derive(Clone)]
pub struct Wanted {
    pub dns: Vec<String>,
    pub uris: Vec<String>,
    /// Days from now.
    pub from: i64,
    pub until: i64,
    pub usages: Vec<ExtendedKeyUsagePurpose>,
}

pub struct Issued {
    pub pem: String,
    pub key_pem: String,
    pub der: CertificateDer<'static>,
}

/// A node's files in a folder of their own.
pub struct Node {
    pub folder: TempDir,
    pub identity: Identity,
}

pub fn wanted(site: &str, node: &str) -> Wanted {
    let mesh = MeshName::parse("example").unwrap();
    Wanted {
        dns: vec![mesh.server_name()],
        uris: vec![Identity::new(site, node).unwrap().spiffe(&mesh)],
        from: -1,
        until: 100,
        usages: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
    }
}

impl Ca {
    pub fn new(mesh: Option<&str>) -> Ca {
        // As `isobar cert ca` does: no two CAs share a name.
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let name = format!("test CA {:x?}", &key.public_key_raw()[1..5]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let uri = mesh.map(|mesh| format!("spiffe://{mesh}").try_into().unwrap());
        params.subject_alt_names = uri.map(SanType::URI).into_iter().collect();
        let certificate = params.self_signed(&key).unwrap();
        Ca {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    pub fn issue(&self, wanted: &Wanted) -> Issued {
        let mut params = CertificateParams::default();
        let names =
            wanted.dns.iter().map(|name| SanType::DnsName(name.as_str().try_into().unwrap()));
        let uris = wanted.uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().unwrap()));
        params.subject_alt_names = names.chain(uris).collect();
        let now = rcgen::date_time_ymd(1970, 1, 1)
            + std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let after = |days: i64| {
            let span = Duration::from_secs(days.unsigned_abs() * DAY);
            if days < 0 { now - span } else { now + span }
        };
        (params.not_before, params.not_after) = (after(wanted.from), after(wanted.until));
        params.extended_key_usages = wanted.usages.clone();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().clone(),
        }
    }
}

impl Issued {
    /// To show in a handshake, with its key or with another's.
    pub fn with_key(&self, key_pem: &str) -> Arc<CertifiedKey> {
        use rustls::pki_types::PrivateKeyDer;
        use rustls::pki_types::pem::PemObject;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).unwrap();
        let key = tls::provider().key_provider.load_private_key(key).unwrap();
        Arc::new(CertifiedKey::new(vec![self.der.clone()], key))
    }

    pub fn certified(&self) -> Arc<CertifiedKey> {
        self.with_key(&self.key_pem)
    }
}

impl Node {
    /// A node of the mesh "example", with an empty deny list.
    pub fn new(ca: &Ca, site: &str, node: &str) -> Node {
        let folder = tempfile::tempdir().unwrap();
        let made = Node { folder, identity: Identity::new(site, node).unwrap() };
        made.write("ca.pem", &ca.pem);
        made.write("deny.txt", "");
        made.install(&ca.issue(&wanted(site, node)));
        made
    }

    pub fn install(&self, issued: &Issued) {
        self.write("node.pem", &issued.pem);
        self.write("node.key", &issued.key_pem);
    }

    pub fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        // Replaced, not rewritten, as any careful tool does.
        let fresh = self.folder.path().join("fresh");
        std::fs::write(&fresh, text).unwrap();
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(fresh, self.folder.path().join(name)).unwrap();
    }

    pub fn settings(&self) -> TrustSettings {
        let path = |name: &str| Path::new(self.folder.path()).join(name);
        TrustSettings {
            mesh: Some(MeshName::parse("example").unwrap()),
            own: self.identity.clone(),
            files: TrustFiles {
                ca: path("ca.pem"),
                cert: path("node.pem"),
                key: path("node.key"),
                deny: Some(path("deny.txt")),
            },
        }
    }

    pub fn trust(&self) -> Trust {
        Trust::load(self.settings()).unwrap_or_else(|errors| panic!("{errors:#?}"))
    }
}

/// The two ends of a connection, or why there is none.
pub struct Shaken {
    pub dialled: Result<Connection, ConnectionError>,
    pub accepted: Result<Connection, ConnectionError>,
    _endpoints: [Endpoint; 2],
}

/// Shakes hands over loopback, with these configurations.
pub async fn shake(server: Arc<QuicServerConfig>, client: Arc<QuicClientConfig>) -> Shaken {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let accepting = Endpoint::server(quinn::ServerConfig::with_crypto(server), any).unwrap();
    let dialling = Endpoint::client(any).unwrap();
    let accept = async { accepting.accept().await.expect("the endpoint is open").await };
    let dial = async {
        let config = quinn::ClientConfig::new(client);
        let to = accepting.local_addr().unwrap();
        dialling.connect_with(config, to, "isobar.example").unwrap().await
    };
    let (accepted, dialled) =
        timeout(SOON, async { tokio::join!(accept, dial) }).await.expect("a handshake in time");
    Shaken { dialled, accepted, _endpoints: [accepting, dialling] }
}

/// Why a connection that stands on this side ends.
pub async fn end_of(connection: &Connection) -> ConnectionError {
    timeout(SOON, connection.closed()).await.expect("an end in time")
}
