//! A place of its own for one live run: whatever it starts and writes can be found by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// For a drill of half a minute, with all that comes before and after it.
const PATIENCE: Duration = Duration::from_secs(150);
const GLANCE: Duration = Duration::from_millis(20);

/// A directory that a run takes for the system's temporary one.
pub struct Place(TempDir);

/// What a run came to.
pub struct Run {
    pub code: Option<i32>,
    pub told: String,
    /// Its only record, if it wrote any.
    pub record: Option<Value>,
}

impl Place {
    pub fn new() -> Place {
        Place(tempfile::tempdir().expect("a directory"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts a drill on real processes.
    pub fn starts(&self, drill: &str) -> Child {
        fs::write(self.file("drill.toml"), drill).expect("a file");
        let (out, err) = (self.file("out"), self.file("err"));
        let temp = self.file("temp");
        fs::create_dir(&temp).expect("a directory");
        Command::new(env!("CARGO_BIN_EXE_isobar"))
            .args(["drill", "run", "--live", "--seed", "1", "--json"])
            .args([self.file("record.json"), self.file("drill.toml")])
            .env("TMPDIR", temp)
            .stdin(Stdio::null())
            .stdout(fs::File::create(out).expect("a file"))
            .stderr(fs::File::create(err).expect("a file"))
            .spawn()
            .expect("it starts")
    }

    /// Waits for its end.
    pub fn ends(&self, mut run: Child) -> Run {
        let mut ended = None;
        let in_time = until(|| {
            ended = run.try_wait().expect("it can be waited for");
            ended.is_some()
        });
        if !in_time {
            // So that nothing outlives the test.
            let _ = run.kill();
        }
        let read = |name: &str| fs::read_to_string(self.file(name)).unwrap_or_default();
        let told = read("out") + &read("err");
        assert!(in_time, "it did not end:\n{told}");
        println!("{told}");
        let record = fs::read_to_string(self.file("record.json")).ok();
        let record = record.map(|text| serde_json::from_str::<Value>(&text).expect("it is JSON"));
        let record = record.and_then(|mut held| held["records"].get_mut(0).map(Value::take));
        Run { code: ended.and_then(|ended| ended.code()), told, record }
    }

    /// Programs that run here: their command lines.
    pub fn programs(&self) -> Vec<String> {
        let here = self.file("temp");
        let here = here.to_str().expect("it is UTF-8").to_owned();
        let all = fs::read_dir("/proc").expect("it is there").flatten();
        let lines = all.filter_map(|of| fs::read(of.path().join("cmdline")).ok());
        let words = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        words.filter(|words| words.contains(&here)).collect()
    }

    /// Waits until so many run here.
    pub fn has(&self, programs: impl Fn(usize) -> bool) {
        let is_so = until(|| programs(self.programs().len()));
        assert!(is_so, "{:#?}", self.programs());
    }

    /// Waits until nothing of a run is left: no program, and no file.
    pub fn is_left_clean(&self) {
        self.has(|programs| programs == 0);
        let is_empty = |at: &Path| fs::read_dir(at).expect("it is there").next().is_none();
        assert!(until(|| is_empty(&self.file("temp"))), "{:?}", fs::read_dir(self.file("temp")));
    }
}

/// Waits for something, with a bound. Whether it came.
fn until(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(GLANCE);
    }
    true
}
