//! With small files in MaxMind's format, written here by its specification (version 2.0).

use std::net::{IpAddr, Ipv4Addr};

use super::*;

/// A database of type City for IPv4 networks, each with a latitude and a longitude.
pub(super) fn city(networks: &[(&str, u8, f64, f64)]) -> Vec<u8> {
    file("Test-City", networks)
}

fn file(kind: &str, networks: &[(&str, u8, f64, f64)]) -> Vec<u8> {
    // Nodes of a binary tree: two records each, `None` where nothing is known.
    #[derive(Clone, Copy)]
    enum To {
        Nothing,
        Node(usize),
        Data(usize),
    }
    let mut nodes = vec![[To::Nothing; 2]];
    let mut data = Vec::new();
    for (ip, length, latitude, longitude) in networks {
        let bits = u32::from(ip.parse::<Ipv4Addr>().unwrap());
        let mut at = 0;
        for depth in 0..*length {
            let side = (bits >> (31 - depth) & 1) as usize;
            if depth + 1 == *length {
                nodes[at][side] = To::Data(data.len());
            } else {
                at = match nodes[at][side] {
                    To::Node(next) => next,
                    _ => {
                        nodes.push([To::Nothing; 2]);
                        let next = nodes.len() - 1;
                        nodes[at][side] = To::Node(next);
                        next
                    }
                };
            }
        }
        // {"location": {"latitude": double, "longitude": double}}
        map(&mut data, 1);
        text(&mut data, "location");
        map(&mut data, 2);
        for (key, degrees) in [("latitude", latitude), ("longitude", longitude)] {
            text(&mut data, key);
            data.push(3 << 5 | 8);
            data.extend_from_slice(&degrees.to_be_bytes());
        }
    }
    let count = nodes.len();
    let mut out = Vec::new();
    for record in nodes.iter().flatten() {
        let value = match *record {
            To::Nothing => count,
            To::Node(at) => at,
            To::Data(at) => count + 16 + at,
        };
        out.extend_from_slice(&(value as u32).to_be_bytes()[1..]);
    }
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&data);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    map(&mut out, 9);
    let mut number = |key: &str, control: &[u8], bytes: &[u8]| {
        text(&mut out, key);
        out.extend_from_slice(control);
        out.extend_from_slice(bytes);
    };
    number("node_count", &[6 << 5 | 4], &(count as u32).to_be_bytes());
    number("record_size", &[5 << 5 | 2], &24_u16.to_be_bytes());
    number("ip_version", &[5 << 5 | 2], &4_u16.to_be_bytes());
    number("binary_format_major_version", &[5 << 5 | 2], &2_u16.to_be_bytes());
    number("binary_format_minor_version", &[5 << 5 | 2], &0_u16.to_be_bytes());
    number("build_epoch", &[8, 2], &1_700_000_000_u64.to_be_bytes());
    // An empty list, and an empty map.
    number("languages", &[0, 4], &[]);
    number("description", &[7 << 5], &[]);
    text(&mut out, "database_type");
    text(&mut out, kind);
    out
}

fn map(out: &mut Vec<u8>, entries: u8) {
    out.push(7 << 5 | entries);
}

fn text(out: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 29);
    out.push(2 << 5 | text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

fn open(bytes: &[u8]) -> Result<Geo, GeoError> {
    let path = std::env::temp_dir().join(format!(
        "isobar-geo-{}-{:?}.mmdb",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::write(&path, bytes).unwrap();
    let opened = Geo::open(&path);
    std::fs::remove_file(&path).unwrap();
    opened
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn an_address_is_where_its_network_is() {
    let bytes = city(&[
        ("198.51.100.0", 24, 50.11, 8.68),
        ("192.0.2.0", 25, 40.71, -74.01),
        ("203.0.113.0", 24, 91.0, 0.0),
    ]);
    let geo = open(&bytes).unwrap();
    let at = |place, bits| Located { place, bits };
    let fra = Place::at_microdegrees(50_110_000, 8_680_000);
    assert_eq!(geo.locate(ip("198.51.100.77")), at(Some(fra), 24));
    let nyc = Place::at_microdegrees(40_710_000, -74_010_000);
    assert_eq!(geo.locate(ip("192.0.2.1")), at(Some(nyc), 25));
    assert_eq!(geo.locate(ip("192.0.2.200")), at(None, 25), "not in it");
    assert_eq!(geo.locate(ip("203.0.113.1")), at(None, 24), "no such latitude");
    assert_eq!(geo.locate(ip("2001:db8::1")), at(None, 0), "a tree of IPv4 alone");
}

#[test]
fn what_is_no_city_database_is_refused_and_what_is_damaged_does_no_harm() {
    assert!(matches!(open(b"not a database"), Err(GeoError::Unreadable(_))));
    let asn = file("Test-ASN", &[("198.51.100.0", 24, 50.11, 8.68)]);
    assert!(matches!(open(&asn), Err(GeoError::NoPlaces(kind)) if kind == "Test-ASN"));
    assert!(matches!(Geo::open(Path::new("/nowhere.mmdb")), Err(GeoError::Unreadable(_))));
    let good = city(&[("198.51.100.0", 24, 50.11, 8.68)]);
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        if let Ok(geo) = open(&bytes) {
            let _ = geo.locate(ip("198.51.100.77"));
        }
    }
}
