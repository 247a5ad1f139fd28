//! The service manager that started the process and wants to hear from it: systemd with `Type=notify` and `WatchdogSec=`,
//! or whatever else speaks its protocol (`sd_notify(3)`). Where there is none, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;

use super::Tasks;

/// Who is told, as the environment names it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
#[derive(Clone, Copy, Debug)]
pub struct ServiceManager {
    /// Without a sign of life for so long it kills the process.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one of the process's own environment.
    pub fn of_process() -> Self {
        Self {
            watchdog: sd_notify::watchdog_enabled(),
        }
    }

    /// Says that the process has started, and gives signs of life from then on, at half the time that it has for one:
    /// a runtime that is stuck gives none.
    pub fn ready(self, tasks: &Tasks) {
        tell(&NotifyState::Ready);
        let Some(watchdog) = self.watchdog.filter(|watchdog| !watchdog.is_zero()) else {
            return;
        };
        tasks.spawn("the watchdog", |stop| async move {
            let mut ticks = tokio::time::interval(watchdog / 2);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                tell(&NotifyState::Watchdog);
            }
        });
    }

    /// Says that the process is about to end.
    pub fn stopping(self) {
        tell(&NotifyState::Stopping);
    }
}

fn tell(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, %state, "cannot tell the service manager");
    }
}
