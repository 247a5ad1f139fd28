//! Tasks that live as long as the process, so that none dies unnoticed.
//!
//! A poller that panicked while the process went on serving its last numbers would be the worst failure of
//! all: one vital task that ends early stops every other, and the process ends with an error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The vital tasks of one process.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: Arc<Mutex<Option<TaskFailed>>>,
}

/// A vital task ended though nobody had asked it to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0} ended by itself, which is a defect; please report it with the log above")]
pub struct TaskFailed(pub String);

impl Tasks {
    /// Runs a task as long as the process lives. It watches the token that it is given.
    pub fn spawn<F>(&self, name: impl Into<String>, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_until(self.stop.clone(), name, task);
    }

    /// Runs a task until `stop` is cancelled, which the process's end should do too. It watches the token that it is
    /// given.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn_until<F>(
        &self,
        stop: CancellationToken,
        name: impl Into<String>,
        task: impl FnOnce(CancellationToken) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let work = tokio::spawn(self.tracker.track_future(task(stop.clone())));
        let (all, failed) = (self.stop.clone(), Arc::clone(&self.failed));
        self.tracker.spawn(async move {
            let ended = work.await;
            if ended.is_err() || !stop.is_cancelled() {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(TaskFailed(name));
                all.cancel();
            }
        });
    }

    /// Asks every task to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// The token that every task watches.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// How many are running.
    pub fn len(&self) -> usize {
        // Each task has one that watches it.
        self.tracker.len() / 2
    }

    /// Whether none is running.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until all have ended, `grace` at most; an error if one had failed.
    pub async fn join(&self, grace: Duration) -> Result<(), TaskFailed> {
        self.tracker.close();
        // Whoever is not done by then ends with the process; a call that is cut off does no harm.
        let _ = tokio::time::timeout(grace, self.tracker.wait()).await;
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Some(failed) => Err(failed),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_stops_when_asked_is_no_failure() {
        let tasks = Tasks::default();
        tasks.spawn("patient", |stop| async move { stop.cancelled().await });
        tasks.stop();
        tasks.join(Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_panics_stops_the_others_and_is_named() {
        let tasks = Tasks::default();
        tasks.spawn("patient", |stop| async move { stop.cancelled().await });
        tasks.spawn("poller of account prod", |_| async { panic!("seen by the test") });
        tasks.stopping().cancelled().await;
        let failed = tasks.join(Duration::from_secs(5)).await.unwrap_err();
        assert!(
            failed
                .to_string()
                .starts_with("poller of account prod ended by itself"),
            "{failed}"
        );
    }

    #[tokio::test]
    async fn a_task_that_was_told_to_end_before_the_others_leaves_nothing_behind() {
        let tasks = Tasks::default();
        let stop = tasks.stopping().child_token();
        tasks.spawn("all along", |stop| async move { stop.cancelled().await });
        tasks.spawn_until(stop.clone(), "for a while", |stop| async move {
            stop.cancelled().await;
        });
        assert_eq!(tasks.len(), 2);
        stop.cancel();
        while tasks.len() == 2 {
            tokio::task::yield_now().await;
        }
        assert!(!tasks.stopping().is_cancelled());
        tasks.stop();
        tasks.join(Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_ends_early_stops_the_others() {
        let tasks = Tasks::default();
        tasks.spawn("short", |_| async {});
        tasks.stopping().cancelled().await;
        assert!(tasks.join(Duration::from_secs(5)).await.is_err());
    }
}
