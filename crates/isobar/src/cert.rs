//! `isobar cert`: the CA of a mesh, certificates of its nodes, and what stands in a certificate.
//!
//! What is made here is plain X.509; any other CA that writes the same two names into its
//! certificates will do as well (`docs/mesh.md`).

pub mod authority;
mod show;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use isobar_net::mesh::trust::{BadName, Identity, MeshName};

use authority::{Authority, Life};
use write::Folder;

const AFTER_HELP: &str = "\
A mesh in three steps: `isobar cert ca --mesh example` once, `isobar cert node --site fra --node
fra-1` for each node, and what that prints into the node's configuration. See docs/mesh.md.

Exit codes: 0 done, 1 not done (the message says why), 2 wrong usage.";

/// The CA's certificate and key, in the folder it is made in.
const CA_CERT: &str = "mesh-ca.pem";
const CA_KEY: &str = "mesh-ca.key";

/// Arguments of `cert`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// What to make or show.
    #[command(subcommand)]
    pub command: CertCommand,
}

/// What can be done with certificates.
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Make the CA of a mesh: mesh-ca.pem and mesh-ca.key.
    Ca(CaArgs),
    /// Make a node's certificate, signed by the mesh's CA: NODE.pem and NODE.key.
    Node(NodeArgs),
    /// Say whom the certificates in a file are for, until when, and their fingerprints.
    Show(ShowArgs),
}

/// Arguments of `cert ca`.
#[derive(Debug, clap::Args)]
pub struct CaArgs {
    /// Name of the mesh, a DNS name in lower case: example, or mqtt.example.com.
    #[arg(long, value_name = "NAME", value_parser = MeshName::parse)]
    pub mesh: MeshName,

    /// Folder to write to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,

    /// Days until it ends.
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = days())]
    pub days: u32,

    /// Replace files that are there. No certificate of the CA that was there is good any more.
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `cert node`.
#[derive(Debug, clap::Args)]
pub struct NodeArgs {
    /// The node's site, as in its configuration.
    #[arg(long, value_name = "SITE", value_parser = name)]
    pub site: String,

    /// The node's name, as in its configuration.
    #[arg(long, value_name = "NODE", value_parser = name)]
    pub node: String,

    /// Folder with the CA's mesh-ca.pem and mesh-ca.key.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub ca: PathBuf,

    /// The mesh, if the CA was not made by `isobar cert ca` and does not say.
    #[arg(long, value_name = "NAME", value_parser = MeshName::parse)]
    pub mesh: Option<MeshName>,

    /// Folder to write to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,

    /// Days until it ends; not beyond the CA's own end.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = days())]
    pub days: u32,

    /// Replace the node's certificate and key. A running node takes them over by itself.
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `cert show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// A PEM file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Why nothing was made or shown. Nothing that was there has changed.
#[derive(Debug)]
pub enum CertError {
    /// A file is there already.
    Exists(PathBuf),
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// A file or folder cannot be written.
    Write(PathBuf, io::Error),
    /// A file is not what it should be: what was found, and what would do.
    Unfit(PathBuf, String, String),
    /// The library refused: not expected with names that were checked.
    Make(rcgen::Error),
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let told = match &args.command {
        CertCommand::Ca(args) => ca(args),
        CertCommand::Node(args) => node(args),
        CertCommand::Show(args) => show::show(&args.file),
    };
    match told {
        Ok(text) => {
            // Whoever reads this may have gone away; the files are there.
            let _ = io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ca(args: &CaArgs) -> Result<String, CertError> {
    let folder = Folder::new(&args.out, args.force);
    folder.refuse_existing(&[CA_CERT, CA_KEY])?;
    let (authority, made) = Authority::make(&args.mesh, &Life::days(args.days))?;
    folder.secret(CA_KEY, &made.key_pem)?;
    folder.public(CA_CERT, &made.cert_pem)?;
    let (mesh, until) = (&args.mesh, authority.ends());
    let (cert, key, dir) = (folder.path(CA_CERT), folder.path(CA_KEY), args.out.display());
    Ok(format!(
        "\
CA of mesh \"{mesh}\", until {until}:
  {}   its certificate; goes to every node
  {}   its private key; keep it away from the nodes, for it can make new ones

Next, for each node:
  isobar cert node --site fra --node fra-1 --ca {dir}
",
        cert.display(),
        key.display()
    ))
}

fn node(args: &NodeArgs) -> Result<String, CertError> {
    let cert = &format!("{}.pem", args.node);
    let key = &format!("{}.key", args.node);
    let folder = Folder::new(&args.out, args.force);
    folder.refuse_existing(&[cert, key])?;
    let authority =
        Authority::read(&args.ca.join(CA_CERT), &args.ca.join(CA_KEY), args.mesh.as_ref())?;
    let identity = Identity::new(&args.site, &args.node).expect("both were checked when parsed");
    let made = authority.issue(&identity, &Life::days(args.days))?;
    folder.secret(key, &made.key_pem)?;
    folder.public(cert, &made.cert_pem)?;
    let ca_is_there = folder.public_if_missing(CA_CERT, authority.pem())?;

    let Identity { site, node } = &identity;
    let mesh = authority.mesh();
    let mut told = format!("certificate of site {site}, node {node} in mesh \"{mesh}\", until ");
    told.push_str(&made.ends);
    told.push_str(match made.is_shortened {
        true => " (as long as the CA's):\n",
        false => ":\n",
    });
    for name in [cert, key, CA_CERT] {
        told.push_str(&format!("  {}\n", folder.path(name).display()));
    }
    if !ca_is_there {
        told.push_str(&format!("  ({CA_CERT} is another file and was left as it is)\n"));
    }
    told.push_str(&format!(
        "\n\
Take these files to the node, beside its configuration, and write into that:

  site = \"{site}\"
  node = \"{node}\"

  [mesh]
  name = \"{mesh}\"
  bind = \"0.0.0.0:7443\"
  advertise = \"203.0.113.10:7443\"      # where other nodes reach this one: change it
  join = [\"198.51.100.7:7443\"]         # some other nodes: change it; [] for the first one
  ca = \"{CA_CERT}\"
  cert = \"{cert}\"
  key = \"{key}\"
"
    ));
    Ok(told)
}

/// A name of a site or a node.
fn name(text: &str) -> Result<String, BadName> {
    Identity::new(text, text).map(|identity| identity.site)
}

fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=36_500)
}

/// The whole of a file of reasonable size.
fn read(path: &Path) -> Result<Vec<u8>, CertError> {
    use std::io::Read;
    let unread = |error| CertError::Read(path.to_path_buf(), error);
    let metadata = std::fs::metadata(path).map_err(unread)?;
    if !metadata.is_file() {
        return Err(unread(io::Error::other("not a file")));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unread)?;
    file.take(1024 * 1024).read_to_end(&mut bytes).map_err(unread)?;
    Ok(bytes)
}

impl fmt::Display for CertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertError::Exists(path) => write!(
                f,
                "{} is there already\n  help: choose another folder with --out, or replace it with \
                 --force",
                path.display()
            ),
            CertError::Read(path, error) if error.kind() == io::ErrorKind::NotFound => {
                write!(f, "no such file: {}", path.display())?;
                let is_ca = path.file_name().is_some_and(|name| name == CA_CERT || name == CA_KEY);
                let help = match is_ca {
                    true => {
                        "make the CA with `isobar cert ca --mesh NAME`, or say where it is with --ca"
                    }
                    false => "check the path",
                };
                write!(f, "\n  help: {help}")
            }
            CertError::Read(path, error) => {
                write!(
                    f,
                    "{} cannot be read: {error}\n  help: check path and rights",
                    path.display()
                )
            }
            CertError::Write(path, error) => {
                write!(
                    f,
                    "{} cannot be written: {error}\n  help: choose another folder with --out",
                    path.display()
                )
            }
            CertError::Unfit(path, problem, help) => {
                write!(f, "{}: {problem}\n  help: {help}", path.display())
            }
            CertError::Make(error) => write!(f, "the certificate could not be made: {error}"),
        }
    }
}

impl std::error::Error for CertError {}

impl From<rcgen::Error> for CertError {
    fn from(error: rcgen::Error) -> CertError {
        CertError::Make(error)
    }
}
