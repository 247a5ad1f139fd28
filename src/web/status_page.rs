//! The status page: what is known of every instance and account, for people. Nothing on it comes from elsewhere.
//!
//! Numbers to compute with are in the metrics; here dates and ages are words. askama escapes every value. The page is
//! whole without its script, which sorts and filters what is there.

mod account_row;
mod instance_row;
mod words;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use sha2::{Digest as _, Sha256};

use self::account_row::AccountRow;
use self::instance_row::InstanceRow;
use self::words::Urgency;
use super::routes::TelemetryPath;
use crate::model::UnixMillis;
use crate::store::Snapshot;
use crate::telemetry::Build;

const STYLE: &str = include_str!("status_page.css");
const SCRIPT: &str = include_str!("status_page.js");

#[derive(Template)]
#[template(path = "status_page.html", config = "src/web/askama.toml")]
struct StatusPage<'a> {
    style: &'static str,
    script: &'static str,
    build: &'a Build,
    telemetry_path: &'a TelemetryPath,
    now: UnixMillis,
    moment: String,
    figures: [Figure; 4],
    instances: Vec<InstanceRow<'a>>,
    accounts: Vec<AccountRow<'a>>,
}

/// A number at the head of the page.
struct Figure {
    what: &'static str,
    count: usize,
    /// Of a number that is not 0.
    urgency: Urgency,
}

/// The policy that a browser holds the page to: its own style sheet and script, and nothing else at all.
pub(super) fn content_security_policy() -> HeaderValue {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    HeaderValue::from_str(&policy).expect("base64 and words are plain ASCII")
}

/// The page as it stands at `now`.
pub(super) fn render(
    snapshot: &Snapshot,
    now: UnixMillis,
    telemetry_path: &TelemetryPath,
    build: &Build,
) -> String {
    let mut instances = instances(snapshot, now);
    // Stable: those that end at the same time, or of which no end is known, stay sorted by account and id.
    instances.sort_by_key(|row| (row.first_end().is_none(), row.first_end()));
    let page = StatusPage {
        style: STYLE,
        script: SCRIPT,
        build,
        telemetry_path,
        now,
        moment: words::moment(now),
        figures: Figure::of(&instances),
        instances,
        accounts: accounts(snapshot, now),
    };
    page.render()
        .expect("a String takes everything, and no filter of the template can fail")
}

/// In the snapshot's order.
fn instances(snapshot: &Snapshot, now: UnixMillis) -> Vec<InstanceRow<'_>> {
    let rows = snapshot.accounts.iter().flat_map(|account| {
        let (interval, now) = (account.interval, account.true_time(now));
        let states = account.instances.states();
        states.map(move |instance| InstanceRow::new(instance, interval, now))
    });
    rows.collect()
}

fn accounts(snapshot: &Snapshot, now: UnixMillis) -> Vec<AccountRow<'_>> {
    let rows = snapshot.accounts.iter();
    rows.map(|account| AccountRow::new(account, account.true_time(now)))
        .collect()
}

impl Figure {
    fn of(instances: &[InstanceRow<'_>]) -> [Self; 4] {
        let ending = |urgency| {
            let rows = instances.iter().filter(|row| row.end_urgency() == urgency);
            rows.count()
        };
        let figure = |what, count, urgency| Self { what, count, urgency };
        let failing = instances.iter().filter(|row| row.failure.is_some()).count();
        [
            figure("instances", instances.len(), Urgency::Fine),
            figure("expired", ending(Urgency::Ended), Urgency::Ended),
            figure("end in 30 days", ending(Urgency::Soon), Urgency::Soon),
            figure("failing", failing, Urgency::Ended),
        ]
    }

    fn class(&self) -> &'static str {
        if self.count > 0 { self.urgency.class() } else { "" }
    }
}
