//! One machine, spoken to by hand: whose word it takes, and what it makes of nonsense.

use std::format;
use std::string::ToString;

use alloc::string::String;

use super::message::{
    About, Ear, Ears, Grave, Have, Heartbeat, Hello, Introduction, LoadPage, Message, Names, Offer,
    OwnerName, Peers, Places, ServiceLoad, ServiceName, SiteName, Stamp, Verdict, Vote, Want,
};
use super::*;
use crate::id::{BrokerId, ClientKey};
use crate::outlook::Standing;

extern crate std;

mod entrances;
mod joins;
mod nonsense;
mod restarts;
mod siblings;
mod verdicts;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn id(site: &str, node: &str) -> Identity {
    Identity { site: site.to_string(), node: node.to_string() }
}

/// A node `home/a` and what it did.
struct Node {
    mesh: Mesh,
    now: Time,
    sent: Vec<(Vec<LinkId>, Message)>,
    closed: Vec<CloseReason>,
    notices: Vec<Notice>,
    dials: usize,
    /// Those of them that have come to nothing yet.
    tries: Vec<DialId>,
    siblings: Vec<Sibling>,
    asked: Vec<(PeerId, BrokerId, u32)>,
    given: Vec<(PeerId, BrokerId, u32)>,
    taken: Vec<Taken>,
    outlook: Outlook,
}

impl Node {
    fn new(change: impl FnOnce(&mut MeshPolicy)) -> Node {
        let mut policy = MeshPolicy {
            me: id("home", "a"),
            advertise: Vec::from(["a:1".to_string()]),
            join: Vec::new(),
            known: Vec::new(),
            incarnation: 1_000,
            seed: 1,
            rules: MeshRules::default(),
        };
        change(&mut policy);
        let mesh = Mesh::new(&policy, Time::ZERO);
        let mut node = Node {
            mesh,
            now: Time::ZERO,
            sent: Vec::new(),
            closed: Vec::new(),
            notices: Vec::new(),
            dials: 0,
            tries: Vec::new(),
            siblings: Vec::new(),
            asked: Vec::new(),
            given: Vec::new(),
            taken: Vec::new(),
            outlook: Outlook::default(),
        };
        let mqtt = LocalService { name: "mqtt".to_string(), ..LocalService::default() };
        let broker = |key| LocalBroker {
            key: BrokerKey(key),
            capacity: None,
            state: message::BrokerSeen::Up,
            flows: 0,
            share: 0,
        };
        let brokers = Vec::from([broker(10), broker(11)]);
        let local = Local { brokers, services: Vec::from([mqtt]), ..Local::default() };
        node.feed(Input::Local(&local));
        node
    }

    fn feed(&mut self, input: Input<'_>) {
        self.mesh.handle(self.now, input);
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::Send { to, message, .. } => self.sent.push((to, message)),
                Output::Close { reason, .. } => self.closed.push(reason),
                Output::Notice(notice) => self.notices.push(notice),
                Output::Dial { dial, .. } => {
                    self.dials += 1;
                    self.tries.push(dial);
                }
                Output::Siblings(siblings) => self.siblings = siblings,
                Output::Publish(outlook) => self.outlook = outlook,
                Output::PlacesAsked { peer, broker, n } => self.asked.push((peer, broker, n)),
                Output::PlacesGiven { peer, broker, n } => self.given.push((peer, broker, n)),
                Output::Taken(taken) => self.taken.extend(taken),
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.mesh.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.feed(Input::Tick);
        }
        self.now = end;
    }

    fn hears(&mut self, link: u64, message: &Message) {
        self.feed(Input::Heard { link: LinkId(link), message });
    }

    /// A link to that node on which both have greeted; its owner number there is 0, its site's
    /// too, and service 0 is `mqtt`.
    fn meets(&mut self, link: u64, site: &str, node: &str) {
        let peer = id(site, node);
        let (remote, purpose) = ("far:1", Purpose::News);
        self.feed(Input::LinkUp { link: LinkId(link), peer: &peer, remote, purpose, dial: None });
        self.hears(link, &Message::Hello(hello(&peer, link)));
        let names = Names {
            sites: Vec::from([SiteName { number: 0, name: site.to_string() }]),
            owners: Vec::from([named(0, 0, 0, node)]),
            services: Vec::new(),
        };
        self.hears(link, &Message::Names(names));
    }

    fn held(&self, site: &str, node: &str) -> Option<Held> {
        self.mesh.find(&id(site, node)).map(|peer| self.mesh.held(peer))
    }

    fn refusals(&self) -> u64 {
        self.mesh.report(self.now).peers.iter().map(|peer| peer.refused).sum()
    }
}

