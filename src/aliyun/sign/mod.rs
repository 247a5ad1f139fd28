//! Signing: pure functions of request, credentials, time and nonce. Both schemes, each stage on its own.
//!
//! Every attempt is signed afresh: a nonce seen before, or a time more than 15 minutes off, is refused.

pub mod acs3;
pub mod encode;
pub mod hmac_sha1;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, HOST, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};

use super::credentials::Credentials;
use super::request::Request;
use crate::host::HttpRequest;
use crate::model::UnixMillis;

/// How calls are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// ACS3-HMAC-SHA256, which the vendor recommends.
    #[default]
    Acs3HmacSha256,
    /// RPC signature 1.0, HMAC-SHA1: older, still accepted.
    HmacSha1,
}

impl Scheme {
    /// Every scheme, the recommended one first.
    pub const ALL: [Self; 2] = [Self::Acs3HmacSha256, Self::HmacSha1];

    /// The scheme's name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acs3HmacSha256 => "acs3-hmac-sha256",
            Self::HmacSha1 => "hmac-sha1",
        }
    }
}

/// The request, signed with `credentials` for the instant `time` and this `nonce`, ready for the wire.
///
/// Always a POST with its parameters in the query, as the official SDKs send it: a proxy may repeat a GET.
pub fn sign(
    scheme: Scheme,
    request: &Request,
    credentials: &Credentials,
    time: UnixMillis,
    nonce: &str,
) -> HttpRequest {
    let (query, mut signed) = match scheme {
        Scheme::Acs3HmacSha256 => acs3::sign(request, credentials, time, nonce),
        Scheme::HmacSha1 => hmac_sha1::sign(request, credentials, time, nonce),
    };
    signed.insert(HOST.as_str().to_owned(), request.endpoint.authority().to_owned());
    let mut headers: HeaderMap = signed
        .into_iter()
        .map(|(name, value)| {
            let name =
                HeaderName::from_bytes(name.as_bytes()).expect("header names are constants of this module");
            let mut value = HeaderValue::from_str(&value)
                .expect("values are constants, hex digits, or keys that the provider checked");
            value.set_sensitive(true);
            (name, value)
        })
        .collect();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    HttpRequest {
        method: Method::POST,
        url: format!("{}/?{query}", request.endpoint),
        headers,
        body: Bytes::new(),
    }
}
