//! One MQTT session of a client of the demo, in either version.
//!
//! `rumqttc` has a client for 3.1.1 and one for 5.0 with types of their own; here they are one.
//! Unlike there, a session that ended stays ended: the demo counts reconnects, so it makes them.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use rumqttc::v5;
use tokio::time::timeout;

/// Requests that may wait inside a session; beyond, `publish` and `subscribe` say no.
const QUEUE: usize = 64;
/// Unacknowledged PUBLISHes at once; the demo's clients have one.
const INFLIGHT: u16 = 16;
const KEEPALIVE: Duration = Duration::from_secs(30);
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);

/// The protocol version a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

impl Version {
    /// One version for even numbers, the other for odd ones.
    pub(super) fn of(number: usize) -> Version {
        if number.is_multiple_of(2) { Version::V311 } else { Version::V5 }
    }
}

/// What a session hears.
#[derive(Debug)]
pub(super) enum Heard {
    /// The CONNACK, and it said yes.
    Accepted,
    /// The SUBACK.
    Subscribed,
    /// The PUBACK.
    Published,
    /// A message.
    Message {
        /// Where it was published.
        topic: String,
        /// What it says.
        payload: Vec<u8>,
    },
    /// Anything else.
    Other,
}

/// Why a session ended.
#[derive(Debug)]
pub(super) struct Gone {
    why: String,
    /// Nobody listened there: a client that knows another address tries that.
    pub(super) is_unreachable: bool,
}

impl Gone {
    /// For that reason.
    pub(super) fn new(why: impl Into<String>) -> Gone {
        Gone { why: why.into(), is_unreachable: false }
    }

    fn at(error: impl fmt::Display, io: Option<&io::Error>) -> Gone {
        let refused = io.map(io::Error::kind) == Some(io::ErrorKind::ConnectionRefused);
        Gone { why: error.to_string(), is_unreachable: refused }
    }

    fn from_v311(error: &rumqttc::ConnectionError) -> Gone {
        match error {
            rumqttc::ConnectionError::Io(io) => Gone::at(error, Some(io)),
            _ => Gone::at(error, None),
        }
    }

