//! Wall-clock time. Durations and deadlines use `tokio::time::Instant` instead, which no clock change moves.

use std::time::SystemTime;

use tokio::time::Instant;

use crate::model::UnixMillis;

/// The system's clock, or one that follows tokio's (paused) time.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Virtual { origin: Instant, start: UnixMillis },
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that shows `start` now and advances with tokio's time.
    pub fn starting_at(start: UnixMillis) -> Self {
        Self(Kind::Virtual {
            origin: Instant::now(),
            start,
        })
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> UnixMillis {
        match &self.0 {
            Kind::System => {
                let since = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
                    Ok(after) => i128::try_from(after.as_millis()).unwrap_or(i128::MAX),
                    Err(before) => -i128::try_from(before.duration().as_millis()).unwrap_or(i128::MAX),
                };
                UnixMillis(i64::try_from(since).unwrap_or(if since < 0 { i64::MIN } else { i64::MAX }))
            }
            Kind::Virtual { origin, start } => {
                let passed = i64::try_from(origin.elapsed().as_millis()).unwrap_or(i64::MAX);
                UnixMillis(start.0.saturating_add(passed))
            }
        }
    }
}
