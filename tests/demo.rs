//! The demo ends by itself, holds what it promises, and leaves no process; and the bridge that
//! the documentation shows carries every message once.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Inherited by every process of a demo, so that what it leaves can be found.
const MARK: &str = "ISOBAR_DEMO_TEST";

/// The demos are about times, on a machine with few cores: one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn demo(mark: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isobar"));
    command.arg("demo").env(MARK, mark).stdin(Stdio::null());
    command
}

/// A mark that no other test has, in this process or another.
fn mark(test: &str) -> String {
    format!("{test}-{}", std::process::id())
}

/// A process that was found.
#[derive(PartialEq, Eq, Debug)]
struct Process {
    id: u32,
    line: String,
}

/// The processes that carry the mark.
fn marked(mark: &str) -> Vec<Process> {
    let wanted = format!("{MARK}={mark}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("Linux").flatten() {
        let path = entry.path();
        // Gone meanwhile, or not a process.
        let Ok(environment) = fs::read(path.join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|word| word == wanted.as_bytes()) {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
            found.push(Process { id: id.expect("processes have numbers"), line });
        }
    }
    found
}

fn assert_nothing_remains(mark: &str) {
    // A guard that lost its demo needs a moment to kill and reap.
    let deadline = Instant::now() + Duration::from_secs(5);
    while !marked(mark).is_empty() && Instant::now() < deadline {
        sleep(Duration::from_millis(20));
    }
    assert_eq!(Vec::<Process>::new(), marked(mark));
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).expect("it is ours").next().is_none()
}

fn assert_held(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    assert!(!text.contains("FAIL"), "{text}");
}

fn plays(brokers: &str, named: &str) {
    let _alone = alone();
    let mark = mark(brokers);
    let output = demo(&mark)
        .args(["--one-site", "--seconds", "15", "--clients", "60", "--brokers", brokers])
        .output()
        .expect("the binary was built");
    assert_nothing_remains(&mark);
    assert_held(&output);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(named), "says which brokers: {text}");
    assert!(text.contains("stats page  http://127.0.0.1:"), "{text}");
    for event in ["b2 is full", "b3 hangs", "b1 is killed", "b1 is back"] {
        assert!(text.contains(event), "{event}: {text}");
    }
    // The fleet and 12 newcomers in each of three acts.
    assert_came_by_name(&text, 60 + 3 * 12);
}

/// At least so many sessions began where the name led, and the nodes were asked for it.
fn assert_came_by_name(text: &str, least: u64) {
    let line = text.lines().find(|line| line.contains("each where mqtt.example.com led"));
    let line = line.unwrap_or_else(|| panic!("says how clients came: {text}"));
    let figures: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [sessions, given, answered, _] = figures[..] else { panic!("four figures: {line}") };
    assert!(sessions >= least, "{least}: {line}");
    // A resolver keeps an answer for a second, and the play is longer than ten.
    assert!(given >= 10, "{line}");
    assert!(answered >= given, "the nodes gave them: {line}");
}

fn plays_three_sites(brokers: &str) {
    let _alone = alone();
    let mark = mark(&format!("sites-{brokers}"));
    let dir = tempfile::tempdir().expect("a directory");
    let output = demo(&mark)
        .env("TMPDIR", dir.path())
        .args(["--seconds", "15", "--clients", "90", "--brokers", brokers])
        .output()
        .expect("the binary was built");
    assert_nothing_remains(&mark);
    assert_held(&output);
    assert!(is_empty(dir.path()), "no file remains");
    let text = String::from_utf8_lossy(&output.stdout);
    for page in ["127.0.1.1", "127.0.2.1", "127.0.3.1"] {
        assert!(text.contains(&format!("stats page  http://{page}:")), "{page}: {text}");
    }
    for event in [
        "the link from nyc to sin is cut",
        "sin says: nyc is avoided (silent)",
        "carried to nyc (80 ms away)",
        "both brokers of fra are killed",
        "all of nyc is killed",
        "fra says: nyc is dead",
        "nyc is back",
        // Who knows only the name is led elsewhere once the site has left the answers. The figures
        // are those of the clients: with an address of fra, they would be carried from there.
        "the name leads nobody to fra any more",
        "the name leads nobody to nyc any more",
        "90 of 90 clients were led to the nearest site and served there",
        "full: 6 of 6 who came later were led past fra by the name",
        "killed: 6 of 6 who came later were led past fra by the name",
        "lost: 6 of 6 who came later were led past nyc by the name",
    ] {
        assert!(text.contains(event), "{event}: {text}");
    }
    for (act, site) in [("killed", "fra"), ("lost", "nyc")] {
        let says = format!("ok    {act}: the name led to {site} for ");
        assert!(text.contains(&says), "{says}: {text}");
    }
    // The fleet, those who fill fra, and seven parties of six.
    assert_came_by_name(&text, 90 + 60 + 7 * 6);
}

#[test]
fn three_sites_with_mosquitto_hold_what_they_promise_and_leave_nothing() {
    plays_three_sites("mosquitto");
}

