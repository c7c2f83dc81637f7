//! Why a peer is refused, or refuses us; counted, and told at a bounded rate.
//!
//! Before the handshake is done the stock verifiers judge, and what they found comes as a TLS
//! alert; after it, [`super::Trust::admit`] judges whom the certificate names.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use quinn::{ConnectionError, VarInt};

use super::certificate::{Fingerprint, NoIdentity, Validity};
use super::names::{Identity, MeshName};

/// Why a peer is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Its certificate was not signed by the CA of this mesh.
    UnknownCa,
    /// Its certificate is over.
    Expired(Option<Validity>),
    /// Its certificate is for later: or a clock is wrong.
    NotYetValid(Option<Validity>),
    /// Its certificate is one of another mesh.
    WrongMesh(Option<MeshName>),
    /// It showed no certificate.
    NoCertificate,
    /// Its certificate names no node.
    NoIdentity(NoIdentity),
    /// It, or its certificate, is on the deny list.
    Denied(Identity, Fingerprint),
    /// It says that it is another node than its certificate names.
    WrongSite {
        /// What it says.
        claims: Identity,
        /// What its certificate says.
        certified: Identity,
    },
    /// It does not hold the key of the certificate that it showed, or its CA has the name of ours
    /// and another key: the verifiers do not tell these apart.
    BadSignature,
    /// Its certificate cannot be read, or is for another purpose.
    BadCertificate(String),
    /// It does not speak `isobar/1`.
    OtherProtocol,
    /// Any other failure of TLS.
    Tls(String),
}

/// A [`Refusal`] without its particulars: what is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Reason {
    /// [`Refusal::UnknownCa`].
    UnknownCa,
    /// [`Refusal::Expired`].
    Expired,
    /// [`Refusal::NotYetValid`].
    NotYetValid,
    /// [`Refusal::WrongMesh`].
    WrongMesh,
    /// [`Refusal::NoCertificate`].
    NoCertificate,
    /// [`Refusal::NoIdentity`].
    NoIdentity,
    /// [`Refusal::Denied`].
    Denied,
    /// [`Refusal::WrongSite`].
    WrongSite,
    /// [`Refusal::BadSignature`].
    BadSignature,
    /// [`Refusal::BadCertificate`].
    BadCertificate,
    /// [`Refusal::OtherProtocol`].
    OtherProtocol,
    /// [`Refusal::Tls`].
    Tls,
}

/// How a handshake failed, where trust is the cause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// We refused the peer.
    Refused(Refusal),
    /// The peer refused us, for this reason as far as it says.
    RefusedUs(Reason),
}

impl Reason {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Reason; 12] = [
        Reason::UnknownCa,
        Reason::Expired,
        Reason::NotYetValid,
        Reason::WrongMesh,
        Reason::NoCertificate,
        Reason::NoIdentity,
        Reason::Denied,
        Reason::WrongSite,
        Reason::BadSignature,
        Reason::BadCertificate,
        Reason::OtherProtocol,
        Reason::Tls,
    ];

    /// As metrics and close frames spell it.
    pub fn label(self) -> &'static str {
        match self {
            Reason::UnknownCa => "unknown_ca",
            Reason::Expired => "expired",
            Reason::NotYetValid => "not_yet_valid",
            Reason::WrongMesh => "wrong_mesh",
            Reason::NoCertificate => "no_certificate",
            Reason::NoIdentity => "no_identity",
            Reason::Denied => "denied",
            Reason::WrongSite => "wrong_site",
            Reason::BadSignature => "bad_signature",
            Reason::BadCertificate => "bad_certificate",
            Reason::OtherProtocol => "other_protocol",
            Reason::Tls => "tls",
        }
    }
}

/// Application codes from here on close a connection for a [`Reason`].
const CLOSE_CODES: u32 = 0x200;

impl Refusal {
    /// Without its particulars.
    pub fn reason(&self) -> Reason {
        match self {
            Refusal::UnknownCa => Reason::UnknownCa,
            Refusal::Expired(_) => Reason::Expired,
            Refusal::NotYetValid(_) => Reason::NotYetValid,
            Refusal::WrongMesh(_) => Reason::WrongMesh,
            Refusal::NoCertificate => Reason::NoCertificate,
            Refusal::NoIdentity(_) => Reason::NoIdentity,
            Refusal::Denied(..) => Reason::Denied,
            Refusal::WrongSite { .. } => Reason::WrongSite,
            Refusal::BadSignature => Reason::BadSignature,
            Refusal::BadCertificate(_) => Reason::BadCertificate,
            Refusal::OtherProtocol => Reason::OtherProtocol,
            Refusal::Tls(_) => Reason::Tls,
        }
    }

    /// Closes the connection with this as the reason, so that the peer's operator can read it too.
    pub fn close(&self, connection: &quinn::Connection) {
        let reason = self.reason();
        let code = VarInt::from_u32(CLOSE_CODES + reason as u32);
        connection.close(code, reason.label().as_bytes());
    }
}

