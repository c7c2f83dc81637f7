//! MQTT packets, spelt and read by hand: 3.1, 3.1.1 and 5.0.
//!
//! Written from the specifications and independent of `isobar-wire`, so that the two can
//! disagree. What a test sends on purpose may be wrong; what a broker sends must be right, so
//! reading panics on nonsense.

/// The first byte's high half.
pub mod kind {
    pub const CONNACK: u8 = 2;
    pub const PUBLISH: u8 = 3;
    pub const PUBACK: u8 = 4;
    pub const PUBREC: u8 = 5;
    pub const PUBREL: u8 = 6;
    pub const PUBCOMP: u8 = 7;
    pub const SUBACK: u8 = 9;
    pub const UNSUBACK: u8 = 11;
    pub const PINGRESP: u8 = 13;
    pub const DISCONNECT: u8 = 14;
}

/// Protocol version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    V31,
    V311,
    V5,
}

/// A Will.
#[derive(Clone, Debug)]
pub struct Will {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    /// Encoded, without their length; 5.0 only.
    pub properties: Vec<u8>,
}

impl Will {
    pub fn new(topic: &str, payload: &str) -> Will {
        let (topic, payload) = (topic.to_owned(), payload.into());
        Will { topic, payload, qos: 0, retain: false, properties: Vec::new() }
    }
}

/// A CONNECT.
#[derive(Clone, Debug)]
pub struct Connect {
    pub version: Version,
    pub client_id: Vec<u8>,
    /// Clean session, or clean start.
    pub clean: bool,
    /// Seconds.
    pub keep_alive: u16,
    pub will: Option<Will>,
    pub username: Option<String>,
    pub password: Option<String>,
    /// Encoded, without their length; 5.0 only.
    pub properties: Vec<u8>,
}

impl Connect {
    /// A clean session with a keepalive of a minute.
    pub fn new(version: Version, client_id: &str) -> Connect {
        Connect {
            version,
            client_id: client_id.into(),
            clean: true,
            keep_alive: 60,
            will: None,
            username: None,
            password: None,
            properties: Vec::new(),
        }
    }

    pub fn v31(client_id: &str) -> Connect {
        Connect::new(Version::V31, client_id)
    }

    pub fn v311(client_id: &str) -> Connect {
        Connect::new(Version::V311, client_id)
    }

    pub fn v5(client_id: &str) -> Connect {
        Connect::new(Version::V5, client_id)
    }

    /// Clean session, or clean start, off.
    pub fn resume(mut self) -> Connect {
        self.clean = false;
        self
    }

    pub fn keep_alive(mut self, seconds: u16) -> Connect {
        self.keep_alive = seconds;
        self
    }

    pub fn will(mut self, will: Will) -> Connect {
        self.will = Some(will);
        self
    }

    pub fn login(mut self, username: &str, password: &str) -> Connect {
        self.username = Some(username.to_owned());
        self.password = Some(password.to_owned());
        self
    }

    pub fn property(mut self, encoded: &[u8]) -> Connect {
        self.properties.extend_from_slice(encoded);
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let (name, level) = match self.version {
            Version::V31 => (&b"MQIsdp"[..], 3),
            Version::V311 => (&b"MQTT"[..], 4),
            Version::V5 => (&b"MQTT"[..], 5),
        };
        put_binary(&mut body, name);
        let mut flags = u8::from(self.clean) << 1;
        if let Some(will) = &self.will {
            flags |= 0x04 | (will.qos << 3) | (u8::from(will.retain) << 5);
        }
        flags |= u8::from(self.username.is_some()) << 7 | u8::from(self.password.is_some()) << 6;
        body.extend([level, flags]);
        body.extend(self.keep_alive.to_be_bytes());
        if self.version == Version::V5 {
            put_properties(&mut body, &self.properties);
        }
        put_binary(&mut body, &self.client_id);
        if let Some(will) = &self.will {
            if self.version == Version::V5 {
                put_properties(&mut body, &will.properties);
            }
            put_binary(&mut body, will.topic.as_bytes());
            put_binary(&mut body, &will.payload);
        }
        for field in [&self.username, &self.password].into_iter().flatten() {
            put_binary(&mut body, field.as_bytes());
        }
        frame(0x10, &body)
    }
}

/// Properties of 5.0, encoded one by one.
pub mod prop {
    pub const SESSION_EXPIRY: u8 = 0x11;
    pub const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub const REASON_STRING: u8 = 0x1f;

    pub fn u32(id: u8, value: u32) -> Vec<u8> {
        [&[id][..], &value.to_be_bytes()].concat()
    }

    pub fn u16(id: u8, value: u16) -> Vec<u8> {
        [&[id][..], &value.to_be_bytes()].concat()
    }

    pub fn u8(id: u8, value: u8) -> Vec<u8> {
        vec![id, value]
    }

    /// A string or binary property.
    pub fn bytes(id: u8, value: &[u8]) -> Vec<u8> {
        let mut out = vec![id];
        super::put_binary(&mut out, value);
        out
    }

    /// A user property.
    pub fn user(key: &str, value: &str) -> Vec<u8> {
        let mut out = vec![0x26];
        super::put_binary(&mut out, key.as_bytes());
        super::put_binary(&mut out, value.as_bytes());
        out
    }
}

/// A fixed header, the remaining length, and the body.
pub fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    put_varint(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

pub fn put_varint(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let digit = u8::try_from(n % 128).expect("below 128");
        n /= 128;
        out.push(if n > 0 { digit | 0x80 } else { digit });
        if n == 0 {
            return;
        }
    }
}

