//! From what a node is said to be at, to addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use isobar_core::discovery::{Answer, Families, Question, Trouble};

use super::joins::Joins;
use crate::resolver::Resolver;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Knows what nodes to join stand for, and looks up what peers say of themselves.
#[derive(Debug, Default)]
pub struct Names {
    /// Those of `mesh.join`.
    pub joins: Arc<Joins>,
    /// For all others.
    pub resolver: Resolver,
    /// Which addresses can be reached.
    pub families: Families,
}

/// Why there is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameError {
    /// Not `host:port`. Configuration has checked its own; a peer may say anything.
    Malformed,
    /// A name of `mesh.join` that has not led anywhere yet.
    NotFound,
    /// The resolver has none, or did not answer.
    Unresolved(Trouble),
}

impl Names {
    /// Addresses of `host:port`, at most [`ADDRESSES_MAX`]. The resolver's own timeouts bound it.
    pub async fn look_up(&self, address: &str) -> Result<Vec<SocketAddr>, NameError> {
        if let Some(mut found) = self.joins.find(address) {
            found.truncate(ADDRESSES_MAX);
            return if found.is_empty() { Err(NameError::NotFound) } else { Ok(found) };
        }
        if let Ok(addr) = address.parse() {
            return Ok(vec![addr]);
        }
        let (host, port) = address.rsplit_once(':').ok_or(NameError::Malformed)?;
        let port: u16 = port.parse().map_err(|_| NameError::Malformed)?;
        if host.is_empty() || host.parse::<IpAddr>().is_ok() {
            return Err(NameError::Malformed);
        }
        let question = Question::Host(host.to_ascii_lowercase(), self.families);
        match self.resolver.ask(&question).await {
            Answer::Addresses(found, _) => {
                let found = found.into_iter().take(ADDRESSES_MAX);
                Ok(found.map(|ip| SocketAddr::new(ip, port)).collect())
            }
            Answer::Records(..) => Err(NameError::Unresolved(Trouble::Unusable)),
            Answer::Failed(trouble) => Err(NameError::Unresolved(trouble)),
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Malformed => f.write_str("not host:port"),
            NameError::NotFound => f.write_str("the name has no address yet"),
            NameError::Unresolved(trouble) => f.write_str(trouble.label()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::JoinAddress;

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

    #[tokio::test]
    async fn a_node_to_join_is_where_its_name_stands_now() {
        let join =
            [JoinAddress::Name("a.lan".into(), 7443), JoinAddress::Service("_i._udp".into())];
        let joins = Arc::new(Joins::new(&join));
        let names = Names { joins: joins.clone(), ..Names::default() };
        assert_eq!(names.look_up("a.lan:7443").await, Err(NameError::NotFound));
        let there = |port| vec![SocketAddr::from(([10, 0, 0, 1], port))];
        joins.found(0, there(7443));
        joins.found(1, there(7444));
        assert_eq!(names.look_up("a.lan:7443").await, Ok(there(7443)));
        assert_eq!(names.look_up("_i._udp").await, Ok(there(7444)));
        assert_eq!(joins.moved(), [0, 1]);
        joins.found(1, there(7444));
        assert!(joins.moved().is_empty(), "it is where it was");
    }
}
