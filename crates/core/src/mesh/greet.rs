//! Links come up, greet and go; and which of two to keep.
//!
//! Both sides say hello at once. A second link of the same process is a duplicate: the one that
//! the lower identity dialled is kept, or else the newer; of a link that has stood for long, the newer
//! in any case. A hello of *another* process under an
//! identity that we have a link to is either a restart or an impostor: the process on the old
//! link is pinged. If it answers, the later is refused, and that is an alarm; if it is silent for
//! 0.8 s, it is gone and the later takes its place.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::Mesh;
use super::link::{LINKS_MAX, Link, Phase};
use super::message::{Hello, Message, SERVICES_MAX, ServiceName};
use super::own::INCARNATION_MAX;
use super::roster::{HOME, ME, is_name};
use super::terms::{
    Channel, CloseReason, DialId, Identity, LinkEnd, LinkId, Notice, Output, Purpose, RaiseReason,
    Refusal, Table,
};
use crate::id::PeerId;
use crate::time::Time;

/// For the other side's hello.
const HELLO_WITHIN: Duration = Duration::from_secs(3);
/// A process on an older link that does not answer for this long is gone.
const CONTENDING: Duration = Duration::from_millis(800);
/// And a round trip, but no more than this: one that was measured while a process stood still says
/// nothing of the way, and within [`DEAD`](super::detector::DEAD) it must be decided.
const ANSWER_MOST: Duration = Duration::from_millis(600);
/// A link is not one of two that were dialled at once when it is this old.
const SETTLED: Duration = Duration::from_secs(10);
/// So old at one end, it is settled at the other too.
const RENEWABLE: Duration = Duration::from_secs(15);
/// Data connections to one peer.
const DATA_MAX: usize = 4;

impl Mesh {
    pub(super) fn link_up(
        &mut self,
        now: Time,
        id: LinkId,
        identity: &Identity,
        remote: &str,
        purpose: Purpose,
        dial: Option<DialId>,
    ) {
        let newcomer = self.roster.find(identity).is_none() && !self.topology.knows(identity);
        self.topology.reached(now, dial, identity);
        if self.links.len() >= LINKS_MAX {
            self.table_full(now, Table::Links);
            return self.refuse_link(id, CloseReason::NoRoom);
        }
        if !is_name(&identity.site) || !is_name(&identity.node) {
            return self.refuse_link(id, CloseReason::Misspoken);
        }
        if self.leaving.is_some() {
            return self.refuse_link(id, CloseReason::Leaving);
        }
        if self.topology.is_withdrawn(identity) {
            return self.refuse_link(id, CloseReason::Unneeded);
        }
        let Some(peer) = self.admit(now, identity) else {
            return self.refuse_link(id, CloseReason::NoRoom);
        };
        if purpose == Purpose::Data {
            let full = self.roster.peer(peer).data.len() >= DATA_MAX;
            if peer == ME || full {
                let reason = if full { CloseReason::Duplicate } else { CloseReason::Oneself };
                return self.refuse_link(id, reason);
            }
            self.roster.peer_mut(peer).data.push(id);
            self.stale(self.site_of(peer));
        }
        let mut link = Link::new(peer, purpose, remote.to_string(), dial.is_some(), now);
        link.newcomer = newcomer;
        if dial.is_some() {
            self.roster.peer_mut(peer).particulars.reached = Some(remote.to_string());
        }
        self.links.insert(id, link);
        if purpose == Purpose::News {
            self.up.begins();
            self.greet(id);
        }
    }

    /// The node of that name, if there is room for it; a newcomer is introduced to others.
    pub(super) fn admit(&mut self, now: Time, identity: &Identity) -> Option<PeerId> {
        let before = self.roster.version;
        match self.roster.admit(identity, now) {
            Ok(peer) => {
                if self.roster.version != before {
                    for link in self.links.values_mut() {
                        link.theirs.forget(peer);
                        link.said = None;
                        link.told.owners.clear(peer.0);
                        link.told_hears = None;
                    }
                    self.disturbed(self.site_of(peer));
                }
                Some(peer)
            }
            Err(table) => {
                self.table_full(now, table);
                None
            }
        }
    }

    fn greet(&mut self, id: LinkId) {
        let peer = self.roster.peer(self.links[&id].peer);
        let services: Vec<ServiceName> = self
            .own
            .numbers
            .iter()
            .take(SERVICES_MAX)
            .map(|&number| ServiceName {
                number,
                name: self.roster.services[usize::from(number)].clone(),
            })
            .collect();
        let hello = Hello {
            site: self.me.site.clone(),
            node: self.me.node.clone(),
            process: self.process,
            incarnation: self.own.incarnation(),
            held: peer.record.incarnation().max(peer.buried).max(peer.left),
            dead: !peer.is_up(),
            known: self.topology.known(&self.roster),
            addresses: self.roster.peer(ME).addresses(),
            services,
        };
        let link = self.links.get_mut(&id).expect("was just inserted");
        for service in &hello.services {
            link.told.services.set(service.number);
        }
        self.say(Vec::from([id]), Channel::Stream, Message::Hello(hello));
    }

