//! A service of the user's own that hands out keys to whoever asks: what `ALIBABA_CLOUD_CREDENTIALS_URI` names.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::reply::Honest;
use super::sessions::{Sessions, Wish, default_duration};
use crate::host::HttpRequest;
use crate::model::UnixMillis;

/// What a request is counted as.
pub(super) const ACTION: &str = "CredentialsUri";

/// Where the service is, and what it gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialsUri {
    /// Such as `/credentials`. A query is left out of account.
    pub path: String,
    /// The user whose calls those with the keys count as.
    pub user: String,
    /// How long a key lasts, in seconds.
    #[serde(default = "default_duration")]
    pub lasts_seconds: u64,
}

impl CredentialsUri {
    /// A service with keys that last an hour.
    pub fn new(path: &str, user: &str) -> Self {
        Self {
            path: path.to_owned(),
            user: user.to_owned(),
            lasts_seconds: default_duration(),
        }
    }

    pub(super) fn answer(&self, request: &HttpRequest, now: UnixMillis, sessions: &mut Sessions) -> Honest {
        if request.method != Method::GET {
            return Honest::Status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let wish = Wish {
            asked: vec!["credentials URI", &self.path],
            user: &self.user,
            lasts: Duration::from_secs(self.lasts_seconds),
        };
        Honest::Plain(sessions.issue(&wish, now).plain_json(now))
    }
}
