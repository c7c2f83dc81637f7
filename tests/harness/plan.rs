//! A node to start: its configuration, written for the test.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::addr::free_addr;
use super::isobar::Isobar;
use super::mosquitto::Mosquitto;
use super::process::{Proc, find_library};

/// A TOML value, written from Rust's.
pub trait Literal {
    fn literal(&self) -> String;
}

impl Literal for &str {
    fn literal(&self) -> String {
        format!("{self:?}")
    }
}

impl Literal for i64 {
    fn literal(&self) -> String {
        self.to_string()
    }
}

impl Literal for bool {
    fn literal(&self) -> String {
        self.to_string()
    }
}

/// A `[[service.broker]]`.
#[derive(Clone)]
pub struct Broker {
    name: String,
    addr: String,
    check: String,
    lines: Vec<String>,
}

impl Broker {
    /// The front of a mosquitto, with a quick MQTT check.
    pub fn of(mosquitto: &Mosquitto) -> Broker {
        Broker::at(&mosquitto.name, mosquitto.addr)
    }

    /// Any address, with a quick MQTT check.
    pub fn at(name: &str, addr: SocketAddr) -> Broker {
        Broker::named(name, &addr.to_string())
    }

    /// Those at an address or name as written, with a quick MQTT check.
    pub fn named(name: &str, addr: &str) -> Broker {
        let (name, addr, lines) = (name.to_owned(), addr.to_owned(), Vec::new());
        Broker { name, addr, check: String::new(), lines }.check("mqtt")
    }

    /// A quick check of another kind: twice a second, `rise` 2, `fall` 3.
    pub fn check(self, kind: &str) -> Broker {
        self.check_line(&format!(
            "{{ kind = \"{kind}\", inter = \"500ms\", fastinter = \"250ms\", rise = 2, fall = 3 }}"
        ))
    }

    /// `check`, as written.
    pub fn check_line(mut self, toml: &str) -> Broker {
        self.check = toml.to_owned();
        self
    }

    /// A further key.
    pub fn set(self, key: &str, value: impl Literal) -> Broker {
        self.raw(&format!("{key} = {}", value.literal()))
    }

    /// A further line, as written.
    pub fn raw(mut self, line: &str) -> Broker {
        self.lines.push(line.to_owned());
        self
    }
}

/// A `[[service]]`.
#[derive(Clone)]
pub struct Service {
    name: String,
    binds: Vec<SocketAddr>,
    slow_start: String,
    lines: Vec<String>,
    brokers: Vec<Broker>,
}

impl Service {
    /// One address, MQTT, no slow start: it would pace storms that are not about it.
    pub fn new(name: &str) -> Service {
        Service {
            name: name.to_owned(),
            binds: vec![free_addr()],
            slow_start: "0s".to_owned(),
            lines: Vec::new(),
            brokers: Vec::new(),
        }
    }

    /// With these mosquittos behind it.
    pub fn over(mosquittos: &[Mosquitto]) -> Service {
        mosquittos.iter().fold(Service::new("mqtt"), |s, m| s.broker(Broker::of(m)))
    }

    /// One address more.
    pub fn also_bind(mut self) -> Service {
        self.binds.push(free_addr());
        self
    }

    /// Listens there instead: where another node listened before.
    pub fn bind_at(mut self, binds: &[SocketAddr]) -> Service {
        self.binds = binds.to_vec();
        self
    }

    pub fn broker(mut self, broker: Broker) -> Service {
        self.brokers.push(broker);
        self
    }

    pub fn slow_start(mut self, duration: &str) -> Service {
        self.slow_start = duration.to_owned();
        self
    }

    /// A further key.
    pub fn set(self, key: &str, value: impl Literal) -> Service {
        self.raw(&format!("{key} = {}", value.literal()))
    }

    /// A further line, as written.
    pub fn raw(mut self, line: &str) -> Service {
        self.lines.push(line.to_owned());
        self
    }

    fn write(&self, out: &mut String) {
        let binds: Vec<String> = self.binds.iter().map(|b| format!("\"{b}\"")).collect();
        let _ = writeln!(out, "\n[[service]]\nname = \"{}\"", self.name);
        let _ =
            writeln!(out, "bind = [{}]\nslow_start = \"{}\"", binds.join(", "), self.slow_start);
        for line in &self.lines {
            let _ = writeln!(out, "{line}");
        }
        for broker in &self.brokers {
            let _ = writeln!(out, "\n[[service.broker]]\nname = \"{}\"", broker.name);
            let _ = writeln!(out, "addr = \"{}\"\ncheck = {}", broker.addr, broker.check);
            for line in &broker.lines {
                let _ = writeln!(out, "{line}");
            }
        }
    }
}

/// A node to start.
#[derive(Clone, Default)]
pub struct Node {
    identity: Option<(String, String)>,
    tables: String,
    lines: Vec<String>,
    services: Vec<Service>,
    files: Vec<(String, String)>,
    env: Vec<String>,
    log_unread: bool,
}

impl Node {
    pub fn new(service: Service) -> Node {
        Node { services: vec![service], ..Node::default() }
    }

    pub fn service(mut self, service: Service) -> Node {
        self.services.push(service);
        self
    }

    /// Another site and name than `test` and `test-1`.
    pub fn named(mut self, site: &str, node: &str) -> Node {
        self.identity = Some((site.to_owned(), node.to_owned()));
        self
    }

    /// A further table, such as `[mesh]`, as written.
    pub fn table(mut self, toml: &str) -> Node {
        self.tables.push_str(toml);
        self
    }

    /// Changes what tables it has so far.
    pub fn tables(mut self, change: impl FnOnce(String) -> String) -> Node {
        self.tables = change(self.tables);
        self
    }

    /// A further key at the top.
    pub fn set(mut self, key: &str, value: impl Literal) -> Node {
        self.lines.push(format!("{key} = {}", value.literal()));
        self
    }

    /// A file beside the configuration.
    pub fn file(mut self, name: &str, content: &str) -> Node {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// Its wall clock is off by so much, in the words of libfaketime: `-1h`. Its monotonic one,
    /// by which it waits and judges, is the machine's.
    pub fn clock_off_by(mut self, offset: &str) -> Node {
        let library = find_library("faketime/libfaketime.so.1");
        self.env = vec![
            format!("LD_PRELOAD={}", library.display()),
            format!("FAKETIME={offset}"),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            "DONT_FAKE_MONOTONIC=1".to_owned(),
        ];
        self
    }

    /// Nobody reads its flow log; see [`Isobar::rest_of_log`].
    pub fn log_unread(mut self) -> Node {
        self.log_unread = true;
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Isobar {
        let mut isobar = self.launch();
        isobar.wait_ready().await;
        isobar
    }

    /// Starts it without waiting.
    pub fn launch(self) -> Isobar {
        let admin = free_addr();
        let (site, node) =
            self.identity.as_ref().map_or(("test", "test-1"), |(s, n)| (s.as_str(), n.as_str()));
        let mut text = format!("site = \"{site}\"\nnode = \"{node}\"\n");
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        for service in &self.services {
            service.write(&mut text);
        }
        let _ = writeln!(text, "\n[admin]\nbind = \"{admin}\"\n\n{}", self.tables);
        let binds = self.services.iter().map(|s| s.binds.clone()).collect();
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, content) in &self.files {
            std::fs::write(dir.path().join(name), content).expect("it is writable");
        }
        let spawn = if self.log_unread { Proc::spawn_unread } else { Proc::spawn };
        Isobar::spawn_in(spawn, &self.env, dir, &text, binds, admin)
    }
}
