//! A role, taken on with a token of an identity provider: what RRSA gives to pods on ACK.
//!
//! What the configuration leaves out is taken from the variables that RRSA sets.

use std::path::PathBuf;

use super::fetch::Fetch;
use super::{Credentials, CredentialsError, Session};
use crate::secret::Secret;

pub(super) const NAME: &str = "oidc";

/// A role, and the token that stands for the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oidc {
    /// The role; `ALIBABA_CLOUD_ROLE_ARN` otherwise.
    pub role_arn: Option<String>,
    /// The identity provider; `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` otherwise.
    pub oidc_provider_arn: Option<String>,
    /// Where the token is; `ALIBABA_CLOUD_OIDC_TOKEN_FILE` otherwise. It rotates, and is read at every refresh.
    pub oidc_token_file: Option<PathBuf>,
    /// What the role's session is to be like.
    pub session: Session,
}

impl Oidc {
    pub(super) async fn fetch(&self, with: &Fetch) -> Result<Credentials, CredentialsError> {
        let host = &with.exchange.host;
        // The variables come together or not at all; whoever sets a part in the configuration wants this role.
        let wanted =
            self.role_arn.is_some() || self.oidc_provider_arn.is_some() || self.oidc_token_file.is_some();
        let given = |value: Option<String>, key: &str, name: &str| {
            value.or_else(|| host.env.get(name)).ok_or_else(|| {
                let why = format!("neither {key} nor {name} is set");
                if wanted {
                    CredentialsError::failed(NAME, why)
                } else {
                    CredentialsError::not_configured(NAME, why)
                }
            })
        };
        let role_arn = given(self.role_arn.clone(), "role_arn", "ALIBABA_CLOUD_ROLE_ARN")?;
        let oidc_provider_arn = given(
            self.oidc_provider_arn.clone(),
            "oidc_provider_arn",
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
        )?;
        let file = match &self.oidc_token_file {
            Some(file) => file.clone(),
            None => given(None, "oidc_token_file", "ALIBABA_CLOUD_OIDC_TOKEN_FILE")?.into(),
        };
        let token = host.files.read_regular(&file).await.map(Secret::from);
        let token = token.map_err(|error| {
            CredentialsError::failed(NAME, format!("the token file cannot be read: {error}"))
        })?;
        let token = Secret::from(token.expose().trim());
        if token.expose().is_empty() {
            return Err(CredentialsError::failed(NAME, "the token file is empty"));
        }
        with.assume_role_with_oidc(NAME, &self.session, &role_arn, &oidc_provider_arn, &token)
            .await
    }
}
