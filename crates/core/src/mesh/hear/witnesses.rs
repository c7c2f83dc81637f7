//! What others say of a site: how long ago they heard it, and that it is dead.

use alloc::vec::Vec;
use core::time::Duration;

use super::super::message::{Doubt, Ears, Held, Message, NODES_MAX, Verdict, Vote};
use super::super::roster::{HOME, ME};
use super::super::site::Ballot;
use super::super::terms::{Channel, LinkId, RaiseReason, Refusal};
use super::super::{Mesh, Reason};
use super::OLD_NEWS;
use crate::id::PeerId;
use crate::time::Time;

impl Mesh {
    pub(super) fn hear_question(&mut self, now: Time, id: LinkId, site: u16) {
        let Some(&site) = self.links[&id].theirs.sites.get(&site) else { return };
        // Who is cut off himself has nothing to say of others.
        let silence = self.heard_ago(now, site).filter(|_| self.is_fit(now));
        let silence = silence.map(|d| u32::try_from(d.as_millis()).unwrap_or(u32::MAX));
        let vote = Vote { site: site.0, witness: HOME.0, silence };
        self.say(Vec::from([id]), Channel::Datagram, Message::Vote(vote));
    }

    pub(super) fn hear_vote(&mut self, now: Time, id: LinkId, vote: &Vote) {
        let link = &self.links[&id];
        let from = self.site_of(link.peer);
        let sites = &link.theirs.sites;
        let (Some(&site), Some(&witness)) = (sites.get(&vote.site), sites.get(&vote.witness))
        else {
            return;
        };
        if witness == HOME || site == HOME || (witness != from && from != HOME) {
            return;
        }
        let silence = vote.silence.map(|ms| Duration::from_millis(u64::from(ms)));
        let ballot = Ballot { at: now, heard_at: silence.map(|silence| now - silence) };
        self.roster.sites[site.index()].votes.insert(witness, ballot);
        self.calm.disturb(site);
        if from != HOME {
            let vote = Vote { site: site.0, witness: witness.0, silence: vote.silence };
            let siblings = self.up_links(|site| site == HOME);
            self.say(siblings, Channel::Datagram, Message::Vote(vote));
        }
    }

    pub(super) fn hear_ears(&mut self, now: Time, id: LinkId, ears: &Ears) {
        let by = self.links[&id].peer;
        if !self.is_sibling(by) {
            return self.refuse(now, by, Refusal::NotItsToTell);
        }
        for told in &ears.ears {
            let Some(&of) = self.links[&id].theirs.owners.get(&told.owner) else { continue };
            let site = self.site_of(of);
            if site == HOME || of == ME {
                continue;
            }
            let mask = self.translated(id, site, told.hears);
            if told.silence != 0 || told.deaf != 0 || !self.roster.peer(by).living {
                self.calm.disturb(site);
            }
            let ms = |ms: u16| Duration::from_millis(u64::from(ms));
            let ear = self.roster.sites[site.index()].listen(by, of, now);
            ear.well = told.silence == 0;
            ear.heard_at = now - ms(told.silence);
            ear.told_at = now;
            (ear.deaf, ear.rtt, ear.mask) = (ms(told.deaf), ms(told.rtt), mask);
            if told.silence == 0 {
                self.vouched(now, of);
                self.vouch_for(now, site, mask);
                let site = &mut self.roster.sites[site.index()];
                site.heard_at = now;
                site.doubted.clear();
            }
        }
    }

    pub(super) fn hear_verdict(&mut self, now: Time, id: LinkId, verdict: &Verdict) {
        let link = &self.links[&id];
        let (from, theirs) = (link.peer, &link.theirs);
        let Some(&site) = theirs.sites.get(&verdict.site) else { return };
        let graves: Vec<(PeerId, u64)> = verdict
            .graves
            .iter()
            .take(NODES_MAX)
            .filter_map(|grave| Some((*theirs.owners.get(&grave.owner)?, grave.incarnation)))
            .filter(|(peer, _)| self.site_of(*peer) == site)
            .collect();
        if site == HOME {
            return self.hear_own_verdict(now, from, &graves);
        }
        if !self.is_sibling(from) {
            return self.refuse(now, from, Refusal::NotItsToTell);
        }
        // What waited while we were stopped may be of long ago, and the site back since.
        if self.woken_at.is_some_and(|at| now < at + OLD_NEWS) {
            self.roster.sites[site.index()].doubted = graves;
            return;
        }
        self.bury(now, site, &graves, Reason::ToldBySibling);
    }

    /// Someone holds nodes of our site dead: those that live begin a new life, and siblings that
    /// nobody tells are told by us.
    fn hear_own_verdict(&mut self, now: Time, from: PeerId, graves: &[(PeerId, u64)]) {
        for &(peer, incarnation) in graves {
            if peer == ME && incarnation >= self.own.incarnation() {
                self.raise(now, incarnation, RaiseReason::CalledDead);
            }
        }
        if self.is_sibling(from) {
            return;
        }
        let living = graves.iter().filter(|(peer, incarnation)| {
            let p = self.roster.peer(*peer);
            *peer != ME && p.record.incarnation() <= *incarnation
        });
        let living: Vec<(PeerId, u64)> = living.copied().collect();
        for (peer, incarnation) in living {
            let Some(link) = self.roster.peer(peer).news else { continue };
            let held = Message::Held(Held { incarnation, doubt: Doubt::Dead });
            self.say(Vec::from([link]), Channel::Datagram, held);
        }
    }
}
