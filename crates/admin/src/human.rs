//! Numbers, times and states in words a person reads at a glance.
//!
//! Used by the page and by `isobar status`, so that both say the same of the same report.
//! Everything is short: a column of a wide table has room for about seven characters.

use crate::view::mesh::{Site, Standing};
use crate::view::{
    AdminState, Broker, BrokerState, CheckKind, CheckResult, LastCheck, Name, NodeState, Quantile,
};

/// A count: in full up to six digits (`65,536`), then three significant ones (`1.23M`).
pub fn count(n: u64) -> String {
    const UNITS: [(u64, char); 5] = [
        (1_000_000_000_000_000_000, 'E'),
        (1_000_000_000_000_000, 'P'),
        (1_000_000_000_000, 'T'),
        (1_000_000_000, 'G'),
        (1_000_000, 'M'),
    ];
    match UNITS.iter().find(|(size, _)| n >= *size) {
        None => exact(n),
        Some(&(size, unit)) => format!("{}{unit}", three_digits(n, size)),
    }
}

/// A count in full, with thousands separated.
pub fn exact(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in binary units: `512 B`, `1.25 GiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1000 {
        return format!("{n} B");
    }
    // A unit is taken from 1000 of the one below, so that no number has four digits.
    let mut size = 1024_u64;
    for unit in &UNITS[..UNITS.len() - 1] {
        if n / size < 1000 {
            return format!("{} {unit}", three_digits(n, size));
        }
        size *= 1024;
    }
    format!("{} {}", three_digits(n, size), UNITS[UNITS.len() - 1])
}

/// `n / size` with at most three digits, rounded down: a limit that is nearly met must not
/// read as met.
fn three_digits(n: u64, size: u64) -> String {
    let (whole, rest) = (n / size, n % size);
    let part = |parts: u64| u128::from(rest) * u128::from(parts) / u128::from(size);
    match whole {
        0..=9 => format!("{whole}.{:02}", part(100)),
        10..=99 => format!("{whole}.{}", part(10)),
        _ => whole.to_string(),
    }
}

/// A span of time in its two largest units: `12s`, `4m12s`, `3d4h`.
pub fn span(seconds: f64) -> String {
    // Saturating: a negative or endless span is somebody's bug, and reads as 0s or as years.
    let seconds = seconds as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, _, _) => format!("{hours}h{}m", minutes % 60),
        (1..=99, _, _) => format!("{days}d{}h", hours % 24),
        _ => format!("{}d", exact(days)),
    }
}

/// A short time, such as a latency: `0.4ms`, `12ms`, `1.25s`.
pub fn latency(seconds: f64) -> String {
    let ms = seconds * 1e3;
    if ms >= 9_999.5 {
        span(seconds)
    } else if ms >= 999.5 {
        format!("{seconds:.2}s")
    } else if ms >= 9.95 {
        format!("{ms:.0}ms")
    } else if ms >= 0.05 {
        format!("{ms:.1}ms")
    } else {
        "0ms".to_owned()
    }
}

/// A bound of a histogram, as exact as it was chosen: `0.25ms`, `2.5ms`, `15s`.
pub fn bound(seconds: f64) -> String {
    if seconds < 1.0 {
        // Rounded to microseconds, where bounds are whole: 0.0025 * 1e3 is not quite 2.5.
        format!("{}ms", (seconds * 1e6).round() / 1e3)
    } else {
        format!("{seconds}s")
    }
}

/// A quantile of latencies: `2.4ms`, `>10s`.
pub fn quantile(estimate: Quantile) -> String {
    match estimate {
        Quantile::About(seconds) => latency(seconds),
        Quantile::Above(seconds) => format!(">{}", latency(seconds)),
    }
}

/// What a broker is to the operator: the operator's own word first, then health's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Takes flows.
    Up,
    /// Alive and refuses more.
    Full,
    /// Takes nothing.
    Down,
    /// Told to take only flows whose session lives there.
    Drain,
    /// Told to take nothing.
    Maint,
    /// Takes no new flows: the name that it was found by does not lead there any longer.
    Leaving,
}

impl Condition {
    /// The condition of `broker`.
    pub fn of(broker: &Broker) -> Condition {
        match (broker.admin_state, broker.state) {
            _ if broker.leaving => Condition::Leaving,
            (AdminState::Maint, _) => Condition::Maint,
            (AdminState::Drain, _) => Condition::Drain,
            (AdminState::Ready, BrokerState::Up) => Condition::Up,
            (AdminState::Ready, BrokerState::Full) => Condition::Full,
            (AdminState::Ready, BrokerState::Down) => Condition::Down,
        }
    }

    /// In capitals, as HAProxy writes it.
    pub fn word(self) -> &'static str {
        match self {
            Condition::Up => "UP",
            Condition::Full => "FULL",
            Condition::Down => "DOWN",
            Condition::Drain => "DRAIN",
            Condition::Maint => "MAINT",
            Condition::Leaving => "LEAVING",
        }
    }
}

/// Where a broker is, and by what name it was found.
pub fn address(broker: &Broker) -> String {
    match &broker.found_by {
        Some(name) => format!("{} by {name}", broker.address),
        None => broker.address.clone(),
    }
}

/// How a name stands: `2 addresses, 12s old`, or what is wrong with it first.
pub fn name_note(name: &Name) -> String {
    let s = if name.addresses == 1 { "" } else { "es" };
    let addresses = format!("{} address{s}", count(name.addresses));
    let mut parts = match (&name.trouble, name.age_seconds) {
        (None, None) => vec!["not answered yet".to_owned()],
        (None, Some(age)) => vec![format!("{addresses}, {} old", span(age))],
        (Some(trouble), None) => vec![trouble.clone()],
        (Some(trouble), Some(age)) => {
            vec![trouble.clone(), format!("{addresses} kept, {} old", span(age))]
        }
    };
    if name.spare_records > 0 {
        parts.push(format!("{} of lower rank not used", count(name.spare_records)));
    }
    if name.beyond_limit > 0 {
        parts.push(format!("{} beyond the limit", count(name.beyond_limit)));
    }
    if !name.unresolved.is_empty() {
        parts.push(format!("no address: {}", name.unresolved.join(", ")));
    }
    parts.join("; ")
}

/// What a site is to this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outlook {
    /// The node's own.
    Own,
    /// There is no news yet.
    Unknown,
    /// Takes flows.
    Reachable,
    /// Asked for no new flows.
    Draining,
    /// Silent for a moment.
    Avoided,
    /// Silent for longer.
    Suspect,
    /// Gone.
    Dead,
}

impl Outlook {
    /// The outlook on `site`.
    pub fn of(site: &Site) -> Outlook {
        match site.standing {
            _ if site.own => Outlook::Own,
            None => Outlook::Unknown,
            Some(Standing::Reachable) => Outlook::Reachable,
            Some(Standing::Draining) => Outlook::Draining,
            Some(Standing::Avoided) => Outlook::Avoided,
            Some(Standing::Suspect) => Outlook::Suspect,
            Some(Standing::Dead) => Outlook::Dead,
        }
    }

    /// In capitals, as a [`Condition`] is.
    pub fn word(self) -> &'static str {
        match self {
            Outlook::Own => "OWN",
            Outlook::Unknown => "UNKNOWN",
            Outlook::Reachable => "REACHABLE",
            Outlook::Draining => "DRAINING",
            Outlook::Avoided => "AVOIDED",
            Outlook::Suspect => "SUSPECT",
            Outlook::Dead => "DEAD",
        }
    }
}

/// A part of a whole in hundredths: `0%`, `0.12%`, `4.8%`, `21%`.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent >= 9.95 {
        format!("{percent:.0}%")
    } else if percent >= 0.995 {
        format!("{percent:.1}%")
    } else if percent >= 0.005 {
        format!("{percent:.2}%")
    } else {
        "0%".to_owned()
    }
}

/// How long a certificate is still good: `12 days`, `less than a day`, `over for 3 days`.
pub fn days_left(days: i64) -> String {
    match days {
        ..-1 => format!("over for {} days", exact(days.unsigned_abs() - 1)),
        -1 => "over".to_owned(),
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        _ => format!("{} days", exact(days.unsigned_abs())),
    }
}

/// What goes beside the [`Condition`]: for how long, and what the one word hides.
///
/// `state_seconds` is about health, so a drained broker says which health it is about.
pub fn condition_note(broker: &Broker) -> String {
    let since = span(broker.state_seconds);
    match (Condition::of(broker), broker.state) {
        (Condition::Maint, _) => String::new(),
        (Condition::Leaving, BrokerState::Down) => format!("name gone, down {since}"),
        (Condition::Leaving, _) => "name gone".to_owned(),
        (Condition::Drain, BrokerState::Up) => format!("up {since}"),
        (Condition::Drain, BrokerState::Full) => format!("full {since}"),
        (Condition::Drain, BrokerState::Down) => format!("down {since}"),
        (Condition::Up, _) if broker.slow_start => format!("{since}, slow start"),
        _ => since,
    }
}

/// The state of a node, in capitals.
pub fn node_state(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "STARTING",
        NodeState::Ready => "READY",
        NodeState::Stopping => "STOPPING",
    }
}

/// The last check in HAProxy's manner: `MQTT OK code 0 in 2.1ms`.
pub fn last_check(broker: &Broker) -> String {
    let kind = match broker.check {
        None => return "no check".to_owned(),
        Some(CheckKind::Tcp) => "TCP",
        Some(CheckKind::Mqtt) => "MQTT",
    };
    if broker.admin_state == AdminState::Maint {
        return format!("{kind} check paused");
    }
    let Some(check) = broker.last_check else { return format!("{kind} check pending") };
    let mut text = format!("{kind} {}", check_result(check.result));
    if let Some(code) = check.code {
        text.push_str(&format!(" code {code}"));
    }
    text.push_str(&format!(" in {}", latency(check.took_seconds)));
    if is_old(&check) {
        text.push_str(&format!(", {} ago", span(check.age_seconds)));
    }
    text
}

/// Checks come every few seconds; an older one is news.
fn is_old(check: &LastCheck) -> bool {
    check.age_seconds >= 15.0
}

fn check_result(result: CheckResult) -> &'static str {
    match result {
        CheckResult::Alive => "OK",
        CheckResult::Refused => "refused",
        CheckResult::TimedOut => "timeout",
        CheckResult::ClosedSilently => "closed silently",
        CheckResult::SessionLost => "session lost",
        CheckResult::NotMqtt => "not MQTT",
    }
}

#[cfg(test)]
mod tests;