fn hello(peer: &Identity, process: u64) -> Hello {
    Hello {
        site: peer.site.clone(),
        node: peer.node.clone(),
        process,
        incarnation: 50,
        held: 0,
        dead: false,
        known: 0,
        addresses: Vec::new(),
        services: Vec::from([ServiceName { number: 0, name: "mqtt".to_string() }]),
    }
}

fn named(number: u16, site: u16, slot: u8, node: &str) -> OwnerName {
    OwnerName { number, site, slot, node: node.to_string() }
}

fn load(owner: u16, incarnation: u64, seq: u64, flows: u32) -> Message {
    let service = ServiceLoad { service: 0, flows, room: 10, admit_per_second: 5 };
    let stamp = Stamp { incarnation, seq };
    Message::Load(Vec::from([LoadPage { owner, stamp, page: 0, services: Vec::from([service]) }]))
}

/// Names a third site's node `far/x` as owner 9.
fn third() -> Message {
    Message::Names(Names {
        sites: Vec::from([SiteName { number: 7, name: "far".to_string() }]),
        owners: Vec::from([named(9, 7, 0, "x")]),
        services: Vec::new(),
    })
}

#[test]
fn a_site_speaks_for_itself_and_for_no_other() {
    let mut node = Node::new(|_| {});
    node.meets(1, "far", "x");
    node.meets(2, "near", "b");
    node.hears(1, &load(0, 50, 1, 3));
    node.hears(2, &third());
    node.hears(2, &load(9, 50, 2, 99));
    assert_eq!(node.held("far", "x").unwrap().seq, 1);
    assert_eq!(node.refusals(), 1, "naming it is refused; what is not named is skipped");
    // Its own site it may speak of: of nodes that we have no link to.
    let own = OwnerName { number: 3, site: 0, slot: 1, node: "c".to_string() };
    node.hears(2, &Message::Names(Names { owners: Vec::from([own]), ..Names::default() }));
    node.hears(2, &load(3, 60, 4, 1));
    assert_eq!(node.held("near", "c").unwrap().seq, 4);
}

#[test]
fn a_sibling_speaks_for_anyone_but_us() {
    let mut node = Node::new(|_| {});
    node.meets(1, "home", "b");
    node.hears(1, &third());
    node.hears(1, &load(9, 50, 2, 99));
    assert_eq!(node.held("far", "x").unwrap().seq, 2);
    let ours = node.mesh.held(ME);
    let me = Names { owners: Vec::from([named(4, 0, 3, "a")]), ..Names::default() };
    node.hears(1, &Message::Names(me));
    node.hears(1, &load(4, ours.incarnation, 1_000, 7));
    assert_eq!(node.mesh.held(ME), ours);
    // But of a life before it may remind us.
    node.hears(1, &load(4, ours.incarnation + 9_999_999, 1, 7));
    assert!(node.mesh.incarnation() > ours.incarnation + 9_999_999);
}

#[test]
fn without_provenance_any_site_lies_about_any() {
    let mut node = Node::new(|policy| policy.rules.provenance = false);
    node.meets(1, "far", "x");
    node.meets(2, "near", "b");
    node.hears(2, &third());
    node.hears(2, &load(9, 50, 2, 99));
    assert_eq!(node.held("far", "x").unwrap().seq, 2);
}

#[test]
fn who_does_not_say_what_its_certificate_says_is_not_heard() {
    let mut node = Node::new(|_| {});
    let peer = id("far", "x");
    let (remote, purpose) = ("far:1", Purpose::News);
    node.feed(Input::LinkUp { link: LinkId(1), peer: &peer, remote, purpose, dial: None });
    node.hears(1, &Message::Hello(hello(&id("home", "b"), 1)));
    assert_eq!(node.closed, [CloseReason::Misspoken]);
    node.hears(1, &load(0, 50, 1, 3));
    node.feed(Input::LinkUp { link: LinkId(2), peer: &peer, remote, purpose, dial: None });
    node.hears(2, &load(0, 50, 1, 3));
    node.pass(ms(4_000));
    assert_eq!(node.closed, [CloseReason::Misspoken, CloseReason::Misspoken], "no hello came");
    assert_eq!(node.held("far", "x").unwrap(), Held::default());
}

