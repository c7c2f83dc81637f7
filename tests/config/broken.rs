//! Broken configurations. Each error names the line, what is wrong with it, and what would do.

use std::fs;
use std::path::Path;

use isobar::config;

use crate::{BASE, base_with, host, parse, refused};

/// A line of [`BASE`] to replace, what replaces it, the line that is blamed, a part of what is
/// said, a part of the remedy.
type Case = (usize, &'static str, usize, &'static str, &'static str);

const AT_TOP: usize = 1;
const SERVICE_NAME: usize = 3;
const BIND: usize = 4;
const BROKER_NAME: usize = 6;
const ADDR: usize = 7;

const NOT_TOML: &[Case] = &[
    (AT_TOP, "maxconn = ", 1, "not TOML", "give the key a value"),
    (AT_TOP, "drain_timeout = 2s", 1, "not TOML", "in quotes: \"2s\""),
    (AT_TOP, "maxconn", 1, "key with no value", "key = value"),
    (AT_TOP, "maxconn = 1\nmaxconn = 2", 2, "duplicate key", "remove one of the two"),
    (AT_TOP, "maxconn = 1 site = \"x\"", 1, "not TOML", "one key = value to a line"),
    (SERVICE_NAME, "name = \"mqtt", 3, "not TOML", "close the quotes"),
    (SERVICE_NAME, "name = \"C:\\mqtt\"", 3, "not TOML", "backslash"),
    (2, "[[service]", 2, "not TOML", "[[service]]"),
    (ADDR, "addr = \"10.0.0.1:1883\"\nsource = [\"10.0.0.1\"", 8, "not TOML", "with ]"),
];

const KEYS_AND_TYPES: &[Case] = &[
    (AT_TOP, "maxcon = 1", 1, "unknown key `maxcon`; did you mean `maxconn`?", "known here: site"),
    (AT_TOP, "weight = 1", 1, "unknown key `weight` here", "belongs in `[[service.broker]]`"),
    (AT_TOP, "colour = 1", 1, "unknown key `colour`", "remove it"),
    (AT_TOP, "maxconn = \"1000\"", 1, "must be a whole number", "without quotes: maxconn = 1000"),
    (AT_TOP, "maxconn = 1.5", 1, "maxconn = 1.5: must be a whole number", "1 to 10_000_000"),
    (AT_TOP, "site = 5", 1, "site = 5: must be a name", "in quotes: site = \"5\""),
    (AT_TOP, "drain_timeout = true", 1, "must be a duration", "default: 1m"),
    (AT_TOP, "maxconn = 99999999999999999999", 1, "must be a whole number", "1 to 10_000_000"),
    (2, "[service]", 2, "service must be a list of tables", "[[service]], in double brackets"),
    (SERVICE_NAME, "retrys = 1", 3, "did you mean `retries`?", "known here: name, bind"),
    (SERVICE_NAME, "connect-timeout = \"2s\"", 3, "did you mean `connect_timeout`?", "known here"),
    (SERVICE_NAME, "mode = \"http\"", 3, "must be one of \"mqtt\", \"tcp\"", "write mode ="),
    (SERVICE_NAME, "balance = \"leastcon\"", 3, "must be one of", "balance = \"leastconn\""),
    (SERVICE_NAME, "mode = 3", 3, "mode = 3: must be one of \"mqtt\", \"tcp\"", "default: mqtt"),
    (SERVICE_NAME, "affinity = \"yes\"", 3, "must be true or false", "write affinity = true"),
    (SERVICE_NAME, "takeover = \"true\"", 3, "must be true or false", "without quotes"),
    (SERVICE_NAME, "per_source = { maxcon = 1 }", 3, "did you mean `maxconn`?", "known here"),
    (BIND, "bind = \"127.0.0.1:1883\"", 4, "must be a list", "bind = [\"127.0.0.1:1883\"]"),
    (BIND, "bind = [1883]", 4, "bind has 1883: must be a list", "in quotes: \"1883\""),
    (BIND, "bind = [{ add = \"127.0.0.1:1\" }]", 4, "did you mean `addr`?", "known here: addr"),
    (BROKER_NAME, "wieght = 2", 6, "did you mean `weight`?", "known here: name, addr"),
    (BROKER_NAME, "check = \"ping\"", 6, "must be one of \"mqtt\", \"tcp\"", "write check ="),
    (BROKER_NAME, "check = 5", 6, "must be true, false", "default: true"),
    (BROKER_NAME, "check = { intre = \"2s\" }", 6, "did you mean `inter`?", "known here: kind"),
    (
        BROKER_NAME,
        "send_proxy = \"v3\"",
        6,
        "must be one of \"off\", \"v1\", \"v2\"",
        "send_proxy =",
    ),
];

const VALUES: &[Case] = &[
    (AT_TOP, "maxconn = 0", 1, "must be 1 to 10_000_000", "the least is 1"),
    (AT_TOP, "maxconn = -5", 1, "must be 1 to 10_000_000", "the least is 1"),
    (AT_TOP, "workers = 1000", 1, "must be 1 to 256", "the most is 256"),
    (AT_TOP, "seed = -1", 1, "must not be negative", "or write 0"),
    (SERVICE_NAME, "spill = true", 3, "spill = true: must be a table", "default: on"),
    (SERVICE_NAME, "spill = { reserve = 10 }", 3, "no unit", "\"10%\""),
    (SERVICE_NAME, "spill = { reserve = \"10\" }", 3, "no unit", "\"10%\""),
    (SERVICE_NAME, "spill = { reserve = \"101%\" }", 3, "must be 0% to 100%", "the most is 100%"),
    (SERVICE_NAME, "spill = { reserve = \"-1%\" }", 3, "not a share", "\"10%\""),
    (SERVICE_NAME, "spill = { reserve = \"1.5%\" }", 3, "not a share", "whole numbers"),
    (SERVICE_NAME, "spill = { accept_per_second = 0 }", 3, "must be 1 to 1_000_000", "least is 1"),
    (SERVICE_NAME, "spill = { reserves = \"1%\" }", 3, "did you mean `reserve`?", "known here"),
    (AT_TOP, "site = \"a b\"", 1, "must be 1 to 64", "for example \"a-b\""),
    (AT_TOP, "node = \"\"", 1, "must be 1 to 64", "leave the key out"),
    (AT_TOP, "location = [8.68]", 1, "must be two numbers", "latitude first"),
    (AT_TOP, "location = [91, 0]", 1, "latitude must be -90 to 90", "latitude first"),
    (AT_TOP, "location = [0, nan]", 1, "longitude must be -180 to 180", "latitude first"),
    (AT_TOP, "drain_timeout = 60", 1, "drain_timeout = 60: no unit", "\"60s\" or \"60ms\""),
    (AT_TOP, "drain_timeout = \"60\"", 1, "no unit", "\"60s\" or \"60ms\""),
    (AT_TOP, "drain_timeout = \"2d\"", 1, "not a duration", "look like"),
    (SERVICE_NAME, "connect_timeout = \"0s\"", 3, "must be 1ms to 5m", "the least is 1ms"),
    (SERVICE_NAME, "connack_timeout = \"1h\"", 3, "must be 1ms to 5m", "the most is 5m"),
    (
        SERVICE_NAME,
        "deadline = \"1s\"",
        3,
        "shorter than connect_timeout (2s, the default)",
        "longer one",
    ),
    (SERVICE_NAME, "connack_timeout = \"20s\"", 3, "longer than deadline (15s", "longer one"),
    (SERVICE_NAME, "opening_max = 65536", 3, "no unit", "\"65536KiB\" or \"65536B\""),
    (SERVICE_NAME, "opening_max = \"64KB\"", 3, "not a size", "write \"64KiB\""),
    (SERVICE_NAME, "opening_max = \"1B\"", 3, "must be 16B to 1MiB", "the least is 16B"),
    (SERVICE_NAME, "retries = 16", 3, "must be 0 to 15", "without the key it is 3"),
    (SERVICE_NAME, "max_new_per_second = -1", 3, "must be 0 to", "the least is 0"),
    (SERVICE_NAME, "per_source = { maxconn = -1 }", 3, "per_source.maxconn = -1", "the least is 0"),
    (SERVICE_NAME, "name = \"ü\"", 3, "must be 1 to 64", "for example \"ue\""),
    (SERVICE_NAME, "public = [\"0.0.0.0:1883\"]", 3, "a wildcard", "as clients reach them"),
    (BIND, "", 2, "no bind", "bind = [\"0.0.0.0:1883\"]"),
    (BIND, "bind = []", 4, "must have 1 to 64 addresses", "bind = [\"0.0.0.0:1883\"]"),
    (BIND, "bind = [\"1883\"]", 4, "no port", "\"0.0.0.0:1883\""),
    (BIND, "bind = [\"0.0.0.0\"]", 4, "no port", "\"0.0.0.0:1883\""),
    (BIND, "bind = [\"localhost:1883\"]", 4, "not an IP address", "\"0.0.0.0:1883\""),
    (BIND, "bind = [\"127.0.0.1:0\"]", 4, "is no port", "1 to 65535"),
    (BIND, "bind = [{}]", 4, "no addr", "{ addr = \"0.0.0.0:1883\" }"),
    (BIND, "bind = [\"127.0.0.1:1\", \"127.0.0.1:1\"]", 4, "already bound by", "another port"),
    (BIND, "bind = [\"127.0.0.1:1\", \"0.0.0.0:1\"]", 4, "overlaps 127.0.0.1:1", "another port"),
    (BIND, "bind = [\"0.0.0.0:1\",\n\"127.0.0.1:1\"]", 5, "overlaps 0.0.0.0:1", "another port"),
    (BIND, "bind = [\"127.0.0.1:1936\"]", 4, "[admin] by default", "another port"),
];

const BROKERS: &[Case] = &[
    (BROKER_NAME, "weight = 0", 6, "weight = 0: must be 1 to 256", "without the key it is 1"),
    (BROKER_NAME, "weight = 257", 6, "must be 1 to 256", "the most is 256"),
    (BROKER_NAME, "maxconn = 0", 6, "must be 1 to", "leave the key out for no limit"),
    (ADDR, "", 5, "no addr", "addr = \"192.168.0.36:1883\""),
    (ADDR, "addr = \"10.0.0.1\"", 7, "no port", "\"10.0.0.1:1883\""),
    (ADDR, "addr = \"mqtt://10.0.0.1:1883\"", 7, "an URL", "\"10.0.0.1:1883\""),
    (ADDR, "addr = \"fd00::1\"", 7, "without brackets", "\"[fd00::1]:1883\""),
    (ADDR, "addr = \"10.0.0.300:1883\"", 7, "not an IP address", "0 to 255"),
    (ADDR, "addr = \"0.0.0.0:1883\"", 7, "no address that can be", "broker's own"),
    (ADDR, "addr = \"_mqtt._tcp.lan:1883\"", 7, "SRV records and a port", "\"_mqtt._tcp.lan\""),
    (ADDR, "addr = \"_mqtt.lan\"", 7, "not a name with SRV records", "_mqtt._tcp.lan"),
    (ADDR, "addr = \"mqtt.lan\"", 7, "no port", "\"mqtt.lan:1883\""),
    (
        ADDR,
        "addr = \"mqtt.lan:1883\"\nsource = [\"0.0.0.0\", \"[::]\"]",
        8,
        "addresses of both families",
        "one family only",
    ),
    (
        ADDR,
        "addr = \"a.lan:1883\"\n[[service.broker]]\nname = \"b\"\naddr = \"A.lan:1883\"",
        10,
        "this service has that name already",
        "name each broker once",
    ),
    (ADDR, "addr = \"127.0.0.1:1883\"", 7, "would connect to itself", "broker's own address"),
    (BROKER_NAME, "source = [\"eth0\"]", 6, "not an address", "10.0.0.1:1024-65535"),
    (BROKER_NAME, "source = [\"10.0.0.1:0-99\"]", 6, "port 0", "begin at 1024"),
    (BROKER_NAME, "source = [\"10.0.0.1:9-5\"]", 6, "ends before it begins", "\"5-9\""),
    (BROKER_NAME, "source = [\"[::]:1-9\"]", 6, "only be reached from IPv4", "0.0.0.0:1024"),
    (BROKER_NAME, "source = [\"0.0.0.0:1-9\", \"0.0.0.0:9\"]", 6, "overlaps", "named once"),
    (
        BROKER_NAME,
        "check = { inter = \"0s\" }",
        6,
        "check.inter = \"0s\": must be",
        "the least is 10ms",
    ),
    (BROKER_NAME, "check = { inter = 2 }", 6, "no unit", "\"2s\" or \"2ms\""),
    (BROKER_NAME, "check = { rise = 0 }", 6, "must be 1 to 100", "without the key it is 2"),
    (BROKER_NAME, "check = { fall = 101 }", 6, "must be 1 to 100", "the most is 100"),
    (BROKER_NAME, "check = { fastinter = \"3s\" }", 6, "longer than inter (2s)", "raise inter"),
    (BROKER_NAME, "check = { password_file = \"p\" }", 6, "without a username", "username ="),
    (
        BROKER_NAME,
        "check = { username = \"\" }",
        6,
        "must be 1 to 65,535 bytes",
        "leave username out",
    ),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[[service.broker]]\naddr = \"10.0.0.1:1883\"",
        9,
        "already",
        "weight gives it a larger share",
    ),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[[service.broker]]\nname = \"a\"\naddr = \"10.0.0.2:1883\"",
        9,
        "the broker of line 6 has this name",
        "name = \"a-2\"",
    ),
];

