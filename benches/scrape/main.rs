//! What a scrape costs: ours beside sending a ready page and the client libraries of Rust, Go and Python with the same
//! series, each in a process of its own; then the exporter's own start and memory, and scrapes amid a crowd of slow
//! clients. `cargo bench --profile dist --bench scrape`, or `… -- --rounds 2` for a first look.
//!
//! Not a test: it prints how fast things are beside what is wanted. Only a scrape that is not answered in the crowd,
//! which is a promise, makes it fail.

mod client;
mod cost;
mod crowd;
mod exporter;
mod figures;
mod processors;
#[path = "../shared/program.rs"]
mod program;
mod rival;
mod server;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use figures::Figures;

/// How many instances a page has.
const SIZES: [usize; 3] = [10, 1_000, 10_000];

/// Measures what a scrape costs, beside sending a ready page and other libraries.
#[derive(Debug, Parser)]
#[command(name = "scrape")]
struct Flags {
    /// How many scrapes of each kind count, or rounds of eight at a time
    #[arg(long, value_name = "ROUNDS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long the crowd stays
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Be a server, until killed
    #[arg(long, value_enum, hide = true)]
    serve: Option<Role>,
    /// The instances of the exporter
    #[arg(long, hide = true, default_value_t = 0)]
    instances: usize,
    /// The page of a rival
    #[arg(long, hide = true, default_value = "page.txt")]
    page: PathBuf,
    /// What cargo says to every benchmark
    #[arg(long = "bench", hide = true)]
    _bench: bool,
}

/// The servers that are this program.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Exporter,
    Buffer,
    Registry,
}

#[expect(clippy::print_stdout, reason = "the figures are for a person")]
fn main() -> anyhow::Result<ExitCode> {
    let flags = Flags::parse();
    if let Some(role) = flags.serve {
        // As the exporter does it.
        aliyun_pca_exporter::app::run(async move { serve(role, &flags).await })??;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let figures = runtime.block_on(measure(&flags))?;
    println!("{figures}");
    Ok(if figures.every_scrape_answered() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn serve(role: Role, flags: &Flags) -> anyhow::Result<()> {
    let page = || std::fs::read_to_string(&flags.page);
    match role {
        Role::Exporter => exporter::serve(flags.instances).await,
        Role::Buffer => rival::serve(rival::Page::ready(&page()?)?).await,
        Role::Registry => rival::serve(rival::Page::registry(&page()?)?).await,
    }
}

async fn measure(flags: &Flags) -> anyhow::Result<Figures> {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let programs = server::Programs::find(folder.path());
    let mut costs = Vec::new();
    for instances in SIZES {
        costs.push(cost::measure(instances, flags.rounds, &programs, folder.path()).await?);
    }
    Ok(Figures {
        costs,
        missing: programs.missing,
        start: start::measure(folder.path()).await?,
        crowd: crowd::measure(flags.seconds).await?,
    })
}
