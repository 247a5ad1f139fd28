//! `once`: poll everything once and write the text format, for node_exporter's textfile collector.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::generation::Accounts;
use super::{FAILED, Signals};
use crate::config::Config;
use crate::exposition::{self, Scope};
use crate::host::Host;
use crate::store::Store;
use crate::telemetry::{BUILD, Telemetry};

pub(super) async fn run(config: &Config, host: &Host, output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::watch()?;
    if let Some(path) = output {
        // Better now than after a round of calls.
        host.files
            .check_replaceable(path)
            .with_context(|| cannot_write(path))?;
    }
    let stop = CancellationToken::new();
    let polled = tokio::select! {
        polled = once(config, host, &stop) => polled?,
        signal = signals.next() => {
            error!(signal, "interrupted, nothing is written");
            return Ok(ExitCode::from(FAILED));
        }
    };
    let written = match output {
        Some(path) => host
            .files
            .replace(path, &polled.text)
            .with_context(|| cannot_write(path)),
        None => std::io::stdout()
            .write_all(polled.text.as_bytes())
            .context("cannot print the metrics"),
    };
    if let Err(error) = &written {
        error!("{error:#}");
    }
    let succeeded = polled.all_up && written.is_ok();
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// What polling everything once gave.
#[derive(Debug)]
pub struct Polled {
    /// The text format.
    pub text: String,
    /// Every instance was found that there is to find, and its last poll succeeded.
    pub all_up: bool,
}

/// Polls everything once, retries included.
pub async fn once(config: &Config, host: &Host, stop: &CancellationToken) -> anyhow::Result<Polled> {
    let (store, telemetry) = (Arc::new(Store::default()), Arc::new(Telemetry::new(BUILD)?));
    let generation = Accounts::new(&store, &telemetry).generation(config, host);
    let all_found = generation.settle(stop).await;
    let snapshot = store.snapshot();
    Ok(Polled {
        text: exposition::text(&snapshot, &telemetry.gather(), host.clock.now(), Scope::Textfile),
        all_up: all_found && snapshot.instances().all(|state| state.up()),
    })
}
