//! `perf record` on a proxy during the measured part of a load, to see where its time goes.

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::calls::interrupt;
use crate::contender::Contender;
use crate::failure::Result;
use crate::load::Work;
use crate::trial::{Ground, Setting, Subject, keep_program};

/// perf does not say when it has attached.
const ATTACH: Duration = Duration::from_millis(700);

/// Writes `perf-CONTENDER-MEASURE.data` into `directory` and says how to read it.
pub(crate) fn record(
    ground: &mut Ground,
    contender: &Contender,
    name: &str,
    setting: &Setting<'_>,
    work: &Work,
    directory: &Path,
) -> Result<()> {
    let contender_name = contender.name.replace(' ', "-");
    let data = directory.join(format!("perf-{contender_name}-{name}.data"));
    let attach = |subject: &Subject<'_>| {
        let command = command(subject.pids, &data);
        println!("{}", command.join(" "));
        let output = subject.directory.join("perf.out");
        let (mut perf, pid) = keep_program(None, Some(subject.load_cpu), &output, &command)?;
        thread::sleep(ATTACH);
        Ok(move || interrupt(&mut perf, pid))
    };
    ground.traced(contender, setting, work, attach)?;
    println!("perf report --no-children -i {}", data.display());
    Ok(())
}

fn command(pids: &[u32], data: &Path) -> Vec<String> {
    // cpu-clock also exists in virtual machines that have no hardware counters.
    let fixed = "perf record -q -e cpu-clock -F 2000 -g -p";
    let mut command: Vec<String> = fixed.split(' ').map(str::to_owned).collect();
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    command.extend([pids.join(","), "-o".into(), data.display().to_string()]);
    command
}
