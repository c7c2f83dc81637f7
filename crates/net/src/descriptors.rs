//! How many flows do the process's descriptors allow?
//!
//! A local flow takes two. The soft limit is raised to the hard one; what `maxconn` needs
//! beyond that is capped, and said at start with the numbers.

use std::io;

/// Kept back: 128 for answers to those who cannot be served, 256 for pages, and as many again for
/// listeners, probes and connections that are being given up.
pub const RESERVE: u64 = 640;

/// Descriptors of this process and what they allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptors {
    /// The limit in force.
    pub limit: u64,
    /// Flows at once that it allows, at most the `maxconn` asked for.
    pub maxconn: u32,
}

/// Raises the limit and caps `wanted` by it, with so many left to others in this process.
pub fn provide(wanted: u32, beside: u64) -> io::Result<Descriptors> {
    let (soft, hard) = rlimit::getrlimit(rlimit::Resource::NOFILE)?;
    // An unlimited hard limit is capped by the kernel's fs.nr_open; ask for what is needed.
    let needed = 2 * u64::from(wanted) + RESERVE + beside;
    let target = hard.min(needed.max(soft));
    if target > soft {
        rlimit::setrlimit(rlimit::Resource::NOFILE, target, hard)?;
    }
    Ok(within(target.max(soft).saturating_sub(beside), wanted, target.max(soft)))
}

/// What is left for flows of `left` descriptors.
fn within(left: u64, wanted: u32, limit: u64) -> Descriptors {
    let allowed = left.saturating_sub(RESERVE) / 2;
    let allowed = u32::try_from(allowed).unwrap_or(u32::MAX).max(1);
    Descriptors { limit, maxconn: wanted.min(allowed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_a_flow_and_a_reserve() {
        assert_eq!(within(20_000, 200_000, 20_000).maxconn, 9_680);
        assert_eq!(within(400_640, 200_000, 400_640).maxconn, 200_000);
        assert_eq!(within(1_024, 100, 1_024).maxconn, 100);
        assert_eq!(within(64, 100, 64).maxconn, 1);
        assert_eq!(
            within(20_000 - 4_096, 200_000, 20_000).maxconn,
            7_632,
            "some are left to others"
        );
    }
}
