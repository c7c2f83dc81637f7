//! A run of the bench: who takes part, rounds in alternation, findings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use crate::cli::Options;
use crate::contender::{Contender, Kind, Mode};
use crate::failure::{Context, Failure, Result};
use crate::findings::{Findings, Row};
use crate::load::Report;
use crate::measure::{Measure, Sizes};
use crate::stats::Sample;
use crate::trial::{Cpus, Ground, Setting};
use crate::{calls, links, lock, ports, procfs, provision};

/// Descriptors that a proxy needs besides two a flow; Isobar keeps 256 back for answers.
const SPARE_DESCRIPTORS: u64 = 600;
/// A trial in which others used more of one of the CPUs than this is told of.
const DISTURBED: f64 = 0.1;

/// A run of the bench.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) ground: Ground,
    pub(crate) sizes: Sizes,
    /// The first is the rival.
    pub(crate) contenders: Vec<Contender>,
    pub(crate) findings: Findings,
    rounds: u32,
}

impl Bench {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let &[proxy, load] = options.cpus.as_slice() else {
            return Err(Failure::new("--cpus wants two numbers, as in 0,1"));
        };
        let cpus = thread::available_parallelism().context("counting CPUs")?.get();
        if proxy == load || proxy.max(load) >= cpus {
            return Err(Failure::new(format!("--cpus {proxy},{load}: want two of {cpus}")));
        }
        let contenders = contenders(options)?;
        let mut sizes = if options.quick { Sizes::QUICK } else { Sizes::FULL };
        let mut findings = Findings::default();
        let flows_max = raise_descriptors()?;
        if sizes.idle_flows > flows_max {
            findings.notes.push(format!(
                "descriptors allow only {flows_max} idle connections, not {}",
                sizes.idle_flows
            ));
            sizes.idle_flows = flows_max;
        }
        sizes.ports = sizes.ports.min(flows_max);
        let rounds = if options.quick { 1 } else { options.rounds };
        findings.header = header(options, &contenders, Cpus { proxy, load }, rounds);
        if cfg!(debug_assertions) {
            findings.notes.push("the bench itself is a debug build: use --release".into());
        }
        let ground = Ground::new(Cpus { proxy, load }, options.log, options.mosquitto, flows_max)?;
        Ok(Self { ground, sizes, contenders, findings, rounds })
    }

    /// Makes one measure: in each round every contender once, first the one, then the other.
    pub(crate) fn alternate(&mut self, measure: Measure) -> Result<()> {
        let work = measure.work(&self.sizes);
        let mut reports: Vec<Vec<Report>> = vec![Vec::new(); self.contenders.len()];
        for round in 0..self.rounds {
            for turn in 0..self.contenders.len() {
                // Every other round backwards, so that drift favours nobody.
                let who = if round % 2 == 0 { turn } else { self.contenders.len() - 1 - turn };
                let contender = &self.contenders[who];
                let report = self.ground.trial(contender, &measure.setting(), &work)?;
                let figures = measure.figures(&report);
                let (figure, value) = figures[0];
                eprintln!(
                    "{} {}/{} {}: {} {value:.1} {} ({:.0} % of its CPU time in user space; \
                     CPUs busy: proxy's {:.0} %, load's {:.0} %)",
                    measure.name(),
                    round + 1,
                    self.rounds,
                    contender.name,
                    figure.name,
                    figure.unit,
                    report.user_share * 100.0,
                    report.proxy_cpu_busy * 100.0,
                    report.load_cpu_busy * 100.0,
                );
                if report.failed > 0 {
                    let name = &contender.name;
                    let (failed, all) = (report.failed, report.failed + report.done);
                    let round = round + 1;
                    self.findings.notes.push(format!(
                        "{name}: {failed} of {all} failed in round {round} of {}",
                        measure.name()
                    ));
                }
                reports[who].push(report);
            }
        }
        let disturbed = reports.iter().flatten().filter(|r| r.disturbance() > DISTURBED).count();
        if disturbed > 0 {
            self.findings.notes.push(format!(
                "{}: in {disturbed} of {} trials something else used more than {:.0} % of a \
                 CPU; is the machine quiet?",
                measure.name(),
                reports.iter().map(Vec::len).sum::<usize>(),
                DISTURBED * 100.0,
            ));
        }
        self.conclude(measure, &reports);
        Ok(())
    }

    fn conclude(&mut self, measure: Measure, reports: &[Vec<Report>]) {
        let samples = |reports: &[Report], index: usize| {
            Sample::new(reports.iter().map(|report| measure.figures(report)[index].1).collect())
        };
        let figures = measure.figures(&reports[0][0]);
        for (index, (figure, _)) in figures.into_iter().enumerate() {
            for (contender, of_contender) in self.contenders.iter().zip(reports).skip(1) {
                let (rival, ours) = (samples(&reports[0], index), samples(of_contender, index));
                self.findings.rows.push(Row::new(figure, &contender.name, rival, ours));
            }
        }
    }

    /// Counts system calls, each contender once.
    pub(crate) fn count_calls(&mut self, setting: &Setting<'_>) -> Result<()> {
        let mut all = Vec::new();
        for contender in &self.contenders {
            eprintln!("calls {}", contender.name);
            all.push(calls::count(
                &mut self.ground,
                contender,
                setting,
                self.sizes.traced_messages,
            )?);
        }
        self.findings.add_calls(all);
        Ok(())
    }

    /// Reads how long Isobar's lock is held, once with each of its modes.
    pub(crate) fn time_lock(&mut self) -> Result<()> {
        let work = Measure::Connect.work(&self.sizes);
        for contender in self.contenders.iter().filter(|c| matches!(c.kind, Kind::Isobar(_))) {
            eprintln!("lock {}", contender.name);
            let holds = lock::measure(&mut self.ground, contender, &work)?;
            self.findings.locks.push(holds);
        }
        Ok(())
    }

    /// Weighs the links of a mesh without flows, in each round anew.
    pub(crate) fn weigh_links(&mut self) -> Result<()> {
        let ours = self.contenders.iter().find(|c| matches!(c.kind, Kind::Isobar(_))).cloned();
        let ours = ours.ok_or_else(|| Failure::new("links are Isobar's: there is none here"))?;
        let links = links::weigh(&mut self.ground, &ours, &self.sizes, self.rounds)?;
        self.findings.links.push(links);
        Ok(())
    }

    /// Asks each contender where to go.
    pub(crate) fn ask_provisioning(&mut self) -> Result<()> {
        let seconds = self.sizes.ask_seconds;
        let asked = provision::measure(&mut self.ground, &self.contenders, self.rounds, seconds)?;
        self.findings.asked.extend(asked);
        Ok(())
    }

    /// Fills a range of ports with each program once.
    pub(crate) fn fill_ports(&mut self) -> Result<()> {
        let mut once: Vec<&Contender> = Vec::new();
        for contender in &self.contenders {
            // Modes do not differ in how ports are chosen.
            if once.iter().all(|have| have.program != contender.program) {
                once.push(contender);
            }
        }
        let progress = |name: &str| eprintln!("ports {name}");
        self.findings.ports = ports::fill(&mut self.ground, &once, self.sizes.ports, progress)?;
        Ok(())
    }

    /// Prints the tables and writes the JSON.
    pub(crate) fn publish(&self, json: Option<&Path>) -> Result<()> {
        print!("{}", self.findings.to_text());
        if let Some(path) = json {
            let text = serde_json::to_string_pretty(&self.findings).context("making JSON")?;
            fs::write(path, text + "\n").context(format!("writing {}", path.display()))?;
        }
        Ok(())
    }
}

