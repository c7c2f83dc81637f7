use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What mosquitto 2.0.11 answers a 5.0 client without an id, with `max_keepalive 30`.
const MOSQUITTO_5: &[u8] = b"\x208\x00\x005\"\x00\x0a\x13\x00\x1e\x12\x00)\
    auto-CC9C4F08-68E0-7289-BF43-23AD6A2C4FB1!\x00\x14";

fn plain(len: usize, code: u8) -> Connack<'static> {
    Connack {
        len,
        code,
        session_present: false,
        server_keepalive: None,
        server_reference: None,
        assigned_client_id: None,
        session_expiry: None,
        receive_maximum: None,
    }
}

#[test]
fn answers() {
    use Protocol::{V5, V31, V311};
    let cases: [(&[u8], Protocol, Connack<'_>); 14] = [
        (b"\x20\x02\x00\x00", V31, plain(4, 0)),
        (b"\x20\x02\x01\x00", V31, plain(4, 0)), // reserved in 3.1
        (b"\x20\x02\x00\x00", V311, plain(4, 0)),
        (b"\x20\x02\x01\x00", V311, Connack { session_present: true, ..plain(4, 0) }),
        (b"\x20\x02\x00\x03", V311, plain(4, 3)),
        (b"\x20\x02\xfe\x05", V311, plain(4, 5)), // odd, and the client's affair
        (b"\x20\x82\x00\x00\x00", V311, plain(5, 0)),
        (b"\x20\x02\x00\x01", V5, plain(4, 1)), // a broker that knows no 5.0
        (b"\x20\x03\x00\x89\x00", V5, plain(5, 0x89)),
        (b"\x20\x03\x01\x00\x00", V5, Connack { session_present: true, ..plain(5, 0) }),
        (
            MOSQUITTO_5,
            V5,
            Connack {
                server_keepalive: Some(30),
                assigned_client_id: Some("auto-CC9C4F08-68E0-7289-BF43-23AD6A2C4FB1"),
                receive_maximum: Some(20),
                ..plain(58, 0)
            },
        ),
        (
            b"\x20\x0c\x00\x9c\x09\x1c\x00\x06b:1883",
            V5,
            Connack { server_reference: Some("b:1883"), ..plain(14, 0x9c) },
        ),
        (
            b"\x20\x08\x00\x00\x05\x11\x00\x00\x0e\x10",
            V5,
            Connack { session_expiry: Some(3600), ..plain(10, 0) },
        ),
        (
            // Everything else the standard allows in a CONNACK.
            b"\x20\x33\x00\x00\x30\x15\x00\x01m\x16\x00\x01\xff\x1a\x00\x01r\x1f\x00\x01w\
              \x22\x00\x00\x24\x01\x25\x00\x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01v\
              \x27\x00\x00\x01\x00\x28\x01\x29\x01\x2a\x01",
            V5,
            plain(53, 0),
        ),
    ];
    for (bytes, protocol, expected) in cases {
        assert_eq!(scan_answer(bytes, protocol), Ok(Some(Answer::Connack(expected))), "{bytes:x?}");
        for n in 0..bytes.len() {
            assert_eq!(scan_answer(&bytes[..n], protocol), Ok(None), "{n} of {bytes:x?}");
        }
        let more = [bytes, b"\x30\x05\x00\x01ahi"].concat();
        assert_eq!(scan_answer(&more, protocol), Ok(Some(Answer::Connack(expected))));
    }
}

#[test]
fn an_exchange_begins() {
    let auth = b"\xf0\x06\x18\x04\x15\x00\x01m";
    assert_eq!(scan_answer(auth, Protocol::V5), Ok(Some(Answer::Auth { len: 8 })));
    assert_eq!(scan_answer(&auth[..7], Protocol::V5), Ok(None));
    let first = 0xf0;
    assert_eq!(scan_answer(auth, Protocol::V311), Err(AnswerError::NotMqtt { first }));
}

#[test]
fn no_answer() {
    use AnswerError::{Malformed, NotMqtt, TooLong};
    use Protocol::{V5, V31, V311};
    let cases: [(&[u8], Protocol, AnswerError); 18] = [
        (b"HTTP/1.1 400", V311, NotMqtt { first: b'H' }),
        (b"\x21", V311, NotMqtt { first: 0x21 }),
        (b"\x30\x05", V5, NotMqtt { first: 0x30 }),
        (b"\xe0\x00", V5, NotMqtt { first: 0xe0 }),
        (b"\x20\xfd\xff\x03", V5, TooLong),
        (b"\xf0\xff\xff\xff\x7f", V5, TooLong),
        (b"\x20\x80\x80\x80\x80", V311, Malformed),
        (b"\x20\x00", V311, Malformed),
        (b"\x20\x01\x00", V311, Malformed),
        (b"\x20\x03\x00\x00\x00", V311, Malformed),
        (b"\x20\x03\x00\x00\x00", V31, Malformed),
        (b"\x20\x04\x00\x00\x00\x00", V5, Malformed),
        (b"\x20\x03\x00\x00\x01", V5, Malformed),
        (b"\x20\x05\x00\x00\x02\x7f\x00", V5, Malformed),
        (b"\x20\x05\x00\x00\x02\x17\x00", V5, Malformed), // a CONNECT's property
        (b"\x20\x06\x00\x00\x03\x21\x00\x00", V5, Malformed),
        (b"\x20\x07\x00\x00\x04\x12\x00\x01\xff", V5, Malformed),
        (b"\x20\x09\x00\x00\x06\x13\x00\x01\x13\x00\x01", V5, Malformed),
    ];
    for (bytes, protocol, expected) in cases {
        assert_eq!(scan_answer(bytes, protocol), Err(expected), "{bytes:x?}");
    }
    assert_eq!(scan_answer(b"\x20\xfc\xff\x03", V5), Ok(None), "exactly the limit");
}

/// The same bytes cut at every length, with the frame shortened to match.
#[test]
fn fields_cut_at_every_length_are_malformed() {
    for n in 0..MOSQUITTO_5.len() - 2 {
        let cut = [&[0x20, n as u8], &MOSQUITTO_5[2..2 + n]].concat();
        let expected = match n {
            2 => Ok(Some(Answer::Connack(plain(4, 0)))), // no properties at all
            _ => Err(AnswerError::Malformed),
        };
        assert_eq!(scan_answer(&cut, Protocol::V5), expected, "{n} bytes");
    }
}

fn protocols() -> impl Strategy<Value = Protocol> {
    prop::sample::select(vec![Protocol::V31, Protocol::V311, Protocol::V5])
}

proptest! {
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300), protocol in protocols()) {
        check_bounds(&bytes, protocol)?;
    }

    #[test]
    fn any_body(tail in vec(any::<u8>(), 0..120), protocol in protocols()) {
        check_bounds(&[&[0x20, tail.len() as u8], &tail[..]].concat(), protocol)?;
    }

    #[test]
    fn any_mutation(at in 0..MOSQUITTO_5.len(), byte: u8) {
        let mut bytes = MOSQUITTO_5.to_vec();
        bytes[at] = byte;
        check_bounds(&bytes, Protocol::V5)?;
    }
}

fn check_bounds(bytes: &[u8], protocol: Protocol) -> Result<(), TestCaseError> {
    if let Ok(Some(Answer::Connack(Connack { len, .. }) | Answer::Auth { len })) =
        scan_answer(bytes, protocol)
    {
        prop_assert!(len >= 2 && len <= bytes.len().min(ANSWER_MAX));
    }
    Ok(())
}
