//! When a call may go: a number of slots, not a rate.
//!
//! A call takes a slot and gives it back one second after the last moment at which it may have reached the API.
//! So no half-open window of one second at the API ever holds more calls than there are slots, whatever the
//! latency does; even spacing cannot promise that. The price is n / (1 s + mean latency) calls a second.
//!
//! Where the API throttles all the same, somebody else uses the allowance too: the rate halves and grows back slowly,
//! and with it the number of slots in use.

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

/// How long a rate of nothing takes to grow back to the whole budget, in seconds.
const GROWTH_SECONDS: f64 = 60.0;

/// The longest that the API's wish to be left alone is followed: it counts by the second and by the minute.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The slots of one account for one action; clones share them.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

/// The right to make one call. Dropped without a word, it counts as a call that may still arrive.
#[derive(Debug)]
pub struct Slot {
    budget: Budget,
    taken: Instant,
    /// How long it may still arrive once it is given up, by the timeout that it was made under.
    unanswered: Duration,
    after: After,
}

/// What becomes of a slot when it is given back.
#[derive(Clone, Copy, Debug)]
enum After {
    /// The call may still arrive.
    Unknown,
    /// The call has reached the API by now, or never will.
    Settled,
    /// No call was made.
    Unused,
}

/// How much a budget allows at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// Calls in any second: the configured number, or less while the API throttles.
    pub rate: f64,
    /// Slots in use.
    pub slots: usize,
    /// How long a call holds its slot, as a moving mean; one second before the first call.
    pub slot_time: Duration,
}

#[derive(Debug)]
struct Shared {
    slots: Mutex<Slots>,
    returned: Notify,
}

#[derive(Debug)]
struct Slots {
    /// The configured number.
    limit: u8,
    /// The rate at the moment `since`; it has grown from then on.
    rate: f64,
    since: Instant,
    halved: Option<Instant>,
    /// The API wants no call before.
    resting: Option<Instant>,
    /// Slots of calls under way.
    taken: usize,
    /// When each slot that is still held after its call comes free; releases need no timers.
    releases: BinaryHeap<Reverse<Instant>>,
    /// How long an unanswered call may still arrive.
    unanswered: Duration,
    mean_seconds: f64,
}

impl Budget {
    /// `slots` (at least 1) calls in any second, none in the first two seconds from `now`; `timeout` is the
    /// time after which a call is given up.
    pub fn new(slots: u8, timeout: Duration, now: Instant) -> Self {
        let limit = slots.max(1);
        Self(Arc::new(Shared {
            slots: Mutex::new(Slots {
                limit,
                rate: f64::from(limit),
                since: now,
                halved: None,
                resting: None,
                taken: 0,
                releases: std::iter::repeat_n(Reverse(now + START), usize::from(limit)).collect(),
                unanswered: unanswered(timeout),
                mean_seconds: WINDOW.as_secs_f64(),
            }),
            returned: Notify::new(),
        }))
    }

    /// Changes the number of slots and the timeout. More slots count at once, fewer as they come free.
    pub fn resize(&self, slots: u8, timeout: Duration) {
        {
            let now = Instant::now();
            let mut state = self.0.lock();
            let (limit, rate) = (slots.max(1), state.rate(now));
            let slowed = rate < f64::from(state.limit);
            let full = f64::from(limit);
            (state.rate, state.since) = (if slowed { rate.min(full) } else { full }, now);
            (state.limit, state.unanswered) = (limit, unanswered(timeout));
        }
        self.0.returned.notify_waiters();
    }

    /// Takes all slots for two seconds, beside those that are held: whoever the calls are for from now on may just have
    /// used them elsewhere.
    pub fn wait_out(&self) {
        let mut slots = self.0.lock();
        let free = Reverse(Instant::now() + START);
        let limit = usize::from(slots.limit);
        slots.releases.extend(std::iter::repeat_n(free, limit));
    }

