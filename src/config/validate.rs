//! From the file's shape to values that cannot be wrong. Every check runs, so that every error comes at once.
//!
//! Here are the file as a whole, `poll` and `accounts`; credentials, labels, targets and discovery have files of
//! their own.

use std::path::Path;
use std::time::Duration;

use crate::aliyun::credentials::Provider;
use crate::aliyun::sign::Scheme;
use crate::config::credentials::provider;
use crate::config::duration::format;
use crate::config::file;
use crate::config::labels::labels;
use crate::config::targets::instances;
use crate::config::value::{HasEndpoint, LONGEST_NAME, distinct, endpoint, in_range, region, text};
use crate::config::{Account, Config, Poll};
use crate::model::AccountName;
use crate::yaml::{Entry, Place, Problems, Reported};

/// A slot of the budget is held for a second, so nothing is asked more often; and a day is long enough for
/// something to run out unnoticed.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// The API answers in a fraction of a second; what takes a minute will not be answered at all, and keeps its
/// slot of the budget from other calls.
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The API grants each user ten calls a second. Half of that leaves as much to the owner's other callers.
pub(super) const MOST_REQUESTS_PER_SECOND: u8 = 10;
const DEFAULT_REQUESTS_PER_SECOND: u8 = 5;

const DEFAULT_REGION: &str = "cn-hangzhou";

/// The configuration that a file means. Relative paths in it are taken from `folder`.
pub(super) fn config(
    file: &file::File,
    folder: &Path,
    has_endpoint: HasEndpoint,
    problems: &mut Problems,
) -> Result<Config, Reported> {
    let poll = poll(&file.poll, problems);
    let entries = file.accounts.required(problems)?;
    if entries.is_empty() {
        return Err(problems.push(&file.accounts.place, "list at least one account"));
    }
    let mut accounts = Vec::new();
    let mut providers = Vec::new();
    let mut broken = None;
    for entry in entries {
        match entry.required(problems) {
            Ok(shape) => {
                let provider = provider(&shape.credentials, folder, problems);
                if let Ok(provider) = &provider {
                    providers.push((&shape.credentials.place, provider.clone()));
                }
                accounts.push(account(shape, provider, has_endpoint, problems));
            }
            Err(reported) => broken = Some(reported),
        }
    }
    distinct(
        entries.iter().filter_map(|entry| Some(&entry.get().ok()??.name)),
        "name",
        problems,
    );
    distinct_providers(&providers, problems);
    broken.map_or(Ok(()), Err)?;
    Ok(Config {
        poll: poll?,
        accounts: accounts.into_iter().collect::<Result<_, _>>()?,
    })
}

fn poll(entry: &Entry<file::Poll>, problems: &mut Problems) -> Result<Poll, Reported> {
    let Some(shape) = entry.get()? else {
        return Ok(Poll {
            interval: DEFAULT_INTERVAL,
            timeout: DEFAULT_TIMEOUT,
        });
    };
    let interval = in_range(&shape.interval, INTERVAL, problems);
    let timeout = in_range(&shape.timeout, TIMEOUT, problems);
    let interval = interval?.unwrap_or(DEFAULT_INTERVAL);
    let timeout = timeout?.unwrap_or(DEFAULT_TIMEOUT.min(interval));
    if timeout > interval {
        let error = format!("must not be longer than poll.interval ({})", format(interval));
        return Err(problems.push(&shape.timeout.place, error));
    }
    Ok(Poll { interval, timeout })
}

fn account(
    shape: &file::Account,
    provider: Result<Provider, Reported>,
    has_endpoint: HasEndpoint,
    problems: &mut Problems,
) -> Result<Account, Reported> {
    let name = account_name(&shape.name, problems);
    // The account's own endpoint serves every region.
    let has_endpoint = if shape.endpoint.is_absent() {
        has_endpoint
    } else {
        |_: &str| true
    };
    let default_region = region(&shape.region, has_endpoint, problems);
    let endpoint = endpoint(&shape.endpoint, problems);
    let requests_per_second = requests_per_second(&shape.requests_per_second, problems);
    let signature = signature(&shape.signature, problems);
    let default_labels = labels(&shape.labels, problems);
    let instances = instances(shape, has_endpoint, problems);

    let name = name?;
    let default_region = default_region?.unwrap_or(DEFAULT_REGION);
    let default_labels = default_labels?;
    let (targets, discovery) = instances?.of_account(&name, default_region, &default_labels);
    Ok(Account {
        endpoint: endpoint?,
        region: default_region.to_owned(),
        requests_per_second: requests_per_second?,
        signature: signature?,
        credentials: provider?,
        targets,
        discovery,
        name,
    })
}

fn account_name(entry: &Entry<String>, problems: &mut Problems) -> Result<AccountName, Reported> {
    entry.required(problems)?;
    text(entry, LONGEST_NAME, problems).map(|name| AccountName::from(name.unwrap_or_default()))
}

fn requests_per_second(entry: &Entry<u64>, problems: &mut Problems) -> Result<u8, Reported> {
    let Some(given) = entry.get()? else {
        return Ok(DEFAULT_REQUESTS_PER_SECOND);
    };
    let allowed = u8::try_from(*given)
        .ok()
        .filter(|given| (1..=MOST_REQUESTS_PER_SECOND).contains(given));
    allowed.ok_or_else(|| {
        let error =
            format!("must be from 1 to {MOST_REQUESTS_PER_SECOND}, which is all that the API grants a user");
        problems.push(&entry.place, error)
    })
}

fn signature(entry: &Entry<String>, problems: &mut Problems) -> Result<Scheme, Reported> {
    let Some(given) = entry.get()? else {
        return Ok(Scheme::default());
    };
    let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.as_str() == given);
    scheme.ok_or_else(|| {
        let names = Scheme::ALL.map(Scheme::as_str).join(" or ");
        problems.push(&entry.place, format!("must be {names}"))
    })
}

/// Two accounts with one key or role would each spend a whole budget on it.
fn distinct_providers(providers: &[(&Place, Provider)], problems: &mut Problems) {
    for (index, (place, provider)) in providers.iter().enumerate() {
        if let Some((first, _)) = providers[..index]
            .iter()
            .find(|(_, other)| other.is_same(provider))
        {
            let error = format!(
                "the same key or role as {}: the API counts calls by user, so this would double the budget; \
                 list the instances under one account",
                first.path(),
            );
            problems.push(place, error);
        }
    }
}
