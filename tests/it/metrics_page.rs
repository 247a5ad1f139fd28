//! docs/metrics.md, made from the catalogue, the golden page, and what a failed poll does to each metric.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::exposition::catalogue::{IDENTITY, INSTANCE, Metric};
use aliyun_pca_exporter::exposition::{Scope, text};
use aliyun_pca_exporter::model::{Failure, InstanceStatus, Reason, Target, UnixMillis};
use aliyun_pca_exporter::store::Store;

use crate::exposition::{Sample, read};
use crate::support::OPENING;
use crate::support::page::{is_current, table};

/// The unit of a metric by the end of its name: the first that fits.
const UNITS: [(&str, &str); 17] = [
    ("_start_time_seconds", "seconds since 1970"),
    ("_timestamp_seconds", "seconds since 1970"),
    ("_requests_per_second", "calls per second"),
    ("_seconds", "seconds"),
    ("_seconds_total", "seconds"),
    ("_total", "count"),
    ("_days", "days"),
    ("_bytes", "bytes"),
    ("_ratio", "ratio"),
    ("_certificates_issued", "certificates"),
    ("_certificates_quota", "certificates"),
    ("_instances", "instances"),
    ("_fds", "file descriptors"),
    ("_threads", "threads"),
    ("_info", "1"),
    ("_error", "1"),
    ("", "0 or 1"),
];

/// The metrics whose unit is none.
const FLAGS: [&str; 4] = ["_status", "_instance_up", "_lookup_up", "_reload_successful"];

/// A metric of the golden page.
struct Family {
    name: String,
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

fn golden() -> String {
    std::fs::read_to_string("tests/data/golden/metrics.txt").unwrap()
}

fn unit(name: &str) -> String {
    let (end, unit) = UNITS.iter().find(|(end, _)| name.ends_with(end)).unwrap();
    let is_flag = FLAGS.iter().any(|flag| name.ends_with(flag));
    assert_eq!(end.is_empty(), is_flag, "what is the unit of {name}?");
    (*unit).to_owned()
}

fn listed<'l>(labels: impl IntoIterator<Item = &'l str>) -> String {
    let labels: Vec<_> = labels.into_iter().map(|label| format!("`{label}`")).collect();
    labels.join(", ")
}

/// The metrics of the golden page that are not of instances.
fn own() -> Vec<Family> {
    let page = golden();
    let samples = read(&page).unwrap();
    let heads = page.lines().filter_map(|line| line.strip_prefix("# HELP "));
    heads
        .map(|head| head.split_once(' ').unwrap())
        .filter(|(name, _)| INSTANCE.iter().all(|metric| metric.name != *name))
        .map(|(name, help)| {
            let kind = format!("# TYPE {name} ");
            let kind = page.lines().find_map(|line| line.strip_prefix(&kind)).unwrap();
            let of_family = |sample: &&Sample| match sample.name.strip_prefix(name) {
                Some("") => true,
                Some(suffix) => kind == "histogram" && ["_bucket", "_sum", "_count"].contains(&suffix),
                None => false,
            };
            let labels = samples.iter().filter(of_family);
            Family {
                name: name.to_owned(),
                kind: kind.to_owned(),
                help: help.to_owned(),
                labels: labels
                    .flat_map(|sample| sample.labels.keys().cloned())
                    .filter(|label| label != "le")
                    .collect(),
            }
        })
        .collect()
}

/// The values of each metric of one instance, by their labels, at three times: before its first poll, after one that
/// succeeded, and after one that failed two days later.
fn story() -> [BTreeMap<String, BTreeMap<String, f64>>; 3] {
    let store = Store::default();
    let target = Arc::new(Target {
        account: "prod".into(),
        instance_id: "cas-member-0hmi1234".into(),
        region: "cn-hangzhou".to_owned(),
        name: None,
        labels: BTreeMap::new(),
    });
    store.set_targets(&"prod".into(), Duration::from_secs(300), &[Arc::clone(&target)]);
    let values = |now: UnixMillis| {
        let page = text(&store.snapshot(), &[], now, Scope::Scrape);
        let mut values: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for sample in read(&page).unwrap() {
            let labels = format!("{:?}", sample.labels);
            values
                .entry(sample.name)
                .or_default()
                .insert(labels, sample.value);
        }
        values
    };
    let before = values(OPENING);
    let days = |days: i64| UnixMillis(OPENING.0 + days * 24 * 60 * 60 * 1000);
    let status = InstanceStatus {
        status: Some("USED".to_owned()),
        ca_type: Some("ROOT".to_owned()),
        certificates_issued: Some(1),
        certificates_quota: Some(10),
        not_before: Some(days(-100)),
        not_after: Some(days(100)),
        subscription_expiry: Some(days(50)),
        certificate_identifier: Some("160ae6bb538d538c70c01f81dcf21234".to_owned()),
    };
    store.record(&target, Ok(status), OPENING);
    let succeeded = values(OPENING);
    let failure = Failure {
        reason: Reason::Timeout,
        detail: String::new(),
    };
    store.record(&target, Err(failure), days(2));
    [before, succeeded, values(days(2))]
}

