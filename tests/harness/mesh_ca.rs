//! Certificates of a mesh, made by what `isobar cert` is made of.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use isobar::cert::authority::{Authority, Life};
use isobar_net::mesh::trust::{Identity, MeshName};
use tempfile::TempDir;

/// A CA in a folder of its own, where its nodes' certificates are as well.
pub struct MeshCa {
    dir: TempDir,
    authority: Authority,
}

impl MeshCa {
    /// A new CA of mesh `test`; two of them do not know each other's certificates.
    pub fn make() -> MeshCa {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mesh = MeshName::parse("test").expect("it is a name");
        let (authority, made) = Authority::make(&mesh, &Life::days(800)).expect("a CA");
        std::fs::write(dir.path().join("mesh-ca.pem"), made.cert_pem).expect("it is writable");
        // Before a node names it: an empty one denies nobody.
        std::fs::write(dir.path().join("deny.txt"), "").expect("it is writable");
        MeshCa { dir, authority }
    }

    /// A certificate and key for a node, good for as long.
    pub fn issue(&self, site: &str, node: &str, good_for: Duration) {
        self.issue_until(site, node, SystemTime::now() + good_for);
    }

    /// One that ended a minute ago.
    pub fn issue_ended(&self, site: &str, node: &str) {
        self.issue_until(site, node, SystemTime::now() - Duration::from_secs(60));
    }

    fn issue_until(&self, site: &str, node: &str, until: SystemTime) {
        let identity = Identity::new(site, node).expect("they are names");
        let from = SystemTime::now() - Duration::from_secs(3_600);
        let life = Life { from, until };
        let made = self.authority.issue(&identity, &life).expect("a certificate");
        std::fs::write(self.path(&format!("{node}.pem")), made.cert_pem).expect("writable");
        let key = self.path(&format!("{node}.key"));
        std::fs::write(&key, made.key_pem).expect("writable");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(key, private).expect("the file is ours");
    }

    /// Its nodes trust certificates of `other` as well; those of `other` do not trust its own.
    pub fn also_trusts(&self, other: &MeshCa) {
        let both = format!("{}{}", self.authority.pem(), other.authority.pem());
        std::fs::write(self.path("mesh-ca.pem"), both).expect("writable");
    }

    /// A file of its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The keys of `[mesh]` that name the files of a node.
    pub fn lines(&self, node: &str) -> String {
        let line = |key: &str, path: &Path| format!("{key} = {:?}\n", path.display().to_string());
        let (cert, key) = (format!("{node}.pem"), format!("{node}.key"));
        line("ca", &self.path("mesh-ca.pem"))
            + &line("cert", &self.path(&cert))
            + &line("key", &self.path(&key))
            + &line("deny", &self.path("deny.txt"))
    }

    /// Denies a node, to every node of the CA, from when they next look.
    pub fn deny(&self, site: &str, node: &str) {
        let line = format!("spiffe://test/site/{site}/node/{node}\n");
        std::fs::write(self.path("deny.txt"), line).expect("writable");
    }
}
