//! The runtime that everything runs on.

use std::io;
use std::panic::resume_unwind;

use tokio::runtime::Builder;

/// Threads that work, however many processors there are: one is busy with some thousand calls a second, and each keeps
/// memory of its own that the others cannot use.
const WORKERS: usize = 2;

/// Runs `work` to its end and returns at once, whatever else is still under way: a name look-up that hangs in the
/// system's resolver cannot be cancelled, and would keep the process from ending.
pub fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    // On one of them: the thread that waits here would be one more.
    let result = runtime.block_on(runtime.spawn(work));
    runtime.shutdown_background();
    Ok(result.unwrap_or_else(|error| resume_unwind(error.try_into_panic().expect("nobody cancels it"))))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn work_that_cannot_be_cancelled_does_not_hold_up_the_end() {
        let (release, blocked) = mpsc::channel::<()>();
        let (started, begun) = mpsc::channel();
        run(async {
            let look_up = tokio::task::spawn_blocking(move || {
                started.send(()).unwrap();
                // Ends only with the test: a runtime that waits for it waits for ever.
                let _ = blocked.recv();
            });
            drop(look_up);
            tokio::task::spawn_blocking(move || begun.recv().unwrap())
                .await
                .unwrap();
        })
        .unwrap();
        drop(release);
    }
}
