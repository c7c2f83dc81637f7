//! Files with secrets that the configuration names: read once, at start, and bounded.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Validation;
use crate::config::bounds::{SECRET_MAX, TOKEN_MIN};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;

/// The admin token in the file that `typed` names, without the blanks around it.
pub(super) fn token(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: &Placed<String>,
) -> Option<String> {
    let path = path(v, typed);
    let make =
        format!("make one: (umask 077; head -c 24 /dev/urandom | base64 > {})", path.display());
    let token = read(v, scope, "token_file", typed, &path, &make)?;
    let token = String::from_utf8(token).ok().map(|token| token.trim().to_owned());
    let problem = match token {
        Some(token) if token.is_empty() => format!("{} is empty", path.display()),
        Some(token) if !token.chars().all(|c| c.is_ascii_graphic()) => {
            format!("the token in {} has characters a header cannot carry", path.display())
        }
        Some(token) if token.len() < TOKEN_MIN => {
            format!("the token in {} is shorter than {TOKEN_MIN} characters", path.display())
        }
        Some(token) => return Some(token),
        None => format!("{} is not text", path.display()),
    };
    v.report.refuse(scope, "token_file", &typed.at, Refusal::new(problem, make));
    None
}

/// The password in the file that `typed` names, without the line end at its end.
pub(super) fn password(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: &Placed<String>,
) -> Option<Vec<u8>> {
    let path = path(v, typed);
    let help = format!("write the password into {}, readable to isobar alone", path.display());
    let mut password = read(v, scope, "check.password_file", typed, &path, &help)?;
    if password.ends_with(b"\n") {
        password.pop();
        if password.ends_with(b"\r") {
            password.pop();
        }
    }
    let problem = match password.len() {
        0 => "is empty",
        length if length > SECRET_MAX => "holds more than 65,535 bytes",
        _ => return Some(password),
    };
    let refusal = Refusal::new(format!("{} {problem}", path.display()), help);
    v.report.refuse(scope, "check.password_file", &typed.at, refusal);
    None
}

fn path(v: &Validation<'_>, typed: &Placed<String>) -> PathBuf {
    v.folder.join(&typed.value)
}

fn read(
    v: &mut Validation<'_>,
    scope: &Scope,
    key: &str,
    typed: &Placed<String>,
    path: &Path,
    help: &str,
) -> Option<Vec<u8>> {
    match read_bounded(path) {
        Ok((bytes, mode)) => {
            if mode & 0o004 != 0 {
                let message = format!("{key}: everybody may read {}", path.display());
                let help = format!("chmod 600 {}", path.display());
                v.report.warn(scope, &typed.at, message, help);
            }
            Some(bytes)
        }
        Err(error) => {
            let shown = path.display();
            let (problem, help) = match error.kind() {
                ErrorKind::NotFound => (format!("no such file: {shown}"), help.to_owned()),
                ErrorKind::PermissionDenied => (
                    format!("permission denied: {shown}"),
                    format!("let the user that runs isobar read {shown}"),
                ),
                ErrorKind::InvalidInput => (format!("not a file: {shown}"), help.to_owned()),
                _ => (format!("{shown} cannot be read: {error}"), help.to_owned()),
            };
            v.report.refuse(scope, key, &typed.at, Refusal::new(problem, help));
            None
        }
    }
}

/// The file's first bytes, one line end more than any secret may have, and its mode.
fn read_bounded(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    // A pipe would block for ever, a device never end.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let limit = u64::try_from(SECRET_MAX + 3).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes, metadata.permissions().mode()))
}