    pub(super) fn hear_hello(&mut self, now: Time, id: LinkId, hello: &Hello) {
        let link = &self.links[&id];
        let (peer, greeting) = (link.peer, link.phase == Phase::Greeting);
        let identity = self.roster.identity(peer);
        let fits = hello.site == identity.site && hello.node == identity.node;
        if !greeting || !fits || hello.incarnation > INCARNATION_MAX {
            self.refuse(now, peer, Refusal::NotItsToTell);
            return self.close(id, CloseReason::Misspoken);
        }
        if peer == ME {
            return self.meet_oneself(id, hello, identity);
        }
        for service in hello.services.iter().take(SERVICES_MAX) {
            self.hear_service_name(now, id, service);
        }
        let link = self.links.get_mut(&id).expect("looked up above");
        link.process = hello.process;
        link.heard_at = now;
        let Some(old) = self.roster.peer(peer).news else { return self.link_is_up(now, id, hello) };
        if self.links[&old].process == hello.process {
            let kept = if self.prefers(now, id, old) { id } else { old };
            let other = if kept == id { old } else { id };
            self.close(other, CloseReason::Duplicate);
            if kept == id {
                self.link_is_up(now, id, hello);
            }
            return;
        }
        let link = self.links.get_mut(&id).expect("looked up above");
        link.phase = Phase::Contending(Box::new(hello.clone()), now);
        // Whichever of the two it is: that site has said something.
        let site = self.site_of(peer);
        self.roster.sites[site.index()].heard_at = now;
        self.calm.disturb(site);
        self.challenge(old, id);
    }

    fn meet_oneself(&mut self, id: LinkId, hello: &Hello, identity: Identity) {
        if hello.process == self.process {
            let remote = self.links[&id].remote.clone();
            self.topology.is_oneself(&remote);
            return self.close(id, CloseReason::Oneself);
        }
        self.notice(Notice::IdentityConflict(identity));
        self.close(id, CloseReason::IdentityConflict);
    }

    /// Whether to keep link `new` rather than `old`, both to the same process. Who dials although an
    /// old one stands has lost it, or renews it; the two that dial at once are young.
    fn prefers(&self, now: Time, new: LinkId, old: LinkId) -> bool {
        if now.since(self.links[&old].since) >= SETTLED {
            return true;
        }
        let identity = self.roster.identity(self.links[&new].peer);
        let lower_is_us = self.me < identity;
        let by_lower = |id: LinkId| self.links[&id].ours == lower_is_us;
        by_lower(new) || !by_lower(old)
    }

    fn challenge(&mut self, old: LinkId, contender: LinkId) {
        let token = self.token(contender);
        self.say(Vec::from([old]), Channel::Datagram, Message::Ping { token });
    }

    /// Nobody but who was pinged on the old link can know it.
    fn token(&self, contender: LinkId) -> u64 {
        crate::rng::mix(self.process ^ contender.0)
    }

    /// The process on `id` has answered: whoever contends with it is the later.
    pub(super) fn hear_pong(&mut self, id: LinkId, token: u64) {
        let peer = self.links[&id].peer;
        let contender = self.links.iter().find(|(other, link)| {
            let contends = matches!(link.phase, Phase::Contending(..)) && link.peer == peer;
            contends && self.token(**other) == token
        });
        let Some((&contender, _)) = contender else { return };
        let identity = self.roster.identity(peer);
        self.notice(Notice::IdentityConflict(identity));
        self.close(contender, CloseReason::IdentityConflict);
    }

    /// Greetings that take too long, and contentions that can be decided.
    pub(super) fn review_links(&mut self, now: Time) {
        if self.up.are_all() {
            return;
        }
        let waiting = self.links.iter().filter(|(_, link)| link.phase != Phase::Up);
        let waiting: Vec<LinkId> =
            waiting.filter(|(_, link)| link.purpose == Purpose::News).map(|(id, _)| *id).collect();
        for id in waiting {
            let link = &self.links[&id];
            let (peer, since) = (link.peer, link.since);
            match link.phase.clone() {
                Phase::Greeting if now.since(since) > HELLO_WITHIN => {
                    self.close(id, CloseReason::Misspoken);
                }
                Phase::Greeting | Phase::Up => {}
                Phase::Contending(hello, since) => match self.roster.peer(peer).news {
                    Some(old)
                        if now.since(since)
                            < CONTENDING + self.links[&old].rtt.min(ANSWER_MOST) =>
                    {
                        self.challenge(old, id);
                    }
                    Some(old) => {
                        self.close(old, CloseReason::Duplicate);
                        self.link_is_up(now, id, &hello);
                    }
                    None => self.link_is_up(now, id, &hello),
                },
            }
        }
    }

