//! The metadata service of an ECS instance, as far as it hands out the keys of the instance's role: the newer form
//! (with a token that is fetched first), the older one, or both.
//!
//! <https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata>

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::call::header;
use super::reply::Honest;
use super::sessions::{Sessions, Wish, default_duration};
use crate::aliyun::sign::acs3;
use crate::host::HttpRequest;
use crate::model::UnixMillis;

const TOKEN_PATH: &str = "/latest/api/token";
const FOLDER: &str = "/latest/meta-data/ram/security-credentials/";

const TTL_HEADER: &str = "x-aliyun-ecs-metadata-token-ttl-seconds";
const TOKEN_HEADER: &str = "x-aliyun-ecs-metadata-token";

/// The longest life of a token, in seconds.
const LONGEST_TTL: i64 = 21_600;

/// An ECS instance, as its metadata service shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The name of its role; none if it has none.
    #[serde(default)]
    pub role: Option<String>,
    /// The user whose calls those of the role count as.
    pub user: String,
    /// Which forms are answered.
    #[serde(default)]
    pub forms: MetadataForms,
    /// Whether a newline follows the role's name.
    #[serde(default)]
    pub newline: bool,
    /// How long a key lasts, in seconds.
    #[serde(default = "default_duration")]
    pub lasts_seconds: u64,
}

/// Which forms a metadata service answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetadataForms {
    /// Both.
    #[default]
    Both,
    /// Only with a token; without one, 403.
    NewerOnly,
    /// Only without; asked for a token, 405.
    OlderOnly,
}

/// The state of the service.
#[derive(Debug, Default)]
pub(super) struct MetadataService {
    /// None where there is no such service.
    pub(super) instance: Option<Metadata>,
    /// The tokens so far, and when each ends.
    tokens: BTreeMap<String, UnixMillis>,
}

impl Metadata {
    /// An instance with a role, both forms, and keys that last an hour.
    pub fn new(role: &str, user: &str) -> Self {
        Self {
            role: Some(role.to_owned()),
            user: user.to_owned(),
            forms: MetadataForms::Both,
            newline: false,
            lasts_seconds: default_duration(),
        }
    }

    fn asks_for(&self, role: &str) -> Option<Wish<'_>> {
        let own = self.role.as_deref().filter(|own| *own == role)?;
        Some(Wish {
            asked: vec!["metadata", own],
            user: &self.user,
            lasts: Duration::from_secs(self.lasts_seconds),
        })
    }
}

/// What a request for this path is counted as; none for a path that is not the service's.
pub(super) fn action(path: &str) -> Option<&'static str> {
    match path.strip_prefix(FOLDER) {
        Some("") => Some("MetadataRole"),
        Some(_) => Some("MetadataCredentials"),
        None => (path == TOKEN_PATH).then_some("MetadataToken"),
    }
}

impl MetadataService {
    /// The answer; none where there is no such service.
    pub(super) fn answer(
        &mut self,
        request: &HttpRequest,
        path: &str,
        now: UnixMillis,
        sessions: &mut Sessions,
    ) -> Option<Honest> {
        let instance = self.instance.as_ref()?;
        let refused = |status| Some(Honest::Status(status));
        if path == TOKEN_PATH {
            if request.method != Method::PUT || instance.forms == MetadataForms::OlderOnly {
                return refused(StatusCode::METHOD_NOT_ALLOWED);
            }
            let ttl = header(&request.headers, TTL_HEADER).and_then(|ttl| ttl.parse::<i64>().ok());
            return match ttl.filter(|ttl| (1..=LONGEST_TTL).contains(ttl)) {
                Some(ttl) => Some(Honest::Text(self.token(UnixMillis(now.0 + ttl * 1000)))),
                None => refused(StatusCode::BAD_REQUEST),
            };
        }
        if request.method != Method::GET {
            return refused(StatusCode::METHOD_NOT_ALLOWED);
        }
        match (header(&request.headers, TOKEN_HEADER), instance.forms) {
            (_, MetadataForms::OlderOnly) | (None, MetadataForms::Both) => {}
            (None, MetadataForms::NewerOnly) => return refused(StatusCode::FORBIDDEN),
            (Some(token), _) => {
                if self.tokens.get(&token).is_none_or(|end| now >= *end) {
                    return refused(StatusCode::UNAUTHORIZED);
                }
            }
        }
        let asked = path.strip_prefix(FOLDER).unwrap_or_default();
        Some(match &instance.role {
            Some(role) if asked.is_empty() && instance.newline => Honest::Text(format!("{role}\n")),
            Some(role) if asked.is_empty() => Honest::Text(role.clone()),
            _ => match instance.asks_for(&percent_decode_str(asked).decode_utf8_lossy()) {
                Some(wish) => Honest::Plain(sessions.issue(&wish, now).plain_json(now)),
                None => Honest::Status(StatusCode::NOT_FOUND),
            },
        })
    }

    fn token(&mut self, end: UnixMillis) -> String {
        let token = acs3::hash(format!("metadata token {}", self.tokens.len()).as_bytes());
        self.tokens.insert(token.clone(), end);
        token
    }
}
