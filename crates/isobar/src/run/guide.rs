//! Keeps those who answer clients up to date with what the mesh publishes.

use std::sync::Arc;

use isobar_core::outlook::Outlook;
use isobar_entry::Guide;
use isobar_net::settings::NodeSettings;
use tokio::sync::watch;

use crate::config::EntrySettings;

/// The guide of a node with these settings. It has heard of nothing yet.
pub(super) fn of(entry: &EntrySettings, node: &NodeSettings) -> Guide {
    let services = node.services.iter().map(|service| service.policy.name.as_str().into());
    Guide::new(entry.policy.clone(), services.collect())
}

/// Hears every outlook until the node has stopped.
pub(super) async fn follow(guide: Guide, mut outlook: watch::Receiver<Arc<Outlook>>) {
    loop {
        let news = outlook.borrow_and_update().clone();
        guide.hear(&news);
        if outlook.changed().await.is_err() {
            return;
        }
    }
}
