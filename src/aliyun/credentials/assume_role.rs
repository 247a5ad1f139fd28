//! A role, taken on with the key of another provider; that one may have taken on a role itself.

use super::fetch::Fetch;
use super::{Credentials, CredentialsError, Provider, Session};

pub(super) const NAME: &str = "assume_role";

/// A role and how to get to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// The role, `acs:ram::…:role/…`.
    pub role_arn: String,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// What its session is to be like.
    pub session: Session,
    /// Whose key takes it on.
    pub source: Provider,
}

impl AssumeRole {
    pub(super) async fn fetch(&self, with: &Fetch) -> Result<Credentials, CredentialsError> {
        let source = self.source.fetch(with).await?;
        with.assume_role(
            NAME,
            &self.session,
            &self.role_arn,
            self.external_id.as_deref(),
            &source,
        )
        .await
    }
}
