//! Waiting for a condition with a bound, and for one's turn.

use std::time::{Duration, Instant};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Polls `probe` until it gives a value. Panics with `what` after `within`.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        // A probe that hangs counts against the bound as well.
        let left = (within + Duration::from_secs(5)).saturating_sub(start.elapsed());
        match tokio::time::timeout(left, probe()).await {
            Ok(Some(value)) => return value,
            Ok(None) if start.elapsed() < within => {}
            _ => panic!("after {:?}, still not: {what}", start.elapsed()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// Polls `condition` until it holds. Panics with `what` after `within`.
pub async fn eventually(
    what: &str,
    within: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> Duration {
    let start = Instant::now();
    until(what, within, async || condition().await.then_some(())).await;
    start.elapsed()
}

/// Whether the long forms are asked for: `tests/run --long`.
pub fn long() -> bool {
    std::env::var_os("ISOBAR_LONG").is_some_and(|v| v == "1")
}

/// Two cores: a test that measures time or opens thousands of connections runs by itself.
static TURN: RwLock<()> = RwLock::const_new(());

/// For a heavy or time-critical test: nothing else of this binary runs meanwhile.
pub async fn alone() -> RwLockWriteGuard<'static, ()> {
    super::raise_descriptor_limit();
    TURN.write().await
}

/// For a light test: others may run beside it.
pub async fn beside() -> RwLockReadGuard<'static, ()> {
    super::raise_descriptor_limit();
    TURN.read().await
}
