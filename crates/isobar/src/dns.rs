//! `isobar dns`: what a running node tells clients by DNS, and why; and what a zone should have
//! that is kept elsewhere. Read from `/v1/dns/…` on the admin address.

use std::fmt::Write as _;
use std::process::ExitCode;

use isobar_admin::view::dns::{Record, Records, Told};
use isobar_core::entry::Prefix;

use crate::status::{StatusArgs, StatusError, ask, print, token};

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub enum DnsCommand {
    /// Print the records that the zone should have now, as zone text or as JSON.
    Records(StatusArgs),
    /// Say what a client would be told and why, site by site.
    Ask(AskArgs),
}

/// A question.
#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// The name that the client asks for, such as mqtt.example.com.
    #[arg(value_name = "NAME")]
    name: String,
    /// Where the client is: its address or its network.
    #[arg(long, value_name = "ADDR[/BITS]", value_parser = network)]
    from: Prefix,
    /// The type of the records: A, AAAA or SRV.
    #[arg(long = "type", value_name = "TYPE", default_value = "A")]
    kind: String,
    #[command(flatten)]
    node: StatusArgs,
}

impl DnsCommand {
    /// Asks and prints.
    pub fn run(&self) -> ExitCode {
        print(match self {
            DnsCommand::Records(node) => records(node),
            DnsCommand::Ask(args) => args.run(),
        })
    }
}

fn records(node: &StatusArgs) -> Result<String, StatusError> {
    let token = token(node.token_file.as_ref())?;
    let (body, records) = ask::<Records>(&node.admin, token.as_deref(), "/v1/dns/records")?;
    Ok(if node.is_json() { body + "\n" } else { zone(&records) })
}

impl AskArgs {
    fn run(&self) -> Result<String, StatusError> {
        let token = token(self.node.token_file.as_ref())?;
        let from = self.from.to_string();
        let words = [("name", &self.name), ("from", &from), ("type", &self.kind)];
        let words = words.map(|(key, word)| format!("{key}={}", escaped(word)));
        let path = format!("/v1/dns/ask?{}", words.join("&"));
        let (body, told) = ask::<Told>(&self.node.admin, token.as_deref(), &path)?;
        Ok(if self.node.is_json() { body + "\n" } else { explained(&told) })
    }
}

fn network(text: &str) -> Result<Prefix, &'static str> {
    text.parse().map_err(|_| "an address or a network, such as 203.0.113.20 or 2001:db8::/48")
}

/// A word of a query, as a URL has it.
fn escaped(word: &str) -> String {
    let mut out = String::new();
    for byte in word.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn zone(records: &Records) -> String {
    let Records { zone, generation, .. } = records;
    let mut out = format!("; {zone}: the records wanted now, of generation {generation}\n");
    for record in &records.records {
        let _ = writeln!(out, "{} ; {}", line(record), record.site);
    }
    harmless(&out)
}

fn line(record: &Record) -> String {
    let Record { name, ttl_seconds, kind, data, .. } = record;
    format!("{name} {ttl_seconds} IN {kind} {data}")
}

fn explained(told: &Told) -> String {
    let mut out = format!(
        "{} {} for {}, service {}, policy {}, generation {}\n",
        told.name, told.kind, told.from, told.service, told.policy, told.generation
    );
    match &told.absence {
        Some(absence) => {
            let _ = writeln!(out, "{}: {absence}", told.rcode.to_uppercase());
        }
        None => told.records.iter().for_each(|record| {
            let _ = writeln!(out, "  {}  ; {}", line(record), record.site);
        }),
    }
    let whom = match told.scope {
        0 => "everyone".to_owned(),
        bits => format!("all within {bits} bits of that address"),
    };
    let _ = writeln!(out, "kept for {} s, and for {whom}", told.ttl_seconds);
    let width = told.sites.iter().map(|site| site.site.len()).max().unwrap_or(0);
    for site in &told.sites {
        let _ = match site.rank {
            Some(rank) => writeln!(out, "  {:width$}  named, rank {rank}: {}", site.site, site.why),
            None => writeln!(out, "  {:width$}  not named: {}", site.site, site.why),
        };
    }
    harmless(&out)
}

/// Names come over a network: none may steer the terminal.
fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use isobar_admin::view::dns::Site;

    use super::*;

    fn record() -> Record {
        Record {
            name: "m.example.".into(),
            ttl_seconds: 30,
            kind: "A".into(),
            data: "192.0.2.1".into(),
            site: "fra".into(),
        }
    }

    fn told() -> Told {
        let site = |site: &str, rank, why: &str| Site { site: site.into(), rank, why: why.into() };
        Told {
            name: "m.example".into(),
            kind: "A".into(),
            service: "mqtt".into(),
            from: "203.0.113.0/24".into(),
            policy: "nearest".into(),
            located: false,
            generation: 7,
            rcode: "noerror".into(),
            absence: None,
            ttl_seconds: 30,
            scope: 24,
            records: vec![record()],
            sites: vec![site("fra", Some(0), "its_network"), site("nyc\u{1b}", None, "no_room")],
        }
    }

    #[test]
    fn an_answer_is_explained_site_by_site() {
        assert_eq!(
            explained(&told()),
            "m.example A for 203.0.113.0/24, service mqtt, policy nearest, generation 7\n  \
             m.example. 30 IN A 192.0.2.1  ; fra\n\
             kept for 30 s, and for all within 24 bits of that address\n  \
             fra   named, rank 0: its_network\n  nyc\u{fffd}  not named: no_room\n"
        );
        let none = Told {
            absence: Some("all_down".into()),
            rcode: "servfail".into(),
            scope: 0,
            records: Vec::new(),
            ..told()
        };
        assert!(explained(&none).contains("SERVFAIL: all_down\nkept for 30 s, and for everyone\n"));
    }

    #[test]
    fn records_are_zone_text() {
        let records = Records { zone: "m.example".into(), generation: 7, records: vec![record()] };
        assert_eq!(
            zone(&records),
            "; m.example: the records wanted now, of generation 7\n\
             m.example. 30 IN A 192.0.2.1 ; fra\n"
        );
        assert_eq!(escaped("2001:db8::/32 &"), "2001%3Adb8%3A%3A%2F32%20%26");
    }
}
