//! The state at one moment, for whoever shows it.

use std::sync::Arc;
use std::time::Duration;

use super::{BudgetState, CredentialsState, InstanceState};
use crate::model::{AccountName, UnixMillis};

/// The state at one moment. Cheap: it shares every instance's state with the store.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Sorted by name.
    pub accounts: Vec<AccountState>,
    /// Sorted by account, then by id.
    pub instances: Vec<Arc<InstanceState>>,
}

/// What is known of one account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountState {
    /// The account.
    pub name: AccountName,
    /// The poll interval in force, stretched where the budget demands it.
    pub interval: Duration,
    /// Local clock minus the true time in milliseconds, where the API insisted that they differ.
    pub skew_millis: i64,
    /// Local clock minus the API's in milliseconds, as last measured; corrected only if the field above says so.
    pub measured_skew_millis: Option<i64>,
    /// What its calls may take and need, once it is polled.
    pub budget: Option<BudgetState>,
    /// Where its credentials came from, once it has had some.
    pub credentials: Option<CredentialsState>,
    /// The account has instances, and none of them has had an outcome yet.
    pub waiting: bool,
    /// Instances are to be found.
    pub discovers: bool,
    /// And that has not been tried yet.
    pub undiscovered: bool,
    /// When everything was last found that there is.
    pub discovered: Option<UnixMillis>,
}

impl Snapshot {
    /// What is known of an account.
    pub fn account(&self, name: &AccountName) -> Option<&AccountState> {
        let found = self.accounts.binary_search_by(|account| account.name.cmp(name));
        found.ok().map(|at| &self.accounts[at])
    }

    /// The true time for a local one, as far as an account's API has insisted that they differ.
    pub fn now(&self, account: &AccountName, local: UnixMillis) -> UnixMillis {
        let ahead = self.account(account).map_or(0, |account| account.skew_millis);
        UnixMillis(local.0.saturating_sub(ahead))
    }

    /// Every account has had an outcome, and every discovery an attempt.
    pub fn ready(&self) -> bool {
        !self
            .accounts
            .iter()
            .any(|account| account.waiting || account.undiscovered)
    }
}
