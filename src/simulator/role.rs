//! A RAM role: who may take it on, on what terms, and whose calls its sessions count as.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::sessions::default_duration;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// The user whose calls those of its sessions count as.
    pub user: String,
    /// Who may take it on: users, and identity providers by their ARN.
    #[serde(default)]
    pub trusted: BTreeSet<String>,
    /// The external id that a user must name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The longest that a session may last, in seconds: 3600 (the default) to 43200.
    #[serde(default = "default_duration")]
    pub longest_seconds: u64,
}

impl Role {
    /// A role that nobody may take on yet, for an hour at most.
    pub fn new(arn: &str, user: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            user: user.to_owned(),
            trusted: BTreeSet::new(),
            external_id: None,
            longest_seconds: default_duration(),
        }
    }

    /// Also for this user, or for tokens of the identity provider with this ARN.
    #[must_use]
    pub fn trusting(mut self, whom: &str) -> Self {
        self.trusted.insert(whom.to_owned());
        self
    }

    /// Only with this external id.
    #[must_use]
    pub fn with_external_id(self, id: &str) -> Self {
        Self {
            external_id: Some(id.to_owned()),
            ..self
        }
    }

    /// For so many seconds at most.
    #[must_use]
    pub fn lasting_at_most(self, seconds: u64) -> Self {
        Self {
            longest_seconds: seconds,
            ..self
        }
    }
}
