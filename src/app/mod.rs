//! The only wiring: makes the parts, connects them, starts and stops them. No part is built anywhere else.

mod account;
mod check;
mod daemon;
mod generation;
mod healthcheck;
mod live;
mod load;
mod logging;
mod once;
mod ram_policy;
mod runtime;
mod signals;
mod state_file;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::host::{Clock, Env, Files, Host, HttpClient, Random, Tasks, Transport};
use crate::pca;

pub use crate::web::{ListenAddress, TelemetryPath};
pub use daemon::Daemon;
pub use logging::subscriber;
pub use once::{Polled, once};
pub use runtime::run;
pub use signals::Signals;
pub use state_file::StateFile;

/// Exit code: it ran and something failed.
const FAILED: u8 = 1;

/// Exit code: it could not start.
const NOT_STARTED: u8 = 2;

/// The regions that the product has an endpoint for.
pub fn has_endpoint(region: &str) -> bool {
    pca::of_region(region).is_some()
}

/// Does what the command line says.
pub fn main(cli: Cli) -> ExitCode {
    let log = logging::subscriber(cli.common.log_level, cli.common.log_format, std::io::stderr);
    // Only a second subscriber could make this fail, and there is none before it.
    let _ = tracing::subscriber::set_global_default(log);
    let ended = run(command(cli)).map_err(anyhow::Error::from).flatten();
    match ended {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::from(NOT_STARTED)
        }
    }
}

async fn command(cli: Cli) -> anyhow::Result<ExitCode> {
    let path = cli.common.config_file;
    match cli.command {
        Some(Command::Check { live, web_config }) => {
            let web_config = web_config.or(cli.web.web_config);
            check::check(&path, web_config.as_deref(), live).await
        }
        Some(Command::Once { output }) => {
            let (config, host) = prepare(&path)?;
            once::run(&config, &host, output.as_deref()).await
        }
        Some(Command::Healthcheck { url }) => healthcheck::run(&url).await,
        Some(Command::RamPolicy) => ram_policy::ram_policy(&path),
        None => daemon::run(&path, cli.web, cli.state.file.as_deref()).await,
    }
}

fn prepare(path: &Path) -> anyhow::Result<(Config, Host)> {
    let config = Config::load(path, &Files::disk(), has_endpoint)?;
    let host = host(&config)?;
    Ok((config, host))
}

/// This machine and its network.
fn host(config: &Config) -> anyhow::Result<Host> {
    let (transport, direct) = clients(config.poll.timeout)?;
    Ok(Host {
        clock: Clock::system(),
        env: Env::process(),
        files: Files::disk(),
        random: Random::system(),
        transport,
        direct,
        tasks: Tasks::default(),
    })
}

/// The same host, whose calls are given up after `timeout`.
fn transports(host: &Host, timeout: Duration) -> anyhow::Result<Host> {
    let (transport, direct) = clients(timeout)?;
    Ok(Host {
        transport,
        direct,
        ..host.clone()
    })
}

/// A client that follows the environment's proxies, and one that does not.
fn clients(timeout: Duration) -> anyhow::Result<(Arc<dyn Transport>, Arc<dyn Transport>)> {
    let transport = HttpClient::new(timeout).context("cannot call the API")?;
    let direct = HttpClient::direct(timeout).context("cannot call the metadata service")?;
    Ok((Arc::new(transport), Arc::new(direct)))
}

/// One error, on standard error: whoever types a command reads it there, whatever the log's format is.
#[expect(clippy::print_stderr, reason = "the place for a command's error")]
fn report(error: &anyhow::Error) {
    eprintln!("{error:#}");
}
