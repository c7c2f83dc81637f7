//! What has become of a client while its flow waited or was tried in vain.
//!
//! The world's clients tell at once when they go, so all there is to see is whether one is back.

use isobar_core::flow::{Action, Event as Fact};

use crate::task::{Stage, Task};
use crate::world::World;

impl World {
    /// What core wants to know before an action, if it is so.
    pub(crate) fn sees(&self, task: &Task, action: &Action) -> Option<Fact> {
        let Stage::Before(flow) = &task.stage else { return None };
        let look = flow.look(&self.site.services[task.service.index()], action, self.now)?;
        let (client, since) = look.back?;
        let takeover = &self.takeovers[task.service.index()];
        takeover.has_later(client, since).then_some(Fact::TakenOver)
    }
}
