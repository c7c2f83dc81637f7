//! What the clients noticed: who is served where, outages, letters, newcomers, by act.
//!
//! Written by the clients' tasks, read by the screen and the verdict. An outage belongs to the
//! act in which it began. A letter belongs to the act in which it was sent; one that is still on
//! its way when the next act begins with a fault moves to that act, for the fault may stop it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::act::Act;
use super::names::Lead;

/// A letter that has not arrived after this is not on its way any more.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// A letter: who wrote it, and the how manyeth of theirs it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Letter {
    /// The writing client's number.
    pub(super) from: usize,
    /// Counts from 0.
    pub(super) number: u32,
}

/// What the clients noticed in one act.
#[derive(Clone, Default, Debug)]
pub(super) struct Figures {
    /// Sessions that ended without the client's doing.
    pub(super) cut: u32,
    /// Connections asked for that came to nothing.
    pub(super) refused: u32,
    /// Questions for the name that came to nothing.
    pub(super) unnamed: u32,
    /// Sessions that began, newcomers' too.
    pub(super) came: u32,
    /// Of those, not at the first address of the answer.
    pub(super) came_second: u32,
    /// From the first sign of trouble until served again.
    pub(super) outages: Vec<Duration>,
    /// Letters first sent.
    pub(super) sent: u32,
    /// Of those, arrived at least once.
    pub(super) arrived: u32,
    /// Of those, from one broker to another.
    pub(super) crossed: u32,
    /// Arrivals after the first.
    pub(super) again: u32,
    /// From the question for the name to the CONNACK, of clients that came in this act.
    pub(super) newcomers: Vec<Duration>,
    /// Clients that came in this act and were turned away, with what they were told.
    pub(super) turned_away: Vec<String>,
}

enum Whereabouts {
    /// Since when, and in which act that began.
    Away(Instant, Act),
    /// Served: from where.
    Served(Stay),
}

/// Where a client is, by its own account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stay {
    /// Where it lives.
    pub(super) region: usize,
    /// The node that it is connected to, by its index.
    pub(super) door: usize,
    /// The broker that serves it, by its index, once its name was heard.
    pub(super) broker: Option<usize>,
}

impl Stay {
    fn of(lead: Lead) -> Stay {
        Stay { region: lead.region(), door: lead.door(), broker: None }
    }
}

/// Newcomers that come together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Party {
    /// The act in which they come.
    pub(super) act: Act,
    /// Where they live.
    pub(super) region: usize,
    /// Whether they come late: when the name has followed what happened.
    pub(super) late: bool,
}

/// A client that is none of the fleet's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Visit {
    /// With whom it came.
    pub(super) party: Party,
    /// Where it is.
    pub(super) stay: Stay,
    /// From the question for the name to the CONNACK.
    pub(super) took: Duration,
    is_over: bool,
}

struct Sent {
    act: Act,
    at: Instant,
    arrived: bool,
}

struct Book {
    act: Act,
    figures: [Figures; Act::ALL.len()],
    clients: Vec<Whereabouts>,
    /// Every newcomer who was let in: as many as the script sends.
    visits: Vec<Visit>,
    /// Every letter until the end of the demo, so that a second arrival is known as one: a few
    /// hundred a second at most, for as long as `--seconds` says.
    letters: HashMap<Letter, Sent>,
}

impl Book {
    fn count(&mut self, lead: Lead) {
        let figures = &mut self.figures[self.act.index()];
        figures.came += 1;
        figures.came_second += u32::from(lead.turn() > 0);
    }
}

/// Shared by everybody.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Mutex<Book>>);

