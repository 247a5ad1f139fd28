//! What a request says: who calls, what for, and the proof. Read by the published rules of both schemes; whether
//! the proof holds is asked of it, whether the call is welcome is for `rules`.
//!
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature>
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism>

use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use percent_encoding::percent_decode_str;

use super::error::ApiError;
use super::format::Format;
use crate::aliyun::sign::{acs3, encode, hmac_sha1};
use crate::host::HttpRequest;

/// One call, read and not yet judged.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) access_key_id: String,
    pub(super) action: String,
    pub(super) version: String,
    /// As sent: `2025-12-16T00:00:00Z` if all is well.
    pub(super) time: String,
    pub(super) nonce: String,
    pub(super) token: Option<String>,
    /// The action's own parameters, those of the scheme taken out.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) format: Format,
    /// Whether it came without encryption.
    pub(super) over_http: bool,
    proof: Proof,
}

#[derive(Clone, Debug)]
enum Proof {
    Acs3 {
        canonical_request: String,
        signature: String,
    },
    HmacSha1 {
        string_to_sign: String,
        signature: String,
    },
}

/// The parameters of the HMAC-SHA1 scheme that must be there, `Signature` aside.
const MANDATORY: [&str; 7] = [
    "AccessKeyId",
    "Action",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

impl Call {
    /// Reads a request; one that is not even signed gets the refusal that says what is missing.
    pub(super) fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        if path(request) != "/" {
            return Err(ApiError::new(
                "InvalidApi.NotFound",
                404,
                "Specified api is not found, please check your url and method.",
            ));
        }
        let mut parameters = decoded(query(request));
        let query = encode::query(&parameters);
        if is_form(&request.headers) {
            parameters.extend(decoded(&String::from_utf8_lossy(&request.body)));
        }
        match header(&request.headers, AUTHORIZATION.as_str()) {
            Some(authorization) => Self::read_acs3(request, &authorization, &query, parameters),
            None => Self::read_hmac_sha1(request, parameters),
        }
    }

    /// Whether the proof was made with this secret; the refusal repeats what should have been signed.
    pub(super) fn check_signature(&self, secret: &str) -> Result<(), ApiError> {
        let message = match &self.proof {
            Proof::Acs3 {
                canonical_request,
                signature,
            } => {
                let to_sign = acs3::string_to_sign(canonical_request);
                if *signature == acs3::signature(secret, &to_sign) {
                    return Ok(());
                }
                format!(
                    "Specified signature does not match our calculation. server StringToSign is [{to_sign}] \
                     server CanonicalRequest is [{canonical_request}]"
                )
            }
            Proof::HmacSha1 {
                string_to_sign,
                signature,
            } => {
                if *signature == hmac_sha1::signature(secret, string_to_sign) {
                    return Ok(());
                }
                format!(
                    "Specified signature is not matched with our calculation. server string to sign \
                     is:{string_to_sign}"
                )
            }
        };
        Err(ApiError::new("SignatureDoesNotMatch", 400, message))
    }

    fn read_acs3(
        request: &HttpRequest,
        authorization: &str,
        query: &str,
        parameters: BTreeMap<String, String>,
    ) -> Result<Self, ApiError> {
        let (access_key_id, listed, signature) = parts(authorization)
            .ok_or_else(|| incomplete("The Authorization header is not of the form ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…."))?;
        let headers = &request.headers;
        let required = |name: &str| header(headers, name).ok_or_else(|| missing(name));
        let mut signed = BTreeMap::new();
        for name in listed.split(';') {
            let value = header(headers, name)
                .ok_or_else(|| incomplete(&format!("The signed header {name} is not in the request.")))?;
            signed.insert(name.to_owned(), value);
        }
        let must_be_signed =
            |name: &str| name == HOST.as_str() || name == CONTENT_TYPE.as_str() || name.starts_with("x-acs-");
        if let Some(name) = headers
            .keys()
            .map(hyper::header::HeaderName::as_str)
            .chain([HOST.as_str()])
            .find(|name| must_be_signed(name) && !signed.contains_key(*name))
        {
            return Err(incomplete(&format!("The header {name} must be signed.")));
        }
        let body_hash = acs3::hash(&request.body);
        if required("x-acs-content-sha256")? != body_hash {
            return Err(ApiError::new(
                "SignatureDoesNotMatch",
                400,
                "The header x-acs-content-sha256 is not the hash of the body.",
            ));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            action: required("x-acs-action")?,
            version: required("x-acs-version")?,
            time: required("x-acs-date")?,
            nonce: required("x-acs-signature-nonce")?,
            token: header(headers, "x-acs-security-token"),
            parameters,
            format: Format::Json,
            over_http: over_http(request),
            proof: Proof::Acs3 {
                canonical_request: acs3::canonical_request(
                    request.method.as_str(),
                    "/",
                    query,
                    &signed,
                    &body_hash,
                ),
                signature: signature.to_owned(),
            },
        })
    }

    fn read_hmac_sha1(
        request: &HttpRequest,
        mut parameters: BTreeMap<String, String>,
    ) -> Result<Self, ApiError> {
        if let Some(name) = MANDATORY.iter().find(|name| !parameters.contains_key(**name)) {
            return Err(missing(name));
        }
        let signature = parameters
            .remove("Signature")
            .ok_or_else(|| incomplete("The request signature does not conform to Aliyun standards."))?;
        for (name, only) in [("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0")] {
            if parameters[name] != only {
                return Err(incomplete(&format!("{name} must be {only}.")));
            }
        }
        let string_to_sign = hmac_sha1::string_to_sign(request.method.as_str(), &encode::query(&parameters));
        let mut take = |name: &str| parameters.remove(name);
        let format = Format::named(&take("Format").unwrap_or_default());
        let _ = (take("SignatureMethod"), take("SignatureVersion"));
        Ok(Self {
            access_key_id: take("AccessKeyId").unwrap_or_default(),
            action: take("Action").unwrap_or_default(),
            version: take("Version").unwrap_or_default(),
            time: take("Timestamp").unwrap_or_default(),
            nonce: take("SignatureNonce").unwrap_or_default(),
            token: take("SecurityToken"),
            format,
            over_http: over_http(request),
            proof: Proof::HmacSha1 {
                string_to_sign,
                signature,
            },
            parameters,
        })
    }
}

