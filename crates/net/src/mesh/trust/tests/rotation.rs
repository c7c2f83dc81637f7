//! Files that change under a running node.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fixture::{Ca, Node, SOON, shake, wanted};
use crate::mesh::trust::refusal::{Failure, Reason};
use crate::mesh::trust::{
    Fingerprint, LINK_AGE_MAX, RENEW_WITHIN, Reloaded, Standing, Trust, Which,
};

const FRESH: Duration = Duration::ZERO;

#[tokio::test]
async fn a_new_certificate_serves_new_handshakes_and_breaks_no_link() {
    let ca = Ca::new(Some("example"));
    let (fra_files, nyc_files) = (Node::new(&ca, "fra", "fra-1"), Node::new(&ca, "nyc", "nyc-1"));
    let (fra, nyc) = (fra_files.trust(), nyc_files.trust());
    let standing = shake(fra.crypto().server, nyc.crypto().client).await;
    let (at_nyc, at_fra) =
        (standing.dialled.as_ref().unwrap(), standing.accepted.as_ref().unwrap());
    let before = nyc.admit(at_nyc).unwrap();
    let nyc_at_fra = fra.admit(at_fra).unwrap();

    let new = ca.issue(&wanted("fra", "fra-1"));
    fra_files.install(&new);
    assert_eq!(fra.reload(), Reloaded::Taken);
    assert_eq!(fra.reload(), Reloaded::Same);
    assert_eq!(fra.report().reloads, 1);

    let again = shake(fra.crypto().server, nyc.crypto().client).await;
    let after = nyc.admit(again.dialled.as_ref().unwrap()).unwrap();
    assert_eq!((after.identity, after.fingerprint), (before.identity, Fingerprint::of(&new.der)));
    assert_ne!(after.fingerprint, before.fingerprint);
    // The old link still carries.
    at_nyc.send_datagram(b"still here".to_vec().into()).unwrap();
    let heard = tokio::time::timeout(SOON, at_fra.read_datagram()).await.unwrap().unwrap();
    assert_eq!(&heard[..], b"still here");
    // It is renewed in its time, and so is every link at last.
    assert_eq!(fra.standing(&nyc_at_fra, FRESH), Standing::Good);
    assert_eq!(fra.standing(&nyc_at_fra, RENEW_WITHIN), Standing::Renew);
    let renewed = fra.admit(again.accepted.as_ref().unwrap()).unwrap();
    assert_eq!(fra.standing(&renewed, RENEW_WITHIN), Standing::Good);
    assert_eq!(fra.standing(&renewed, LINK_AGE_MAX), Standing::Renew);
}

#[tokio::test]
async fn a_denied_peer_is_dropped_and_comes_no_more() {
    let ca = Ca::new(None);
    let (fra_files, nyc) = (Node::new(&ca, "fra", "fra-1"), Node::new(&ca, "nyc", "nyc-1").trust());
    let fra = fra_files.trust();
    let standing = shake(fra.crypto().server, nyc.crypto().client).await;
    let peer = fra.admit(standing.accepted.as_ref().unwrap()).unwrap();
    let mut changes = fra.changes();
    fra_files.write("deny.txt", &format!("{} # stolen\n", peer.fingerprint));
    assert_eq!(fra.reload(), Reloaded::Taken);
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    let Standing::Drop(refusal) = fra.standing(&peer, FRESH) else { panic!("it stands") };
    assert_eq!(refusal.reason(), Reason::Denied);
    let again = shake(fra.crypto().server, nyc.crypto().client).await;
    assert_eq!(fra.admit(again.accepted.as_ref().unwrap()).unwrap_err().reason(), Reason::Denied);
    // A misprint leaves the list in force.
    fra_files.write("deny.txt", "sha256:oops\n");
    let Reloaded::Kept(errors) = fra.reload() else { panic!("taken") };
    assert_eq!(errors[0].which, Which::Deny);
    assert!(fra.report().stale.unwrap().contains("line 1"));
    assert!(matches!(fra.standing(&peer, FRESH), Standing::Drop(_)));
    fra_files.write("deny.txt", "");
    assert_eq!((fra.reload(), fra.report().stale), (Reloaded::Taken, None));
    assert_eq!(fra.standing(&peer, FRESH), Standing::Good);
}

