//! Forms that values take: a quantity with its unit, a text or a table, a key of a later day.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A quantity as typed. A bare number is let in here, for validation to ask for its unit.
#[derive(Clone, PartialEq, Debug)]
pub enum Quantity {
    /// In quotes; with its unit, one hopes.
    Text(String),
    /// Without quotes.
    Bare,
}

/// What a [`Quantity`] measures.
pub trait QuantityKind {
    /// For example `duration`.
    const NAME: &'static str;
}

/// A span of time, such as `"2s"`.
#[derive(Clone, Debug)]
pub struct TimeText(pub Quantity);

/// A size in bytes, such as `"64KiB"`.
#[derive(Clone, Debug)]
pub struct SizeText(pub Quantity);

/// A share, such as `"10%"`.
#[derive(Clone, Debug)]
pub struct ShareText(pub Quantity);

impl QuantityKind for ShareText {
    const NAME: &'static str = "share";
}

impl QuantityKind for TimeText {
    const NAME: &'static str = "duration";
}

impl QuantityKind for SizeText {
    const NAME: &'static str = "size";
}

struct QuantityVisitor(&'static str);

impl<'de> Visitor<'de> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} in quotes, with its unit", self.0)
    }

    fn visit_str<E>(self, text: &str) -> Result<Quantity, E> {
        Ok(Quantity::Text(text.to_owned()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Quantity, E> {
        Ok(Quantity::Bare)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Quantity, E> {
        Ok(Quantity::Bare)
    }
}

impl<'de> Deserialize<'de> for TimeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(Self::NAME)).map(TimeText)
    }
}

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(Self::NAME)).map(SizeText)
    }
}

impl<'de> Deserialize<'de> for ShareText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(Self::NAME)).map(ShareText)
    }
}

impl JsonSchema for ShareText {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-type": "share" })
    }
}

impl JsonSchema for TimeText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-type": "duration" })
    }
}

impl JsonSchema for SizeText {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-type": "size" })
    }
}

/// A value that may be written short, as text, or long, as a table.
#[derive(Clone, Debug)]
pub enum TextOrTable<T> {
    /// Short.
    Text(String),
    /// Long.
    Table(T),
}

struct TextOrTableVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOrTableVisitor<T> {
    type Value = TextOrTable<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a table")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOrTable::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(TextOrTable::Table)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOrTable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrTableVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for TextOrTable<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TextOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, generator.subschema_for::<T>()] })
    }
}

/// A key that is known and refused until what it asks for exists. Its content is not read.
#[derive(Clone, Copy, Debug)]
pub struct NotYet;

impl<'de> Deserialize<'de> for NotYet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| NotYet)
    }
}

impl JsonSchema for NotYet {
    fn schema_name() -> Cow<'static, str> {
        "NotYet".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-type": "not yet" })
    }
}
