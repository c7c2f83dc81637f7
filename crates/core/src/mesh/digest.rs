//! What is held of one owner, and what a new page changes in it.
//!
//! An owner's words are pages, each replaced as a whole. Order is the owner's alone:
//! incarnation first, then the page's seq. So a record is a join of everything ever heard of
//! that owner: the order of arrival, repetition and loss of what was replaced do not show.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::message::{
    About, COUNT_PAGES_MAX, CountPage, LoadPage, Message, PAGES_MAX, ShapePage, Stamp,
};
use crate::rng::mix;

/// A page of any kind, in our own numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Page {
    About(About),
    Shape(ShapePage),
    Load(LoadPage),
    Counts(CountPage),
}

/// A page's place in its owner's record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Spot {
    About,
    Shape(u8),
    Load(u8),
    Counts(u8),
}

/// What a page did to a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Merged {
    /// It is news, and the first of a higher incarnation.
    Reborn,
    /// It is news.
    Newer,
    /// It is what we have.
    Same,
    /// We know better.
    Older,
}

impl Page {
    pub(crate) fn stamp(&self) -> Stamp {
        match self {
            Page::About(page) => page.stamp,
            Page::Shape(page) => page.stamp,
            Page::Load(page) => page.stamp,
            Page::Counts(page) => page.stamp,
        }
    }

    pub(crate) fn spot(&self) -> Spot {
        match self {
            Page::About(_) => Spot::About,
            Page::Shape(page) => Spot::Shape(page.page),
            Page::Load(page) => Spot::Load(page.page),
            Page::Counts(page) => Spot::Counts(page.page),
        }
    }

    /// Whether its number is within the limits.
    pub(crate) fn is_placed(&self) -> bool {
        match self.spot() {
            Spot::About => true,
            Spot::Shape(page) | Spot::Load(page) => usize::from(page) < PAGES_MAX,
            Spot::Counts(page) => usize::from(page) < COUNT_PAGES_MAX,
        }
    }

    pub(crate) fn into_message(self) -> Message {
        match self {
            Page::About(page) => Message::About(page),
            Page::Shape(page) => Message::Shape(page),
            Page::Load(page) => Message::Load(Vec::from([page])),
            Page::Counts(page) => Message::Counts(page),
        }
    }
}

/// All that is held of one owner.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Record {
    incarnation: u64,
    /// Of about, shapes and loads.
    newest: (u64, u64, u64),
    draining: bool,
    /// Apart, because every beat and every heartbeat looks at what is above.
    pages: Box<Pages>,
}

/// The pages themselves.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Pages {
    about: Option<About>,
    shapes: Vec<Option<ShapePage>>,
    loads: Vec<Option<LoadPage>>,
    counts: Vec<Option<CountPage>>,
}

impl Record {
    /// The highest incarnation known; 0 for none.
    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// A higher incarnation is known to exist: what an earlier one said is gone.
    pub(crate) fn advance(&mut self, incarnation: u64) -> bool {
        if incarnation <= self.incarnation {
            return false;
        }
        *self = Record { incarnation, ..Record::default() };
        true
    }

    /// Takes a page in, if it is news. `strict` is the rule that incarnations order lives; a
    /// test may break it.
    pub(crate) fn merge(&mut self, page: Page, strict: bool) -> Merged {
        let stamp = page.stamp();
        if strict && stamp.incarnation < self.incarnation {
            return Merged::Older;
        }
        let reborn = strict && self.advance(stamp.incarnation);
        if !strict {
            self.incarnation = self.incarnation.max(stamp.incarnation);
        }
        match self.seq(page.spot()) {
            Some(held) if held == stamp.seq => return Merged::Same,
            Some(held) if held > stamp.seq => return Merged::Older,
            _ => {}
        }
        match page {
            Page::About(page) => {
                self.newest.0 = page.stamp.seq;
                self.draining = page.draining;
                self.pages.about = Some(page);
            }
            Page::Shape(page) => {
                self.newest.1 = self.newest.1.max(page.stamp.seq);
                put(&mut self.pages.shapes, page.page, page);
            }
            Page::Load(page) => {
                self.newest.2 = self.newest.2.max(page.stamp.seq);
                put(&mut self.pages.loads, page.page, page);
            }
            Page::Counts(page) => put(&mut self.pages.counts, page.page, page),
        }
        if reborn { Merged::Reborn } else { Merged::Newer }
    }

    /// The page at a spot.
    pub(crate) fn page(&self, spot: Spot) -> Option<Page> {
        match spot {
            Spot::About => self.pages.about.clone().map(Page::About),
            Spot::Shape(page) => taken(&self.pages.shapes, page).cloned().map(Page::Shape),
            Spot::Load(page) => taken(&self.pages.loads, page).cloned().map(Page::Load),
            Spot::Counts(page) => taken(&self.pages.counts, page).cloned().map(Page::Counts),
        }
    }

    /// The seq of the page at a spot.
    pub(crate) fn seq(&self, spot: Spot) -> Option<u64> {
        match spot {
            Spot::About => self.pages.about.as_ref().map(|page| page.stamp.seq),
            Spot::Shape(page) => taken(&self.pages.shapes, page).map(|page| page.stamp.seq),
            Spot::Load(page) => taken(&self.pages.loads, page).map(|page| page.stamp.seq),
            Spot::Counts(page) => taken(&self.pages.counts, page).map(|page| page.stamp.seq),
        }
    }

    /// Every spot that holds a page other sites may have: not the counts.
    pub(crate) fn spots(&self) -> impl Iterator<Item = Spot> + '_ {
        let about = self.pages.about.iter().map(|_| Spot::About);
        let shapes = self.shapes().map(|page| Spot::Shape(page.page));
        let loads = self.loads().map(|page| Spot::Load(page.page));
        about.chain(shapes).chain(loads)
    }

    pub(crate) fn about(&self) -> Option<&About> {
        self.pages.about.as_ref()
    }

    /// By the word of its about.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    pub(crate) fn shapes(&self) -> impl Iterator<Item = &ShapePage> {
        self.pages.shapes.iter().flatten()
    }

    pub(crate) fn loads(&self) -> impl Iterator<Item = &LoadPage> {
        self.pages.loads.iter().flatten()
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = &CountPage> {
        self.pages.counts.iter().flatten()
    }

    /// Newest seqs of about, shapes and loads, as a heartbeat tells them.
    pub(crate) fn newest(&self) -> (u64, u64, u64) {
        self.newest
    }

    /// Equal sums, equal pages, counts left out: they are too short-lived to be compared.
    pub(crate) fn sum(&self) -> u64 {
        let mut sum = 0;
        for spot in self.spots() {
            let (kind, page) = match spot {
                Spot::About => (1, 0),
                Spot::Shape(page) => (2, page),
                Spot::Load(page) => (3, page),
                Spot::Counts(page) => (4, page),
            };
            let seq = self.seq(spot).unwrap_or(0);
            sum ^= mix(mix(seq) ^ (kind << 8 | u64::from(page)));
        }
        sum
    }
}

fn put<T>(pages: &mut Vec<Option<T>>, number: u8, page: T) {
    let number = usize::from(number);
    if pages.len() <= number {
        pages.resize_with(number + 1, || None);
    }
    pages[number] = Some(page);
}

fn taken<T>(pages: &[Option<T>], number: u8) -> Option<&T> {
    pages.get(usize::from(number))?.as_ref()
}

#[cfg(test)]
mod tests;
