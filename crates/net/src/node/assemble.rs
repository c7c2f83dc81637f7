//! What a node is made of, from its settings: services, the pools of brokers that they share, and
//! bound listeners.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use isobar_core::id::{BrokerId, ServiceId};
use isobar_core::policy::Member;

use super::StartError;
use crate::brokers::Brokers;
use crate::clock::Clock;
use crate::dial::Broker;
use crate::listener;
use crate::pools::Pools;
use crate::service::{Listener, Service};
use crate::settings::NodeSettings;

/// Sockets of one listener, one a worker.
pub(super) struct Bound {
    pub(super) service: usize,
    pub(super) listener: u16,
    pub(super) sockets: Vec<std::net::TcpListener>,
}

pub(super) type Assembled = (Vec<Arc<Service>>, Vec<Arc<Pools>>, Vec<Bound>);

/// Makes pools of brokers that services share, and binds every listener. `tunnels` is where the
/// flows of other sites come, which count as a listener of each service.
pub(super) fn assemble(
    settings: &NodeSettings,
    tunnels: Option<SocketAddr>,
    clock: Clock,
) -> Result<Assembled, StartError> {
    let mut services: BTreeMap<usize, Arc<Service>> = BTreeMap::new();
    let mut all_pools = Vec::new();
    let mut bound = Vec::new();
    let mut next_listener = 0;
    let mut first_broker = 0;
    for group in groups(settings) {
        // Brokers are numbered anew in each pool, in the order in which they are met.
        let mut members: Vec<usize> = Vec::new();
        for &s in &group {
            for member in &settings.services[s].policy.members {
                if !members.contains(&member.broker.index()) {
                    members.push(member.broker.index());
                }
            }
        }
        let local = |b: usize| {
            let at = members.iter().position(|m| *m == b);
            BrokerId(at.expect("a service's broker is in its group") as u16)
        };
        let policies: Vec<_> = group
            .iter()
            .map(|&s| {
                let mut policy = settings.services[s].policy.clone();
                policy.members = policy
                    .members
                    .iter()
                    .map(|m| Member { broker: local(m.broker.index()), weight: m.weight })
                    .collect();
                policy
            })
            .collect();
        let brokers = members.iter().map(|b| settings.brokers[*b].policy.clone()).collect();
        let seed = settings.seed.wrapping_add(all_pools.len() as u64);
        let pools = Pools::new(brokers, policies.clone(), seed, clock);
        let dials: Vec<_> = members
            .iter()
            .map(|b| Arc::new(Broker::new(&settings.brokers[*b], settings.seed, settings.workers)))
            .collect();
        let dials = Arc::new(Brokers::new(dials));
        for (at, (&s, policy)) in group.iter().zip(policies).enumerate() {
            let wanted = &settings.services[s];
            let mut listeners = Vec::new();
            for addr in &wanted.binds {
                let (addr, sockets) = listener::bind(*addr, settings.workers)
                    .map_err(|error| StartError::Bind(policy.name.clone(), *addr, error))?;
                bound.push(Bound { service: s, listener: listeners.len() as u16, sockets });
                listeners.push(Listener::new(addr, next_listener));
                next_listener += 1;
            }
            let tunnels = tunnels.filter(|_| policy.spill.enabled).map(|addr| {
                listeners.push(Listener::new(addr, next_listener));
                next_listener += 1;
                listeners.len() as u16 - 1
            });
            let id = ServiceId(at as u16);
            let (pools, dials) = (pools.clone(), dials.clone());
            let listeners = (listeners, tunnels);
            let service =
                Service::new(s as u16, id, policy, pools, dials, first_broker, listeners, wanted);
            services.insert(s, Arc::new(service));
        }
        first_broker += members.len();
        all_pools.push(pools);
    }
    Ok((services.into_values().collect(), all_pools, bound))
}

/// Services that share brokers, directly or through others, belong together. Where some are found
/// by name, any service may come to share any broker, so that all belong together.
fn groups(settings: &NodeSettings) -> Vec<Vec<usize>> {
    if settings.services.iter().any(|service| !service.names.is_empty()) {
        return vec![(0..settings.services.len()).collect()];
    }
    let mut groups: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for (s, service) in settings.services.iter().enumerate() {
        let mut brokers: Vec<usize> =
            service.policy.members.iter().map(|m| m.broker.index()).collect();
        let mut members = vec![s];
        let (joined, apart): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|(_, theirs)| theirs.iter().any(|b| brokers.contains(b)));
        for (theirs, their_brokers) in joined {
            members.extend(theirs);
            brokers.extend(their_brokers);
        }
        members.sort_unstable();
        groups = apart;
        groups.push((members, brokers));
    }
    groups.into_iter().map(|(members, _)| members).collect()
}
