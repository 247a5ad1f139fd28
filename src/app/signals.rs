//! SIGTERM and SIGINT, and for the daemon SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signal that reloads.
pub(super) const HANGUP: &str = "SIGHUP";

/// The signals, watched from the moment that this is made: none is lost, and none ends the process by itself.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Ends the process by itself where it is not watched.
    hangup: Option<Signal>,
}

impl Signals {
    /// Starts watching those that stop.
    pub fn watch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: None,
        })
    }

    /// Starts watching SIGHUP as well.
    pub(super) fn watch_all() -> io::Result<Self> {
        Ok(Self {
            hangup: Some(signal(SignalKind::hangup())?),
            ..Self::watch()?
        })
    }

    /// Waits for the next one and names it.
    pub async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => HANGUP,
        }
    }

    /// Waits for the next one that stops; another one waits meanwhile.
    pub(super) async fn next_to_stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
