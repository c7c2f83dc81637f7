//! What do we know of the other nodes and sites, and what do we tell them?
//!
//! One machine a node. It is told of links, of what was heard on them and of what its own pools
//! carry; it says what to send and whom to dial, and publishes an
//! [`Outlook`]. It works in beats of 50 ms: what is due is said and judged then, so that much
//! goes in few packets. Nothing here knows addresses' meaning, sockets or bytes.
//!
//! Read on: `greet` (links come and go, two processes with one identity), `hear` (what messages
//! do), `talk` (what is said when), `detector`, `standing` and `verdict` (is a site gone?), `topology`
//! (whom to dial), `view` (what services read), `entrance` (where clients may be told to go), `siblings` (what the nodes of a site share),
//! `digest` (why order does not matter).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use self::calm::Calm;
use self::detector::HEARD;
use self::dialing::Topology;
use self::digest::Spot;
use self::link::Link;
use self::message::{Message, Places};
use self::own::Own;
use self::roster::{HOME, ME, Roster};
use self::talk::Relay;
use self::up::UpLinks;
use crate::id::{PeerId, SiteId};
use crate::outlook::Outlook;
use crate::rng::Rng;
use crate::share::Sibling;
use crate::time::Time;

mod calm;
pub mod detector;
mod dialing;
mod digest;
mod entrance;
mod greet;
mod hear;
mod link;
mod local;
pub mod message;
mod names;
mod own;
mod report;
mod roster;
mod say;
mod siblings;
mod site;
mod standing;
mod sync;
mod talk;
mod terms;
mod topology;
mod up;
mod verdict;
mod view;

pub use self::link::LINKS_MAX;
pub use self::local::{BrokerKey, Local, LocalBroker, LocalService};
pub use self::report::{Held, LinkReport, MeshReport, PeerReport, SiteReport};
pub use self::roster::{PEERS_MAX, SERVICE_NAMES_MAX, SITES_MAX};
pub use self::siblings::{By, Taken};
pub use self::terms::{
    Channel, CloseReason, DialId, Identity, Input, LinkEnd, LinkId, MeshPolicy, MeshRules, Notice,
    Output, Purpose, RaiseReason, Reason, Refusal, Table,
};

/// Between beats.
const BEAT: Duration = Duration::from_millis(50);
/// A beat this late means that this process was stopped: silence until now proves nothing.
const STALLED: Duration = Duration::from_millis(400);
/// A node does not raise its incarnation more often, whatever it is told.
const RAISE_EVERY: Duration = Duration::from_millis(500);
/// The same trouble is not told more often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// From saying that we leave to closing the links.
const FAREWELL: Duration = Duration::from_millis(300);

/// This node's part in the mesh.
#[derive(Debug)]
pub struct Mesh {
    me: Identity,
    process: u64,
    rules: MeshRules,
    rng: Rng,
    own: Own,
    roster: Roster,
    links: BTreeMap<LinkId, Link>,
    up: UpLinks,
    calm: Calm,
    topology: Topology,
    relay: Relay,
    outputs: VecDeque<Output>,
    /// Of the input that is being handled.
    now: Time,
    next_beat: Time,
    beats: u64,
    /// Since when this process has been running without a stop.
    awake_at: Time,
    /// When it last went on after it had been stopped.
    woken_at: Option<Time>,
    raised_at: Option<Time>,
    isolated: bool,
    /// When it last heard half of the others again.
    rejoined_at: Time,
    leaving: Option<Time>,
    /// Whom to introduce to others at the next beat.
    newcomers: Vec<PeerId>,
    compare_at: Time,
    outlook: Outlook,
    outlook_stale: bool,
    /// Candidates have changed since the last publication.
    outlook_changed: Option<view::Change>,
    published_at: Time,
    siblings: Vec<Sibling>,
    siblings_stale: bool,
    tables_told: [Option<Time>; 5],
}

impl Mesh {
    /// Begins at `now`. Nothing is said or dialled before the first `handle`.
    pub fn new(policy: &MeshPolicy, now: Time) -> Mesh {
        let mut rng = Rng::new(policy.seed);
        let process = rng.draw();
        let own = Own::new(policy.incarnation, rng.draw(), policy.advertise.clone());
        let phase = Duration::from_micros(u64::from(rng.below(50_000)));
        let mut mesh = Mesh {
            me: policy.me.clone(),
            process,
            rules: policy.rules,
            own,
            roster: Roster::new(&policy.me),
            links: BTreeMap::new(),
            up: UpLinks::default(),
            calm: Calm::default(),
            topology: Topology::new(policy, now),
            relay: Relay::default(),
            outputs: VecDeque::new(),
            now,
            next_beat: now + phase,
            beats: u64::from(rng.below(4)),
            awake_at: now,
            woken_at: None,
            raised_at: None,
            isolated: false,
            rejoined_at: Time::ZERO,
            leaving: None,
            newcomers: Vec::new(),
            compare_at: now + Duration::from_secs(5),
            outlook: Outlook::default(),
            outlook_stale: true,
            outlook_changed: None,
            published_at: now,
            siblings: Vec::new(),
            siblings_stale: true,
            tables_told: [None; 5],
            rng,
        };
        mesh.state(now);
        mesh
    }