#[test]
fn absurd_incarnations_are_not_followed() {
    let mut node = Node::new(|_| {});
    node.meets(1, "home", "b");
    node.hears(1, &third());
    node.hears(1, &load(9, 1 << 60, 2, 99));
    assert_eq!(node.held("far", "x").unwrap().incarnation, 0);
    let ours = node.mesh.incarnation();
    let held = message::Held { incarnation: u64::MAX, doubt: message::Doubt::Dead };
    node.hears(1, &Message::Held(held));
    assert!(node.mesh.incarnation() > ours && node.mesh.incarnation() < 1 << 60);
    assert!(node.notices.contains(&Notice::JumpClamped { said: u64::MAX }));
    let raised = node.mesh.incarnation();
    node.hears(1, &Message::Held(held));
    assert_eq!(node.mesh.incarnation(), raised, "not twice in half a second");
}

#[test]
fn a_datagram_that_overtakes_its_names_is_asked_for() {
    let mut node = Node::new(|_| {});
    let peer = id("far", "x");
    let (remote, purpose) = ("far:1", Purpose::News);
    node.feed(Input::LinkUp { link: LinkId(1), peer: &peer, remote, purpose, dial: None });
    node.hears(1, &Message::Hello(hello(&peer, 1)));
    node.hears(1, &load(0, 50, 3, 3));
    let beat = |seq| {
        let (incarnation, load, hears) = (50, 3, 1);
        let (silence, wanted) = (0, true);
        Heartbeat { incarnation, seq, about: 0, shape: 0, load, hears, silence, wanted }
    };
    node.hears(1, &Message::Heartbeat(beat(1)));
    node.hears(1, &Message::Heartbeat(beat(2)));
    let wants = node.sent.iter().filter(|(_, message)| matches!(message, Message::Want(_)));
    assert_eq!(wants.count(), 1);
    assert_eq!(node.refusals(), 0, "nobody is to blame");
}

#[test]
fn whoever_answers_on_the_older_link_was_first() {
    let mut node = Node::new(|_| {});
    node.meets(1, "far", "x");
    let peer = id("far", "x");
    let (remote, purpose) = ("far:2", Purpose::News);
    let up = Input::LinkUp { link: LinkId(2), peer: &peer, remote, purpose, dial: None };
    node.feed(up);
    node.hears(2, &Message::Hello(hello(&peer, 2)));
    let token = node.sent.iter().find_map(|(to, message)| match message {
        Message::Ping { token } if to[..] == [LinkId(1)] => Some(*token),
        _ => None,
    });
    let token = token.expect("the older one is asked");
    node.hears(1, &Message::Pong { token: token ^ 1 });
    assert!(node.closed.is_empty());
    node.hears(1, &Message::Pong { token });
    assert_eq!(node.closed, [CloseReason::IdentityConflict]);
    assert!(node.notices.contains(&Notice::IdentityConflict(peer.clone())));
    // Another comes when the first has fallen silent: it is let in.
    node.feed(Input::LinkUp { link: LinkId(3), peer: &peer, remote, purpose, dial: None });
    node.hears(3, &Message::Hello(hello(&peer, 3)));
    node.pass(ms(1_000));
    assert_eq!(node.closed[1..], [CloseReason::Duplicate]);
    assert!(node.mesh.report(node.now).links.iter().any(|link| link.link == LinkId(3) && link.up));
}

#[test]
fn an_old_link_is_replaced_before_it_ends() {
    let mut node = Node::new(|_| {});
    node.meets(1, "far", "x");
    let (stamp, addresses) = (Stamp { incarnation: 50, seq: 1 }, Vec::from(["x:1".to_string()]));
    node.hears(1, &Message::About(About { owner: 0, stamp, draining: false, addresses }));
    let lives = |node: &mut Node, link, seconds| {
        for _ in 0..seconds * 5 {
            node.pass(ms(200));
            node.hears(link, &Message::Ping { token: 1 });
        }
    };
    lives(&mut node, 1, 14);
    let before = node.dials;
    node.feed(Input::Renew { link: LinkId(1) });
    lives(&mut node, 1, 1);
    assert_eq!(node.dials, before, "too young: the other end may think it is one of two");
    node.feed(Input::Renew { link: LinkId(1) });
    lives(&mut node, 1, 1);
    assert_eq!((node.dials, node.closed.len()), (before + 1, 0));
    node.notices.clear();
    let (peer, link) = (id("far", "x"), LinkId(2));
    let (remote, purpose) = ("far:1", Purpose::News);
    node.feed(Input::LinkUp { link, peer: &peer, remote, purpose, dial: None });
    node.hears(2, &Message::Hello(hello(&peer, 1)));
    assert_eq!(node.closed, [CloseReason::Duplicate]);
    node.feed(Input::LinkDown { link: LinkId(1), cause: LinkEnd::Closed(CloseReason::Duplicate) });
    node.sent.clear();
    lives(&mut node, 2, 3);
    assert!(node.sent.iter().all(|(to, _)| *to == [LinkId(2)]), "all goes by the new one");
    assert_eq!(node.notices, [], "nobody noticed");
    assert_eq!(node.dials, before + 1);
}

