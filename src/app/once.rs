//! `once`: poll everything once and write the text format, for node_exporter's textfile collector.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::generation::Generation;
use super::{FAILED, interrupted};
use crate::config::Config;
use crate::exposition::{self, Scope};
use crate::host::Host;
use crate::store::Store;
use crate::telemetry::{BUILD, Telemetry};

pub(super) async fn run(config: &Config, host: &Host, output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    let polled = tokio::select! {
        polled = once(config, host, &stop) => polled?,
        signal = interrupted() => anyhow::bail!("interrupted by {}, nothing written", signal?),
    };
    match output {
        Some(path) => host
            .files
            .replace(path, &polled.text)
            .with_context(|| format!("cannot write {}", path.display()))?,
        None => std::io::stdout()
            .write_all(polled.text.as_bytes())
            .context("cannot write the metrics")?,
    }
    Ok(if polled.all_up {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// What polling everything once gave.
#[derive(Debug)]
pub struct Polled {
    /// The text format.
    pub text: String,
    /// Every instance's last poll succeeded.
    pub all_up: bool,
}

/// Polls everything once, retries included.
pub async fn once(config: &Config, host: &Host, stop: &CancellationToken) -> anyhow::Result<Polled> {
    let (store, telemetry) = (Arc::new(Store::default()), Arc::new(Telemetry::new(BUILD)?));
    Generation::new(config, host, &store, &telemetry)?
        .settle(stop)
        .await;
    let snapshot = store.snapshot();
    Ok(Polled {
        text: exposition::text(&snapshot, &telemetry.gather(), host.clock.now(), Scope::Textfile),
        all_up: snapshot.instances.iter().all(|state| state.up()),
    })
}
