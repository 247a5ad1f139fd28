//! The first of several providers that is configured. One that is configured and broken ends the chain.

use std::collections::BTreeSet;

use super::fetch::Fetch;
use super::kept::Kept;
use super::{Credentials, CredentialsError, Provider};

pub(super) const NAME: &str = "chain";

/// Providers in the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    providers: Vec<Provider>,
    kept: Kept,
}

impl Chain {
    /// A chain that has not been asked yet.
    pub fn new(providers: Vec<Provider>) -> Self {
        Self {
            providers,
            kept: Kept::default(),
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
        if let Some(provider) = self.kept.get().and_then(|kept| self.providers.get(kept)) {
            return provider.fetch(with).await;
        }
        let mut passed_over = Vec::new();
        for (index, provider) in self.providers.iter().enumerate() {
            match provider.fetch(with).await {
                Ok(credentials) => {
                    self.kept.keep(index);
                    return Ok(credentials);
                }
                Err(error @ CredentialsError::NotConfigured { .. }) => passed_over.push(error.to_string()),
                Err(error) => {
                    let why = if passed_over.is_empty() {
                        error.to_string()
                    } else {
                        format!("{error}; passed over: {}", passed_over.join("; "))
                    };
                    return Err(CredentialsError::failed(NAME, why));
                }
            }
        }
        Err(CredentialsError::not_configured(NAME, passed_over.join("; ")))
    }
}