    /// Takes one fact in. All outputs are to be drained before the next.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = now;
        if self.next_beat <= now {
            self.beat(now);
        }
        match input {
            Input::Tick => {}
            Input::LinkUp { link, peer, remote, purpose, dial } => {
                self.link_up(now, link, peer, remote, purpose, dial);
            }
            Input::LinkDown { link, cause } => self.link_down(now, link, cause),
            Input::Renew { link } => self.renew(now, link),
            Input::JoinMoved { join } => self.topology.join_moved(now, join),
            Input::DialFailed { dial } => {
                let speaks = |up: &up::Up| self.silence(self.links[&up.link].heard_at, now) < HEARD;
                let alone = !self.up.iter().any(|up| up.site != HOME && speaks(up));
                self.topology.failed(now, dial, alone, &mut self.rng);
            }
            Input::Heard { link, message } => self.heard(now, link, message),
            Input::Path { link, rtt, lost, sent } => self.path(link, rtt, lost, sent),
            Input::Local(local) => self.local(now, local),
            Input::AskPlaces { peer, broker, n } => {
                self.say_places(peer, Message::PlacesAsk(Places { broker: broker.0, n }));
            }
            Input::GivePlaces { peer, broker, n } => {
                self.say_places(peer, Message::PlacesGive(Places { broker: broker.0, n }));
            }
            Input::Taken(taken) => self.tell_taken(taken),
            Input::Leave => self.leave(now),
        }
    }

    /// The next effect, if there is one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle` with [`Input::Tick`], if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        Some(self.next_beat)
    }

    /// Who this node is.
    pub fn me(&self) -> &Identity {
        &self.me
    }

    /// The incarnation it speaks in.
    pub fn incarnation(&self) -> u64 {
        self.own.incarnation()
    }

    fn beat(&mut self, now: Time) {
        if now.since(self.next_beat) >= STALLED {
            (self.awake_at, self.woken_at) = (now, Some(now));
        }
        // Beats that were missed are not made up for.
        let missed = now.since(self.next_beat).as_nanos() / BEAT.as_nanos();
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.next_beat = self.next_beat + BEAT.saturating_mul(missed) + BEAT;
        self.beats += 1;
        if let Some(at) = self.leaving {
            if now >= at {
                self.close_all(CloseReason::Leaving);
            }
            return;
        }
        self.review_links(now);
        self.state(now);
        self.judge(now);
        self.talk(now);
        self.review_topology(now);
        self.compare(now);
        self.publish(now);
    }

    fn local(&mut self, now: Time, local: &Local) {
        for service in local.services.iter().skip(self.own.numbers.len()) {
            match self.roster.admit_service(&service.name, true) {
                Ok(number) => self.own.numbers.push(number),
                Err(table) => return self.table_full(now, table),
            }
            self.roster.site_ids().for_each(|site| self.stale(site));
        }
        self.own.local_mut().clone_from(local);
        self.siblings_stale = true;
    }

    /// Writes down what is new of ourselves, to be said at the next beat.
    fn state(&mut self, now: Time) {
        let record = &mut self.roster.peer_mut(ME).record;
        let mut told = false;
        for spot in self.own.state(now, record) {
            told |= !matches!(spot, Spot::Counts(_));
            self.relay.own(spot);
        }
        if told {
            self.stale(HOME);
        }
        self.relay.urgent |= core::mem::take(&mut self.own.urgent);
    }

    fn raise(&mut self, now: Time, held: u64, why: RaiseReason) {
        let soon = self.raised_at.is_some_and(|at| now < at + RAISE_EVERY);
        if !self.rules.incarnations || soon {
            return;
        }
        self.raised_at = Some(now);
        if !self.own.raise(held) {
            self.notice(Notice::JumpClamped { said: held });
        }
        let incarnation = self.own.incarnation();
        self.notice(Notice::Raised { incarnation, why });
        self.roster.peer_mut(ME).record.advance(incarnation);
        self.state(now);
        self.heartbeat_everyone(now);
    }

    fn leave(&mut self, now: Time) {
        if self.leaving.is_some() {
            return;
        }
        self.leaving = Some(now + FAREWELL);
        let incarnation = self.own.incarnation();
        let leave = Message::Leave { owner: ME.0, incarnation };
        let everyone = self.up_links(|_| true);
        self.say(everyone, Channel::Stream, leave);
    }

    fn close_all(&mut self, reason: CloseReason) {
        let open: Vec<LinkId> = self.links.keys().copied().collect();
        for link in open {
            self.close(link, reason);
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    fn table_full(&mut self, now: Time, table: Table) {
        let told = &mut self.tables_told[table as usize];
        if told.is_none_or(|at| now.since(at) >= TELL_EVERY) {
            *told = Some(now);
            self.notice(Notice::TableFull(table));
        }
    }

    /// Something a peer said is not taken: counted, and told now and then.
    fn refuse(&mut self, now: Time, peer: PeerId, why: Refusal) {
        let p = &mut self.roster.peer_mut(peer).particulars;
        p.refused += 1;
        if p.refused_at.is_none_or(|at| now.since(at) >= TELL_EVERY) {
            p.refused_at = Some(now);
            self.notice(Notice::NewsRefused(peer, why));
        }
    }

    /// Links on which messages are exchanged, to the sites asked for.
    fn up_links(&self, wanted: impl Fn(SiteId) -> bool) -> Vec<LinkId> {
        self.up.iter().filter(|up| wanted(up.site)).map(|up| up.link).collect()
    }

    /// What is published of that site is to be looked at again.
    fn stale(&mut self, site: SiteId) {
        self.roster.sites[site.index()].stale = true;
        self.outlook_stale = true;
    }

    /// And so is what we hold of it.
    fn disturbed(&mut self, site: SiteId) {
        self.stale(site);
        self.calm.disturb(site);
    }

    fn site_of(&self, peer: PeerId) -> SiteId {
        self.roster.peer(peer).site
    }

    fn is_sibling(&self, peer: PeerId) -> bool {
        peer != ME && self.site_of(peer) == HOME
    }

    /// Silence since `heard_at`, as far as we were awake to hear.
    fn silence(&self, heard_at: Time, now: Time) -> Duration {
        now.since(heard_at.max(self.awake_at))
    }
}

#[cfg(test)]
mod tests;
