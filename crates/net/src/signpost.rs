//! Whoever knows where clients shall go, as flows ask it.
//!
//! The engine behind it is core's; a node that was given none sends nobody away and answers
//! nobody itself.

use std::fmt;
use std::net::IpAddr;

use isobar_core::id::ClientKey;

/// A client of this node.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The service it came to, as its index among the node's.
    pub service: u16,
    /// Where it comes from.
    pub source: IpAddr,
    /// Its client id; may be empty.
    pub client_id: &'a [u8],
}

/// What a client is told that asks where to go.
#[derive(Clone, Debug)]
pub struct Told {
    /// The answer, to be published.
    pub payload: Vec<u8>,
    /// The first server that it names, `host:port`.
    pub first: Option<String>,
}

/// Too many ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

type Elsewhere = dyn Fn(&Asker<'_>, ClientKey) -> Option<String> + Send + Sync;
type Provision = dyn Fn(&Asker<'_>) -> Result<Told, Busy> + Send + Sync;

/// Whom flows ask. Both answer at once, without waiting.
pub struct Signpost {
    /// The server, `host:port`, that this client shall use instead; `None` where it is right here.
    pub elsewhere: Box<Elsewhere>,
    /// The answer to a client that asks where to go.
    pub provision: Box<Provision>,
}

impl fmt::Debug for Signpost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signpost").finish_non_exhaustive()
    }
}