impl Ledger {
    /// For this many clients, all of them still on their way.
    pub(super) fn new(clients: usize) -> Ledger {
        let now = Instant::now();
        Ledger(Arc::new(Mutex::new(Book {
            act: Act::Arrival,
            figures: Default::default(),
            clients: (0..clients).map(|_| Whereabouts::Away(now, Act::Arrival)).collect(),
            visits: Vec::new(),
            letters: HashMap::new(),
        })))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Each change is complete in itself: a panic elsewhere leaves a book that can be read.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The curtain.
    pub(super) fn begin(&self, act: Act) {
        let mut book = self.book();
        let before = std::mem::replace(&mut book.act, act);
        if !matches!(act, Act::Full | Act::Hung | Act::Killed | Act::Lost) {
            return;
        }
        let Book { figures, letters, .. } = &mut *book;
        let on_their_way = letters
            .values_mut()
            .filter(|sent| !sent.arrived && sent.act == before && sent.at.elapsed() < ON_ITS_WAY);
        for sent in on_their_way {
            figures[before.index()].sent -= 1;
            figures[act.index()].sent += 1;
            sent.act = act;
        }
    }

    /// A client is served: connected where it was led to, and subscribed.
    pub(super) fn served(&self, client: usize, lead: Lead) {
        let mut book = self.book();
        book.count(lead);
        let now = Whereabouts::Served(Stay::of(lead));
        let before = std::mem::replace(&mut book.clients[client], now);
        if let Whereabouts::Away(since, act) = before {
            book.figures[act.index()].outages.push(since.elapsed());
        }
    }

    /// A client heard the name of its broker.
    pub(super) fn located(&self, client: usize, broker: usize) {
        if let Whereabouts::Served(stay) = &mut self.book().clients[client] {
            stay.broker = Some(broker);
        }
    }

    /// A client lost its session; `since` is when it first had no answer.
    pub(super) fn cut(&self, client: usize, since: Instant) {
        let mut book = self.book();
        let act = book.act;
        book.figures[act.index()].cut += 1;
        book.clients[client] = Whereabouts::Away(since, act);
    }

    /// A client's attempt to connect came to nothing.
    pub(super) fn refused(&self) {
        let mut book = self.book();
        let act = book.act;
        book.figures[act.index()].refused += 1;
    }

    /// Nobody could tell a client an address.
    pub(super) fn unnamed(&self) {
        let mut book = self.book();
        let act = book.act;
        book.figures[act.index()].unnamed += 1;
    }

    /// A letter is on its way for the first time.
    pub(super) fn sent(&self, letter: Letter) {
        let mut book = self.book();
        let act = book.act;
        book.letters.insert(letter, Sent { act, at: Instant::now(), arrived: false });
        book.figures[act.index()].sent += 1;
    }

    /// A letter was heard, `crossed` between brokers or not.
    pub(super) fn arrived(&self, letter: Letter, crossed: bool) {
        let mut book = self.book();
        let Book { figures, letters, .. } = &mut *book;
        let Some(sent) = letters.get_mut(&letter) else { return };
        let figures = &mut figures[sent.act.index()];
        if sent.arrived {
            figures.again += 1;
        } else {
            sent.arrived = true;
            figures.arrived += 1;
            figures.crossed += u32::from(crossed);
        }
    }

    /// A newcomer was let in where it was led to, after so long.
    pub(super) fn let_in(&self, party: Party, lead: Lead, took: Duration) -> Guest {
        let mut book = self.book();
        book.count(lead);
        book.figures[party.act.index()].newcomers.push(took);
        book.visits.push(Visit { party, stay: Stay::of(lead), took, is_over: false });
        Guest { ledger: self.clone(), number: book.visits.len() - 1 }
    }

    /// A newcomer of this act was turned away.
    pub(super) fn turned_away(&self, act: Act, why: String) {
        self.book().figures[act.index()].turned_away.push(why);
    }

    /// Everybody let in during that act, whether still there or not.
    pub(super) fn visits(&self, act: Act) -> Vec<Visit> {
        self.book().visits.iter().filter(|visit| visit.party.act == act).copied().collect()
    }

    /// Where everybody is who is served now, newcomers among them.
    pub(super) fn stays(&self) -> Vec<Stay> {
        let book = self.book();
        let visits = book.visits.iter().filter(|visit| !visit.is_over).map(|visit| visit.stay);
        let served = book.clients.iter().filter_map(|client| match client {
            Whereabouts::Served(stay) => Some(*stay),
            Whereabouts::Away(..) => None,
        });
        served.chain(visits).collect()
    }

    /// What was noticed in an act so far.
    pub(super) fn figures(&self, act: Act) -> Figures {
        self.book().figures[act.index()].clone()
    }

    /// Where the client is, by its own account.
    pub(super) fn broker_of(&self, client: usize) -> Option<usize> {
        match self.book().clients[client] {
            Whereabouts::Served(stay) => stay.broker,
            Whereabouts::Away(..) => None,
        }
    }

    /// How many clients are served, and by how many each of `brokers` brokers is named.
    pub(super) fn census(&self, brokers: usize) -> (usize, Vec<usize>) {
        let book = self.book();
        let mut on = vec![0; brokers];
        let mut served = 0;
        for client in &book.clients {
            if let Whereabouts::Served(stay) = client {
                served += 1;
                if let Some(count) = stay.broker.and_then(|broker| on.get_mut(broker)) {
                    *count += 1;
                }
            }
        }
        (served, on)
    }

    /// Letters sent, arrived and crossed, all acts together.
    pub(super) fn post(&self) -> (u32, u32, u32) {
        let book = self.book();
        book.figures.iter().fold((0, 0, 0), |(sent, arrived, crossed), figures| {
            (sent + figures.sent, arrived + figures.arrived, crossed + figures.crossed)
        })
    }

    /// Sessions that began, all acts together.
    pub(super) fn came(&self) -> u32 {
        self.book().figures.iter().map(|figures| figures.came).sum()
    }

    /// Questions for the name that came to nothing, all acts together.
    pub(super) fn unanswered(&self) -> u32 {
        self.book().figures.iter().map(|figures| figures.unnamed).sum()
    }

    /// Whether every letter of this act has arrived.
    pub(super) fn delivered(&self, act: Act) -> bool {
        let figures = &self.book().figures[act.index()];
        figures.sent == figures.arrived
    }
}

/// A newcomer's entry in the ledger. Dropped, it has left.
pub(super) struct Guest {
    ledger: Ledger,
    number: usize,
}

impl Guest {
    /// It heard the name of its broker.
    pub(super) fn located(&self, broker: usize) {
        self.ledger.book().visits[self.number].stay.broker = Some(broker);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.ledger.book().visits[self.number].is_over = true;
    }
}

/// The value below which `percent` of them lie, by nearest rank.
pub(super) fn percentile(values: &[Duration], percent: usize) -> Option<Duration> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(door: usize) -> Lead {
        Lead::of_test(0, door, 0)
    }

