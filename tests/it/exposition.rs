//! The text that Prometheus reads: the golden page, and what holds for every page.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::exposition::{Format, Renderer, Scope, catalogue, text};
use aliyun_pca_exporter::model::{
    AccountName, Failure, InstanceId, InstanceStatus, Outcome, Reason, Target, UnixMillis,
};
use aliyun_pca_exporter::store::{Finding, Listing, Snapshot, Source, Store};
use aliyun_pca_exporter::telemetry::{Build, Telemetry};
use prometheus::proto::MetricFamily;
use proptest::prelude::*;

use crate::official_sdk::python;

const ACTION: &str = "GetCAInstanceStatus";

/// 2025-12-16T00:00:00Z.
const NOW: UnixMillis = UnixMillis::from_seconds(1_765_843_200);

/// The instance metrics that are promised to users, one by one.
const DESIGNED: [&str; 13] = [
    "aliyun_pca_instance_info",
    "aliyun_pca_instance_status",
    "aliyun_pca_instance_certificates_issued",
    "aliyun_pca_instance_certificates_quota",
    "aliyun_pca_instance_certificate_not_before_timestamp_seconds",
    "aliyun_pca_instance_certificate_not_after_timestamp_seconds",
    "aliyun_pca_instance_certificate_expiry_days",
    "aliyun_pca_instance_subscription_expiry_timestamp_seconds",
    "aliyun_pca_instance_subscription_expiry_days",
    "aliyun_pca_instance_up",
    "aliyun_pca_instance_last_success_timestamp_seconds",
    "aliyun_pca_instance_error",
    "aliyun_pca_instance_poll_interval_seconds",
];

/// A sample as a reader of the format sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The name, suffixes such as `_bucket` included.
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Reads a page, and refuses one that Prometheus would take with a loss, or not at all: a doubled series, a doubled
/// label, a family that is split, has no head, or has no sample.
pub(crate) fn read(page: &str) -> Result<Vec<Sample>, String> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut series = BTreeSet::new();
    let mut families = BTreeSet::new();
    let mut family = String::new();
    let mut in_family = 1;
    if !page.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let mut lines = page.strip_suffix('\n').unwrap_or_default().split('\n');
    while let Some(line) = lines.next() {
        if let Some(head) = line.strip_prefix("# HELP ") {
            let (name, _) = head.split_once(' ').ok_or(format!("no text: {line}"))?;
            if in_family == 0 {
                return Err(format!("{family} has no sample"));
            }
            (family, in_family) = (name.to_owned(), 0);
            if !families.insert(family.clone()) {
                return Err(format!("{family} comes twice"));
            }
            let kind = lines.next().unwrap_or_default();
            if !kind.starts_with(&format!("# TYPE {family} ")) {
                return Err(format!("{family} has no type: {kind}"));
            }
            continue;
        }
        let sample = read_sample(line).ok_or(format!("not a sample: {line}"))?;
        let suffix = sample.name.strip_prefix(&family);
        if !suffix.is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix)) {
            return Err(format!("outside its family: {line}"));
        }
        if !series.insert((sample.name.clone(), sample.labels.clone())) {
            return Err(format!("comes twice: {line}"));
        }
        in_family += 1;
        samples.push(sample);
    }
    if in_family == 0 {
        return Err(format!("{family} has no sample"));
    }
    Ok(samples)
}

fn read_sample(line: &str) -> Option<Sample> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, mut rest) = head.split_once('{').unwrap_or((head, "}"));
    let mut labels = BTreeMap::new();
    while rest != "}" {
        let (label, text) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = text.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => Some(other).filter(|other| ['\\', '"'].contains(other))?,
                }),
                (_, other) => value.push(other),
            }
        };
        if labels.insert(label.to_owned(), value).is_some() {
            return None;
        }
        rest = &text[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().ok()?,
    })
}