const RESOLVER: &[Case] = &[
    (ADDR, "addr = \"10.0.0.1:1883\"\n[resolver]\n", 8, "no servers", "servers = ["),
    (ADDR, "addr = \"10.0.0.1:1883\"\n[resolver]\nservers = []", 9, "1 to 8", "the system's"),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[resolver]\nservers = [\"dns.lan\"]",
        9,
        "not the address of a name server",
        "192.168.0.1:53",
    ),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[resolver]\nservers = [\"0.0.0.0:53\"]",
        9,
        "no address that can be asked",
        "192.168.0.1:53",
    ),
];

const NOT_YET: &[Case] = &[
    (
        BIND,
        "bind = [{ addr = \"127.0.0.1:1\", tls = \"edge\" }]",
        4,
        "bind.tls: not yet",
        "mode = \"tcp\"",
    ),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[admin]\nsocket = \"x\"",
        9,
        "socket: not yet",
        "remove socket",
    ),
];

const REDIRECT: &[Case] = &[
    (SERVICE_NAME, "redirect = { enabled = true }", 3, "enabled without clients", "[\"sensor-*\"]"),
    (SERVICE_NAME, "redirect = { clients = [\"\"] }", 3, "must be 1 to 256 bytes", "\"sensor-*\""),
    (SERVICE_NAME, "redirect = { clients = \"x\" }", 3, "must be a list", "in brackets"),
    (SERVICE_NAME, "redirect = true", 3, "redirect = true: must be a table", "default: off"),
    (SERVICE_NAME, "redirect = { client = [] }", 3, "did you mean `clients`?", "known here"),
];

