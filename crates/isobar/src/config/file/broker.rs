//! `[[service.broker]]` as typed.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::bounds;
use super::forms::TimeText;
use crate::config::placed::Placed;

/// One MQTT server in the site's LAN.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Unique within the service; what logs and pages call it.
    #[schemars(extend("default" = "its `addr`", "x-type" = "name"))]
    pub name: Option<Placed<String>>,

    /// Where it listens: `192.168.0.36:1883`, `[fd00::36]:1883`; or a DNS name. `brokers.lan:1883`
    /// stands for a broker at each of the name's addresses, `_mqtt._tcp.lan` for those that its
    /// SRV records say, with their ports and weights. Names are looked up as long as the node
    /// runs, and the keys below hold for each broker that they lead to.
    #[schemars(extend("default" = "needed", "x-type" = "address:port, name:port or SRV name"))]
    pub addr: Option<Placed<String>>,

    /// Its share of the load relative to the others. SRV records have their own.
    #[schemars(extend("default" = bounds::WEIGHT.default_text(),
        "x-limits" = bounds::WEIGHT.limits_text()))]
    pub weight: Option<Placed<i64>>,

    /// Flows at once, from all services together. Without it, only what the broker itself
    /// refuses is a limit.
    #[schemars(extend("default" = bounds::BROKER_MAXCONN.default_text(),
        "x-limits" = bounds::BROKER_MAXCONN.limits_text()))]
    pub maxconn: Option<Placed<i64>>,

    /// Addresses to connect from, each with the ports to use: `10.0.0.1`,
    /// `10.0.0.1:1024-65535`, `0.0.0.0:1024-65535`, `[fd00::1]:1024-65535`. One address has
    /// some 64,000 ports, so as many connections; each further address adds as many.
    #[schemars(extend("default" = "the system chooses", "x-type" = "list of sources",
        "x-limits" = "up to 64; ports 1 to 65535"))]
    pub source: Option<Placed<Vec<Placed<String>>>>,

    /// The active health check: `true` for the one that suits the service's mode, `false` for
    /// none, a kind by its name, or a table.
    #[schemars(extend("default" = "true",
        "x-type" = "true, false, \"mqtt\", \"tcp\" or a table"))]
    pub check: Option<Placed<Check>>,

    /// PROXY protocol header towards the broker. The broker must expect it.
    #[schemars(extend("default" = "off"))]
    pub send_proxy: Option<Placed<SendProxy>>,
}

/// Version of the PROXY protocol header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SendProxy {
    /// None.
    Off,
    /// Text.
    V1,
    /// Binary.
    V2,
}

/// What an active check does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// One MQTT session, kept; a PINGREQ each time. It takes one of the broker's connections.
    Mqtt,
    /// A TCP connection, opened and closed.
    Tcp,
}

/// `check`, in any of its forms.
#[derive(Debug)]
pub enum Check {
    /// `true` or `false`.
    On(bool),
    /// `"mqtt"` or `"tcp"`.
    Kind(CheckKind),
    /// With its settings.
    Table(Box<CheckTable>),
}

/// The active health check of a broker, in full.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckTable {
    /// What is done each time. The default is the service's mode.
    #[schemars(extend("default" = "as `mode`"))]
    pub kind: Option<Placed<CheckKind>>,

    /// Between checks, and the longest a check may take.
    #[schemars(extend("default" = bounds::INTER.default_text(),
        "x-limits" = bounds::INTER.limits_text()))]
    pub inter: Option<Placed<TimeText>>,

    /// The same once a check has failed, until the verdict. At most `inter`.
    #[schemars(extend("default" = format!("{}, or `inter` if that is shorter",
        bounds::FASTINTER.default_text()), "x-limits" = bounds::FASTINTER.limits_text()))]
    pub fastinter: Option<Placed<TimeText>>,

    /// Successes in a row that bring a broker back.
    #[schemars(extend("default" = bounds::RISE.default_text(),
        "x-limits" = bounds::RISE.limits_text()))]
    pub rise: Option<Placed<i64>>,

    /// Failures in a row that take a broker out.
    #[schemars(extend("default" = bounds::FALL.default_text(),
        "x-limits" = bounds::FALL.limits_text()))]
    pub fall: Option<Placed<i64>>,

    /// For the MQTT probe. A broker that answers "not authorised" is alive all the same.
    #[schemars(extend("default" = "none", "x-limits" = "1 to 65,535 bytes"))]
    pub username: Option<Placed<String>>,

    /// A file with the probe's password; relative to this file's folder. One line end at its
    /// end does not count.
    #[schemars(extend("default" = "none", "x-type" = "path",
        "x-limits" = "1 to 65,535 bytes in the file"))]
    pub password_file: Option<Placed<String>>,
}

struct CheckVisitor;

impl<'de> Visitor<'de> for CheckVisitor {
    type Value = Check;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, \"mqtt\", \"tcp\" or a table")
    }

    fn visit_bool<E>(self, on: bool) -> Result<Check, E> {
        Ok(Check::On(on))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Check, E> {
        CheckKind::deserialize(StrDeserializer::new(text)).map(Check::Kind)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Check, A::Error> {
        let table = CheckTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Check::Table(Box::new(table)))
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckVisitor)
    }
}

impl JsonSchema for Check {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Check".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "boolean" },
            generator.subschema_for::<CheckKind>(),
            generator.subschema_for::<CheckTable>(),
        ] })
    }
}