/// New CA beside the old one, then certificates, then the old one goes.
#[tokio::test]
async fn a_ca_is_replaced_without_a_gap() {
    let (old, new) = (Ca::new(Some("example")), Ca::new(Some("example")));
    let (fra_files, nyc_files) = (Node::new(&old, "fra", "fra-1"), Node::new(&old, "nyc", "nyc-1"));
    let (fra, nyc) = (fra_files.trust(), nyc_files.trust());
    let shakes = async || {
        let shaken = shake(fra.crypto().server, nyc.crypto().client).await;
        let dialled = shaken.dialled.map_err(|error| nyc.note_failure(&error, &"fra"))?;
        nyc.admit(&dialled).expect("verified");
        fra.admit(shaken.accepted.as_ref().unwrap()).expect("verified");
        Ok::<_, Option<Failure>>(())
    };
    // Without the step in between they part.
    fra_files.write("ca.pem", &new.pem);
    fra_files.install(&new.issue(&wanted("fra", "fra-1")));
    assert_eq!(fra.reload(), Reloaded::Taken);
    let Err(Some(Failure::Refused(refusal))) = shakes().await else { panic!("accepted") };
    assert_eq!(refusal.reason(), Reason::UnknownCa);

    let both = format!("{}{}", old.pem, new.pem);
    for (files, trust) in [(&fra_files, &fra), (&nyc_files, &nyc)] {
        files.write("ca.pem", &both);
        assert_eq!(trust.reload(), Reloaded::Taken);
        shakes().await.ok();
    }
    shakes().await.unwrap();
    nyc_files.install(&new.issue(&wanted("nyc", "nyc-1")));
    assert_eq!(nyc.reload(), Reloaded::Taken);
    shakes().await.unwrap();
    for (files, trust) in [(&fra_files, &fra), (&nyc_files, &nyc)] {
        files.write("ca.pem", &new.pem);
        assert_eq!(trust.reload(), Reloaded::Taken);
        shakes().await.unwrap();
    }
}

#[tokio::test]
async fn files_that_do_not_belong_together_change_nothing() {
    let ca = Ca::new(None);
    let files = Node::new(&ca, "fra", "fra-1");
    let fra = files.trust();
    let before = fra.report().certificate.fingerprint;
    let new = ca.issue(&wanted("fra", "fra-1"));
    files.write("node.pem", &new.pem);
    let Reloaded::Kept(errors) = fra.reload() else { panic!("taken") };
    assert_eq!(errors[0].which, Which::Key);
    assert_eq!(fra.report().certificate.fingerprint, before);
    assert_eq!(fra.crypto().generation, 1);
    // Another node's pair is a pair, and still not ours.
    files.install(&ca.issue(&wanted("nyc", "nyc-1")));
    let Reloaded::Kept(errors) = fra.reload() else { panic!("taken") };
    assert_eq!(errors[0].which, Which::Cert);
    files.install(&new);
    assert_eq!(fra.reload(), Reloaded::Taken);
    assert_eq!(fra.report().certificate.fingerprint, Fingerprint::of(&new.der));
}

/// Both ways by which a change is noticed: a look at times, and the operator's word.
#[tokio::test(start_paused = true)]
async fn changes_are_noticed() {
    let ca = Ca::new(None);
    let files = Node::new(&ca, "fra", "fra-1");
    let fra = Arc::new(files.trust());
    let stop = CancellationToken::new();
    let hangup = tokio::sync::watch::Sender::new(0);
    let keeping = tokio::spawn(fra.clone().keep(hangup.subscribe(), stop.clone()));
    let mut changes = fra.changes();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!changes.has_changed().unwrap(), "nothing has changed");

    files.install(&ca.issue(&wanted("fra", "fra-1")));
    let asked = tokio::time::Instant::now();
    changes.changed().await.unwrap();
    assert!(asked.elapsed() <= Duration::from_secs(20), "{:?}", asked.elapsed());

    files.write("deny.txt", "spiffe://example/site/nyc/node/nyc-1\n");
    let asked = tokio::time::Instant::now();
    hangup.send_replace(1);
    changes.changed().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(fra.report().denied, 1);

    // Without anybody to ask, the looks go on.
    drop(hangup);
    files.write("deny.txt", "");
    changes.changed().await.unwrap();
    stop.cancel();
    keeping.await.unwrap();
}

#[test]
fn days_left_are_told() {
    let ca = Ca::new(None);
    let files = Node::new(&ca, "fra", "fra-1");
    let mut short = wanted("fra", "fra-1");
    short.until = 10;
    files.install(&ca.issue(&short));
    let report = Trust::load(files.settings()).unwrap().report();
    assert!((9..=10).contains(&report.certificate_days_left), "{report:?}");
    assert!(report.authority_days_left > 365);
}
