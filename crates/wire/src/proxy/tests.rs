use super::*;

fn v1(src: &str, dst: &str) -> String {
    let mut out = Vec::new();
    proxy_v1(src.parse().unwrap(), dst.parse().unwrap(), &mut out);
    assert!(out.len() <= V1_MAX);
    String::from_utf8(out).unwrap()
}

fn v2(src: &str, dst: &str) -> Vec<u8> {
    let mut out = b"before".to_vec();
    proxy_v2(src.parse().unwrap(), dst.parse().unwrap(), &mut out);
    assert!(out.len() <= 6 + V2_MAX);
    out.split_off(6)
}

#[test]
fn text() {
    let full = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    let cases = [
        ("192.0.2.1:56324", "198.51.100.7:1883", "TCP4 192.0.2.1 198.51.100.7 56324 1883"),
        ("[2001:db8::1]:1", "[2001:db8::2]:65535", "TCP6 2001:db8::1 2001:db8::2 1 65535"),
        ("[::1]:9", "[::]:9", "TCP6 ::1 :: 9 9"),
        // A dual-stack listener's view of an IPv4 client.
        ("[::ffff:192.0.2.1]:9", "[::ffff:192.0.2.2]:9", "TCP4 192.0.2.1 192.0.2.2 9 9"),
        ("[::ffff:192.0.2.1]:9", "192.0.2.2:9", "TCP4 192.0.2.1 192.0.2.2 9 9"),
        // Mixed: mapped, and in hexadecimal.
        ("192.0.2.1:9", "[2001:db8::2]:9", "TCP6 ::ffff:c000:201 2001:db8::2 9 9"),
        ("[2001:db8::2]:9", "0.0.0.1:9", "TCP6 2001:db8::2 ::ffff:0:1 9 9"),
        (
            full,
            full,
            "TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
             ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
        ),
    ];
    for (src, dst, expected) in cases {
        assert_eq!(v1(src, dst), format!("PROXY {expected}\r\n"));
    }
    let mut out = Vec::new();
    proxy_v1_unknown(&mut out);
    assert_eq!(out, b"PROXY UNKNOWN\r\n");
}

#[test]
fn binary() {
    let signature = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a";
    let ipv4 = b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\xdc\x04\x07\x5b";
    let expected = [&signature[..], ipv4].concat();
    assert_eq!(v2("192.0.2.1:56324", "198.51.100.7:1883"), expected);
    assert_eq!(v2("[::ffff:192.0.2.1]:56324", "[::ffff:198.51.100.7]:1883"), expected);

    let ipv6 = b"\x21\x21\x00\x24\
        \x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\
        \x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\
        \x00\x01\xff\xff";
    let expected = [&signature[..], ipv6].concat();
    assert_eq!(v2("[2001:db8::1]:1", "[2001:db8::2]:65535"), expected);

    let mixed = b"\x21\x21\x00\x24\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01\
        \x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\
        \x00\x09\x07\x5b";
    let expected = [&signature[..], mixed].concat();
    assert_eq!(v2("192.0.2.1:9", "[2001:db8::2]:1883"), expected);

    let mut out = Vec::new();
    proxy_v2_local(&mut out);
    assert_eq!(out, [&signature[..], b"\x20\x00\x00\x00"].concat());
}