/// Whether trust is why a connection failed or ended, and on whose side.
pub(super) fn failure(error: &ConnectionError) -> Option<Failure> {
    match error {
        ConnectionError::TransportError(error) => {
            let refusal = refused(alert(error.code.into())?, &error.reason);
            Some(Failure::Refused(refusal))
        }
        ConnectionError::ConnectionClosed(close) => {
            let words = String::from_utf8_lossy(&close.reason);
            let refusal = refused(alert(close.error_code.into())?, &words);
            Some(Failure::RefusedUs(refusal.reason()))
        }
        ConnectionError::ApplicationClosed(close) => {
            let index = close.error_code.into_inner().checked_sub(u64::from(CLOSE_CODES))?;
            let reason = Reason::ALL.get(usize::try_from(index).ok()?)?;
            Some(Failure::RefusedUs(*reason))
        }
        _ => None,
    }
}

/// The TLS alert in a QUIC error code (RFC 9001, 4.8).
fn alert(code: u64) -> Option<u8> {
    code.checked_sub(0x100).and_then(|alert| u8::try_from(alert).ok())
}

/// What the verifiers mean by an alert (RFC 8446, 6.2). Some share one: then rustls's words tell
/// them apart, where there are any; a test over a real handshake holds each of them.
fn refused(alert: u8, words: &str) -> Refusal {
    match alert {
        // bad_certificate
        42 if words.contains("not valid for name") => Refusal::WrongMesh(None),
        // unsupported_certificate, certificate_unknown
        42 | 43 | 46 => Refusal::BadCertificate(words.to_owned()),
        // certificate_expired
        45 if words.contains("not valid yet") => Refusal::NotYetValid(None),
        45 => Refusal::Expired(None),
        // unknown_ca
        48 => Refusal::UnknownCa,
        // decrypt_error: a signature that its key did not make
        51 => Refusal::BadSignature,
        // certificate_required
        116 => Refusal::NoCertificate,
        // no_application_protocol
        120 => Refusal::OtherProtocol,
        other if words.is_empty() => Refusal::Tls(format!("TLS alert {other}")),
        _ => Refusal::Tls(words.to_owned()),
    }
}

/// How often each reason came up. Telling is limited to once a second a reason: a peer that is
/// refused comes back, and a stranger may come often.
#[derive(Debug)]
pub(super) struct Tally {
    begun: Instant,
    rows: [Row; Reason::ALL.len()],
}

#[derive(Default, Debug)]
struct Row {
    count: AtomicU64,
    /// Milliseconds since `begun`, plus one; 0 before the first time.
    told: AtomicU64,
}

/// Between two events of one reason.
const TELL_EVERY_MS: u64 = 1_000;

impl Tally {
    pub(super) fn new() -> Tally {
        Tally { begun: Instant::now(), rows: Default::default() }
    }

    /// Counts one. Gives the sum if it is time to tell it.
    pub(super) fn count(&self, reason: Reason) -> Option<u64> {
        let row = &self.rows[reason as usize];
        let sum = row.count.fetch_add(1, Relaxed) + 1;
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let told = row.told.load(Relaxed);
        let is_due = told == 0 || now.saturating_sub(told) >= TELL_EVERY_MS;
        (is_due && row.told.compare_exchange(told, now, Relaxed, Relaxed).is_ok()).then_some(sum)
    }

    /// Every reason with its count.
    pub(super) fn figures(&self) -> Vec<(Reason, u64)> {
        Reason::ALL.iter().map(|r| (*r, self.rows[*r as usize].count.load(Relaxed))).collect()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::UnknownCa => {
                f.write_str("its certificate was not signed by this mesh's CA (`ca`)")
            }
            Refusal::Expired(Some(validity)) => {
                write!(f, "its certificate ended on {}", validity.ends())
            }
            Refusal::Expired(None) => f.write_str("its certificate is over"),
            Refusal::NotYetValid(Some(validity)) => {
                write!(f, "its certificate begins on {}: is a clock wrong?", validity.begins())
            }
            Refusal::NotYetValid(None) => {
                f.write_str("its certificate has not begun: is a clock wrong?")
            }
            Refusal::WrongMesh(Some(mesh)) => write!(f, "its certificate is of mesh \"{mesh}\""),
            Refusal::WrongMesh(None) => f.write_str("its certificate is of another mesh"),
            Refusal::NoCertificate => f.write_str("it shows no certificate"),
            Refusal::NoIdentity(none) => write!(f, "its certificate names no node: {none}"),
            Refusal::Denied(node, fingerprint) => {
                write!(f, "{node}, or its certificate {fingerprint}, is on the deny list")
            }
            Refusal::WrongSite { claims, certified } => {
                write!(f, "it says it is {claims}, and its certificate says {certified}")
            }
            Refusal::BadSignature => f.write_str(
                "a signature is wrong: it does not hold the key of its certificate, or a CA of \
                 the same name signed that",
            ),
            Refusal::BadCertificate(words) if words.is_empty() => {
                f.write_str("its certificate is damaged, or for another purpose")
            }
            Refusal::BadCertificate(words) => write!(f, "its certificate will not do: {words}"),
            Refusal::OtherProtocol => f.write_str("it does not speak isobar/1"),
            Refusal::Tls(words) => write!(f, "TLS failed: {words}"),
        }
    }
}

impl std::error::Error for Refusal {}
