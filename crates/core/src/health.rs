//! Is this broker fit for new clients?
//!
//! Two kinds of witness: active checks at their intervals, and the flows themselves, whose
//! refused connects and missing CONNACKs are known sooner. A broker is Down after `fall`
//! failures in a row, and up again after `rise` successes of the kind that condemned it: a
//! hung broker's kernel still accepts TCP, so who went Down for missing CONNACKs must answer a
//! CONNECT. Whether a broker is merely full is decided elsewhere ([`crate::fullness`]).

use core::time::Duration;

use crate::policy::{CheckKind, CheckPolicy};
use crate::report::CheckResult;
use crate::time::Time;

/// CONNACKs missed in a row, with no success between, that condemn a broker.
pub const MISSED_MAX: u32 = 3;
/// Refused connects in a row that condemn a broker without an active check.
const FALL_UNCHECKED: u32 = 3;
/// A broker without an active check is tried with one flow after this, then twice as long.
const TRIAL_FIRST: Duration = Duration::from_secs(1);
const TRIAL_LAST: Duration = Duration::from_secs(30);
/// Fresh probes are this far apart at least, whoever asks for them.
const FRESH_EVERY: Duration = Duration::from_secs(1);

/// What a probe does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProbeKind {
    /// Opens a TCP connection and closes it.
    Tcp,
    /// Pings over the persistent MQTT session, opening it first where none stands.
    Mqtt,
    /// A CONNECT of its own on a new connection, ended by DISCONNECT after the CONNACK: shows
    /// whether the broker takes another client just now.
    Fresh,
}

/// What evidence did to a broker's health.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Nothing that matters.
    Same,
    /// It is Down from now on.
    WentDown,
    /// It is up from now on.
    CameUp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Condemned {
    Checks,
    Openings,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Up,
    Down(Condemned),
}

/// The health of one broker.
#[derive(Clone, Debug)]
pub struct Health {
    check: Option<CheckPolicy>,
    /// Whether a CONNECT means anything to it.
    speaks_mqtt: bool,
    verdict: Verdict,
    /// The broker has given no sign yet: one failed check is enough.
    unproven: bool,
    good: u32,
    bad: u32,
    missed: u32,
    next_check: Time,
    checking: Option<ProbeKind>,
    /// When the broker last dropped the probe's session.
    lost_at: Option<Time>,
    fresh_wanted: bool,
    fresh_running: bool,
    fresh_next: Time,
    trial_at: Time,
    trial_wait: Duration,
}

impl Health {
    /// Up until shown otherwise; the first check is due at `first_check`.
    pub fn new(check: Option<CheckPolicy>, speaks_mqtt: bool, first_check: Time) -> Health {
        Health {
            check,
            speaks_mqtt,
            verdict: Verdict::Up,
            unproven: true,
            good: 0,
            bad: 0,
            missed: 0,
            next_check: if check.is_some() { first_check } else { Time::NEVER },
            checking: None,
            lost_at: None,
            fresh_wanted: false,
            fresh_running: false,
            fresh_next: Time::ZERO,
            trial_at: Time::NEVER,
            trial_wait: TRIAL_FIRST,
        }
    }

    /// Whether it is Down.
    pub fn is_down(&self) -> bool {
        matches!(self.verdict, Verdict::Down(_))
    }

    /// Whether a first check has come back, or none ever will.
    pub fn is_known(&self) -> bool {
        !self.unproven || self.check.is_none()
    }

    /// Whether a Down broker without a check may be tried with one flow now.
    pub fn trial_due(&self, now: Time) -> bool {
        self.is_down() && self.check.is_none() && now >= self.trial_at
    }

    /// A flow is on its way as the trial; the next one is later.
    pub fn trial_begins(&mut self, now: Time) {
        self.trial_wait = (self.trial_wait * 2).min(TRIAL_LAST);
        self.trial_at = now + self.trial_wait;
    }

    /// Whether a probe may ask if the broker takes another client.
    pub fn may_ask(&self) -> bool {
        self.check.is_some() && self.speaks_mqtt
    }

    /// The same broker was looked after before: what was under way then is under way still.
    pub fn carry_on(&mut self, before: &Health) {
        (self.checking, self.fresh_running) = (before.checking, before.fresh_running);
    }

    /// A service uses it from now on to which a CONNECT means something.
    pub fn speaks_mqtt(&mut self) {
        self.speaks_mqtt = true;
    }

    /// Asks whether the broker takes another client, if a probe may ask. `false` if none may.
    pub fn want_fresh(&mut self) -> bool {
        let may = self.may_ask();
        self.fresh_wanted |= may && !self.fresh_running;
        may
    }

    /// The next probe that is due, to be finished by the time given.
    pub fn poll_probe(&mut self, now: Time) -> Option<(ProbeKind, Time)> {
        let check = self.check?;
        if self.fresh_wanted && !self.fresh_running && now >= self.fresh_next {
            self.fresh_wanted = false;
            self.fresh_running = true;
            self.fresh_next = now + FRESH_EVERY;
            return Some((ProbeKind::Fresh, now + check.inter));
        }
        if self.checking.is_some() || now < self.next_check {
            return None;
        }
        let kind = self.kind_due(check);
        if kind == ProbeKind::Fresh {
            if self.fresh_running {
                return None;
            }
            self.fresh_running = true;
        }
        self.checking = Some(kind);
        Some((kind, now + check.inter))
    }

