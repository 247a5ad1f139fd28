//! What is logged on a test's own thread.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use aliyun_pca_exporter::app::subscriber;
use aliyun_pca_exporter::cli::{LogFormat, LogLevel};
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// The log so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures until the guard is dropped.
    pub(crate) fn capture(level: LogLevel) -> (Self, DefaultGuard) {
        // With one subscriber alone, tracing asks the thread that meets a log line first whether anybody wants it,
        // and another test's thread, which has none, says no for all.
        static OTHERS: OnceLock<[Dispatch; 2]> = OnceLock::new();
        OTHERS
            .get_or_init(|| [(); 2].map(|()| Dispatch::new(subscriber(level, LogFormat::Logfmt, io::sink))));
        let log = Self::default();
        let guard = tracing::subscriber::set_default(subscriber(level, LogFormat::Logfmt, log.clone()));
        (log, guard)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines that contain `text`.
    pub(crate) fn lines(&self, text: &str) -> Vec<String> {
        let all = self.text();
        all.lines()
            .filter(|line| line.contains(text))
            .map(str::to_owned)
            .collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
