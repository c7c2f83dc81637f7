//! What an answer of the provisioning endpoint costs, beside HAProxy that returns a fixed body of
//! the same size: at 5,000 requests a second over connections that are kept, as fast as one core
//! goes, and over a connection for each request; with TLS and without.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde::Serialize;

use crate::child;
use crate::contender::{Contender, Kind, Layout, Mode, isobar_toml};
use crate::failure::{Context, Failure, Result};
use crate::procfs;
use crate::stats::{Ratio, Sample};
use crate::trial::{Ground, Setting};

/// Requests a second of the paced load, and those who ask.
const RATE: u32 = 5_000;
const ASKERS: u32 = 8;
/// Connections a second where each request has one of its own.
const FRESH: u32 = 400;
/// For a proxy to listen, and for an answer.
const LIMIT: Duration = Duration::from_secs(10);
/// What is asked for; the answer has some 350 bytes.
const REQUEST: &str =
    "GET /v1/provision?client_id=sensor-1&proto=mqtt HTTP/1.1\r\nHost: bench\r\n\r\n";

/// How it is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
enum Way {
    Paced,
    AsFastAsItGoes,
    Fresh,
}

/// One way, with all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Asked {
    way: Way,
    tls: bool,
    contender: String,
    /// CPU for each request, in microseconds.
    cpu_us: Sample,
    per_second: Sample,
    p50_us: Sample,
    p99_us: Sample,
    /// CPU beside that of the rival.
    ratio: Option<Ratio>,
}