const TLS: &[Case] = &[
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[tls.edge]\nkey = \"x.key\"",
        8,
        "no cert",
        "cert = \"edge.pem\"",
    ),
    (ADDR, "addr = \"10.0.0.1:1883\"\n[tls.edge]\ncert = \"x\"", 8, "no key", "key = \"edge.key\""),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[tls.edge]\ncerts = \"x\"",
        9,
        "did you mean `cert`?",
        "known",
    ),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[tls.edge]\ncert = 5",
        9,
        "cert = 5: must be a path",
        "in quotes",
    ),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[tls]\nedge = 5",
        9,
        "tls.edge = 5: must be a table",
        "[tls.edge] on a line",
    ),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[entry.provision]\nbind = \"127.0.0.1:1\"\ntls = \"edge\"",
        10,
        "there is no such certificate",
        "add [tls.edge]",
    ),
];

const ADMIN: &[Case] = &[
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[admin]\nbind = \"0.0.0.0:80\"",
        9,
        "beyond loopback",
        "token_file =",
    ),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[admin]\nbind = \"10.0.0.9:1936\"",
        9,
        "beyond loopback",
        "\"127.0.0.1:1936\"",
    ),
    (ADDR, "addr = \"10.0.0.1:1883\"\n[admin]\nbind = \"1936\"", 9, "no port", "\"0.0.0.0:1936\""),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[admin]\nbind = \"127.0.0.1:1883\"\n",
        4,
        "already bound by [admin]",
        "another port",
    ),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[admin]\ntoken_file = \"gone\"",
        9,
        "no such file",
        "urandom",
    ),
    (ADDR, "addr = \"10.0.0.1:1883\"\n[admin]\ntoken_file = \"/\"", 9, "not a file: /", "make one"),
    (
        ADDR,
        "addr = \"10.0.0.1:1883\"\n[admin]\ntokenfile = \"x\"",
        9,
        "did you mean `token_file`?",
        "known here",
    ),
];

