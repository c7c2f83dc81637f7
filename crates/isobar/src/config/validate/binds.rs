//! Addresses to listen on, of all services and the admin pages: no two may overlap.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use crate::config::finding::{Refusal, Report, Scope};

/// The addresses seen so far.
#[derive(Default)]
pub(super) struct Binds {
    /// By address: who listens there.
    taken: HashMap<SocketAddr, Taken>,
    /// By port and family: the first that was seen, for a wildcard that comes later.
    first: HashMap<(u16, bool), SocketAddr>,
}

struct Taken {
    scope: String,
    line: usize,
}

impl Binds {
    /// Takes `addr`, which stands at `at`, or reports who has it already.
    pub(super) fn add(
        &mut self,
        report: &mut Report<'_>,
        scope: &Scope,
        addr: SocketAddr,
        at: &Range<usize>,
    ) {
        let family = (addr.port(), addr.is_ipv4());
        let wildcard = wildcard_of(addr);
        let other = [addr, wildcard].into_iter().find(|addr| self.taken.contains_key(addr));
        let other = other
            .or_else(|| self.first.get(&family).copied().filter(|_| addr.ip().is_unspecified()));
        if let Some((other, taken)) = other.and_then(|addr| Some((addr, self.taken.get(&addr)?))) {
            let problem = if other == addr {
                format!("already bound by {}", taken.described())
            } else {
                format!("overlaps {other}, bound by {}", taken.described())
            };
            let help = "give one of the two another port, or name different addresses";
            report.refuse(scope, "bind", at, Refusal::new(problem, help));
            return;
        }
        let line = if at.is_empty() { 0 } else { report.source.line(at.start) };
        self.taken.insert(addr, Taken { scope: scope.name.clone(), line });
        self.first.entry(family).or_insert(addr);
    }

    /// Whether connecting to `addr` would surely reach one of these, and whose it is.
    pub(super) fn reached_by(&self, addr: SocketAddr) -> Option<String> {
        let exact = self.taken.get(&addr);
        let wildcard = || self.taken.get(&wildcard_of(addr)).filter(|_| addr.ip().is_loopback());
        exact.or_else(wildcard).map(Taken::described)
    }
}

impl Taken {
    fn described(&self) -> String {
        match self.line {
            0 => self.scope.clone(),
            line => format!("{} (line {line})", self.scope),
        }
    }
}

fn wildcard_of(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, addr.port())
}
