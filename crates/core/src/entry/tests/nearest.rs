//! Whose network is where, and who is near.

use super::*;

/// What an operator might have written down.
fn networks() -> Networks {
    let site = |net: &str, name: &str| (p(net), Locality::Site(Arc::from(name)));
    let at = |net: &str, lat, lon| (p(net), Locality::Place(place(lat, lon)));
    Networks::new(vec![
        site("198.51.100.0/24", "fra"),
        site("198.51.100.128/25", "nyc"),
        site("203.0.113.0/24", "sin"),
        site("203.0.113.64/26", "syd"),
        site("203.0.113.66", "fra"),
        site("192.0.2.0/24", "lon"),
        site("192.0.2.128/25", "atlantis"),
        at("10.0.0.0/8", 55.75, 37.62),     // Moscow
        at("10.1.0.0/16", 48.86, 2.35),     // Paris
        at("10.2.0.0/16", 42.36, -71.06),   // Boston
        at("10.3.0.0/16", -6.2, 106.85),    // Jakarta
        at("10.4.0.0/16", -36.85, 174.76),  // Auckland
        at("10.5.0.0/16", -34.6, -58.38),   // Buenos Aires
        at("10.6.0.0/16", 37.57, 126.98),   // Seoul
        at("10.7.0.0/16", -1.29, 36.82),    // Nairobi
        at("10.8.0.0/16", 61.22, -149.9),   // Anchorage
        at("10.9.0.0/16", 21.31, -157.86),  // Honolulu
        at("10.10.0.0/16", 14.69, -17.44),  // Dakar
        at("10.11.0.0/16", 19.08, 72.88),   // Mumbai
        at("10.12.0.0/16", 64.15, -21.94),  // Reykjavik
        at("10.13.0.0/16", -18.14, 178.44), // Suva
        at("10.14.0.0/16", -12.05, -77.04), // Lima
        site("2001:db8:f::/48", "fra"),
        site("2001:db8:f:8000::/49", "nyc"),
        site("2001:db8:5::/48", "sin"),
        site("2001:db8:5:1::/64", "syd"),
        site("2001:db8:5:1::53/128", "jnb"),
        at("2001:db8:a0::/44", 55.75, 37.62),   // Moscow
        at("2001:db8:a1::/48", 48.86, 2.35),    // Paris
        at("2001:db8:a2::/48", 42.36, -71.06),  // Boston
        at("2001:db8:a3::/48", -6.2, 106.85),   // Jakarta
        at("2001:db8:a4::/48", -36.85, 174.76), // Auckland
        at("2001:db8:a5::/48", -34.6, -58.38),  // Buenos Aires
        at("2001:db8:a6::/48", 37.57, 126.98),  // Seoul
        at("2001:db8:a7::/48", -1.29, 36.82),   // Nairobi
    ])
    .unwrap()
}

fn world() -> Town {
    let mut policy = policy(Ranking::Nearest);
    policy.networks = networks();
    policy.places.push(("lon".to_string(), place(51.51, -0.13)));
    Town::of(7, policy)
}

/// Client networks, the site they are sent to, and for how many bits that answer holds.
const CLIENTS: [(&str, &str, u8); 46] = [
    ("198.51.100.7", "fra", 25),
    ("198.51.100.127", "fra", 25),
    ("198.51.100.128", "nyc", 25),
    ("198.51.100.0/25", "fra", 25),
    ("198.51.100.0/24", "fra", 25),
    ("203.0.113.1", "sin", 26),
    ("203.0.113.63", "sin", 26),
    ("203.0.113.64", "syd", 31),
    ("203.0.113.66", "fra", 32),
    ("203.0.113.67", "syd", 32),
    ("203.0.113.130", "sin", 25),
    ("192.0.2.5", "fra", 25),
    ("192.0.2.200", "fra", 25),
    ("10.99.1.1", "fra", 10),
    ("10.1.2.3", "fra", 16),
    ("10.2.0.0/16", "nyc", 16),
    ("10.3.77.0/24", "sin", 16),
    ("10.4.0.9", "syd", 16),
    ("10.5.5.5", "gru", 16),
    ("10.6.1.0/28", "nrt", 16),
    ("10.7.0.1", "jnb", 16),
    ("10.8.0.1", "nyc", 16),
    ("10.9.0.1", "nrt", 16),
    ("10.10.0.1", "fra", 16),
    ("10.11.0.1", "sin", 16),
    ("10.12.0.1", "fra", 16),
    ("10.13.255.255", "syd", 16),
    ("10.14.0.0/24", "gru", 16),
    ("::ffff:10.5.5.5", "gru", 16),
    ("172.16.0.1", "fra", 2),
    ("2001:db8:f::1", "fra", 49),
    ("2001:db8:f:7fff::/64", "fra", 49),
    ("2001:db8:f:8000::/56", "nyc", 49),
    ("2001:db8:5::/56", "sin", 64),
    ("2001:db8:5:8000::1", "sin", 49),
    ("2001:db8:5:1::2", "syd", 122),
    ("2001:db8:5:1::53", "jnb", 128),
    ("2001:db8:af::1", "fra", 45),
    ("2001:db8:a1:5::/64", "fra", 48),
    ("2001:db8:a2::1", "nyc", 48),
    ("2001:db8:a3::1", "sin", 48),
    ("2001:db8:a4::/48", "syd", 48),
    ("2001:db8:a5::1", "gru", 48),
    ("2001:db8:a6:ffff::/64", "nrt", 48),
    ("2001:db8:a7::1", "jnb", 48),
    ("2001:4860::1", "fra", 18),
];

