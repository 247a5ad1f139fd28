//! The names of metrics and labels, wherever somebody reads or copies them: in rules, dashboards, runbooks and pages. Each
//! is one of the golden page, and each metric of that is told of somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aliyun_pca_exporter::model::Reason;
use serde_json::Value;

use crate::exposition::read;

/// Labels that Prometheus and whoever scrapes set, or that stand for the user's own.
const OUTSIDE: [&str; 12] = [
    "__name__",
    "alertname",
    "alertstate",
    "container",
    "endpoint",
    "env",
    "instance",
    "job",
    "node",
    "pod",
    "severity",
    "team",
];

/// The metrics of the golden page, histograms by the names of their series too, with the labels of each.
struct Golden(BTreeMap<String, BTreeSet<String>>);

impl Golden {
    fn read() -> Self {
        let page = std::fs::read_to_string("tests/data/golden/metrics.txt").unwrap();
        let mut metrics: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for sample in read(&page).unwrap() {
            let labels = sample.labels.into_keys();
            metrics.entry(sample.name).or_default().extend(labels);
        }
        Self(metrics)
    }

    fn has_label(&self, label: &str) -> bool {
        OUTSIDE.contains(&label) || self.0.values().any(|labels| labels.contains(label))
    }

    /// Whether it is a metric, a histogram by its family's name, or the beginning of some, as in `aliyun_pca_api_…`.
    fn has(&self, name: &str) -> bool {
        match name
            .strip_suffix('…')
            .or(Some(name).filter(|name| name.ends_with('_')))
        {
            Some(beginning) => self.0.keys().any(|metric| metric.starts_with(beginning)),
            None => self.0.contains_key(name) || self.0.contains_key(&format!("{name}_bucket")),
        }
    }

    /// What is wrong in a text: the names that are none.
    fn faults(&self, text: &str) -> Vec<String> {
        let mut faults: Vec<_> = metrics(text)
            .filter(|name| !self.has(name))
            .map(str::to_owned)
            .collect();
        for (metric, label, value) in matchers(text) {
            let is_known = self.0.get(metric).is_none_or(|labels| labels.contains(label));
            if !is_known && !OUTSIDE.contains(&label) {
                faults.push(format!("{label} of {metric}"));
            }
            let is_reason = |word: &str| Reason::ALL.iter().any(|reason| reason.as_str() == word);
            if label == "reason" && !value.split('|').all(is_reason) {
                faults.push(format!("the reason {value}"));
            }
        }
        let labels = labels(text).filter(|label| !self.has_label(label));
        faults.extend(labels.map(|label| format!("the label {label}")));
        faults
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:…".contains(c)))
}

fn metrics(text: &str) -> impl Iterator<Item = &str> {
    words(text).filter(|word| word.starts_with("aliyun_pca_") || word.starts_with("process_"))
}

/// What stands in braces behind a metric's name: the metric, a label, and its value.
fn matchers(text: &str) -> Vec<(&str, &str, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('{') {
        let Some(metric) = words(&text[..at])
            .last()
            .filter(|word| word.starts_with("aliyun_pca_"))
        else {
            continue;
        };
        let Some((inside, _)) = text[at + 1..].split_once('}') else {
            continue;
        };
        let mut quoted = false;
        let parts = inside.split(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        for part in parts {
            let Some((label, value)) = part.split_once('=') else {
                continue;
            };
            let value = value.trim_matches(['~', '"', '\\']);
            found.push((metric, label.trim().trim_end_matches('!'), value));
        }
    }
    found
}

/// Labels without a metric: of aggregations and joins, templates, legends and variables.
fn labels(text: &str) -> impl Iterator<Item = &str> {
    let is_label =
        |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let lists = ["by (", "without (", "on (", "ignoring (", "group_left ("]
        .into_iter()
        .flat_map(|opening| text.split(opening).skip(1))
        .filter_map(|rest| {
            Some(
                rest.split_once(')')?
                    .0
                    .split(',')
                    .map(str::trim)
                    .collect::<Vec<_>>(),
            )
        })
        // In prose a bracket holds more than names.
        .filter(move |list| list.iter().all(is_label))
        .flatten();
    let of_alert = text
        .split("$labels.")
        .skip(1)
        .filter_map(|rest| words(rest).next());
    let of_series = between(text, "| label \"", "\"");
    let legends = between(text, "{{", "}}").filter(is_label);
    let variables = between(text, "label_values(", ")").filter_map(|inside| Some(inside.split_once(", ")?.1));
    lists
        .chain(of_alert)
        .chain(of_series)
        .chain(legends)
        .chain(variables)
}

fn between<'t>(text: &'t str, opening: &'t str, end: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(opening)
        .skip(1)
        .filter_map(move |rest| Some(rest.split_once(end)?.0))
}

/// The texts of a folder's files of one kind, with their paths; dashboards as the texts inside the JSON.
fn texts(folder: &str, kind: &str) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == kind) {
            texts.push((path.display().to_string(), text(&path)));
        }
    }
    assert!(!texts.is_empty(), "{folder}");
    texts
}

