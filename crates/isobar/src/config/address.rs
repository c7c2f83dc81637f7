//! Addresses as the file spells them: to listen on, to connect to, to connect from.
//!
//! Nothing is looked up here: a DNS name comes out as a name.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use isobar_net::settings::SourceRange;

use super::finding::Refusal;

/// Where name servers are asked when the file does not say.
const DNS_PORT: u16 = 53;

/// Where a broker listens, as typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// An address.
    Address(SocketAddr),
    /// A DNS name and a port.
    Name(String, u16),
    /// A DNS name with SRV records, which have the ports.
    Service(String),
}

/// Reads an address of this machine, or of a public front, with a port.
pub(super) fn listen(text: &str) -> Result<SocketAddr, Refusal> {
    let (host, port) = host_and_port(text, "0.0.0.0:1883")?;
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_multicast() => Err(Refusal::new(
            "a multicast address",
            "use an address of this machine, such as \"0.0.0.0:1883\"",
        )),
        Ok(ip) => Ok(SocketAddr::new(ip, port)),
        Err(_) => Err(Refusal::new(
            "not an IP address",
            format!("use an address, not a name: \"0.0.0.0:{port}\", \"[::]:{port}\""),
        )),
    }
}

/// Reads an address and port, a DNS name and port, or a DNS name with SRV records.
pub(super) fn target(text: &str) -> Result<Target, Refusal> {
    if text.starts_with('_') {
        return service_name(text).map(Target::Service);
    }
    let (host, port) = host_and_port(text, "192.168.0.36:1883")?;
    let Ok(ip) = host.parse::<IpAddr>() else {
        dns_name(host)?;
        return Ok(Target::Name(host.to_ascii_lowercase(), port));
    };
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(Refusal::new(
            "no address that can be connected to",
            format!("name the broker's own address, such as \"192.168.0.36:{port}\""),
        ));
    }
    Ok(Target::Address(SocketAddr::new(ip, port)))
}

/// Reads the address of a name server; its port is 53 where the text has none.
pub(super) fn server(text: &str) -> Result<SocketAddr, Refusal> {
    let help = "name servers look like \"192.168.0.1\", \"192.168.0.1:53\" or \"[fd00::1]:53\"";
    let addr = match text.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, DNS_PORT),
        Err(_) => match text.parse::<SocketAddr>() {
            Ok(addr) => addr,
            Err(_) => return Err(Refusal::new("not the address of a name server", help)),
        },
    };
    if addr.ip().is_unspecified() || addr.ip().is_multicast() || addr.port() == 0 {
        return Err(Refusal::new("no address that can be asked", help));
    }
    Ok(addr)
}

/// Checks a name with SRV records: `_service._protocol` first (RFC 2782).
fn service_name(text: &str) -> Result<String, Refusal> {
    if let (name, Some(_)) = split_port(text) {
        let help = format!("SRV records have the ports: write \"{name}\"");
        return Err(Refusal::new("a name with SRV records and a port", help));
    }
    dns_name(text)?;
    let marked = text.split('.').take_while(|label| label.starts_with('_')).count();
    if marked < 2 {
        let help = "SRV records are at names like \"_mqtt._tcp.lan\"";
        return Err(Refusal::new("not a name with SRV records", help));
    }
    Ok(text.to_ascii_lowercase())
}

/// Reads `10.0.0.1`, `10.0.0.1:1024-65535`, `[fd00::1]` or `[fd00::1]:1024-65535`.
pub(super) fn source(text: &str) -> Result<SourceRange, Refusal> {
    let help = "sources look like \"10.0.0.1\", \"10.0.0.1:1024-65535\" or \
                \"[fd00::1]:1024-65535\"; \"0.0.0.0:1024-65535\" leaves the address to the system";
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Refusal::new(
            "an IPv6 address without brackets",
            format!("write \"[{text}]\""),
        ));
    }
    let (host, ports) = split_port(text);
    let Ok(addr) = host.parse::<IpAddr>() else {
        return Err(Refusal::new("not an address to connect from", help));
    };
    if addr.is_multicast() {
        return Err(Refusal::new("a multicast address", help));
    }
    let ports = ports.map(|ports| port_range(ports, help)).transpose()?;
    Ok(SourceRange { addr, ports })
}