#[test]
fn three_sites_with_embedded_brokers_hold_what_they_promise_and_leave_nothing() {
    plays_three_sites("embedded");
}

#[test]
fn with_mosquitto_it_holds_what_it_promises_and_leaves_nothing() {
    plays("mosquitto", "mosquitto 2.");
}

#[test]
fn with_embedded_brokers_it_holds_what_it_promises_and_leaves_nothing() {
    plays("embedded", "embedded brokers");
}

/// Starts a demo, waits until its clients are being served, and returns what it has said.
fn playing(mark: &str, dir: &Path) -> (Child, String) {
    let mut demo = demo(mark)
        .env("TMPDIR", dir)
        .args(["--seconds", "600", "--clients", "20", "--brokers", "embedded"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    let mut text = Vec::new();
    let mut out = demo.stdout.take().expect("it is piped");
    let mut some = [0; 4096];
    while !String::from_utf8_lossy(&text).contains("calm") {
        match out.read(&mut some) {
            Ok(0) | Err(_) => panic!("it ended: {}", String::from_utf8_lossy(&text)),
            Ok(count) => text.extend_from_slice(&some[..count]),
        }
    }
    assert!(marked(mark).len() > 10, "brokers, nodes and guards carry the mark");
    (demo, String::from_utf8_lossy(&text).into_owned())
}

/// The broker itself: its guard names it too.
fn is_broker(process: &Process, name: &str) -> bool {
    let line = &process.line;
    line.contains(&format!("demo-broker --name={name}")) && !line.contains("demo-guard")
}

fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.expect("kill is there").success());
}

