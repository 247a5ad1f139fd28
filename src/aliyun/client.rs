//! Exactly one attempt at one call: credentials, signature, exchange, and the answer as JSON or a typed error.
//!
//! It never retries, follows a redirect or waits for the budget: that is the caller's, who brings a slot.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::budget::Slot;
use super::credentials::Provider;
use super::error::{CallError, Refusal};
use super::request::Request;
use super::sign;
use crate::host::{Host, HttpRequest};
use crate::model::AccountName;
use crate::telemetry::Telemetry;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Calls for one account.
#[derive(Clone, Debug)]
pub struct Client {
    /// Whose calls these are, for the counters.
    pub account: AccountName,
    /// How they are signed.
    pub scheme: sign::Scheme,
    /// What they are signed with.
    pub credentials: Provider,
    /// When an answer counts as not coming any more.
    pub timeout: Duration,
    /// The outside world.
    pub host: Host,
    /// The counters.
    pub telemetry: Arc<Telemetry>,
}

impl Client {
    /// Makes one attempt, signed now, and lets `decode` read the JSON of a success.
    ///
    /// Dropped while under way, the call counts against the budget as long as it may still arrive.
    pub async fn call<T>(
        &self,
        slot: Slot,
        request: &Request,
        decode: impl FnOnce(&Value) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let result = self.attempt(slot, request).await.and_then(|json| decode(&json));
        if let Err(error) = &result {
            self.telemetry
                .failed(&self.account, request.action, error.reason());
        }
        result
    }

    async fn attempt(&self, slot: Slot, request: &Request) -> Result<Value, CallError> {
        let credentials = match self.credentials.credentials(&self.host) {
            Ok(credentials) => credentials,
            Err(error) => {
                slot.unused();
                return Err(error.into());
            }
        };
        let (time, nonce) = (self.host.clock.now(), self.host.random.nonce());
        let signed = sign::sign(self.scheme, request, &credentials, time, &nonce);
        self.telemetry.sent(&self.account, request.action);
        let start = Instant::now();
        let exchange = timeout_at(start + self.timeout, self.exchange(slot, signed)).await;
        self.telemetry
            .ended(&self.account, request.action, start.elapsed());
        let (status, body) = exchange.map_err(|_| CallError::Timeout(self.timeout))??;
        read(status, &body)
    }

    async fn exchange(&self, slot: Slot, signed: HttpRequest) -> Result<(StatusCode, Vec<u8>), CallError> {
        let response = self.host.transport.send(signed).await;
        // Head or broken connection: in both cases nothing of this call can reach the API any more.
        slot.settled();
        let response = response?;
        Ok((response.status, response.body.await?.into()))
    }
}

fn read(status: StatusCode, body: &[u8]) -> Result<Value, CallError> {
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
