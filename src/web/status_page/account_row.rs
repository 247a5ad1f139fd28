//! What the page says of an account.

use std::time::Duration;

use jiff::SignedDuration;

use super::words::{Span, Urgency, ago, in_words, percent, to_come};
use crate::model::UnixMillis;
use crate::store::{AccountState, BudgetState};

/// What a clock may be off by before it is marked, in seconds; the measurement itself is good to about one.
const OFF: f64 = 5.0;

/// A budget of which this part is asked for is marked.
const NEARLY_ALL: f64 = 0.9;

pub(super) struct AccountRow<'a> {
    pub(super) name: &'a str,
    pub(super) instances: usize,
    pub(super) waiting: bool,
    /// The poll interval in force.
    pub(super) interval: Duration,
    pub(super) budget: Option<Budget>,
    pub(super) clock: Option<Clock>,
    /// Who gave the credentials.
    pub(super) provider: Option<&'a str>,
    /// When a temporary key ends.
    pub(super) key_end: Option<Span>,
    /// How discovery went, in words.
    pub(super) discovery: String,
}

pub(super) struct Budget(pub(super) BudgetState);

pub(super) struct Clock {
    /// Seconds that the local clock is ahead of the API's.
    pub(super) ahead: f64,
    pub(super) corrected: bool,
}

impl<'a> AccountRow<'a> {
    /// `now` is the true time.
    pub(super) fn new(account: &'a AccountState, now: UnixMillis) -> Self {
        let states = account.instances.states();
        let found = states.filter(|instance| instance.found.is_some()).count();
        let credentials = account.credentials.as_ref();
        Self {
            name: account.name.as_str(),
            instances: account.instances.len(),
            waiting: account.waiting,
            interval: account.interval,
            budget: account.budget.map(Budget),
            clock: account.measured_skew_millis.map(|millis| Clock {
                ahead: UnixMillis(millis).seconds_since(UnixMillis(0)),
                corrected: account.skew_millis != 0,
            }),
            provider: credentials.map(|credentials| credentials.provider.as_str()),
            key_end: credentials
                .and_then(|credentials| credentials.expires)
                .map(|at| key_end(at, now)),
            discovery: discovery(account, found, now),
        }
    }

    /// To the second, as the configuration writes it: `5m`, `7m 17s`.
    pub(super) fn interval_as_configured(&self) -> String {
        let interval = SignedDuration::try_from(self.interval).unwrap_or(SignedDuration::MAX);
        format!("{:#}", SignedDuration::from_secs(interval.as_secs()))
    }
}

impl Budget {
    /// The API has throttled, and the full rate is not back yet.
    pub(super) fn slowed(&self) -> bool {
        self.0.rate < f64::from(self.0.limit)
    }

    /// The demand as a bar, which is full where it is more than the budget.
    pub(super) fn bar(&self) -> u8 {
        percent(self.0.demand)
    }

    pub(super) fn percent(&self) -> String {
        format!("{:.0}", self.0.demand * 100.0)
    }

    pub(super) fn urgency(&self) -> Urgency {
        match self.0.demand {
            NEARLY_ALL.. => Urgency::Soon,
            _ => Urgency::Fine,
        }
    }
}

impl Clock {
    pub(super) fn words(&self) -> String {
        match self.ahead {
            -1.0..=1.0 => "right to a second".to_owned(),
            ahead if ahead > 0.0 => format!("{} ahead", in_words(ahead)),
            behind => format!("{} behind", in_words(-behind)),
        }
    }

    pub(super) fn urgency(&self) -> Urgency {
        if self.ahead.abs() > OFF {
            Urgency::Soon
        } else {
            Urgency::Fine
        }
    }
}

fn key_end(at: UnixMillis, now: UnixMillis) -> Span {
    let seconds = at.seconds_since(now);
    let to_come = to_come(seconds);
    Span {
        seconds,
        // A temporary key is always near its end: only a past one is marked.
        urgency: to_come.as_ref().map_or(Urgency::Ended, |_| Urgency::Fine),
        words: to_come.unwrap_or_else(|| ago(seconds)),
    }
}

fn discovery(account: &AccountState, found: usize, now: UnixMillis) -> String {
    if !account.discovers {
        return "off".to_owned();
    }
    let when = match account.discovered {
        Some(at) => format!("complete {} ago", in_words(now.seconds_since(at).max(0.0))),
        None if account.undiscovered => "not tried yet".to_owned(),
        None => "never complete".to_owned(),
    };
    format!("{found} found, {when}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_told_by_the_way_it_is_off_and_marked_beyond_five_seconds() {
        let told = [0.4, -0.9, 4.2, 10_800.0, -90.0].map(|ahead| {
            let clock = Clock {
                ahead,
                corrected: false,
            };
            (clock.words(), clock.urgency().class())
        });
        let expected = [
            ("right to a second", ""),
            ("right to a second", ""),
            ("4 seconds ahead", ""),
            ("3 hours ahead", "soon"),
            ("90 seconds behind", "soon"),
        ];
        assert_eq!(
            told.each_ref().map(|(words, class)| (words.as_str(), *class)),
            expected
        );
    }

    #[test]
    fn a_demand_above_the_budget_fills_the_bar_and_keeps_its_number() {
        let budget = Budget(BudgetState {
            limit: 5,
            rate: 2.5,
            demand: 1.35,
        });
        assert!(budget.slowed());
        assert_eq!((budget.bar(), budget.percent().as_str()), (100, "135"));
        assert_eq!(budget.urgency().class(), "soon");
    }
}
