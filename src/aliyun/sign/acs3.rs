//! ACS3-HMAC-SHA256: a canonical request, its hash, and an HMAC over that.
//!
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature>

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::encode;
use crate::aliyun::credentials::Credentials;
use crate::aliyun::request::Request;
use crate::model::UnixMillis;

/// The scheme's name, first in the string to sign and in the `Authorization` header.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The query and the headers of a signed request.
pub(super) fn sign(
    request: &Request,
    credentials: &Credentials,
    time: UnixMillis,
    nonce: &str,
) -> (String, BTreeMap<String, String>) {
    let mut headers: BTreeMap<String, String> = [
        ("host", request.endpoint.authority()),
        ("x-acs-action", request.action),
        ("x-acs-version", request.version),
        ("x-acs-date", &time.to_string()),
        ("x-acs-signature-nonce", nonce),
        ("x-acs-content-sha256", &hash(b"")),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if let Some(token) = &credentials.security_token {
        headers.insert("x-acs-accesskey-id".to_owned(), credentials.access_key_id.clone());
        headers.insert("x-acs-security-token".to_owned(), token.expose().to_owned());
    }
    let query = encode::query(&request.parameters);
    let canonical = canonical_request("POST", "/", &query, &headers, &hash(b""));
    let signature = signature(
        credentials.access_key_secret.expose(),
        &string_to_sign(&canonical),
    );
    headers.insert(
        "authorization".to_owned(),
        authorization(&credentials.access_key_id, &signed_headers(&headers), &signature),
    );
    (query, headers)
}

/// Hex SHA-256, of a body or of a canonical request.
pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The canonical request. `query` is sorted and encoded; `headers` are those to sign, names in lower case.
pub fn canonical_request(
    method: &str,
    path: &str,
    query: &str,
    headers: &BTreeMap<String, String>,
    body_hash: &str,
) -> String {
    let mut canonical = format!("{method}\n{path}\n{query}\n");
    for (name, value) in headers {
        canonical.push_str(name);
        canonical.push(':');
        canonical.push_str(value.trim());
        canonical.push('\n');
    }
    canonical.push('\n');
    canonical.push_str(&signed_headers(headers));
    canonical.push('\n');
    canonical.push_str(body_hash);
    canonical
}

/// The names of the headers to sign, joined by `;`.
pub fn signed_headers(headers: &BTreeMap<String, String>) -> String {
    headers.keys().map(String::as_str).collect::<Vec<_>>().join(";")
}

/// What the signature is computed over.
pub fn string_to_sign(canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{}", hash(canonical_request.as_bytes()))
}

/// Hex HMAC-SHA256 of the string to sign, keyed with the secret.
pub fn signature(access_key_secret: &str, string_to_sign: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(access_key_secret.as_bytes())
        .expect("an HMAC takes a key of any length");
    mac.update(string_to_sign.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// The value of the `Authorization` header.
pub fn authorization(access_key_id: &str, signed_headers: &str, signature: &str) -> String {
    format!("{ALGORITHM} Credential={access_key_id},SignedHeaders={signed_headers},Signature={signature}")
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
