//! What the page says of an instance.

use std::time::Duration;

use super::words::{End, Span, Urgency, in_words, percent, to_come};
use crate::model::{Failure, UnixMillis};
use crate::store::InstanceState;

/// A quota that is used to this part is marked.
const NEARLY_USED: f64 = 0.8;

/// Facts older than this many intervals are marked: two polls in a row have brought none.
const OLD: f64 = 3.0;

pub(super) struct InstanceRow<'a> {
    pub(super) account: &'a str,
    pub(super) id: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) ca_type: Option<&'a str>,
    pub(super) status: Option<&'a str>,
    pub(super) certificate: Option<End>,
    pub(super) subscription: Option<End>,
    pub(super) issued: Option<i64>,
    pub(super) quota: Option<Quota>,
    /// How long ago the facts were learnt.
    pub(super) age: Option<Span>,
    /// When it is asked again, if all goes as planned.
    pub(super) next: Option<Span>,
    pub(super) failure: Option<&'a Failure>,
}

/// The certificates issued, of those allowed.
#[derive(Clone, Copy)]
pub(super) struct Quota {
    pub(super) issued: i64,
    pub(super) total: i64,
}

impl<'a> InstanceRow<'a> {
    /// `interval` is the poll interval in force.
    pub(super) fn new(instance: &'a InstanceState, interval: Duration, now: UnixMillis) -> Self {
        let facts = instance.facts.as_ref();
        let status = facts.map(|facts| &facts.status);
        let end = |time: Option<UnixMillis>| time.map(|at| End::new(at, now));
        let issued = status.and_then(|status| status.certificates_issued);
        let total = status.and_then(|status| status.certificates_quota);
        Self {
            account: instance.target.account.as_str(),
            id: instance.target.instance_id.as_str(),
            name: instance.target.name.as_deref(),
            ca_type: status.and_then(|status| status.ca_type.as_deref()),
            status: status.and_then(|status| status.status.as_deref()),
            certificate: end(status.and_then(|status| status.not_after)),
            subscription: end(status.and_then(|status| status.subscription_expiry)),
            issued,
            quota: issued.zip(total).map(|(issued, total)| Quota { issued, total }),
            age: facts.map(|facts| age(facts.seen, interval, now)),
            next: instance.attempted.map(|at| next(at, interval, now)),
            failure: instance.failure.as_ref(),
        }
    }

    pub(super) fn first_end(&self) -> Option<UnixMillis> {
        self.ends().map(|end| end.at).min()
    }

    /// The more urgent of certificate and subscription.
    pub(super) fn end_urgency(&self) -> Urgency {
        let urgencies = self.ends().map(|end| end.urgency);
        urgencies.max().unwrap_or_default()
    }

    pub(super) fn status_urgency(&self) -> Urgency {
        match self.status {
            Some("REVOKE" | "REFUND") => Urgency::Ended,
            _ => Urgency::Fine,
        }
    }

    /// The most urgent of all that the row says.
    pub(super) fn urgency(&self) -> Urgency {
        let failure = self.failure.map_or(Urgency::Fine, |_| Urgency::Ended);
        let quota = self.quota.map(Quota::urgency).unwrap_or_default();
        let age = self.age.as_ref().map(|age| age.urgency).unwrap_or_default();
        let all = [failure, self.status_urgency(), self.end_urgency(), quota, age];
        all.into_iter().max().unwrap_or_default()
    }

    fn ends(&self) -> impl Iterator<Item = &End> {
        self.certificate.iter().chain(&self.subscription)
    }
}

impl Quota {
    /// The part that is used; all of a quota of nothing.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a bar and a place in an order need no more"
    )]
    pub(super) fn used(self) -> f64 {
        if self.total > 0 {
            self.issued as f64 / self.total as f64
        } else {
            1.0
        }
    }

    pub(super) fn percent(self) -> u8 {
        percent(self.used())
    }

    pub(super) fn urgency(self) -> Urgency {
        match self.used() {
            1.0.. => Urgency::Ended,
            NEARLY_USED.. => Urgency::Soon,
            _ => Urgency::Fine,
        }
    }
}

fn age(seen: UnixMillis, interval: Duration, now: UnixMillis) -> Span {
    let seconds = now.seconds_since(seen).max(0.0);
    let old = seconds > OLD * interval.as_secs_f64();
    Span {
        seconds,
        words: in_words(seconds),
        urgency: if old { Urgency::Soon } else { Urgency::Fine },
    }
}

/// One interval after the last poll began; a retry may come before.
fn next(attempted: UnixMillis, interval: Duration, now: UnixMillis) -> Span {
    let seconds = interval.as_secs_f64() - now.seconds_since(attempted);
    Span {
        seconds,
        words: to_come(seconds).unwrap_or_else(|| "due".to_owned()),
        urgency: Urgency::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_marked_when_four_fifths_are_used_and_when_all_is() {
        let marks = [(0, 10), (79, 100), (8, 10), (10, 10), (11, 10), (0, 0)].map(|(issued, total)| {
            let quota = Quota { issued, total };
            (quota.percent(), quota.urgency().class())
        });
        assert_eq!(
            marks,
            [
                (0, ""),
                (79, ""),
                (80, "soon"),
                (100, "ended"),
                (100, "ended"),
                (100, "ended")
            ]
        );
    }

    #[test]
    fn the_next_poll_is_an_interval_after_the_last_and_due_when_that_is_past() {
        let (start, interval) = (UnixMillis::from_seconds(1000), Duration::from_secs(300));
        let told = [1000, 1299, 1301].map(|now| next(start, interval, UnixMillis::from_seconds(now)).words);
        assert_eq!(told, ["in 5 minutes", "in 1 second", "due"]);
    }

    #[test]
    fn facts_are_marked_as_old_after_three_intervals() {
        let (seen, interval) = (UnixMillis::from_seconds(1000), Duration::from_secs(300));
        let marks =
            [1000, 1900, 1901].map(|now| age(seen, interval, UnixMillis::from_seconds(now)).urgency.class());
        assert_eq!(marks, ["", "", "soon"]);
    }
}
