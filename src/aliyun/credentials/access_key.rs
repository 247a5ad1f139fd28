//! The plain provider: a key whose parts stand in the configuration, in files or in variables of one's choice.

use super::{Credentials, CredentialsError, Source};
use crate::host::Host;
use crate::secret::Secret;

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
    pub(super) fn fetch(&self, host: &Host) -> Result<Credentials, CredentialsError> {
        let read = |source: &Source, key: &str| -> Result<Secret, CredentialsError> {
            source
                .read(host, key)
                .map_err(|why| CredentialsError::failed(NAME, why))
        };
        let id = read(&self.access_key_id, "access_key_id")?;
        let secret = read(&self.access_key_secret, "access_key_secret")?;
        let token = self.security_token.as_ref();
        let token = token.map(|token| read(token, "security_token")).transpose()?;
        Ok(Credentials::lasting(id.expose().to_owned(), secret, token, NAME))
    }
}
