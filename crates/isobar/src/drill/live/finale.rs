//! What is known when a live run is over.

use isobar_sim::rehearsal::{CrowdFinale, Finale, SiteFinale};

use super::ledger::{Books, Card, Connect, Loss, Mood};
use super::stage::Live;

impl Live {
    /// Sums it up, as of now.
    pub(super) fn finale(&self) -> Finale {
        let books = self.ledger.copy();
        let sites = self.drill.topology.sites.len();
        let mut finale = Finale {
            sites: (0..sites).map(|_| site(sites)).collect(),
            detections: self.beliefs.detections().to_vec(),
            ..Finale::default()
        };
        (finale.findings, finale.found) = self.beliefs.findings();
        let now = std::time::Instant::now();
        for loss in &books.losses {
            let card = &books.cards[loss.client];
            if !card.rejected {
                add(&mut finale.sites[usize::from(card.home)], card, loss, now);
            }
        }
        for Connect { home, affected, time } in books.connects.iter().copied() {
            let site = &mut finale.sites[usize::from(home)];
            let crowd = if affected { &mut site.affected } else { &mut site.unaffected };
            crowd.connect.add(time);
        }
        for card in books.cards.iter().filter(|card| was_never_served(&books, card)) {
            let crowd = crowd(&mut finale.sites[usize::from(card.home)], card);
            *crowd.never_served.entry(card.last_try.word().to_owned()).or_default() += 1;
        }
        finale
    }
}

fn site(sites: usize) -> SiteFinale {
    SiteFinale { went: vec![0; sites], ..SiteFinale::default() }
}

fn crowd<'a>(site: &'a mut SiteFinale, card: &Card) -> &'a mut CrowdFinale {
    if card.affected { &mut site.affected } else { &mut site.unaffected }
}

fn add(site: &mut SiteFinale, card: &Card, loss: &Loss, now: std::time::Instant) {
    let Loss { lost, noticed, again, .. } = *loss;
    if let Some((_, _, by)) = again {
        site.went[usize::from(by)] += 1;
    }
    let times = crowd(site, card);
    // Who was never served again counts to the end.
    let served = again.map_or(now, |(_, connack, _)| connack);
    // Who left before it noticed has lost nothing.
    if noticed.is_some() || card.lost.is_some() {
        times.outage.add(served.saturating_duration_since(lost));
    }
    let Some(noticed) = noticed else { return };
    times.notice.add(noticed.saturating_duration_since(lost));
    times.reconnect.add(served.saturating_duration_since(noticed));
    if let Some((syn, connack, _)) = again {
        times.search.add(syn.saturating_duration_since(noticed));
        times.admit.add(connack.saturating_duration_since(syn));
    }
}

/// It wanted a connection after the first fault, and never had one again.
fn was_never_served(books: &Books, card: &Card) -> bool {
    let wants = match card.mood {
        Mood::Wants => true,
        Mood::Served(..) => card.lost.is_some(),
        Mood::Away => false,
    };
    books.has_struck && wants && !card.served_since && !card.rejected
}