#[test]
fn each_error_names_its_line_and_a_remedy() {
    assert!(parse(BASE).is_ok(), "the base is good");
    for table in
        [NOT_TOML, KEYS_AND_TYPES, VALUES, BROKERS, RESOLVER, NOT_YET, REDIRECT, TLS, ADMIN]
    {
        for (replaced, by, line, message, help) in table {
            let text = base_with(*replaced, by);
            let findings = refused(&text, parse(&text));
            let told = findings.iter().any(|finding| {
                finding.line == Some(*line)
                    && finding.message.contains(message)
                    && finding.help.contains(help)
            });
            assert!(told, "{by}: want line {line}, {message:?}, {help:?}; got {findings:#?}");
        }
    }
}

#[test]
fn the_whole_file() {
    for (text, line, message, help) in [
        ("", None, "empty file", "configs/minimal.toml"),
        ("\u{feff} \n\n", None, "empty file", "configs/minimal.toml"),
        ("# nothing yet\n", None, "no service", "[[service]]"),
        ("service = []\n", None, "no service", "[[service]]"),
        ("[[service]]\nbind = [\"127.0.0.1:1\"]\n", Some(1), "no broker", "[[service.broker]]"),
        ("[[service]]\nbroker = []\nbind = []\n", Some(1), "no broker", "[[service.broker]]"),
    ] {
        let findings = refused(text, parse(text));
        let found = findings.iter().any(|finding| {
            finding.line == line && finding.message.contains(message) && finding.help.contains(help)
        });
        assert!(found, "{text:?}: {findings:#?}");
    }
}

