//! The network between sites.

use std::time::Duration;

use isobar_sim::drill::{self, quantity};

use super::Validation;
use crate::config::finding::Scope;
use crate::config::placed::Placed;
use crate::config::units::show_duration;
use crate::drill::bounds::{self, LAN};
use crate::drill::file::{Bursts, File, RttText, Wan};

const JITTER: u32 = 50_000;
const BURST_SHARE_MAX: u32 = 500_000;

pub(super) fn read(v: &mut Validation<'_>, file: &File, sites: &[drill::Site]) -> drill::Wan {
    let absent = Placed { value: Wan::default(), at: 0..0 };
    let typed = file.mesh.as_ref().and_then(|mesh| mesh.value.wan.as_ref()).unwrap_or(&absent);
    let scope = Scope { name: "mesh".to_owned(), at: typed.at.clone() };
    let wan = &typed.value;
    drill::Wan {
        rtt_us: round_trips(v, &scope, wan.rtt.as_ref(), sites),
        jitter_ppm: v.ppm(&scope, "wan.jitter", wan.jitter.as_ref()).unwrap_or(JITTER),
        loss_ppm: v.ppm(&scope, "wan.loss", wan.loss.as_ref()).unwrap_or(0),
        bursts: wan.bursts.as_ref().and_then(|typed| bursts(v, &scope, typed)),
        lan: LAN,
    }
}

fn bursts(v: &mut Validation<'_>, scope: &Scope, typed: &Placed<Bursts>) -> Option<drill::Bursts> {
    let Bursts { length, share } = &typed.value;
    if length.is_none() || share.is_none() {
        let help = "bursts = { length = \"200ms\", share = \"1%\" }";
        v.report.error(scope, &typed.at, "bursts need a length and a share", help);
    }
    let (key, bounds) = ("wan.bursts.length", bounds::BURST);
    let length = v.time(scope, key, length.as_ref(), bounds, "");
    let ppm = v.ppm(scope, "wan.bursts.share", share.as_ref());
    if let (Some(ppm), Some(typed)) = (ppm, share)
        && ppm > BURST_SHARE_MAX
    {
        let help = "a link that loses everything half of the time is enough";
        v.refuse(scope, "wan.bursts.share", &typed.at, "must be 0% to 50%", help);
    }
    Some(drill::Bursts { length: length?, share_ppm: ppm? })
}

fn round_trips(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<RttText>>,
    sites: &[drill::Site],
) -> Vec<Vec<u32>> {
    let table = |of: &dyn Fn(usize, usize) -> u32| -> Vec<Vec<u32>> {
        let row = |a| (0..sites.len()).map(|b| if a == b { 0 } else { of(a, b) }).collect();
        (0..sites.len()).map(row).collect()
    };
    let Some(typed) = typed else { return by_distance(v, scope, &scope.at.clone(), sites) };
    match &typed.value {
        RttText::One(text) if text.trim() == "by-distance" => {
            by_distance(v, scope, &typed.at, sites)
        }
        RttText::One(text) => match round_trip(text) {
            Some(micros) => table(&|_, _| micros),
            None => {
                let help = "\"by-distance\", \"80ms\" between all, or rows: \
                            [[\"0ms\", \"20ms\"], [\"20ms\", \"0ms\"]]";
                v.refuse(scope, "wan.rtt", &typed.at, "no round trip of 1ms to 60s", help);
                table(&|_, _| 0)
            }
        },
        RttText::Rows(rows) => {
            let rows = read_rows(v, scope, rows, sites, typed);
            table(&|a, b| rows.get(a).and_then(|row| row.get(b)).copied().unwrap_or(0))
        }
    }
}

fn by_distance(
    v: &mut Validation<'_>,
    scope: &Scope,
    at: &std::ops::Range<usize>,
    sites: &[drill::Site],
) -> Vec<Vec<u32>> {
    if let Some(nowhere) = sites.iter().find(|site| site.spot.is_none()).filter(|_| sites.len() > 1)
    {
        let message = format!("how far is {:?} from the others?", nowhere.name);
        let help = "give it a city or a location, or the WAN its rtt = \"80ms\"";
        v.report.error(scope, at, message, help);
    }
    let between = |a: &drill::Site, b: &drill::Site| match (a.spot, b.spot) {
        (Some(here), Some(there)) if a.name != b.name => micros(here.round_trip(there)),
        _ => 0,
    };
    sites.iter().map(|a| sites.iter().map(|b| between(a, b)).collect()).collect()
}

fn read_rows(
    v: &mut Validation<'_>,
    scope: &Scope,
    rows: &[Placed<Vec<Placed<String>>>],
    sites: &[drill::Site],
    all: &Placed<RttText>,
) -> Vec<Vec<u32>> {
    let count = sites.len();
    if rows.len() != count && count > 0 {
        let problem = format!("{} rows for {count} sites", rows.len());
        v.refuse(scope, "wan.rtt", &all.at, problem, "a row for each site, in their order");
        return Vec::new();
    }
    let mut read: Vec<Vec<u32>> = Vec::new();
    for (a, row) in rows.iter().enumerate() {
        if row.value.len() != count {
            let problem = format!("{} values for {count} sites", row.value.len());
            let help = "each row has a value for each site; to itself it is \"0ms\"";
            v.refuse(scope, "wan.rtt", &row.at, problem, help);
            return Vec::new();
        }
        let mut values = Vec::new();
        for (b, typed) in row.value.iter().enumerate() {
            let value = if a == b { to_itself(&typed.value) } else { round_trip(&typed.value) };
            let mirrored = read.get(b).and_then(|row| row.get(a)).copied();
            let (name, other) = (&sites[a].name, &sites[b].name);
            let problem = match value {
                None if a == b => Some(format!("from {name} to itself it is \"0ms\"")),
                None => Some("no round trip of 1ms to 60s".to_owned()),
                Some(micros) if mirrored.is_some_and(|back| back != micros) => {
                    let back = mirrored.map_or(0, u64::from);
                    let back = show_duration(Duration::from_micros(back));
                    Some(format!("from {other} to {name} and back it is {back}"))
                }
                Some(_) => None,
            };
            if let Some(problem) = problem {
                let help = "rows and columns are the same sites: the table is its own mirror \
                            image, with \"0ms\" from each to itself";
                v.refuse(scope, "wan.rtt", &typed.at, problem, help);
                return Vec::new();
            }
            values.push(value.unwrap_or(0));
        }
        read.push(values);
    }
    read
}

fn round_trip(text: &str) -> Option<u32> {
    let time = quantity::duration(text.trim()).ok()?;
    (bounds::RTT.min..=bounds::RTT.max).contains(&time).then(|| micros(time))
}

fn to_itself(text: &str) -> Option<u32> {
    quantity::duration(text.trim()).ok().filter(Duration::is_zero).map(micros)
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
