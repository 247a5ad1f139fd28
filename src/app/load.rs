//! What a daemon reads before it goes on, beside the working threads and not for ever: a file system may hang.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Semaphore;

use super::state_file::StateFile;
use super::{has_endpoint, transports};
use crate::config::Config;
use crate::host::{Files, Host};

/// How long the start may take to load the kept state, and a reload the configuration and the system's CA certificates.
const LONGEST_LOAD: Duration = Duration::from_secs(10);

/// How many loads may hang: nothing stops a thread that reads from a file system that does.
pub(super) const LOADS: usize = 4;

/// What was kept of the process before.
pub(super) async fn state(path: &Path, files: &Files) -> anyhow::Result<StateFile> {
    let (file, files) = (path.to_owned(), files.clone());
    let hint = "does its file system hang?";
    in_time(path, hint, move || StateFile::open(&file, &files)).await
}

/// What the file says now, and a host that calls as it says.
pub(super) async fn configuration(
    path: &Path,
    host: &Host,
    loads: &Arc<Semaphore>,
) -> anyhow::Result<(Host, Config)> {
    let place = Arc::clone(loads).try_acquire_owned();
    let place = place.context("the reloads before this one still hang; a restart is needed")?;
    let (file, host) = (path.to_owned(), host.clone());
    let hint = "does a file system hang, its own or that of the CA certificates?";
    in_time(path, hint, move || {
        let _place = place;
        let config = Config::load(&file, &host.files, has_endpoint)?;
        Ok((transports(&host, config.poll.timeout)?, config))
    })
    .await
}

/// Loads what the file at `path` says beside the working threads, and waits so long for it at the most.
async fn in_time<T: Send + 'static>(
    path: &Path,
    hint: &str,
    load: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let loaded = tokio::time::timeout(LONGEST_LOAD, tokio::task::spawn_blocking(load)).await;
    let loaded = loaded.with_context(|| {
        let (file, seconds) = (path.display(), LONGEST_LOAD.as_secs());
        format!("{file}: not loaded within {seconds} s; {hint}")
    })?;
    loaded.expect("nothing in a file makes loading panic")
}