fn contenders(options: &Options) -> Result<Vec<Contender>> {
    let haproxy = |name: &str| Contender {
        name: name.into(),
        kind: Kind::Haproxy,
        program: options.haproxy.clone(),
    };
    let mut all = vec![haproxy("haproxy")];
    if options.rival_only {
        all.push(haproxy("haproxy again"));
        return Ok(all);
    }
    let isobar = match &options.isobar {
        Some(path) => path.clone(),
        None => build_isobar()?,
    };
    let programs = [("isobar", Some(&isobar)), ("also", options.also.as_ref())];
    for (name, program) in programs {
        let Some(program) = program else { continue };
        let program = fs::canonicalize(program).context(format!("{}", program.display()))?;
        for &mode in &options.mode {
            let mode_name = if mode == Mode::Tcp { "tcp" } else { "mqtt" };
            let name = format!("{name} {mode_name}");
            all.push(Contender { name, kind: Kind::Isobar(mode), program: program.clone() });
        }
    }
    Ok(all)
}

/// Builds the program to measure; gives its path.
fn build_isobar() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["build", "--release", "-p", "isobar", "--bin", "isobar"];
    let built = Command::new(cargo)
        .args(args)
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo")?;
    if !built.status.success() {
        return Err(Failure::new("isobar was not built; name one with --isobar PATH"));
    }
    executable_in(&String::from_utf8_lossy(&built.stdout))
        .ok_or_else(|| Failure::new("cargo did not say where it put isobar"))
}

