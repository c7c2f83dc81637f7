//! Clients that the node answers itself: where they shall go, said in MQTT.
//!
//! Who is one is core's to say. One that asks is accepted, told on its subscription, and closed; it
//! has so much time and so many bytes, and nothing else that it says matters.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use isobar_core::pool::Left;
use isobar_core::reception::{ANSWERED, Introduction, PROVISION_TOPIC, Reception};
use isobar_wire::mqtt::Protocol;
use isobar_wire::mqtt::opening::scan_opening;
use isobar_wire::mqtt::say;
use isobar_wire::mqtt::subscribe::{Said, scan_said};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::refuse;
use super::way::{Way, stopped};
use crate::buffer;
use crate::client::Client;
use crate::counters::Reason;
use crate::farewell;
use crate::signpost::{Asker, Told};
use crate::story::Story;

/// From its CONNECT on, a client that asks has so long to subscribe.
const WITHIN: Duration = Duration::from_secs(10);
/// Bytes that it may say until then, all packets together.
const SAID_MAX: usize = 4 * 1024;
/// The id of a client that came without one (MQTT 5.0, 3.2.2.3.7).
const ASSIGNED_ID: &str = "isobar-provision";
/// Granted at QoS 0, whatever was asked for.
const GRANTED: u8 = 0x00;
/// Not authorized (5.0), and failure (3.1.1).
const NOT_HERE: (u8, u8) = (0x87, 0x80);
/// Server busy.
const BUSY: u8 = 0x89;

/// What the node says to a client in the place of a broker.
pub(super) enum Word {
    /// Go there.
    Elsewhere(String),
    /// What it asked for.
    Provision(Told),
    /// Too many ask.
    Busy,
}

impl Way {
    /// What the node itself has to say to this client, whose CONNECT is whole; `None` where it is
    /// for a broker, as most are.
    pub(super) fn receive(&self) -> Option<Word> {
        let service = &self.story.service;
        if service.reception.is_idle() || self.carried.is_some() {
            return None;
        }
        let signpost = self.story.worker.node.signpost.get()?;
        let said = &self.client.said;
        let opening = scan_opening(said, service.policy.opening_max).ok().flatten()?;
        let connect = opening.connect?;
        let introduction = Introduction {
            v5: connect.protocol == Protocol::V5,
            client_id: connect.client_id,
            username: connect.username,
        };
        let (source, client_id) = (self.client.addr.ip(), connect.client_id);
        let asker = Asker { service: service.index, source, client_id };
        match service.reception.receive(introduction) {
            Reception::Broker => None,
            Reception::Redirect(client) => {
                (signpost.elsewhere)(&asker, client).map(Word::Elsewhere)
            }
            Reception::Provision => match (signpost.provision)(&asker) {
                Ok(told) => Some(Word::Provision(told)),
                Err(_) => Some(Word::Busy),
            },
        }
    }

    /// Says it, and closes.
    pub(super) async fn answer_here(self, word: Word) {
        let Way { story, client, .. } = self;
        match word {
            Word::Elsewhere(server) => {
                let mut bytes = Vec::new();
                say::redirect(&server, &mut bytes);
                // The place is given back first: the last word may take a while.
                story.end(ANSWERED, (0, bytes.len() as u64), Left::default(), None);
                farewell::say_and_close(client.stream, &bytes).await;
            }
            Word::Busy => {
                story.refused(Reason::ProvisionRate);
                story.end(ANSWERED, (0, 0), Left::default(), Some(Reason::ProvisionRate));
                refuse(client, true, Reason::ProvisionRate.label()).await;
            }
            Word::Provision(told) => provision(story, client, told).await,
        }
    }
}

async fn provision(story: Story, mut client: Client, told: Told) {
    let conversation = timeout(WITHIN, converse(&mut client, &told));
    let last = tokio::select! {
        last = conversation => last,
        () = stopped(&story.card) => Ok(Ok(None)),
    };
    let bytes = match &last {
        Ok(Ok(Some(last))) => last.len() as u64,
        _ => 0,
    };
    story.end(ANSWERED, (0, bytes), Left::default(), None);
    if let Ok(Ok(Some(last))) = last {
        farewell::say_and_close(client.stream, &last).await;
    }
}

/// Accepts, and answers what is said until the client subscribes; then what is left to say. `None`
/// where the client goes, or says what cannot be.
async fn converse(client: &mut Client, told: &Told) -> io::Result<Option<Vec<u8>>> {
    let protocol = client.protocol();
    let mut out = Vec::new();
    say::accepted(protocol, Some(ASSIGNED_ID).filter(|_| !client.has_id()), &mut out);
    let mut at = client.opening;
    let max = at + SAID_MAX;
    loop {
        while let Ok(Some((said, len))) = scan_said(&client.said[at..], protocol, SAID_MAX) {
            match said {
                Said::Subscribe { packet_id, subscription, filters } => {
                    let (v5, v3) = NOT_HERE;
                    let no = if protocol == Protocol::V5 { v5 } else { v3 };
                    let code =
                        |filter: &&str| if *filter == PROVISION_TOPIC { GRANTED } else { no };
                    let codes: Vec<u8> = filters.iter().map(code).collect();
                    say::suback(protocol, packet_id, &codes, &mut out);
                    if codes.contains(&GRANTED) {
                        last_words(protocol, subscription, client, told, &mut out);
                        return Ok(Some(out));
                    }
                }
                Said::Ping => out.extend_from_slice(&say::PINGRESP),
                Said::Goodbye => return Ok(None),
                Said::Other => {}
            }
            at += len;
        }
        let senseless = scan_said(&client.said[at..], protocol, SAID_MAX).is_err();
        client.stream.write_all(&out).await?;
        out.clear();
        if senseless || client.said.len() >= max {
            return Ok(None);
        }
        let read =
            poll_fn(|cx| buffer::poll_read_onto(&mut client.stream, &mut client.said, max, cx));
        if read.await? == 0 {
            return Ok(None);
        }
    }
}

/// The answer, and in 5.0 why it ends here. One that is too large for the client is not sent
/// (3.1.2.11.4).
fn last_words(
    protocol: Protocol,
    subscription: Option<u32>,
    client: &Client,
    told: &Told,
    out: &mut Vec<u8>,
) {
    let mut publication = Vec::new();
    say::publish(protocol, PROVISION_TOPIC, subscription, &told.payload, &mut publication);
    let most = client.hello.as_ref().and_then(|hello| hello.packet_max);
    if most.is_none_or(|most| publication.len() <= most as usize) {
        out.append(&mut publication);
    }
    if protocol == Protocol::V5 {
        match &told.first {
            Some(first) => say::redirect_later(first, out),
            None => say::server_disconnect(BUSY, "nobody can be named", out),
        }
    }
}