    #[test]
    fn a_letter_on_its_way_moves_to_the_act_that_may_stop_it() {
        let ledger = Ledger::new(2);
        ledger.begin(Act::Calm);
        let there = Letter { from: 0, number: 0 };
        let late = Letter { from: 0, number: 1 };
        ledger.sent(there);
        ledger.arrived(there, true);
        ledger.sent(late);
        ledger.begin(Act::Full);
        assert_eq!((1, 0), (ledger.figures(Act::Calm).sent, ledger.figures(Act::Full).arrived));
        assert!(ledger.delivered(Act::Calm));
        assert!(!ledger.delivered(Act::Full));
        ledger.arrived(late, false);
        ledger.arrived(late, false);
        let figures = ledger.figures(Act::Full);
        assert_eq!((1, 1, 1), (figures.sent, figures.arrived, figures.again));
        assert_eq!((2, 2, 1), ledger.post());
    }

    #[test]
    fn an_outage_belongs_to_the_act_in_which_it_began() {
        let ledger = Ledger::new(2);
        ledger.served(0, lead(0));
        ledger.served(1, lead(0));
        ledger.located(1, 3);
        ledger.begin(Act::Killed);
        assert_eq!((2, vec![0, 0, 0, 1]), ledger.census(4));
        ledger.cut(1, Instant::now());
        ledger.refused();
        ledger.begin(Act::After);
        ledger.served(1, lead(0));
        let figures = ledger.figures(Act::Killed);
        assert_eq!((1, 1, 1), (figures.cut, figures.refused, figures.outages.len()));
        assert!(ledger.figures(Act::After).outages.is_empty());
    }

    #[test]
    fn a_guest_that_left_is_remembered_and_not_there() {
        let ledger = Ledger::new(1);
        ledger.served(0, lead(2));
        let party = Party { act: Act::Full, region: 0, late: false };
        let guest = ledger.let_in(party, Lead::of_test(0, 1, 1), Duration::from_millis(5));
        guest.located(4);
        let stay = Stay { region: 0, door: 1, broker: Some(4) };
        assert_eq!(vec![Stay { region: 0, door: 2, broker: None }, stay], ledger.stays());
        drop(guest);
        assert_eq!(1, ledger.stays().len());
        assert_eq!(stay, ledger.visits(Act::Full)[0].stay);
        assert_eq!(1, ledger.figures(Act::Full).newcomers.len());
        // Both began in the act that is on.
        let Figures { came, came_second, .. } = ledger.figures(Act::Arrival);
        assert_eq!((2, 1, 2), (came, came_second, ledger.came()));
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<Duration> = (1..=10).rev().map(Duration::from_secs).collect();
        assert_eq!(Some(Duration::from_secs(5)), percentile(&values, 50));
        assert_eq!(Some(Duration::from_secs(10)), percentile(&values, 99));
        assert_eq!(Some(Duration::from_secs(1)), percentile(&values[9..], 50));
        assert_eq!(None, percentile(&[], 50));
    }
}
