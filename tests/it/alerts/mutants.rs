//! Alert rules with one small change each, which some unit test has to notice.

use super::{ALERTS, RECORDED, Rule, file, promtool, read, unit_tests};

/// A comparison; what it becomes when it is turned around; and when it takes in its boundary, or leaves it out.
const COMPARISONS: [(&str, &str, Option<&str>); 6] = [
    (" == ", " != ", None),
    (" != ", " == ", None),
    (" >= ", " < ", Some(" > ")),
    (" <= ", " > ", Some(" < ")),
    (" > ", " <= ", Some(" >= ")),
    (" < ", " >= ", Some(" <= ")),
];

const AGGREGATIONS: [&str; 4] = ["max", "min", "sum", "group"];

const SET_OPERATORS: [&str; 3] = ["unless", "and", "or"];

/// Rules with one change.
pub(super) struct Mutant {
    pub(super) what: String,
    pub(super) rules: Vec<Rule>,
    /// The unit tests that are to notice.
    tests: Vec<String>,
}

impl Mutant {
    /// The rules of this name as they are.
    pub(super) fn none(all: &[Rule], alert: &str) -> Self {
        Self::new(String::new(), all, &[alert.to_owned()])
    }

    /// Only the rules that count for these alerts, since the others take time.
    fn new(what: String, all: &[Rule], alerts: &[String]) -> Self {
        let named = |rule: &Rule| {
            rule.text("alert")
                .is_some_and(|name| alerts.iter().any(|alert| alert == name))
        };
        let concerned = |rule: &&Rule| match rule.text("record") {
            None => named(rule),
            Some(threshold) => all
                .iter()
                .any(|alert| named(alert) && (alert.expr().contains(threshold) || alert.counts_thresholds())),
        };
        Self {
            what,
            rules: all.iter().filter(concerned).cloned().collect(),
            tests: alerts.to_vec(),
        }
    }

    /// Whether all tests pass, and what promtool says.
    pub(super) fn test(&self) -> (bool, String) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("changed.yaml"), file(&[&self.rules])).unwrap();
        let mut arguments = vec!["test", "rules"];
        let files: Vec<_> = self.tests.iter().map(|name| format!("{name}.yaml")).collect();
        for (name, file) in self.tests.iter().zip(&files) {
            let tests = [ALERTS, RECORDED]
                .iter()
                .fold(read(&unit_tests(name)), |tests, path| {
                    tests.replace(&format!("../../{path}"), "changed.yaml")
                });
            std::fs::write(folder.path().join(file), tests).unwrap();
            arguments.push(file);
        }
        promtool(folder.path(), &arguments)
    }
}

/// Every change to every recorded series.
pub(super) fn of_recorded(rules: &[Rule]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        for (what, expr) in of_expr(rule.expr()) {
            let mut changed = rules.to_vec();
            changed[number] = rule.with("expr", &expr);
            mutants.push(Mutant {
                what: format!("{}: {what}:\n{expr}", rule.text("record").unwrap()),
                rules: changed,
                tests: vec!["recorded".to_owned()],
            });
        }
    }
    mutants
}

/// Every change to every alert and threshold.
pub(super) fn of_alerts(rules: &[Rule]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        let (alerts, changes) = match rule.text("alert") {
            Some(alert) => (vec![alert.to_owned()], of_alert(rule)),
            None => (comparing(rules, rule), of_threshold(rule)),
        };
        for (what, changed) in changes {
            let mut changed_rules = rules.to_vec();
            changed_rules[number] = changed;
            let what = format!("{}: {what}", rule.text("alert").or(rule.text("record")).unwrap());
            mutants.push(Mutant::new(what, &changed_rules, &alerts));
        }
    }
    mutants
}

/// The alerts that compare with a threshold.
fn comparing(rules: &[Rule], threshold: &Rule) -> Vec<String> {
    let scalar = format!("scalar({})", threshold.text("record").unwrap());
    let comparing = rules.iter().filter(|rule| rule.expr().contains(&scalar));
    let mut alerts: Vec<_> = comparing
        .filter_map(|rule| rule.text("alert").map(str::to_owned))
        .collect();
    alerts.dedup();
    alerts
}

fn of_threshold(rule: &Rule) -> Vec<(String, Rule)> {
    let by = |factor: &str| {
        let expr = format!("{} * {factor}", rule.expr_as_text());
        (format!("times {factor}"), rule.with("expr", &expr))
    };
    vec![by("1.01"), by("0.99")]
}

fn of_alert(rule: &Rule) -> Vec<(String, Rule)> {
    let mut changes = Vec::new();
    for key in ["for", "keep_firing_for"] {
        changes.extend(
            rule.without(key)
                .map(|changed| (format!("without {key}"), changed)),
        );
    }
    let severity = rule.0["labels"]["severity"].as_str().unwrap();
    for (what, expr) in of_expr(rule.expr()) {
        changes.push((format!("{severity}, {what}:\n{expr}"), rule.with("expr", &expr)));
    }
    changes
}

fn of_expr(expr: &str) -> Vec<(String, String)> {
    let line = expr.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut changes = Vec::new();
    for (from, turned, boundary) in COMPARISONS {
        for (at, _) in line.match_indices(from) {
            for to in [Some(turned), boundary].into_iter().flatten() {
                changes.push((format!("{from}for{to}"), replaced(&line, at..at + from.len(), to)));
            }
        }
    }
    for aggregation in AGGREGATIONS {
        let start = format!("{aggregation} without (");
        for (at, _) in line.match_indices(&start) {
            let end = at + line[at..].find(") ").unwrap() + 2;
            changes.push(("not aggregated".to_owned(), replaced(&line, at..end, "")));
        }
    }
    for operator in SET_OPERATORS {
        for (at, _) in line.match_indices(&format!(" {operator} ")) {
            let end = end_of_operand(&line, at + operator.len() + 2);
            changes.push((format!("without an {operator}"), replaced(&line, at..end, " ")));
        }
    }
    for (at, _) in line.match_indices('{') {
        let end = at + line[at..].find('}').unwrap() + 1;
        if !line[at..end].contains("__name__") {
            changes.push(("without matchers".to_owned(), replaced(&line, at..end, "")));
        }
        let quoted = at + line[at..end].find('"').unwrap() + 1..end - 2;
        let alternatives: Vec<_> = line[quoted.clone()].split('|').collect();
        for dropped in alternatives.iter().filter(|_| alternatives.len() > 1) {
            let kept: Vec<_> = alternatives
                .iter()
                .filter(|one| one != &dropped)
                .copied()
                .collect();
            changes.push((
                format!("without {dropped}"),
                replaced(&line, quoted.clone(), &kept.join("|")),
            ));
        }
    }
    for (at, _) in line.match_indices(" offset ") {
        let end = at + line[at..].find(')').unwrap();
        changes.push(("without offset".to_owned(), replaced(&line, at..end, "")));
    }
    changes
}

fn replaced(line: &str, range: std::ops::Range<usize>, with: &str) -> String {
    let mut changed = line.to_owned();
    changed.replace_range(range, with);
    changed
}

/// Where the right side of a set operator ends: at the next one, or with the parentheses around it.
fn end_of_operand(line: &str, start: usize) -> usize {
    let mut depth = 0;
    for (at, c) in line.char_indices().skip_while(|(at, _)| *at < start) {
        let next_operator = || {
            SET_OPERATORS
                .iter()
                .any(|operator| line[at..].starts_with(&format!(" {operator} ")))
        };
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return at,
            ')' => depth -= 1,
            ' ' if depth == 0 && next_operator() => return at,
            _ => {}
        }
    }
    line.len()
}
