//! One line a flow, written by a thread of its own.
//!
//! The field order is that of HAProxy's `option tcplog` (its manual, section 8.2.2), so that
//! what reads HAProxy's log reads this one. The queue to the thread holds [`QUEUE`] lines;
//! when it is full, because nobody reads our output, lines are dropped and counted: a log
//! must never stop a client.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, atomic::AtomicU64, atomic::Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use isobar_core::ending::Ending;
use serde_json::json;

use crate::settings::FlowLog;

/// Lines that may wait to be written.
const QUEUE: usize = 4_096;

/// What a line says.
#[derive(Debug)]
pub struct FlowRecord {
    /// Its form.
    pub form: FlowLog,
    /// When the client was accepted.
    pub accepted: SystemTime,
    /// The client.
    pub client: SocketAddr,
    /// The address it came to.
    pub listener: SocketAddr,
    /// The flow's id.
    pub flow: isobar_core::id::FlowId,
    /// The service.
    pub service: Arc<str>,
    /// The broker, if it got as far.
    pub broker: Option<Arc<str>>,
    /// The other site that carried it.
    pub site: Option<Arc<str>>,
    /// The other site that sent it here.
    pub via: Option<Arc<str>>,
    /// Waiting in the room; -1 for never placed.
    pub waited: Option<Duration>,
    /// Until the broker's connection stood.
    pub connected: Option<Duration>,
    /// From accept to end.
    pub total: Duration,
    /// From the client.
    pub bytes_in: u64,
    /// To the client.
    pub bytes_out: u64,
    /// How it ended.
    pub ending: Ending,
    /// Why we refused it, if we did.
    pub reason: Option<&'static str>,
    /// Flows left of the node, listener, service and broker.
    pub left: [u32; 4],
    /// Attempts after the first.
    pub retries: u8,
    /// Whether the last broker is another than the first.
    pub redispatched: bool,
    /// Client id, version and CONNACK code, where the operator asked for them.
    pub personal: Option<Personal>,
}

/// What identifies a client: only where the operator asked.
#[derive(Debug)]
pub struct Personal {
    /// Client id.
    pub client_id: Box<[u8]>,
    /// MQTT version.
    pub version: &'static str,
    /// The code the client saw.
    pub connack: Option<u8>,
}

/// The way to the log.
#[derive(Debug)]
pub struct FlowLogger {
    queue: Option<SyncSender<FlowRecord>>,
    dropped: AtomicU64,
}

