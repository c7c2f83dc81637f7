//! Core's choosing, set before a board, and plain policies to compare it with.
//!
//! The board is what a node knows of a site's brokers when it has placed nothing of late itself: one
//! of so many nodes that its own flows do not matter. So each job is placed, counted, and given back
//! at once, and what brokers have is known by the board alone.

use isobar_core::id::{BrokerId, FlowId, PeerId, ServiceId};
use isobar_core::policy::Balance;
use isobar_core::pool::{Outcome, Placement, Pool, Request, Token};
use isobar_core::share::{Sibling, SiblingCount};
use isobar_core::time::Time;
use isobar_sim::Site;
use isobar_sim::engine::draw::{Draws, Purpose};

use super::farm::{Chooser, SERVERS};

const SERVICE: ServiceId = ServiceId(0);

/// A pool of all servers.
pub fn pool(balance: Balance, seed: u64) -> Pool {
    let site = Site::of(SERVERS as u16).checks(None).at_once();
    let policies = site.brokers.iter().map(|(policy, _)| policy.clone()).collect();
    let mut services = site.services.clone();
    services[0].balance = balance;
    Pool::new(policies, services, seed, Time::ZERO)
}

/// Places a flow, on one broker where it may be no other, and tells that it was taken.
pub fn place(pool: &mut Pool, now: Time, flow: u64, only: Option<BrokerId>) -> Token {
    let flow = FlowId(flow);
    let request = Request {
        service: SERVICE,
        flow,
        session: None,
        avoid: &[],
        only,
        attempt: 0,
        from_budget: false,
        carried: None,
    };
    let Placement::Broker(mut token) = pool.place(now, &request) else {
        panic!("brokers without limits take everyone")
    };
    pool.settle(now, &mut token, Outcome::Accepted, None);
    token
}

/// A node alone: its own counts are those of the board. `leastconn` is the least of all then.
pub struct Board {
    pool: Pool,
    /// Flows that stand for what the board says.
    held: Vec<Vec<Token>>,
}

impl Board {
    pub fn new(balance: Balance, seed: u64) -> Board {
        let held = (0..SERVERS).map(|_| Vec::new()).collect();
        Board { pool: pool(balance, seed), held }
    }
}

impl Chooser for Board {
    fn read(&mut self, now: Time, board: &[u32]) {
        for (server, &count) in board.iter().enumerate() {
            let held = &mut self.held[server];
            while held.len() < count as usize {
                held.push(place(&mut self.pool, now, 0, Some(BrokerId(server as u16))));
            }
            while held.len() > count as usize {
                let _ = self.pool.release(now, held.pop().expect("more than none"));
            }
        }
    }

    fn choose(&mut self, now: Time, job: u64) -> usize {
        let token = place(&mut self.pool, now, job, None);
        let server = token.broker().index();
        let _ = self.pool.release(now, token);
        server
    }
}

/// A node beside others: the board is what they say they have. With so many brokers, `leastconn` is
/// the lesser of two then.
pub struct Beside {
    pool: Pool,
    word: u64,
}

impl Beside {
    pub fn new(seed: u64) -> Beside {
        Beside { pool: pool(Balance::LeastConn, seed), word: 0 }
    }
}

impl Chooser for Beside {
    fn read(&mut self, now: Time, board: &[u32]) {
        let count = |(server, &flows): (usize, &u32)| SiblingCount {
            broker: BrokerId(server as u16),
            flows,
            share: 0,
        };
        let counts: Vec<_> = board.iter().enumerate().map(count).collect();
        // Said twice: who says the same again is idle, and not taken to place as much as we do. All
        // jobs go by this one pool, and on the board nobody sees what others have just done.
        for _ in 0..2 {
            self.word += 1;
            let sibling =
                Sibling { peer: PeerId(1), word: self.word, told: true, counts: counts.clone() };
            self.pool.handle_siblings(now, &[sibling]);
        }
    }

    fn choose(&mut self, now: Time, job: u64) -> usize {
        let token = place(&mut self.pool, now, job, None);
        let server = token.broker().index();
        let _ = self.pool.release(now, token);
        server
    }
}

/// Not core's: the lesser of two at random.
pub struct Two {
    draws: Draws,
    board: Vec<u32>,
}

impl Two {
    pub fn new(seed: u64) -> Two {
        Two { draws: Draws(seed), board: Vec::new() }
    }
}

impl Chooser for Two {
    fn read(&mut self, _now: Time, board: &[u32]) {
        board.clone_into(&mut self.board);
    }

    fn choose(&mut self, _now: Time, job: u64) -> usize {
        let n = SERVERS as u64;
        let one = self.draws.below(n, job, Purpose::Choice, 0) as usize;
        let step = 1 + self.draws.below(n - 1, job, Purpose::Choice, 1) as usize;
        let other = (one + step) % SERVERS;
        if self.board[other] < self.board[one] { other } else { one }
    }
}

/// Not core's: the least of all, one of them at random where several have it.
pub struct Least {
    draws: Draws,
    least: Vec<usize>,
}

impl Least {
    pub fn new(seed: u64) -> Least {
        Least { draws: Draws(seed), least: Vec::new() }
    }
}

impl Chooser for Least {
    fn read(&mut self, _now: Time, board: &[u32]) {
        let least = board.iter().min().expect("there are servers");
        let servers = (0..SERVERS).filter(|&server| board[server] == *least);
        self.least = servers.collect();
    }

    fn choose(&mut self, _now: Time, job: u64) -> usize {
        let n = self.least.len() as u64;
        self.least[self.draws.below(n, job, Purpose::Choice, 0) as usize]
    }
}
