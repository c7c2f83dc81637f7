//! Every record type, and every way not to have one, as `dig` sees it.

use crate::harness::*;
use crate::{ZONE, alone_over};

#[tokio::test]
async fn dig_gets_every_record_type() {
    let _turn = beside().await;
    let mosquittos = [Mosquitto::start("a").await];
    let (isobar, dns) = alone_over(&mosquittos, "").await;
    let (ip, port) = (isobar.addr().ip().to_string(), isobar.addr().port());

    let told = dig(dns, &[ZONE, "A"]).await;
    assert_eq!(
        (told.status(), told.flags(), told.data("A")),
        ("NOERROR", "qr aa", vec![ip.clone()])
    );
    assert_eq!(told.ttl(), Some(30), "{}", told.text);
    let told = dig(dns, &["+recurse", ZONE, "A"]).await;
    assert_eq!(told.flags(), "qr aa rd", "asked for, and not available");

    let told = dig(dns, &[ZONE, "SOA"]).await;
    let soa = told.data("SOA").remove(0);
    assert!(soa.starts_with(&format!("ns1.{ZONE}. hostmaster.{ZONE}. ")), "{soa}");
    let told = dig(dns, &[ZONE, "NS"]).await;
    assert_eq!(told.data("NS"), [format!("ns1.{ZONE}.")]);
    assert_eq!(told.section("ADDITIONAL")[0][4], dns.ip().to_string(), "{}", told.text);

    let told = dig(dns, &[&format!("_mqtt._tcp.{ZONE}"), "SRV"]).await;
    let srv = told.data("SRV").remove(0);
    let target = srv.strip_prefix(&format!("0 1 {port} ")).expect("the port is the listener's");
    assert_eq!(dig(dns, &[target, "A"]).await.data("A"), std::slice::from_ref(&ip));
    assert_eq!(told.section("ADDITIONAL")[0][4], ip);

    let told = dig(dns, &[ZONE, "ANY", "+notcp"]).await;
    assert_eq!(told.data("HINFO"), ["\"RFC8482\" \"\""]);

    for (name, kind) in [
        (ZONE.to_owned(), "AAAA"),
        (ZONE.to_owned(), "MX"),
        (ZONE.to_owned(), "TXT"),
        (ZONE.to_owned(), "TYPE65280"),
        (format!("_tcp.{ZONE}"), "A"),
        (format!("_secure-mqtt._tcp.{ZONE}"), "SRV"),
    ] {
        let told = dig(dns, &[&name, kind]).await;
        assert_eq!((told.status(), told.flags()), ("NOERROR", "qr aa"), "{}", told.text);
        assert!(told.section("ANSWER").is_empty());
        assert_eq!(told.section("AUTHORITY")[0][3], "SOA", "{}", told.text);
    }
    let told = dig(dns, &[&format!("nobody.{ZONE}"), "A"]).await;
    assert_eq!((told.status(), told.section("AUTHORITY")[0][3]), ("NXDOMAIN", "SOA"));
    let told = dig(dns, &["example.com", "A"]).await;
    assert_eq!((told.status(), told.flags()), ("REFUSED", "qr"));
    let told = dig(dns, &["version.bind", "CH", "TXT"]).await;
    assert_eq!(told.status(), "REFUSED");
    let told = dig(dns, &["+opcode=NOTIFY", ZONE, "SOA"]).await;
    assert_eq!(told.status(), "NOTIMP");
    let told = dig(dns, &[ZONE, "AXFR"]).await;
    assert!(told.says("Transfer failed"), "{}", told.text);
}