impl FlowLogger {
    /// Starts the thread, which writes to `out` and ends when the logger is dropped.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<(FlowLogger, JoinHandle<()>)> {
        let (queue, records) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("flow-log".into())
            .spawn(move || write_all(&records, out))?;
        Ok((FlowLogger { queue: Some(queue), dropped: AtomicU64::new(0) }, thread))
    }

    /// Writes a line, or drops it where the queue is full.
    pub fn log(&self, record: FlowRecord) {
        if let Some(queue) = &self.queue
            && queue.try_send(record).is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn write_all(records: &Receiver<FlowRecord>, out: impl Write) {
    let mut out = io::BufWriter::new(out);
    let mut line = String::new();
    while let Ok(first) = records.recv() {
        let mut next = Some(first);
        while let Some(record) = next {
            line.clear();
            spell(&record, &mut line);
            line.push('\n');
            // Nobody to tell: the log itself is broken.
            if out.write_all(line.as_bytes()).is_err() {
                return;
            }
            next = records.try_recv().ok();
        }
        if out.flush().is_err() {
            return;
        }
    }
}

fn spell(r: &FlowRecord, line: &mut String) {
    match r.form {
        FlowLog::Tcplog => tcplog(r, line),
        FlowLog::Json => line.push_str(&json_line(r)),
        FlowLog::Off => {}
    }
}

/// `client [date] frontend backend/server Tw/Tc/Tt bytes ending act/fe/be/srv/retries queues`
fn tcplog(r: &FlowRecord, line: &mut String) {
    use std::fmt::Write;
    let ms = |d: Option<Duration>| d.map_or(-1, |d| d.as_millis() as i64);
    let date = local(r.accepted).strftime("%d/%b/%Y:%H:%M:%S%.3f");
    // A site where a broker's name is expected, marked as one; and whence, where the address is.
    let broker = match (&r.broker, &r.site) {
        (Some(broker), _) => broker.to_string(),
        (None, Some(site)) => format!("@{site}"),
        (None, None) => "<NOSRV>".to_owned(),
    };
    let frontend = match &r.via {
        Some(via) => format!("{}@{via}", r.service),
        None => r.service.to_string(),
    };
    let [node, listener, service, on_broker] = r.left;
    let plus = if r.redispatched { "+" } else { "" };
    // Writing into a String does not fail.
    let _ = write!(
        line,
        "{} [{date}] {} {}/{broker} {}/{}/{} {} {} {node}/{listener}/{service}/{on_broker}/{plus}{} 0/0",
        format_args!("{}:{}", r.client.ip(), r.client.port()),
        frontend,
        r.service,
        ms(r.waited),
        ms(r.connected),
        r.total.as_millis(),
        r.bytes_out,
        r.ending.code(),
        r.retries,
    );
    if let Some(personal) = &r.personal {
        let id = String::from_utf8_lossy(&personal.client_id).escape_default().to_string();
        let code = personal.connack.map_or("-".to_owned(), |code| code.to_string());
        let _ = write!(line, " id=\"{id}\" version={} connack={code}", personal.version);
    }
}

fn json_line(r: &FlowRecord) -> String {
    let ms = |d: Duration| d.as_millis() as u64;
    let [node, listener, service, on_broker] = r.left;
    let mut value = json!({
        "timestamp": local(SystemTime::now()).strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string(),
        "accepted": local(r.accepted).strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string(),
        "message": "flow",
        "flow": r.flow.to_string(),
        "client": r.client.to_string(),
        "listener": r.listener.to_string(),
        "service": &*r.service,
        "broker": r.broker.as_deref(),
        "site": r.site.as_deref(),
        "via": r.via.as_deref(),
        "waited_ms": r.waited.map(ms),
        "connected_ms": r.connected.map(ms),
        "total_ms": ms(r.total),
        "bytes_in": r.bytes_in,
        "bytes_out": r.bytes_out,
        "ending": r.ending.code(),
        "reason": r.reason,
        "retries": r.retries,
        "redispatched": r.redispatched,
        "flows_left": { "node": node, "listener": listener, "service": service, "broker": on_broker },
    });
    if let (Some(personal), Some(fields)) = (&r.personal, value.as_object_mut()) {
        fields.insert("client_id".into(), String::from_utf8_lossy(&personal.client_id).into());
        fields.insert("version".into(), personal.version.into());
        fields.insert("connack".into(), json!(personal.connack));
    }
    value.to_string()
}

fn local(at: SystemTime) -> jiff::Zoned {
    let zone = jiff::tz::TimeZone::system();
    // A clock before the year -9999 or after 9999 is no reason to lose a line.
    jiff::Timestamp::try_from(at).unwrap_or_default().to_zoned(zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use isobar_core::ending::{Cause, Phase};

    fn record() -> FlowRecord {
        FlowRecord {
            form: FlowLog::Tcplog,
            accepted: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            client: "127.0.0.1:5312".parse().unwrap(),
            listener: "127.0.0.1:1883".parse().unwrap(),
            flow: isobar_core::id::FlowId(256),
            service: "mqtt".into(),
            broker: Some("serv1".into()),
            site: None,
            via: None,
            waited: Some(Duration::ZERO),
            connected: Some(Duration::from_millis(2)),
            total: Duration::from_millis(5007),
            bytes_in: 99,
            bytes_out: 212,
            ending: Ending::new(Cause::Normal, Phase::Done),
            reason: None,
            left: [4, 3, 2, 1],
            retries: 1,
            redispatched: true,
            personal: None,
        }
    }

    #[test]
    fn a_line_has_the_fields_of_tcplog() {
        let mut line = String::new();
        tcplog(&record(), &mut line);
        let date = line.split(['[', ']']).nth(1).unwrap();
        assert_eq!(date.len(), "14/Nov/2023:22:13:20.123".len(), "{date}");
        let rest = line.replace(date, "DATE");
        assert_eq!(rest, "127.0.0.1:5312 [DATE] mqtt mqtt/serv1 0/2/5007 212 -- 4/3/2/1/+1 0/0");
        let nobody = FlowRecord { broker: None, waited: None, connected: None, ..record() };
        line.clear();
        tcplog(&nobody, &mut line);
        assert!(line.contains("mqtt/<NOSRV> -1/-1/5007 "), "{line}");
        let abroad = FlowRecord { broker: None, site: Some("nyc".into()), ..record() };
        line.clear();
        tcplog(&abroad, &mut line);
        assert!(line.contains(" mqtt mqtt/@nyc 0/2/5007 "), "{line}");
        line.clear();
        tcplog(&FlowRecord { via: Some("fra".into()), ..record() }, &mut line);
        assert!(line.contains(" mqtt@fra mqtt/serv1 0/2/5007 "), "{line}");
    }

    #[test]
    fn a_client_id_cannot_break_the_line() {
        let client_id = b"a\"b\nc\xff".as_slice().into();
        let personal = Some(Personal { client_id, version: "5.0", connack: Some(0) });
        let mut line = String::new();
        tcplog(&FlowRecord { personal, ..record() }, &mut line);
        assert!(line.ends_with("id=\"a\\\"b\\nc\\u{fffd}\" version=5.0 connack=0"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn json_is_one_object() {
        let value: serde_json::Value = serde_json::from_str(&json_line(&record())).unwrap();
        assert_eq!(value["ending"], "--");
        assert_eq!(value["bytes_in"], 99);
        assert_eq!(value["flows_left"]["broker"], 1);
    }
}
