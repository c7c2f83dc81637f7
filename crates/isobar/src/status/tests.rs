//! A node's report as a person reads it, and what is said where there is none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use isobar_admin::Admin;
use isobar_core::report::NodeReport;

use isobar_admin::view::Report;

use super::*;

/// Runs `ask` with the address of an admin server.
pub(crate) fn with_node<T>(
    source: fn() -> NodeReport,
    token: Option<&str>,
    ask: impl FnOnce(&str) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (source, events) = (Arc::new(source), Arc::new(sample::events));
    let admin =
        Admin { source, events, entry: Default::default(), token: token.map(str::to_owned) };
    // Dropping the sender, by a panic of `ask` too, ends the server.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = std::thread::spawn(move || {
        runtime.block_on(isobar_admin::serve(listener, admin, async { drop(stopped.await) }))
    });
    let result = ask(&address);
    drop(stop);
    server.join().unwrap().unwrap();
    result
}

/// Runs `ask` with the address of something that answers one request with `answer`.
fn with_stranger<T>(answer: &'static str, ask: impl FnOnce(&str) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stranger = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        // Whoever answers nothing waits until the asker leaves.
        while answer.is_empty() && stream.read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
    });
    let result = ask(&address);
    stranger.join().unwrap();
    result
}

#[test]
fn addresses_are_host_and_port() {
    let table = [
        ("127.0.0.1:1936", Some("127.0.0.1:1936")),
        ("127.0.0.1", Some("127.0.0.1:1936")),
        ("http://fra-1.example.com:80/", Some("fra-1.example.com:80")),
        ("fra-1", Some("fra-1:1936")),
        ("[::1]:19", Some("[::1]:19")),
        ("::1", Some("[::1]:1936")),
        ("https://fra-1", None),
        ("fra-1:port", None),
        ("fra-1:99999", None),
        ("fra-1/path", None),
        ("user@fra-1", None),
        ("", None),
    ];
    for (typed, expected) in table {
        assert_eq!(address(typed).ok().as_deref(), expected, "{typed}");
    }
}

#[test]
fn a_node_is_shown_in_columns() {
    let shown = with_node(sample::rich, None, |address| status(address, None, false)).unwrap();
    for expected in [
        "fra-1 at fra: READY, up 3d4h, version 0.1.0, pid 41207\n",
        "flows 131,402 of 200,000, most 148,120, new 214/s, in all 8.21M\n",
        "maxconn 250,000 is configured; 524,288 descriptors allow 200,000\n",
        "service mqtt on 0.0.0.0:1883 (98,110 flows), 0.0.0.0:1884 (33,280 flows)\n",
        "CONNACK p50 0.7ms, p99 18ms; rejected: no_broker_left 311, deadline 88\n",
        "31,998*",
        "* learned from refusals\n",
    ] {
        assert!(shown.contains(expected), "no {expected:?} in\n{shown}");
    }
    let starts_of_address: Vec<Option<usize>> = shown
        .lines()
        .skip_while(|line| !line.starts_with("BROKER"))
        .take(7)
        .map(|line| line.find("192.168.0.").or(line.find("ADDRESS")).or(line.find("broker-6")))
        .collect();
    assert!(starts_of_address[0].is_some(), "{shown}");
    assert!(starts_of_address.iter().all(|start| *start == starts_of_address[0]), "{shown}");
}

#[test]
fn the_mesh_is_shown_where_there_is_one() {
    let shown = with_node(sample::meshed, None, |address| status(address, None, false)).unwrap();
    for expected in [
        "0.0.0.0:1884 (33,280 flows), mesh (1,204 flows)\n",
        "mesh demo.example on UDP 203.0.113.10:7443, 5 of 6 links up, certificate: 12 days\n",
        "EXPIRES: this node's certificate ends in 12 days\n",
        "nodes refused: unknown_ca 14, denied 3\n",
        "by it: full 24; failed: no_link 2; by us: too_fast 12\n",
    ] {
        assert!(shown.contains(expected), "no {expected:?} in\n{shown}");
    }
    let row = |site: &str| {
        let line = shown.lines().find(|line| line.starts_with(site));
        line.unwrap().split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(row("fra ")[..6], ["fra", "OWN", "-", "-", "-", "2"]);
    assert_eq!(row("ams ")[..7], ["ams", "REACHABLE", "1d2h", "412ms", "9.0ms", "0%", "2"]);
    assert_eq!(row("sin ")[..6], ["sin", "DEAD", "4m9s", "4m12s", "-", "-"]);
    let hostile = with_node(sample::hostile_meshed, None, |address| status(address, None, false));
    assert!(hostile.unwrap().chars().all(|c| c == '\n' || !c.is_control()));
    let none = with_node(sample::rich, None, |address| status(address, None, false)).unwrap();
    assert!(!none.contains("mesh") && !none.contains("SITE"), "{none}");
}

#[test]
fn json_is_what_the_node_sent() {
    let shown = with_node(sample::rich, None, |address| status(address, None, true)).unwrap();
    let sent = serde_json::to_string(&Report::from(sample::rich())).unwrap();
    assert_eq!(shown, sent + "\n");
}

#[test]
fn a_node_without_services_and_one_with_hostile_names_are_shown() {
    let empty = with_node(sample::empty, None, |address| status(address, None, false)).unwrap();
    assert!(empty.ends_with("no service is configured\n"), "{empty}");
    let hostile = with_node(sample::hostile, None, |address| status(address, None, false)).unwrap();
    assert!(hostile.chars().all(|c| c == '\n' || !c.is_control()), "{hostile:?}");
    assert_eq!(hostile.lines().filter(|line| line.starts_with("serv")).count(), 2 + 6);
}

#[test]
fn a_token_is_asked_for_and_shown() {
    with_node(sample::rich, Some("s3cret"), |address| {
        let error = |token| status(address, token, true).unwrap_err().to_string();
        assert!(error(None).contains("pass --token-file"));
        assert!(error(Some("wrong")).contains("does not take this token"));
        assert!(status(address, Some("s3cret"), true).is_ok());

        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("admin.token");
        std::fs::write(&file, "s3cret\n").unwrap();
        let args = |token_file| StatusArgs {
            admin: address.to_owned(),
            token_file: Some(token_file),
            output: Output::Json,
        };
        assert!(args(file).run().is_ok());
        let missing = args(directory.path().join("missing")).run().unwrap_err();
        assert!(missing.to_string().starts_with("cannot read the token file "));
    });
}

#[test]
fn who_is_not_there_or_not_a_node_is_said_clearly() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    assert_eq!(
        status(&address, None, false).unwrap_err().to_string(),
        format!(
            "nothing answers at {address}; is the node running, is [admin] bind another \
             address? pass --admin"
        )
    );
    let table = [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "HTTP 302"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "not with a report"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "not with a report"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "broke"),
        ("\x20\x02\x00\x00", "broke"),
    ];
    for (answer, expected) in table {
        let error = with_stranger(answer, |address| status(address, None, true)).unwrap_err();
        assert!(error.to_string().contains(expected), "{answer:?}: {error}");
    }
    let silent =
        with_stranger("", |address| fetch(address, None, "/v1/report", Duration::from_millis(200)));
    assert!(matches!(silent, Err(StatusError::Silent { .. })), "{silent:?}");
}

#[test]
fn the_arguments_hold_together() {
    <StatusArgs as clap::Args>::augment_args(clap::Command::new("status")).debug_assert();
}
