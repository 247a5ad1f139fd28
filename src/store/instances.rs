//! An account's instances, each with the revisions at which it last changed, so that whoever shows them again and again
//! need not compare.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::InstanceState;
use crate::model::{InstanceId, InstanceStatus};

/// An account's instances, sorted by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Instances {
    /// In one piece, since every page of metrics goes through all of them.
    pub(super) entries: Vec<Entry>,
    /// The revision at which one last came or went, or became another in what no poll tells: its target, how it was
    /// found.
    pub(super) shape: u64,
}

/// What is known of an instance, and since when.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What is known.
    pub state: Arc<InstanceState>,
    /// When that changed.
    pub revisions: Revisions,
}

/// The store's revisions at which polls last changed what is known of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revisions {
    /// A poll had an outcome.
    pub outcome: u64,
    /// A poll succeeded where the one before had not, or failed where that had not, or for another reason.
    pub health: u64,
    /// A poll told of more or fewer certificates issued than the one before.
    pub issued: u64,
    /// A poll told anything else that was new.
    pub status: u64,
}

impl Instances {
    pub(super) fn new(entries: BTreeMap<InstanceId, Entry>, shape: u64) -> Self {
        let entries = entries.into_values().collect();
        Self { entries, shape }
    }

    /// What is known of every instance, in order, and since when.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// What is known of every instance, in order.
    pub fn states(&self) -> impl Iterator<Item = &Arc<InstanceState>> {
        self.entries.iter().map(|entry| &entry.state)
    }

    /// The place of an instance, or the one that it would have.
    pub(super) fn place(&self, id: &InstanceId) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.id().cmp(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The revision of the store at which one last came or went, or became another in what no poll tells: its target,
    /// how it was found.
    pub fn shape(&self) -> u64 {
        self.shape
    }
}

impl Entry {
    pub(super) fn id(&self) -> &InstanceId {
        &self.state.target.instance_id
    }
}

impl From<InstanceState> for Entry {
    fn from(state: InstanceState) -> Self {
        Self {
            state: Arc::new(state),
            revisions: Revisions::default(),
        }
    }
}

impl Revisions {
    /// A poll has succeeded at this revision, and told `after` where `before` was known.
    pub(super) fn told(&mut self, revision: u64, before: Option<&InstanceStatus>, after: &InstanceStatus) {
        if before.map(issued) != Some(issued(after)) {
            self.issued = revision;
        }
        if before.map(all_else) != Some(all_else(after)) {
            self.status = revision;
        }
    }
}

fn issued(status: &InstanceStatus) -> impl PartialEq {
    status.certificates_issued
}

fn all_else(status: &InstanceStatus) -> impl PartialEq {
    let InstanceStatus {
        status,
        ca_type,
        certificates_issued: _,
        certificates_quota,
        not_before,
        not_after,
        subscription_expiry,
        certificate_identifier,
    } = status;
    let texts = (status, ca_type, certificate_identifier);
    (
        texts,
        certificates_quota,
        not_before,
        not_after,
        subscription_expiry,
    )
}
