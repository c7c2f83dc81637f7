//! A broker that does what the test says, packet by packet: for ends, silences and floods that
//! no real broker produces on demand.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::addr::fresh_ip;
use super::client::{Client, PATIENCE};
use super::packet::{Packet, Version, frame};

/// A listener whose connections the test holds.
pub struct FakeBroker {
    listener: TcpListener,
    pub addr: SocketAddr,
}

impl FakeBroker {
    /// Listens on a fresh address.
    pub async fn start() -> FakeBroker {
        let listener = TcpListener::bind((fresh_ip(), 0)).await.expect("the loopback");
        let addr = listener.local_addr().expect("it is bound");
        FakeBroker { listener, addr }
    }

    /// Listens, and its queue is full: a further connection stands only some time after one of
    /// those that are given has been accepted.
    pub async fn crowded() -> (FakeBroker, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(fresh_ip(), 0)).expect("the loopback");
        let listener = socket.listen(0).expect("it is bound");
        let addr = listener.local_addr().expect("it is bound");
        let mut crowd = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(500), TcpStream::connect(addr)).await {
            crowd.push(stream.expect("a listener"));
            assert!(crowd.len() < 10, "the queue is not bounded");
        }
        (FakeBroker { listener, addr }, crowd)
    }

    /// The next connection, before a byte of it was read.
    pub async fn accept(&self) -> Client {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        Client::over(accepted.expect("somebody connects").expect("the listener works").0)
    }

    /// Whether somebody connects within this time.
    pub async fn accept_within(&self, within: Duration) -> Option<Client> {
        let accepted = timeout(within, self.listener.accept()).await.ok()?;
        Some(Client::over(accepted.expect("the listener works").0))
    }

    /// The next connection, with its CONNECT read and answered by success. `properties` are for
    /// the CONNACK of 5.0.
    pub async fn serve(&self, version: Version, properties: &[u8]) -> (Client, Packet) {
        let mut client = self.accept().await;
        client.speak(version);
        let connect = client.read().await.expect("a CONNECT");
        assert_eq!(connect.first, 0x10);
        let mut body = vec![0, 0];
        if version == Version::V5 {
            super::packet::put_properties(&mut body, properties);
        }
        client.send(&frame(0x20, &body)).await.expect("it takes a CONNACK");
        (client, connect)
    }
}
