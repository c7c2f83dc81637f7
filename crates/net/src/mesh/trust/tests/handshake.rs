//! Who is accepted, who is refused, and what for: on both sides of a handshake.

use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::fixture::{Ca, Issued, Node, Wanted, end_of, shake, wanted};
use crate::mesh::trust::refusal::{Failure, Reason, Refusal};
use crate::mesh::trust::tls::{self, ALPN, Verifiers};
use crate::mesh::trust::{Fingerprint, Identity, Trust};

/// How often this reason is counted.
fn refused(trust: &Trust, reason: Reason) -> u64 {
    trust.report().refused.iter().find(|(r, _)| *r == reason).unwrap().1
}

fn refused_in_all(trust: &Trust) -> u64 {
    trust.report().refused.iter().map(|(_, count)| count).sum()
}

#[tokio::test]
async fn nodes_of_a_mesh_know_each_other_by_name() {
    let ca = Ca::new(Some("example"));
    let (fra, nyc) = (Node::new(&ca, "fra", "fra-1"), Node::new(&ca, "nyc", "nyc-1"));
    let (fra, nyc) = (fra.trust(), nyc.trust());
    let shaken = shake(fra.crypto().server, nyc.crypto().client).await;
    let (dialled, accepted) = (shaken.dialled.unwrap(), shaken.accepted.unwrap());
    let of_nyc = fra.admit(&accepted).unwrap();
    assert_eq!(of_nyc.identity, Identity::new("nyc", "nyc-1").unwrap());
    let of_fra = nyc.admit(&dialled).unwrap();
    assert_eq!(of_fra.identity.to_string(), "fra/fra-1");
    assert_eq!(of_fra.fingerprint, fra.report().certificate.fingerprint);
    fra.confirm(&accepted, &of_nyc, &Identity::new("nyc", "nyc-1").unwrap()).unwrap();
    assert_eq!(refused_in_all(&fra) + refused_in_all(&nyc), 0);
}

#[tokio::test]
async fn a_certificate_does_not_speak_for_another_site() {
    let ca = Ca::new(None);
    let (fra, nyc) = (Node::new(&ca, "fra", "fra-1"), Node::new(&ca, "nyc", "nyc-1"));
    let (fra, nyc) = (fra.trust(), nyc.trust());
    let shaken = shake(fra.crypto().server, nyc.crypto().client).await;
    let accepted = shaken.accepted.unwrap();
    let peer = fra.admit(&accepted).unwrap();
    let claims = Identity::new("sin", "nyc-1").unwrap();
    let refusal = fra.confirm(&accepted, &peer, &claims).unwrap_err();
    assert!(refusal.to_string().contains("says it is sin/nyc-1"), "{refusal}");
    assert_eq!(refused(&fra, Reason::WrongSite), 1);
    let told = end_of(&shaken.dialled.unwrap()).await;
    assert_eq!(nyc.note_failure(&told, &"fra"), Some(Failure::RefusedUs(Reason::WrongSite)));
    assert_eq!(nyc.report().refused_us[Reason::WrongSite as usize], (Reason::WrongSite, 1));
}

/// A client that shows `own`, and trusts the mesh's CA like everybody.
async fn dials(
    fra: &Trust,
    ca: &Ca,
    own: Option<Arc<CertifiedKey>>,
    alpn: &[u8],
) -> (Refusal, Reason) {
    let verifiers = Verifiers::over(std::slice::from_ref(&ca.der)).unwrap();
    let shaken = shake(fra.crypto().server, tls::client(&verifiers, own, alpn)).await;
    let refusal = match &shaken.accepted {
        Ok(connection) => fra.admit(connection).unwrap_err(),
        Err(error) => match fra.note_failure(error, &"a stranger") {
            Some(Failure::Refused(refusal)) => refusal,
            other => panic!("{error}: {other:?}"),
        },
    };
    // On its side the handshake may be done before it is judged.
    let error = match shaken.dialled {
        Ok(connection) => end_of(&connection).await,
        Err(error) => error,
    };
    // Counted on the other side by the words of this one: any node will do.
    match fra.note_failure(&error, &"ourselves") {
        Some(Failure::RefusedUs(reason)) => (refusal, reason),
        other => panic!("{error}: {other:?}"),
    }
}

