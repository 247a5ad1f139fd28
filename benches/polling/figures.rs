//! The figures of a run, each beside what is wanted of it, as a table in Markdown.

use std::fmt;

use crate::cloud::{DROP_PERCENT, JITTER};
use crate::program::{Memory, mebibytes};
use crate::{INSTANCES, LIMIT, Reading};

/// What lies between two readings.
#[derive(Debug)]
pub(crate) struct Figures {
    seconds: f64,
    /// Calls that arrived at the cloud.
    calls: u32,
    /// Calls that failed at the exporter: those that the network dropped, unless something is wrong.
    failed: f64,
    /// Seconds from sending a call to the end of its answer, or to the drop of its connection.
    mean_latency: f64,
    /// Since the start.
    most_in_one_window: u32,
    /// Since the start.
    throttled: u32,
    /// Milliseconds a call.
    exporter_cpu: f64,
    bare_calls: u32,
    /// Milliseconds a call.
    bare_cpu: f64,
    memory: Memory,
}

/// A line of the table.
struct Row {
    what: &'static str,
    measured: String,
    /// And whether that is so.
    wanted: Option<(&'static str, bool)>,
}

impl Figures {
    pub(crate) fn between(from: &Reading, to: &Reading, memory: Memory) -> anyhow::Result<Self> {
        let calls = to.cloud.exporter().arrivals - from.cloud.exporter().arrivals;
        let bare_calls = to.cloud.bare().arrivals - from.cloud.bare().arrivals;
        anyhow::ensure!(calls > 0 && bare_calls > 0, "no calls arrived at the cloud");
        let grown = |metric: &str| total(&to.metrics, metric) - total(&from.metrics, metric);
        let millis = |seconds: f64, calls: u32| seconds * 1000.0 / f64::from(calls);
        Ok(Self {
            seconds: (to.at - from.at).as_secs_f64(),
            calls,
            failed: grown("aliyun_pca_api_request_errors_total"),
            mean_latency: grown("aliyun_pca_api_request_duration_seconds_sum")
                / grown("aliyun_pca_api_request_duration_seconds_count"),
            most_in_one_window: to.cloud.exporter().most_in_one_window,
            throttled: to.cloud.throttled(),
            exporter_cpu: millis(to.exporter_cpu - from.exporter_cpu, calls),
            bare_calls,
            bare_cpu: millis(to.bare_cpu - from.bare_cpu, bare_calls),
            memory,
        })
    }

    /// Whether the budget has held.
    pub(crate) fn within_budget(&self) -> bool {
        self.most_in_one_window <= LIMIT.into()
    }

    fn rows(&self) -> Vec<Row> {
        let limit = f64::from(LIMIT);
        let allowed = limit / (1.0 + self.mean_latency) * self.seconds;
        let used = f64::from(self.calls) / allowed * 100.0;
        let cost = self.exporter_cpu / self.bare_cpu;
        let row = |what, measured| Row {
            what,
            measured,
            wanted: None,
        };
        let judged = |what, measured, wanted, met| Row {
            wanted: Some((wanted, met)),
            ..row(what, measured)
        };
        vec![
            row("measured for", format!("{:.1} s", self.seconds)),
            row("mean latency", format!("{:.1} ms", self.mean_latency * 1000.0)),
            row("calls that failed", format!("{:.0}", self.failed)),
            row("calls allowed", format!("{allowed:.0}")),
            row("calls made", self.calls.to_string()),
            judged(
                "made of allowed",
                format!("{used:.1} %"),
                "at least 97 %",
                used >= 97.0,
            ),
            judged(
                "most calls in any second at the cloud",
                self.most_in_one_window.to_string(),
                "at most 10",
                self.within_budget(),
            ),
            judged(
                "throttled calls",
                self.throttled.to_string(),
                "none",
                self.throttled == 0,
            ),
            row("CPU of a poll", format!("{:.3} ms", self.exporter_cpu)),
            row("calls of the bare client", self.bare_calls.to_string()),
            row("CPU of a bare call", format!("{:.3} ms", self.bare_cpu)),
            judged(
                "CPU, poll to bare call",
                format!("{cost:.2}"),
                "at most 3",
                cost <= 3.0,
            ),
            judged(
                "RSS after scrapes",
                mebibytes(self.memory.now),
                "under 40 MiB",
                self.memory.now < 40 * 1024,
            ),
            row("RSS at its peak", mebibytes(self.memory.peak)),
        ]
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| {:<37} | {:>9} | {:<13} | {:<7} |",
            "figure", "measured", "wanted", ""
        )?;
        writeln!(f, "|{:-<39}|{:->10}:|{:-<15}|{:-<9}|", "", "", "", "")?;
        for row in self.rows() {
            let (wanted, verdict) = row.wanted.map_or(("", ""), |(wanted, met)| {
                (wanted, if met { "met" } else { "not met" })
            });
            writeln!(
                f,
                "| {:<37} | {:>9} | {wanted:<13} | {verdict:<7} |",
                row.what, row.measured
            )?;
        }
        write!(
            f,
            "\n{INSTANCES} instances, calls {JITTER} on their way, {DROP_PERCENT} % of them dropped unanswered. The \
             latency is the exporter's own\n(aliyun_pca_api_request_duration_seconds): from sending a call to the \
             end of its answer, which follows the head at once\nhere, or to the drop of its connection. Allowed are \
             {LIMIT} / (1 s + mean latency) calls a second. The most calls in any\nsecond and the throttled ones are \
             those since the start, everything else since connections stood."
        )
    }
}

/// The sum of a metric's series.
fn total(metrics: &str, name: &str) -> f64 {
    let series = metrics.lines().filter_map(|line| {
        let labels = line.strip_prefix(name)?;
        labels.starts_with('{').then(|| line.rsplit_once(' '))?
    });
    series.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}
