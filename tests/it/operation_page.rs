//! docs/operation.md against Prometheus: its PromQL is PromQL, its rules do what it says.

use std::fmt::Write as _;
use std::path::Path;

use crate::support::{Program, blocks, command};

fn page() -> String {
    std::fs::read_to_string("docs/operation.md").unwrap()
}

fn promtool(folder: &Path, arguments: &[&str]) {
    let mut command = command("promtool");
    let (code, output, log) = Program::start(command.current_dir(folder).args(arguments)).end();
    assert_eq!(code, Some(0), "{output}{log}");
}

#[test]
#[ignore = "needs promtool, see tests/run"]
fn every_expression_of_the_page_is_promql() {
    let page = page();
    let expressions: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| {
            !line.starts_with(' ') && line.contains("aliyun_pca_") && line.contains(['<', '>', '='])
        })
        .collect();
    assert!(expressions.len() >= 5, "{expressions:?}");
    let mut rules = "groups:\n- name: page\n  rules:\n".to_owned();
    for (number, expression) in expressions.iter().enumerate() {
        writeln!(
            rules,
            "  - record: page:{number}\n    expr: |\n      {expression}"
        )
        .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("page.yaml"), rules).unwrap();
    promtool(folder.path(), &["check", "rules", "page.yaml"]);
}

#[test]
#[ignore = "needs promtool, see tests/run"]
fn the_rules_for_two_replicas_fire_when_the_page_says() {
    let page = page();
    let mut rules = blocks(&page, "yaml").into_iter();
    let rules = rules.find(|block| block.starts_with("# rules.yaml\n")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    std::fs::copy(
        "tests/data/operation/replicas.yaml",
        folder.path().join("replicas.yaml"),
    )
    .unwrap();
    promtool(folder.path(), &["check", "rules", "rules.yaml"]);
    promtool(folder.path(), &["test", "rules", "replicas.yaml"]);
}
