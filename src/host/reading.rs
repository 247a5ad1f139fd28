//! Reads regular files beside the threads that everything else runs on.
//!
//! A file system may hang, and nothing stops a thread that reads from it. So whoever asks gives up after a while, the
//! thread stays, and nobody else reads that path until it is done: a path that hangs costs one thread, however often it
//! is asked for.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Lock, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// How long anybody waits for a read: no file system that works needs so long, and a scrape waits twice as long.
const LONGEST: Duration = Duration::from_secs(5);

/// How many files are read at a time: half the threads that there may be, since whatever else blocks needs some, too.
const PLACES: usize = 256;

/// Who reads which file.
#[derive(Debug)]
pub(super) struct Reading {
    turns: Mutex<BTreeMap<PathBuf, Arc<Turn>>>,
    places: Arc<Semaphore>,
}

/// The turn to read a file.
#[derive(Debug, Default)]
struct Turn {
    taken: Arc<Lock<()>>,
    /// Since when whoever has it has been reading.
    since: Mutex<Option<Instant>>,
}

/// A turn and a place, given back once the file has been read.
struct Held {
    turn: Arc<Turn>,
    _taken: OwnedMutexGuard<()>,
    _place: OwnedSemaphorePermit,
}

impl Reading {
    fn with_places(places: usize) -> Self {
        Self {
            turns: Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
        }
    }

    pub(super) async fn read(&self, path: &Path) -> io::Result<Zeroizing<String>> {
        let turn = Arc::clone(lock(&self.turns).entry(path.to_owned()).or_default());
        let taken = turn.take().await?;
        let place = timeout(LONGEST, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| too_late("too many other files are being read"))?;
        let held = turn.begin(taken, place.expect("nobody closes it"));
        let path = path.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            // Whoever asked may have gone away; what is held is held as long as the thread is.
            let _held = held;
            regular(&path)
        });
        let read = timeout(LONGEST, read).await.map_err(|_| hangs())?;
        read.map_err(io::Error::other).flatten()
    }
}

impl Default for Reading {
    fn default() -> Self {
        Self::with_places(PLACES)
    }
}

impl Turn {
    /// Waits for the turn, but not for a reader that takes too long.
    async fn take(&self) -> io::Result<OwnedMutexGuard<()>> {
        // One for all rounds, so that nobody who came later is served before.
        let mut taken = pin!(Arc::clone(&self.taken).lock_owned());
        loop {
            let since = *lock(&self.since);
            let until = since.unwrap_or_else(Instant::now) + LONGEST;
            match timeout_at(until, &mut taken).await {
                Ok(taken) => return Ok(taken),
                Err(_) if since.is_some() && *lock(&self.since) == since => return Err(hangs()),
                // Somebody else's turn by now.
                Err(_) => {}
            }
        }
    }

    fn begin(self: Arc<Self>, taken: OwnedMutexGuard<()>, place: OwnedSemaphorePermit) -> Held {
        *lock(&self.since) = Some(Instant::now());
        Held {
            turn: self,
            _taken: taken,
            _place: place,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *lock(&self.turn.since) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hangs() -> io::Error {
    too_late("nothing came within 5 s")
}

fn too_late(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("{why}; does a file system hang?"),
    )
}

fn regular(path: &Path) -> io::Result<Zeroizing<String>> {
    let found = std::fs::metadata(path)?;
    // Reading says better what is wrong with a folder.
    if !found.is_file() && !found.is_dir() {
        return Err(io::Error::other("not a regular file"));
    }
    if found.len() > LARGEST {
        return Err(io::Error::other("larger than a megabyte"));
    }
    std::fs::read_to_string(path).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pipe_and_a_device_are_refused_instead_of_read_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [pipe.as_path(), Path::new("/dev/zero")] {
            let error = Reading::default().read(path).await.unwrap_err();
            assert_eq!(error.to_string(), "not a regular file");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_gives_up_and_leaves_the_turn_to_others() {
        let reading = Reading::with_places(0);
        for _ in 0..2 {
            let read = timeout(LONGEST * 2, reading.read(Path::new("/dev/null"))).await;
            let error = read.expect("the turn was given back").unwrap_err();
            assert!(error.to_string().starts_with("too many other files"), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_read_hangs_the_first_to_wait_gives_up_after_five_seconds_and_the_next_at_once() {
        let turn = Arc::new(Turn::default());
        let places = Arc::new(Semaphore::new(1));
        let begin = async || {
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            Arc::clone(&turn).begin(turn.take().await.unwrap(), place)
        };
        let hanging = begin().await;
        for waits in [5, 0] {
            let asked = Instant::now();
            let error = turn.take().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(asked.elapsed().as_secs(), waits);
        }
        drop(hanging);
        drop(begin().await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_several_that_work_waits_longer() {
        let turn = Arc::new(Turn::default());
        let places = Arc::new(Semaphore::new(4));
        let read = async || {
            let taken = turn.take().await?;
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            let _held = Arc::clone(&turn).begin(taken, place);
            tokio::time::sleep(Duration::from_secs(4)).await;
            io::Result::Ok(())
        };
        let begun = Instant::now();
        let (first, second, third, fourth) = tokio::join!(read(), read(), read(), read());
        for read in [first, second, third, fourth] {
            read.unwrap();
        }
        assert_eq!(begun.elapsed().as_secs(), 16);
    }
}
