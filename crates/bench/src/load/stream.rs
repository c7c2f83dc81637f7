//! Large messages in one direction through one flow, as fast as they go.
//!
//! Towards the broker the flow publishes to a topic that nobody listens to, and in the end to one of
//! its own: what comes back then says that all the others were taken. Towards the client the flow
//! is a subscriber, and who publishes is at the broker itself, a few messages ahead of what has
//! arrived.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Plan, Towards};
use crate::failure::{Context, Failure, Result};
use crate::mqtt;

/// Messages ahead of what has arrived: enough to keep a flow full, little enough for a broker to
/// keep all of them.
const AHEAD: u32 = 32;
/// For one message, or the room for it.
const LIMIT: Duration = Duration::from_secs(20);
const MARK: &str = "b/mark";
const BULK: &str = "b/bulk";

/// A flow for one direction.
pub(super) struct Pipe {
    towards: Towards,
    /// Through the proxies.
    flow: End,
    /// At the broker, where messages come from there.
    source: Option<End>,
    message: Vec<u8>,
}

struct End {
    stream: TcpStream,
    came: Vec<u8>,
    scratch: Vec<u8>,
}

impl Pipe {
    pub(super) fn open(plan: &Plan, towards: Towards, payload: usize) -> Result<Pipe> {
        let mut flow = End::open(plan.targets[0], "bench-flow")?;
        let source = match towards {
            Towards::Broker => {
                flow.subscribe(MARK)?;
                None
            }
            Towards::Client => {
                flow.subscribe(BULK)?;
                Some(End::open(plan.brokers[0], "bench-source")?)
            }
        };
        Ok(Pipe { towards, flow, source, message: mqtt::publish(BULK, payload) })
    }

    /// Moves `count` messages to their end.
    pub(super) fn run(&mut self, count: u32) -> Result<()> {
        let Pipe { flow, source, message, .. } = self;
        match (self.towards, source) {
            (Towards::Client, Some(source)) => {
                let mut sent = 0;
                for arrived in 0..count {
                    while sent < count && sent < arrived + AHEAD {
                        source.say(message)?;
                        sent += 1;
                    }
                    flow.expect(mqtt::kind::PUBLISH)?;
                }
                Ok(())
            }
            _ => {
                for _ in 0..count {
                    flow.say(message)?;
                }
                flow.say(&mqtt::publish(MARK, 16))?;
                flow.expect(mqtt::kind::PUBLISH)
            }
        }
    }
}

impl End {
    fn open(addr: SocketAddr, name: &str) -> Result<End> {
        let opening = || format!("opening a flow to {addr}");
        let stream = TcpStream::connect_timeout(&addr, LIMIT).context(opening())?;
        stream.set_nodelay(true).context(opening())?;
        stream.set_read_timeout(Some(LIMIT)).context(opening())?;
        stream.set_write_timeout(Some(LIMIT)).context(opening())?;
        let mut end = End { stream, came: Vec::new(), scratch: vec![0; 256 << 10] };
        end.say(&mqtt::connect(name))?;
        end.expect(mqtt::kind::CONNACK)?;
        Ok(end)
    }

    fn subscribe(&mut self, topic: &str) -> Result<()> {
        self.say(&mqtt::subscribe(topic))?;
        self.expect(mqtt::kind::SUBACK)
    }

    fn say(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("sending on a flow")
    }

    /// Waits for the next packet, which is to be of this kind.
    fn expect(&mut self, kind: u8) -> Result<()> {
        loop {
            let packet = mqtt::first_packet(&self.came);
            let packet = packet.map_err(|_| Failure::new("what came is not MQTT"))?;
            if let Some(packet) = packet {
                if mqtt::kind_of(packet) != kind {
                    let came = mqtt::kind_of(packet);
                    return Err(Failure::new(format!("packet {came} came instead of {kind}")));
                }
                let length = packet.len();
                self.came.drain(..length);
                return Ok(());
            }
            match self.stream.read(&mut self.scratch).context("reading a flow")? {
                0 => return Err(Failure::new("a flow was closed on the load")),
                n => self.came.extend_from_slice(&self.scratch[..n]),
            }
        }
    }
}
