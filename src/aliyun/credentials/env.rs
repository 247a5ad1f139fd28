//! The environment variables that the vendor's own libraries read. Empty means unset.

use super::{Credentials, CredentialsError};
use crate::host::Host;
use crate::secret::Secret;

pub(super) const NAME: &str = "env";

/// The variable of the key id.
pub(super) const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

pub(super) fn fetch(host: &Host) -> Result<Credentials, CredentialsError> {
    let (id, secret) = match (host.env.get(ID), host.env.get(SECRET)) {
        (Some(id), Some(secret)) => (id, secret),
        (None, None) => {
            return Err(CredentialsError::not_configured(
                NAME,
                format!("{ID} and {SECRET} are not set"),
            ));
        }
        (Some(_), None) => {
            return Err(CredentialsError::failed(
                NAME,
                format!("{ID} is set and {SECRET} is not"),
            ));
        }
        (None, Some(_)) => {
            return Err(CredentialsError::failed(
                NAME,
                format!("{SECRET} is set and {ID} is not"),
            ));
        }
    };
    let token = host.env.get(TOKEN).map(Secret::from);
    Ok(Credentials::lasting(id, secret.into(), token, NAME))
}