/// What a metric shows before the first poll, and what becomes of it when a poll fails.
fn fate(metric: &Metric, story: &[BTreeMap<String, BTreeMap<String, f64>>; 3]) -> (String, String) {
    let [before, succeeded, failed] = story.each_ref().map(|values| values.get(metric.name));
    let number = |values: &BTreeMap<String, f64>| {
        let [value] = values.values().collect::<Vec<_>>()[..] else {
            panic!("{}: not one value in {values:?}", metric.name);
        };
        *value
    };
    let before = match before {
        None => "absent".to_owned(),
        Some(before) if Some(before) == succeeded => "as later".to_owned(),
        Some(before) => number(before).to_string(),
    };
    let failed = match (succeeded, failed) {
        (None, Some(_)) => "appears".to_owned(),
        (Some(succeeded), Some(failed)) if succeeded == failed => "stays".to_owned(),
        (Some(succeeded), Some(failed)) => match (number(succeeded), number(failed)) {
            // Two days have passed between them.
            (succeeded, failed) if (succeeded - failed - 2.0).abs() < f64::EPSILON => "counts on".to_owned(),
            (_, failed) => format!("turns {failed}"),
        },
        (_, None) => panic!("{} is lost when a poll fails", metric.name),
    };
    (before, failed)
}

#[test]
fn the_page_of_metrics_is_current() {
    let story = story();
    let instances = INSTANCE.each_ref().map(|metric| {
        let (before, failed) = fate(metric, &story);
        [
            format!("`{}`", metric.name),
            format!("{:?}", metric.kind).to_lowercase(),
            listed(metric.labels.iter().copied()),
            unit(metric.name),
            before,
            failed,
            metric.help.to_owned(),
        ]
    });
    let head = ["metric", "type", "labels", "unit", "before", "failed", "meaning"];
    let instances = table(head, &instances);
    let own: Vec<_> = own()
        .into_iter()
        .map(|family| {
            [
                format!("`{}`", family.name),
                family.kind,
                listed(family.labels.iter().map(String::as_str)),
                unit(&family.name),
                family.help,
            ]
        })
        .collect();
    let own = table(["metric", "type", "labels", "unit", "meaning"], &own);
    is_current(
        "metrics.md",
        &[("instances", instances), ("own", own), ("bounds", bounds())],
    );
}

/// The bounds of each histogram.
fn bounds() -> String {
    let mut bounds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for sample in read(&golden()).unwrap() {
        if let Some(bound) = sample.labels.get("le") {
            let name = sample.name.trim_end_matches("_bucket").to_owned();
            let bounds = bounds.entry(name).or_default();
            if !bounds.contains(bound) {
                bounds.push(bound.clone());
            }
        }
    }
    let lines = bounds
        .into_iter()
        .map(|(name, bounds)| format!("Bounds (`le`) of `{name}`: {}.\n", bounds.join(", ")));
    lines.collect()
}

/// The golden page has user labels too, which the catalogue cannot know.
#[test]
fn the_catalogue_names_every_label_of_an_instance_that_no_user_gave() {
    let samples = read(&golden()).unwrap();
    for metric in &INSTANCE {
        let of_metric = samples.iter().filter(|sample| sample.name == metric.name);
        for sample in of_metric {
            let found = sample.labels.keys().map(String::as_str);
            let found: BTreeSet<_> = found.filter(|label| !["env", "team"].contains(label)).collect();
            let named = IDENTITY.iter().chain(metric.labels).copied();
            assert_eq!(found, named.collect(), "{}", metric.name);
        }
    }
}
