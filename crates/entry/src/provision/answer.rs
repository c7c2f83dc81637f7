//! How an answer is written: JSON, a URL a line, or arguments for `mosquitto_sub`.

use isobar_core::entry::{Endpoint, Host};
use serde::Serialize;

use super::question::{Format, Question};

/// Where to go, as it is told.
#[derive(Clone, Debug, Serialize)]
pub struct Told<'a> {
    /// Who asked.
    pub client_id: &'a str,
    /// For what.
    pub service: &'a str,
    /// Of the news that it is made from.
    pub generation: u64,
    /// How long it may be kept, in seconds.
    pub ttl: u64,
    /// When to ask or connect again, should none of the endpoints take the client; in seconds.
    pub retry_after: u64,
    /// The same, in milliseconds.
    pub retry_after_ms: u64,
    /// The best first. Never empty.
    pub endpoints: Vec<Place>,
}

/// One place to connect to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Place {
    /// The site's place in the order, from 0.
    pub rank: u16,
    /// The site.
    pub site: String,
    /// What to give a client library: with the name in the certificate where TLS is spoken.
    pub url: String,
    /// Where that is, if the name shall not be looked up: `host:port`.
    pub address: String,
    /// The name in the certificate, where TLS is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_name: Option<String>,
    /// Why it stands there.
    pub why: &'static str,
    #[serde(skip)]
    host: String,
    #[serde(skip)]
    port: u16,
}

/// Why there is no answer.
#[derive(Clone, Debug, Serialize)]
pub struct Excuse<'a> {
    /// In words.
    pub error: &'a str,
    /// When to ask again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Place {
    /// Of this endpoint.
    pub fn new(endpoint: &Endpoint, site: &str) -> Place {
        let address = &endpoint.address;
        let (scheme, host) = match (&address.tls, &address.host) {
            (Some(name), _) => ("mqtts", name.to_string()),
            (None, Host::Ip(ip)) => ("mqtt", ip.to_string()),
            (None, Host::Name(name)) => ("mqtt", name.to_string()),
        };
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        Place {
            rank: endpoint.rank,
            site: site.to_owned(),
            url: format!("{scheme}://{bracketed}:{}", address.port),
            address: address.to_string(),
            tls_name: address.tls.as_deref().map(str::to_owned),
            why: endpoint.why.label(),
            host,
            port: address.port,
        }
    }

    /// Arguments by which `mosquitto_sub` connects there, one line, safe for a shell. A CA of one's
    /// own is for the user to add: `--cafile`.
    fn arguments(&self, client_id: &str) -> String {
        let tls = if self.tls_name.is_some() { " --tls-use-os-certs" } else { "" };
        let Place { host, port, .. } = self;
        format!("-h {} -p {port}{tls} -i {}\n", quoted(host), quoted(client_id))
    }
}

/// Writes the answer as it was asked for.
pub fn write(told: &Told<'_>, format: Format) -> String {
    match format {
        Format::Json => {
            let mut json = serde_json::to_string(told).expect("texts and numbers always serialise");
            json.push('\n');
            json
        }
        Format::Url => told.endpoints.iter().map(|place| format!("{}\n", place.url)).collect(),
        Format::Mosquitto => {
            told.endpoints.first().map_or(String::new(), |place| place.arguments(told.client_id))
        }
    }
}

/// Writes why there is none.
pub fn excuse(excuse: &Excuse<'_>, format: Format) -> String {
    match format {
        Format::Json => {
            let json = serde_json::to_string(excuse).expect("texts and numbers always serialise");
            json + "\n"
        }
        Format::Url | Format::Mosquitto => format!("{}\n", excuse.error),
    }
}

/// What a kind of answer is called.
pub fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Url | Format::Mosquitto => "text/plain; charset=utf-8",
    }
}

/// Of what the client acts on: the same places in the same order have the same tag. Weak
/// (RFC 9110, 8.8.1), for times in the body may differ.
pub fn tag(question: &Question, service: &str, places: &[Place]) -> String {
    use std::hash::{Hash, Hasher};
    let mut hasher = siphasher::sip::SipHasher24::new();
    // Client id and format are in the URL, which the tag belongs to; and yet proxies may be wrong.
    (&question.client_id, question.format as u8, service).hash(&mut hasher);
    for place in places {
        (place.rank, &place.site, &place.url, &place.address).hash(&mut hasher);
    }
    format!("W/\"{:016x}\"", hasher.finish())
}

/// As one word for a POSIX shell, whatever it holds.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use isobar_core::entry::{Address, Why};
    use isobar_core::id::SiteId;

    use super::*;

    fn place(address: &str) -> Place {
        let address = Address::read(address).unwrap();
        let endpoint = Endpoint { site: SiteId(0), rank: 0, why: Why::Nearest, address };
        Place::new(&endpoint, "fra")
    }

    #[test]
    fn a_url_is_what_a_library_wants() {
        for (address, url) in [
            ("203.0.113.10:1883", "mqtt://203.0.113.10:1883"),
            ("[2001:db8::1]:1883", "mqtt://[2001:db8::1]:1883"),
            ("fra.example.com:1883", "mqtt://fra.example.com:1883"),
            ("203.0.113.10:8883/mqtt.example.com", "mqtts://mqtt.example.com:8883"),
        ] {
            assert_eq!(place(address).url, url);
        }
    }

    /// What a shell makes of the arguments is what was meant.
    #[test]
    fn arguments_survive_a_shell() {
        for id in
            ["sensor-1", "a b", "it's", "$(reboot)", "`x`", "a;b|c&d>e", "\\", "'\\''", "é\"*"]
        {
            let line = place("203.0.113.10:1883").arguments(id);
            let script = format!("printf '%s\\n' {line}");
            let ran = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            let printed = String::from_utf8(ran.stdout).unwrap();
            let words: Vec<&str> = printed.lines().collect();
            assert_eq!(words, ["-h", "203.0.113.10", "-p", "1883", "-i", id], "{line}");
        }
        let secure = place("203.0.113.10:8883/mqtt.example.com").arguments("a");
        assert_eq!(secure, "-h mqtt.example.com -p 8883 --tls-use-os-certs -i a\n");
    }
}
