//! Why there are no credentials. The texts name keys of the configuration and never their values: somebody may
//! have pasted the secret where a path or a variable's name belongs.

/// No credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The provider has nothing to go by. In a chain, the next one is asked.
    #[error("{provider}: not configured: {why}")]
    NotConfigured {
        /// The provider's name.
        provider: &'static str,
        /// What it looked for.
        why: String,
    },
    /// The provider is configured and does not work. A chain ends here: another identity, taken silently, would be
    /// worse than none.
    #[error("{provider}: {why}")]
    Failed {
        /// The provider's name.
        provider: &'static str,
        /// What is wrong, and where.
        why: String,
    },
}

impl CredentialsError {
    pub(super) fn not_configured(provider: &'static str, why: impl Into<String>) -> Self {
        Self::NotConfigured {
            provider,
            why: why.into(),
        }
    }

    pub(super) fn failed(provider: &'static str, why: impl Into<String>) -> Self {
        Self::Failed {
            provider,
            why: why.into(),
        }
    }
}