fn target(account: &str, id: &str, labels: &[(&str, &str)], name: Option<&str>) -> Arc<Target> {
    let region = if account == "lab" {
        "eu-central-1"
    } else {
        "cn-hangzhou"
    };
    Arc::new(Target {
        account: account.into(),
        instance_id: id.into(),
        region: region.to_owned(),
        name: name.map(str::to_owned),
        labels: labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    })
}

fn failed(reason: Reason) -> Outcome {
    Err(Failure {
        reason,
        detail: "as the test wants it".to_owned(),
    })
}

/// Eight instances, each with a story of its own.
fn golden_snapshot() -> Snapshot {
    let store = Store::default();
    let awkward = [("team", "公钥 🔑 {},="), ("env", "C:\\prod \"eu\"\nline 2")];
    let prod = [
        target("prod", "cas-member-0hmi****", &[], None),
        target(
            "prod",
            "cas-member-awkward",
            &awkward,
            Some("quote \" and \\ backslash"),
        ),
        target("prod", "cas-member-bought", &[], None),
        target(
            "prod",
            "cas-member-failing",
            &[("env", "prod")],
            Some("issuing-ca-1"),
        ),
        target("prod", "cas-member-long-state", &[], None),
        target("prod", "cas-member-untried", &[("env", "prod")], Some("fresh")),
    ];
    let lab = [
        target("lab", "cas-member-silent", &[], None),
        target("lab", "cas-member-lost", &[], Some("lost & found")),
    ];
    store.set_targets(&"prod".into(), Duration::from_secs(300), &prod);
    store.set_targets(&"lab".into(), Duration::from_millis(437_500), &lab);
    let record = |target: &Target, outcome, before: i64| {
        store.record(target, outcome, UnixMillis(NOW.0 - before));
    };
    // The vendor's own example.
    let vendors = InstanceStatus {
        status: Some("USED".to_owned()),
        ca_type: Some("ROOT".to_owned()),
        certificates_issued: Some(1),
        certificates_quota: Some(10),
        not_before: Some(UnixMillis(1_635_177_600_000)),
        not_after: Some(UnixMillis(1_792_944_000_000)),
        subscription_expiry: Some(UnixMillis(1_637_251_200_000)),
        certificate_identifier: Some("a7bb2dd212a2112128cd5cc9b753****".to_owned()),
    };
    record(&prod[0], Ok(vendors), 60_000);
    let awkward = InstanceStatus {
        status: Some("PAUSED".to_owned()),
        ca_type: Some("SUB_ROOT".to_owned()),
        certificates_issued: Some(0),
        certificates_quota: Some(500),
        not_before: Some(UnixMillis(1_700_000_000_123)),
        not_after: Some(UnixMillis(1_765_886_400_000)),
        ..InstanceStatus::default()
    };
    record(&prod[1], Ok(awkward), 30_000);
    let bought = InstanceStatus {
        status: Some("BUY".to_owned()),
        ca_type: Some("SUB_ROOT".to_owned()),
        certificates_issued: Some(0),
        certificates_quota: Some(10),
        subscription_expiry: Some(UnixMillis(1_797_379_200_000)),
        ..InstanceStatus::default()
    };
    record(&prod[2], Ok(bought), 0);
    let revoked = InstanceStatus {
        status: Some("REVOKE".to_owned()),
        ca_type: Some("SUB_ROOT".to_owned()),
        certificates_issued: Some(3),
        certificates_quota: Some(3),
        not_after: Some(UnixMillis(1_765_800_000_000)),
        certificate_identifier: Some("b1".to_owned()),
        ..InstanceStatus::default()
    };
    record(&prod[3], Ok(revoked), 172_800_000);
    record(&prod[3], failed(Reason::Timeout), 60_000);
    // 66 bytes; 64 would cut a character in two.
    let long = InstanceStatus {
        status: Some("根".repeat(22)),
        ..InstanceStatus::default()
    };
    record(&prod[4], Ok(long), 120_000);
    record(&lab[0], Ok(InstanceStatus::default()), 250);
    record(&lab[1], failed(Reason::NotFound), 1_000);
    store.snapshot()
}

