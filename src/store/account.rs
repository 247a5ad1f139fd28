//! What polling tells of an account besides its instances: what it may call, by which clock, with whose key.
//!
//! For people to look at; nothing is decided by it.

use super::Store;
use crate::model::{AccountName, UnixMillis};

/// How much of the API's allowance an account may take, and needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetState {
    /// Configured calls in any second.
    pub limit: u8,
    /// Calls in any second now: the limit, or less while the API throttles.
    pub rate: f64,
    /// Calls that the configuration asks for, as a part of those that the budget allows; over 1 the interval stretches.
    pub demand: f64,
}

/// Where the credentials came from that were fetched last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsState {
    /// Who gave them, such as `assume_role over env`.
    pub provider: String,
    /// The end of a temporary key, by the cloud's clock.
    pub expires: Option<UnixMillis>,
}

impl Store {
    /// Sets what an account's calls may take and need.
    pub fn set_budget(&self, account: &AccountName, budget: BudgetState) {
        self.with(|state| {
            if let Some(account) = state.accounts.get_mut(account) {
                account.budget = Some(budget);
            }
        });
    }

    /// Sets what the local clock was last measured to be ahead of the API's, in milliseconds, corrected or not.
    pub fn set_measured_skew(&self, account: &AccountName, millis: i64) {
        self.with(|state| {
            if let Some(account) = state.accounts.get_mut(account) {
                account.measured_skew_millis = Some(millis);
            }
        });
    }

    /// Sets where the credentials came from; none if none were had yet.
    pub fn set_credentials(&self, account: &AccountName, credentials: Option<CredentialsState>) {
        self.with(|state| {
            if let Some(account) = state.accounts.get_mut(account) {
                account.credentials = credentials;
            }
        });
    }
}
