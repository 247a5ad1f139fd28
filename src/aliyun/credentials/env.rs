//! The environment variables that the vendor's own libraries read. Empty means unset.

use super::{Credentials, CredentialsError};
use crate::host::Host;
use crate::secret::Secret;

/// The variable of the key id.
pub(super) const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

pub(super) fn credentials(host: &Host) -> Result<Credentials, CredentialsError> {
    let required = |name: &'static str| host.env.get(name).ok_or(CredentialsError::Unset(name));
    Ok(Credentials {
        access_key_id: required(ID)?,
        access_key_secret: required(SECRET)?.into(),
        security_token: host.env.get(TOKEN).map(Secret::from),
    })
}