/// The executable that cargo's messages name.
fn executable_in(messages: &str) -> Option<PathBuf> {
    let of =
        |line| serde_json::from_str::<Value>(line).ok()?["executable"].as_str().map(PathBuf::from);
    messages.lines().filter_map(of).next_back()
}

/// Raises the limit of descriptors for everything that is started; gives the flows that a
/// proxy, with two descriptors a flow, can hold then.
fn raise_descriptors() -> Result<u32> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("raising the limit of descriptors")?;
    let flows = maximum.unwrap_or(u64::MAX).saturating_sub(SPARE_DESCRIPTORS) / 2;
    Ok(u32::try_from(flows).unwrap_or(u32::MAX).min(100_000))
}

fn header(options: &Options, contenders: &[Contender], cpus: Cpus, rounds: u32) -> Vec<String> {
    let mut programs: Vec<&Contender> = Vec::new();
    for contender in contenders {
        if programs.iter().all(|have| have.program != contender.program) {
            programs.push(contender);
        }
    }
    let versions = programs.iter().map(|contender| version(contender)).collect::<Vec<_>>();
    let count = thread::available_parallelism().map_or(0, usize::from);
    vec![
        format!("isobar-bench {}: {}", env!("CARGO_PKG_VERSION"), versions.join(", ")),
        format!("kernel {}, {}, {count} CPUs", procfs::kernel(), procfs::cpu_model()),
        format!(
            "proxy on CPU {}, load and {} on CPU {}; {rounds} round{}, logs {}{}",
            cpus.proxy,
            if options.mosquitto { "mosquitto" } else { "bench broker (tunnels: mosquitto)" },
            cpus.load,
            if rounds == 1 { "" } else { "s" },
            if options.log { "on" } else { "off" },
            if options.quick { "; QUICK: the figures mean nothing" } else { "" },
        ),
    ]
}

fn version(contender: &Contender) -> String {
    let (flag, fallback) = match contender.kind {
        Kind::Haproxy => ("-v", "HAProxy of unknown version"),
        Kind::Isobar(_) => ("--version", "isobar of unknown version"),
    };
    let output = Command::new(&contender.program).arg(flag).stdin(Stdio::null()).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = said.ok().and_then(|text| text.lines().next().map(str::to_owned));
    match line {
        // "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://…": without date and address.
        Some(line) => line.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" "),
        None => fallback.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_executable_in_cargos_messages() {
        let messages = "{\"reason\":\"x\",\"executable\":null}\n{\"executable\":\"/t/isobar\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable_in(messages), Some(PathBuf::from("/t/isobar")));
        assert_eq!(executable_in("not json\n"), None);
    }
}