#[test]
fn what_is_no_file_of_text() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let huge = vec![b'#'; 1024 * 1024 + 1];
    for (path, line, message) in [
        (folder.path().join("gone.toml"), None, "no such file"),
        (folder.path().to_path_buf(), None, "is a directory"),
        (write("latin1.toml", b"# gr\xfc\xdfe\n"), Some(1), "not UTF-8 from here on"),
        (write("utf16.toml", b"a = 1\n\xff\xfex\0"), Some(2), "not UTF-8 from here on"),
        (write("huge.toml", &huge), None, "larger than 1 MiB"),
        (Path::new("/dev/zero").to_path_buf(), None, "larger than 1 MiB"),
    ] {
        let findings = refused(&path.display().to_string(), config::load(&path, &host()));
        assert_eq!(findings[0].line, line, "{findings:#?}");
        assert!(findings[0].message.contains(message), "{findings:#?}");
        assert!(!findings[0].help.is_empty());
    }
}

#[test]
fn all_problems_at_once_in_the_order_of_the_file() {
    let text = r#"maxconn = 0
[[service]]
bind = ["x"]
retries = 99
[[service.broker]]
addr = "10.0.0.1"
weight = 0
[[service]]
name = "b"
[mesh]
"#;
    let findings = refused(text, parse(text));
    let lines: Vec<_> = findings.iter().map(|finding| finding.line.unwrap()).collect();
    // Of [mesh]: nowhere to be reached, and three files that are not there.
    assert_eq!(lines, [1, 3, 4, 6, 7, 8, 8, 10, 10, 10, 10], "{findings:#?}");
}

#[test]
fn an_error_points_into_the_file() {
    let text = base_with(6, "  weight = 0  # none");
    let error = parse(&text).unwrap_err().to_string();
    let expected = "\
x.toml:6:12: service \"mqtt\", broker \"10.0.0.1:1883\": weight = 0: must be 1 to 256
 6 |   weight = 0  # none
   |            ^
  help: the least is 1; without the key it is 1";
    assert_eq!(error, expected);

    let error = parse(&base_with(3, "name = \"m\"\nmaxcon = 5")).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "x.toml:4:1: service \"m\": unknown key `maxcon`; did you mean `maxconn`?"
        ),
        "{error}"
    );
}

#[test]
fn what_the_file_says_cannot_steer_the_terminal() {
    for text in [
        "\"\\u001b[2J\" = 1".to_owned(),
        base_with(3, "name = \"\\u001b[2J\""),
        base_with(7, "addr = \"\\u001b[2J:1883\""),
        base_with(7, "addr = \"10.0.0.1:1\"\n[admin]\ntoken_file = \"\\u001b[2J\""),
    ] {
        for finding in refused(&text, parse(&text)) {
            assert!(!finding.to_string().contains('\u{1b}'), "{finding:?}");
        }
    }
}

#[test]
fn a_thousand_mistakes_are_not_all_told() {
    let text = format!("{BASE}{}", "[[service]]\n".repeat(1_000));
    assert_eq!(refused("many", parse(&text)).len(), 100);
    let long = format!("\"{}\" = 1", "x".repeat(900_000));
    assert!(refused("long", parse(&long))[0].to_string().len() < 4_000);
}
