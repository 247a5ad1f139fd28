//! What is made once for all who ask at about the same moment, and of which two are alive at the most: any number of slow
//! readers cost the memory of two. As long as they hold both, everybody else gets the later one.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// How old one may be that is given to another client.
const FRESH: Duration = Duration::from_secs(1);

/// The last one, and what is left of those before.
#[derive(Debug)]
pub(super) struct Shared<T> {
    last: Option<(Instant, Arc<T>)>,
    /// One before the last that was still being sent when the last was made.
    before: Weak<T>,
}

impl<T> Shared<T> {
    /// The last one, where it is to be given out again. Otherwise it is let go, and another is to be made.
    pub(super) fn again(&mut self) -> Option<Arc<T>> {
        let (made, last) = self.last.take()?;
        let is_sent = Arc::strong_count(&last) > 1;
        if made.elapsed() < FRESH || (is_sent && self.before.strong_count() > 0) {
            self.last = Some((made, Arc::clone(&last)));
            return Some(last);
        }
        if is_sent {
            self.before = Arc::downgrade(&last);
        }
        None
    }

    /// Whoever sends it keeps what is returned until it is sent.
    pub(super) fn put(&mut self, new: T) -> Arc<T> {
        let new = Arc::new(new);
        self.last = Some((Instant::now(), Arc::clone(&new)));
        new
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            last: None,
            before: Weak::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(shared: &mut Shared<u32>, number: u32) -> Arc<u32> {
        tokio::time::advance(FRESH).await;
        shared.again().unwrap_or_else(|| shared.put(number))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_within_a_second_gets_the_same() {
        let mut shared = Shared::default();
        shared.put(1);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(shared.again(), Some(Arc::new(1)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(shared.again(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_third_while_two_are_being_sent() {
        let mut shared = Shared::default();
        let (first, second) = (next(&mut shared, 1).await, next(&mut shared, 2).await);
        assert_eq!(*next(&mut shared, 3).await, 2);
        drop(first);
        let fourth = next(&mut shared, 4).await;
        assert_eq!(*fourth, 4);
        assert_eq!(*next(&mut shared, 5).await, 4, "the second is still being sent");
        drop(second);
        assert_eq!(*next(&mut shared, 6).await, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_nobody_sends_any_more_does_not_count() {
        let mut shared = Shared::default();
        let first = next(&mut shared, 1).await;
        for number in 2..5 {
            assert_eq!(*next(&mut shared, number).await, number);
        }
        drop(first);
    }
}
