//! From `host:port` to addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use tokio::sync::OnceCell;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Looks names up, as the system would: hosts file, then its name servers.
#[derive(Default)]
pub struct Names {
    /// Made at the first name: most meshes are configured by address.
    resolver: OnceCell<TokioResolver>,
}

/// Why there is no address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NameError {
    /// Not `host:port`. Configuration has checked its own; a peer may say anything.
    Malformed,
    /// The resolver has none, or did not answer.
    Unresolved(String),
}

impl Names {
    /// Addresses of `host:port`, at most [`ADDRESSES_MAX`]. The resolver's own timeouts bound it.
    pub async fn look_up(&self, address: &str) -> Result<Vec<SocketAddr>, NameError> {
        if let Ok(addr) = address.parse() {
            return Ok(vec![addr]);
        }
        let (host, port) = address.rsplit_once(':').ok_or(NameError::Malformed)?;
        let port: u16 = port.parse().map_err(|_| NameError::Malformed)?;
        if host.is_empty() || host.parse::<IpAddr>().is_ok() {
            return Err(NameError::Malformed);
        }
        let unresolved = |error: &dyn fmt::Display| NameError::Unresolved(error.to_string());
        let make = async || TokioResolver::builder_tokio()?.build();
        let resolver = self.resolver.get_or_try_init(make).await.map_err(|e| unresolved(&e))?;
        let found = resolver.lookup_ip(host).await.map_err(|e| unresolved(&e))?;
        Ok(found.iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Malformed => f.write_str("not host:port"),
            NameError::Unresolved(why) => f.write_str(why),
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_need_no_resolver_and_nonsense_gets_none() {
        let names = Names::default();
        let one = |text: &str| vec![text.parse().expect("an address")];
        assert_eq!(names.look_up("127.0.0.1:7443").await, Ok(one("127.0.0.1:7443")));
        assert_eq!(names.look_up("[::1]:7443").await, Ok(one("[::1]:7443")));
        for bad in ["", "7443", ":7443", "host", "host:", "host:99999", "::1:7443"] {
            assert_eq!(names.look_up(bad).await, Err(NameError::Malformed), "{bad}");
        }
        assert_eq!(names.look_up("localhost:7443").await.map(|a| a.is_empty()), Ok(false));
    }
}
