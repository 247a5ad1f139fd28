//! The first of several providers that is configured. One that is configured and broken ends the chain.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::fetch::Fetch;
use super::{Credentials, CredentialsError, Provider};

pub(super) const NAME: &str = "chain";

/// Providers in the order in which they are asked.
#[derive(Clone, Debug)]
pub struct Chain {
    providers: Vec<Provider>,
    /// The one that has answered. It stays the one: another identity must never take over silently.
    kept: Arc<OnceLock<usize>>,
}

impl Chain {
    /// A chain that has not been asked yet.
    pub fn new(providers: Vec<Provider>) -> Self {
        Self {
            providers,
            kept: Arc::default(),
        }
    }

    /// The providers, in order.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    pub(super) fn actions(&self) -> BTreeSet<&'static str> {
        self.providers.iter().flat_map(Provider::actions).collect()
    }

    pub(super) async fn fetch(&self, with: &Fetch) -> Result<Credentials, CredentialsError> {
        if let Some(provider) = self.kept.get().and_then(|kept| self.providers.get(*kept)) {
            return provider.fetch(with).await;
        }
        let mut passed_over = Vec::new();
        for (index, provider) in self.providers.iter().enumerate() {
            match provider.fetch(with).await {
                Ok(credentials) => {
                    // Only a refresh at the same moment could have set it, to the same provider.
                    let _ = self.kept.set(index);
                    return Ok(credentials);
                }
                Err(error @ CredentialsError::NotConfigured { .. }) => passed_over.push(error.to_string()),
                Err(error) => {
                    let all = [vec![error.to_string()], passed_over].concat();
                    return Err(CredentialsError::failed(NAME, all.join("; before that ")));
                }
            }
        }
        Err(CredentialsError::not_configured(NAME, passed_over.join("; ")))
    }
}

/// What a chain is, not what it has been through.
impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.providers == other.providers
    }
}

impl Eq for Chain {}