#[tokio::test]
async fn edns_is_spoken_and_case_is_kept() {
    let _turn = beside().await;
    let mosquittos = [Mosquitto::start("a").await];
    let (_isobar, dns) = alone_over(&mosquittos, "").await;
    let told = dig(dns, &["M.eXAMPLe", "A", "+bufsize=4096"]).await;
    assert!(told.says(";M.eXAMPLe.") && told.says("\nM.eXAMPLe."), "{}", told.text);
    assert!(told.says("udp: 1232"), "{}", told.text);
    let told = dig(dns, &[ZONE, "A", "+noedns"]).await;
    assert!(!told.says("OPT PSEUDOSECTION"), "{}", told.text);
    let told = dig(dns, &[ZONE, "A", "+edns=1", "+noednsneg"]).await;
    assert_eq!(told.status(), "BADVERS", "{}", told.text);
    let told = dig(dns, &[ZONE, "A", "+dnssec"]).await;
    assert!(told.says("flags: do"), "given back: {}", told.text);
    let told = dig(dns, &[ZONE, "A", "+ednsopt=65001:abcd"]).await;
    assert_eq!(told.status(), "NOERROR", "options that nobody knows are no harm");
    let told = dig(dns, &[ZONE, "A", "+subnet=198.51.100.0/24"]).await;
    assert!(told.says("CLIENT-SUBNET: 198.51.100.0/24/0"), "{}", told.text);
    let told = dig(dns, &[ZONE, "A", "+subnet=0"]).await;
    assert!(told.says("CLIENT-SUBNET: 0.0.0.0/0/0"), "{}", told.text);
}

#[tokio::test]
async fn what_is_cut_is_had_by_tcp() {
    let _turn = beside().await;
    let mosquittos = [Mosquitto::start("a").await];
    // Their hosts have long names.
    let public: Vec<String> =
        (1..=8).map(|n| format!("\"[2001:db8:1111:2222:3333:4444:5555:{n}]:1883\"")).collect();
    let service = Service::over(&mosquittos);
    let service = service.raw(&format!("public = [{}]", public.join(", ")));
    let dns = free_dns_addr();
    let _isobar = Node::new(service).table(&crate::dns_table(dns, "")).start().await;
    eventually("it is answered", PATIENCE, async || {
        !dig(dns, &[ZONE, "AAAA"]).await.data("AAAA").is_empty()
    })
    .await;
    let srv = format!("_mqtt._tcp.{ZONE}");
    let cut = dig(dns, &[&srv, "SRV", "+noedns", "+ignore"]).await;
    assert_eq!(cut.flags(), "qr aa tc");
    assert!(cut.section("ANSWER").is_empty());
    let whole = dig(dns, &[&srv, "SRV", "+noedns"]).await;
    assert!(whole.says("retrying in TCP mode") || whole.says("Truncated"), "{}", whole.text);
    assert_eq!(whole.data("SRV").len(), 8);
    let by_tcp = dig(dns, &[&srv, "SRV", "+tcp", "+keepopen", ZONE, "AAAA"]).await;
    assert_eq!(by_tcp.text.matches("status: NOERROR").count(), 2, "{}", by_tcp.text);
    // Two addresses at most, and all of them in turn.
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let told = dig(dns, &[ZONE, "AAAA", "+short"]).await;
        let ips: Vec<&str> = told.text.lines().collect();
        assert_eq!(ips.len(), 2, "{}", told.text);
        seen.extend(ips.into_iter().map(str::to_owned));
        if seen.len() == 8 {
            break;
        }
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[tokio::test]
async fn a_network_that_asks_too_often_is_sent_to_tcp() {
    let _turn = beside().await;
    let mosquittos = [Mosquitto::start("a").await];
    let dns = free_dns_addr();
    let table = crate::dns_table(dns, "");
    let table = table.replace("per_prefix_per_second = 0", "per_prefix_per_second = 20");
    let node = Node::new(Service::over(&mosquittos)).table(&table);
    let isobar = node.start().await;
    crate::answers(dns).await;
    let flood = tokio::net::UdpSocket::bind((fresh_ip(), 0)).await.unwrap();
    // The query of `dig m.example A +noedns`.
    let query =
        b"\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01m\x07example\x00\x00\x01\x00\x01";
    for _ in 0..500 {
        flood.send_to(query, dns).await.unwrap();
    }
    let dns_of = async || isobar.report().await["dns"].clone();
    eventually("all of them were seen", PATIENCE, async || {
        num(&dns_of().await, "/queries_udp") >= 500
    })
    .await;
    let report = dns_of().await;
    let (slipped, silenced) = (num(&report, "/slipped"), num(&report, "/silenced"));
    println!("of 500 questions {slipped} were sent to TCP, {silenced} not answered");
    assert!(slipped + silenced > 400 && slipped.abs_diff(silenced) <= 1, "{report}");
    // A real client of that network comes by TCP, and is answered.
    let from = format!("-b{}", flood.local_addr().unwrap().ip());
    let told = dig(dns, &[&from, ZONE, "A", "+tcp"]).await;
    assert_eq!(told.status(), "NOERROR");
}
