//! What has become of every client, as far as clients and whoever breaks things can tell.
//!
//! A loss begins with the fault that took a connection away, or when its client notices, whatever
//! comes first; it ends with the next CONNACK that says yes. Judged by nobody here: scenes and the
//! finale are sums over it.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use isobar_sim::drill::{BrokerAt, NodeAt, SiteNo};

/// Losses that are told one by one; further ones are in counts only.
const LOSSES_MAX: usize = 200_000;
/// Times from SYN to CONNACK that are kept.
const CONNECTS_MAX: usize = 1_000_000;

/// A client and what it holds.
#[derive(Clone, Debug)]
pub(super) struct Card {
    pub(super) home: SiteNo,
    /// Every broker refuses it.
    pub(super) rejected: bool,
    /// A fault has taken away what it hung on, or brought it.
    pub(super) affected: bool,
    pub(super) mood: Mood,
    /// While it is lost, known to it or not: an index into the losses.
    pub(super) lost: Option<usize>,
    /// Since when what serves it stands still.
    stalled: Option<Instant>,
    /// The loss that its present connection has ended.
    ended: Option<usize>,
    /// It was served anew after the first fault.
    pub(super) served_since: bool,
    pub(super) last_try: Outcome,
    /// As one who is affected, or is not, whichever it is now.
    pub(super) counts: Counts,
    /// As one who was not affected yet.
    pub(super) before: Counts,
}

/// What only grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    pub(super) disconnected: u64,
    pub(super) noticed: u64,
    pub(super) attempts: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
}

/// What a client is about, as it knows itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mood {
    Away,
    Wants,
    /// By a node, and by a broker once that has told its name.
    Served(NodeAt, Option<BrokerAt>),
}

/// What a try came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    NotTried,
    /// Nobody says where to go.
    NoAddress,
    /// No TCP connection.
    Unreachable,
    /// Nothing within the client's patience.
    NoAnswer,
    /// Ended before any CONNACK.
    Closed,
    /// A CONNACK that said no.
    Refused,
    Served,
}

/// What a fault does to those who are served through what it befalls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Blow {
    /// It ends their connections, whether they know or not.
    Ends,
    /// What serves them stands still: who gives up has been without service since.
    Stalls,
    /// It will take them away in time.
    Warns,
}

/// A connection that ended without its client having asked for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    pub(super) client: usize,
    pub(super) lost: Instant,
    pub(super) noticed: Option<Instant>,
    /// The SYN of the try that was welcomed, its CONNACK, and whose broker said it.
    pub(super) again: Option<(Instant, Instant, SiteNo)>,
}

/// From a SYN to its CONNACK.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connect {
    pub(super) home: SiteNo,
    /// Its client was affected by then.
    pub(super) affected: bool,
    pub(super) time: Duration,
}

/// Everything, at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) cards: Vec<Card>,
    pub(super) losses: Vec<Loss>,
    /// From any SYN to its CONNACK.
    pub(super) connects: Vec<Connect>,
    /// By site: clients that came when no node would have named it any more.
    pub(super) stale_arrivals: Vec<u64>,
    /// By site: answers given there that named a site held dead there.
    pub(super) dead_named: Vec<u64>,
    pub(super) has_struck: bool,
}

/// The books, for everybody.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    books: Mutex<Books>,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::NotTried => "did not try",
            Outcome::NoAddress => "was told no address",
            Outcome::Unreachable => "no connection",
            Outcome::NoAnswer => "no answer in time",
            Outcome::Closed => "closed before a CONNACK",
            Outcome::Refused => "a CONNACK that said no",
            Outcome::Served => "was served",
        }
    }
}

impl Card {
    fn new(home: SiteNo, rejected: bool, affected: bool) -> Card {
        Card {
            home,
            rejected,
            affected,
            mood: Mood::Away,
            lost: None,
            stalled: None,
            ended: None,
            served_since: false,
            last_try: Outcome::NotTried,
            counts: Counts::default(),
            before: Counts::default(),
        }
    }

    /// A fault befalls it: what it does from now on counts among the affected.
    fn is_struck(&mut self) {
        if !self.affected {
            self.affected = true;
            self.before = std::mem::take(&mut self.counts);
        }
    }

