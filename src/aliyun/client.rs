//! Exactly one attempt at one call: credentials, signature, exchange.
//!
//! It never retries or waits for the budget: that is the caller's, who brings a slot.

use std::sync::Arc;

use serde_json::Value;

use super::budget::Slot;
use super::credentials::{Cache, Credentials};
use super::error::CallError;
use super::exchange::{Answer, Exchange};
use super::request::Request;
use super::sign;

/// Signed calls for one account.
#[derive(Clone, Debug)]
pub struct Client {
    /// How requests go out and answers come back.
    pub exchange: Exchange,
    /// How they are signed.
    pub scheme: sign::Scheme,
    /// What they are signed with.
    pub credentials: Arc<Cache>,
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
        let result = self
            .attempt(slot, request)
            .await
            .and_then(|answer| decode(&answer.json));
        if let Err(error) = &result {
            self.exchange
                .telemetry
                .failed(&self.exchange.account, request.action, error.reason());
        }
        result
    }

    async fn attempt(&self, slot: Slot, request: &Request) -> Result<Answer, CallError> {
        let credentials = match self.credentials.get().await {
            Ok(credentials) => credentials,
            Err(error) => {
                slot.unused();
                return Err(error.into());
            }
        };
        let answer = self
            .exchange
            .signed(slot, self.scheme, request, &credentials)
            .await;
        match answer {
            Err(CallError::Refused(refusal))
                if refusal.refuses_token()
                    && credentials.security_token.is_some()
                    && self.credentials.reject(&credentials) =>
            {
                Err(CallError::TokenRefused(refusal))
            }
            answer => answer,
        }
    }
}

impl Exchange {
    /// Signs a request for this moment and sends it.
    pub(super) async fn signed(
        &self,
        slot: Slot,
        scheme: sign::Scheme,
        request: &Request,
        credentials: &Credentials,
    ) -> Result<Answer, CallError> {
        let nonce = self.host.random.nonce();
        let sign = |time| sign::sign(scheme, request, credentials, time, &nonce);
        self.send(slot, request.action, sign).await
    }
}