fn golden_telemetry() -> Telemetry {
    let telemetry = telemetry();
    let (prod, lab) = ("prod".into(), "lab".into());
    telemetry.start_account(&prod, &[ACTION], 5);
    telemetry.start_account(&lab, &[ACTION], 1);
    for (account, took, failed) in [
        (&prod, Duration::from_millis(250), None),
        (&prod, Duration::from_secs(10), Some(Reason::Timeout)),
        (&lab, Duration::from_micros(62_500), Some(Reason::NotFound)),
    ] {
        telemetry.sent(account, ACTION);
        telemetry.ended(account, ACTION, took);
        if let Some(reason) = failed {
            telemetry.failed(account, ACTION, reason);
        }
    }
    telemetry.duplicated(&prod);
    telemetry.set_credentials_expiry(&prod, Some(UnixMillis::from_seconds(1_765_846_800)));
    telemetry.credentials_refresh_failed(&lab);
    telemetry.waited(&prod, Duration::from_millis(1_500));
    telemetry.set_budget(&lab, 0.5, 1.25);
    telemetry.start_discovery(&prod, Duration::from_secs(3600));
    telemetry.discovered(&prod, 7, UnixMillis(1_765_843_200_500));
    telemetry.start_discovery(&lab, Duration::from_secs(90));
    telemetry.looked_up(&lab, "160ae6bb", true);
    telemetry.looked_up(&lab, "a\"b", false);
    telemetry.set_clock_skew(&lab, -10_800.25);
    telemetry.config_loaded(UnixMillis::from_seconds(1_765_843_200));
    telemetry.config_refused();
    telemetry
}

fn telemetry() -> Telemetry {
    Telemetry::new(Build {
        version: "1.2.3",
        revision: "0123456",
        rustc: "1.95.0",
    })
    .unwrap()
}

fn golden_page() -> String {
    text(
        &golden_snapshot(),
        &golden_telemetry().gather(),
        NOW,
        Scope::Scrape,
    )
}

/// What the process uses differs from run to run.
fn with_process_values_at_zero(page: &str) -> String {
    let zeroed = page.lines().map(|line| match line.split_once(' ') {
        Some((name, _)) if name.starts_with("process_") => format!("{name} 0\n"),
        _ => format!("{line}\n"),
    });
    zeroed.collect()
}

fn names(page: &str) -> BTreeSet<String> {
    read(page)
        .unwrap()
        .into_iter()
        .map(|sample| sample.name)
        .collect()
}

#[test]
fn openmetrics_is_the_same_page_with_units_other_heads_of_counters_and_an_end() {
    let page = Renderer::new(Format::OpenMetrics, Scope::Scrape).render(
        &golden_snapshot(),
        &golden_telemetry().gather(),
        NOW,
    );
    let page = page.to_string();
    let golden = include_str!("../data/golden/openmetrics.txt");
    for (number, (line, expected)) in with_process_values_at_zero(&page)
        .lines()
        .zip(golden.lines())
        .enumerate()
    {
        assert_eq!(line, expected, "line {}", number + 1);
    }
    let samples = |page: &str| -> Vec<String> {
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_owned).collect()
    };
    assert_eq!(
        samples(&with_process_values_at_zero(&page)),
        samples(&with_process_values_at_zero(&golden_page())),
        "both formats name the same series"
    );
    assert!(page.ends_with("\n# EOF\n"));
}

#[test]
fn the_page_is_the_golden_one_line_by_line() {
    let page = with_process_values_at_zero(&golden_page());
    let golden = include_str!("../data/golden/metrics.txt");
    for (number, (line, expected)) in page.lines().zip(golden.lines()).enumerate() {
        assert_eq!(line, expected, "line {}", number + 1);
    }
    assert_eq!(page.len(), golden.len());
}