    /// Waits for a slot. May be dropped while it waits.
    pub async fn slot(&self) -> Slot {
        loop {
            // Before the look, so that nothing is missed between the look and the wait.
            let returned = self.0.returned.notified();
            let now = Instant::now();
            let taken = self.0.lock().take(now);
            let next = match taken {
                Ok(unanswered) => {
                    return Slot {
                        budget: self.clone(),
                        taken: now,
                        unanswered,
                        after: After::Unknown,
                    };
                }
                Err(next) => next,
            };
            // A slot given back meanwhile may be free earlier than the one that is waited for.
            match next {
                Some(next) => tokio::select! {
                    () = sleep_until(next) => {}
                    () = returned => {}
                },
                None => returned.await,
            }
        }
    }

    /// The API throttled a call, and wants none for `rest` if it said so.
    ///
    /// The rate halves, though not twice within a second: calls that were under way together are throttled together.
    pub fn throttled(&self, rest: Option<Duration>) {
        let now = Instant::now();
        let mut slots = self.0.lock();
        if slots.halved.is_none_or(|last| now - last >= WINDOW) {
            (slots.rate, slots.since) = (slots.rate(now) / 2.0, now);
            slots.halved = Some(now);
        }
        let rest = rest.unwrap_or_default().min(LONGEST_REST);
        // Below one call a second, the distance between calls is all that is left to hold.
        let until = now + rest.max(slots.hold(now).saturating_sub(WINDOW));
        slots.resting = slots.resting.max(Some(until));
    }

    /// What it allows now.
    pub fn capacity(&self) -> Capacity {
        let now = Instant::now();
        let slots = self.0.lock();
        Capacity {
            rate: slots.rate(now),
            slots: slots.usable(now),
            slot_time: Duration::from_secs_f64(slots.mean_seconds),
        }
    }
}

impl Slot {
    /// The answer's head has just arrived, or the peer has just ended the connection, or there never was one:
    /// the call has reached the API by now or never will.
    pub fn settled(mut self) {
        self.after = After::Settled;
    }

    /// No call was made.
    pub fn unused(mut self) {
        self.after = After::Unused;
    }

    /// Whose slot it is.
    pub fn budget(&self) -> Budget {
        self.budget.clone()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let now = Instant::now();
        {
            let mut slots = self.budget.0.lock();
            slots.taken -= 1;
            let held = match self.after {
                After::Unused => None,
                After::Settled => Some(slots.hold(now)),
                After::Unknown => Some(self.unanswered),
            };
            if let Some(held) = held {
                let free = now + held;
                slots.releases.push(Reverse(free));
                slots.mean_seconds += WEIGHT * ((free - self.taken).as_secs_f64() - slots.mean_seconds);
            }
        }
        self.budget.0.returned.notify_waiters();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    /// Takes a slot, or says when it is worth asking again, other than when one is given back.
    fn take(&mut self, now: Instant) -> Result<Duration, Option<Instant>> {
        while self.releases.peek().is_some_and(|Reverse(free)| *free <= now) {
            self.releases.pop();
        }
        if let Some(until) = self.resting.filter(|until| *until > now) {
            return Err(Some(until));
        }
        if self.taken + self.releases.len() < self.usable(now) {
            self.taken += 1;
            return Ok(self.unanswered);
        }
        let release = self.releases.peek().map(|Reverse(free)| *free);
        Err(release.into_iter().chain(self.next_growth(now)).min())
    }

    /// Calls in any second, at this moment.
    fn rate(&self, now: Instant) -> f64 {
        let full = f64::from(self.limit);
        let grown = full / GROWTH_SECONDS * (now - self.since).as_secs_f64();
        (self.rate + grown).min(full)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 255"
    )]
    fn usable(&self, now: Instant) -> usize {
        (self.rate(now).floor() as usize).max(1)
    }

