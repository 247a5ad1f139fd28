//! What is known of one instance: what is polled, what it said, and how it was found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{CertificateIdentifier, Failure, InstanceStatus, Target, UnixMillis};

/// What is known of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceState {
    /// What is polled, and how it is shown.
    pub target: Arc<Target>,
    /// It stands in the configuration.
    pub listed: bool,
    /// How it was found, if it was.
    pub found: Option<Found>,
    /// The facts of the last success.
    pub facts: Option<Facts>,
    /// Why the last poll failed, if it did.
    pub failure: Option<Failure>,
    /// When the last poll began, whatever came or will come of it.
    pub attempted: Option<UnixMillis>,
    /// When the last poll began that has had an outcome.
    pub concluded: Option<UnixMillis>,
}

/// The facts of a success, never without the time at which they were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the API said.
    pub status: InstanceStatus,
    /// When it said so.
    pub seen: UnixMillis,
}

/// How an instance was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What led to it the last time that it was looked at.
    pub sources: BTreeSet<Source>,
    /// The list has led to it at some time.
    pub of_list: bool,
    /// What the list of CA certificates said of it.
    pub finding: Finding,
    /// Since when nothing leads to it any more and the API does not know it either.
    pub lost: Option<UnixMillis>,
}

/// What leads to an instance that nobody listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The account's list of CA certificates.
    List,
    /// A certificate that is looked up.
    Certificate(CertificateIdentifier),
}

/// What a list of CA certificates says of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// Its region, such as `cn-hangzhou`.
    pub region: Option<String>,
    /// The common names of its CA certificates, by their identifiers.
    pub common_names: BTreeMap<String, String>,
}

impl InstanceState {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            listed: false,
            found: None,
            facts: None,
            failure: None,
            attempted: None,
            concluded: None,
        }
    }

    /// The last poll succeeded.
    pub fn up(&self) -> bool {
        self.facts.is_some() && self.failure.is_none()
    }

    /// A poll has had an outcome.
    pub fn tried(&self) -> bool {
        self.facts.is_some() || self.failure.is_some()
    }

    /// The common name of the CA's own certificate, where a list told it.
    pub fn common_name(&self) -> Option<&str> {
        let names = &self.found.as_ref()?.finding.common_names;
        let own = self
            .facts
            .as_ref()
            .and_then(|facts| facts.status.certificate_identifier.as_ref());
        let only = || names.values().next().filter(|_| names.len() == 1);
        let name = own.and_then(|own| names.get(own)).or_else(only)?;
        Some(name)
    }
}
