//! What would a client be told, and why?
//!
//! The same question that DNS answers, asked by a person: with what became of every site.

use std::time::Duration;

use isobar_core::entry::{
    Absence, Ask, Client, Endpoint, Form, Judged, PassedOver, Prefix, represent,
};
use isobar_core::id::{ServiceId, SiteId};

use crate::dns::SRV_MAX;
use crate::geo::Geo;
use crate::guide::{Guide, Snapshot};

/// What a client is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explained {
    /// Of the news that it is made from.
    pub generation: u64,
    /// How long it may be kept.
    pub ttl: Duration,
    /// The bits of the client's address that it depends on.
    pub scope: u8,
    /// Why nobody is named, if so.
    pub absence: Option<Absence>,
    /// Where to go, in order.
    pub endpoints: Vec<Endpoint>,
    /// Every site by name, ordered by it, and what became of it.
    pub sites: Vec<(String, Judged)>,
    /// A database knows where the client is.
    pub located: bool,
}

/// Explains what a client of that network would be told of a service by DNS.
pub fn explain(
    guide: &Guide,
    geo: Option<&Geo>,
    (service, form): (ServiceId, Form),
    from: Prefix,
    draw: u64,
) -> Explained {
    let snapshot = guide.snapshot();
    let located = geo.map(|geo| geo.locate(from.address()));
    let client = Client { network: Some(from), located };
    let ask = Ask { service, client, form, draw };
    let (mut answer, mut judged) = snapshot.entry.explain(&ask);
    if let (Form::Plain | Form::Secure, Ok(endpoints)) = (form, &mut answer.endpoints) {
        *endpoints = represent(endpoints, SRV_MAX).into_iter().cloned().collect();
        for (site, judged) in &mut judged {
            let is_named = endpoints.iter().any(|endpoint| endpoint.site == *site);
            if matches!(judged, Judged::Named(..)) && !is_named {
                *judged = Judged::PassedOver(PassedOver::Behind);
            }
        }
    }
    let sites = judged.into_iter().map(|(site, judged)| (name(&snapshot, site), judged)).collect();
    Explained {
        generation: answer.generation,
        ttl: answer.ttl,
        scope: answer.scope,
        absence: answer.endpoints.as_ref().err().copied(),
        endpoints: answer.endpoints.unwrap_or_default(),
        sites,
        located: client.located.is_some_and(|located| located.place.is_some()),
    }
}

/// The name of a site.
pub fn name(snapshot: &Snapshot, site: SiteId) -> String {
    snapshot.sites.get(site.index()).map_or_else(|| "?".to_owned(), ToString::to_string)
}