    fn link_is_up(&mut self, now: Time, id: LinkId, hello: &Hello) {
        let link = self.links.get_mut(&id).expect("the caller has it");
        (link.phase, link.heard_at) = (Phase::Up, now);
        let (peer, since) = (link.peer, link.since);
        self.drop_tunnels_of_another(peer, hello.process, since);
        self.topology.accepted(now);
        self.roster.peer_mut(peer).news = Some(id);
        let site = self.site_of(peer);
        self.up.rises(id, peer, site);
        if site != HOME {
            self.calm.disturb(site);
            let ear = self.roster.sites[site.index()].listen(ME, peer, now);
            (ear.heard_at, ear.deaf) = (now, Duration::ZERO);
        }
        self.advance(now, peer, hello.incarnation);
        if hello.held > self.own.incarnation() {
            self.raise(now, hello.held, RaiseReason::Held);
        } else if hello.dead && hello.held == self.own.incarnation() {
            self.raise(now, hello.held, RaiseReason::CalledDead);
        }
        self.vouched(now, peer);
        self.welcome(now, id, hello);
        if self.links[&id].newcomer {
            self.newcomers.push(peer);
        }
    }

    /// A node that was started again carries nothing of what its process before carried, and has
    /// no word for that: where it is back before it was lost, nobody else ends those flows.
    fn drop_tunnels_of_another(&mut self, peer: PeerId, process: u64, since: Time) {
        let before = self.roster.peer_mut(peer).particulars.process.replace(process);
        if before.is_none_or(|before| before == process) {
            return;
        }
        // A younger one may be of the new process.
        self.drop_tunnels(peer, since);
    }

    /// A link is to be replaced: one of news by a new one, which is made before this one ends; one
    /// of data counts no more, and ends with its last tunnel.
    pub(super) fn renew(&mut self, now: Time, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let is_data = link.purpose == Purpose::Data;
        if link.renew || !(is_data || link.is_up() && now.since(link.since) >= RENEWABLE) {
            return;
        }
        link.renew = true;
        let peer = link.peer;
        self.up.renews(id);
        self.topology.changed();
        if is_data {
            self.roster.peer_mut(peer).data.retain(|data| *data != id);
            self.stale(self.site_of(peer));
        }
    }

    /// Ends the data connections of a node, of before `until`.
    pub(super) fn drop_tunnels(&mut self, peer: PeerId, until: Time) {
        let of_peer = self.links.iter().filter(|(_, link)| {
            link.purpose == Purpose::Data && link.peer == peer && link.since < until
        });
        let old: Vec<LinkId> = of_peer.map(|(id, _)| *id).collect();
        for id in old {
            self.close(id, CloseReason::Unneeded);
        }
    }

    pub(super) fn link_down(&mut self, now: Time, id: LinkId, cause: LinkEnd) {
        let Some(link) = self.links.remove(&id) else { return };
        if link.purpose == Purpose::News && cause == LinkEnd::Closed(CloseReason::IdentityConflict)
        {
            self.withdraw(now, link.peer);
        }
        self.unlink(id, &link);
    }

    /// Another process has our identity, and was first: we say nothing more, and ask the one who
    /// told us now and then whether that is still so.
    fn withdraw(&mut self, now: Time, by: PeerId) {
        self.notice(Notice::RefusedAsDouble);
        self.close_all(CloseReason::Unneeded);
        self.topology.refused(now, self.roster.identity(by));
    }

    fn unlink(&mut self, id: LinkId, link: &Link) {
        let peer = self.roster.peer_mut(link.peer);
        peer.data.retain(|data| *data != id);
        if peer.news == Some(id) {
            peer.news = None;
            self.topology.changed();
        }
        if link.purpose == Purpose::News {
            self.up.ends(id);
        }
        self.disturbed(self.site_of(link.peer));
    }

    pub(super) fn close(&mut self, link: LinkId, reason: CloseReason) {
        let Some(gone) = self.links.remove(&link) else { return };
        self.unlink(link, &gone);
        self.outputs.push_back(Output::Close { link, reason });
    }

    fn refuse_link(&mut self, link: LinkId, reason: CloseReason) {
        self.outputs.push_back(Output::Close { link, reason });
    }

    pub(super) fn path(&mut self, id: LinkId, rtt: Duration, lost: u64, sent: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.measured(rtt, lost, sent);
        let (peer, rtt) = (link.peer, link.rtt);
        let site = self.site_of(peer);
        if let Some(ear) = self.roster.sites[site.index()].ear_mut(ME, peer) {
            let moved = ear.rtt.as_millis() != rtt.as_millis();
            ear.rtt = rtt;
            if moved {
                self.stale(site);
            }
        }
    }

    /// Where others were reached, for those who ask.
    pub(super) fn address_of(&self, peer: PeerId) -> Vec<String> {
        self.roster.peer(peer).addresses()
    }
}
