//! How much may be under way on a connection of the mesh.
//!
//! quinn's datagrams share the congestion window of their connection, and CUBIC's never grows
//! while there is little to send: under loss a connection of heartbeats shrinks to two packets
//! and stays there. What is said there is bounded by design, so it gets a fixed small window. A
//! connection with tunnels gets CUBIC. Which of the two a connection is, is known only after its
//! handshake, so each begins fixed and may be [`released`](Switch::release).

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory, CubicConfig};
use quinn_proto::RttEstimator;

/// Under way at once on a connection of news: about half a second's worth in a large mesh.
const FIXED: u64 = 64 * 1024;

thread_local! {
    static LAST_MADE: Cell<Option<Switch>> = const { Cell::new(None) };
}

/// Makes windows that begin fixed.
#[derive(Debug, Default)]
pub struct Windows {
    cubic: Arc<CubicConfig>,
}

/// Turns a connection's window from fixed to CUBIC.
#[derive(Clone, Debug)]
pub struct Switch(Arc<AtomicBool>);

struct Window {
    released: Switch,
    cubic: Box<dyn Controller>,
}

impl Switch {
    /// The switch of a connection that was made with [`Windows`].
    pub fn of(connection: &quinn::Connection) -> Option<Switch> {
        let window = connection.congestion_state().into_any().downcast::<Window>().ok()?;
        Some(window.released.clone())
    }

    /// The switch of the last window that was made on this thread, once.
    pub(super) fn last_made() -> Option<Switch> {
        LAST_MADE.take()
    }

    /// From now on the path decides.
    pub fn release(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is a connection of data, and known to be one.
    pub(super) fn is_released(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl ControllerFactory for Windows {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let cubic = self.cubic.clone().build(now, current_mtu);
        let released = Switch(Arc::default());
        LAST_MADE.set(Some(released.clone()));
        Box::new(Window { released, cubic })
    }
}

impl Controller for Window {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.cubic.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.cubic.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.cubic.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if self.released.is_released() { self.cubic.window() } else { FIXED }
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Window { released: self.released.clone(), cubic: self.cubic.clone_box() })
    }

    fn initial_window(&self) -> u64 {
        FIXED
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_window_does_not_shrink_and_a_released_one_does() {
        let now = Instant::now();
        let mut window = Arc::new(Windows::default()).build(now, 1_200);
        assert_eq!(window.window(), FIXED);
        window.on_congestion_event(now, now, true, 1_200);
        assert_eq!(window.window(), FIXED);
        let copy = window.clone_box().into_any().downcast::<Window>().expect("it is one");
        copy.released.release();
        assert!(window.window() < FIXED, "{}", window.window());
    }
}
