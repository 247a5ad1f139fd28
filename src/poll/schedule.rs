//! The plan of one account's polls: the first round, even spreading, retries and overload in one rule.
//!
//! Pure: it never waits, draws or asks for the time. It does not know what a poll is; the budget is not its
//! business beyond the number of slots and how long a call holds one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use tokio::time::Instant;

/// How many turns may be made up for at once after a delay.
const CATCH_UP: u32 = 5;

/// When each target's next poll is.
#[derive(Debug)]
pub struct Schedule<K> {
    interval: Duration,
    slots: u32,
    slot_time: Duration,
    /// Ordered by the last attempt; those never tried come first.
    turns: BTreeSet<(Option<Instant>, K)>,
    retries: BTreeSet<(Instant, K)>,
    targets: BTreeMap<K, Place>,
    next_turn: Instant,
    /// Nobody has a second regular turn.
    single_round: bool,
    in_flight: usize,
    /// Targets that have had no outcome yet.
    unheard: usize,
}

/// Where a target stands. One in flight is neither in `turns` nor in `retries`.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    last_attempt: Option<Instant>,
    retry_due: Option<Instant>,
    retries_made: usize,
    in_flight: bool,
    /// It has had an outcome.
    heard: bool,
}

impl<K: Clone + Ord + Debug> Schedule<K> {
    /// A plan to poll each target once per `interval`, within a budget of `slots`. Each comes with its last attempt; those
    /// never tried come first, from `now` on, and the others when their interval is over.
    pub fn new(
        targets: impl IntoIterator<Item = (K, Option<Instant>)>,
        interval: Duration,
        slots: u8,
        now: Instant,
    ) -> Self {
        let mut schedule = Self {
            interval,
            slots: u32::from(slots.max(1)),
            slot_time: Duration::from_secs(1),
            turns: BTreeSet::new(),
            retries: BTreeSet::new(),
            targets: BTreeMap::new(),
            next_turn: now,
            single_round: false,
            in_flight: 0,
            unheard: 0,
        };
        schedule.set_targets(targets, now);
        schedule.aim(now);
        schedule
    }

    /// Takes over another interval, number of slots and set of targets. What is in flight stays so, and what waits for a
    /// retry has it.
    pub fn reconfigure(
        &mut self,
        targets: impl IntoIterator<Item = (K, Option<Instant>)>,
        interval: Duration,
        slots: u8,
        now: Instant,
    ) {
        (self.interval, self.slots) = (interval, u32::from(slots.max(1)));
        self.set_targets(targets, now);
        self.aim(now);
    }

    /// Sets the next turn by the oldest attempt.
    fn aim(&mut self, now: Instant) {
        // It may be so young that nothing is due yet; the gap is the usual distance.
        if let Some((Some(oldest), _)) = self.turns.first() {
            self.next_turn = (*oldest + self.interval_in_force()).clamp(now, now + self.gap());
        }
    }

    /// Takes over which targets there are: new ones come with their last attempt, those that left are polled no more.
    pub fn set_targets(&mut self, targets: impl IntoIterator<Item = (K, Option<Instant>)>, now: Instant) {
        let mut left: BTreeSet<K> = self.targets.keys().cloned().collect();
        for (key, last_attempt) in targets {
            if !left.remove(&key) {
                self.add(key, last_attempt);
            }
        }
        for key in left {
            self.remove(&key);
        }
        if self.any_untried() {
            self.next_turn = self.next_turn.min(now);
        }
    }

    /// Nobody who is about to be overdue waits for a whole gap; a backlog of long ago does.
    fn hurry(&mut self, now: Instant) {
        if let Some((Some(oldest), _)) = self.turns.first() {
            let due = *oldest + self.interval_in_force();
            if due + self.interval / 10 > now {
                let soonest = now + Duration::from_secs_f64(0.5 / f64::from(self.slots));
                self.next_turn = self.next_turn.min(due.max(soonest));
            }
        }
    }

    fn add(&mut self, key: K, last_attempt: Option<Instant>) {
        self.turns.insert((last_attempt, key.clone()));
        let heard = last_attempt.is_some();
        self.unheard += usize::from(!heard);
        let place = Place {
            last_attempt,
            heard,
            ..Place::default()
        };
        self.targets.insert(key, place);
    }

