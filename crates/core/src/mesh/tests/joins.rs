//! Names of nodes to join, and what becomes of them when they stand for other nodes than before.

use super::*;

fn joins() -> Node {
    Node::new(|policy| policy.join = Vec::from(["mesh.lan:7443", "other.lan:7443"].map(Into::into)))
}

/// A dial has led to `far/x`.
fn reaches(node: &mut Node, link: u64, dial: DialId) {
    let peer = id("far", "x");
    let (remote, purpose) = ("192.0.2.1:7443", Purpose::News);
    let up = Input::LinkUp { link: LinkId(link), peer: &peer, remote, purpose, dial: Some(dial) };
    node.feed(up);
    node.hears(link, &Message::Hello(hello(&peer, link)));
}

#[test]
fn a_name_that_stands_for_other_nodes_is_dialled_anew_at_once_though_it_was_reached() {
    let mut node = joins();
    node.pass(ms(500));
    let tries = core::mem::take(&mut node.tries);
    assert_eq!(tries.len(), 2, "each name once");
    reaches(&mut node, 1, tries[0]);
    let quiet = |node: &mut Node| {
        for n in 0..50 {
            node.pass(ms(200));
            node.hears(1, &Message::Ping { token: n });
        }
    };
    node.feed(Input::DialFailed { dial: tries[1] });
    quiet(&mut node);
    // The second name was tried again and is under way.
    let others = core::mem::take(&mut node.tries);
    assert_eq!(others.len(), 1);
    node.feed(Input::JoinMoved { join: 0 });
    node.pass(ms(500));
    let anew = core::mem::take(&mut node.tries);
    assert_eq!(anew.len(), 1, "the first one, and it alone");
    assert!(node.closed.is_empty(), "what it led to before may stay");
    node.feed(Input::JoinMoved { join: 0 });
    quiet(&mut node);
    assert!(node.tries.is_empty(), "one try at a time");
    node.feed(Input::DialFailed { dial: anew[0] });
    quiet(&mut node);
    assert!(!node.tries.is_empty(), "and again until somebody is reached there");
}

#[test]
fn a_name_that_led_to_the_node_itself_is_tried_again_when_it_leads_elsewhere() {
    let mut node = Node::new(|policy| policy.join = Vec::from(["mesh.lan:7443".to_string()]));
    node.pass(ms(500));
    let dial = core::mem::take(&mut node.tries)[0];
    let me = id("home", "a");
    let (remote, purpose) = ("mesh.lan:7443", Purpose::News);
    let up = Input::LinkUp { link: LinkId(1), peer: &me, remote, purpose, dial: Some(dial) };
    node.feed(up);
    let own = node.sent.iter().find_map(|(_, message)| match message {
        Message::Hello(own) => Some(own.process),
        _ => None,
    });
    node.hears(1, &Message::Hello(hello(&me, own.expect("it has greeted"))));
    assert_eq!(node.closed, [CloseReason::Oneself]);
    node.feed(Input::LinkDown { link: LinkId(1), cause: LinkEnd::Closed(CloseReason::Oneself) });
    node.pass(ms(60_000));
    assert!(node.tries.is_empty(), "nobody calls himself twice");
    node.feed(Input::JoinMoved { join: 0 });
    node.pass(ms(500));
    assert_eq!(node.tries.len(), 1);
    node.feed(Input::JoinMoved { join: 7 });
}
