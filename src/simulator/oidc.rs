//! The one call of the API that nobody signs, `AssumeRoleWithOIDC`: what it says, and whether it says it in the
//! right places. Whether its token is good is for `sts`.
//!
//! Stricter than the cloud: a token in a URL, which ends up in logs, is refused here, and so is all but POST.
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithoidc>

use std::collections::BTreeMap;

use hyper::Method;

use super::call::{decoded, is_form, missing, query};
use super::error::ApiError;
use super::format::Format;
use super::sts::ASSUME_ROLE_WITH_OIDC;
use crate::host::HttpRequest;

const TOKEN: &str = "OIDCToken";

/// One call, read and not yet judged.
#[derive(Debug)]
pub(super) struct OidcCall {
    pub(super) version: String,
    /// As sent.
    pub(super) time: String,
    pub(super) nonce: String,
    pub(super) format: Format,
    pub(super) provider_arn: String,
    pub(super) token: String,
    pub(super) parameters: BTreeMap<String, String>,
}

/// Whether a request is such a call.
pub(super) fn is_for(request: &HttpRequest) -> bool {
    let action = || decoded(query(request)).remove("Action");
    action().is_some_and(|action| action == ASSUME_ROLE_WITH_OIDC)
}

impl OidcCall {
    pub(super) fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut common = decoded(query(request));
        let refusal = |code, message| Err(ApiError::new(code, 400, message));
        if common.contains_key(TOKEN) {
            return refusal("InvalidParameter.OIDCToken", "A token must not be in a URL.");
        }
        if request.method != Method::POST || !is_form(&request.headers) {
            return refusal("UnsupportedHTTPMethod", "This http method is not supported.");
        }
        let mut parameters = decoded(&String::from_utf8_lossy(&request.body));
        let take =
            |from: &mut BTreeMap<String, String>, name: &str| from.remove(name).ok_or_else(|| missing(name));
        let format = take(&mut common, "Format").unwrap_or_default();
        Ok(Self {
            version: take(&mut common, "Version")?,
            time: take(&mut common, "Timestamp")?,
            nonce: take(&mut common, "SignatureNonce")?,
            format: Format::named(&format),
            provider_arn: take(&mut parameters, "OIDCProviderArn")?,
            token: take(&mut parameters, TOKEN)?,
            parameters,
        })
    }
}