    fn remove(&mut self, key: &K) {
        let Some(place) = self.targets.remove(key) else {
            return;
        };
        self.turns.remove(&(place.last_attempt, key.clone()));
        if let Some(due) = place.retry_due {
            self.retries.remove(&(due, key.clone()));
        }
        // Its outcome will be nobody's.
        self.in_flight -= usize::from(place.in_flight);
        self.unheard -= usize::from(!place.heard);
    }

    /// Limits the plan to one round: a target that was polled is not polled again, but for its retries.
    pub fn make_single_round(&mut self) {
        self.single_round = true;
    }

    /// When the next poll is due; `None` while every target is in flight, or without any.
    pub fn due(&self) -> Option<Instant> {
        let turn = (!self.turns.is_empty()).then_some(self.next_turn);
        let retry = self.retries.first().map(|(due, _)| *due);
        [turn, retry].into_iter().flatten().min()
    }

    /// Takes the target to poll at `now`, if one is due; it is in flight until it is `done`.
    pub fn take(&mut self, now: Instant) -> Option<K> {
        let key = if self.next_turn <= now && !self.turns.is_empty() {
            let (_, key) = self.turns.pop_first()?;
            // Who lost time catches up a little, and never in a burst of a whole backlog.
            let earliest = now.checked_sub(self.gap() * CATCH_UP).unwrap_or(self.next_turn);
            self.next_turn = (self.next_turn + self.gap()).max(earliest);
            self.hurry(now);
            let place = self.targets.get_mut(&key)?;
            if let Some(due) = place.retry_due.take() {
                self.retries.remove(&(due, key.clone()));
            }
            place.retries_made = 0;
            key
        } else if self.retries.first().is_some_and(|(due, _)| *due <= now) {
            let (_, key) = self.retries.pop_first()?;
            let place = self.targets.get_mut(&key)?;
            self.turns.remove(&(place.last_attempt, key.clone()));
            place.retry_due = None;
            place.retries_made += 1;
            key
        } else {
            return None;
        };
        let place = self.targets.get_mut(&key)?;
        place.last_attempt = Some(now);
        place.in_flight = true;
        self.in_flight += 1;
        Some(key)
    }

    /// A target that was in flight is back. `retry` is asked, with the number of retries made since the last
    /// regular turn, how long to wait before another; it is not asked while the budget is overdrawn.
    pub fn done(&mut self, key: &K, now: Instant, retry: impl FnOnce(usize) -> Option<Duration>) {
        // In a single round no later turn makes up for a retry.
        let overdrawn = !self.single_round && self.demand() >= 1.0;
        let Some(place) = self.targets.get_mut(key).filter(|place| place.in_flight) else {
            return;
        };
        place.in_flight = false;
        self.in_flight -= 1;
        if !std::mem::replace(&mut place.heard, true) {
            self.unheard -= 1;
        }
        if !self.single_round {
            self.turns.insert((place.last_attempt, key.clone()));
        }
        let wait = if overdrawn {
            None
        } else {
            retry(place.retries_made)
        };
        if let Some(wait) = wait {
            place.retry_due = Some(now + wait);
            self.retries.insert((now + wait, key.clone()));
        }
    }

    /// Takes over how many slots there are, and how long a call holds one on average.
    pub fn set_capacity(&mut self, slots: usize, slot_time: Duration) {
        self.slots = u32::try_from(slots.max(1)).unwrap_or(u32::MAX);
        self.slot_time = slot_time;
    }

    /// Calls that the targets ask for / calls that the slots allow.
    pub fn demand(&self) -> f64 {
        self.count() / self.interval.as_secs_f64() * self.slot_time.as_secs_f64() / f64::from(self.slots)
    }

    /// The interval at which each target is really polled.
    pub fn interval_in_force(&self) -> Duration {
        self.interval.mul_f64(self.demand().max(1.0))
    }

    /// Every target has had an outcome.
    pub fn all_heard(&self) -> bool {
        self.unheard == 0
    }

    /// Every target has had an outcome, none is in flight and none waits for a retry.
    pub fn settled(&self) -> bool {
        self.all_heard() && self.in_flight == 0 && self.retries.is_empty()
    }

    fn any_untried(&self) -> bool {
        self.turns
            .first()
            .is_some_and(|(last_attempt, _)| last_attempt.is_none())
    }

