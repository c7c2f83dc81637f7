//! What clients are like.

use std::time::Duration;

use isobar_sim::drill::quantity::{MILLION, show_ppm};
use isobar_sim::drill::{self, Backoff};

use super::Validation;
use crate::config::bounds::Bounds;
use crate::config::file::TimeText;
use crate::config::finding::Scope;
use crate::config::placed::Placed;
use crate::drill::bounds::{self, BACKOFFS_MAX};
use crate::drill::file::{BackoffText, Clients, File};

const STALE_DNS: u32 = 200_000;
const V5: u32 = 300_000;

pub(super) fn read(v: &mut Validation<'_>, file: &File) -> drill::Clients {
    let absent = Placed { value: Clients::default(), at: 0..0 };
    let typed = file.mesh.as_ref().and_then(|mesh| mesh.value.clients.as_ref()).unwrap_or(&absent);
    let scope = Scope { name: "mesh".to_owned(), at: typed.at.clone() };
    let clients = &typed.value;
    let time = |v: &mut Validation<'_>,
                key: &str,
                typed: &Option<Placed<TimeText>>,
                limits: Bounds<Duration>| {
        v.report.duration(&scope, &format!("clients.{key}"), typed.as_ref(), limits)
    };
    let keepalive = time(v, "keepalive", &clients.keepalive, bounds::KEEPALIVE);
    let ping_timeout = time(v, "ping_timeout", &clients.ping_timeout, bounds::PING_TIMEOUT);
    let stay = clients.stay.as_ref();
    if let (None, Some(away)) = (stay, &clients.away) {
        let help = "say how long they stay: stay = \"10m\", or remove away";
        v.refuse(&scope, "clients.away", &away.at, "they never leave by themselves", help);
    }
    drill::Clients {
        keepalive,
        ping_timeout,
        backoff: backoff(v, &scope, clients.backoff.as_ref()),
        stale_dns_ppm: v
            .ppm(&scope, "clients.stale_dns", clients.stale_dns.as_ref())
            .unwrap_or(STALE_DNS),
        v5_ppm: v.ppm(&scope, "clients.v5", clients.v5.as_ref()).unwrap_or(V5),
        persistent_ppm: v
            .ppm(&scope, "clients.persistent", clients.persistent.as_ref())
            .unwrap_or(0),
        rejected_ppm: v.ppm(&scope, "clients.rejected", clients.rejected.as_ref()).unwrap_or(0),
        patience: time(v, "patience", &clients.patience, bounds::PATIENCE),
        access: time(v, "access", &clients.access, bounds::ACCESS),
        arrive: time(v, "arrive", &clients.arrive, bounds::ARRIVE),
        stay: v.time(
            &scope,
            "clients.stay",
            stay,
            bounds::STAY,
            "without the key they stay for ever",
        ),
        away: time(v, "away", &clients.away, bounds::AWAY),
    }
}

fn backoff(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<BackoffText>>,
) -> Vec<(u32, Backoff)> {
    const KEY: &str = "clients.backoff";
    let second = Duration::from_secs(1);
    let kind = Backoff::FullJitter { first: second, most: 60 * second };
    let standard = vec![(800_000, kind), (200_000, Backoff::Fixed { every: 5 * second })];
    let Some(typed) = typed else { return standard };
    let list = match &typed.value {
        BackoffText::One(text) => vec![Placed { value: text.clone(), at: typed.at.clone() }],
        BackoffText::List(list) if (1..=BACKOFFS_MAX).contains(&list.len()) => list.clone(),
        BackoffText::List(_) => {
            let problem = format!("must have 1 to {BACKOFFS_MAX} back-offs");
            let help = "[\"80% full-jitter 1s..60s\", \"20% fixed 5s\"]";
            v.refuse(scope, KEY, &typed.at, problem, help);
            return standard;
        }
    };
    let mut habits = Vec::new();
    for one in &list {
        if let Some(habit) = v.accept(scope, KEY, &one.at, Backoff::parse_share(&one.value)) {
            habits.push(habit);
        }
    }
    let sum: u64 = habits.iter().map(|(share, _)| u64::from(*share)).sum();
    if habits.len() == list.len() && sum != u64::from(MILLION) {
        let sum = show_ppm(u32::try_from(sum).unwrap_or(u32::MAX));
        let problem = format!("the shares are {sum} together");
        let help = "each begins with its share, and they are 100% together: \
                    [\"80% full-jitter 1s..60s\", \"20% fixed 5s\"]";
        v.refuse(scope, KEY, &typed.at, problem, help);
    }
    habits
}
