//! The plain provider: a key whose parts stand in the configuration, in files or in variables of one's choice.

use super::{Credentials, CredentialsError, Source};
use crate::host::Host;

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
    pub(super) fn credentials(&self, host: &Host) -> Result<Credentials, CredentialsError> {
        let token = self.security_token.as_ref();
        Ok(Credentials {
            access_key_id: self
                .access_key_id
                .read(host, "access_key_id")?
                .expose()
                .to_owned(),
            access_key_secret: self.access_key_secret.read(host, "access_key_secret")?,
            security_token: token
                .map(|token| token.read(host, "security_token"))
                .transpose()?,
        })
    }
}