/// Checks a DNS name: labels of letters, digits, `-` and `_`.
pub(super) fn dns_name(name: &str) -> Result<(), Refusal> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = name.split('.').all(|label| label.chars().all(|c| c.is_ascii_digit()));
    if numeric {
        let help = "an IPv4 address has four numbers of 0 to 255: \"192.168.0.36\"";
        return Err(Refusal::new("not an IP address", help));
    }
    let relative = name.strip_suffix('.').unwrap_or(name);
    if relative.len() > 253 || !relative.split('.').all(label) {
        return Err(Refusal::new(
            "neither an IP address nor a DNS name",
            "names look like \"mqtt1.lan\", addresses like \"192.168.0.36\" or \"[fd00::36]\"",
        ));
    }
    Ok(())
}

/// Splits `host:port`; the host comes without brackets.
fn host_and_port<'a>(text: &'a str, example: &str) -> Result<(&'a str, u16), Refusal> {
    if let Some((_, rest)) = text.split_once("://") {
        let rest = rest.trim_end_matches('/');
        return Err(Refusal::new("an URL", format!("leave the scheme out: \"{rest}\"")));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        let help = format!("brackets and a port: \"[{text}]:1883\"");
        return Err(Refusal::new("an IPv6 address without brackets", help));
    }
    let (host, port) = split_port(text);
    let Some(port) = port else {
        let help = match text {
            "" => format!("write \"{example}\""),
            _ if text.bytes().all(|b| b.is_ascii_digit()) => {
                format!("say the address too: \"0.0.0.0:{text}\"")
            }
            _ => format!("say the port: \"{}:1883\"", text.trim_end_matches(':')),
        };
        return Err(Refusal::new("no port", help));
    };
    if host.is_empty() {
        return Err(Refusal::new("no address", format!("say the address too: \"0.0.0.0:{port}\"")));
    }
    match number(port) {
        Some(port) if port > 0 => Ok((host, port)),
        _ => Err(Refusal::new(
            format!("\"{port}\" is no port"),
            format!("ports are 1 to 65535: \"{example}\""),
        )),
    }
}

/// The host without brackets, and what follows its colon.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        // Brackets mean IPv6: anything else in them stays wrong by keeping its bracket.
        if host.parse::<Ipv6Addr>().is_err() {
            return (text, Some(rest.strip_prefix(':').unwrap_or(rest)));
        }
        return match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => (text, Some(rest)),
        };
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() => (host, Some(port)),
        _ => (text, None),
    }
}

fn port_range(text: &str, help: &str) -> Result<(u16, u16), Refusal> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (Some(first), Some(last)) = (number(first), number(last)) else {
        return Err(Refusal::new(format!("\"{text}\" is no range of ports"), help));
    };
    if first == 0 {
        return Err(Refusal::new(
            "port 0 cannot be connected from",
            "begin at 1024: \"0.0.0.0:1024-65535\"; without ports the system chooses them",
        ));
    }
    if first > last {
        let help = format!("the lower port comes first: \"{last}-{first}\"");
        return Err(Refusal::new("the range of ports ends before it begins", help));
    }
    Ok((first, last))
}

