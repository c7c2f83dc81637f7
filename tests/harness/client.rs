//! One raw MQTT connection, in the test's full control.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::packet::{Connack, Connect, Packet, Publish, Version, frame, kind, put_binary};
use super::packet::{put_properties, put_varint};

/// How long a client waits for any one answer, unless it says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why there was no answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Failure {
    /// No TCP connection.
    NotConnected(io::ErrorKind),
    /// FIN before a byte of the answer.
    ClosedSilently,
    /// FIN in the middle of a packet.
    CutOff,
    /// RST, or another error of the connection.
    Broken(io::ErrorKind),
    /// Nothing came in time.
    TimedOut,
    /// Something else than a CONNACK came first.
    NotConnack(u8),
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    version: Version,
    /// Bytes read and not yet handed out as packets.
    unread: Vec<u8>,
    next_id: u16,
    /// What `connect` waits for, and reads too.
    pub patience: Duration,
}

impl Client {
    /// A TCP connection to `addr`, from `source` if given.
    pub async fn open(addr: SocketAddr, source: Option<IpAddr>) -> Result<Client, Failure> {
        let failed = |e: io::Error| Failure::NotConnected(e.kind());
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(failed)?;
        if let Some(ip) = source {
            // Many connections from one address, some just closed.
            socket.set_reuseaddr(true).map_err(failed)?;
            socket.bind(SocketAddr::new(ip, 0)).map_err(failed)?;
        }
        let connected = timeout(PATIENCE, socket.connect(addr)).await;
        let stream = connected.map_err(|_| Failure::TimedOut)?.map_err(failed)?;
        Ok(Client::over(stream))
    }

    /// A connection that stands, from either end: a [`super::FakeBroker`] has such ones.
    pub fn over(stream: TcpStream) -> Client {
        stream.set_nodelay(true).expect("a connected socket takes the option");
        let (version, patience) = (Version::V311, PATIENCE);
        Client { stream, version, unread: Vec::new(), next_id: 0, patience }
    }

    /// Connects and expects CONNACK 0.
    pub async fn connected(addr: SocketAddr, connect: &Connect) -> Client {
        let mut client = Client::open(addr, None).await.expect("a listener");
        let connack = client.connect(connect).await.expect("a CONNACK");
        assert_eq!(connack.code, 0, "{:?}", String::from_utf8_lossy(&connect.client_id));
        client
    }

    /// Sends the CONNECT and reads the CONNACK, whatever its code.
    pub async fn connect(&mut self, connect: &Connect) -> Result<Connack, Failure> {
        self.version = connect.version;
        self.send(&connect.encode()).await?;
        self.read_connack().await
    }

    /// Reads the CONNACK, for a CONNECT that was sent by hand.
    pub async fn read_connack(&mut self) -> Result<Connack, Failure> {
        let packet = self.read().await?;
        packet.connack(self.version).ok_or(Failure::NotConnack(packet.first))
    }

    /// Which version to read packets as, when the CONNECT is sent by hand.
    pub fn speak(&mut self, version: Version) {
        self.version = version;
    }