/// The action that a request names in a header or in its URL.
pub(super) fn action(request: &HttpRequest) -> Option<String> {
    header(&request.headers, "x-acs-action").or_else(|| decoded(query(request)).remove("Action"))
}

/// The path of a request's URL.
pub(super) fn path(request: &HttpRequest) -> &str {
    let url = request.url.split(['?', '#']).next().unwrap_or_default();
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    after_scheme.find('/').map_or("/", |start| &after_scheme[start..])
}

/// The query of a request's URL.
pub(super) fn query(request: &HttpRequest) -> &str {
    request.url.split_once('?').map_or("", |(_, query)| query)
}

fn over_http(request: &HttpRequest) -> bool {
    request.url.starts_with("http://")
}

/// Access key id, names of the signed headers, signature.
fn parts(authorization: &str) -> Option<(&str, &str, &str)> {
    let mut parts = authorization
        .strip_prefix(acs3::ALGORITHM)?
        .trim_start()
        .split(',')
        .map(str::trim);
    let access_key_id = parts.next()?.strip_prefix("Credential=")?;
    let signed_headers = parts.next()?.strip_prefix("SignedHeaders=")?;
    let signature = parts.next()?.strip_prefix("Signature=")?;
    parts
        .next()
        .is_none()
        .then_some((access_key_id, signed_headers, signature))
}

/// The value of a header; of one that comes several times, all of them.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

pub(super) fn is_form(headers: &HeaderMap) -> bool {
    header(headers, CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// A query or a form, decoded the way web servers do: a `+` is a space.
pub(super) fn decoded(query: &str) -> BTreeMap<String, String> {
    let text = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

pub(super) fn missing(name: &str) -> ApiError {
    ApiError::new(
        "MissingParameter",
        400,
        format!(
            "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
        ),
    )
}

fn incomplete(message: &str) -> ApiError {
    ApiError::new("IncompleteSignature", 400, message)
}