/// One trial.
struct Round {
    cpu_us: f64,
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Asked {
    pub(crate) fn to_text(&self) -> String {
        let way = match self.way {
            Way::Paced => format!("{RATE} requests/s, kept connections"),
            Way::AsFastAsItGoes => "as fast as it goes, kept connections".into(),
            Way::Fresh => format!("{FRESH} requests/s, a connection each"),
        };
        let spread = |s: &Sample, digits| {
            format!("{:.digits$} ({:.digits$}-{:.digits$})", s.median, s.min, s.max)
        };
        let mut text = format!(
            "provision, {way}{}: {}: CPU {} us, {} answers/s, p50 {} us, p99 {} us",
            if self.tls { ", TLS" } else { "" },
            self.contender,
            spread(&self.cpu_us, 1),
            spread(&self.per_second, 0),
            spread(&self.p50_us, 0),
            spread(&self.p99_us, 0),
        );
        if let Some(ratio) = self.ratio {
            let _ = write!(
                text,
                "; {:.2} ({:.2}-{:.2}) of the rival's CPU",
                ratio.of_medians, ratio.min, ratio.max
            );
        }
        text
    }
}

/// Asks every contender in every way, `rounds` times. The first contender is the rival.
pub(crate) fn measure(
    ground: &mut Ground,
    contenders: &[Contender],
    rounds: u32,
    seconds: u64,
) -> Result<Vec<Asked>> {
    let mut found = Vec::new();
    for tls in [false, true] {
        for way in [Way::Paced, Way::AsFastAsItGoes, Way::Fresh] {
            let mut all: Vec<Vec<Round>> = contenders.iter().map(|_| Vec::new()).collect();
            for round in 0..rounds {
                for turn in 0..contenders.len() {
                    let who = if round % 2 == 0 { turn } else { contenders.len() - 1 - turn };
                    let made = trial(ground, &contenders[who], way, tls, seconds)?;
                    eprintln!(
                        "provision {way:?} tls={tls} {}/{rounds} {}: {:.1} us, {:.0}/s",
                        round + 1,
                        contenders[who].name,
                        made.cpu_us,
                        made.per_second
                    );
                    all[who].push(made);
                }
            }
            let sample = |rounds: &[Round], of: fn(&Round) -> f64| {
                Sample::new(rounds.iter().map(of).collect())
            };
            let rival = sample(&all[0], |round| round.cpu_us);
            for (at, (contender, rounds)) in contenders.iter().zip(&all).enumerate() {
                let cpu_us = sample(rounds, |round| round.cpu_us);
                let ratio = (at > 0).then(|| Ratio::new(&cpu_us, &rival)).flatten();
                found.push(Asked {
                    way,
                    tls,
                    contender: contender.name.clone(),
                    cpu_us,
                    per_second: sample(rounds, |round| round.per_second),
                    p50_us: sample(rounds, |round| round.p50_us),
                    p99_us: sample(rounds, |round| round.p99_us),
                    ratio,
                });
            }
        }
    }
    Ok(found)
}

fn trial(
    ground: &mut Ground,
    contender: &Contender,
    way: Way,
    tls: bool,
    seconds: u64,
) -> Result<Round> {
    ground.begin();
    let (_broker, _, brokers) = ground.start_broker(&Setting::default())?;
    let endpoint = ground.addrs(8, 1)?[0];
    let certificate = if tls { Some(certify(ground, endpoint)?) } else { None };
    let text = configuration(ground, contender, endpoint, brokers, certificate.as_deref())?;
    let proxy = ground.start_proxy(contender, &Setting::default(), 0, &text)?;
    let config = certificate.as_deref().map(client).transpose()?;
    wait(endpoint, config.as_ref())?;
    let cpu = ground.cpus.load;
    let plan = Plan { endpoint, config, way, cpu, time: Duration::from_secs(seconds) };
    // What comes first fills caches.
    plan.run(Duration::from_millis(300))?;
    let (before, start) = (procfs::cpu_ns(proxy.pid)?, Instant::now());
    let took = plan.run(plan.time)?;
    let (spent, elapsed) = (procfs::cpu_ns(proxy.pid)? - before, start.elapsed());
    if took.is_empty() {
        return Err(Failure::new(format!("{}: no answer at all", contender.name)));
    }
    Ok(Round {
        cpu_us: spent as f64 / 1_000.0 / took.len() as f64,
        per_second: took.len() as f64 / elapsed.as_secs_f64(),
        p50_us: took.value_at_quantile(0.5) as f64,
        p99_us: took.value_at_quantile(0.99) as f64,
    })
}

fn configuration(
    ground: &mut Ground,
    contender: &Contender,
    endpoint: SocketAddr,
    brokers: Vec<SocketAddr>,
    certificate: Option<&Path>,
) -> Result<String> {
    let listen = ground.addrs(3, 1)?;
    let admin = ground.addrs(0, 1)?[0];
    let shown =
        |ending: &str| certificate.map(|path| path.with_extension(ending).display().to_string());
    match contender.kind {
        Kind::Haproxy => {
            let tls = shown("both").map_or(String::new(), |pem| format!(" ssl crt {pem}"));
            let body = r#"{"client_id":"sensor-1","service":"mqtt","generation":17,"ttl":30,"retry_after":2,"retry_after_ms":1482,"endpoints":[{"rank":0,"site":"bench","url":"mqtt://127.0.3.1:11000","address":"127.0.3.1:11000","why":"near_home"}]}"#;
            Ok(format!(
                "global\n    nbthread 1\n    maxconn 4000\ndefaults\n    mode http\n    \
                 timeout connect 5s\n    timeout client 1h\n    timeout server 1h\n    \
                 option http-keep-alive\nfrontend provision\n    bind {endpoint}{tls}\n    \
                 http-request return status 200 content-type application/json hdr ETag \
                 W/\\\"0123456789abcdef\\\" hdr Cache-Control \"private, max-age=30\" string '{body}'\n"
            ))
        }
        Kind::Isobar(_) => {
            let layout =
                Layout { listen, brokers, admin, maxconn: 1_000, log: false, source: Vec::new() };
            let tls = match (shown("pem"), shown("key")) {
                (Some(cert), Some(key)) => {
                    format!("tls = \"bench\"\n[tls.bench]\ncert = {cert:?}\nkey = {key:?}\n")
                }
                _ => String::new(),
            };
            Ok(isobar_toml(Mode::Mqtt, &layout, "bench", "")
                + &format!("\n[entry.provision]\nbind = \"{endpoint}\"\nrate = 1_000_000\n{tls}"))
        }
    }
}

/// A certificate of its own for the endpoint: `.pem`, `.key`, and both in `.both`.
fn certify(ground: &Ground, endpoint: SocketAddr) -> Result<std::path::PathBuf> {
    let (pem, key, both) =
        (ground.path("tls.pem"), ground.path("tls.key"), ground.path("tls.both"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "100", "-subj", "/CN=bench"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext"])
        .arg(format!("subjectAltName=IP:{}", endpoint.ip()))
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&pem)
        .output()
        .context("running openssl")?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        return Err(Failure::new(format!("openssl: {said}")));
    }
    let read = |path: &Path| std::fs::read_to_string(path).context(format!("{}", path.display()));
    let together = read(&pem)? + &read(&key)?;
    std::fs::write(&both, together).context(format!("writing {}", both.display()))?;
    Ok(pem)
}

fn client(certificate: &Path) -> Result<Arc<ClientConfig>> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("the certificate: {error}"));
    let der = CertificateDer::from_pem_file(certificate).map_err(|error| failed(&error))?;
    let mut roots = RootCertStore::empty();
    roots.add(der).map_err(|error| failed(&error))?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    // Each handshake is a whole one, as of devices that come once.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Until it answers.
