//! Which account acts as whom. Two accounts with one key or role have one allowance at the API and two budgets here.
//! Where the configuration shows it, it is refused; otherwise it shows only when a key is fetched.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::warn;

use crate::model::AccountName;

/// The key or role that each account was last seen with.
#[derive(Debug, Default)]
pub struct Claims(Mutex<BTreeMap<AccountName, String>>);

impl Claims {
    /// Takes note of whom an account acts as; warns if another account does so too.
    pub(super) fn claim(&self, identity: &str, account: &AccountName) {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if claims.get(account).is_some_and(|known| known == identity) {
            return;
        }
        let other = claims.iter().find(|(_, known)| *known == identity);
        if let Some((other, _)) = other {
            warn!(
                %account,
                same_as = %other,
                "two accounts use one access key or role, so together they may exceed its allowance at the API; \
                 make them one account, or share the allowance by requests_per_second",
            );
        }
        claims.insert(account.clone(), identity.to_owned());
    }

    /// There is no such account any more.
    pub fn release(&self, account: &AccountName) {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.remove(account);
    }
}