/// Digits alone: `u16::from_str` would take a plus sign too.
fn number(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_reference_promises() {
        assert_eq!(listen("0.0.0.0:1883").unwrap(), "0.0.0.0:1883".parse().unwrap());
        assert_eq!(listen("[::1]:1883").unwrap(), "[::1]:1883".parse().unwrap());
        assert_eq!(
            target("10.0.0.1:1883").unwrap(),
            Target::Address("10.0.0.1:1883".parse().unwrap())
        );
        assert_eq!(target("Mqtt1.lan:1883").unwrap(), Target::Name("mqtt1.lan".into(), 1883));
        let service = Target::Service("_mqtt._tcp.lan".into());
        assert_eq!(target("_mqtt._TCP.lan").unwrap(), service);
        assert_eq!(server("10.0.0.1").unwrap(), "10.0.0.1:53".parse().unwrap());
        assert_eq!(server("[fd00::1]:5353").unwrap(), "[fd00::1]:5353".parse().unwrap());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (text, addr, ports) in [
            ("10.0.0.1", "10.0.0.1", None),
            ("10.0.0.1:1024-65535", "10.0.0.1", Some((1024, 65535))),
            ("0.0.0.0:5000", "0.0.0.0", Some((5000, 5000))),
            ("[fd00::1]", "fd00::1", None),
            ("[::]:1024-2048", "::", Some((1024, 2048))),
        ] {
            assert_eq!(source(text).unwrap(), SourceRange { addr: ip(addr), ports }, "{text}");
        }
    }

    #[test]
    fn refuses_with_a_remedy() {
        for (text, problem, remedy) in [
            ("", "no port", "\"0.0.0.0:1883\""),
            ("1883", "no port", "\"0.0.0.0:1883\""),
            (":1883", "no address", "\"0.0.0.0:1883\""),
            ("0.0.0.0", "no port", "\"0.0.0.0:1883\""),
            ("0.0.0.0:", "no port", "\"0.0.0.0:1883\""),
            ("0.0.0.0:0", "is no port", "1 to 65535"),
            ("0.0.0.0:+80", "is no port", "1 to 65535"),
            ("0.0.0.0:65536", "is no port", "1 to 65535"),
            ("::", "without brackets", "\"[::]:1883\""),
            ("localhost:1883", "not an IP address", "\"0.0.0.0:1883\""),
            ("224.0.0.1:1883", "multicast", "\"0.0.0.0:1883\""),
            ("[10.0.0.1]:1883", "not an IP address", "not a name"),
            ("mqtt://0.0.0.0:1883", "URL", "\"0.0.0.0:1883\""),
        ] {
            let refusal = listen(text).unwrap_err();
            assert!(refusal.problem.contains(problem), "{text}: {refusal:?}");
            assert!(refusal.help.contains(remedy), "{text}: {refusal:?}");
        }
        for (text, problem) in [
            ("_mqtt._tcp.lan:1883", "and a port"),
            ("_mqtt.lan", "not a name with SRV"),
            ("_mqtt._tcp..lan", "neither"),
            ("0.0.0.0:1883", "connected to"),
            ("10.0.0.256:1883", "not an IP address"),
            ("a b:1883", "neither"),
            ("-a:1883", "neither"),
            ("a..b:1883", "neither"),
            ("[::1:1883", "neither"),
            ("[::1]x:1883", "is no port"),
        ] {
            let refusal = target(text).unwrap_err();
            assert!(refusal.problem.contains(problem), "{text}: {refusal:?}");
        }
        for text in ["", "dns.lan", "dns.lan:53", "0.0.0.0", "10.0.0.1:0", "224.0.0.1", "fd00::1:x"]
        {
            assert!(server(text).is_err(), "{text}");
        }
        for (text, problem) in [
            ("", "not an address"),
            ("eth0", "not an address"),
            ("fd00::1", "without brackets"),
            ("10.0.0.1:0-5", "port 0"),
            ("10.0.0.1:2000-1000", "ends before"),
            ("10.0.0.1:1024-70000", "no range"),
            ("10.0.0.1:1024-", "no range"),
            ("10.0.0.1:-", "no range"),
            ("224.0.0.1", "multicast"),
        ] {
            let refusal = source(text).unwrap_err();
            assert!(refusal.problem.contains(problem), "{text}: {refusal:?}");
        }
    }
}
