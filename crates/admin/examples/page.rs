//! Serves the stats page of a made-up node on a free loopback port, for looking at.
//!
//! `cargo run -p isobar-admin --example page -- --seconds 60 [--report NAME] [--token TOKEN]`
//! prints the URL and ends by itself; reports are `rich`, `empty`, `hostile`, `meshed` and
//! `hostile-meshed`. Its numbers move a little, so that the refresh can be seen.

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::sync::Arc;
use std::time::{Duration, Instant};

use isobar_admin::Admin;
use isobar_core::report::NodeReport;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut seconds, mut report, mut token) = (60, sample::rich as fn() -> NodeReport, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} wants a value"))?;
        match (&*arg, &*value) {
            ("--seconds", n) => seconds = n.parse()?,
            ("--token", _) => token = Some(value),
            ("--report", "rich") => report = sample::rich,
            ("--report", "meshed") => report = sample::meshed,
            ("--report", "hostile-meshed") => report = sample::hostile_meshed,
            ("--report", "empty") => report = sample::empty,
            ("--report", "hostile") => report = sample::hostile,
            _ => return Err(format!("what is {arg} {value}?").into()),
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/", listener.local_addr()?);
    let begun = Instant::now();
    let source = Arc::new(move || moved(report(), begun.elapsed()));
    let end = tokio::time::sleep(Duration::from_secs(seconds));
    isobar_admin::serve(
        listener,
        Admin { source, events: Arc::new(sample::events), entry: Default::default(), token },
        end,
    )
    .await?;
    Ok(())
}

/// The report after `elapsed`: time passes and flows come.
fn moved(mut report: NodeReport, elapsed: Duration) -> NodeReport {
    let new = u32::try_from(elapsed.as_millis() / 7).unwrap_or(0);
    report.uptime = report.uptime.saturating_add(elapsed);
    for flows in report.services.iter_mut().take(1).map(|s| &mut s.flows).chain([&mut report.flows])
    {
        flows.cur = flows.cur.saturating_add(new);
        flows.total = flows.total.saturating_add(new.into());
    }
    for broker in report.services.iter_mut().flat_map(|service| &mut service.brokers) {
        broker.state_for = broker.state_for.saturating_add(elapsed);
    }
    report
}
