//! The bridge between an embedded broker and the hub, as mosquitto's `connection` section is.
//!
//! Two MQTT 5 sessions, one here and one at the hub; what one hears the other publishes. Both
//! subscribe with No Local, so neither hears what the bridge itself published: a message never
//! goes back where it came from, and in a star that is all that can loop (`docs/bridging.md`).

use std::net::SocketAddr;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::time::sleep;

/// What crosses.
pub(super) const CROSSES: &str = "demo/#";

/// Messages on their way to one side. Beyond, a message is dropped, as mosquitto does at its
/// `max_queued_messages`: waiting here could make the two sides wait for each other.
const QUEUE: usize = 10_000;
/// Of those, unacknowledged at once: as `max_inflight_messages` says in `docs/bridging.md`.
const INFLIGHT: u16 = 1000;
/// How long the hub keeps messages for a bridge that is away, in seconds.
const SESSION_EXPIRY: u32 = 3600;
const RETRY: Duration = Duration::from_millis(200);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Bridges the broker at `here` with the one at `hub`, for as long as it is polled.
pub(super) async fn run(name: &str, here: SocketAddr, hub: SocketAddr) {
    let (to_here, from_here) = AsyncClient::new(options("hub", here), QUEUE);
    let (to_hub, from_hub) = AsyncClient::new(options(name, hub), QUEUE);
    tokio::join!(
        forward(from_here, to_here.clone(), to_hub.clone()),
        forward(from_hub, to_hub, to_here)
    );
}

fn options(id: &str, addr: SocketAddr) -> MqttOptions {
    let mut options = MqttOptions::new(format!("bridge-{id}"), addr.ip().to_string(), addr.port());
    options.set_keep_alive(KEEPALIVE);
    options.set_outgoing_inflight_upper_limit(INFLIGHT);
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(SESSION_EXPIRY));
    options
}

/// Hears one side and publishes at the other; connects again whenever the session is lost.
async fn forward(mut from: EventLoop, own: AsyncClient, to: AsyncClient) {
    loop {
        match from.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                let mut filter = Filter::new(CROSSES, QoS::AtLeastOnce);
                filter.nolocal = true;
                filter.preserve_retain = true;
                if own.try_subscribe_many([filter]).is_err() {
                    eprintln!("bridge: no room to subscribe");
                }
            }
            Ok(Event::Incoming(Packet::Publish(message))) => pass(&to, message),
            Ok(_) => {}
            Err(_) => sleep(RETRY).await,
        }
    }
}

fn pass(to: &AsyncClient, message: Publish) {
    let topic = String::from_utf8_lossy(&message.topic).into_owned();
    if to.try_publish(topic, message.qos, message.retain, message.payload).is_err() {
        eprintln!("bridge: dropped a message, {QUEUE} wait");
    }
}
