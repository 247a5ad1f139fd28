//! The status page: what is known of every instance, for people. Plain HTML: no script, and nothing from elsewhere.
//!
//! Numbers to compute with are in the metrics; here dates and ages are words. askama escapes every value.

use std::sync::Arc;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use super::routes::TelemetryPath;
use crate::model::{Failure, UnixMillis};
use crate::store::{AccountState, InstanceState, Snapshot};
use crate::telemetry::Build;

const STYLE: &str = include_str!("status_page.css");

const SECONDS_PER_DAY: f64 = 86_400.0;

/// An end that is nearer than this is marked.
const SOON: f64 = 30.0 * SECONDS_PER_DAY;

#[derive(Template)]
#[template(path = "status_page.html", config = "src/web/askama.toml")]
struct StatusPage<'a> {
    style: &'static str,
    build: &'a Build,
    telemetry_path: &'a TelemetryPath,
    now: UnixMillis,
    failing: usize,
    ended: usize,
    instances: Vec<InstanceRow<'a>>,
    accounts: Vec<AccountRow<'a>>,
}

struct InstanceRow<'a> {
    account: &'a str,
    id: &'a str,
    name: Option<&'a str>,
    ca_type: Option<&'a str>,
    status: Option<&'a str>,
    certificate: Option<End>,
    subscription: Option<End>,
    issued: Option<i64>,
    quota: Option<i64>,
    /// How long ago the facts were learnt.
    age: Option<String>,
    failure: Option<&'a Failure>,
}

struct AccountRow<'a> {
    name: &'a str,
    instances: usize,
    interval: String,
    waiting: bool,
}

/// When something ends or has ended.
struct End {
    at: UnixMillis,
    time: String,
    left: String,
    /// A class of the style sheet.
    urgency: &'static str,
}

/// The policy that a browser holds the page to: its own style sheet, and nothing else at all.
pub(super) fn content_security_policy() -> HeaderValue {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("base64 and words are plain ASCII")
}

/// The class of what is over.
const ENDED: &str = "ended";

/// The page as it stands at `now`.
pub(super) fn render(
    snapshot: &Snapshot,
    now: UnixMillis,
    telemetry_path: &TelemetryPath,
    build: &Build,
) -> String {
    let instances = snapshot.instances.iter();
    let mut instances: Vec<_> = instances
        .map(|instance| InstanceRow::new(instance, snapshot.now(&instance.target.account, now)))
        .collect();
    // Stable: those that end at the same time, or of which no end is known, stay sorted by account and id.
    instances.sort_by_key(|row| (row.first_end().is_none(), row.first_end()));
    let accounts = snapshot.accounts.iter();
    let page = StatusPage {
        style: STYLE,
        build,
        telemetry_path,
        now,
        failing: instances.iter().filter(|row| row.failure.is_some()).count(),
        ended: instances.iter().filter(|row| row.ended()).count(),
        instances,
        accounts: accounts
            .map(|account| AccountRow::new(account, snapshot))
            .collect(),
    };
    page.render()
        .expect("a String takes everything, and no filter of the template can fail")
}

impl<'a> InstanceRow<'a> {
    fn new(instance: &'a InstanceState, now: UnixMillis) -> Self {
        let status = instance.facts.as_ref().map(|facts| &facts.status);
        let end = |time: Option<UnixMillis>| time.map(|at| End::new(at, now));
        Self {
            account: instance.target.account.as_str(),
            id: instance.target.instance_id.as_str(),
            name: instance.target.name.as_deref(),
            ca_type: status.and_then(|status| status.ca_type.as_deref()),
            status: status.and_then(|status| status.status.as_deref()),
            certificate: end(status.and_then(|status| status.not_after)),
            subscription: end(status.and_then(|status| status.subscription_expiry)),
            issued: status.and_then(|status| status.certificates_issued),
            quota: status.and_then(|status| status.certificates_quota),
            age: instance
                .facts
                .as_ref()
                .map(|facts| in_words(now.seconds_since(facts.seen).max(0.0))),
            failure: instance.failure.as_ref(),
        }
    }