fn text(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "json") {
        let mut strings = String::new();
        collect(&serde_json::from_str(&text).unwrap(), &mut strings);
        return strings;
    }
    text
}

fn collect(json: &Value, strings: &mut String) {
    match json {
        Value::String(text) => strings.extend([text, "\n"]),
        Value::Array(items) => items.iter().for_each(|item| collect(item, strings)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, strings)),
        _ => {}
    }
}

/// What people are shown or told.
fn published() -> Vec<(String, String)> {
    let mut texts = [
        texts("deploy/prometheus", "yaml"),
        texts("deploy/grafana/dashboards", "json"),
        texts("docs/runbooks", "md"),
        texts("docs", "md"),
    ]
    .concat();
    texts.extend(["README.md", "CHANGELOG.md"].map(|path| (path.to_owned(), text(Path::new(path)))));
    texts
}

#[test]
fn every_metric_and_label_that_is_named_is_one_that_the_exporter_shows() {
    let golden = Golden::read();
    let texts = published().into_iter().chain(texts("tests/rules", "yaml"));
    let faults: Vec<_> = texts
        .flat_map(|(path, text)| {
            golden
                .faults(&text)
                .into_iter()
                .map(move |fault| format!("{path}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_name_that_is_none_is_found_wherever_it_stands() {
    let golden = Golden::read();
    for (text, fault) in [
        (
            "rate(aliyun_pca_api_request_total[5m])",
            "aliyun_pca_api_request_total",
        ),
        ("the metrics `aliyun_pca_apis_…`", "aliyun_pca_apis_…"),
        (
            "aliyun_pca_instance_up{accuont=~\"a,b\"}",
            "accuont of aliyun_pca_instance_up",
        ),
        (
            "aliyun_pca_instance_up{account=\"a\", reason!=\"tls\"}",
            "reason of aliyun_pca_instance_up",
        ),
        (
            "aliyun_pca_instance_error{reason=~\"tls|throtled\"}",
            "the reason tls|throtled",
        ),
        ("sum without (instance, pods) (up)", "the label pods"),
        ("{{ $labels.instnace_id }}", "the label instnace_id"),
        ("{{acount}} calls", "the label acount"),
        ("{{ . | first | label \"nmae\" }}", "the label nmae"),
        ("label_values(aliyun_pca_instance_up, acc)", "the label acc"),
    ] {
        assert_eq!(golden.faults(text), [fault], "{text}");
    }
}

#[test]
fn every_metric_is_in_a_rule_a_dashboard_or_a_page() {
    let texts = published();
    let told: BTreeSet<_> = texts.iter().flat_map(|(_, text)| metrics(text)).collect();
    for name in Golden::read().0.into_keys() {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        assert!(
            told.contains(name.as_str()) || family.is_some_and(|family| told.contains(family)),
            "{name}"
        );
    }
}

#[test]
fn every_recorded_series_that_is_asked_for_is_recorded() {
    let rules = texts("deploy/prometheus", "yaml");
    let recorded: BTreeSet<_> = rules
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect();
    for (path, text) in published().into_iter().chain(texts("tests/rules", "yaml")) {
        let asked = words(&text).filter(|word| word.starts_with("aliyun_pca:") && !word.ends_with(':'));
        for name in asked {
            assert!(recorded.contains(name), "{path}: {name}");
        }
    }
}