/// What the server says that a question from that address is to be told.
fn dig(server: &str, from: &str, name: &str) -> String {
    let (ip, port) = server.split_once(':').expect("an address and a port");
    let output = Command::new("dig")
        .args([&format!("@{ip}"), "-p", port, "-b", from, name, "A", "+tries=1", "+time=5"])
        .args(["+short", "+nocookie", "+norecurse"])
        .output()
        .expect("dig is installed");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn its_nodes_answer_for_the_name_by_where_the_question_comes_from() {
    let _alone = alone();
    let mark = mark("name");
    let dir = tempfile::tempdir().expect("a directory");
    let (mut demo, text) = playing(&mark, dir.path());
    let line = text.lines().find_map(|line| line.trim().strip_prefix("DNS "));
    let servers: Vec<&str> = line.expect("says who answers").trim().split(", ").collect();
    let mut told = Vec::new();
    for server in &servers {
        for site in 1..=3 {
            let from = format!("127.1.{site}.7");
            told.push((site, dig(server, &from, "mqtt.example.com")));
        }
    }
    let elsewhere = dig(servers[0], "127.1.1.7", "other.mqtt.example.com");
    signal("-INT", demo.id());
    assert_eq!(Some(130), demo.wait().expect("it is ours").code());
    assert_eq!(9, told.len(), "three servers, three regions: {text}");
    for (site, ip) in told {
        assert_eq!(format!("127.0.{site}.1"), ip);
    }
    assert_eq!("", elsewhere, "there is no such name");
}

#[test]
fn interrupted_it_clears_up_and_says_so() {
    let _alone = alone();
    let mark = mark("interrupted");
    let dir = tempfile::tempdir().expect("a directory");
    let (mut demo, _) = playing(&mark, dir.path());
    signal("-INT", demo.id());
    assert_eq!(Some(130), demo.wait().expect("it is ours").code());
    assert_eq!(Vec::<Process>::new(), marked(&mark), "nothing remains once it has ended");
    assert!(is_empty(dir.path()), "no file remains");
}

#[test]
fn killed_it_still_leaves_nothing() {
    let _alone = alone();
    let mark = mark("killed");
    let dir = tempfile::tempdir().expect("a directory");
    let (mut demo, _) = playing(&mark, dir.path());
    // A broker that is stopped must go too.
    let broker = marked(&mark)
        .into_iter()
        .find(|process| is_broker(process, "sin-b2"))
        .expect("it plays with embedded brokers");
    signal("-STOP", broker.id);
    demo.kill().expect("it is ours");
    demo.wait().expect("it is ours");
    assert_nothing_remains(&mark);
    assert!(is_empty(dir.path()), "no file remains");
}

#[test]
fn the_documented_bridge_carries_every_message_once() {
    let _alone = alone();
    let page = fs::read_to_string(repository().join("docs/bridging.md")).expect("it is there");
    let dir = tempfile::tempdir().expect("a directory");
    let [hub_port, ports @ ..] = free_ports::<4>();
    let spokes: Vec<(usize, u16)> = (1..).zip(ports).collect();

    let hub = block(&page, "mosquitto-hub")
        .replace("listener 1883 192.168.0.30", &format!("listener {hub_port} 127.0.0.1"));
    let mut running = vec![mosquitto(dir.path(), "hub", &hub)];
    await_listener(hub_port);
    for (spoke, port) in &spokes {
        let conf = block(&page, "mosquitto-spoke")
            .replace("listener 1883 192.168.0.31", &format!("listener {port} 127.0.0.1"))
            .replace("192.168.0.30:1883", &format!("127.0.0.1:{hub_port}"))
            .replace("remote_clientid b1", &format!("remote_clientid b{spoke}"));
        assert!(!conf.contains("192.168"), "the test knows every address on the page");
        running.push(mosquitto(dir.path(), &format!("b{spoke}"), &conf));
        await_listener(*port);
    }

    let listeners: Vec<Killed> =
        spokes.iter().map(|(spoke, port)| listen(*port, dir.path(), *spoke)).collect();
    let heard = |spoke: usize| {
        fs::read_to_string(dir.path().join(format!("heard-{spoke}"))).unwrap_or_default()
    };
    let all_heard = |text: &str| spokes.iter().all(|(spoke, _)| heard(*spoke).contains(text));
    // The bridges stand when a message from each spoke has reached each.
    let deadline = Instant::now() + Duration::from_secs(30);
    for (from, port) in &spokes {
        while !all_heard(&format!("ready {from}")) {
            assert!(Instant::now() < deadline, "the bridges do not stand");
            publish(*port, "1", &format!("ready {from}"), &[]);
            sleep(Duration::from_millis(200));
        }
    }

    let properties = ["-D", "publish", "user-property", "colour", "blue"];
    for (from, port) in &spokes {
        for qos in ["0", "1", "2"] {
            publish(*port, qos, &format!("message {from} {qos}"), &properties);
        }
    }
    // In order per spoke, so that what follows comes after any second copy.
    let deadline = Instant::now() + Duration::from_secs(10);
    for (from, port) in &spokes {
        publish(*port, "1", &format!("last {from}"), &[]);
        while !all_heard(&format!("last {from}")) {
            assert!(Instant::now() < deadline, "the last message does not arrive");
            sleep(Duration::from_millis(20));
        }
    }
    drop(listeners);
    for (spoke, _) in &spokes {
        let heard = heard(*spoke);
        for (from, _) in &spokes {
            for qos in ["0", "1", "2"] {
                let message = format!("message {from} {qos} colour:blue");
                let times = heard.lines().filter(|line| *line == message).count();
                assert_eq!(1, times, "{message} on b{spoke}: {heard}");
            }
        }
    }
}

#[test]
fn the_demo_bridges_as_the_documentation_says() {
    let page = fs::read_to_string(repository().join("docs/bridging.md")).expect("it is there");
    let documented = block(&page, "mosquitto-spoke").replace("topic #", "topic demo/#");
    let source = repository().join("crates/isobar/src/demo/brokers.rs");
    let source = fs::read_to_string(source).expect("it is there");
    let section = source.split("BRIDGE_SECTION: &str = \"").nth(1).expect("it has a section");
    let section = section.split("\";").next().expect("it ends");
    for line in section.lines() {
        assert!(documented.lines().any(|documented| documented == line), "{line}");
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The fenced block of that name.
fn block(page: &str, name: &str) -> String {
    let from = page.split(&format!("```{name}\n")).nth(1).expect("the page has the block");
    from.split("```").next().expect("it ends").to_owned()
}

fn free_ports<const N: usize>() -> [u16; N] {
    // Held all at once, so that they differ.
    let held: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    std::array::from_fn(|index| held[index].local_addr().expect("it is bound").port())
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mosquitto(dir: &Path, name: &str, conf: &str) -> Killed {
    let file = dir.join(format!("{name}.conf"));
    fs::write(&file, conf).expect("the directory is ours");
    let log = fs::File::create(dir.join(format!("{name}.log"))).expect("the directory is ours");
    let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
        .into_iter()
        .find(|program| Path::new(program).is_file())
        .unwrap_or("mosquitto");
    let child = Command::new(program).arg("-c").arg(&file).stderr(log).spawn();
    Killed(child.expect("mosquitto is installed: this test is about it"))
}

fn await_listener(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on {port}");
        sleep(Duration::from_millis(20));
    }
}

/// Hears everything on a spoke, a line each, with user properties.
fn listen(port: u16, dir: &Path, spoke: usize) -> Killed {
    let out = fs::File::create(dir.join(format!("heard-{spoke}"))).expect("the directory is ours");
    let child = Command::new("mosquitto_sub")
        .args(["-V", "mqttv5", "-h", "127.0.0.1", "-p", &port.to_string()])
        .args(["-q", "2", "-t", "#", "-F", "%p %P"])
        .stdout(out)
        .spawn();
    Killed(child.expect("mosquitto-clients is installed"))
}

fn publish(port: u16, qos: &str, text: &str, more: &[&str]) {
    let status = Command::new("mosquitto_pub")
        .args(["-V", "mqttv5", "-h", "127.0.0.1", "-p", &port.to_string()])
        .args(["-q", qos, "-t", "house/garden", "-m", text])
        .args(more)
        .status();
    assert!(status.expect("mosquitto-clients is installed").success(), "{text}");
}
