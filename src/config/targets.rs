//! What an account's key is used for: instances that are listed, and how others are found.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::discovery::{Search, search};
use crate::config::file;
use crate::config::labels::labels;
use crate::config::value::{HasEndpoint, LONGEST_ID, LONGEST_NAME, distinct, region, text};
use crate::model::{AccountName, InstanceId, Target};
use crate::poll::{Discovery, Pattern, Rule};
use crate::yaml::{Entry, Problems, Reported};

/// All of an account's instances, before the account's region and labels are put under their own.
#[derive(Debug)]
pub(super) struct Instances {
    listed: Vec<Instance>,
    rules: Vec<Rule>,
    search: Option<Search>,
}

/// A listed instance.
#[derive(Debug)]
struct Instance {
    id: InstanceId,
    region: Option<String>,
    name: Option<String>,
    labels: BTreeMap<String, String>,
}

/// What an entry of `instances` may be.
enum Listed {
    Instance(Instance),
    Rule(Rule),
}

impl Instances {
    /// What is polled and how more is found, with what the account says where an instance says nothing.
    pub(super) fn of_account(
        self,
        account: &AccountName,
        region: &str,
        labels: &BTreeMap<String, String>,
    ) -> (Vec<Arc<Target>>, Option<Discovery>) {
        let target = |instance: Instance| Arc::new(instance.target(account, region, labels));
        let mut targets: Vec<_> = self.listed.into_iter().map(target).collect();
        // They are kept in the place of what they were made of, which is larger.
        targets.shrink_to_fit();
        let discovery = |search: Search| search.discovery(self.rules, region, labels);
        (targets, self.search.map(discovery))
    }
}

impl Instance {
    fn target(
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

/// The instances of an account: one that is listed at least, or a way to find some.
pub(super) fn instances(
    shape: &file::Account,
    has_endpoint: HasEndpoint,
    problems: &mut Problems,
) -> Result<Instances, Reported> {
    let search = search(shape, problems);
    // A search that could not be read is one all the same.
    let finds = !matches!(search, Ok(None));
    let given = shape.instances.get();
    let entries = given.ok().flatten().map(Vec::as_slice).unwrap_or_default();
    let read: Vec<_> = entries
        .iter()
        .map(|entry| listed(entry, finds, has_endpoint, problems))
        .collect();
    let ids = entries.iter().filter_map(|entry| Some(&entry.get().ok()??.id));
    distinct(ids, "id", problems);
    given?;
    if read.is_empty() && !finds {
        return Err(problems.push(
            &shape.instances.place,
            "nothing to poll: list at least one instance",
        ));
    }
    let mut instances = Instances {
        listed: Vec::new(),
        rules: Vec::new(),
        search: search?,
    };
    for listed in read {
        match listed? {
            Listed::Instance(instance) => instances.listed.push(instance),
            Listed::Rule(rule) => instances.rules.push(rule),
        }
    }
    Ok(instances)
}

/// An instance, or a rule for those that are found, if any are.
fn listed(
    entry: &Entry<file::Instance>,
    finds: bool,
    has_endpoint: HasEndpoint,
    problems: &mut Problems,
) -> Result<Listed, Reported> {
    let shape = entry.required(problems)?;
    let id = text(&shape.id, LONGEST_ID, problems);
    let pattern = text(&shape.r#match, LONGEST_ID, problems);
    let region = region(&shape.region, has_endpoint, problems).map(owned);
    let name = text(&shape.name, LONGEST_NAME, problems).map(owned);
    let labels = labels(&shape.labels, problems);
    let (place, error) = match (id?, pattern?) {
        (Some(id), None) => {
            return Ok(Listed::Instance(Instance {
                id: InstanceId::from(id),
                region: region?,
                name: name?,
                labels: labels?,
            }));
        }
        (None, Some(pattern)) if finds => {
            return Ok(Listed::Rule(Rule {
                pattern: Pattern::from(pattern),
                name: name?,
                labels: labels?,
                region: region?,
            }));
        }
        (None, Some(_)) => (
            &shape.r#match.place,
            "`match` names found instances, and nothing is found without `discovery` or `certificates`",
        ),
        (Some(_), Some(_)) => (&shape.r#match.place, "give `id` or `match`, not both"),
        (None, None) => (&shape.id.place, "missing"),
    };
    Err(problems.push(place, error))
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}