    fn first_end(&self) -> Option<UnixMillis> {
        let ends = self.certificate.iter().chain(&self.subscription);
        ends.map(|end| end.at).min()
    }

    /// Its certificate or its subscription has ended.
    fn ended(&self) -> bool {
        let mut ends = self.certificate.iter().chain(&self.subscription);
        ends.any(|end| end.urgency == ENDED)
    }

    fn issued_of_quota(&self) -> Option<String> {
        let shown = |count: Option<i64>| count.map_or("–".to_owned(), |count| count.to_string());
        (self.issued.is_some() || self.quota.is_some())
            .then(|| format!("{} of {}", shown(self.issued), shown(self.quota)))
    }

    fn quota_urgency(&self) -> &'static str {
        match (self.issued, self.quota) {
            (Some(issued), Some(quota)) if issued >= quota => ENDED,
            _ => "",
        }
    }
}

impl<'a> AccountRow<'a> {
    fn new(account: &'a AccountState, snapshot: &Snapshot) -> Self {
        let own = |instance: &&Arc<InstanceState>| instance.target.account == account.name;
        // To the second, as the configuration writes it: `5m`, `7m 17s`.
        let interval = SignedDuration::try_from(account.interval).unwrap_or(SignedDuration::MAX);
        Self {
            name: account.name.as_str(),
            instances: snapshot.instances.iter().filter(own).count(),
            interval: format!("{:#}", SignedDuration::from_secs(interval.as_secs())),
            waiting: account.waiting,
        }
    }
}

impl End {
    fn new(at: UnixMillis, now: UnixMillis) -> Self {
        let left = at.seconds_since(now);
        Self {
            at,
            time: at.to_string(),
            left: if left > 0.0 {
                format!("in {}", in_words(left))
            } else {
                format!("{} ago", in_words(-left))
            },
            urgency: match left {
                ..=0.0 => ENDED,
                ..SOON => "soon",
                _ => "",
            },
        }
    }

    /// The day alone, where the time is one of the calendar.
    fn day(&self) -> &str {
        self.time.split_once('T').map_or(&self.time, |(day, _)| day)
    }
}

/// A span in its largest unit that counts at least two, rounded down: `90 seconds`, `2 minutes`, `47 hours`, `2 days`.
fn in_words(seconds: f64) -> String {
    let (size, unit) = match seconds {
        ..2.0 if seconds >= 1.0 => return "1 second".to_owned(),
        ..120.0 => (1.0, "seconds"),
        ..7_200.0 => (60.0, "minutes"),
        ..172_800.0 => (3_600.0, "hours"),
        _ => (SECONDS_PER_DAY, "days"),
    };
    format!("{:.0} {unit}", (seconds / size).floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_whole_units_and_never_rounded_up() {
        let told = [
            (0.0, "0 seconds"),
            (1.9, "1 second"),
            (2.0, "2 seconds"),
            (119.9, "119 seconds"),
            (120.0, "2 minutes"),
            (7_199.0, "119 minutes"),
            (7_200.0, "2 hours"),
            (172_799.0, "47 hours"),
            (172_800.0, "2 days"),
            (27_100_800.0, "313 days"),
        ];
        for (seconds, words) in told {
            assert_eq!(in_words(seconds), words);
        }
    }

    #[test]
    fn an_end_is_marked_when_it_is_near_and_when_it_is_past() {
        let now = UnixMillis::from_seconds(1_765_843_200);
        let end = |days: i64| End::new(UnixMillis(now.0 + days * 86_400_000), now);
        let marks = [31, 30, 29, 0, -3].map(|days| end(days).urgency);
        assert_eq!(marks, ["", "", "soon", "ended", "ended"]);
        assert_eq!(
            (end(31).left.as_str(), end(-3).left.as_str()),
            ("in 31 days", "3 days ago")
        );
        assert_eq!(end(31).day(), "2026-01-16");
    }

    #[test]
    fn an_end_beyond_the_calendar_is_shown_in_seconds() {
        let never = End::new(UnixMillis::from_seconds(253_402_300_799), UnixMillis(0));
        assert_eq!(never.day(), "253402300799s after 1970");
    }
}