    /// How long a slot is held after its call.
    fn hold(&self, now: Instant) -> Duration {
        WINDOW.max(Duration::from_secs_f64(1.0 / self.rate(now)))
    }

    /// When the growing rate makes another slot usable.
    fn next_growth(&self, now: Instant) -> Option<Instant> {
        let (rate, full) = (self.rate(now), f64::from(self.limit));
        let missing = self.usable(now) + 1;
        (rate < full).then(|| {
            #[expect(clippy::cast_precision_loss, reason = "at most 256")]
            let growth = (missing as f64).min(full) - rate;
            // A little later than computed, so that rounding does not wake anybody for nothing.
            now + Duration::from_secs_f64(growth * GROWTH_SECONDS / full) + Duration::from_millis(1)
        })
    }
}

/// For how long a call that was given up may still arrive, its second in the window included.
fn unanswered(timeout: Duration) -> Duration {
    timeout.max(STRAGGLER) + WINDOW
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
            budget.capacity().slot_time > WINDOW,
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
        assert_eq!(budget.capacity().slot_time, WINDOW);
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

    /// Lets `calls` calls through at once, each answered after 100 ms, until `span` is over; returns their number.
    async fn calls_in(budget: &Budget, span: Duration) -> u32 {
        let end = Instant::now() + span;
        let mut calls = 0;
        while let Ok(slot) = tokio::time::timeout_at(end, budget.slot()).await {
            slot.settled();
            calls += 1;
        }
        calls
    }

    #[track_caller]
    fn rate(budget: &Budget, wanted: f64) {
        let rate = budget.capacity().rate;
        assert!((rate - wanted).abs() < 1e-6, "{rate} instead of {wanted}");
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_the_rate_once_a_second_and_it_grows_back_in_a_minute() {
        let budget = started(8).await;
        budget.throttled(None);
        rate(&budget, 4.0);
        tokio::time::advance(Duration::from_millis(999)).await;
        budget.throttled(None);
        assert!(budget.capacity().rate > 4.0, "halved twice within a second");
        tokio::time::advance(Duration::from_millis(1)).await;
        budget.throttled(None);
        // A second's growth is 8/60.
        rate(&budget, 2.0 + 4.0 / 60.0);
        tokio::time::advance(Duration::from_secs(30)).await;
        rate(&budget, 6.0 + 4.0 / 60.0);
        tokio::time::advance(Duration::from_secs(60)).await;
        rate(&budget, 8.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lower_rate_is_fewer_slots() {
        let budget = started(8).await;
        budget.throttled(None);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(budget.slot().await);
        }
        let fifth = tokio::time::timeout(Duration::from_secs(7), budget.slot()).await;
        assert!(fifth.is_err(), "the rate is not 5 yet");
        // 4 and 8/60 a second are 5 after 7.5 s.
        let fifth = tokio::time::timeout(Duration::from_secs(1), budget.slot()).await;
        assert!(fifth.is_ok(), "the rate is 5 by now");
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn below_one_call_a_second_calls_keep_their_distance() {
        let budget = started(1).await;
        budget.throttled(None);
        // 1/2 grows by 1/60 a second, which is 0.53 after two.
        about(wait(&budget).await, 1.0);
        budget.slot().await.settled();
        let waited = wait(&budget).await;
        assert!((1.8..2.0).contains(&waited), "{waited} s at a rate of 0.52");
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_throttles_all_is_still_asked_now_and_then() {
        let budget = started(10).await;
        let end = Instant::now() + Duration::from_secs(600);
        let mut calls = 0;
        while let Ok(slot) = tokio::time::timeout_at(end, budget.slot()).await {
            slot.settled();
            budget.throttled(None);
            calls += 1;
        }
        // The rate that halving and growth settle at is some sqrt(10/30), a call every two seconds.
        assert!((200..500).contains(&calls), "{calls} calls in ten minutes");
    }

    #[tokio::test(start_paused = true)]
    async fn the_api_is_left_alone_for_as_long_as_it_wants_up_to_a_minute() {
        for (wanted, waited) in [(Duration::from_secs(20), 20.0), (Duration::from_secs(3600), 60.0)] {
            let budget = started(5).await;
            budget.throttled(Some(wanted));
            about(wait(&budget).await, waited);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn more_slots_count_at_once_and_fewer_as_they_come_free() {
        let budget = started(2).await;
        let held = [budget.slot().await, budget.slot().await];
        budget.resize(3, TIMEOUT);
        about(wait(&budget).await, 0.0);
        budget.resize(1, TIMEOUT);
        let [first, second] = held;
        first.settled();
        second.settled();
        about(wait(&budget).await, 1.0);
        assert_eq!(calls_in(&budget, Duration::from_millis(9_500)).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_size_does_not_forget_that_the_api_throttles() {
        let budget = started(8).await;
        budget.throttled(None);
        budget.resize(10, TIMEOUT);
        rate(&budget, 4.0);
        budget.resize(2, TIMEOUT);
        rate(&budget, 2.0);
    }

    /// Something that happens to a budget.
    #[derive(Clone, Debug)]
    enum Event {
        /// A call whose request arrives and whose answer's head arrives after so many milliseconds.
        Call(u64, u64),
        /// A call that is given up after so many milliseconds, and arrives after so many.
        Lost(u64, u64),
        Unused,
        Pass(u64),
        Throttled(Option<u64>),
        Resize(u8),
    }

    fn event() -> impl proptest::strategy::Strategy<Value = Event> {
        use proptest::prelude::*;
        prop_oneof![
            8 => (0_u64..400, 0_u64..400).prop_map(|(there, back)| Event::Call(there, back)),
            1 => (0_u64..2000, 0_u64..10_000).prop_map(|(given_up, arrives)| Event::Lost(given_up, arrives)),
            1 => Just(Event::Unused),
            4 => (0_u64..3000).prop_map(Event::Pass),
            1 => proptest::option::of(0_u64..90_000).prop_map(Event::Throttled),
            1 => (1_u8..=10).prop_map(Event::Resize),
        ]
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(300))]
        #[test]
        fn no_window_holds_more_than_the_most_slots_that_were_granted(
            first in 1_u8..=10, events in proptest::collection::vec(event(), 1..120),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let (arrivals, most) = runtime.block_on(async {
                let budget = Budget::new(first, TIMEOUT, Instant::now());
                let (mut arrivals, mut most) = (Vec::new(), first);
                let mut flights = tokio::task::JoinSet::new();
                for event in events {
                    match event {
                        Event::Call(there, back) => {
                            let slot = budget.slot().await;
                            arrivals.push(Instant::now() + Duration::from_millis(there));
                            flights.spawn(async move {
                                tokio::time::sleep(Duration::from_millis(there + back)).await;
                                slot.settled();
                            });
                        }
                        Event::Lost(given_up, arrives) => {
                            let slot = budget.slot().await;
                            arrivals.push(Instant::now() + Duration::from_millis(arrives.min(given_up + 10_000)));
                            flights.spawn(async move {
                                tokio::time::sleep(Duration::from_millis(given_up)).await;
                                drop(slot);
                            });
                        }
                        Event::Unused => budget.slot().await.unused(),
                        Event::Pass(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                        Event::Throttled(rest) => budget.throttled(rest.map(Duration::from_millis)),
                        Event::Resize(slots) => {
                            budget.resize(slots, TIMEOUT);
                            most = most.max(slots);
                        }
                    }
                }
                (arrivals, most)
            });
            for from in &arrivals {
                let window = arrivals.iter().filter(|at| *at >= from && **at - *from < WINDOW).count();
                proptest::prop_assert!(window <= usize::from(most), "{window} calls in a window of {most}");
            }
        }
    }
}
