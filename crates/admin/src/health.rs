//! What `ready` means: whether sending clients to this node makes sense.
//!
//! A node is ready while it serves and some service has a broker that lives and that the
//! operator left in. Full counts: a full broker's service still answers its clients as a
//! broker would, and taking the node out would only move the crowd to the next one.

use crate::view::{AdminState, Broker, BrokerState, NodeState, Report};

/// `Ok` for ready, else the reason in words. It names no broker: health asks for no token.
pub(crate) fn ready(report: &Report) -> Result<(), &'static str> {
    match report.state {
        NodeState::Starting => return Err("starting: the first checks are not all back"),
        NodeState::Stopping => return Err("stopping: no new flows are taken"),
        NodeState::Ready => {}
    }
    if report.services.is_empty() {
        return Err("no service is configured");
    }
    if !report.services.iter().any(|service| service.brokers.iter().any(takes_clients)) {
        return Err(
            "no service has a broker that is up or full, and neither drained nor in maintenance",
        );
    }
    Ok(())
}

fn takes_clients(broker: &Broker) -> bool {
    !broker.leaving && broker.admin_state == AdminState::Ready && broker.state != BrokerState::Down
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn report(state: NodeState, brokers: &[(AdminState, BrokerState)]) -> Report {
        let mut report = Report::from(sample::rich());
        report.state = state;
        report.services.truncate(1);
        let pattern = report.services[0].brokers[0].clone();
        let broker = |&(admin_state, state)| Broker { admin_state, state, ..pattern.clone() };
        report.services[0].brokers = brokers.iter().map(broker).collect();
        report
    }

    #[test]
    fn ready_wants_a_serving_node_and_one_living_broker() {
        use AdminState::{Drain, Maint, Ready};
        use BrokerState::{Down, Full, Up};
        type Case = (NodeState, &'static [(AdminState, BrokerState)], Result<(), &'static str>);
        let table: &[Case] = &[
            (NodeState::Ready, &[(Ready, Up)], Ok(())),
            (NodeState::Ready, &[(Ready, Down), (Ready, Full)], Ok(())),
            (NodeState::Starting, &[(Ready, Up)], Err("starting")),
            (NodeState::Stopping, &[(Ready, Up)], Err("stopping")),
            (NodeState::Ready, &[], Err("no service has")),
            (NodeState::Ready, &[(Ready, Down)], Err("no service has")),
            (NodeState::Ready, &[(Maint, Up), (Drain, Up)], Err("no service has")),
        ];
        for (state, brokers, expected) in table {
            match (ready(&report(*state, brokers)), expected) {
                (Ok(()), Ok(())) => {}
                (Err(reason), Err(start)) if reason.starts_with(start) => {}
                (verdict, _) => panic!("{state:?} {brokers:?}: {verdict:?}"),
            }
        }
        let mut empty = report(NodeState::Ready, &[(Ready, Up)]);
        empty.services.clear();
        assert_eq!(ready(&empty), Err("no service is configured"));
    }
}
