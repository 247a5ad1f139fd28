//! The state at one moment, for whoever shows it.

use std::sync::Arc;
use std::time::Duration;

use super::{BudgetState, CredentialsState, InstanceState, Instances};
use crate::model::{AccountName, UnixMillis};

/// The state at one moment. Cheap: it shares every instance's state with the store.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How often anything had changed by then that is worth keeping.
    pub revision: u64,
    /// Sorted by name.
    pub accounts: Vec<AccountState>,
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
    /// What is known of each of its instances.
    pub instances: Arc<Instances>,
    /// The account has instances, and none of them has had an outcome yet.
    pub waiting: bool,
    /// Instances are to be found.
    pub discovers: bool,
    /// And that has not been tried yet.
    pub undiscovered: bool,
    /// When everything was last found that there is.
    pub discovered: Option<UnixMillis>,
}

impl AccountState {
    /// The true time for a local one, as far as the account's API has insisted that they differ.
    pub fn true_time(&self, local: UnixMillis) -> UnixMillis {
        UnixMillis(local.0.saturating_sub(self.skew_millis))
    }
}

impl Snapshot {
    /// What is known of every instance, sorted by account, then by id.
    pub fn instances(&self) -> impl Iterator<Item = &Arc<InstanceState>> {
        self.accounts
            .iter()
            .flat_map(|account| account.instances.states())
    }

    /// What is known of an account.
    pub fn account(&self, name: &AccountName) -> Option<&AccountState> {
        let found = self.accounts.binary_search_by(|account| account.name.cmp(name));
        found.ok().map(|at| &self.accounts[at])
    }

    /// Every account has had an outcome, and every discovery an attempt.
    pub fn ready(&self) -> bool {
        !self
            .accounts
            .iter()
            .any(|account| account.waiting || account.undiscovered)
    }
}
