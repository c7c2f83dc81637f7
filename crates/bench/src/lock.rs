//! How long Isobar holds the lock over a service's brokers, as it says itself in `/metrics`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::Serialize;

use crate::contender::Contender;
use crate::failure::{Context, Failure, Result};
use crate::load::Work;
use crate::trial::{Ground, Setting};

/// The histogram's name.
const FAMILY: &str = "isobar_service_lock_hold_seconds";
/// For the admin server's answer.
const LIMIT: Duration = Duration::from_secs(5);
/// A page of metrics is far smaller.
const PAGE_MAX: u64 = 4 << 20;

/// The holds of one trial.
#[derive(Debug, Serialize)]
pub(crate) struct Holds {
    pub(crate) contender: String,
    /// Holds measured; each stands for 64.
    pub(crate) measured: u64,
    pub(crate) mean_ns: f64,
    /// Upper bounds of the buckets that hold the quantiles; `None` above the last.
    pub(crate) p50_ns: Option<f64>,
    pub(crate) p99_ns: Option<f64>,
}

impl Holds {
    pub(crate) fn to_text(&self) -> String {
        let Self { contender, measured, mean_ns, .. } = self;
        let bound = |ns: Option<f64>| ns.map_or("more".into(), |ns| format!("<= {ns:.0} ns"));
        let (p50, p99) = (bound(self.p50_ns), bound(self.p99_ns));
        format!(
            "lock, {contender}: {measured} holds measured, mean {mean_ns:.0} ns, p50 {p50}, \
             p99 {p99}"
        )
    }
}

/// Connects clients and asks the node.
pub(crate) fn measure(ground: &mut Ground, contender: &Contender, work: &Work) -> Result<Holds> {
    let (_, page) = ground.traced(contender, &Setting::default(), work, |subject| {
        let admin = subject.admin;
        Ok(move || get(admin))
    })?;
    parse(&contender.name, &page)
}

/// Asks a node for its metrics.
pub(crate) fn get(admin: SocketAddr) -> Result<String> {
    let asking = || format!("asking {admin} for /metrics");
    let mut stream = TcpStream::connect_timeout(&admin, LIMIT).context(asking())?;
    stream.set_read_timeout(Some(LIMIT)).context(asking())?;
    let request = format!("GET /metrics HTTP/1.0\r\nHost: {admin}\r\n\r\n");
    stream.write_all(request.as_bytes()).context(asking())?;
    let mut page = String::new();
    stream.take(PAGE_MAX).read_to_string(&mut page).context(asking())?;
    Ok(page)
}

fn parse(contender: &str, page: &str) -> Result<Holds> {
    let missing = || Failure::new(format!("{contender}: no {FAMILY} in its /metrics"));
    let value = |suffix: &str| {
        let name = format!("{FAMILY}{suffix}{{");
        let line = page.lines().find(|line| line.starts_with(&name))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    let count = value("_count").filter(|n| *n > 0.0).ok_or_else(missing)?;
    let sum = value("_sum").ok_or_else(missing)?;
    let buckets: Vec<(f64, f64)> = page
        .lines()
        .filter(|line| line.starts_with(&format!("{FAMILY}_bucket{{")))
        .filter_map(|line| {
            let bound = line.split("le=\"").nth(1)?.split('"').next()?.parse().ok()?;
            Some((bound, line.rsplit(' ').next()?.parse().ok()?))
        })
        .collect();
    let quantile = |q: f64| {
        let holds = buckets.iter().find(|(bound, n)| bound.is_finite() && *n >= q * count);
        holds.map(|(bound, _)| bound * 1e9)
    };
    Ok(Holds {
        contender: contender.to_owned(),
        measured: count as u64,
        mean_ns: sum / count * 1e9,
        p50_ns: quantile(0.5),
        p99_ns: quantile(0.99),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
isobar_service_lock_hold_seconds_bucket{site=\"b\",service=\"mqtt\",le=\"0.0000001\"} 60
isobar_service_lock_hold_seconds_bucket{site=\"b\",service=\"mqtt\",le=\"0.0000003\"} 98
isobar_service_lock_hold_seconds_bucket{site=\"b\",service=\"mqtt\",le=\"0.000001\"} 99
isobar_service_lock_hold_seconds_bucket{site=\"b\",service=\"mqtt\",le=\"+Inf\"} 100
isobar_service_lock_hold_seconds_sum{site=\"b\",service=\"mqtt\"} 0.000015
isobar_service_lock_hold_seconds_count{site=\"b\",service=\"mqtt\"} 100
";

    #[test]
    fn quantiles_are_bounds_of_buckets() {
        let text = parse("isobar", PAGE).unwrap().to_text();
        assert!(text.contains("100 holds measured, mean 150 ns, p50 <= 100 ns"), "{text}");
        assert!(text.ends_with("p99 <= 1000 ns"), "{text}");
        let slow = PAGE.replace("} 99", "} 98");
        assert!(parse("isobar", &slow).unwrap().to_text().ends_with("p99 more"));
        assert!(parse("isobar", "nothing").is_err());
    }
}
