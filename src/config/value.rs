//! Rules that single values of any section have to keep: texts, regions, endpoints, ranges of durations.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::aliyun::endpoint::Endpoint;
use crate::config::duration;
use crate::config::duration::Span;
use crate::yaml::{Entry, Place, Problems, Reported};

/// Bytes of a name or a region, and of an id or a pattern of ids: they become labels, on every series.
pub(super) const LONGEST_NAME: usize = 128;
pub(super) const LONGEST_ID: usize = 256;

/// Bytes of a path: Linux takes no longer ones.
const LONGEST_PATH: usize = 4096;

/// A text with something in it and nothing invisible at its ends or inside; `longest` is in bytes.
pub(super) fn text<'e>(
    entry: &'e Entry<String>,
    longest: usize,
    problems: &mut Problems,
) -> Result<Option<&'e str>, Reported> {
    let Some(text) = entry.get()? else {
        return Ok(None);
    };
    let error = if text.is_empty() {
        "must not be empty"
    } else if text.trim() != text {
        "must not begin or end with a blank"
    } else if text.chars().any(char::is_control) {
        "must not have a control character, such as a line break"
    } else if text.len() > longest {
        return Err(problems.push(&entry.place, format!("must have {longest} bytes at most")));
    } else {
        return Ok(Some(text));
    };
    Err(problems.push(&entry.place, error))
}

/// Tells whether a region has a known endpoint. Which regions there are is the product's knowledge, not ours.
pub type HasEndpoint = fn(&str) -> bool;

/// The path of a file, from `folder` where it is relative.
pub(super) fn path(
    entry: &Entry<String>,
    folder: &Path,
    problems: &mut Problems,
) -> Result<Option<PathBuf>, Reported> {
    match text(entry, LONGEST_PATH, problems)? {
        Some(path) if path == "~" || path.starts_with("~/") => {
            Err(problems.push(&entry.place, "~ means nothing here, write the path out"))
        }
        path => Ok(path.map(|path| folder.join(path))),
    }
}

/// A region's id.
pub(super) fn region<'e>(
    entry: &'e Entry<String>,
    has_endpoint: HasEndpoint,
    problems: &mut Problems,
) -> Result<Option<&'e str>, Reported> {
    let Some(region) = text(entry, LONGEST_NAME, problems)? else {
        return Ok(None);
    };
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.bytes().all(is_legal) {
        if has_endpoint(region) {
            return Ok(Some(region));
        }
        let error = "no endpoint is known for this region; correct it, or give the account's `endpoint`";
        return Err(problems.push(&entry.place, error));
    }
    Err(problems.push(
        &entry.place,
        "must be a region's id such as cn-hangzhou: a to z, 0 to 9 and - only",
    ))
}

/// Scheme, host and port.
pub(super) fn endpoint(entry: &Entry<String>, problems: &mut Problems) -> Result<Option<Endpoint>, Reported> {
    let parsed = entry.get()?.map(|text| text.parse::<Endpoint>()).transpose();
    parsed.map_err(|error| problems.push(&entry.place, error.to_string()))
}

/// A duration between two bounds, both included.
pub(super) fn in_range(
    entry: &Entry<Span>,
    (shortest, longest): (Duration, Duration),
    problems: &mut Problems,
) -> Result<Option<Duration>, Reported> {
    let Some(Span(given)) = entry.get()? else {
        return Ok(None);
    };
    if (shortest..=longest).contains(given) {
        return Ok(Some(*given));
    }
    let (shortest, longest) = (duration::format(shortest), duration::format(longest));
    Err(problems.push(&entry.place, format!("must be from {shortest} to {longest}")))
}

/// Notes every text that was there before.
pub(super) fn distinct<'e>(
    entries: impl Iterator<Item = &'e Entry<String>>,
    what: &str,
    problems: &mut Problems,
) {
    let mut first: HashMap<&str, &Place> = HashMap::new();
    for entry in entries {
        let Ok(Some(text)) = entry.get() else { continue };
        if let Some(place) = first.get(text.as_str()) {
            problems.push(&entry.place, format!("the same {what} as {}", place.path()));
        } else {
            first.insert(text, &entry.place);
        }
    }
}
