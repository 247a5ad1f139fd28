//! `--state.file`: what is known, kept in a file, so that a restart shows it at once and goes on with the schedule.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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

/// How long a write may take until it is told of, and given up at the end.
pub(super) const LONGEST_SAVE: Duration = Duration::from_secs(5);

/// The wait in writes: writing takes 2 % of the time at the most, unless even the longest wait is too short for that.
const WRITES: u32 = 50;

/// A file, and the store that is kept in it.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    files: Files,
    /// What is known, at first what was kept of the process before.
    pub store: Arc<Store>,
    /// One at a time writes to the file that is to take its place.
    writing: Arc<Mutex<()>>,
}

impl StateFile {
    /// A file that can be written, and what was kept in it; it need not be there yet. One that is damaged is set aside,
    /// and the store is empty. Blocks.
    pub fn open(path: &Path, files: &Files) -> anyhow::Result<Self> {
        let opened = Self {
            path: path.to_owned(),
            files: files.clone(),
            store: Arc::default(),
            writing: Arc::default(),
        };
        files
            .check_replaceable(path)
            .with_context(|| format!("cannot keep the state in {}", path.display()))?;
        opened.restore()?;
        Ok(opened)
    }

    fn restore(&self) -> anyhow::Result<()> {
        let (path, store) = (self.path.display(), &self.store);
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
    pub(super) async fn keep(self, stop: CancellationToken) {
        let mut written = None;
        let mut failing = false;
        let mut wait = WAIT.0;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
            if written == Some(self.store.revision()) {
                continue;
            }
            let start = Instant::now();
            let file = self.clone();
            // Encoding and syncing thousands of instances takes longer than others should wait.
            let mut saving = tokio::task::spawn_blocking(move || file.save());
            let path = self.path.display();
            let saved = loop {
                tokio::select! {
                    saved = &mut saving => break saved.map_err(io::Error::other).flatten(),
                    () = tokio::time::sleep(LONGEST_SAVE), if !failing => {
                        failing = true;
                        warn!(file = %path, "the state is not written within {} s; does its file system hang?", LONGEST_SAVE.as_secs());
                    }
                    // The last write waits for this one, and not for ever.
                    () = stop.cancelled() => return,
                }
            };
            wait = (start.elapsed() * WRITES).clamp(WAIT.0, WAIT.1);
            match &saved {
                Ok(_) if failing => info!(file = %path, "the state can be written again"),
                Err(error) if !failing => warn!(file = %path, %error, "cannot write the state"),
                _ => {}
            }
            failing = saved.is_err();
            written = saved.ok();
        }
    }

    /// Where it is kept.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the store in one step; returns the revision that was written. Blocks.
    pub fn save(&self) -> io::Result<u64> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, revision) = self.store.to_text();
        self.files.replace(&self.path, &text).map(|()| revision)
    }
}
