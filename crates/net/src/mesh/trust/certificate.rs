//! What stands in one certificate, as far as anybody here asks.

use std::fmt;
use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names::{self, Identity, MeshName};

/// The SHA-256 of a certificate, by which a deny list names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// From when until when, in seconds since 1970; both included (RFC 5280, 4.1.2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    /// Not before.
    pub from: i64,
    /// Not after.
    pub until: i64,
}

/// One certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// The distinguished name of whom it is for.
    pub subject: String,
    /// The distinguished name of who signed it.
    pub issuer: String,
    /// Its DNS names.
    pub dns: Vec<String>,
    /// Its URI names.
    pub uris: Vec<String>,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// From when until when.
    pub validity: Validity,
    /// Its SHA-256.
    pub fingerprint: Fingerprint,
}

/// Why a certificate names no node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoIdentity {
    /// There must be one URI name, and there are so many.
    Uris(usize),
    /// The one there is names no node.
    Uri(String),
    /// It lacks the DNS name that the nodes of its mesh have.
    Dns(String),
}

impl Certificate {
    /// Reads a certificate. The error says what is wrong with its bytes.
    pub fn read(der: &CertificateDer<'_>) -> Result<Certificate, String> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err(format!("{} bytes follow it", rest.len()));
        }
        let names = parsed.subject_alternative_name().map_err(|error| error.to_string())?;
        let (mut dns, mut uris) = (Vec::new(), Vec::new());
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => dns.push((*name).to_owned()),
                GeneralName::URI(name) => uris.push((*name).to_owned()),
                _ => {}
            }
        }
        let validity = parsed.validity();
        Ok(Certificate {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            dns,
            uris,
            is_ca: parsed.is_ca(),
            validity: Validity {
                from: validity.not_before.timestamp(),
                until: validity.not_after.timestamp(),
            },
            fingerprint: Fingerprint::of(der),
        })
    }

    /// Which node of which mesh it is for.
    pub fn identity(&self) -> Result<(MeshName, Identity), NoIdentity> {
        let [uri] = self.uris.as_slice() else { return Err(NoIdentity::Uris(self.uris.len())) };
        let (mesh, identity) =
            names::parse_spiffe(uri).map_err(|_| NoIdentity::Uri(uri.clone()))?;
        let needed = mesh.server_name();
        if !self.dns.iter().any(|name| name.eq_ignore_ascii_case(&needed)) {
            return Err(NoIdentity::Dns(needed));
        }
        Ok((mesh, identity))
    }

    /// Which mesh it is the CA of, if it says so.
    pub fn authority_of(&self) -> Option<MeshName> {
        let [uri] = self.uris.as_slice() else { return None };
        MeshName::parse(uri.strip_prefix("spiffe://")?).ok().filter(|_| self.is_ca)
    }
}

impl Fingerprint {
    /// Of a certificate.
    pub fn of(der: &CertificateDer<'_>) -> Fingerprint {
        Fingerprint(Sha256::digest(der.as_ref()).into())
    }

    /// Reads 64 hexadecimal digits, with or without colons, with or without `sha256:` before them.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: Vec<u8> = digits
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect();
        (digits.len() == 64).then(|| bytes.try_into().ok()).flatten().map(Fingerprint)
    }
}

impl Validity {
    /// Whole days until it ends; negative once it has.
    pub fn days_left(&self, now: UnixTime) -> i64 {
        self.until.saturating_sub(seconds(now)).div_euclid(86_400)
    }

    /// Whether it has ended.
    pub fn is_over(&self, now: UnixTime) -> bool {
        seconds(now) > self.until
    }

    /// Whether it ends within so long, or has ended.
    pub fn ends_within(&self, time: Duration, now: UnixTime) -> bool {
        let then = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + time);
        self.is_over(then)
    }

    /// Whether it has not begun.
    pub fn is_ahead(&self, now: UnixTime) -> bool {
        seconds(now) < self.from
    }

    /// Its end, in words and in UTC: `2027-10-05 12:00:00 UTC`.
    pub fn ends(&self) -> String {
        show_time(self.until)
    }

    /// Its begin.
    pub fn begins(&self) -> String {
        show_time(self.from)
    }
}

/// The time of day, which certificates are judged by. A clock before 1970 is one at 1970.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UnixTime::since_unix_epoch(since.unwrap_or_default())
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn show_time(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        // Beyond the year 9999: what X.509 calls "no end".
        Err(_) => format!("{seconds} s after 1970"),
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NoIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoIdentity::Uris(0) => f.write_str("it has no URI name, so it names no node"),
            NoIdentity::Uris(count) => write!(f, "it has {count} URI names, and must have one"),
            NoIdentity::Uri(uri) => write!(f, "its URI name, {uri:?}, names no node"),
            NoIdentity::Dns(needed) => write!(f, "it lacks the DNS name {needed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let fingerprint = Fingerprint::of(&CertificateDer::from(vec![1, 2, 3]));
        let shown = fingerprint.to_string();
        assert_eq!(Fingerprint::parse(&shown), Some(fingerprint));
        let digits = shown.trim_start_matches("sha256:");
        assert_eq!(Fingerprint::parse(&digits.to_uppercase()), Some(fingerprint));
        // As `openssl x509 -fingerprint -sha256` writes it.
        let pairs: Vec<&str> = (0..32).map(|i| &digits[2 * i..2 * i + 2]).collect();
        assert_eq!(Fingerprint::parse(&pairs.join(":")), Some(fingerprint));
        for bad in ["", "sha256:", &digits[1..], &digits.replace('0', "g"), "sha1:00"] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn days_are_counted_down_to_the_last_second() {
        let validity = Validity { from: 0, until: 10 * 86_400 };
        let at = |s| UnixTime::since_unix_epoch(Duration::from_secs(s));
        assert_eq!(validity.days_left(at(0)), 10);
        assert_eq!(validity.days_left(at(1)), 9);
        assert_eq!(validity.days_left(at(10 * 86_400)), 0);
        assert!(!validity.is_over(at(10 * 86_400)));
        assert_eq!(validity.days_left(at(10 * 86_400 + 1)), -1);
        assert!(validity.is_over(at(10 * 86_400 + 1)));
        assert_eq!(validity.ends(), "1970-01-11 00:00:00 UTC");
    }

    #[test]
    fn junk_is_no_certificate() {
        for junk in [vec![], vec![0x30], vec![0x30, 0x80], vec![0xff; 100], b"hello".to_vec()] {
            assert!(Certificate::read(&CertificateDer::from(junk)).is_err());
        }
    }
}
