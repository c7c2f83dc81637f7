//! `isobar events`: the last things that happened to sites, nodes and brokers, oldest first.
//!
//! Read from `/v1/events` on the admin address, as `isobar status` reads the report.

use std::process::ExitCode;

use isobar_admin::view::{Event, EventKind, Events};

use crate::status::{StatusArgs, StatusError, ask, print, token};

/// Show what has changed of late: sites, nodes and brokers, and why
#[derive(clap::Args, Debug)]
pub struct EventsArgs {
    #[command(flatten)]
    node: StatusArgs,
}

/// Prints a running node's last events.
pub fn run(args: &EventsArgs) -> ExitCode {
    print(args.run())
}

impl EventsArgs {
    fn run(&self) -> Result<String, StatusError> {
        let token = token(self.node.token_file.as_ref())?;
        events(&self.node.admin, token.as_deref(), self.node.is_json())
    }
}

/// Asks the node at `admin` and gives its events, as lines or as JSON.
fn events(admin: &str, token: Option<&str>, json: bool) -> Result<String, StatusError> {
    let (body, events) = ask::<Events>(admin, token, "/v1/events")?;
    if json {
        return Ok(body + "\n");
    }
    let mut out: String = events.events.iter().map(line).collect();
    if out.is_empty() {
        out.push_str("nothing has happened yet\n");
    }
    Ok(out)
}

/// `2026-11-22 22:51:00.630 site sin is dead, was suspect: witnessed`
fn line(event: &Event) -> String {
    let kind = match event.kind {
        EventKind::Site => "site",
        EventKind::Node => "node",
        EventKind::Broker => "broker",
        EventKind::Name => "name",
    };
    let mut line = format!("{} {kind} {} is {}", local(event.at_seconds), event.name, event.is);
    if let Some(was) = &event.was {
        line.push_str(&format!(", was {was}"));
    }
    if !event.reason.is_empty() {
        line.push_str(&format!(": {}", event.reason));
    }
    // Names come over a network: none may steer the terminal, or make a line of its own.
    line.chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect::<String>()
        + "\n"
}

fn local(at_seconds: f64) -> impl std::fmt::Display {
    // A time that no calendar has is shown as 1970: the event is worth more than its time.
    let at = jiff::Timestamp::from_millisecond((at_seconds * 1e3) as i64).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::sample;
    use crate::status::tests::with_node;

    #[test]
    fn events_are_lines() {
        let shown = with_node(sample::rich, None, |address| events(address, None, false)).unwrap();
        let lines: Vec<&str> = shown.lines().map(|line| &line[24..]).collect();
        assert_eq!(
            lines,
            [
                "broker mqtt/serv4 is down: check: TimedOut",
                "node sin/sin-1 is silent",
                "site sin is dead, was suspect: witnessed\u{fffd}[31m",
            ]
        );
        let json = with_node(sample::rich, None, |address| events(address, None, true)).unwrap();
        assert!(json.starts_with("{\"events\":[") && json.ends_with("}\n"), "{json}");
    }
}
