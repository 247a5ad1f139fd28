//! The alert rules: each has its section in the runbooks, and their unit tests pass with the real
//! promtool and fail as soon as a rule is changed.

mod mutants;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use serde_yaml::Value;

use mutants::Mutant;

const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const RECORDED: &str = "deploy/prometheus/rules.yaml";
const RUNBOOKS: &str = "docs/runbooks/README.md";
const RUNBOOKS_URL: &str =
    "https://github.com/aliyun-pca-exporter/aliyun-pca-exporter/blob/main/docs/runbooks/README.md#";
const THRESHOLD: &str = "aliyun_pca:threshold:";

/// One rule, alert or recorded series, as YAML.
#[derive(Clone, Debug)]
struct Rule(Value);

impl Rule {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    fn expr(&self) -> &str {
        self.text("expr").unwrap_or_default()
    }

    /// A threshold may be a number alone.
    fn expr_as_text(&self) -> String {
        let expr = &self.0["expr"];
        expr.as_str()
            .map_or_else(|| serde_json::to_string(expr).unwrap(), str::to_owned)
    }

    fn annotation(&self, key: &str) -> &str {
        let text = self.0["annotations"][key].as_str();
        text.unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }

    fn is_threshold(&self) -> bool {
        self.text("record")
            .is_some_and(|name| name.starts_with(THRESHOLD))
    }

    /// It is the watchdog.
    fn counts_thresholds(&self) -> bool {
        self.expr().contains("__name__")
    }

    fn with(&self, key: &str, value: &str) -> Self {
        let mut changed = self.clone();
        changed.0[key] = value.into();
        changed
    }

    fn without(&self, key: &str) -> Option<Self> {
        let mut changed = self.clone();
        changed.0.as_mapping_mut()?.remove(key)?;
        Some(changed)
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rules(path: &str) -> Vec<Rule> {
    let file: Value = serde_yaml::from_str(&read(path)).unwrap();
    let groups = file["groups"].as_sequence().unwrap().iter();
    groups
        .flat_map(|group| group["rules"].as_sequence().unwrap())
        .cloned()
        .map(Rule)
        .collect()
}

/// The file of a group with these rules.
fn file(groups: &[&[Rule]]) -> String {
    let mut file = String::from("groups:\n");
    for (number, rules) in groups.iter().enumerate() {
        let rules: Vec<_> = rules.iter().map(|rule| &rule.0).collect();
        let rules = serde_json::to_string(&rules).unwrap();
        writeln!(file, "- {{ name: group-{number}, rules: {rules} }}").unwrap();
    }
    file
}

fn names(rules: &[Rule], kind: &str) -> BTreeSet<String> {
    rules
        .iter()
        .filter_map(|rule| rule.text(kind))
        .map(str::to_owned)
        .collect()
}

#[test]
fn alerts_go_by_timestamps_and_join_no_info() {
    for rule in rules(ALERTS).iter().chain(&rules(RECORDED)) {
        for refused in ["_days", "group_left", "group_right"] {
            assert!(!rule.expr().contains(refused), "{refused} in {}", rule.expr());
        }
    }
}

#[test]
fn what_is_critical_reaches_alertmanager_before_the_warnings_that_it_inhibits() {
    let rules = rules(ALERTS);
    let critical = |rule: &&Rule| rule.0["labels"]["severity"] == "critical";
    let mut pairs = 0;
    for critical in rules.iter().filter(critical) {
        let mut alike = rules
            .iter()
            .filter(|rule| rule.text("alert") == critical.text("alert"));
        assert_eq!(alike.next().map(|first| &first.0), Some(&critical.0));
        pairs += alike.count();
    }
    assert!(
        pairs >= 4,
        "{pairs} of certificate, subscription, quota and facts"
    );
}

#[test]
fn every_threshold_is_compared_with_and_counted_by_the_watchdog() {
    let rules = rules(ALERTS);
    let (thresholds, alerts): (Vec<Rule>, Vec<Rule>) = rules.into_iter().partition(Rule::is_threshold);
    let compared: BTreeSet<String> = alerts
        .iter()
        .flat_map(|alert| alert.expr().split("scalar(").skip(1))
        .map(|rest| rest.split(')').next().unwrap().to_owned())
        .collect();
    assert_eq!(names(&thresholds, "record"), compared);
    let watchdog = alerts.iter().find(|alert| alert.counts_thresholds());
    let count = format!("== {}", thresholds.len());
    assert!(
        watchdog.unwrap().expr().ends_with(&count),
        "the watchdog wants {count}"
    );
}

#[test]
fn every_alert_says_what_and_has_a_section_in_the_runbooks_and_no_section_is_left_over() {
    let alerts: Vec<_> = rules(ALERTS)
        .into_iter()
        .filter(|rule| !rule.is_threshold())
        .collect();
    let runbooks = read(RUNBOOKS);
    let sections: BTreeSet<String> = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("## AliyunPca"))
        .map(|rest| format!("AliyunPca{rest}"))
        .collect();
    for alert in &alerts {
        let name = alert.text("alert").unwrap();
        assert_eq!(
            alert.annotation("runbook_url"),
            format!("{RUNBOOKS_URL}{}", name.to_lowercase())
        );
        assert!(!alert.annotation("summary").is_empty() && alert.annotation("description").ends_with('.'));
        assert!(
            alert.0["labels"]["severity"].is_string(),
            "{name} has no severity"
        );
    }
    assert_eq!(sections, names(&alerts, "alert"));
}

#[test]
fn every_recorded_series_is_asked_for_in_the_runbooks() {
    let runbooks = read(RUNBOOKS);
    for name in names(&rules(RECORDED), "record") {
        assert!(runbooks.contains(&name), "nobody asks for {name}");
    }
}

#[test]
#[ignore = "needs promtool, see tests/run"]
fn the_unit_tests_of_every_rule_pass_and_fail_with_any_part_of_it_changed() {
    let rules = rules(ALERTS);
    let alerts = names(&rules, "alert");
    for name in &alerts {
        let (passed, output) = Mutant::none(&rules, name).test();
        assert!(passed, "{name}: {output}");
    }
    for whole in ["healthy", "recorded"] {
        let (passed, output) = promtool(Path::new("."), &["test", "rules", &unit_tests(whole)]);
        assert!(passed, "{output}");
    }
    let mut mutants = mutants::of_alerts(&rules);
    mutants.extend(mutants::of_recorded(&self::rules(RECORDED)));
    // Otherwise one that does not parse would count as found.
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<&[Rule]> = mutants.iter().map(|mutant| mutant.rules.as_slice()).collect();
    std::fs::write(folder.path().join("all.yaml"), file(&all)).unwrap();
    let (valid, output) = promtool(folder.path(), &["check", "rules", "--lint=none", "all.yaml"]);
    assert!(valid, "{output}");

    let count = mutants.len();
    let (waiting, survivors) = (Mutex::new(mutants), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().pop();
                    let Some(mutant) = next else { return };
                    if mutant.test().0 {
                        survivors.lock().unwrap().push(mutant.what);
                    }
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(count > 200, "only {count} mutants");
    assert!(
        survivors.is_empty(),
        "no test fails for\n{}",
        survivors.join("\n")
    );
}

/// The unit tests of an alert, or of something else by name.
fn unit_tests(name: &str) -> String {
    format!("tests/rules/{name}.yaml")
}

/// Whether it ended well, and what it said.
fn promtool(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("promtool")
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}
