//! One HTTP exchange with an API of the vendor: inside a timeout, its slot given back in time, counted, and its
//! answer read as JSON or as a typed error. What is sent, and with which credentials, is the caller's.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{DATE, HeaderMap};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::budget::Slot;
use super::error::{CallError, Refusal};
use super::skew::Skew;
use crate::host::{Host, HttpRequest};
use crate::model::{AccountName, Reason, UnixMillis};
use crate::telemetry::Telemetry;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Exchanges on behalf of one account.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Whose calls these are, for the counters.
    pub account: AccountName,
    /// When an answer counts as not coming any more.
    pub timeout: Duration,
    /// The outside world.
    pub host: Host,
    /// The counters.
    pub telemetry: Arc<Telemetry>,
    /// What answers tell about this machine's clock.
    pub skew: Skew,
}

/// A success, and when the peer gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The body.
    pub json: Value,
    /// The peer's own time, by the `Date` header.
    pub date: Option<UnixMillis>,
}

impl Exchange {
    /// Exchanges that have measured nothing yet.
    pub fn new(account: AccountName, timeout: Duration, host: Host, telemetry: Arc<Telemetry>) -> Self {
        Self {
            account,
            timeout,
            host,
            telemetry,
            skew: Skew::default(),
        }
    }

    /// Sends one request, once, which `make` makes for this moment.
    ///
    /// Dropped while under way, it counts against the budget as long as it may still arrive.
    pub(super) async fn send(
        &self,
        slot: Slot,
        action: &str,
        make: impl FnOnce(UnixMillis) -> HttpRequest,
    ) -> Result<Answer, CallError> {
        let stamp = self.skew.stamp(self.host.clock.now());
        let answer = self.count(slot, action, make(stamp.time)).await;
        match answer {
            Err(CallError::Refused(refusal)) if refusal.refuses_time() => {
                if self.skew.refused(stamp) {
                    Err(CallError::TimeRefused(refusal))
                } else {
                    Err(CallError::Refused(refusal))
                }
            }
            Ok(answer) => {
                self.skew.accepted(stamp);
                Ok(answer)
            }
            error => error,
        }
    }

    /// The true time, as far as the API has insisted that this machine's is another.
    pub fn now(&self) -> UnixMillis {
        self.skew.correct(self.host.clock.now())
    }

    async fn count(&self, slot: Slot, action: &str, request: HttpRequest) -> Result<Answer, CallError> {
        self.telemetry.sent(&self.account, action);
        let start = Instant::now();
        let exchange = timeout_at(start + self.timeout, self.exchange(slot, request)).await;
        self.telemetry.ended(&self.account, action, start.elapsed());
        exchange.map_err(|_| CallError::Timeout(self.timeout))?
    }

    async fn exchange(&self, slot: Slot, request: HttpRequest) -> Result<Answer, CallError> {
        let budget = slot.budget();
        let response = self.host.transport.send(request).await;
        // Head or broken connection: in both cases nothing of this call can reach the API any more.
        slot.settled();
        let response = response?;
        let date = date(&response.headers);
        if let Some(date) = date {
            self.skew.measure(self.host.clock.now(), date);
        }
        let read = read(response.status, &response.body.await?);
        if let Err(error) = &read
            && error.reason() == Reason::Throttled
        {
            budget.throttled(retry_after(&response.headers));
        }
        read.map(|json| Answer { json, date })
    }
}

/// The time in a `Date` header (RFC 9110, 5.6.7), to the second.
pub(super) fn date(headers: &HeaderMap) -> Option<UnixMillis> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(UnixMillis(time.timestamp().as_millisecond()))
}

/// How long the peer wants to be left alone: the vendor's own header in milliseconds, or that of HTTP in seconds
/// (RFC 9110, 10.2.3; its other form, a date, is not seen here).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    number("x-acs-retry-after")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs))
}

/// The JSON of a success, or the error that the answer is.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<Value, CallError> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let json = serde_json::from_slice(body);
    // Even a 200 may carry an error. Its message need not be UTF-8; its code is plain.
    let text = String::from_utf8_lossy(body);
    let refusal = match &json {
        Ok(json) => Refusal::read(status, &text, Some(json)),
        Err(_) => Refusal::read(status, &text, serde_json::from_str(&text).ok().as_ref()),
    };
    if let Some(refusal) = refusal {
        return Err(CallError::Refused(refusal));
    }
    if status != StatusCode::OK {
        return Err(CallError::Http(status));
    }
    // serde_json's text for a syntax error holds a position and no part of the body.
    json.map_err(|error| CallError::Decode(format!("not JSON: {error}")))
}
