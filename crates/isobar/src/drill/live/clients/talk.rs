//! What a client says and hears on one connection: CONNECT, one SUBSCRIBE, PINGREQ.
//!
//! Each broker keeps its name as a retained message; by that a client knows who serves it. The
//! codec is that of the library whose clients the demo has.

use bytes::BytesMut;
use rumqttc::mqttbytes::{self, v4};
use rumqttc::v5::mqttbytes::{self as mqttbytes5, v5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::drill::live::setup::STRANGER;

/// The largest packet taken: a CONNACK with properties, a name.
const PACKET_MAX: usize = 4_096;
/// Where a broker keeps its name.
const HERE: &str = "here";
/// A session that outlives its connection, in seconds: longer than any drill.
const EXPIRY: u32 = 86_400;

/// Who connects, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hello {
    pub(super) id: String,
    pub(super) is_v5: bool,
    pub(super) is_persistent: bool,
    pub(super) is_rejected: bool,
    /// In seconds, 0 for none.
    pub(super) keepalive: u16,
}

/// What a client hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::drill::live) enum Heard {
    Accepted,
    Refused,
    /// The broker's name.
    Here(String),
    Pong,
    /// Of no matter.
    Other,
    /// The connection is over.
    End,
}

/// A connection.
pub(in crate::drill::live) struct Talk {
    stream: TcpStream,
    is_v5: bool,
    heard: BytesMut,
}

impl Talk {
    pub(in crate::drill::live) fn new(stream: TcpStream, is_v5: bool) -> Talk {
        // Costs nothing where it is refused.
        let _ = stream.set_nodelay(true);
        Talk { stream, is_v5, heard: BytesMut::new() }
    }

    pub(super) async fn connect(&mut self, hello: &Hello) -> std::io::Result<()> {
        self.say(&connect(hello)).await
    }

    /// As an outsider, who never has to say anything again.
    pub(in crate::drill::live) async fn connect_as(&mut self, id: &str) -> std::io::Result<()> {
        let hello = Hello {
            id: id.to_owned(),
            is_v5: self.is_v5,
            is_persistent: false,
            is_rejected: false,
            keepalive: 0,
        };
        self.connect(&hello).await
    }

    pub(super) async fn ask_where(&mut self) -> std::io::Result<()> {
        let mut out = BytesMut::new();
        // A packet of a few bytes cannot be too long.
        if self.is_v5 {
            let filter = v5::Filter::new(HERE, mqttbytes5::QoS::AtMostOnce);
            let mut subscribe = v5::Subscribe::new(filter, None);
            subscribe.pkid = 1;
            let _ = subscribe.write(&mut out);
        } else {
            let mut subscribe = v4::Subscribe::new(HERE, mqttbytes::QoS::AtMostOnce);
            subscribe.pkid = 1;
            let _ = subscribe.write(&mut out);
        }
        self.say(&out).await
    }

    pub(super) async fn ping(&mut self) -> std::io::Result<()> {
        self.say(&isobar_wire::mqtt::say::PINGREQ).await
    }

    /// Goes by its own will.
    pub(super) async fn goodbye(&mut self) {
        // Gone already: then nobody misses the word.
        let _ = self.say(&[0xe0, 0x00]).await;
    }

    /// A connection that is reset, not closed.
    pub(super) fn reset(self) {
        // Otherwise it is closed in order, which looks much alike.
        let at_once = Some(std::time::Duration::ZERO);
        let _ = rustix::net::sockopt::set_socket_linger(&self.stream, at_once);
    }