/// A string or binary field with its two-byte length.
pub fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u16::try_from(bytes.len()).expect("fields are below 64 KiB").to_be_bytes());
    out.extend_from_slice(bytes);
}

pub fn put_properties(out: &mut Vec<u8>, encoded: &[u8]) {
    put_varint(out, encoded.len());
    out.extend_from_slice(encoded);
}

/// A packet as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// Type and flags.
    pub first: u8,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.body[..self.body.len().min(64)];
        write!(f, "{:#04x} {} bytes {shown:02x?}", self.first, self.body.len())
    }
}

/// What a CONNACK says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connack {
    pub session_present: bool,
    /// Return code, or reason code in 5.0.
    pub code: u8,
    /// Encoded; empty before 5.0.
    pub properties: Vec<u8>,
}

/// What a PUBLISH says.
#[derive(Clone, PartialEq, Eq)]
pub struct Publish {
    pub dup: bool,
    pub qos: u8,
    pub retain: bool,
    pub topic: String,
    pub packet_id: u16,
    /// Encoded; empty before 5.0.
    pub properties: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Publish {
    /// The payload, for messages that are text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

impl std::fmt::Debug for Publish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.payload[..self.payload.len().min(40)]);
        let Publish { dup, qos, retain, topic, packet_id, properties, payload } = self;
        write!(f, "PUBLISH {topic} id {packet_id} qos {qos} dup {dup} retain {retain} ")?;
        write!(f, "properties {properties:02x?} {} bytes {shown:?}", payload.len())
    }
}

impl Packet {
    /// One of [`kind`].
    pub fn kind(&self) -> u8 {
        self.first >> 4
    }

    /// The whole packet again, for comparing bytes.
    pub fn encode(&self) -> Vec<u8> {
        frame(self.first, &self.body)
    }

    /// `None` if it is no CONNACK.
    pub fn connack(&self, version: Version) -> Option<Connack> {
        if self.first != 0x20 || self.body.len() < 2 {
            return None;
        }
        let properties = match version {
            Version::V5 => split_properties(&self.body[2..]).0,
            _ if self.body.len() == 2 => Vec::new(),
            _ => return None,
        };
        Some(Connack { session_present: self.body[0] == 1, code: self.body[1], properties })
    }

    /// `None` if it is no PUBLISH.
    pub fn publish(&self, version: Version) -> Option<Publish> {
        if self.kind() != kind::PUBLISH {
            return None;
        }
        let qos = (self.first >> 1) & 3;
        let topic_len = usize::from(u16::from_be_bytes([self.body[0], self.body[1]]));
        let topic = String::from_utf8(self.body[2..2 + topic_len].to_vec()).expect("UTF-8 topic");
        let mut rest = &self.body[2 + topic_len..];
        let mut packet_id = 0;
        if qos > 0 {
            packet_id = u16::from_be_bytes([rest[0], rest[1]]);
            rest = &rest[2..];
        }
        let mut properties = Vec::new();
        if version == Version::V5 {
            let (found, after) = split_properties(rest);
            properties = found;
            rest = after;
        }
        Some(Publish {
            dup: self.first & 8 != 0,
            qos,
            retain: self.first & 1 != 0,
            topic,
            packet_id,
            properties,
            payload: rest.to_vec(),
        })
    }
}

impl Connack {
    /// The code of 5.0 for a server that is not to be had at all.
    pub const UNAVAILABLE: u8 = 0x88;
    /// The code of 5.0 for one that has no room just now.
    pub const BUSY: u8 = 0x89;

    /// Panics unless it says, in the words of `version`, that no server is to be had just now:
    /// 3, or `code` in 5.0, and why.
    pub fn assert_honest(&self, version: Version, code: u8) {
        assert!(!self.session_present, "{self:?}");
        match version {
            Version::V31 | Version::V311 => assert_eq!(self.code, 3, "{self:?}"),
            Version::V5 => {
                assert_eq!(self.code, code, "{self:?}");
                assert!(self.reason_string().is_some_and(|r| !r.is_empty()), "{self:?}");
            }
        }
    }

    /// The reason string of 5.0, if one came.
    pub fn reason_string(&self) -> Option<String> {
        let found = find_property(&self.properties, prop::REASON_STRING)?;
        Some(String::from_utf8(found[2..].to_vec()).expect("a reason string is UTF-8"))
    }
}

/// The properties, without their length, and what follows.
fn split_properties(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut length = 0;
    for (i, byte) in bytes.iter().enumerate().take(4) {
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return (bytes[i + 1..i + 1 + length].to_vec(), &bytes[i + 1 + length..]);
        }
    }
    panic!("no property length in {bytes:02x?}")
}

/// The value of property `wanted`, with the length field where it has one.
fn find_property(mut encoded: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [id, rest @ ..] = encoded {
        let string = |at: usize| 2 + usize::from(u16::from_be_bytes([rest[at], rest[at + 1]]));
        let length = match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => 1,
            0x13 | 0x21 | 0x22 | 0x23 => 2,
            0x02 | 0x11 | 0x18 | 0x27 => 4,
            0x0b => 1 + rest.iter().take_while(|b| **b & 0x80 != 0).count(),
            0x26 => string(0) + string(string(0)),
            _ => string(0),
        };
        if *id == wanted {
            return Some(&rest[..length]);
        }
        encoded = &rest[length..];
    }
    None
}

/// PUBLISH packets of 64 KiB, numbered, so that their order and number can be checked.
pub fn numbered(n: u32) -> Vec<u8> {
    let mut body = Vec::with_capacity(65_536);
    put_binary(&mut body, b"t");
    body.extend(n.to_be_bytes());
    body.resize(65_536, n as u8);
    frame(0x30, &body)
}