#[test]
fn the_golden_page_has_no_doubled_series() {
    read(&golden_page()).unwrap();
}

#[test]
fn the_same_state_gives_the_same_text() {
    let page = || {
        let own = golden_telemetry().gather();
        text(&golden_snapshot(), &own, NOW, Scope::Textfile)
    };
    assert_eq!(page(), page());
}

#[test]
fn the_catalogue_holds_the_designs_instance_metrics_and_the_golden_page_shows_each() {
    assert_eq!(catalogue::INSTANCE.map(|metric| metric.name), DESIGNED);
    let shown = names(&golden_page());
    for name in DESIGNED {
        assert!(shown.contains(name), "{name}");
    }
}

#[test]
fn every_series_has_the_labels_that_the_catalogue_names() {
    let mut own = BTreeMap::new();
    for sample in read(&golden_page()).unwrap() {
        let users = ["env", "team"];
        let mut labels: BTreeSet<_> = sample.labels.into_keys().collect();
        labels.retain(|label| !users.contains(&label.as_str()));
        own.insert(sample.name, labels);
    }
    for metric in catalogue::INSTANCE {
        let expected = catalogue::IDENTITY.iter().chain(metric.labels);
        let expected: BTreeSet<_> = expected.map(|label| (*label).to_owned()).collect();
        assert_eq!(own[metric.name], expected, "{}", metric.name);
    }
}

#[test]
fn a_textfile_lacks_the_days_and_the_process_and_nothing_else() {
    let own = golden_telemetry().gather();
    let scrape = names(&text(&golden_snapshot(), &own, NOW, Scope::Scrape));
    let textfile = names(&text(&golden_snapshot(), &own, NOW, Scope::Textfile));
    let mut missing: Vec<_> = scrape.difference(&textfile).map(String::as_str).collect();
    missing.retain(|name| !name.starts_with("process_"));
    assert_eq!(
        missing,
        [
            "aliyun_pca_instance_certificate_expiry_days",
            "aliyun_pca_instance_subscription_expiry_days"
        ]
    );
    assert!(!textfile.iter().any(|name| name.starts_with("process_")));
    assert!(textfile.is_subset(&scrape));
}

#[test]
fn a_page_without_instances_has_no_instance_family() {
    let page = text(&Snapshot::default(), &telemetry().gather(), NOW, Scope::Textfile);
    let names = names(&page);
    assert!(names.contains("aliyun_pca_exporter_build_info"), "{page}");
    let instance = names.iter().find(|name| name.starts_with("aliyun_pca_instance_"));
    assert_eq!(instance, None);
}

#[test]
fn days_count_down_between_two_scrapes_of_the_same_facts() {
    let day = UnixMillis(NOW.0 + 86_400_000);
    let days_at = |now| {
        let page = text(&golden_snapshot(), &[], now, Scope::Scrape);
        let mut samples = read(&page).unwrap();
        samples.retain(|sample| {
            sample.name.ends_with("certificate_expiry_days")
                && sample.labels["instance_id"] == "cas-member-awkward"
        });
        samples[0].value
    };
    assert!((days_at(NOW) - 0.5).abs() < f64::EPSILON);
    assert!((days_at(day) + 0.5).abs() < f64::EPSILON);
}

