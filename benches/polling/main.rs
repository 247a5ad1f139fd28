//! One account with 10,000 instances at 10 calls a second over a bad network, on real sockets: does the budget hold,
//! is it used, and what does a poll cost? `cargo bench --profile dist --bench polling`, or `… -- --seconds 30` for a first
//! look.
//!
//! Four processes: the simulated cloud, the exporter, a bare HTTP client that makes the same signed calls, and this
//! one, which reads and prints. Exporter and bare client run side by side, as two users of the cloud with a limit
//! each, so that whatever else the machine does weighs on both.
//!
//! Not a test: it prints how fast things are beside what is wanted. Only a window over the budget, which is a promise,
//! makes it fail.

mod bare;
mod cloud;
mod figures;
#[path = "../shared/program.rs"]
mod program;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use aliyun_pca_exporter::aliyun::endpoint::Endpoint;
use anyhow::Context as _;
use clap::Parser;
use tokio::time::{Instant, sleep};

use cloud::{Cloud, ID, SECRET};
use figures::Figures;
use program::Program;

/// The budget: calls in any second.
const LIMIT: u8 = 10;

const INSTANCES: u32 = 10_000;

/// Shorter than a round takes, so that a call is due at any time.
const INTERVAL: &str = "15m";

/// From the exporter's start to the first figure: the two seconds that a new budget waits, and a few calls of each
/// slot, so that connections stand.
const SETTLING: Duration = Duration::from_secs(5);

/// Scrapes before the exporter's memory is read, as many as Prometheus makes in three minutes at one in 15 seconds:
/// what they leave behind is part of what it occupies.
const SCRAPES: u32 = 12;

/// Measures one account with 10,000 instances against a simulated cloud.
#[derive(Debug, Parser)]
#[command(name = "polling")]
struct Flags {
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Be the bare client of this endpoint, until killed
    #[arg(long, value_name = "URL", hide = true)]
    bare: Option<Endpoint>,
    /// What cargo says to every benchmark
    #[arg(long = "bench", hide = true)]
    _bench: bool,
}

/// What has been counted up to a moment.
struct Reading {
    at: Instant,
    cloud: cloud::Report,
    /// Seconds.
    exporter_cpu: f64,
    /// Seconds.
    bare_cpu: f64,
    metrics: String,
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the figures are for a person")]
async fn main() -> anyhow::Result<ExitCode> {
    let flags = Flags::parse();
    if let Some(endpoint) = flags.bare {
        bare::call_until_killed(&endpoint).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let figures = measure(Duration::from_secs(flags.seconds.into())).await?;
    println!("{figures}");
    Ok(if figures.within_budget() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn measure(span: Duration) -> anyhow::Result<Figures> {
    let cloud = Cloud::start().await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, configuration(&cloud.url()))?;
    let bare = Program::silent(Command::new(std::env::current_exe()?).args(["--bare", &cloud.url()]))?;
    let (exporter, address) = start_exporter(&path)?;
    let metrics = format!("http://{address}/metrics");

    sleep(SETTLING).await;
    // No scrape falls into the time that counts: its cost is no poll's.
    let from = Reading {
        metrics: cloud.get(&metrics).await?,
        exporter_cpu: cpu_seconds(&exporter)?,
        bare_cpu: cpu_seconds(&bare)?,
        cloud: cloud.report().await?,
        at: Instant::now(),
    };
    sleep(span).await;
    let to = Reading {
        exporter_cpu: cpu_seconds(&exporter)?,
        bare_cpu: cpu_seconds(&bare)?,
        cloud: cloud.report().await?,
        at: Instant::now(),
        metrics: cloud.get(&metrics).await?,
    };
    for _ in 1..SCRAPES {
        cloud.get(&metrics).await?;
    }
    Figures::between(&from, &to, exporter.memory()?)
}

/// Seconds of user and system time so far, in whole ticks of the kernel (10 ms), as in `process_cpu_seconds_total`.
fn cpu_seconds(program: &Program) -> anyhow::Result<f64> {
    let stat = program.process()?.stat()?;
    let ticks = stat.utime + stat.stime;
    Ok(Duration::from_millis(ticks * 1000 / procfs::ticks_per_second()).as_secs_f64())
}

fn start_exporter(config: &Path) -> anyhow::Result<(Program, SocketAddr)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliyun-pca-exporter"));
    command
        .arg("--config.file")
        .arg(config)
        .args(["--web.listen-address", "127.0.0.1:0"])
        // A proxy of this machine must not come between.
        .env("NO_PROXY", "127.0.0.1")
        .stderr(Stdio::piped());
    let mut exporter = Program::silent(&mut command)?;
    let log = exporter.0.stderr.take().context("stderr is piped")?;
    Ok((exporter, program::listening_address(log)?))
}

fn configuration(endpoint: &str) -> String {
    let mut yaml = format!(
        "poll: {{ interval: {INTERVAL} }}\n\
         accounts:\n\
         - name: bench\n  \
           endpoint: {endpoint}\n  \
           requests_per_second: {LIMIT}\n  \
           credentials: {{ access_key: {{ access_key_id: {ID}, access_key_secret: {SECRET} }} }}\n  \
           instances:\n"
    );
    for number in 0..INSTANCES {
        // Writing to a String cannot fail.
        let _ = writeln!(yaml, "  - id: {}", cloud::instance_id(number));
    }
    yaml
}
