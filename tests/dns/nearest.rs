//! Forty client networks, and the site that each is told.

use crate::harness::*;
use crate::{ZONE, answers, dns_table};

/// Sites of a mesh, each with where it is.
const SITES: [(&str, f64, f64); 3] =
    [("fra", 50.11, 8.68), ("nyc", 40.71, -74.01), ("sin", 1.35, 103.82)];

/// A client's network, the site it is told, and the scope of the answer.
const TABLE: [(&str, &str, u8); 40] = [
    // Configured to belong to a site.
    ("198.51.100.0/24", "fra", 24),
    ("198.51.100.77/32", "fra", 24),
    ("198.51.101.0/24", "nyc", 24),
    ("198.51.102.0/24", "sin", 24),
    ("198.51.102.128/25", "sin", 24),
    ("10.0.0.0/24", "fra", 12),
    ("10.15.255.0/24", "fra", 12),
    ("10.16.0.0/24", "nyc", 16),
    ("10.16.255.255/32", "nyc", 16),
    // Not for the neighbour of one that is answered otherwise: it is in 10.32.4.0/22.
    ("10.32.0.0/24", "nyc", 22),
    ("10.47.1.0/24", "nyc", 13),
    ("10.48.0.0/24", "sin", 12),
    // The longest network counts.
    ("10.32.5.0/24", "sin", 24),
    ("10.32.5.9/32", "sin", 24),
    ("10.32.4.0/24", "nyc", 24),
    ("10.32.6.0/24", "nyc", 23),
    // In a place: the nearest site by distance.
    ("192.0.2.0/26", "sin", 26),
    ("192.0.2.64/26", "fra", 26),
    ("192.0.2.128/26", "nyc", 26),
    // Larger than what is known: near this node, and smaller ones may ask again.
    ("192.0.2.0/24", "fra", 26),
    ("192.0.2.130/32", "nyc", 26),
    // In none: near this node.
    ("203.0.113.0/24", "fra", 5),
    ("8.8.8.0/24", "fra", 7),
    ("1.1.1.1/32", "fra", 5),
    ("172.16.0.0/16", "fra", 2),
    ("100.64.0.0/10", "fra", 2),
    // IPv6.
    ("2001:db8:1::/48", "fra", 48),
    ("2001:db8:1:ff00::/56", "fra", 48),
    ("2001:db8:2::/48", "nyc", 48),
    ("2001:db8:2::1/128", "nyc", 48),
    ("2001:db8:3::/56", "sin", 48),
    ("2001:db8:8000::/48", "nyc", 33),
    ("2001:db8:ffff::/56", "nyc", 33),
    ("2001:db8:4::/56", "sin", 48),
    ("2001:db8:4:100::/56", "sin", 48),
    ("2001:db8:5::/56", "nyc", 48),
    ("2001:db8:6::/48", "fra", 48),
    ("2001:db8:100::/48", "fra", 40),
    ("2a00::/16", "fra", 5),
    ("fd00::/8", "fra", 1),
];

const NETWORKS: &str = "[entry]\nnetworks = [\n\
    { site = \"fra\", nets = [\"198.51.100.0/24\", \"10.0.0.0/12\", \"2001:db8:1::/48\"] },\n\
    { site = \"nyc\", nets = [\"198.51.101.0/24\", \"10.16.0.0/16\", \"10.32.0.0/12\", \
      \"2001:db8:2::/48\", \"2001:db8:8000::/33\"] },\n\
    { site = \"sin\", nets = [\"198.51.102.0/24\", \"10.48.0.0/12\", \"10.32.5.0/24\", \
      \"2001:db8:3::/48\"] },\n\
    { location = [-33.87, 151.21], nets = [\"192.0.2.0/26\", \"2001:db8:4::/48\"] },\n\
    { location = [30.04, 31.24], nets = [\"192.0.2.64/26\"] },\n\
    { location = [-23.55, -46.63], nets = [\"192.0.2.128/26\", \"2001:db8:5::/48\"] },\n\
    { location = [64.15, -21.94], nets = [\"192.0.2.192/26\", \"2001:db8:6::/48\"] },\n\
]\nplaces = [\n";

#[tokio::test]
async fn forty_networks_are_told_their_sites() {
    let _turn = alone().await;
    let dns = free_dns_addr();
    let places = SITES.map(|(site, lat, lon)| {
        format!("  {{ site = \"{site}\", location = [{lat:.2}, {lon:.2}] }},\n")
    });
    let table = format!("{NETWORKS}{}]\n{}", places.concat(), dns_table(dns, ""));
    let plan = MeshPlan::of(&SITES.map(|(site, ..)| site));
    let plan = plan.each_node(move |site, node| match site {
        "fra" => node.table(&table),
        _ => node,
    });
    // Each site has an address of both families to tell.
    let plan = plan.each_service(|site, service| {
        let n = SITES.iter().position(|(name, ..)| *name == site).unwrap() + 1;
        service.raw(&format!("public = [\"203.0.113.{n}:1883\", \"[2001:db8:ffff::{n}]:1883\"]"))
    });
    let _mesh = plan.start().await;
    answers(dns).await;
    let site_of = |ip: &str| {
        let n = ip.rsplit(['.', ':']).next().and_then(|n| n.parse::<usize>().ok());
        SITES[n.unwrap_or_else(|| panic!("not of a site: {ip}")) - 1].0
    };
    let mut wrong = Vec::new();
    for (network, site, scope) in TABLE {
        for kind in ["A", "AAAA"] {
            let told = dig(dns, &[ZONE, kind, &format!("+subnet={network}")]).await;
            let ips = told.data(kind);
            assert_eq!(ips.len(), 1, "{network}: {}", told.text);
            let echoed = told.text.lines().find_map(|line| line.split_once("CLIENT-SUBNET: "));
            let echoed = echoed.map(|(_, echoed)| echoed.trim().to_owned()).unwrap_or_default();
            let said: u8 = echoed.rsplit('/').next().and_then(|n| n.parse().ok()).unwrap_or(255);
            if (site_of(&ips[0]), said) != (site, scope) {
                let got = site_of(&ips[0]);
                wrong.push(format!("{network} {kind}: {got}/{said}, not {site}/{scope}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{} networks, A and AAAA: each told its site", TABLE.len());
}
