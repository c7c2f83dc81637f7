//! Certificates for listeners, made by `openssl`: what operators have, and no code of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::find_program;

/// A CA and a certificate for `localhost` and 127.0.0.0/8's first address, in a folder of their own.
pub struct Certified {
    dir: TempDir,
}

impl Certified {
    /// New ones.
    pub fn make() -> Certified {
        let certified = Certified { dir: tempfile::tempdir().expect("a temporary directory") };
        certified.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 800 \
             -subj /CN=test-CA -keyout ca.key -out ca.pem",
        );
        certified.renew();
        certified
    }

    /// Another certificate of the same CA, with another key.
    pub fn renew(&self) {
        self.openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
             -keyout new.key -out edge.csr",
        );
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
        std::fs::write(self.path("names"), names).expect("it is writable");
        self.openssl(
            "x509 -req -in edge.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 400 \
             -extfile names -out new.pem",
        );
        for name in ["key", "pem"] {
            let new = self.path(&format!("new.{name}"));
            std::fs::rename(new, self.path(&format!("edge.{name}"))).expect("it was made");
        }
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new(find_program("openssl"));
        let ran = command.args(arguments.split_whitespace()).current_dir(self.dir.path()).output();
        let ran = ran.expect("it starts");
        assert!(ran.status.success(), "{arguments}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// A file: `ca.pem`, `edge.pem`, `edge.key`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `[tls.edge]`.
    pub fn table(&self) -> String {
        let shown = |path: &Path| format!("{:?}", path.display().to_string());
        format!(
            "[tls.edge]\ncert = {}\nkey = {}\n",
            shown(&self.path("edge.pem")),
            shown(&self.path("edge.key"))
        )
    }
}
