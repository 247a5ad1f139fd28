//! What providers fetch with: STS through the account's exchange and a budget of its own, and plain HTTP to the
//! services that hand out keys without a signature.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use super::{Credentials, Life};
use crate::aliyun::budget::Budget;
use crate::aliyun::error::{CallError, is_plain};
use crate::aliyun::exchange::{Exchange, date};
use crate::host::{HttpRequest, Transport};
use crate::model::UnixMillis;
use crate::secret::Secret;

/// What providers fetch with.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// How calls of the account go out.
    pub exchange: Exchange,
    /// When calls of STS may go. They do not share the budget of the calls that they are for.
    pub sts: Budget,
}

/// A plain answer.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) status: StatusCode,
    pub(super) date: Option<UnixMillis>,
    pub(super) body: Bytes,
}

/// A key as STS, the metadata service and credentials URIs hand it out.
#[derive(Debug)]
pub(super) struct HandedOut {
    access_key_id: String,
    access_key_secret: Secret,
    security_token: Secret,
    expiration: String,
}

impl Fetch {
    /// One unsigned request, with `patience` for the whole of it.
    pub(super) async fn plain(
        &self,
        transport: &Arc<dyn Transport>,
        method: Method,
        url: &str,
        header: Option<(&'static str, &str)>,
        patience: Duration,
    ) -> Result<Plain, CallError> {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            let value = HeaderValue::from_str(value)
                .map_err(|_| CallError::Decode(format!("what was given for {name} cannot be a header")))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let request = HttpRequest {
            method,
            url: url.to_owned(),
            headers,
            body: Bytes::new(),
        };
        let exchange = async {
            let response = transport.send(request).await?;
            Ok(Plain {
                status: response.status,
                date: date(&response.headers),
                body: response.body.await?,
            })
        };
        timeout(patience, exchange)
            .await
            .map_err(|_| CallError::Timeout(patience))?
    }
}

impl HandedOut {
    /// The credentials in a plain answer; `local` is this machine's time, for a peer that does not tell its own.
    pub(super) fn read(
        answer: &Plain,
        local: UnixMillis,
        provider: &str,
        role: Option<String>,
    ) -> Result<Credentials, String> {
        if answer.status != StatusCode::OK {
            return Err(format!("it answered with HTTP {}", answer.status.as_u16()));
        }
        let json: Value = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("it did not answer in JSON: {error}"))?;
        match json.get("Code").map(|code| code.as_str().unwrap_or_default()) {
            None | Some("Success") => {}
            Some(code) if is_plain(code) => return Err(format!("it answered with the code {code}")),
            Some(_) => return Err("it answered with a code other than Success".to_owned()),
        }
        let handed_out = Self::in_json(&json).map_err(|why| format!("it answered oddly: {why}"))?;
        handed_out.credentials(answer.date, local, provider.to_owned(), role)
    }

    /// The key in an object. No error repeats what stands there: it may be a secret in the wrong place.
    pub(super) fn in_json(json: &Value) -> Result<Self, String> {
        let object = json.as_object().ok_or("not an object")?;
        let text = |name: &str| match object.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(format!("{name} is not a text")),
            None => Err(format!("{name} is missing")),
        };
        Ok(Self {
            access_key_id: text("AccessKeyId")?,
            access_key_secret: text("AccessKeySecret")?.into(),
            security_token: text("SecurityToken")?.into(),
            expiration: text("Expiration")?,
        })
    }

    /// The credentials, if they are good for any time at all.
    ///
    /// Their life is counted by the clock of whoever gave them, where it tells the time: this machine's may be off.
    pub(super) fn credentials(
        self,
        given: Option<UnixMillis>,
        local: UnixMillis,
        provider: String,
        role: Option<String>,
    ) -> Result<Credentials, String> {
        let expires: jiff::Timestamp = self
            .expiration
            .parse()
            .map_err(|_| "Expiration is not a time such as 2021-10-20T04:27:09Z".to_owned())?;
        let expires = UnixMillis(expires.as_millisecond());
        let left = u64::try_from(expires.0.saturating_sub(given.unwrap_or(local).0)).unwrap_or(0);
        if left == 0 {
            return Err(format!("the key that it gave had expired at {expires}"));
        }
        Ok(Credentials {
            access_key_id: self.access_key_id,
            access_key_secret: self.access_key_secret,
            security_token: Some(self.security_token),
            life: Some(Life {
                left: Duration::from_millis(left),
                expires,
            }),
            provider,
            role,
        })
    }
}