#[tokio::test]
async fn who_dials_is_refused_for_its_own_reason() {
    let (ca, other_ca) = (Ca::new(None), Ca::new(None));
    let node = Node::new(&ca, "fra", "fra-1");
    let right = wanted("nyc", "nyc-1");
    let (lost, right_one) = (ca.issue(&right), ca.issue(&right));
    let lost_print = Fingerprint::of(&lost.der);
    node.write("deny.txt", &format!("{lost_print}\nspiffe://example/site/sin/node/sin-1\n"));
    let fra = node.trust();

    let with = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = right.clone();
        change(&mut wanted);
        ca.issue(&wanted).certified()
    };
    let of_other_mesh = |w: &mut Wanted| {
        w.dns = vec!["isobar.other".into()];
        w.uris = vec!["spiffe://other/site/nyc/node/nyc-1".into()];
    };
    let twice = |w: &mut Wanted| w.uris.push("spiffe://example/site/sin/node/sin-2".into());
    let foreign_dns = |w: &mut Wanted| w.dns = vec!["isobar.other".into()];
    let only_server = |w: &mut Wanted| w.usages.truncate(1);
    let cases: Vec<(&str, Option<Arc<CertifiedKey>>, Reason)> = vec![
        ("another CA", Some(other_ca.issue(&right).certified()), Reason::UnknownCa),
        ("over", Some(with(&|w| (w.from, w.until) = (-9, -1))), Reason::Expired),
        ("for later", Some(with(&|w| (w.from, w.until) = (1, 9))), Reason::NotYetValid),
        ("another mesh", Some(with(&of_other_mesh)), Reason::WrongMesh),
        ("none", None, Reason::NoCertificate),
        ("no URI", Some(with(&|w| w.uris.clear())), Reason::NoIdentity),
        ("two URIs", Some(with(&twice)), Reason::NoIdentity),
        (
            "a person's URI",
            Some(with(&|w| w.uris = vec!["spiffe://example/x".into()])),
            Reason::NoIdentity,
        ),
        ("no DNS name of the mesh", Some(with(&foreign_dns)), Reason::NoIdentity),
        ("denied by fingerprint", Some(lost.certified()), Reason::Denied),
        ("denied by name", Some(ca.issue(&wanted("sin", "sin-1")).certified()), Reason::Denied),
        ("another's key", Some(right_one.with_key(&lost.key_pem)), Reason::BadSignature),
        ("another purpose", Some(with(&only_server)), Reason::BadCertificate),
        ("the CA itself", Some(as_leaf(&ca, &right_one)), Reason::BadCertificate),
    ];
    for (index, (what, own, reason)) in cases.into_iter().enumerate() {
        let before = refused(&fra, reason);
        let (refusal, told) = dials(&fra, &ca, own, ALPN).await;
        assert_eq!(refusal.reason(), reason, "{what}: {refusal}");
        assert_eq!(told, reason, "{what}: what the refused one learns");
        assert_eq!(refused(&fra, reason), before + 1, "{what}");
        assert_eq!(refused_in_all(&fra), index as u64 + 1, "{what}");
    }
    let (refusal, told) = dials(&fra, &ca, Some(right_one.certified()), b"isobar/2").await;
    assert_eq!((refusal.reason(), told), (Reason::OtherProtocol, Reason::OtherProtocol));
}

/// The CA's certificate, shown as a node's with a node's key.
fn as_leaf(ca: &Ca, node: &Issued) -> Arc<CertifiedKey> {
    let with_key = node.certified();
    Arc::new(CertifiedKey::new(vec![ca.der.clone()], with_key.key.clone()))
}

#[tokio::test]
async fn who_is_dialled_is_refused_for_its_own_reason() {
    let (ca, other_ca) = (Ca::new(None), Ca::new(None));
    let node = Node::new(&ca, "nyc", "nyc-1");
    node.write("deny.txt", "spiffe://example/site/sin/node/sin-1\n");
    let nyc = node.trust();
    let right = wanted("fra", "fra-1");
    let mut over = right.clone();
    (over.from, over.until) = (-9, -1);
    let mut later = right.clone();
    (later.from, later.until) = (1, 9);
    let mut foreign = right.clone();
    foreign.dns = vec!["isobar.other".into()];
    foreign.uris = vec!["spiffe://other/site/fra/node/fra-1".into()];
    let mut nobody = right.clone();
    nobody.uris.clear();
    let lent = ca.issue(&right).with_key(&ca.issue(&right).key_pem);
    for (what, own, reason) in [
        ("another CA", other_ca.issue(&right).certified(), Reason::UnknownCa),
        ("over", ca.issue(&over).certified(), Reason::Expired),
        ("for later", ca.issue(&later).certified(), Reason::NotYetValid),
        ("another mesh", ca.issue(&foreign).certified(), Reason::WrongMesh),
        ("nobody", ca.issue(&nobody).certified(), Reason::NoIdentity),
        ("denied", ca.issue(&wanted("sin", "sin-1")).certified(), Reason::Denied),
        ("another's key", lent, Reason::BadSignature),
    ] {
        let verifiers = Verifiers::over(std::slice::from_ref(&ca.der)).unwrap();
        let shaken = shake(tls::server(&verifiers, own), nyc.crypto().client).await;
        let refusal = match &shaken.dialled {
            Ok(connection) => nyc.admit(connection).unwrap_err(),
            Err(error) => match nyc.note_failure(error, &"a stranger") {
                Some(Failure::Refused(refusal)) => refusal,
                other => panic!("{what}: {error}: {other:?}"),
            },
        };
        assert_eq!(refusal.reason(), reason, "{what}: {refusal}");
        assert_eq!(refused(&nyc, reason), 1, "{what}");
    }
}

#[test]
fn reasons_are_counted_in_their_order_and_told_once_a_second() {
    for (index, reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(*reason as usize, index, "{reason:?}");
    }
    let tally = crate::mesh::trust::refusal::Tally::new();
    assert_eq!(tally.count(Reason::Denied), Some(1));
    assert!((0..100).all(|_| tally.count(Reason::Denied).is_none()), "within the second");
    assert_eq!(tally.count(Reason::Expired), Some(1));
    assert_eq!(tally.figures()[Reason::Denied as usize], (Reason::Denied, 101));
}
