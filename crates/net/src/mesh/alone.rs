//! A node without a mesh: what it would say of itself, as an outlook.
//!
//! Core's `Mesh` with nobody to dial hears this node's own load, as any mesh does, and publishes
//! the one site there is. So those who answer clients ask the same engine, fed the same way.

use std::sync::Arc;
use std::time::Duration;

use isobar_core::mesh::{Identity, Input, Mesh, MeshPolicy, MeshRules, Output};
use isobar_core::outlook::Outlook;
use isobar_core::time::Time;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::local;
use crate::clock::Clock;
use crate::service::Service;

/// Between two looks at what this node carries, as in a mesh.
const LOOK: Duration = Duration::from_millis(100);

/// What a node without a mesh needs for an outlook.
pub struct Alone {
    /// Who it is.
    pub me: Identity,
    /// Where draws begin.
    pub seed: u64,
    /// The clock.
    pub clock: Clock,
    /// All services.
    pub services: Vec<Arc<Service>>,
    /// Cancelled when the node takes no more clients.
    pub accepting: CancellationToken,
    /// Where the outlook goes.
    pub outlook: watch::Sender<Arc<Outlook>>,
}

impl Alone {
    /// Publishes until told to end.
    pub async fn run(self, ending: CancellationToken) {
        let Alone { me, seed, clock, services, accepting, outlook } = self;
        let policy = MeshPolicy {
            me,
            advertise: Vec::new(),
            join: Vec::new(),
            known: Vec::new(),
            incarnation: 1,
            seed,
            rules: MeshRules::default(),
        };
        let mut mesh = Mesh::new(&policy, clock.now());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = mesh.poll_timeout().unwrap_or(Time::NEVER);
            tokio::select! {
                _ = look.tick() => {
                    let digest = local::digest(&services, accepting.is_cancelled());
                    mesh.handle(clock.now(), Input::Local(&digest));
                }
                () = sleep_until(clock.instant(due)) => mesh.handle(clock.now(), Input::Tick),
                () = ending.cancelled() => return,
            }
            while let Some(output) = mesh.poll_output() {
                // Nobody is there for anything else.
                if let Output::Publish(news) = output {
                    outlook.send_replace(Arc::new(news));
                }
            }
        }
    }
}
