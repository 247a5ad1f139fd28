//! How long to wait before a failed poll is tried again, ahead of its next regular turn.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::aliyun::budget::{Budget, Slot};
use crate::aliyun::error::{CallError, Retry};
use crate::host::Random;

/// The longest wait before the first, second and third retry: full jitter draws from 0 up to it, so that
/// instances that failed together do not come back together. After the last one the regular turn is soon enough.
const CEILINGS: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(8),
    Duration::from_secs(32),
];

/// The wait before retry number `done + 1`, or `None` if that many have been made. `fraction` is random, 0 to 1.
pub(super) fn delay(done: usize, fraction: f64) -> Option<Duration> {
    CEILINGS.get(done).map(|ceiling| ceiling.mul_f64(fraction))
}

/// Makes a call that has no place in a schedule, and tries again as often as any other. Asked to stop it makes no
/// further call, lets the one under way end, and returns nothing.
pub(super) async fn persist<T, F: Future<Output = Result<T, CallError>>>(
    budget: &Budget,
    random: &Random,
    stop: &CancellationToken,
    call: impl Fn(Slot) -> F,
) -> Option<Result<T, CallError>> {
    let (mut made, mut afresh) = (0, false);
    loop {
        let slot = stop.run_until_cancelled(budget.slot()).await?;
        let error = match call(slot).await {
            Ok(answer) => return Some(Ok(answer)),
            Err(error) => error,
        };
        let wait = match error.retry() {
            Retry::AtOnce if !afresh => {
                afresh = true;
                Some(Duration::ZERO)
            }
            Retry::Later => delay(made, random.fraction()),
            Retry::AtOnce | Retry::Never => None,
        };
        let Some(wait) = wait else { return Some(Err(error)) };
        made += 1;
        stop.run_until_cancelled(sleep(wait)).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_few_and_their_distance_grows() {
        let longest: Vec<_> = (0..).map_while(|done| delay(done, 1.0)).collect();
        assert_eq!(longest.len(), 3);
        assert!(longest.is_sorted_by(|shorter, longer| shorter < longer));
    }

    #[test]
    fn a_retry_may_come_at_once_by_chance() {
        assert_eq!(delay(0, 0.0), Some(Duration::ZERO));
    }
}
