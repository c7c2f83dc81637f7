//! When is a site held dead? Witnesses are asked, and a verdict takes what it takes.

use alloc::vec::Vec;
use core::time::Duration;

use super::Mesh;
use super::detector::{
    ASK_EVERY, DEAD, DEAD_UNWITNESSED, HEARD, Hearing, Inquest, VOTE_HOLDS, WITNESSES_MAX,
};
use super::message::{Doubt, Held, Message};
use super::own::JUMP_MAX;
use super::roster::HOME;
use super::terms::{Channel, Reason};
use crate::id::{PeerId, SiteId};
use crate::rng::mix;
use crate::time::Time;

/// For so long a site that is known by name alone may be the witness whom there is to ask: then it
/// would have spoken.
const NAMED: Duration = Duration::from_secs(60);

impl Mesh {
    /// Asks witnesses about a suspect, and the suspect itself, through our own links.
    pub(super) fn inquire(&mut self, now: Time, site: SiteId) {
        let s = &mut self.roster.sites[site.index()];
        if now < s.asked_at + ASK_EVERY {
            return;
        }
        s.asked_at = now;
        let witnesses = self.witnesses(site);
        let asked = self.up_links(|site| witnesses.contains(&site));
        self.say(asked, Channel::Datagram, Message::WitnessAsk { site: site.0 });
        for link in self.up_links(|there| there == site) {
            let incarnation = self.roster.peer(self.links[&link].peer).record.incarnation();
            let held = Message::Held(Held { incarnation, doubt: Doubt::Suspect });
            self.say(Vec::from([link]), Channel::Datagram, held);
        }
    }

    /// The sites whose word counts: the same for all nodes of our site. Those that we hear come
    /// first; where there are too few of them, silent ones count against the verdict.
    fn witnesses(&self, suspect: SiteId) -> Vec<SiteId> {
        let salt = self.roster.site(suspect).hash;
        let others = self.roster.site_ids().skip(1).filter(|&site| site != suspect);
        let mut others: Vec<(bool, u64, SiteId)> = others
            .filter(|&site| self.roster.site(site).is_member())
            .map(|site| {
                let silent = self.roster.site(site).hearing.least >= HEARD;
                (silent, mix(salt ^ self.roster.site(site).hash), site)
            })
            .collect();
        others.sort_unstable();
        others.into_iter().take(WITNESSES_MAX).map(|(_, _, site)| site).collect()
    }

    /// Dead, if everything that it takes is there.
    pub(super) fn sentence(&mut self, now: Time, site: SiteId, hearing: &Hearing) {
        // A process that begins a link in one of its nodes' names is a word from it too.
        let quiet = self.silence(self.roster.site(site).heard_at, now);
        if !hearing.all_silent() || quiet < DEAD {
            return;
        }
        let doubted = core::mem::take(&mut self.roster.sites[site.index()].doubted);
        if !doubted.is_empty() {
            return self.bury(now, site, &doubted, Reason::ToldBySibling);
        }
        let named = quiet < NAMED && self.is_another_named(site);
        let alone = self.others(now).1 <= 1 && !named;
        let reason = if alone { Reason::Unwitnessed } else { Reason::Witnessed };
        let gone = if alone {
            hearing.least.min(quiet) >= DEAD_UNWITNESSED
        } else {
            let fit = self.is_fit(now);
            let agreed = !self.rules.witnesses || self.inquest(now, site).agrees();
            fit && agreed
        };
        if !gone {
            return;
        }
        let nodes = self.roster.site(site).nodes.clone();
        let graves: Vec<(PeerId, u64)> =
            nodes.iter().map(|&peer| (peer, self.roster.peer(peer).record.incarnation())).collect();
        self.bury(now, site, &graves, reason);
        let siblings = self.up_links(|site| site == HOME);
        self.tell_verdict(siblings, site);
    }

    /// Whether this node's word on others counts: it hears half of them, and has for as long as a
    /// verdict takes. Where a cut has just healed, they are not silent but late.
    pub(super) fn is_fit(&self, now: Time) -> bool {
        !self.rules.isolation || !self.isolated && now.since(self.rejoined_at) >= DEAD
    }

    /// A third site is known by name and has not been heard yet: a witness whom we have not met.
    fn is_another_named(&self, suspect: SiteId) -> bool {
        let suspect = &self.roster.site(suspect).name;
        let introduced = self.topology.introduced.keys().map(|identity| &identity.site);
        let unmet = self.roster.sites.iter().filter(|site| !site.met && !site.dead);
        let mut named = introduced.chain(unmet.map(|site| &site.name));
        named.any(|name| *name != self.me.site && name != suspect)
    }

    fn inquest(&self, now: Time, suspect: SiteId) -> Inquest {
        let votes = &self.roster.site(suspect).votes;
        let witnesses = self.witnesses(suspect);
        let mut inquest = Inquest { witnesses: witnesses.len() as u32, ..Inquest::default() };
        for ballot in witnesses.iter().filter_map(|witness| votes.get(witness)) {
            let Some(heard_at) = ballot.heard_at else { continue };
            let fresh = now.since(ballot.at) < VOTE_HOLDS;
            // A witness that has heard it is silent later, not of another mind.
            let agrees = ballot.at.since(heard_at) >= HEARD;
            inquest.heard += u32::from(now.since(heard_at) < HEARD);
            inquest.agree += u32::from(fresh && agrees);
        }
        inquest
    }

    /// These nodes are dead, each in that incarnation and those before.
    pub(super) fn bury(
        &mut self,
        now: Time,
        site: SiteId,
        graves: &[(PeerId, u64)],
        reason: Reason,
    ) {
        for &(peer, incarnation) in graves {
            let p = self.roster.peer_mut(peer);
            let most = p.record.incarnation().saturating_add(JUMP_MAX);
            p.buried = p.buried.max(incarnation.min(most));
        }
        self.calm.disturb(site);
        self.calm.disturb_nodes();
        self.close_over(now, site, reason);
    }

    /// All nodes of that site may have left.
    pub(super) fn all_left(&mut self, now: Time, site: SiteId) {
        if site != HOME {
            self.close_over(now, site, Reason::Left);
        }
    }

    fn close_over(&mut self, now: Time, site: SiteId, reason: Reason) {
        let s = self.roster.site(site);
        if s.standing.is_none() || s.dead || self.is_seen(site) {
            return;
        }
        let s = &mut self.roster.sites[site.index()];
        s.dead = true;
        s.votes.clear();
        self.stand(now, site, reason);
    }
}
