//! `--state.file`: what is known, kept in a file, so that a restart shows it at once and goes on with the schedule.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::host::Files;
use crate::store::Store;

/// The shortest and the longest wait between two writes. What is lost with the process is polled again, and nothing
/// more.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The wait in writes: writing takes 2 % of the time at the most, unless even the longest wait is too short for that.
const WRITES: u32 = 50;

/// Where the state is kept.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    files: Files,
}

impl StateFile {
    /// A file that can be written; it need not be there yet.
    pub fn open(path: &Path, files: &Files) -> anyhow::Result<Self> {
        let (path, files) = (path.to_owned(), files.clone());
        files
            .check_replaceable(&path)
            .with_context(|| format!("cannot keep the state in {}", path.display()))?;
        Ok(Self { path, files })
    }

    /// Reads what was kept into a store. A file that is damaged is set aside, and the store stays empty.
    pub fn restore(&self, store: &Store) -> anyhow::Result<()> {
        let path = self.path.display();
        let text = match self.files.read(&self.path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // What is not text is no state.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error.to_string()),
            Err(error) => return Err(error).with_context(|| format!("cannot read the state in {path}")),
        };
        let restored = text.and_then(|text| store.restore(&text).map_err(|error| error.to_string()));
        match restored {
            Ok(()) => {
                let instances = store.snapshot().instances().count();
                info!(file = %path, instances, "state restored");
            }
            Err(why) => {
                let mut aside = self.path.clone().into_os_string();
                aside.push(".damaged");
                let aside = PathBuf::from(aside);
                self.files
                    .rename(&self.path, &aside)
                    .with_context(|| format!("cannot set aside the damaged state in {path}"))?;
                warn!(file = %path, aside = %aside.display(), why, "the state is damaged and was set aside, starting without it");
            }
        }
        Ok(())
    }

    /// Writes the store whenever it has changed, until asked to stop.
    pub(super) async fn keep(self, store: Arc<Store>, stop: CancellationToken) {
        let mut written = None;
        let mut failing = false;
        let mut wait = WAIT.0;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
            if written == Some(store.revision()) {
                continue;
            }
            let start = Instant::now();
            let (file, of) = (self.clone(), Arc::clone(&store));
            // Encoding and syncing thousands of instances takes longer than others should wait.
            let saved = tokio::task::spawn_blocking(move || file.save(&of)).await;
            let saved = saved.map_err(io::Error::other).flatten();
            wait = (start.elapsed() * WRITES).clamp(WAIT.0, WAIT.1);
            let path = self.path.display();
            match &saved {
                Ok(_) if failing => info!(file = %path, "the state can be written again"),
                Err(error) if !failing => warn!(file = %path, %error, "cannot write the state"),
                _ => {}
            }
            failing = saved.is_err();
            written = saved.ok();
        }
    }

    /// Writes the store in one step; returns the revision that was written.
    pub fn save(&self, store: &Store) -> io::Result<u64> {
        let (text, revision) = store.to_text();
        self.files.replace(&self.path, &text).map(|()| revision)
    }
}
