//! What a client asks: `/v1/provision?client_id=sensor-1&proto=mqtts`, read and judged.

use form_urlencoded::parse;

/// Bytes of a client id.
pub const CLIENT_ID_MAX: usize = 256;
/// Bytes of a service's name.
const SERVICE_MAX: usize = 64;

/// One question, as far as its words go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// Who asks.
    pub client_id: String,
    /// What it speaks.
    pub proto: Proto,
    /// For what it asks, where it says so.
    pub service: Option<String>,
    /// How it wants to be told.
    pub format: Format,
}

/// What a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Proto {
    /// MQTT over TCP.
    #[default]
    Mqtt,
    /// MQTT over TLS.
    Mqtts,
}

/// How an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// One JSON object.
    #[default]
    Json,
    /// A URL on each line, the best first.
    Url,
    /// Arguments for `mosquitto_sub`, for a shell.
    Mosquitto,
}

/// Why a question cannot be answered, and what would do: for the client's author.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unclear(pub String);

impl Proto {
    /// As in a URL.
    pub fn scheme(self) -> &'static str {
        match self {
            Proto::Mqtt => "mqtt",
            Proto::Mqtts => "mqtts",
        }
    }
}

impl Question {
    /// Reads the query of a URL, percent-encoding and all.
    pub fn read(query: &str) -> Result<Question, Unclear> {
        let (mut client_id, mut service) = (None, None);
        let (mut proto, mut format) = (None, None);
        for (key, value) in parse(query.as_bytes()) {
            let again = match &*key {
                "client_id" => client_id.replace(id(&value)?).is_some(),
                "proto" => proto.replace(choose("proto", &value, PROTOS)?).is_some(),
                "format" => format.replace(choose("format", &value, FORMATS)?).is_some(),
                "service" => service.replace(service_name(&value)?).is_some(),
                // What a later version may know.
                _ => false,
            };
            if again {
                return Err(Unclear(format!("{key} is there twice: say it once")));
            }
        }
        let Some(client_id) = client_id else {
            let ask = "ask for example /v1/provision?client_id=sensor-1&proto=mqtts";
            return Err(Unclear(format!("client_id is missing: {ask}")));
        };
        let (proto, format) = (proto.unwrap_or_default(), format.unwrap_or_default());
        Ok(Question { client_id, proto, service, format })
    }
}

const PROTOS: &[(&str, Proto)] = &[("mqtt", Proto::Mqtt), ("mqtts", Proto::Mqtts)];
const FORMATS: &[(&str, Format)] =
    &[("json", Format::Json), ("url", Format::Url), ("mosquitto", Format::Mosquitto)];

fn choose<T: Copy>(key: &str, value: &str, known: &[(&str, T)]) -> Result<T, Unclear> {
    known.iter().find(|(name, _)| *name == value).map(|(_, meant)| *meant).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        Unclear(format!("{key} is one of {}", names.join(", ")))
    })
}

fn id(value: &str) -> Result<String, Unclear> {
    if (1..=CLIENT_ID_MAX).contains(&value.len()) && !value.chars().any(char::is_control) {
        return Ok(value.to_owned());
    }
    let must = format!("1 to {CLIENT_ID_MAX} bytes of UTF-8 without control characters");
    Err(Unclear(format!("client_id must be {must}")))
}

fn service_name(value: &str) -> Result<String, Unclear> {
    if (1..=SERVICE_MAX).contains(&value.len()) {
        return Ok(value.to_owned());
    }
    Err(Unclear("service is the name of a service, or left out".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_as_they_are_meant() {
        let read = |query| Question::read(query).unwrap();
        let expected = Question {
            client_id: "sensor-1".into(),
            proto: Proto::Mqtt,
            service: None,
            format: Format::Json,
        };
        assert_eq!(read("client_id=sensor-1"), expected);
        assert_eq!(read("client_id=sensor%2D1&later=1&proto=mqtt"), expected);
        let all = read("format=mosquitto&service=mqtt&proto=mqtts&client_id=a+b%27c%F0%9F%A6%80");
        assert_eq!(all.client_id, "a b'c\u{1f980}");
        assert_eq!((all.proto, all.format), (Proto::Mqtts, Format::Mosquitto));
        assert_eq!(all.service.as_deref(), Some("mqtt"));
    }

    #[test]
    fn what_cannot_be_answered_says_what_would_do() {
        let long = "client_id=".to_owned() + &"x".repeat(CLIENT_ID_MAX + 1);
        for (query, said) in [
            ("", "client_id is missing: ask for example"),
            ("proto=mqtt", "client_id is missing"),
            ("client_id=", "client_id must be 1 to 256 bytes"),
            ("client_id=a%00b", "without control characters"),
            ("client_id=a%0Ab", "without control characters"),
            (&long, "client_id must be 1 to 256 bytes"),
            ("client_id=a&client_id=b", "client_id is there twice"),
            ("client_id=a&proto=wss", "proto is one of mqtt, mqtts"),
            ("client_id=a&format=xml", "format is one of json, url, mosquitto"),
            ("client_id=a&service=", "service is the name of a service"),
        ] {
            let Unclear(found) = Question::read(query).unwrap_err();
            assert!(found.contains(said), "{query}: {found}");
        }
    }
}
