//! Two proxies in a row: what clients connect to is the near one, which has no broker that it
//! could use; the far one has them all.
//!
//! With Isobar they are nodes of two sites and every client is carried. With HAProxy, TLS is between
//! them, a connection a client. Both sides show a certificate (P-256), in both cases.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::contender::{Contender, Kind, Layout, Mode, haproxy_cfg, isobar_toml};
use crate::failure::{Context, Failure, Result};

/// Where nobody listens: the near site's only broker.
const NOWHERE: &str = "127.0.4.1:1";
/// Nobody is slowed down on the way to the far site, and nobody comes home.
const SPILL: &str = "spill = { reserve = \"0%\", accept_per_second = 1000000, \
                     failback_per_second = 0 }\n";

/// Where the two are.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// Their own addresses towards each other: UDP with Isobar; with HAProxy the far one's TLS.
    pub(crate) near: SocketAddr,
    pub(crate) far: SocketAddr,
    /// Where clients of the far site would connect; nobody does.
    pub(crate) far_listen: SocketAddr,
    pub(crate) far_admin: SocketAddr,
    /// Certificates and keys, by [`certify`].
    pub(crate) certificates: PathBuf,
}

/// The two configurations, the near one first.
pub(crate) fn configurations(kind: Kind, layout: &Layout, chain: &Chain) -> [String; 2] {
    match kind {
        Kind::Haproxy => haproxy(layout, chain),
        Kind::Isobar(mode) => isobar(mode, layout, chain),
    }
}

fn haproxy(layout: &Layout, chain: &Chain) -> [String; 2] {
    let file = chain.certificates.join("both.pem");
    let tls = format!("ssl crt {0} ca-file {0} verify required", file.display());
    let listen: Vec<String> = layout.listen.iter().map(SocketAddr::to_string).collect();
    let brokers: Vec<String> = layout.brokers.iter().map(SocketAddr::to_string).collect();
    [
        haproxy_cfg(layout, &listen, &[format!("{} {tls}", chain.far)]),
        haproxy_cfg(layout, &[format!("{} {tls}", chain.far)], &brokers),
    ]
}

fn isobar(mode: Mode, layout: &Layout, chain: &Chain) -> [String; 2] {
    let nowhere = vec![NOWHERE.parse().expect("it is an address")];
    let near = Layout { brokers: nowhere, ..layout.clone() };
    let far = Layout { listen: vec![chain.far_listen], admin: chain.far_admin, ..layout.clone() };
    [
        isobar_toml(mode, &near, "near", SPILL)
            + &mesh_table(chain.near, &[chain.far], &chain.certificates, "near"),
        isobar_toml(mode, &far, "far", SPILL)
            + &mesh_table(chain.far, &[], &chain.certificates, "far"),
    ]
}

/// `[mesh]` of the node `SITE-1`, with its certificate from `folder`.
pub(crate) fn mesh_table(
    bind: SocketAddr,
    join: &[SocketAddr],
    folder: &Path,
    site: &str,
) -> String {
    let folder = folder.display();
    let join: Vec<String> = join.iter().map(|addr| format!("\"{addr}\"")).collect();
    format!(
        "\n[mesh]\nbind = \"{bind}\"\njoin = [{}]\nca = \"{folder}/mesh-ca.pem\"\n\
         cert = \"{folder}/{site}-1.pem\"\nkey = \"{folder}/{site}-1.key\"\n",
        join.join(", ")
    )
}

/// Makes the certificates that a contender needs: for Isobar a CA and one for the node `SITE-1` of
/// each site, for HAProxy one that both ends show and believe.
pub(crate) fn certify(contender: &Contender, sites: &[String], folder: &Path) -> Result<()> {
    fs::create_dir(folder).context(format!("making {}", folder.display()))?;
    let program = &contender.program;
    match contender.kind {
        Kind::Haproxy => {
            let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
            let fixed = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                         -subj /CN=bench -out CERT -keyout KEY";
            let path = |word: &str| match word {
                "CERT" => cert.display().to_string(),
                "KEY" => key.display().to_string(),
                other => other.to_owned(),
            };
            run(Path::new("openssl"), &fixed.split(' ').map(path).collect::<Vec<_>>())?;
            let read = |path: &Path| {
                fs::read_to_string(path).context(format!("reading {}", path.display()))
            };
            let both = folder.join("both.pem");
            fs::write(&both, read(&cert)? + &read(&key)?)
                .context(format!("writing {}", both.display()))
        }
        Kind::Isobar(_) => {
            let out = folder.display();
            run(program, &words(&format!("cert ca --mesh bench --out {out}")))?;
            for site in sites {
                let node =
                    format!("cert node --site {site} --node {site}-1 --ca {out} --out {out}");
                run(program, &words(&node))?;
            }
            Ok(())
        }
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn run(program: &Path, args: &[String]) -> Result<()> {
    let what = format!("{} {}", program.display(), args.join(" "));
    let done = Command::new(program).args(args).stdin(Stdio::null()).output().context(&*what)?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Failure::new(format!("{what}: {}: {}", done.status, said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Layout, Chain) {
        let addr = |text: &str| text.parse().unwrap();
        let layout = Layout {
            listen: vec![addr("127.0.3.1:11000")],
            brokers: vec![addr("127.0.1.1:11001")],
            admin: addr("127.0.0.1:11002"),
            maxconn: 9600,
            log: false,
            source: vec![],
        };
        let chain = Chain {
            near: addr("127.0.5.1:11003"),
            far: addr("127.0.5.2:11003"),
            far_listen: addr("127.0.6.1:11004"),
            far_admin: addr("127.0.0.1:11005"),
            certificates: "/c".into(),
        };
        (layout, chain)
    }

    #[test]
    fn tls_is_between_the_haproxys() {
        let (layout, chain) = pair();
        let [near, far] = haproxy(&layout, &chain);
        assert!(near.contains("    bind 127.0.3.1:11000\n"), "{near}");
        assert!(near.contains("server b0 127.0.5.2:11003 ssl crt /c/both.pem ca-file /c/both.pem"));
        assert!(far.contains("    bind 127.0.5.2:11003 ssl crt /c/both.pem"), "{far}");
        assert!(far.contains("    server b0 127.0.1.1:11001 check"), "{far}");
    }

    #[test]
    fn the_near_node_has_no_broker_of_use() {
        let (layout, chain) = pair();
        let [near, far] = isobar(Mode::Mqtt, &layout, &chain);
        assert!(near.contains("site = \"near\"") && near.contains("addr = \"127.0.4.1:1\""));
        assert!(near.contains("join = [\"127.0.5.2:11003\"]"), "{near}");
        assert!(near.contains("cert = \"/c/near-1.pem\""), "{near}");
        assert!(far.contains("site = \"far\"") && far.contains("addr = \"127.0.1.1:11001\""));
        assert!(far.contains("bind = [\"127.0.6.1:11004\"]") && far.contains("join = []"));
        assert!(far.find("failback_per_second") < far.find("[[service.broker]]"));
    }
}