    fn from_v5(error: &v5::ConnectionError) -> Gone {
        match error {
            v5::ConnectionError::Io(io) => Gone::at(error, Some(io)),
            _ => Gone::at(error, None),
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

enum Sender {
    V311(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// A clean session at QoS 1.
pub(super) struct Session {
    sender: Sender,
    events: Pin<Box<dyn Stream<Item = Result<Heard, Gone>> + Send>>,
}

impl Session {
    /// Prepares a session; the first [`Session::next`] connects.
    pub(super) fn new(version: Version, id: &str, addr: SocketAddr) -> Session {
        match version {
            Version::V311 => {
                let mut options = rumqttc::MqttOptions::new(id, addr.ip().to_string(), addr.port());
                options.set_keep_alive(KEEPALIVE);
                let (sender, events) = rumqttc::AsyncClient::new(options, QUEUE);
                // The stream owns the event loop, so that a wait for it may be given up.
                let events = stream::unfold(Some(events), |events| async move {
                    let mut events = events?;
                    match events.poll().await {
                        Ok(event) => Some((Ok(heard_v311(event)), Some(events))),
                        Err(error) => Some((Err(Gone::from_v311(&error)), None)),
                    }
                });
                Session { sender: Sender::V311(sender), events: Box::pin(events) }
            }
            Version::V5 => {
                let mut options = v5::MqttOptions::new(id, addr.ip().to_string(), addr.port());
                options.set_keep_alive(KEEPALIVE);
                // Its table has a place for each: 65,535 by default, ten megabytes a client.
                options.set_outgoing_inflight_upper_limit(INFLIGHT);
                let (sender, events) = v5::AsyncClient::new(options, QUEUE);
                let events = stream::unfold(Some(events), |events| async move {
                    let mut events = events?;
                    match events.poll().await {
                        Ok(event) => Some((Ok(heard_v5(event)), Some(events))),
                        Err(error) => Some((Err(Gone::from_v5(&error)), None)),
                    }
                });
                Session { sender: Sender::V5(sender), events: Box::pin(events) }
            }
        }
    }

    /// Connects, and waits for the CONNACK.
    pub(super) async fn accepted(&mut self, patience: Duration) -> Result<(), Gone> {
        self.until(patience, "no CONNACK", |heard| matches!(heard, Heard::Accepted)).await
    }

    /// Waits for the SUBACK.
    pub(super) async fn subscribed(&mut self, patience: Duration) -> Result<(), Gone> {
        self.until(patience, "no SUBACK", |heard| matches!(heard, Heard::Subscribed)).await
    }

    /// Waits for the PUBACK.
    pub(super) async fn published(&mut self, patience: Duration) -> Result<(), Gone> {
        self.until(patience, "no PUBACK", |heard| matches!(heard, Heard::Published)).await
    }

    /// Waits for a message, whatever it says.
    pub(super) async fn message(&mut self, patience: Duration) -> Result<(), Gone> {
        self.until(patience, "no message", |heard| matches!(heard, Heard::Message { .. })).await
    }

    /// What comes next. May be dropped and called again without a loss.
    pub(super) async fn next(&mut self) -> Result<Heard, Gone> {
        self.events.next().await.unwrap_or_else(|| Err(Gone::new("the session has ended")))
    }

    /// Asks for topic filters at QoS 1. Only while connected.
    pub(super) fn subscribe(&self, filters: &[String]) -> Result<(), Gone> {
        let asked = match &self.sender {
            Sender::V311(sender) => sender
                .try_subscribe_many(filters.iter().map(|filter| {
                    rumqttc::SubscribeFilter::new(filter.clone(), rumqttc::QoS::AtLeastOnce)
                }))
                .map_err(|error| error.to_string()),
            Sender::V5(sender) => sender
                .try_subscribe_many(filters.iter().map(|filter| {
                    v5::mqttbytes::v5::Filter::new(filter.clone(), v5::mqttbytes::QoS::AtLeastOnce)
                }))
                .map_err(|error| error.to_string()),
        };
        asked.map_err(Gone::new)
    }

    /// Publishes at QoS 1. Only while connected.
    pub(super) fn publish(&self, topic: &str, payload: &str, retain: bool) -> Result<(), Gone> {
        let payload = payload.as_bytes().to_vec();
        let asked = match &self.sender {
            Sender::V311(sender) => sender
                .try_publish(topic, rumqttc::QoS::AtLeastOnce, retain, payload)
                .map_err(|error| error.to_string()),
            Sender::V5(sender) => sender
                .try_publish(topic, v5::mqttbytes::QoS::AtLeastOnce, retain, payload)
                .map_err(|error| error.to_string()),
        };
        asked.map_err(Gone::new)
    }

    /// Ends the session with a DISCONNECT, or by force after a moment.
    pub(super) async fn close(mut self) {
        let asked = match &self.sender {
            Sender::V311(sender) => sender.try_disconnect().is_ok(),
            Sender::V5(sender) => sender.try_disconnect().is_ok(),
        };
        if asked {
            // The end of the stream is the end of the session, in time or not.
            let _ = timeout(CLOSE_PATIENCE, async { while self.next().await.is_ok() {} }).await;
        }
    }

    async fn until(
        &mut self,
        patience: Duration,
        otherwise: &str,
        is_it: impl Fn(&Heard) -> bool,
    ) -> Result<(), Gone> {
        let wait = async {
            loop {
                if is_it(&self.next().await?) {
                    return Ok(());
                }
            }
        };
        let waited = timeout(patience, wait).await;
        waited.unwrap_or_else(|_| Err(Gone::new(format!("{otherwise} within {patience:?}"))))
    }
}

fn heard_v311(event: rumqttc::Event) -> Heard {
    match event {
        rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_)) => Heard::Accepted,
        rumqttc::Event::Incoming(rumqttc::Packet::SubAck(_)) => Heard::Subscribed,
        rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_)) => Heard::Published,
        rumqttc::Event::Incoming(rumqttc::Packet::Publish(message)) => {
            Heard::Message { topic: message.topic, payload: message.payload.to_vec() }
        }
        _ => Heard::Other,
    }
}

fn heard_v5(event: v5::Event) -> Heard {
    use v5::mqttbytes::v5::Packet;
    match event {
        v5::Event::Incoming(Packet::ConnAck(_)) => Heard::Accepted,
        v5::Event::Incoming(Packet::SubAck(_)) => Heard::Subscribed,
        v5::Event::Incoming(Packet::PubAck(_)) => Heard::Published,
        v5::Event::Incoming(Packet::Publish(message)) => Heard::Message {
            topic: String::from_utf8_lossy(&message.topic).into_owned(),
            payload: message.payload.to_vec(),
        },
        _ => Heard::Other,
    }
}