#[test]
fn data_connections_that_are_old_or_of_the_lost_do_not_count() {
    let mut node = Node::new(|_| {});
    node.meets(1, "far", "x");
    let (peer, purpose) = (id("far", "x"), Purpose::Data);
    let far = node.mesh.find(&peer).unwrap();
    let remote = "far:1";
    // More of them than there may be at once, each renewed.
    for link in (10..20).map(LinkId) {
        node.feed(Input::LinkUp { link, peer: &peer, remote, purpose, dial: None });
        assert_eq!((node.mesh.roster.peer(far).data.len(), node.closed.len()), (1, 0));
        node.feed(Input::Renew { link });
        assert_eq!(node.mesh.roster.peer(far).data.len(), 0);
    }
    let link = LinkId(30);
    node.feed(Input::LinkUp { link, peer: &peer, remote, purpose, dial: None });
    // Its driver has closed all but one of the old ones.
    for link in (10..19).map(LinkId) {
        node.feed(Input::LinkDown { link, cause: LinkEnd::Lost });
    }
    node.feed(Input::LinkDown { link: LinkId(1), cause: LinkEnd::Lost });
    node.pass(ms(4_000));
    assert!(node.notices.contains(&Notice::NodeLost(far)));
    assert_eq!(node.closed, [CloseReason::Unneeded; 2], "what it carries ends at once");
}

#[test]
fn who_cannot_be_reached_is_forgotten_unless_nobody_else_is_there_to_introduce_it() {
    let cases = [
        ("home", true, false),
        ("near", false, false),
        ("near", true, false),
        ("near", true, true),
    ];
    for (met, speaks, from_before) in cases {
        let far = || {
            let (site, node) = ("far".to_string(), "x".to_string());
            Vec::from([Introduction { site, node, addresses: Vec::from(["x:1".to_string()]) }])
        };
        let mut node = Node::new(|policy| {
            if from_before {
                policy.known = far();
            }
        });
        // A sibling has nobody to introduce either.
        node.meets(1, met, "b");
        node.hears(1, &Message::Peers(Peers { peers: far() }));
        node.pass(if speaks { ms(0) } else { ms(1_000) });
        for n in 0..100 {
            node.pass(ms(300));
            for dial in core::mem::take(&mut node.tries) {
                node.feed(Input::DialFailed { dial });
            }
            if speaks {
                node.hears(1, &Message::Ping { token: n });
            }
        }
        let introduced = node.mesh.report(node.now).introduced;
        if met == "home" || !speaks || from_before {
            assert!(introduced == 1 && node.dials > 15, "{introduced} {}", node.dials);
        } else {
            assert_eq!((introduced, node.dials), (0, 3));
        }
    }
}

#[test]
fn introductions_are_bounded_and_forgotten_when_in_vain() {
    let mut node = Node::new(|_| {});
    node.meets(1, "far", "x");
    for page in 0..40 {
        let introduce = |n| Introduction {
            site: format!("s{}", page * 100 + n),
            node: "n".to_string(),
            addresses: Vec::from(["10.0.0.1:1".to_string()]),
        };
        let peers = (0..message::PEERS_MAX).map(introduce).collect();
        node.hears(1, &Message::Peers(Peers { peers }));
    }
    assert_eq!(node.mesh.report(node.now).introduced, 1_024);
    assert!(node.notices.contains(&Notice::TableFull(Table::Introductions)));
    node.pass(ms(1_000));
    assert!(node.dials <= 64, "{}", node.dials);
    assert_eq!(node.mesh.report(node.now).sites.len(), 2, "nothing else is believed");
}

/// What it held of sites, one after the other.
fn standings(node: &Node) -> Vec<Standing> {
    let to = |notice: &Notice| match notice {
        Notice::Standing { to, .. } => Some(*to),
        _ => None,
    };
    node.notices.iter().filter_map(to).collect()
}