fn found(latitude: f64, longitude: f64, bits: u8) -> Option<Located> {
    Some(Located { place: Some(place(latitude, longitude)), bits })
}

#[test]
fn forty_networks_find_their_sites() {
    let mut town = world();
    for (network, site, scope) in CLIENTS {
        let client = from(network);
        let answer = town.asks(client, Form::V4);
        let named = answer.endpoints.unwrap()[0].site;
        assert_eq!((town.name(named), answer.scope), (site, scope), "{network}");
        assert_eq!(town.asks(client, Form::V6).scope, scope, "{network}");
    }
}

#[test]
fn behind_the_first_come_the_others_by_distance() {
    let mut town = world();
    assert_eq!(town.order(from("10.2.0.1")), "nyc fra gru nrt jnb sin syd");
    assert_eq!(town.order(from("203.0.113.1")), "sin nrt syd jnb fra nyc gru");
    assert_eq!(town.order(ANYONE), "fra nyc jnb nrt gru sin syd", "from our own");
    let parisian = Client { network: None, located: found(48.86, 2.35, 20) };
    assert_eq!(town.order(parisian), "fra nyc jnb gru nrt sin syd");
}

#[test]
fn why_is_told() {
    let mut town = world();
    let why = |town: &mut Town, client, form| town.asks(client, form).endpoints.unwrap()[0].why;
    assert_eq!(why(&mut town, from("198.51.100.7"), Form::V4), Why::ItsNetwork);
    assert_eq!(why(&mut town, from("10.1.0.1"), Form::V4), Why::Nearest);
    assert_eq!(why(&mut town, from("192.0.2.5"), Form::V4), Why::Nearest, "of a place we know");
    assert_eq!(why(&mut town, from("192.0.2.200"), Form::V4), Why::NearHome, "of one we do not");
    assert_eq!(why(&mut town, ANYONE, Form::Endpoints), Why::NearHome);
    assert_eq!(town.verdict(from("10.1.0.1"), "nyc"), Judged::PassedOver(PassedOver::Behind));
    assert_eq!(town.verdict(from("10.1.0.1"), "fra"), Judged::Named(0, Why::Nearest));
}

#[test]
fn the_operators_networks_count_before_a_database_which_has_its_own_reach() {
    let mut town = world();
    let tokyo = found(35.6, 139.7, 20);
    let configured = Client { located: tokyo, ..from("10.1.0.1") };
    assert_eq!(town.first(configured), "fra");
    let unknown = Client { located: tokyo, ..from("172.16.0.1") };
    assert_eq!(town.first(unknown), "nrt");
    assert_eq!(town.asks(unknown, Form::V4).scope, 20);
    let who_does_not_want_to_say = from("0.0.0.0/0");
    assert_eq!(town.asks(who_does_not_want_to_say, Form::V4).scope, 0);
}

/// RFC 7871, section 7.2.1: a scope of 0 would have the resolver tell everybody what was found for
/// one of whom nobody knows where it is.
#[test]
fn what_a_database_does_not_know_holds_no_further_than_that() {
    let mut town = world();
    let unknown = Some(Located { place: None, bits: 22 });
    let lost = Client { located: unknown, ..from("172.16.0.1") };
    assert_eq!(town.first(lost), "fra", "near the node that was asked");
    assert_eq!(town.asks(lost, Form::V4).scope, 22);
    let near = Client { located: Some(Located { place: None, bits: 1 }), ..from("172.16.0.1") };
    let told = town.asks(near, Form::V4).scope;
    assert_eq!(told, town.asks(from("172.16.0.1"), Form::V4).scope, "what is configured is nearer");
    assert!(told > 1);
    let configured = Client { located: unknown, ..from("10.1.0.1") };
    assert_eq!(town.asks(configured, Form::V4).scope, town.asks(from("10.1.0.1"), Form::V4).scope);
}

#[test]
fn a_site_whose_place_nobody_knows_comes_last_unless_it_is_the_networks_own() {
    let mut policy = policy(Ranking::Nearest);
    policy.places.retain(|(name, _)| name != "nyc");
    policy.networks = networks();
    let mut town = Town::of(3, policy);
    assert_eq!(town.order(from("10.2.0.1")), "fra sin nyc");
    assert_eq!(town.order(from("198.51.100.200")), "nyc fra sin");
    let nowhere = EntryPolicy { places: vec![], ..town.entry.policy.as_ref().clone() };
    let order = vec!["sin".to_string(), "nyc".to_string()];
    let mut town = Town::of(4, EntryPolicy { order, ..nowhere });
    assert_eq!(town.order(ANYONE), "fra sin nyc syd", "ours, then as configured, then by name");
}

#[test]
fn only_the_nearest_depends_on_who_asks() {
    for ranking in [Ranking::Headroom, Ranking::Failover] {
        let networks = networks();
        let mut town = Town::of(3, EntryPolicy { networks, ..policy(ranking) });
        assert_eq!(town.asks(from("198.51.100.200"), Form::V4).scope, 0);
    }
}
