//! What the clients of a drill are like: unkind, as clients are.

use std::fmt;
use std::time::Duration;

use super::misread::Misread;
use super::quantity::{self, MILLION, show_duration, show_ppm};

/// What all clients of a drill have in common, and in which shares they differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clients {
    /// After so much silence a client says PINGREQ; zero: never, and it never notices silence.
    pub keepalive: Duration,
    /// How long a PINGREQ may go unanswered before the client gives its connection up.
    pub ping_timeout: Duration,
    /// What they do before they connect again; the shares are a million together.
    pub backoff: Vec<(u32, Backoff)>,
    /// Those that try the address they know before they ask again, however old it is, in
    /// millionths; the others ask before they connect, of a resolver that keeps answers for their
    /// time.
    pub stale_dns_ppm: u32,
    /// Those that speak MQTT 5, in millionths; the others speak 3.1.1.
    pub v5_ppm: u32,
    /// Those with sessions that outlive connections, in millionths.
    pub persistent_ppm: u32,
    /// Those whose password every broker refuses, in millionths. They try again all the same, and
    /// are in no metric but `attempts` and `refused`.
    pub rejected_ppm: u32,
    /// How long they wait for a connection and its CONNACK.
    pub patience: Duration,
    /// The round trip from a client to the door of its home site.
    pub access: Duration,
    /// How long they take to come at the start, evenly; zero: they are all there at the start.
    pub arrive: Duration,
    /// How long one stays before it goes by itself, on average; `None`: for ever.
    pub stay: Option<Duration>,
    /// How long it is away then, on average.
    pub away: Duration,
}

/// What a client waits before it tries again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backoff {
    /// Anything between zero and a bound that doubles with every failure.
    FullJitter {
        /// The bound of the first wait.
        first: Duration,
        /// The bound never passes this.
        most: Duration,
    },
    /// That bound itself: all who were lost together come back together.
    Exponential {
        /// The first wait.
        first: Duration,
        /// The longest wait.
        most: Duration,
    },
    /// Always the same.
    Fixed {
        /// The wait.
        every: Duration,
    },
}

const BACKOFF_HELP: &str =
    "for example \"full-jitter 1s..60s\", \"exponential 1s..60s\" or \"fixed 5s\"";
const WAIT_MOST: Duration = Duration::from_secs(24 * 3600);

impl Backoff {
    /// The bound of the wait after so many failures in a row, the first being 0. Full jitter draws
    /// from zero up to it; the others wait it out.
    pub fn bound(&self, failures: u32) -> Duration {
        match *self {
            Backoff::Fixed { every } => every,
            Backoff::FullJitter { first, most } | Backoff::Exponential { first, most } => {
                first.saturating_mul(1 << failures.min(30)).min(most)
            }
        }
    }

    /// Reads `full-jitter 1s..60s`, `exponential 1s..60s` or `fixed 5s`.
    pub fn parse(text: &str) -> Result<Backoff, Misread> {
        let (kind, times) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let wait = |text: &str| match quantity::duration(text.trim())? {
            time if time.is_zero() => Err(Misread::new("a wait of no time", BACKOFF_HELP)),
            time if time > WAIT_MOST => Err(Misread::new("a wait of days", "at most \"24h\"")),
            time => Ok(time),
        };
        let range = || {
            let (first, most) = times
                .split_once("..")
                .ok_or_else(|| Misread::new("no range of waits", BACKOFF_HELP))?;
            let (first, most) = (wait(first)?, wait(most)?);
            if first > most {
                let help = format!("\"{kind} {}..{}\"", show_duration(most), show_duration(first));
                return Err(Misread::new("the first wait is the longest", help));
            }
            Ok((first, most))
        };
        match kind {
            "full-jitter" => range().map(|(first, most)| Backoff::FullJitter { first, most }),
            "exponential" => range().map(|(first, most)| Backoff::Exponential { first, most }),
            "fixed" => wait(times).map(|every| Backoff::Fixed { every }),
            _ => Err(Misread::unknown("back-off", kind, &["full-jitter", "exponential", "fixed"])),
        }
    }

    /// Reads a back-off with the share of clients that have it: `20% fixed 5s`.
    pub fn parse_share(text: &str) -> Result<(u32, Backoff), Misread> {
        match text.trim().split_once(' ') {
            Some((share, rest)) if share.ends_with('%') => {
                Ok((quantity::ppm(share)?, Backoff::parse(rest)?))
            }
            _ => Ok((MILLION, Backoff::parse(text)?)),
        }
    }
}

impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = show_duration;
        match *self {
            Backoff::FullJitter { first, most } => {
                write!(f, "full-jitter {}..{}", show(first), show(most))
            }
            Backoff::Exponential { first, most } => {
                write!(f, "exponential {}..{}", show(first), show(most))
            }
            Backoff::Fixed { every } => write!(f, "fixed {}", show(every)),
        }
    }
}

/// For example `80% full-jitter 1s..60s`; the share is left out where it is everybody.
pub fn show_share((share, backoff): &(u32, Backoff)) -> String {
    if *share == MILLION { backoff.to_string() } else { format!("{} {backoff}", show_ppm(*share)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["full-jitter 1s..1m", "exponential 500ms..10s", "fixed 5s", "20% fixed 5s"] {
            assert_eq!(show_share(&Backoff::parse_share(text).unwrap()), text);
        }
        for wrong in
            ["", "fixed", "fixed 0s", "fixed 5", "full-jitter 1s", "full-jitter 9s..1s", "20%"]
        {
            assert!(Backoff::parse_share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let backoff = Backoff::parse("exponential 1s..5s").unwrap();
        let waits: Vec<_> = [0, 1, 2, 3, 99].map(|n| backoff.bound(n).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }
}