#[test]
#[ignore = "needs promtool, see tests/run"]
fn promtool_complains_of_nothing_but_the_two_gauges_in_days() {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(golden_page().as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let mut complaints: Vec<_> = said.lines().filter(|line| !line.is_empty()).collect();
    complaints.sort_unstable();
    assert_eq!(
        complaints,
        [
            "aliyun_pca_instance_certificate_expiry_days use base unit \"seconds\" instead of \"days\"",
            "aliyun_pca_instance_subscription_expiry_days use base unit \"seconds\" instead of \"days\"",
        ]
    );
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn the_reader_refuses_what_prometheus_would_lose() {
    let head = "# HELP a A.\n# TYPE a gauge\n";
    let other = "# HELP b B.\n# TYPE b gauge\nb 1\n";
    let bad = [
        (format!("{head}a 1\na 1\n"), "comes twice"),
        (
            format!("{head}a{{x=\"1\",y=\"2\"}} 1\na{{y=\"2\",x=\"1\"}} 2\n"),
            "comes twice",
        ),
        (format!("{head}a 1\n{other}{head}a{{x=\"1\"}} 1\n"), "comes twice"),
        (format!("{head}a{{x=\"1\",x=\"2\"}} 1\n"), "not a sample"),
        (format!("{head}a{{x=\"1\"2\"}} 1\n"), "not a sample"),
        (format!("{head}a{{x=\"\\t\"}} 1\n"), "not a sample"),
        (format!("{head}a{{x=\"1\n2\"}} 1\n"), "not a sample"),
        (format!("{head}a one\n"), "not a sample"),
        (format!("{head}a 1\nb 1\n"), "outside its family"),
        ("a 1\n".to_owned(), "outside its family"),
        (head.to_owned(), "has no sample"),
        (format!("{head}{other}"), "has no sample"),
        ("# HELP a A.\na 1\n".to_owned(), "has no type"),
        (format!("{head}a 1"), "has no end"),
    ];
    for (page, why) in bad {
        let error = read(&page).unwrap_err();
        assert!(error.contains(why), "{page} gives {error}");
    }
    assert_eq!(read(&format!("{head}a 1\n{other}")).unwrap().len(), 2);
}

#[derive(Clone, Debug)]
struct Generated {
    id: String,
    name: Option<String>,
    labels: BTreeMap<String, String>,
    status: InstanceStatus,
    failure: Option<Reason>,
}

fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\\\\"\n{}=, #a]{0,12}",
        Just("\\".to_owned()),
        Just("\\n".to_owned()),
        Just("\"} 1\naliyun_pca_instance_up 1".to_owned()),
        Just("USED".to_owned()),
    ]
}

fn generated() -> impl Strategy<Value = Generated> {
    let status = (
        proptest::option::of(hostile_text()),
        proptest::option::of(hostile_text()),
        proptest::option::of(any::<i64>()),
        proptest::option::of(any::<i64>()),
    );
    let labels = proptest::collection::btree_map("[a-z_][a-z0-9_]{9,12}", hostile_text(), 0..3);
    let failure = proptest::option::of(proptest::sample::select(Reason::ALL.to_vec()));
    let name = proptest::option::of(hostile_text());
    (hostile_text(), name, labels, status, failure).prop_map(|(id, name, labels, status, failure)| {
        let (status, other, count, time) = status;
        Generated {
            id,
            name,
            labels,
            status: InstanceStatus {
                status,
                ca_type: other.clone(),
                certificates_issued: count,
                certificates_quota: time,
                not_before: count.map(UnixMillis),
                not_after: time.map(UnixMillis),
                subscription_expiry: time.map(UnixMillis),
                certificate_identifier: other,
            },
            failure,
        }
    })
}

/// In milliseconds.
const DAY: i64 = 86_400_000;

/// What users may write on their instances.
type Labels = &'static [(&'static str, &'static str)];

/// Labels with what stands between labels and value, too.
const LABELS: [Labels; 4] = [
    &[],
    &[("team", "PKI operations")],
    &[("z", "} 1 } 22 } 333 } 4444 } ")],
    &[("a", "b"), ("team", "Security Operations 7")],
];

