//! Which account uses which access key. Two accounts with one key have one allowance at the API and two budgets
//! here. Where the configuration shows it, it is refused; a key from anywhere else shows only when it is fetched.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::warn;

use crate::model::AccountName;

/// The keys seen so far, and the account that each was first seen with.
#[derive(Debug, Default)]
pub struct Claims(Mutex<BTreeMap<String, AccountName>>);

impl Claims {
    /// Takes note of a key; warns if another account has it.
    pub(super) fn claim(&self, access_key_id: &str, account: &AccountName) {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = claims
            .entry(access_key_id.to_owned())
            .or_insert_with(|| account.clone());
        if first != account {
            warn!(
                %account,
                same_as = %first,
                "two accounts use one access key, so together they may exceed its allowance at the API; \
                 make them one account, or share the allowance by requests_per_second",
            );
        }
    }
}
