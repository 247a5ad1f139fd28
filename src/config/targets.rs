//! What an account's key is used for: instances that are listed, and those still to be found.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::file;
use crate::config::labels::labels;
use crate::config::value::{HasEndpoint, LONGEST_ID, LONGEST_NAME, distinct, in_range, region, text};
use crate::model::{AccountName, InstanceId, Target};
use crate::yaml::{Entry, Problems, Reported};

/// Each look costs calls, and instances are bought by people.
const DISCOVERY_INTERVAL: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));

/// Long enough for an alert to be seen, short enough for a series to end at all.
const FORGET_AFTER: (Duration, Duration) = (
    Duration::from_secs(60 * 60),
    Duration::from_secs(365 * 24 * 60 * 60),
);

/// A listed instance, before the account's region and labels are put under its own.
#[derive(Debug)]
pub(super) struct Instance {
    id: InstanceId,
    region: Option<String>,
    name: Option<String>,
    labels: BTreeMap<String, String>,
}

impl Instance {
    /// What is polled, with what the account says where the instance says nothing.
    pub(super) fn target(
        self,
        account: &AccountName,
        region: &str,
        account_labels: &BTreeMap<String, String>,
    ) -> Target {
        let mut labels = account_labels.clone();
        labels.extend(self.labels);
        Target {
            account: account.clone(),
            instance_id: self.id,
            region: self.region.unwrap_or_else(|| region.to_owned()),
            name: self.name,
            labels,
        }
    }
}

/// The listed instances of an account. Discovery, whether by patterns or by certificates, is checked and refused.
pub(super) fn instances(
    shape: &file::Account,
    has_endpoint: HasEndpoint,
    problems: &mut Problems,
) -> Result<Vec<Instance>, Reported> {
    let discovery = discovery(&shape.discovery, problems);
    let certificates = certificates(&shape.certificates, problems);
    let listed = shape.instances.get();
    let entries = listed.ok().flatten().map(Vec::as_slice).unwrap_or_default();
    let instances: Vec<_> = entries
        .iter()
        .map(|entry| instance(entry, has_endpoint, problems))
        .collect();
    let ids = entries.iter().filter_map(|entry| Some(&entry.get().ok()??.id));
    distinct(ids, "id", problems);
    listed?;
    discovery?;
    certificates?;
    if instances.is_empty() {
        return Err(problems.push(
            &shape.instances.place,
            "nothing to poll: list at least one instance",
        ));
    }
    instances.into_iter().collect()
}

fn instance(
    entry: &Entry<file::Instance>,
    has_endpoint: HasEndpoint,
    problems: &mut Problems,
) -> Result<Instance, Reported> {
    let shape = entry.required(problems)?;
    let id = text(&shape.id, LONGEST_ID, problems);
    let pattern = text(&shape.r#match, LONGEST_ID, problems);
    let region = region(&shape.region, has_endpoint, problems);
    let name = text(&shape.name, LONGEST_NAME, problems);
    let labels = labels(&shape.labels, problems);
    let id = match (id?, pattern?) {
        (Some(id), None) => id,
        (Some(_), Some(_)) => {
            return Err(problems.push(&shape.r#match.place, "give `id` or `match`, not both"));
        }
        (None, Some(_)) => return Err(problems.push(&shape.r#match.place, "`match` is not supported yet")),
        (None, None) => return Err(problems.push(&shape.id.place, "missing")),
    };
    Ok(Instance {
        id: InstanceId::from(id),
        region: region?.map(str::to_owned),
        name: name?.map(str::to_owned),
        labels: labels?,
    })
}

fn discovery(entry: &Entry<file::Discovery>, problems: &mut Problems) -> Result<(), Reported> {
    let Some(shape) = entry.get()? else {
        return Ok(());
    };
    let _ = in_range(&shape.interval, DISCOVERY_INTERVAL, problems);
    let _ = in_range(&shape.forget_after, FORGET_AFTER, problems);
    for patterns in [&shape.include, &shape.exclude] {
        for pattern in patterns.get().ok().flatten().into_iter().flatten() {
            let _ = text(pattern, LONGEST_ID, problems);
        }
    }
    Err(problems.push(&entry.place, "discovery is not supported yet"))
}

fn certificates(
    entry: &Entry<Vec<Entry<file::Certificate>>>,
    problems: &mut Problems,
) -> Result<(), Reported> {
    let Some(entries) = entry.get()? else {
        return Ok(());
    };
    let shapes: Vec<_> = entries.iter().filter_map(|entry| entry.get().ok()?).collect();
    for shape in &shapes {
        let _ = shape.identifier.required(problems);
        let _ = text(&shape.identifier, LONGEST_ID, problems);
    }
    distinct(
        shapes.iter().map(|shape| &shape.identifier),
        "identifier",
        problems,
    );
    Err(problems.push(&entry.place, "looking up certificates is not supported yet"))
}
