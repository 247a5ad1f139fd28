//! The figures of a run as tables in Markdown, each figure that something is wanted of beside that.

use std::fmt;

use crate::cost::{Cost, MODES, Mode, Used};
use crate::crowd::{Crowd, SLOW};
use crate::program::mebibytes;
use crate::server::{CLIENTS, Kind};
use crate::start::Start;

/// Everything that was measured.
pub(crate) struct Figures {
    pub(crate) costs: Vec<Cost>,
    pub(crate) missing: Vec<&'static str>,
    pub(crate) start: Start,
    pub(crate) crowd: Crowd,
}

/// The places in `MODES` of pages that are sent as they are.
const ONE_PLAIN: usize = 0;
const MANY_PLAIN: usize = 1;

const COLUMNS: [(Kind, &str); 6] = [
    (Kind::Ours, "ours"),
    (Kind::Ready, "(a) ready page"),
    (Kind::Buffer, "bare buffer"),
    (Kind::Registry, "(b) prometheus"),
    (Kind::Go, "(c) Go"),
    (Kind::Python, "(d) Python"),
];

impl Cost {
    fn server(&self, kind: Kind) -> Option<&Used> {
        self.servers.iter().find(|used| used.kind == kind)
    }

    /// How many times the second's the first one's cost is, in one of the modes.
    fn ratio(&self, one: Kind, other: Kind, mode: usize) -> Option<f64> {
        Some(self.server(one)?.millis[mode] / self.server(other)?.millis[mode])
    }
}

impl Figures {
    pub(crate) fn every_scrape_answered(&self) -> bool {
        self.crowd.asked == self.crowd.answered
    }

    fn cpu(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "CPU time of a scrape, in ms")?;
        for cost in &self.costs {
            for (index, Mode { gzip, clients }) in MODES.into_iter().enumerate() {
                let what = format!(
                    "{} instances, {}, {clients} at a time",
                    cost.instances,
                    if gzip { "gzip" } else { "plain" }
                );
                row(f, &what, cost, |used| format!("{:.3}", used.millis[index]))?;
            }
        }
        writeln!(f)?;
        head(f, "RSS after all that")?;
        for cost in &self.costs {
            let what = format!("{} instances, a page of {} KiB", cost.instances, cost.page / 1024);
            row(f, &what, cost, |used| mebibytes(used.memory.now))?;
        }
        writeln!(f)
    }

    fn judged(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| {:<57} | {:>9} | {:<13} | {:<7} |",
            "figure", "measured", "wanted", ""
        )?;
        writeln!(f, "|{:-<59}|{:->10}:|{:-<15}|{:-<9}|", "", "", "", "")?;
        let large = || self.costs.iter().filter(|cost| cost.instances >= 1_000);
        // Nothing is wanted of these. The first says how far (c) to ours could go; the others are to a smaller server,
        // where what is wanted is to the same one.
        let mut told = |what: &str, ratio: Option<f64>, decimals: usize| {
            let Some(ratio) = ratio else { return Ok(()) };
            writeln!(
                f,
                "| {what:<57} | {ratio:>9.decimals$} | {:<13} | {:<7} |",
                "", ""
            )
        };
        for cost in large() {
            let what = format!("CPU with {} instances, (c) to (a)", cost.instances);
            told(&what, cost.ratio(Kind::Go, Kind::Ready, ONE_PLAIN), 0)?;
        }
        for cost in large() {
            let what = format!(
                "CPU with {} instances, 1 at a time, ours to the buffer",
                cost.instances
            );
            told(&what, cost.ratio(Kind::Ours, Kind::Buffer, ONE_PLAIN), 2)?;
        }
        let mut judge = |what: &str, measured: String, wanted: &str, met: bool| {
            let verdict = if met { "met" } else { "not met" };
            writeln!(f, "| {what:<57} | {measured:>9} | {wanted:<13} | {verdict:<7} |")
        };
        for (cost, mode) in large().flat_map(|cost| [(cost, ONE_PLAIN), (cost, MANY_PLAIN)]) {
            let (instances, clients) = (cost.instances, MODES[mode].clients);
            if let Some(ratio) = cost.ratio(Kind::Ours, Kind::Ready, mode) {
                let what = format!("CPU with {instances} instances, {clients} at a time, ours to (a)");
                judge(&what, format!("{ratio:.2}"), "at most 1.5", ratio <= 1.5)?;
            }
        }
        for (kind, name, wanted, words) in [
            (Kind::Registry, "(b)", 20.0, "at least 20"),
            (Kind::Go, "(c)", 100.0, "at least 100"),
        ] {
            for cost in large() {
                if let Some(ratio) = cost.ratio(kind, Kind::Ours, ONE_PLAIN) {
                    let what = format!("CPU with {} instances, {name} to ours", cost.instances);
                    judge(&what, format!("{ratio:.0}"), words, ratio >= wanted)?;
                }
            }
        }
        if let Some(used) = self.costs.last().and_then(|cost| cost.server(Kind::Ours)) {
            judge(
                &format!("RSS at its peak with 10000 instances, {CLIENTS} clients"),
                mebibytes(used.memory.peak),
                "under 60 MiB",
                used.memory.peak < 60 * 1024,
            )?;
        }
        judge(
            &format!("RSS of the exporter with {} instances", self.start.instances),
            mebibytes(self.start.memory.now),
            "under 10 MiB",
            self.start.memory.now < 10 * 1024,
        )?;
        judge(
            "from exec to the first page, median",
            format!("{:.1} ms", self.start.answer),
            "within 20 ms",
            self.start.answer <= 20.0,
        )?;
        judge(
            &format!("scrapes answered amid {SLOW} slow clients"),
            format!("{}", self.crowd.answered),
            &format!("all {}", self.crowd.asked),
            self.every_scrape_answered(),
        )?;
        writeln!(
            f,
            "\nThe slow clients took {} connections, since whoever is sent away comes back; RSS was {} at its peak.",
            self.crowd.slow,
            mebibytes(self.crowd.memory.peak)
        )
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cpu(f)?;
        self.judged(f)?;
        for missing in &self.missing {
            writeln!(f, "{missing}")?;
        }
        Ok(())
    }
}

fn head(f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
    write!(f, "| {what:<37} |")?;
    for (_, name) in COLUMNS {
        write!(f, " {name:>14} |")?;
    }
    write!(f, "\n|{:-<39}|", "")?;
    for _ in COLUMNS {
        write!(f, "{:->15}:|", "")?;
    }
    writeln!(f)
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, cost: &Cost, figure: impl Fn(&Used) -> String) -> fmt::Result {
    write!(f, "| {what:<37} |")?;
    for (kind, _) in COLUMNS {
        let figure = cost.server(kind).map_or_else(String::new, &figure);
        write!(f, " {figure:>14} |")?;
    }
    writeln!(f)
}
