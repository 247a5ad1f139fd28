//! A service of one's own that hands out keys, by GET.

use hyper::Method;

use super::fetch::{Fetch, HandedOut};
use super::{Credentials, CredentialsError};
use crate::secret::Secret;

pub(super) const NAME: &str = "uri";

/// Where the service answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uri {
    /// An http or https URL; `ALIBABA_CLOUD_CREDENTIALS_URI` otherwise. It may hold a secret.
    pub uri: Option<Secret>,
}

impl Uri {
    /// Whether a text is a URL that can be asked.
    pub fn is_http(uri: &Secret) -> bool {
        let url = uri.expose().parse::<hyper::Uri>().ok();
        url.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https")))
    }

    pub(super) async fn fetch(&self, with: &Fetch) -> Result<Credentials, CredentialsError> {
        let host = &with.exchange.host;
        let uri = self
            .uri
            .clone()
            .or_else(|| host.env.get("ALIBABA_CLOUD_CREDENTIALS_URI").map(Secret::from));
        let uri = uri.ok_or_else(|| {
            CredentialsError::not_configured(NAME, "neither uri nor ALIBABA_CLOUD_CREDENTIALS_URI is set")
        })?;
        if !Self::is_http(&uri) {
            let why = "what uri or ALIBABA_CLOUD_CREDENTIALS_URI gives is no URL with http:// or https://";
            return Err(CredentialsError::failed(NAME, why));
        }
        let answer = with
            .plain(
                &host.transport,
                Method::GET,
                uri.expose(),
                None,
                with.exchange.timeout,
            )
            .await;
        let answer = answer.map_err(|error| CredentialsError::failed(NAME, error.to_string()))?;
        HandedOut::read(&answer, with.exchange.now(), NAME, None)
            .map_err(|why| CredentialsError::failed(NAME, why))
    }
}