    /// Who serves it, if its connection still stands.
    pub(super) fn served(&self) -> Option<(NodeAt, Option<BrokerAt>)> {
        match self.mood {
            Mood::Served(node, broker) if self.lost.is_none() => Some((node, broker)),
            _ => None,
        }
    }

    /// The site whose broker serves it: the node's, until it has heard another.
    pub(super) fn served_by(&self) -> Option<SiteNo> {
        self.served().map(|(node, broker)| broker.map_or(node.site, |broker| broker.site))
    }
}

impl Books {
    /// It is cut off, whether it knows or not.
    fn lose(&mut self, client: usize, at: Instant) {
        let card = &mut self.cards[client];
        card.counts.disconnected += 1;
        if self.losses.len() < LOSSES_MAX {
            card.lost = Some(self.losses.len());
            self.losses.push(Loss { client, lost: at, noticed: None, again: None });
        }
    }
}

impl Ledger {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("nobody panics while holding it")
    }

    /// Room for as many sites.
    pub(super) fn of(sites: usize) -> Ledger {
        let books = Books {
            stale_arrivals: vec![0; sites],
            dead_named: vec![0; sites],
            ..Books::default()
        };
        Ledger { books: Mutex::new(books) }
    }

    /// All that is known, as it is now.
    pub(super) fn copy(&self) -> Books {
        self.books().clone()
    }

    /// Asks something of it, quickly.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Books) -> T) -> T {
        read(&self.books())
    }

    /// One more client, away as yet. Its number.
    pub(super) fn enrol(&self, home: SiteNo, rejected: bool, affected: bool) -> usize {
        let mut books = self.books();
        books.cards.push(Card::new(home, rejected, affected));
        books.cards.len() - 1
    }

    /// Time begins: what was before does not count.
    pub(super) fn begin(&self) {
        let mut books = self.books();
        (books.losses, books.connects) = (Vec::new(), Vec::new());
        books.stale_arrivals.iter_mut().for_each(|n| *n = 0);
        books.dead_named.iter_mut().for_each(|n| *n = 0);
        for card in &mut books.cards {
            *card = Card { mood: card.mood, ..Card::new(card.home, card.rejected, false) };
        }
    }

    pub(super) fn wants(&self, client: usize) {
        self.books().cards[client].mood = Mood::Wants;
    }

    pub(super) fn tries(&self, client: usize, stale: Option<SiteNo>) {
        let mut books = self.books();
        books.cards[client].counts.attempts += 1;
        if let Some(site) = stale {
            books.stale_arrivals[usize::from(site)] += 1;
        }
    }

    pub(super) fn named_dead(&self, by: SiteNo) {
        self.books().dead_named[usize::from(by)] += 1;
    }

    /// A try came to nothing.
    pub(super) fn fails(&self, client: usize, outcome: Outcome) {
        let card = &mut self.books().cards[client];
        card.last_try = outcome;
        match outcome {
            Outcome::Refused => card.counts.refused += 1,
            Outcome::Unreachable | Outcome::NoAnswer | Outcome::Closed => card.counts.failed += 1,
            Outcome::NotTried | Outcome::NoAddress | Outcome::Served => {}
        }
    }

    /// It is served, having opened its connection then.
    pub(super) fn welcomed(&self, client: usize, node: NodeAt, syn: Instant) {
        let now = Instant::now();
        let books = &mut *self.books();
        let card = &mut books.cards[client];
        card.mood = Mood::Served(node, None);
        card.last_try = Outcome::Served;
        card.served_since |= books.has_struck;
        card.ended = card.lost.take();
        if let Some(loss) = card.ended {
            books.losses[loss].again = Some((syn, now, node.site));
        }
        if books.connects.len() < CONNECTS_MAX {
            let (home, affected) = (card.home, card.affected);
            let time = now.saturating_duration_since(syn);
            books.connects.push(Connect { home, affected, time });
        }
    }

    /// The broker has told its name.
    pub(super) fn located(&self, client: usize, broker: BrokerAt) {
        let books = &mut *self.books();
        let card = &mut books.cards[client];
        if let Mood::Served(node, _) = card.mood {
            card.mood = Mood::Served(node, Some(broker));
            if let Some((.., by)) = card.ended.and_then(|loss| books.losses[loss].again.as_mut()) {
                *by = broker.site;
            }
        }
    }

    /// It knows that its connection is gone.
    pub(super) fn notices(&self, client: usize) {
        let now = Instant::now();
        let books = &mut *self.books();
        if books.cards[client].lost.is_none() {
            let since = books.cards[client].stalled.unwrap_or(now);
            books.lose(client, since);
        }
        let card = &mut books.cards[client];
        (card.mood, card.stalled, card.ended) = (Mood::Wants, None, None);
        card.counts.noticed += 1;
        if let Some(loss) = card.lost {
            books.losses[loss].noticed = Some(now);
        }
    }

    /// It goes by its own will.
    pub(super) fn leaves(&self, client: usize) {
        let card = &mut self.books().cards[client];
        (card.mood, card.lost, card.stalled, card.ended) = (Mood::Away, None, None, None);
    }

    /// A fault befalls what these clients hang on. How many of them were served.
    pub(super) fn strike(&self, blow: Blow, hits: impl Fn(&Card) -> bool) -> usize {
        let now = Instant::now();
        let books = &mut *self.books();
        books.has_struck = true;
        let mut struck = 0;
        for client in 0..books.cards.len() {
            let card = &mut books.cards[client];
            if !hits(card) {
                continue;
            }
            card.is_struck();
            if card.served().is_none() {
                continue;
            }
            struck += 1;
            match blow {
                Blow::Ends => books.lose(client, now),
                Blow::Stalls => _ = card.stalled.get_or_insert(now),
                Blow::Warns => {}
            }
        }
        struck
    }

    /// These lose the connection they have.
    pub(super) fn strike_these(&self, clients: &[usize]) {
        let now = Instant::now();
        let books = &mut *self.books();
        books.has_struck = true;
        for client in clients {
            books.cards[*client].is_struck();
            if books.cards[*client].served().is_some() {
                books.lose(*client, now);
            }
        }
    }

    /// What stood still goes on.
    pub(super) fn goes_on(&self, hits: impl Fn(&Card) -> bool) {
        let books = &mut *self.books();
        for card in books.cards.iter_mut().filter(|card| hits(card)) {
            card.stalled = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeAt = NodeAt { site: 0, node: 0 };

    fn one_served() -> Ledger {
        let ledger = Ledger::of(2);
        let client = ledger.enrol(0, false, false);
        ledger.wants(client);
        ledger.tries(client, None);
        ledger.welcomed(client, NODE, Instant::now());
        ledger.begin();
        ledger
    }

    #[test]
    fn a_loss_begins_with_the_fault_and_ends_with_the_connack() {
        let ledger = one_served();
        assert_eq!(ledger.strike(Blow::Ends, |_| true), 1);
        let books = ledger.copy();
        assert_eq!((books.cards[0].served(), books.cards[0].counts.disconnected), (None, 1));
        ledger.notices(0);
        ledger.tries(0, None);
        ledger.welcomed(0, NodeAt { site: 1, node: 0 }, Instant::now());
        ledger.located(0, BrokerAt { site: 0, broker: 1 });
        let Books { cards, losses, .. } = ledger.copy();
        assert_eq!(
            (cards[0].counts.disconnected, cards[0].counts.noticed, losses.len()),
            (1, 1, 1)
        );
        assert_eq!(cards[0].served_by(), Some(0));
        let (syn, connack, by) = losses[0].again.expect("it is served again");
        assert!(losses[0].lost <= syn && syn <= connack && by == 0);
        assert!(cards[0].affected && cards[0].served_since);
    }

    #[test]
    fn who_stands_still_is_served_until_it_gives_up() {
        let ledger = one_served();
        assert_eq!(ledger.strike(Blow::Stalls, |_| true), 1);
        assert!(ledger.copy().cards[0].served().is_some());
        ledger.goes_on(|_| true);
        ledger.notices(0);
        let Books { losses, .. } = ledger.copy();
        assert_eq!(losses[0].noticed.map(|at| at >= losses[0].lost), Some(true));
    }
}
