//! RPC signature 1.0 (HMAC-SHA1): every parameter in the query, the signature one more of them.
//!
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::encode;
use crate::aliyun::credentials::Credentials;
use crate::aliyun::request::Request;
use crate::model::UnixMillis;

/// The query and the headers of a signed request.
pub(super) fn sign(
    request: &Request,
    credentials: &Credentials,
    time: UnixMillis,
    nonce: &str,
) -> (String, BTreeMap<String, String>) {
    let mut parameters = request.parameters.clone();
    let time = time.to_string();
    let common = [
        ("Action", request.action),
        ("Version", request.version),
        // Without a format the answer is XML.
        ("Format", "JSON"),
        ("AccessKeyId", &credentials.access_key_id),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", nonce),
        ("Timestamp", &time),
    ];
    parameters.extend(common.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if let Some(token) = &credentials.security_token {
        parameters.insert("SecurityToken".to_owned(), token.expose().to_owned());
    }
    let canonical = encode::query(&parameters);
    let signature = signature(
        credentials.access_key_secret.expose(),
        &string_to_sign("POST", &canonical),
    );
    (
        format!("{canonical}&Signature={}", encode::encode(&signature)),
        BTreeMap::new(),
    )
}

/// What the signature is computed over; `canonical_query` is all parameters but `Signature`, sorted, encoded.
pub fn string_to_sign(method: &str, canonical_query: &str) -> String {
    format!("{method}&%2F&{}", encode::encode(canonical_query))
}

/// Base64 HMAC-SHA1 of the string to sign, keyed with the secret and `&`.
pub fn signature(access_key_secret: &str, string_to_sign: &str) -> String {
    let key = Zeroizing::new(format!("{access_key_secret}&"));
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("an HMAC takes a key of any length");
    mac.update(string_to_sign.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}