    /// What it is made of, still open.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// What comes next. May be dropped and called again without a loss.
    pub(in crate::drill::live) async fn hear(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.next() {
                return heard;
            }
            match self.stream.read_buf(&mut self.heard).await {
                Ok(0) | Err(_) => return Heard::End,
                Ok(_) => {}
            }
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// A whole packet, if there is one.
    fn next(&mut self) -> Option<Heard> {
        if self.is_v5 { self.next_v5() } else { self.next_v311() }
    }

    fn next_v311(&mut self) -> Option<Heard> {
        use v4::{ConnectReturnCode, Packet};
        Some(match Packet::read(&mut self.heard, PACKET_MAX) {
            Ok(Packet::ConnAck(connack)) if connack.code == ConnectReturnCode::Success => {
                Heard::Accepted
            }
            Ok(Packet::ConnAck(_)) | Err(mqttbytes::Error::InvalidConnectReturnCode(_)) => {
                Heard::Refused
            }
            Ok(Packet::Publish(said)) => here(&said.payload),
            Ok(Packet::PingResp) => Heard::Pong,
            Ok(Packet::Disconnect) => Heard::End,
            Ok(_) => Heard::Other,
            Err(mqttbytes::Error::InsufficientBytes(_)) => return None,
            Err(_) => Heard::End,
        })
    }

    fn next_v5(&mut self) -> Option<Heard> {
        use v5::{ConnectReturnCode, Packet};
        Some(match Packet::read(&mut self.heard, u32::try_from(PACKET_MAX).ok()) {
            Ok(Packet::ConnAck(connack)) if connack.code == ConnectReturnCode::Success => {
                Heard::Accepted
            }
            Ok(Packet::ConnAck(_)) | Err(mqttbytes5::Error::InvalidConnectReturnCode(_)) => {
                Heard::Refused
            }
            Ok(Packet::Publish(said)) => here(&said.payload),
            Ok(Packet::PingResp(_)) => Heard::Pong,
            Ok(Packet::Disconnect(_)) => Heard::End,
            Ok(_) => Heard::Other,
            Err(mqttbytes5::Error::InsufficientBytes(_)) => return None,
            Err(_) => Heard::End,
        })
    }
}

fn here(payload: &[u8]) -> Heard {
    Heard::Here(String::from_utf8_lossy(payload).into_owned())
}

fn connect(hello: &Hello) -> BytesMut {
    let Hello { id, is_v5, is_persistent, is_rejected, keepalive } = hello;
    let mut out = BytesMut::new();
    if *is_v5 {
        let mut connect = v5::Connect {
            keep_alive: *keepalive,
            client_id: id.clone(),
            clean_start: !is_persistent,
            properties: None,
        };
        if *is_persistent {
            let mut properties = v5::ConnectProperties::new();
            properties.session_expiry_interval = Some(EXPIRY);
            connect.properties = Some(properties);
        }
        let login = is_rejected
            .then(|| v5::Login { username: STRANGER.to_owned(), password: STRANGER.to_owned() });
        // A packet of a few bytes cannot be too long.
        let _ = connect.write(&None, &login, &mut out);
    } else {
        let mut connect = v4::Connect::new(id.clone());
        connect.keep_alive = *keepalive;
        connect.clean_session = !is_persistent;
        if *is_rejected {
            connect.set_login(STRANGER, STRANGER);
        }
        let _ = connect.write(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use isobar_wire::mqtt::Protocol;
    use isobar_wire::mqtt::opening::scan_opening;

    use super::*;

    #[test]
    fn what_it_says_is_what_nodes_read() {
        for (is_v5, is_persistent, is_rejected) in
            [(false, false, false), (true, true, false), (false, true, true), (true, false, true)]
        {
            let hello =
                Hello { id: "c1".to_owned(), is_v5, is_persistent, is_rejected, keepalive: 60 };
            let bytes = connect(&hello);
            let opening = scan_opening(&bytes, 1_024).expect("it is good").expect("it is whole");
            let connect = opening.connect.expect("it is a CONNECT of a known version");
            let version = if is_v5 { Protocol::V5 } else { Protocol::V311 };
            assert_eq!((connect.protocol, connect.keepalive), (version, 60));
            assert_eq!(connect.persistent(), is_persistent);
            assert_eq!(connect.username.is_some(), is_rejected);
        }
    }
}
