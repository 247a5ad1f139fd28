//! When a call may go: a number of slots, not a rate.
//!
//! A call takes a slot and gives it back one second after the last moment at which it may have reached the API.
//! So no half-open window of one second at the API ever holds more calls than there are slots, whatever the
//! latency does; even spacing cannot promise that. The price is n / (1 s + mean latency) calls a second.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The window that the API's limit counts in.
const WINDOW: Duration = Duration::from_secs(1);

/// How long all slots of a new budget are taken: the process before this one may just have used them.
const START: Duration = Duration::from_secs(2);

/// For how long at least a call without an answer may still arrive.
const STRAGGLER: Duration = Duration::from_secs(10);

/// The weight of one call in the mean slot time.
const WEIGHT: f64 = 1.0 / 32.0;

/// The slots of one account for one action; clones share them.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

/// The right to make one call. Dropped without a word, it counts as a call that may still arrive.
#[derive(Debug)]
pub struct Slot {
    budget: Arc<Shared>,
    taken: Instant,
    /// When the slot is free again, once that is known.
    free: Option<Instant>,
}

#[derive(Debug)]
struct Shared {
    slots: Mutex<Slots>,
    returned: Notify,
    unanswered: Duration,
}

#[derive(Debug)]
struct Slots {
    /// When each slot that is not taken may be used (again); releases need no timers.
    free: BinaryHeap<Reverse<Instant>>,
    mean_seconds: f64,
}

impl Budget {
    /// `slots` (at least 1) calls in any second, none in the first two seconds from `now`; `timeout` is the
    /// time after which a call is given up.
    pub fn new(slots: u8, timeout: Duration, now: Instant) -> Self {
        let free = std::iter::repeat_n(Reverse(now + START), usize::from(slots.max(1))).collect();
        Self(Arc::new(Shared {
            slots: Mutex::new(Slots {
                free,
                mean_seconds: WINDOW.as_secs_f64(),
            }),
            returned: Notify::new(),
            unanswered: timeout.max(STRAGGLER) + WINDOW,
        }))
    }

    /// Waits for a slot. May be dropped while it waits.
    pub async fn slot(&self) -> Slot {
        loop {
            let now = Instant::now();
            let next = {
                let mut slots = self.0.lock();
                match slots.free.peek() {
                    Some(&Reverse(free)) if free <= now => {
                        slots.free.pop();
                        return Slot {
                            budget: Arc::clone(&self.0),
                            taken: now,
                            free: None,
                        };
                    }
                    other => other.map(|&Reverse(free)| free),
                }
            };
            // A slot given back meanwhile may be free earlier than the one that is waited for.
            match next {
                Some(free) => tokio::select! {
                    () = sleep_until(free) => {}
                    () = self.0.returned.notified() => {}
                },
                None => self.0.returned.notified().await,
            }
        }
    }

    /// How long a call holds its slot, as a moving mean; one second before the first call.
    pub fn mean_slot_time(&self) -> Duration {
        Duration::from_secs_f64(self.0.lock().mean_seconds)
    }
}

impl Slot {
    /// The answer's head has just arrived, or the peer has just ended the connection, or there never was one:
    /// the call has reached the API by now or never will.
    pub fn settled(mut self) {
        self.free = Some(Instant::now() + WINDOW);
    }

    /// No call was made.
    pub fn unused(mut self) {
        self.free = Some(self.taken);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let free = self
            .free
            .unwrap_or_else(|| Instant::now() + self.budget.unanswered);
        {
            let mut slots = self.budget.lock();
            slots.free.push(Reverse(free));
            if free > self.taken {
                slots.mean_seconds += WEIGHT * ((free - self.taken).as_secs_f64() - slots.mean_seconds);
            }
        }
        self.budget.returned.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    async fn started(slots: u8) -> Budget {
        let budget = Budget::new(slots, TIMEOUT, Instant::now());
        tokio::time::advance(START).await;
        budget
    }

    /// Seconds until the next slot.
    async fn wait(budget: &Budget) -> f64 {
        let from = Instant::now();
        budget.slot().await.unused();
        from.elapsed().as_secs_f64()
    }

    #[track_caller]
    fn about(seconds: f64, wanted: f64) {
        assert!(
            (wanted..wanted + 0.002).contains(&seconds),
            "{seconds} s instead of {wanted} s"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_budget_waits_out_what_the_process_before_may_have_used() {
        about(wait(&Budget::new(3, TIMEOUT, Instant::now())).await, 2.0);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_as_many_slots_as_the_budget_says() {
        let budget = started(3).await;
        let held = [budget.slot().await, budget.slot().await, budget.slot().await];
        let fourth = tokio::time::timeout(Duration::from_secs(3600), budget.slot()).await;
        assert!(fourth.is_err(), "a fourth slot of three");
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_free_one_second_after_the_answer_not_after_the_call() {
        let budget = started(1).await;
        let slot = budget.slot().await;
        tokio::time::advance(Duration::from_millis(700)).await;
        slot.settled();
        about(wait(&budget).await, 1.0);
        assert!(
            budget.mean_slot_time() > WINDOW,
            "1.7 s are more than the mean before"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_unanswered_call_holds_its_slot_as_long_as_it_may_still_arrive() {
        for (timeout, held) in [(Duration::from_secs(1), 11.0), (Duration::from_secs(30), 31.0)] {
            let budget = Budget::new(1, timeout, Instant::now());
            drop(budget.slot().await);
            about(wait(&budget).await, held);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_without_a_call_is_free_at_once_and_not_in_the_mean() {
        let budget = started(1).await;
        let slot = budget.slot().await;
        tokio::time::advance(Duration::from_secs(5)).await;
        slot.unused();
        about(wait(&budget).await, 0.0);
        assert_eq!(budget.mean_slot_time(), WINDOW);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_late_slot_takes_one_that_comes_back_earlier() {
        let budget = started(2).await;
        drop(budget.slot().await);
        let early = budget.slot().await;
        let giver = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            early.settled();
        };
        let (waited, ()) = tokio::join!(wait(&budget), giver);
        about(waited, 1.5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_leaves_takes_no_slot_with_it() {
        let budget = started(1).await;
        budget.slot().await.settled();
        let left = tokio::time::timeout(Duration::from_millis(300), budget.slot()).await;
        assert!(left.is_err());
        about(wait(&budget).await, 0.7);
    }
}
