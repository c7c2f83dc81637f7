//! QUIC's limits, on purpose: windows, streams, buffers, times.

use std::sync::Arc;
use std::time::Duration;

use quinn::{IdleTimeout, TransportConfig, VarInt};

use super::window::Windows;

/// Streams of tunnels that a peer may have open, to begin with: quinn reserves memory for each.
/// Doubled as they fill, up to [`TUNNELS_MAX`].
pub const TUNNELS_AT_FIRST: u32 = 128;
/// Tunnels on one connection, at most.
pub const TUNNELS_MAX: u32 = 65_536;
/// Unread bytes of one tunnel: at 100 ms a flow can have about 40 Mbit/s.
const STREAM_WINDOW: u32 = 512 * 1024;
/// Unread bytes of a connection, all its tunnels together.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Bytes sent and not acknowledged yet, all tunnels of a connection together.
const SEND_WINDOW: u64 = 16 * 1024 * 1024;
/// Datagrams that wait: the oldest go first, for a newer one says more.
const DATAGRAMS: usize = 32 * 1024;
/// A connection on which nothing came for so long is over. Heartbeats notice much sooner; this
/// is for what nobody looks at.
const IDLE: Duration = Duration::from_secs(30);
/// Keeps data connections open through NAT.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// For every connection of the mesh.
pub fn transport(gso: bool) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    let idle = IdleTimeout::try_from(IDLE).expect("30 s are a QUIC timeout");
    config
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .datagram_send_buffer_size(DATAGRAMS)
        .congestion_controller_factory(Arc::new(Windows::default()))
        .enable_segmentation_offload(gso);
    Arc::new(config)
}