    fn gap(&self) -> Duration {
        if self.any_untried() || self.demand() >= 1.0 {
            // Twice as often as the slots allow: it is the slots that set the pace then.
            Duration::from_secs_f64(0.5 / f64::from(self.slots))
        } else {
            self.interval.div_f64(self.count().max(1.0))
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 instances")]
    fn count(&self) -> f64 {
        self.targets.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(300);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A plan for targets that were never tried.
    fn untried<K: Clone + Ord + Debug>(
        targets: impl IntoIterator<Item = K>,
        interval: Duration,
        slots: u8,
        now: Instant,
    ) -> Schedule<K> {
        Schedule::new(targets.into_iter().map(|key| (key, None)), interval, slots, now)
    }

    /// Polls everything that is due for `span`, each poll taking no time, and returns (second, target).
    fn run(schedule: &mut Schedule<u32>, start: Instant, span: Duration) -> Vec<(f64, u32)> {
        let mut polls = Vec::new();
        while let Some(due) = schedule.due().filter(|due| *due < start + span) {
            let key = schedule.take(due).expect("what is due can be taken");
            polls.push(((due - start).as_secs_f64(), key));
            schedule.done(&key, due, |_| None);
        }
        polls
    }

    fn times(polls: &[(f64, u32)], target: u32) -> Vec<f64> {
        polls
            .iter()
            .filter(|(_, key)| *key == target)
            .map(|(time, _)| *time)
            .collect()
    }

    #[test]
    fn the_first_round_runs_at_the_budgets_speed() {
        let start = Instant::now();
        let mut schedule = untried(0..100, INTERVAL, 5, start);
        let polls = run(&mut schedule, start, seconds(10.05));
        assert_eq!(polls.len(), 100, "100 targets at twice 5 a second take 10 s");
        assert!(polls.iter().map(|(_, key)| *key).eq(0..100));
    }

    #[test]
    fn after_the_first_round_polls_are_spread_evenly() {
        let start = Instant::now();
        let mut schedule = untried(0..100, INTERVAL, 5, start);
        run(&mut schedule, start, seconds(10.05));
        let polls = run(&mut schedule, start, seconds(900.0));
        for pair in polls.windows(2) {
            assert!(
                (pair[1].0 - pair[0].0 - 3.0).abs() < 1e-6,
                "{pair:?} are not 3 s apart"
            );
        }
    }

    #[test]
    fn no_target_ever_waits_longer_than_the_interval() {
        let start = Instant::now();
        for count in [1, 2, 7, 100] {
            let mut schedule = untried(0..count, INTERVAL, 5, start);
            let polls = run(&mut schedule, start, seconds(3000.0));
            for target in 0..count {
                let times = times(&polls, target);
                assert!(times.len() >= 10, "{count} targets: {times:?}");
                assert!(
                    times.windows(2).all(|pair| pair[1] - pair[0] <= 300.0 + 1e-6),
                    "{count}: {times:?}"
                );
            }
        }
    }

    #[test]
    fn a_target_in_flight_is_not_taken_again() {
        let start = Instant::now();
        let mut schedule = untried([1], seconds(1.0), 5, start);
        assert_eq!(schedule.take(start), Some(1));
        assert_eq!(schedule.due(), None);
        assert_eq!(schedule.take(start + seconds(100.0)), None);
    }

    #[test]
    fn a_slow_target_does_not_delay_the_others() {
        let start = Instant::now();
        let mut schedule = untried(0..3, seconds(30.0), 5, start);
        assert_eq!(schedule.take(start), Some(0));
        let polls = run(&mut schedule, start, seconds(300.0));
        assert!(times(&polls, 0).is_empty());
        for target in [1, 2] {
            assert!(
                times(&polls, target)
                    .windows(2)
                    .all(|pair| pair[1] - pair[0] <= 30.0 + 1e-6)
            );
        }
    }

    #[test]
    fn a_failed_poll_is_retried_ahead_of_its_turn_and_then_keeps_its_distance() {
        let start = Instant::now();
        let mut schedule = untried([1], INTERVAL, 5, start);
        schedule.take(start);
        schedule.done(&1, start, |made| (made == 0).then_some(seconds(2.0)));
        assert_eq!(schedule.due(), Some(start + seconds(2.0)));
        assert_eq!(schedule.take(start + seconds(1.9)), None);
        assert_eq!(schedule.take(start + seconds(2.0)), Some(1));
        schedule.done(&1, start + seconds(2.0), |made| {
            (made == 0).then_some(seconds(2.0))
        });
        assert_eq!(
            schedule.due(),
            Some(start + INTERVAL),
            "one retry was allowed, the next is a regular turn"
        );
    }

    #[test]
    fn a_regular_turn_starts_the_count_of_retries_again() {
        let start = Instant::now();
        let mut schedule = untried([1], INTERVAL, 5, start);
        schedule.take(start);
        schedule.done(&1, start, |_| Some(seconds(2.0)));
        schedule.take(start + seconds(2.0));
        schedule.done(&1, start + seconds(2.0), |_| None);
        schedule.take(start + INTERVAL);
        let mut asked = None;
        schedule.done(&1, start + INTERVAL, |made| {
            asked = Some(made);
            None
        });
        assert_eq!(asked, Some(0));
    }

    #[test]
    fn a_turn_goes_before_a_retry() {
        let start = Instant::now();
        let mut schedule = untried(0..2, INTERVAL, 5, start);
        schedule.take(start);
        schedule.done(&0, start, |_| Some(Duration::ZERO));
        let both_due = start + seconds(1.0);
        assert_eq!(schedule.take(both_due), Some(1), "never tried comes first");
        assert_eq!(schedule.take(both_due), Some(0));
    }

    #[test]
    fn a_turn_makes_a_waiting_retry_needless() {
        let start = Instant::now();
        let mut schedule = untried([1], INTERVAL, 5, start);
        schedule.take(start);
        schedule.done(&1, start, |_| Some(seconds(1000.0)));
        assert_eq!(schedule.take(start + INTERVAL), Some(1));
        schedule.done(&1, start + INTERVAL, |_| None);
        assert!(schedule.settled(), "the retry is still there");
    }

    #[test]
    fn an_overfull_plan_stretches_the_interval_and_retries_nothing() {
        let start = Instant::now();
        // 600 targets a minute at 5 slots of 1 s: twice what the budget allows.
        let mut schedule = untried(0..600, seconds(60.0), 5, start);
        assert!((schedule.demand() - 2.0).abs() < 1e-9);
        assert_eq!(schedule.interval_in_force(), seconds(120.0));
        schedule.take(start);
        schedule.done(&0, start, |_| panic!("a retry was asked for"));
        // Slower calls make it worse.
        schedule.set_capacity(5, seconds(1.5));
        assert_eq!(schedule.interval_in_force(), seconds(180.0));
    }

    #[test]
    fn a_long_delay_is_made_up_for_in_a_few_turns_only() {
        let start = Instant::now();
        let mut schedule = untried(0..100, INTERVAL, 5, start);
        run(&mut schedule, start, seconds(20.0));
        let late = start + seconds(10_000.0);
        let mut at_once = 0;
        while schedule.take(late).is_some() {
            at_once += 1;
        }
        assert!((1..=7).contains(&at_once), "{at_once} turns at once");
    }

    #[test]
    fn a_single_round_ends_however_often_a_target_fails() {
        let start = Instant::now();
        let mut schedule = untried(0..2, seconds(5.0), 5, start);
        schedule.make_single_round();
        let mut polls = 0;
        while let Some(due) = schedule.due() {
            let key = schedule.take(due).unwrap();
            polls += 1;
            assert!(polls <= 8, "no end of it");
            // Three retries, each later than the interval would bring the next turn.
            schedule.done(&key, due, |made| (made < 3).then_some(seconds(30.0)));
        }
        assert!(schedule.settled());
        assert_eq!(polls, 8);
    }

    #[test]
    fn it_is_settled_when_all_were_tried_and_nothing_is_pending() {
        let start = Instant::now();
        let mut schedule = untried(0..2, INTERVAL, 5, start);
        assert!(!schedule.settled());
        schedule.take(start);
        schedule.take(start + seconds(1.0));
        assert!(!schedule.settled(), "both are in flight");
        schedule.done(&0, start, |_| None);
        schedule.done(&1, start, |_| Some(seconds(1.0)));
        assert!(!schedule.settled(), "a retry is pending");
        schedule.take(start + seconds(5.0));
        schedule.done(&1, start, |_| None);
        assert!(schedule.settled());
        assert!(untried([0; 0], INTERVAL, 5, start).settled());
    }

    /// A hundred targets, polled evenly over the interval before `now`, the last one just now.
    fn in_full_swing(now: Instant) -> Vec<(u32, Option<Instant>)> {
        let ago = |number: u32| INTERVAL.mul_f64(f64::from(99 - number) / 100.0);
        (0..100)
            .map(|number| (number, now.checked_sub(ago(number))))
            .collect()
    }

    #[test]
    fn a_plan_that_is_taken_over_goes_on_where_it_was() {
        let now = Instant::now() + 2 * INTERVAL;
        let mut schedule = Schedule::new(in_full_swing(now), INTERVAL, 5, now);
        let polls = run(&mut schedule, now, INTERVAL);
        let expected = (0..100).map(|number| (f64::from(number + 1) * 3.0, number));
        for ((at, key), (due, target)) in polls.iter().zip(expected) {
            assert_eq!(*key, target);
            assert!((at - due).abs() < 1e-6, "{key} at {at} instead of {due}");
        }
        assert!(polls.len() >= 99, "{}", polls.len());
    }

    #[test]
    fn a_plan_that_is_taken_over_again_and_again_polls_no_more_than_before() {
        let mut now = Instant::now() + 2 * INTERVAL;
        let mut last: BTreeMap<u32, Option<Instant>> = in_full_swing(now).into_iter().collect();
        let mut polls = 0;
        for _ in 0..1000 {
            let mut schedule = Schedule::new(last.clone(), INTERVAL, 5, now);
            let end = now + seconds(0.3);
            while let Some(due) = schedule.due().filter(|due| *due < end) {
                let key = schedule.take(due).unwrap();
                schedule.done(&key, due, |_| None);
                last.insert(key, Some(due));
                polls += 1;
            }
            now = end;
        }
        // 300 s are one interval, in which each of the hundred has its turn.
        assert!((98..=102).contains(&polls), "{polls}");
    }

    #[test]
    fn under_another_configuration_retries_and_flights_go_on() {
        let start = Instant::now();
        let mut schedule = untried(0..3, INTERVAL, 5, start);
        let (first, second) = (start + seconds(1.0), start + seconds(2.0));
        assert_eq!((schedule.take(first), schedule.take(second)), (Some(0), Some(1)));
        schedule.done(&0, second, |_| Some(seconds(8.0)));
        let now = start + seconds(3.0);
        // The same, as anybody knows them who is told of attempts alone.
        let known = [(0, Some(first)), (1, Some(second)), (2, None)];
        schedule.reconfigure(known, INTERVAL * 2, 2, now);
        assert_eq!(schedule.take(now), Some(2), "never tried comes first");
        schedule.done(&2, now, |_| None);
        schedule.done(&1, now, |_| Some(seconds(30.0)));
        assert_eq!(schedule.due(), Some(second + seconds(8.0)));
        assert_eq!(schedule.take(second + seconds(8.0)), Some(0));
        schedule.done(&0, second + seconds(8.0), |made| {
            assert_eq!(made, 1, "the retries are counted on");
            None
        });
        assert_eq!(schedule.take(now + seconds(30.0)), Some(1));
    }

    #[test]
    fn after_a_long_pause_the_backlog_is_spread_like_any_other_round() {
        let start = Instant::now();
        let now = start + 10 * INTERVAL;
        let old = (0..100).map(|number| (number, Some(start)));
        let mut schedule = Schedule::new(old, INTERVAL, 5, now);
        let polls = run(&mut schedule, now, INTERVAL);
        assert_eq!(polls.len(), 100);
        assert!(
            polls.windows(2).all(|pair| pair[1].0 - pair[0].0 > 2.9),
            "{polls:?}"
        );
    }

    #[test]
    fn new_targets_come_at_once_and_those_that_left_no_more() {
        let start = Instant::now();
        let mut schedule = untried(0..3, INTERVAL, 5, start);
        run(&mut schedule, start, seconds(10.0));
        let now = start + seconds(10.0);
        schedule.set_targets([(1, None), (2, None), (7, None)], now);
        assert_eq!(schedule.take(now), Some(7));
        schedule.done(&7, now, |_| None);
        let polls = run(&mut schedule, now, INTERVAL * 3);
        assert!(times(&polls, 0).is_empty(), "0 has left");
        assert!(times(&polls, 1).len() >= 2 && times(&polls, 7).len() >= 2);
    }

    #[test]
    fn a_target_that_leaves_while_in_flight_or_waiting_for_a_retry_leaves_nothing_behind() {
        let start = Instant::now();
        let mut schedule = untried(0..3, INTERVAL, 5, start);
        assert_eq!(schedule.take(start), Some(0));
        let second = start + seconds(1.0);
        assert_eq!(schedule.take(second), Some(1));
        schedule.done(&1, second, |_| Some(seconds(5.0)));
        schedule.set_targets([(2, None)], second);
        schedule.done(&0, second, |_| panic!("a retry of what has left"));
        assert_eq!(schedule.take(second + seconds(1.0)), Some(2));
        schedule.done(&2, second, |_| None);
        assert!(schedule.settled());
    }
}
