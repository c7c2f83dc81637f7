//! `isobar cert show`: the certificates of a file, in words.

use std::fmt::Write;
use std::path::Path;

use isobar_net::mesh::trust::{self, Certificate, Pem, Validity};

use super::{CertError, read};

/// Every certificate in the file.
pub(super) fn show(path: &Path) -> Result<String, CertError> {
    let unfit =
        |problem: &str, help: &str| CertError::Unfit(path.into(), problem.into(), help.into());
    let wanted = "a PEM file with certificates is wanted: -----BEGIN CERTIFICATE-----";
    let Pem { certificates, keys } = Pem::read(&read(path)?).map_err(|p| unfit(&p, wanted))?;
    if certificates.is_empty() && keys > 0 {
        return Err(unfit("holds a private key and no certificate", "name its certificate"));
    }
    if certificates.is_empty() {
        return Err(unfit("has no certificate in it", wanted));
    }
    let mut told = String::new();
    for (index, der) in certificates.iter().enumerate() {
        let certificate = Certificate::read(der).map_err(|problem| {
            unfit(&format!("certificate {} cannot be read: {problem}", index + 1), wanted)
        })?;
        if index > 0 {
            told.push('\n');
        }
        describe(&certificate, &mut told);
    }
    Ok(told)
}

fn describe(certificate: &Certificate, told: &mut String) {
    let who = match (certificate.authority_of(), certificate.identity()) {
        (Some(mesh), _) => format!("CA of mesh \"{mesh}\""),
        (None, Ok((mesh, node))) => {
            format!("site {}, node {} of mesh \"{mesh}\"", node.site, node.node)
        }
        (None, Err(_)) if certificate.is_ca => "a CA; it does not say of which mesh".to_owned(),
        (None, Err(none)) => format!("no node's: {none}"),
    };
    let names: Vec<&str> =
        certificate.dns.iter().chain(&certificate.uris).map(String::as_str).collect();
    let validity = &certificate.validity;
    let rows = [
        ("subject", certificate.subject.clone()),
        ("issuer", certificate.issuer.clone()),
        ("names", names.join(", ")),
        ("from", validity.begins()),
        ("until", format!("{} ({})", validity.ends(), left(validity))),
        ("fingerprint", certificate.fingerprint.to_string()),
    ];
    let _ = writeln!(told, "{}", harmless(&who));
    for (what, value) in rows {
        let _ = writeln!(told, "  {what:11}  {}", harmless(&value));
    }
}

fn left(validity: &Validity) -> String {
    let now = trust::now();
    match validity.days_left(now) {
        _ if validity.is_ahead(now) => "it has not begun".to_owned(),
        days if days < 0 => format!("over for {} days", -days),
        1 => "1 day left".to_owned(),
        days => format!("{days} days left"),
    }
}

/// A certificate may come from anywhere: what would steer the terminal is replaced.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
