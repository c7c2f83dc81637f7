//! The links that messages go by: whom each leads to, without a look at the link itself.
//!
//! A link is some hundred bytes, and a node has as many as there are sites, or more. Whoever
//! wants to know which of them lead where reads this list instead.

use alloc::vec::Vec;

use super::roster::HOME;
use super::terms::LinkId;
use crate::id::{PeerId, SiteId};

/// A link that is up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Up {
    pub(super) link: LinkId,
    pub(super) peer: PeerId,
    pub(super) site: SiteId,
    /// Another one shall take its place.
    pub(super) renew: bool,
}

/// All of them, by their numbers.
#[derive(Debug, Default)]
pub(super) struct UpLinks {
    all: Vec<Up>,
    /// Links of news, those that greet among them.
    news: usize,
}

impl UpLinks {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Up> {
        self.all.iter()
    }

    pub(super) fn siblings(&self) -> impl Iterator<Item = &Up> {
        self.iter().filter(|up| up.site == HOME)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Every link of news is up.
    pub(super) fn are_all(&self) -> bool {
        self.all.len() == self.news
    }

    /// There is one more link of news, which has yet to greet.
    pub(super) fn begins(&mut self) {
        self.news += 1;
    }

    /// And it has.
    pub(super) fn rises(&mut self, link: LinkId, peer: PeerId, site: SiteId) {
        if let Err(at) = self.all.binary_search_by_key(&link, |up| up.link) {
            self.all.insert(at, Up { link, peer, site, renew: false });
        }
    }

    pub(super) fn renews(&mut self, link: LinkId) {
        if let Ok(at) = self.all.binary_search_by_key(&link, |up| up.link) {
            self.all[at].renew = true;
        }
    }

    /// A link of news is no more.
    pub(super) fn ends(&mut self, link: LinkId) {
        self.news -= 1;
        if let Ok(at) = self.all.binary_search_by_key(&link, |up| up.link) {
            self.all.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_order_of_their_numbers_whenever_they_rose() {
        let mut up = UpLinks::default();
        for link in [7, 3, 5] {
            up.begins();
            assert!(!up.are_all());
            up.rises(LinkId(link), PeerId(link as u16), SiteId(u16::from(link != 5)));
        }
        let numbers = |up: &UpLinks| up.iter().map(|up| up.link.0).collect::<Vec<_>>();
        assert!(up.are_all() && numbers(&up) == [3, 5, 7]);
        assert_eq!(up.siblings().map(|up| up.peer).collect::<Vec<_>>(), [PeerId(5)]);
        up.begins();
        up.ends(LinkId(9));
        assert!(up.are_all(), "one that never rose");
        up.ends(LinkId(3));
        assert!(up.are_all() && numbers(&up) == [5, 7]);
    }
}
