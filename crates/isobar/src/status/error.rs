//! Why a node said nothing of itself, and what to do then.

use std::fmt;
use std::path::PathBuf;

use super::TIMEOUT;

#[allow(missing_docs, reason = "the fields are what the messages name")]
/// Why there is no report. All are final: nothing was changed, asking again is harmless.
#[derive(Debug)]
pub enum StatusError {
    /// The address cannot be asked.
    Address { admin: String },
    /// The token's file cannot be read.
    TokenFile { path: PathBuf, source: std::io::Error },
    /// Nothing accepted the connection, or the name is unknown.
    Nothing { address: String, source: ureq::Error },
    /// No whole answer within the timeout.
    Silent { address: String },
    /// The node wants a token, or another one.
    Token { address: String, shown: bool },
    /// Something answered otherwise.
    Answer { address: String, status: u16 },
    /// The node cannot say what was asked for, and why not.
    Refused { said: String },
    /// The answer is no report.
    NotAReport { address: String, source: serde_json::Error },
    /// The conversation broke.
    Broken { address: String, source: ureq::Error },
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatusError::Address { admin } => write!(
                f,
                "{admin:?} is no address to ask: --admin takes HOST:PORT, such as 127.0.0.1:1936 \
                 (plain HTTP)"
            ),
            StatusError::TokenFile { path, .. } => {
                write!(f, "cannot read the token file {}", path.display())
            }
            StatusError::Nothing { address, .. } => write!(
                f,
                "nothing answers at {address}; is the node running, is [admin] bind another \
                 address? pass --admin"
            ),
            StatusError::Silent { address } => write!(
                f,
                "{address} gave no answer within {} s; is it the node's [admin] bind?",
                TIMEOUT.as_secs()
            ),
            StatusError::Token { address, shown: false } => {
                write!(f, "the node at {address} wants its token; pass --token-file")
            }
            StatusError::Token { address, shown: true } => write!(
                f,
                "the node at {address} does not take this token; it wants the one in the file \
                 that its [admin] token_file names"
            ),
            StatusError::Answer { address, status } => {
                write!(f, "{address} answered with HTTP {status}; is it the node's [admin] bind?")
            }
            StatusError::Refused { said } => f.write_str(said),
            StatusError::NotAReport { address, .. } => {
                write!(f, "{address} answered, but not with a report; is it an Isobar node?")
            }
            StatusError::Broken { address, .. } => {
                write!(f, "the conversation with {address} broke")
            }
        }
    }
}

impl std::error::Error for StatusError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StatusError::TokenFile { source, .. } => Some(source),
            StatusError::Nothing { source, .. } | StatusError::Broken { source, .. } => {
                Some(source)
            }
            StatusError::NotAReport { source, .. } => Some(source),
            _ => None,
        }
    }
}
