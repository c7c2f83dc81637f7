//! Probes and flows as witnesses.

use super::*;

#[test]
fn a_probe_that_ends_in_maintenance_does_not_end_probing() {
    for kind in [CheckKind::Tcp, CheckKind::Mqtt] {
        let mut site = Site::checked(1, kind);
        site.pass(secs(2));
        let (id, kind) = site.probes.pop().unwrap();
        site.admin(A, AdminState::Maint);
        site.probed(id, kind, CheckResult::Refused);
        assert_eq!(site.state(A), BrokerState::Up, "it is the operator who took it out");
        site.pass(secs(10));
        assert_eq!(site.probes, []);
        site.admin(A, AdminState::Ready);
        assert_eq!(site.probes, [(A, kind)], "asked at once on coming back");
    }
}
