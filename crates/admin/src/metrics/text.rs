//! The Prometheus text format 0.0.4, as much of it as we write.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::Write;

/// What a family's numbers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Of this moment.
    Gauge,
    /// Cumulative counts by upper bound.
    Histogram,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// A sample's value. Counts stay integers, so that none is rounded before Prometheus does it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Number {
    Count(u64),
    Real(f64),
}

/// A text under construction: a family, then its samples.
pub(super) struct Text {
    out: String,
    /// `site="…"`, escaped: the first label of every sample.
    site: String,
    family: &'static str,
}

impl Text {
    pub(super) fn new(site: &str) -> Text {
        let mut label = String::new();
        push_label(&mut label, "site", site);
        Text { out: String::new(), site: label, family: "" }
    }

    /// Begins a family. Its samples must follow before the next one's: the format wants them
    /// in one group.
    pub(super) fn family(&mut self, kind: Kind, name: &'static str, help: &'static str) {
        self.family = name;
        let out = &mut self.out;
        let kind = kind.word();
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample of the current family, if there is a number.
    pub(super) fn maybe(&mut self, labels: &[(&str, &str)], number: Option<Number>) {
        if let Some(number) = number {
            self.sample("", labels, number);
        }
    }

    /// One sample of the current family, with a suffix to its name for histograms.
    pub(super) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], number: Number) {
        let out = &mut self.out;
        let _ = write!(out, "{}{suffix}{{{}", self.family, self.site);
        for (name, value) in labels {
            out.push(',');
            push_label(out, name, value);
        }
        let _ = match number {
            Number::Count(n) => writeln!(out, "}} {n}"),
            Number::Real(x) => writeln!(out, "}} {x}"),
        };
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Within a label value, backslash, double quote and line feed are escaped, nothing else.
fn push_label(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
}
