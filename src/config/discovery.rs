//! How instances are found that are not listed: by asking for all, and by looking up certificates.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::file;
use crate::config::value::{LONGEST_ID, distinct, in_range, text};
use crate::model::CertificateIdentifier;
use crate::poll::{Discovery, Pattern, Rule, Selection};
use crate::yaml::{Entry, Problems, Reported};

/// Each look costs calls, and instances are bought by people.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Long enough for an alert to be seen, short enough for a series to end at all.
const FORGET_AFTER: (Duration, Duration) = (
    Duration::from_secs(60 * 60),
    Duration::from_secs(365 * 24 * 60 * 60),
);
const DEFAULT_FORGET_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What `discovery` and `certificates` say, which is all of a `Discovery` that the rest of the account has no say in.
#[derive(Debug)]
pub(super) struct Search {
    list: bool,
    interval: Duration,
    forget_after: Duration,
    selection: Selection,
    certificates: Vec<CertificateIdentifier>,
}

impl Search {
    /// The whole, with the rules, the region and the labels of the account.
    pub(super) fn discovery(
        self,
        rules: Vec<Rule>,
        region: &str,
        labels: &BTreeMap<String, String>,
    ) -> Discovery {
        Discovery {
            interval: self.interval,
            list: self.list,
            selection: self.selection,
            forget_after: self.forget_after,
            certificates: self.certificates,
            rules,
            labels: labels.clone(),
            region: region.to_owned(),
        }
    }
}

/// How an account finds instances, if it does.
pub(super) fn search(shape: &file::Account, problems: &mut Problems) -> Result<Option<Search>, Reported> {
    let listing = listing(&shape.discovery, problems);
    let certificates = certificates(&shape.certificates, problems);
    let (listing, certificates) = (listing?, certificates?);
    if let Some(listing) = listing {
        return Ok(Some(Search {
            certificates,
            ..listing
        }));
    }
    if !certificates.is_empty() {
        return Ok(Some(Search {
            list: false,
            interval: DEFAULT_INTERVAL,
            forget_after: DEFAULT_FORGET_AFTER,
            selection: Selection::default(),
            certificates,
        }));
    }
    if !shape.certificates.is_absent() && shape.instances.is_absent() {
        return Err(problems.push(
            &shape.certificates.place,
            "nothing to poll: list at least one certificate",
        ));
    }
    Ok(None)
}

/// The search that `discovery` asks for, without certificates.
fn listing(entry: &Entry<file::Discovery>, problems: &mut Problems) -> Result<Option<Search>, Reported> {
    let Some(shape) = entry.get()? else {
        return Ok(None);
    };
    let interval = in_range(&shape.interval, INTERVAL, problems);
    let include = patterns(&shape.include, problems);
    let exclude = patterns(&shape.exclude, problems);
    let forget_after = in_range(&shape.forget_after, FORGET_AFTER, problems);
    Ok(Some(Search {
        list: true,
        interval: interval?.unwrap_or(DEFAULT_INTERVAL),
        forget_after: forget_after?.unwrap_or(DEFAULT_FORGET_AFTER),
        selection: Selection {
            include: include?,
            exclude: exclude?,
        },
        certificates: Vec::new(),
    }))
}

fn patterns(entry: &Entry<Vec<Entry<String>>>, problems: &mut Problems) -> Result<Vec<Pattern>, Reported> {
    let entries = entry.get()?.map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<_> = entries
        .iter()
        .filter_map(|entry| text(entry, LONGEST_ID, problems).transpose())
        .collect();
    texts.into_iter().map(|text| text.map(Pattern::from)).collect()
}

fn certificates(
    entry: &Entry<Vec<Entry<file::Certificate>>>,
    problems: &mut Problems,
) -> Result<Vec<CertificateIdentifier>, Reported> {
    let entries = entry.get()?.map(Vec::as_slice).unwrap_or_default();
    let certificates: Vec<_> = entries
        .iter()
        .map(|entry| {
            let identifier = &entry.required(problems)?.identifier;
            identifier.required(problems)?;
            text(identifier, LONGEST_ID, problems)
        })
        .collect();
    let identifiers = entries
        .iter()
        .filter_map(|entry| Some(&entry.get().ok()??.identifier));
    distinct(identifiers, "identifier", problems);
    certificates
        .into_iter()
        .filter_map(|identifier| Some(identifier.transpose()?.map(CertificateIdentifier::from)))
        .collect()
}