fn wait(endpoint: SocketAddr, config: Option<&Arc<ClientConfig>>) -> Result<()> {
    let until = Instant::now() + LIMIT;
    loop {
        let answered = Asker::connect(endpoint, config).and_then(|mut asker| asker.ask());
        match answered {
            Ok(()) => return Ok(()),
            Err(failure) if Instant::now() > until => return Err(failure),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

struct Plan {
    endpoint: SocketAddr,
    config: Option<Arc<ClientConfig>>,
    way: Way,
    cpu: usize,
    time: Duration,
}

impl Plan {
    /// Asks for so long; how long answers took, in microseconds.
    fn run(&self, time: Duration) -> Result<Histogram<u64>> {
        let parts: Vec<Result<Histogram<u64>>> = thread::scope(|scope| {
            let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(|| self.one(time))).collect();
            let ended = askers.into_iter().map(|asker| asker.join());
            ended
                .map(|ended| ended.unwrap_or_else(|_| Err(Failure::new("an asker panicked"))))
                .collect()
        });
        let mut all = Histogram::new(3).context("making a histogram")?;
        for part in parts {
            all.add(part?).context("adding histograms")?;
        }
        Ok(all)
    }

    fn one(&self, time: Duration) -> Result<Histogram<u64>> {
        child::pin(self.cpu)?;
        let mut took = Histogram::new(3).context("making a histogram")?;
        let connect = || Asker::connect(self.endpoint, self.config.as_ref());
        let mut kept = if self.way == Way::Fresh { None } else { Some(connect()?) };
        let pause = match self.way {
            Way::Paced => Duration::from_secs(1) * ASKERS / RATE,
            Way::Fresh => Duration::from_secs(1) * ASKERS / FRESH,
            Way::AsFastAsItGoes => Duration::ZERO,
        };
        let start = Instant::now();
        let mut due = start;
        while start.elapsed() < time {
            // Counted from when it should have begun: who waits in line has waited.
            let begun = if pause.is_zero() { Instant::now() } else { due };
            match &mut kept {
                Some(asker) => asker.ask()?,
                None => connect()?.ask()?,
            }
            took.record(begun.elapsed().as_micros() as u64).context("recording")?;
            due += pause;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        Ok(took)
    }
}

/// A client.
struct Asker {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Asker {
    fn connect(endpoint: SocketAddr, config: Option<&Arc<ClientConfig>>) -> Result<Asker> {
        let asking = || format!("asking {endpoint}");
        let stream = TcpStream::connect_timeout(&endpoint, LIMIT).context(asking())?;
        stream.set_nodelay(true).context(asking())?;
        stream.set_read_timeout(Some(LIMIT)).context(asking())?;
        let stream: Box<dyn Stream> = match config {
            None => Box::new(stream),
            Some(config) => {
                let name = ServerName::from(endpoint.ip());
                let connection = ClientConnection::new(config.clone(), name).context(asking())?;
                Box::new(StreamOwned::new(connection, stream))
            }
        };
        Ok(Asker { stream, buffer: Vec::with_capacity(4096) })
    }

    /// One question, one whole answer.
    fn ask(&mut self) -> Result<()> {
        self.stream.write_all(REQUEST.as_bytes()).context("asking")?;
        self.buffer.clear();
        let mut chunk = [0; 4096];
        loop {
            let read = self.stream.read(&mut chunk).context("reading an answer")?;
            if read == 0 {
                return Err(Failure::new("closed before the answer"));
            }
            self.buffer.extend_from_slice(&chunk[..read]);
            if is_whole(&self.buffer)? {
                return Ok(());
            }
        }
    }
}

fn is_whole(answer: &[u8]) -> Result<bool> {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(false) };
    if !head.starts_with("HTTP/1.1 200") {
        return Err(Failure::new(format!("answered {:?}", head.lines().next().unwrap_or(""))));
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| Failure::new("an answer without a length"))?;
    Ok(body.len() >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_length_is_there() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        for cut in 0..whole.len() {
            assert!(!is_whole(&whole[..cut]).unwrap(), "{cut}");
        }
        assert!(is_whole(whole).unwrap());
        assert!(is_whole(b"HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}
