//! One connection to another node, from its handshake to its end.
//!
//! Whoever dials says on its one unidirectional stream what the connection is for. A connection of
//! news then has such a stream from each side, and datagrams. One of data has the tunnels. A link
//! decides nothing: it says up, heard, down, and writes what it is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use isobar_core::mesh::message::Message;
use isobar_core::mesh::{Channel, CloseReason, DialId, LinkEnd, LinkId, Purpose};
use isobar_wire::frame::news::{self, Decoded};
use isobar_wire::frame::{Code, Frame, FrameReader, STREAM_MAX};
use isobar_wire::tunnel::{self, DataHello, Word};
use quinn::{Connection, ConnectionError, RecvStream, VarInt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::counters::MeshCounters;
use super::trust::{Identity, Peer, Trust};
use super::window::Switch;

/// What a peer must say within this time of its handshake: what it came for.
const FIRST_WORD: Duration = Duration::from_secs(3);
/// Frames that wait for a link's stream. One that cannot be rid of them is closed.
pub const STREAM_QUEUE: usize = 256;
/// Read at once from a stream of news.
const READ: usize = 16 * 1024;

/// What happens on links, for the one who drives the mesh.
#[derive(Debug)]
pub enum Event {
    /// A connection stands, its peer is admitted.
    Up(Box<Up>),
    /// A message came.
    Heard(LinkId, Box<Message>),
    /// It is gone.
    Down(LinkId, LinkEnd),
    /// A try came to nothing.
    DialFailed(DialId),
}

/// A connection that stands.
#[derive(Debug)]
pub struct Up {
    /// Its number.
    pub link: LinkId,
    /// Whom its certificate names, and when that was judged.
    pub peer: Peer,
    /// The try that led to it, if we dialled.
    pub dial: Option<DialId>,
    /// What it is for.
    pub purpose: Purpose,
    /// The connection.
    pub connection: Connection,
    /// What is to be said on our stream; for news.
    pub stream: Option<mpsc::Sender<Bytes>>,
}

/// What links share.
#[derive(Debug)]
pub struct Links {
    /// To the driver. Datagrams that find it full are dropped; streams wait.
    pub events: mpsc::Sender<Event>,
    /// Numbers.
    pub counters: Arc<MeshCounters>,
    /// For a peer that claims to be another.
    pub trust: Arc<Trust>,
    next: AtomicU64,
}

/// Core's name of a peer.
pub fn identity(peer: &Peer) -> isobar_core::mesh::Identity {
    let (site, node) = (peer.identity.site.clone(), peer.identity.node.clone());
    isobar_core::mesh::Identity { site, node }
}

impl Links {
    /// None yet.
    pub fn new(
        events: mpsc::Sender<Event>,
        counters: Arc<MeshCounters>,
        trust: Arc<Trust>,
    ) -> Links {
        Links { events, counters, trust, next: AtomicU64::new(1) }
    }

    /// A connection that we dialled, to its end.
    pub async fn dialled(
        &self,
        connection: Connection,
        peer: Peer,
        purpose: Purpose,
        dial: Option<DialId>,
    ) {
        match purpose {
            Purpose::News => self.news(connection, peer, dial, None).await,
            Purpose::Data => {
                let said = self.say_data(&connection);
                if !matches!(timeout(FIRST_WORD, said).await, Ok(Ok(()))) {
                    close(&connection, Code::TooSlow);
                    if let Some(dial) = dial {
                        let _ = self.events.send(Event::DialFailed(dial)).await;
                    }
                    return;
                }
                self.data(connection, peer, dial).await;
            }
        }
    }

    async fn say_data(&self, connection: &Connection) -> std::io::Result<()> {
        let own = self.trust.own();
        let mut frame = Vec::new();
        let hello = DataHello { site: &own.site, node: &own.node, version: tunnel::VERSION };
        Word::Hello(hello).encode(&mut frame).map_err(std::io::Error::other)?;
        let mut stream = connection.open_uni().await?;
        stream.write_all(&frame).await?;
        stream.finish()?;
        Ok(())
    }

    /// A connection that a peer dialled, to its end.
    pub async fn accepted(&self, connection: Connection, peer: Peer) {
        let first = timeout(FIRST_WORD, First::read(&connection)).await;
        match first.unwrap_or(Err(Code::TooSlow)) {
            Ok(First::Data(claims)) => {
                // Who speaks for another is closed by this.
                if self.trust.confirm(&connection, &peer, &claims).is_ok() {
                    self.data(connection, peer, None).await;
                }
            }
            Ok(First::News(news)) => self.news(connection, peer, None, Some(news)).await,
            Err(code) => {
                self.counters.misspoken.up();
                close(&connection, code);
            }
        }
    }

    async fn data(&self, connection: Connection, peer: Peer, dial: Option<DialId>) {
        if let Some(switch) = Switch::of(&connection) {
            switch.release();
        }
        let tunnels = VarInt::from_u32(super::transport::TUNNELS_AT_FIRST);
        connection.set_max_concurrent_bi_streams(tunnels);
        let link = self.number();
        let up = Up {
            link,
            peer,
            dial,
            purpose: Purpose::Data,
            connection: connection.clone(),
            stream: None,
        };
        if self.events.send(Event::Up(Box::new(up))).await.is_err() {
            return;
        }
        let cause = end(&connection.closed().await);
        let _ = self.events.send(Event::Down(link, cause)).await;
    }

    async fn news(
        &self,
        connection: Connection,
        peer: Peer,
        dial: Option<DialId>,
        incoming: Option<Box<News>>,
    ) {
        let link = self.number();
        let (stream, words) = mpsc::channel(STREAM_QUEUE);
        let up = Up {
            link,
            peer: peer.clone(),
            dial,
            purpose: Purpose::News,
            connection: connection.clone(),
            stream: Some(stream),
        };
        if self.events.send(Event::Up(Box::new(up))).await.is_err() {
            return;
        }
        let cause = tokio::select! {
            error = connection.closed() => end(&error),
            () = write(&connection, words) => LinkEnd::Lost,
            () = self.read_datagrams(link, &connection) => LinkEnd::Lost,
            code = self.read_stream(link, &connection, &peer, incoming) => {
                self.counters.misspoken.up();
                close(&connection, code);
                LinkEnd::Closed(CloseReason::Misspoken)
            }
        };
        close(&connection, Code::Mesh(CloseReason::Unneeded));
        let _ = self.events.send(Event::Down(link, cause)).await;
    }

    /// Ends where the peer misspeaks; not where the connection ends.
    async fn read_stream(
        &self,
        link: LinkId,
        connection: &Connection,
        peer: &Peer,
        incoming: Option<Box<News>>,
    ) -> Code {
        let (mut stream, mut reader, mut waiting) = match incoming {
            Some(news) => {
                let News { stream, reader, hello, rest } = *news;
                if let Some(code) = self.hear(link, connection, peer, hello).await {
                    return code;
                }
                (stream, reader, rest)
            }
            None => match connection.accept_uni().await {
                Ok(stream) => (stream, FrameReader::new(STREAM_MAX), Vec::new()),
                Err(_) => return std::future::pending().await,
            },
        };
        let mut buffer = vec![0; READ];
        loop {
            let mut input = &waiting[..];
            loop {
                let message = match reader.next(&mut input) {
                    Ok(None) => break,
                    Ok(Some(frame)) => news::decode(frame),
                    Err(error) => return error.code(),
                };
                match message {
                    Ok(Decoded::Message(message)) => {
                        if let Some(code) = self.hear(link, connection, peer, message).await {
                            return code;
                        }
                    }
                    Ok(Decoded::Unknown(_)) => self.counters.unknown.up(),
                    Err(error) => return error.code(),
                }
            }
            waiting.clear();
            match stream.read(&mut buffer).await {
                Ok(Some(n)) => {
                    self.counters.heard_bytes.add(n as u64);
                    waiting.extend_from_slice(&buffer[..n]);
                }
                // Whoever has ended its stream says nothing reliable any more.
                Ok(None) => return Code::Unexpected,
                Err(_) => return std::future::pending().await,
            }
        }
    }

    /// Hands a message on; the code to close with if that cannot be.
    async fn hear(
        &self,
        link: LinkId,
        connection: &Connection,
        peer: &Peer,
        message: Message,
    ) -> Option<Code> {
        if let Message::Hello(hello) = &message {
            let claims = Identity { site: hello.site.clone(), node: hello.node.clone() };
            if self.trust.confirm(connection, peer, &claims).is_err() {
                return Some(Code::NoIdentity);
            }
        }
        let heard = self.events.send(Event::Heard(link, Box::new(message))).await;
        heard.is_err().then_some(Code::Mesh(CloseReason::Leaving))
    }

    /// Ends with the connection.
    async fn read_datagrams(&self, link: LinkId, connection: &Connection) {
        while let Ok(bytes) = connection.read_datagram().await {
            self.counters.heard_bytes.add(bytes.len() as u64);
            let max = news::frame_max(Channel::Datagram);
            match Frame::of_datagram(&bytes, max).and_then(news::decode) {
                Ok(Decoded::Message(message)) => {
                    let event = Event::Heard(link, Box::new(message));
                    if self.events.try_send(event).is_err() {
                        self.counters.datagrams_dropped.up();
                    }
                }
                Ok(Decoded::Unknown(_)) => self.counters.unknown.up(),
                Err(_) => self.counters.misspoken.up(),
            }
        }
    }

    fn number(&self) -> LinkId {
        LinkId(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a connection turns out to be for.
enum First {
    /// Tunnels, from this node, it says.
    Data(Identity),
    /// News.
    News(Box<News>),
}

/// A stream of news whose first message was read.
struct News {
    stream: RecvStream,
    reader: FrameReader,
    hello: Message,
    /// Came with it.
    rest: Vec<u8>,
}

impl First {
    async fn read(connection: &Connection) -> Result<First, Code> {
        let mut stream = connection.accept_uni().await.map_err(|_| Code::Nothing)?;
        let mut reader = FrameReader::new(STREAM_MAX);
        let mut buffer = vec![0; READ];
        loop {
            let n = stream.read(&mut buffer).await.map_err(|_| Code::Nothing)?;
            let mut input = &buffer[..n.ok_or(Code::Unexpected)?];
            let found = match reader.next(&mut input).map_err(|error| error.code())? {
                None => continue,
                Some(frame) => match Word::decode(frame).map_err(|error| error.code())? {
                    Word::Hello(DataHello { site, node, .. }) => {
                        let (site, node) = (site.to_owned(), node.to_owned());
                        return Ok(First::Data(Identity { site, node }));
                    }
                    _ => news::decode(frame).map_err(|error| error.code())?,
                },
            };
            let Decoded::Message(hello) = found else { return Err(Code::Unexpected) };
            let rest = input.to_vec();
            return Ok(First::News(Box::new(News { stream, reader, hello, rest })));
        }
    }
}

/// Writes what is to be said on our stream, until the connection or the driver ends.
async fn write(connection: &Connection, mut words: mpsc::Receiver<Bytes>) {
    let Ok(mut stream) = connection.open_uni().await else { return };
    while let Some(word) = words.recv().await {
        if stream.write_chunk(word).await.is_err() {
            return;
        }
    }
}

/// Closes a connection and tells the other side why.
pub fn close(connection: &Connection, code: Code) {
    connection.close(VarInt::from_u32(code.number()), code.label().as_bytes());
}

fn end(error: &ConnectionError) -> LinkEnd {
    let code = match error {
        ConnectionError::ApplicationClosed(close) => u32::try_from(close.error_code.into_inner()),
        _ => return LinkEnd::Lost,
    };
    match code.ok().and_then(CloseReason::from_code) {
        Some(reason) => LinkEnd::Closed(reason),
        None => LinkEnd::Lost,
    }
}
