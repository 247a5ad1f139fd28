//! A token bucket: full at first, one more token each interval, one taken by each request.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::config::RateLimit;

/// A bucket for all requests together.
#[derive(Debug, Default)]
pub(super) struct Bucket(Mutex<Option<Level>>);

#[derive(Clone, Copy, Debug)]
struct Level {
    limit: RateLimit,
    /// When it will be full if nobody takes anything.
    full: Instant,
}

impl Bucket {
    /// Takes a token if there is one. Another limit than the time before begins with a full bucket.
    pub(super) fn take(&self, limit: RateLimit, now: Instant) -> bool {
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = level.filter(|level| level.limit == limit);
        let full = same.map_or(now, |level| level.full.max(now));
        let missing = full - now;
        let taken = missing <= limit.interval.saturating_mul(limit.burst - 1);
        let full = if taken { full + limit.interval } else { full };
        *level = Some(Level { limit, full });
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMIT: RateLimit = RateLimit {
        interval: Duration::from_secs(10),
        burst: 3,
    };

    fn taken(bucket: &Bucket, limit: RateLimit) -> usize {
        (0..10).filter(|_| bucket.take(limit, Instant::now())).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_in_and_then_one_each_interval() {
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, LIMIT), 3);
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert_eq!(taken(&bucket, LIMIT), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(taken(&bucket, LIMIT), 1);
        tokio::time::advance(Duration::from_secs(25)).await;
        assert_eq!(taken(&bucket, LIMIT), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_holds_no_more_than_the_burst_however_long_nobody_came() {
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, LIMIT), 3);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(taken(&bucket, LIMIT), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn another_limit_begins_with_a_full_bucket() {
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, LIMIT), 3);
        assert_eq!(taken(&bucket, RateLimit { burst: 5, ..LIMIT }), 5);
    }
}