/// What may happen to a store between two scrapes, to the instances of one of two accounts.
#[derive(Clone, Debug)]
enum Step {
    Targets(BTreeSet<usize>, Labels),
    Gone,
    Found(BTreeMap<usize, u8>, bool),
    Success(usize, Box<InstanceStatus>),
    Failure(usize, Reason),
    Attempt(usize),
    Forget,
    Interval(u64),
    Skew(i64),
    Time(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let reason = proptest::sample::select(Reason::ALL.to_vec());
    let ids = || 0..6_usize;
    let labels = proptest::sample::select(LABELS.to_vec());
    prop_oneof![
        1 => (proptest::collection::btree_set(ids(), 0..6), labels).prop_map(|(ids, labels)| Step::Targets(ids, labels)),
        1 => Just(Step::Gone),
        2 => (proptest::collection::btree_map(ids(), 0..3_u8, 0..6), any::<bool>()).prop_map(|(found, by_list)| Step::Found(found, by_list)),
        6 => (ids(), status()).prop_map(|(id, status)| Step::Success(id, Box::new(status))),
        3 => (ids(), reason).prop_map(|(id, reason)| Step::Failure(id, reason)),
        1 => ids().prop_map(Step::Attempt),
        1 => Just(Step::Forget),
        1 => (1..1000_u64).prop_map(Step::Interval),
        1 => any::<i32>().prop_map(|skew| Step::Skew(skew.into())),
        2 => any::<i32>().prop_map(|time| Step::Time(time.into())),
    ]
}

fn usual() -> InstanceStatus {
    let (text, days) = (
        |text: &str| Some(text.to_owned()),
        |days| Some(UnixMillis(NOW.0 + days * DAY)),
    );
    InstanceStatus {
        status: text("USED"),
        ca_type: text("SUB_ROOT"),
        certificate_identifier: text("1"),
        certificates_issued: Some(9),
        certificates_quota: Some(20),
        not_before: days(-300),
        not_after: days(10),
        subscription_expiry: days(9),
    }
}

/// Mostly the usual, so that many an answer differs from the one before in one field alone.
fn status() -> impl Strategy<Value = InstanceStatus> {
    let text = |usual: Option<String>, other: &str| prop_oneof![8 => Just(usual), 1 => Just(Some(other.to_owned())), 1 => Just(None)];
    let count =
        |usual| prop_oneof![8 => Just(usual), 1 => Just(Some(10)), 1 => proptest::option::of(any::<i64>())];
    let time = |usual: Option<UnixMillis>| {
        let near = (NOW.0 - 2 * DAY)..(NOW.0 + 12 * DAY);
        let any = proptest::option::of(any::<i64>().prop_map(UnixMillis));
        prop_oneof![8 => Just(usual), 1 => near.prop_map(UnixMillis).prop_map(Some), 1 => any]
    };
    let usual = usual();
    (
        text(usual.status, "PAUSED"),
        text(usual.ca_type, "ROOT"),
        text(usual.certificate_identifier, "2"),
        count(usual.certificates_issued),
        count(usual.certificates_quota),
        time(usual.not_before),
        time(usual.not_after),
        time(usual.subscription_expiry),
    )
        .prop_map(
            |(status, ca_type, identifier, issued, quota, not_before, not_after, subscription)| {
                InstanceStatus {
                    status,
                    ca_type,
                    certificate_identifier: identifier,
                    certificates_issued: issued,
                    certificates_quota: quota,
                    not_before,
                    not_after,
                    subscription_expiry: subscription,
                }
            },
        )
}

fn targets_of(account: &AccountName, ids: &BTreeSet<usize>, labels: Labels) -> Vec<Arc<Target>> {
    let ids = ids.iter().map(|id| format!("cas-{id}"));
    ids.map(|id| target(account.as_str(), &id, labels, None))
        .collect()
}

fn happen(
    store: &Store,
    account: &AccountName,
    others: &std::ops::Range<usize>,
    step: Step,
    now: &mut UnixMillis,
) {
    let interval = Duration::from_secs(300);
    let target_of = |id: usize| target(account.as_str(), &format!("cas-{id}"), &[], None);
    match step {
        Step::Targets(mut ids, labels) => {
            ids.extend(others.clone());
            let listing = Listing {
                account,
                interval,
                targets: &targets_of(account, &ids, labels),
                discovers: true,
            };
            store.set_account(&listing, |id, _| {
                Some(target(account.as_str(), id.as_str(), &[], None))
            });
        }
        Step::Gone => store.remove_account(account),
        Step::Found(names, by_list) => {
            let names = names.into_iter();
            let found = names.map(|(id, name)| {
                let common_names = BTreeMap::from([(name.to_string(), format!("CA {name}"))]);
                let region = (name > 0).then(|| "cn-hangzhou".to_owned());
                (
                    format!("cas-{id}").as_str().into(),
                    Finding { region, common_names },
                )
            });
            let found = found.collect();
            let target = |id: &InstanceId, finding: &Finding| Target {
                region: finding.region.clone().unwrap_or_default(),
                ..(*target(account.as_str(), id.as_str(), &[], None)).clone()
            };
            let source = if by_list {
                Source::List
            } else {
                Source::Certificate("160ae6bb".into())
            };
            store.take_in_found(account, &source, &found, || false, target);
        }
        Step::Success(id, status) => {
            store.record(&target_of(id), Ok(*status), *now);
        }
        Step::Failure(id, reason) => {
            store.record(&target_of(id), failed(reason), *now);
        }
        Step::Attempt(id) => store.attempt(&target_of(id), *now),
        Step::Forget => drop(store.forget(account, *now, Duration::ZERO)),
        Step::Interval(seconds) => store.set_interval(account, Duration::from_secs(seconds)),
        Step::Skew(millis) => store.set_skew(account, millis),
        Step::Time(millis) => *now = UnixMillis(now.0 + millis),
    }
}

/// Every page of a renderer that lasts, beside the one that is made anew. `others` are instances of both
/// accounts that stand between those that the steps are about.
fn compare_pages(
    steps: Vec<(bool, Step, bool, bool)>,
    others: std::ops::Range<usize>,
) -> Result<(), TestCaseError> {
    let accounts: [AccountName; 2] = ["lab".into(), "prod".into()];
    let (store, own, mut now) = (Store::default(), telemetry().gather(), NOW);
    for account in &accounts {
        let first = Step::Targets(BTreeSet::from([0, 1, 2]), LABELS[1]);
        happen(&store, account, &others, first, &mut now);
        for other in others.clone() {
            let seen = Step::Success(other, Box::new(usual()));
            happen(&store, account, &others, seen, &mut now);
        }
    }
    let mut lasting = Format::ALL.map(|format| (format, Renderer::new(format, Scope::Scrape)));
    // Somebody who is still reading a page.
    let mut held = Vec::new();
    for (of_second, step, scraped, is_held) in steps {
        happen(&store, &accounts[usize::from(of_second)], &others, step, &mut now);
        if !scraped {
            continue;
        }
        for (format, lasting) in &mut lasting {
            let anew = Renderer::new(*format, Scope::Scrape).render(&store.snapshot(), &own, now);
            let page = lasting.render(&store.snapshot(), &own, now);
            prop_assert_eq!(page.to_string(), anew.to_string());
            if is_held {
                held.push((page, anew));
            }
        }
    }
    for (page, anew) in held {
        prop_assert_eq!(
            page.to_string(),
            anew.to_string(),
            "a page that is held stays what it was"
        );
    }
    Ok(())
}

fn steps(most: usize) -> impl Strategy<Value = Vec<(bool, Step, bool, bool)>> {
    let step = (any::<bool>(), step(), any::<bool>(), any::<bool>());
    proptest::collection::vec(step, 1..most)
}

proptest! {
    #[test]
    fn a_page_made_of_what_was_written_before_is_the_page_made_anew(steps in steps(60)) {
        compare_pages(steps, 0..0)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Ids sort as texts: the others stand before `cas-2`, which is the 257th where nobody has left, the first of what is
    /// written as the second block.
    #[test]
    fn that_is_so_for_hundreds_of_instances_too(steps in steps(20)) {
        compare_pages(steps, 1_000..1_254)?;
    }
}

/// A store in which an account's instances have been polled.
fn store_of(account: &str, instances: &[Generated]) -> (Store, BTreeMap<String, Arc<Target>>) {
    let store = Store::default();
    let mut targets = BTreeMap::new();
    for instance in instances {
        targets.insert(
            instance.id.clone(),
            Arc::new(Target {
                account: account.into(),
                instance_id: instance.id.as_str().into(),
                region: "cn-hangzhou".to_owned(),
                name: instance.name.clone(),
                labels: instance.labels.clone(),
            }),
        );
    }
    let all: Vec<_> = targets.values().cloned().collect();
    store.set_targets(&account.into(), Duration::from_secs(300), &all);
    for instance in instances {
        let target = &targets[&instance.id];
        store.record(target, Ok(instance.status.clone()), NOW);
        if let Some(reason) = instance.failure {
            store.record(target, failed(reason), NOW);
        }
    }
    (store, targets)
}

proptest! {
    #[test]
    fn whatever_the_texts_no_series_is_doubled_and_every_text_reads_back(
        account in hostile_text(),
        instances in proptest::collection::vec(generated(), 0..6),
        now in any::<i64>(),
    ) {
        let (store, targets) = store_of(&account, &instances);
        let own = telemetry();
        own.start_account(&account.as_str().into(), &[ACTION], 5);

        let page = text(&store.snapshot(), &own.gather(), UnixMillis(now), Scope::Scrape);
        let samples = read(&page).map_err(TestCaseError::fail)?;

        for target in targets.values() {
            let of_target = |name: &str| {
                samples.iter().find(|sample| {
                    sample.name == name
                        && sample.labels["account"] == account
                        && sample.labels["instance_id"] == target.instance_id.as_str()
                })
            };
            let info = of_target("aliyun_pca_instance_info").expect("every instance has its info");
            prop_assert_eq!(&info.labels["name"], target.name.as_deref().unwrap_or_default());
            for (label, value) in &target.labels {
                prop_assert_eq!(&info.labels[label], value);
            }
            prop_assert!(of_target("aliyun_pca_instance_up").is_some());
        }
    }
}

/// What the parsers of Prometheus' own Python client make of a page in both formats.
fn parsed_by_python(snapshot: &Snapshot, own: &[MetricFamily], now: UnixMillis) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for format in Format::ALL {
        let page = Renderer::new(format, Scope::Scrape).render(snapshot, own, now);
        let page = page.to_string();
        let file = folder.path().join(format!("{format:?}"));
        std::fs::write(&file, page).unwrap();
        files.push(file);
    }
    let output = Command::new(python())
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/python/page_parsers.py"
        ))
        .args(files)
        .output()
        .expect("PCA_TEST_PYTHON (or .venv/bin/python) must have tests/python/requirements.txt installed");
    let (said, wrong) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    output.status.success().then_some(said).ok_or(wrong)
}

#[test]
#[ignore = "needs Prometheus' Python client, see tests/run"]
fn another_parser_reads_the_same_samples_in_both_formats() {
    let own = golden_telemetry().gather();
    let agreed = parsed_by_python(&golden_snapshot(), &own, NOW).unwrap();
    let samples = read(&golden_page()).unwrap().len();
    assert_eq!(agreed, format!("{samples} samples agree\n"));
}

proptest! {
    // Each case starts an interpreter.
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    #[ignore = "needs Prometheus' Python client, see tests/run"]
    fn another_parser_reads_whatever_the_texts(
        account in hostile_text(),
        instances in proptest::collection::vec(generated(), 0..6),
    ) {
        let (store, _) = store_of(&account, &instances);
        let own = telemetry();
        own.start_account(&account.as_str().into(), &[ACTION], 5);
        parsed_by_python(&store.snapshot(), &own.gather(), NOW).map_err(TestCaseError::fail)?;
    }
}
