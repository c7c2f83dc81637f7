//! Core as it is: several nodes, each with flows of its own that it knows of at once.

use std::collections::BTreeMap;

use isobar_core::id::{BrokerId, PeerId};
use isobar_core::policy::Balance;
use isobar_core::pool::{Pool, Token};
use isobar_core::share::{Sibling, SiblingCount};
use isobar_core::time::Time;

use super::choosers::{place, pool};
use super::farm::{Chooser, SERVERS};
use super::{case, measure};

/// Nodes of one site. Jobs come to them in turn; when the board is written, each hears what the
/// others had then.
struct Crowd {
    nodes: Vec<Node>,
    words: u64,
}

struct Node {
    pool: Pool,
    held: BTreeMap<u64, Token>,
    counts: Vec<u32>,
}

impl Crowd {
    fn new(nodes: usize, seed: u64) -> Crowd {
        let node = |n| Node {
            pool: pool(Balance::LeastConn, seed * 1_000 + n as u64),
            held: BTreeMap::new(),
            counts: vec![0; SERVERS],
        };
        Crowd { nodes: (0..nodes).map(node).collect(), words: 0 }
    }

    fn node(&mut self, job: u64) -> &mut Node {
        let count = self.nodes.len() as u64;
        &mut self.nodes[(job % count) as usize]
    }
}

impl Chooser for Crowd {
    fn read(&mut self, now: Time, _board: &[u32]) {
        self.words += 1;
        let word = self.words;
        let say = |(n, node): (usize, &Node)| {
            let count = |(server, &flows): (usize, &u32)| SiblingCount {
                broker: BrokerId(server as u16),
                flows,
                share: 0,
            };
            let counts = node.counts.iter().enumerate().map(count).collect();
            Sibling { peer: PeerId(n as u16 + 1), word, told: true, counts }
        };
        let said: Vec<Sibling> = self.nodes.iter().enumerate().map(say).collect();
        for (n, node) in self.nodes.iter_mut().enumerate() {
            let mut others = said.clone();
            others.remove(n);
            node.pool.handle_siblings(now, &others);
        }
    }

    fn choose(&mut self, now: Time, job: u64) -> usize {
        let node = self.node(job);
        let token = place(&mut node.pool, now, job, None);
        let server = token.broker().index();
        node.counts[server] += 1;
        node.held.insert(job, token);
        server
    }

    fn done(&mut self, now: Time, job: u64, server: usize) {
        let node = self.node(job);
        node.counts[server] -= 1;
        let token = node.held.remove(&job).expect("what is done was placed");
        let _ = node.pool.release(now, token);
    }
}

/// What a node knows of itself, and takes the others to have done, makes up for old news: never
/// worse than two choices by the board alone, and far from what the least of all does there.
#[test]
fn nodes_that_know_what_they_did_bear_older_news() {
    let cases = [case(1, 2.97, 60, 60), case(10, 5.10, 100, 100)];
    for nodes in [2, 10] {
        let what = format!("{nodes} nodes that know their own");
        let found = measure(&what, &cases, |seed| Box::new(Crowd::new(nodes, seed)));
        for (found, case) in found.iter().zip(&cases) {
            let most = case.expected * 1.1;
            assert!(found.mean < most, "{what}, news every {}: {found}", case.age);
        }
    }
}
