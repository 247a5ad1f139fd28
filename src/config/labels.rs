//! The user's own labels: which names are free, and how large a value may be.

use std::collections::BTreeMap;

use crate::yaml::{Entry, Map, Problems, Reported};

/// Bytes of a label's name and of its value: more than any sane label has, less than what hurts Prometheus.
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 1024;

/// Labels of the exporter's own metrics. A user's label of one of these names would double it.
const TAKEN: [&str; 13] = [
    "account",
    "action",
    "ca_type",
    "certificate_identifier",
    "common_name",
    "instance_id",
    "name",
    "reason",
    "region",
    "revision",
    "rustc",
    "status",
    "version",
];

/// Labels that Prometheus, its histograms and its alerts set themselves.
const RESERVED: [&str; 5] = ["alertname", "instance", "job", "le", "severity"];

/// The labels, once every name and value is found good. An empty value is the same to Prometheus as none: so
/// an instance can take one of its account's labels off.
pub(super) fn labels(
    entry: &Entry<Map<String>>,
    problems: &mut Problems,
) -> Result<BTreeMap<String, String>, Reported> {
    let mut labels = BTreeMap::new();
    let mut refused = None;
    for (name, value) in entry.get()?.into_iter().flatten() {
        if let Some(error) = name_error(name) {
            refused = Some(problems.push(&value.place, error));
        }
        match value.get() {
            Ok(Some(text)) if text.len() > LONGEST_VALUE => {
                let error = format!("a label's value has {LONGEST_VALUE} bytes at most");
                refused = Some(problems.push(&value.place, error));
            }
            Ok(Some(text)) => {
                labels.insert(name.clone(), text.clone());
            }
            Ok(None) => {}
            Err(reported) => refused = Some(reported),
        }
    }
    refused.map_or(Ok(labels), Err)
}

fn name_error(name: &str) -> Option<String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(is_legal) {
        Some("a label's name has letters, digits and _ only, and begins with no digit".to_owned())
    } else if name.len() > LONGEST_NAME {
        Some(format!("a label's name has {LONGEST_NAME} bytes at most"))
    } else if name.starts_with("__") || name.starts_with("exported_") {
        Some("names that begin with __ or exported_ are Prometheus's own; choose another".to_owned())
    } else if TAKEN.contains(&name) {
        Some("the exporter's own metrics have a label of this name; choose another".to_owned())
    } else if RESERVED.contains(&name) {
        Some("Prometheus or its alerts set this label; choose another".to_owned())
    } else {
        None
    }
}