    /// The address on our side: what the node's log calls the client.
    pub fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match timeout(self.patience, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(Failure::Broken(e.kind())),
            Err(_) => Err(Failure::TimedOut),
        }
    }

    /// Writes what the system takes at once; 0 when its buffers are full.
    pub fn try_send(&mut self, bytes: &[u8]) -> usize {
        self.stream.try_write(bytes).unwrap_or(0)
    }

    /// Reads one packet.
    pub async fn read(&mut self) -> Result<Packet, Failure> {
        self.read_within(self.patience).await
    }

    /// Reads one packet. Cancelling it loses nothing.
    pub async fn read_within(&mut self, within: Duration) -> Result<Packet, Failure> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            if let Some(packet) = self.take_packet() {
                return Ok(packet);
            }
            self.unread.reserve(if self.unread.is_empty() { 512 } else { 1 << 17 });
            let read = tokio::time::timeout_at(deadline, self.stream.read_buf(&mut self.unread));
            match read.await {
                Ok(Ok(0)) if self.unread.is_empty() => return Err(Failure::ClosedSilently),
                Ok(Ok(0)) => return Err(Failure::CutOff),
                Ok(Ok(_)) => {}
                Ok(Err(e)) => return Err(Failure::Broken(e.kind())),
                Err(_) => return Err(Failure::TimedOut),
            }
        }
    }

    fn take_packet(&mut self) -> Option<Packet> {
        let mut length = 0;
        for i in 0..4 {
            let byte = *self.unread.get(1 + i)?;
            length |= usize::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                let (start, end) = (2 + i, 2 + i + length);
                let body = self.unread.get(start..end)?.to_vec();
                let first = self.unread[0];
                self.unread.drain(..end);
                if self.unread.is_empty() {
                    // 5,000 idle clients: none keeps a buffer.
                    self.unread = Vec::new();
                }
                return Some(Packet { first, body });
            }
        }
        panic!("not MQTT: {:02x?}", &self.unread[..self.unread.len().min(16)])
    }

    /// Reads bytes as they are, for streams that are not MQTT.
    pub async fn read_raw(&mut self, within: Duration) -> Result<Vec<u8>, Failure> {
        let mut bytes = std::mem::take(&mut self.unread);
        if bytes.is_empty() {
            bytes.reserve(1 << 16);
            match timeout(within, self.stream.read_buf(&mut bytes)).await {
                Ok(Ok(0)) => return Err(Failure::ClosedSilently),
                Ok(Ok(_)) => {}
                Ok(Err(e)) => return Err(Failure::Broken(e.kind())),
                Err(_) => return Err(Failure::TimedOut),
            }
        }
        Ok(bytes)
    }

    /// Reads packets until one of `wanted` kind; panics on a failure or after many others.
    pub async fn expect(&mut self, wanted: u8) -> Packet {
        for _ in 0..100_000 {
            let packet =
                self.read().await.unwrap_or_else(|e| panic!("waiting for {wanted}: {e:?}"));
            if packet.kind() == wanted {
                return packet;
            }
        }
        panic!("100,000 packets and none of kind {wanted}")
    }

    /// The next PUBLISH, acknowledged as its QoS asks.
    pub async fn next_publish(&mut self, within: Duration) -> Result<Publish, Failure> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let packet = self.read_within(left).await?;
            if packet.kind() == kind::PUBREL {
                let id = [packet.body[0], packet.body[1]];
                self.send(&frame(0x70, &id)).await?;
            }
            if let Some(publish) = packet.publish(self.version) {
                let id = publish.packet_id.to_be_bytes();
                match publish.qos {
                    1 => self.send(&frame(0x40, &id)).await?,
                    2 => self.send(&frame(0x50, &id)).await?,
                    _ => {}
                }
                return Ok(publish);
            }
        }
    }

    fn packet_id(&mut self) -> u16 {
        self.next_id = self.next_id % 60_000 + 1;
        self.next_id
    }

    /// Subscribes and waits for the SUBACK, whose reason code it gives.
    pub async fn subscribe(&mut self, topic: &str, qos: u8) -> u8 {
        let mut body = self.packet_id().to_be_bytes().to_vec();
        if self.version == Version::V5 {
            put_varint(&mut body, 0);
        }
        put_binary(&mut body, topic.as_bytes());
        body.push(qos);
        self.send(&frame(0x82, &body)).await.expect("the connection takes a SUBSCRIBE");
        let suback = self.expect(kind::SUBACK).await;
        *suback.body.last().expect("a SUBACK has codes")
    }

    /// The bytes of a PUBLISH; its packet identifier is given too.
    pub fn encode_publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        opts: &PublishOpts,
    ) -> (Vec<u8>, u16) {
        let mut body = Vec::with_capacity(payload.len() + topic.len() + 16);
        put_binary(&mut body, topic.as_bytes());
        let id = if opts.qos > 0 { self.packet_id() } else { 0 };
        if opts.qos > 0 {
            body.extend(id.to_be_bytes());
        }
        if self.version == Version::V5 {
            put_properties(&mut body, &opts.properties);
        }
        body.extend_from_slice(payload);
        (frame(0x30 | (opts.qos << 1) | u8::from(opts.retain), &body), id)
    }

    /// Publishes, and for QoS 1 and 2 finishes the exchange.
    pub async fn publish(&mut self, topic: &str, payload: &[u8], qos: u8) {
        self.publish_with(topic, payload, &PublishOpts { qos, ..PublishOpts::default() }).await;
    }

    /// Publishes, and for QoS 1 and 2 finishes the exchange.
    pub async fn publish_with(&mut self, topic: &str, payload: &[u8], opts: &PublishOpts) {
        let (bytes, id) = self.encode_publish(topic, payload, opts);
        self.send(&bytes).await.expect("the connection takes a PUBLISH");
        if opts.qos == 1 {
            let puback = self.expect(kind::PUBACK).await;
            assert_eq!(puback.body[..2], id.to_be_bytes());
        }
        if opts.qos == 2 {
            let pubrec = self.expect(kind::PUBREC).await;
            assert_eq!(pubrec.body[..2], id.to_be_bytes());
            self.send(&frame(0x62, &id.to_be_bytes()))
                .await
                .expect("the connection takes a PUBREL");
            let pubcomp = self.expect(kind::PUBCOMP).await;
            assert_eq!(pubcomp.body[..2], id.to_be_bytes());
        }
    }

    /// PINGREQ, PINGRESP: is there a live broker at the other end?
    pub async fn ping(&mut self) -> Result<Duration, Failure> {
        let start = std::time::Instant::now();
        self.send(&[0xc0, 0]).await?;
        loop {
            if self.read().await?.kind() == kind::PINGRESP {
                return Ok(start.elapsed());
            }
        }
    }

    /// Waits for the other side's end; packets before it are given.
    pub async fn read_to_end(&mut self, within: Duration) -> (Vec<Packet>, Failure) {
        let deadline = tokio::time::Instant::now() + within;
        let mut packets = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            match self.read_within(left).await {
                Ok(packet) => packets.push(packet),
                Err(end) => return (packets, end),
            }
        }
    }

    /// Waits for the other side's end, whatever comes before it.
    pub async fn read_to_end_raw(&mut self) -> Failure {
        loop {
            if let Err(end) = self.read_raw(PATIENCE).await {
                return end;
            }
        }
    }

    /// DISCONNECT and FIN, as a client that is done.
    pub async fn disconnect(mut self) {
        let _ = self.send(&[0xe0, 0]).await;
        let _ = self.stream.shutdown().await;
    }

    /// FIN without DISCONNECT, both directions closed.
    pub fn close(self) {
        drop(self.stream);
    }

    /// Shuts down our direction only; the other stays readable.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.expect("an open socket can be shut down");
    }

    /// RST, as a client that crashed or lost its address.
    pub fn vanish(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("linger can be set");
        drop(self.stream);
    }
}

/// How to publish.
#[derive(Clone, Debug, Default)]
pub struct PublishOpts {
    pub qos: u8,
    pub retain: bool,
    /// Encoded, without their length; 5.0 only.
    pub properties: Vec<u8>,
}
