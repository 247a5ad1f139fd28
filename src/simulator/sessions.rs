//! Sessions: temporary keys that the cloud hands out, and when each ends. Who may have one is for `sts`, `metadata`
//! and `credentials_uri`.
//!
//! A key is a pure function of who asked for what, and how often that was asked before: two clients that do the
//! same, each in a fresh world, end with the same key; and within one world no two keys are the same.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::rules::Key;
use crate::aliyun::sign::acs3;
use crate::model::UnixMillis;
use crate::secret::Secret;

/// The least and the most that a session lasts.
pub(super) const DURATIONS: std::ops::RangeInclusive<u64> = 900..=43_200;

/// Every session so far, those that have ended included.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// How often each thing was asked for, by its hash.
    asked: BTreeMap<String, u64>,
    keys: BTreeMap<String, Key>,
}

/// What is asked for.
pub(super) struct Wish<'a> {
    /// Who asks for what, in any words that differ where those do.
    pub(super) asked: Vec<&'a str>,
    /// Whose key it will be.
    pub(super) user: &'a str,
    pub(super) lasts: Duration,
}

/// A temporary key, as it is handed out.
pub(super) struct Session {
    access_key_id: String,
    secret: Secret,
    token: Secret,
    expires: UnixMillis,
}

impl Sessions {
    /// A new session, from `now` on.
    pub(super) fn issue(&mut self, wish: &Wish<'_>, now: UnixMillis) -> Session {
        let asked = acs3::hash(wish.asked.join("\n").as_bytes());
        let times = self.asked.entry(asked.clone()).or_default();
        let part = |what: &str| acs3::hash(format!("{what} {asked} {times}").as_bytes());
        // The API tells whole seconds.
        let end = now.0.div_euclid(1000) * 1000 + i64::try_from(wish.lasts.as_millis()).unwrap_or(i64::MAX);
        let session = Session {
            access_key_id: format!("STS.N{}", &part("id")[..22]),
            secret: Secret::from(&part("secret")[..44]),
            // Real tokens are base64, the characters of which have tripped many a signature.
            token: Secret::from(format!("CAIS{}+/==", part("token"))),
            expires: UnixMillis(end),
        };
        *times += 1;
        let key = Key {
            expires: Some(session.expires),
            ..Key::temporary(wish.user, session.secret.expose(), session.token.expose())
        };
        self.keys.insert(session.access_key_id.clone(), key);
        session
    }

    /// What belongs to the key of a session.
    pub(super) fn get(&self, access_key_id: &str) -> Option<&Key> {
        self.keys.get(access_key_id)
    }

    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.keys.len()
    }
}

impl Session {
    /// As STS writes it.
    pub(super) fn json(&self) -> Value {
        json!({
            "AccessKeyId": self.access_key_id,
            "AccessKeySecret": self.secret.expose(),
            "SecurityToken": self.token.expose(),
            "Expiration": self.expires.to_string(),
        })
    }

    /// As the metadata service and credentials URIs write it.
    pub(super) fn plain_json(&self, now: UnixMillis) -> Value {
        let mut json = self.json();
        json["Code"] = json!("Success");
        json["LastUpdated"] = json!(now.to_string());
        json
    }
}

/// How long one lasts where nothing else is said, in seconds.
pub(super) const fn default_duration() -> u64 {
    3600
}
