//! The plain provider: a key whose parts stand in the configuration, in files or in variables of one's choice.

use super::{Credentials, CredentialsError, Source};
use crate::host::Host;

pub(super) const NAME: &str = "access_key";

/// The parts of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// The key id.
    pub access_key_id: Source,
    /// The key secret.
    pub access_key_secret: Source,
    /// The token of a temporary key that something else renews.
    pub security_token: Option<Source>,
}

impl AccessKey {
    pub(super) async fn fetch(&self, host: &Host) -> Result<Credentials, CredentialsError> {
        let read = async |source: &Source, key: &str| {
            let text = source.read(host, key).await;
            text.map_err(|why| CredentialsError::failed(NAME, why))
        };
        let id = read(&self.access_key_id, "access_key_id").await?;
        let secret = read(&self.access_key_secret, "access_key_secret").await?;
        let token = match &self.security_token {
            Some(token) => Some(read(token, "security_token").await?),
            None => None,
        };
        Ok(Credentials::lasting(id.expose().to_owned(), secret, token, NAME))
    }
}