    /// When [`Health::poll_probe`] will next say something, if no probe ends before.
    pub fn next_timeout(&self) -> Time {
        // A check that must wait for a fresh probe under way is due when that one ends.
        let waits = |check| self.fresh_running && self.kind_due(check) == ProbeKind::Fresh;
        let check = match (self.checking, self.check) {
            (None, Some(check)) if !waits(check) => self.next_check,
            _ => Time::NEVER,
        };
        let fresh = match self.fresh_wanted && !self.fresh_running {
            true => self.fresh_next,
            false => Time::NEVER,
        };
        check.min(fresh)
    }

    /// When [`Health::trial_due`] will change its answer by itself.
    pub fn next_trial(&self, now: Time) -> Time {
        let ahead = self.is_down() && self.check.is_none() && self.trial_at > now;
        if ahead { self.trial_at } else { Time::NEVER }
    }

    /// A probe has ended.
    pub fn probed(&mut self, now: Time, kind: ProbeKind, result: CheckResult) -> Turn {
        if kind == ProbeKind::Fresh {
            self.fresh_running = false;
        }
        let scheduled = self.checking == Some(kind);
        if scheduled {
            self.checking = None;
        }
        let Some(check) = self.check else { return Turn::Same };
        let turn = match result {
            // Begun before the broker was condemned for its silence, and no proof against it.
            CheckResult::Alive if kind == ProbeKind::Tcp && self.kind_due(check) != kind => {
                Turn::Same
            }
            CheckResult::Alive => self.succeeded(scheduled),
            // Something accepted and closed: alive, whatever it thinks of us.
            CheckResult::ClosedSilently => match self.verdict {
                Verdict::Down(Condemned::Openings) => Turn::Same,
                _ => self.succeeded(scheduled),
            },
            // The broker ended a standing session: look again at once before judging.
            CheckResult::SessionLost => Turn::Same,
            CheckResult::Refused | CheckResult::TimedOut | CheckResult::NotMqtt => {
                self.failed(now, Condemned::Checks)
            }
        };
        if scheduled || result == CheckResult::SessionLost {
            self.next_check = match result {
                CheckResult::SessionLost => self.after_loss(now, check),
                _ if self.settled(check) => now + check.inter,
                _ => now + check.fastinter,
            };
        }
        turn
    }

    /// A probe has ended and nobody wants to know: the broker is in maintenance by now.
    pub fn unasked(&mut self, kind: ProbeKind) {
        self.fresh_running &= kind != ProbeKind::Fresh;
        if self.checking == Some(kind) {
            self.checking = None;
        }
    }

    /// A flow could not connect: refused, unreachable or in vain.
    pub fn dial_failed(&mut self, now: Time) -> Turn {
        if self.is_down() {
            // A late failure of a broker that had been given up: the checks will say.
            return Turn::Same;
        }
        if self.checking.is_none() && self.check.is_some() {
            self.next_check = self.next_check.min(now);
        }
        self.failed(now, Condemned::Checks)
    }

    /// An opening got no CONNACK in time.
    pub fn missed(&mut self, now: Time) -> Turn {
        self.missed += 1;
        if self.missed >= MISSED_MAX && !self.is_down() {
            return self.condemn(now, Condemned::Openings);
        }
        Turn::Same
    }

    /// The broker answered a flow: any CONNACK, or its TCP in mode `tcp`.
    pub fn answered(&mut self) -> Turn {
        self.missed = 0;
        if self.is_down() && self.check.is_some() {
            // A late answer of a broker that had been given up: the checks will say.
            return Turn::Same;
        }
        self.succeeded(true)
    }

    /// At once, but not again and again to a broker that lets the probe in and drops it.
    fn after_loss(&mut self, now: Time, check: CheckPolicy) -> Time {
        let at = now.max(self.lost_at.map_or(now, |lost| lost + check.fastinter));
        self.lost_at = Some(now);
        at
    }

    fn kind_due(&self, check: CheckPolicy) -> ProbeKind {
        match (check.kind, self.verdict) {
            (CheckKind::Tcp, Verdict::Down(Condemned::Openings)) if self.speaks_mqtt => {
                ProbeKind::Fresh
            }
            (CheckKind::Tcp, _) => ProbeKind::Tcp,
            (CheckKind::Mqtt, _) => ProbeKind::Mqtt,
        }
    }

    fn settled(&self, check: CheckPolicy) -> bool {
        match self.verdict {
            Verdict::Up => self.bad == 0,
            Verdict::Down(_) => self.good == 0 || self.good >= check.rise,
        }
    }

    fn succeeded(&mut self, counts: bool) -> Turn {
        self.bad = 0;
        self.unproven = false;
        if !self.is_down() {
            return Turn::Same;
        }
        self.good += u32::from(counts);
        let rise = self.check.map_or(1, |check| check.rise);
        if self.good < rise {
            return Turn::Same;
        }
        self.verdict = Verdict::Up;
        self.missed = 0;
        self.trial_at = Time::NEVER;
        self.trial_wait = TRIAL_FIRST;
        Turn::CameUp
    }

    fn failed(&mut self, now: Time, by: Condemned) -> Turn {
        self.good = 0;
        self.bad += 1;
        let fall = match (self.check, self.unproven) {
            (Some(_), true) => 1,
            (Some(check), false) => check.fall,
            (None, _) => FALL_UNCHECKED,
        };
        if self.is_down() || self.bad < fall {
            return Turn::Same;
        }
        self.condemn(now, by)
    }

    fn condemn(&mut self, now: Time, by: Condemned) -> Turn {
        self.unproven = false;
        self.good = 0;
        self.verdict = Verdict::Down(by);
        match self.check {
            Some(check) => self.next_check = self.next_check.min(now + check.fastinter),
            None => self.trial_at = now + self.trial_wait,
        }
        Turn::WentDown
    }
}

#[cfg(test)]
mod tests;
