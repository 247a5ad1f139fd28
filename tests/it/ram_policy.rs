//! `ram-policy`, as a person pipes it into a file.

use serde_json::{Value, json};

use crate::support::{Program, command};

fn run(yaml: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), yaml).unwrap();
    let mut command = command(env!("CARGO_BIN_EXE_aliyun-pca-exporter"));
    Program::start(command.current_dir(folder.path()).arg("ram-policy")).end()
}

#[test]
fn standard_output_is_the_policy_and_nothing_else() {
    let (code, output, told) = run("accounts:\n\
         - name: prod\n  \
           credentials: {assume_role: {role_arn: \"acs:ram::1:role/pca\", source: {env: {}}}}\n  \
           instances: [{id: cas-member-1}]\n\
         - name: lab\n  \
           credentials: {uri: {uri: \"http://localhost/CANARY\"}}\n  \
           instances: [{id: cas-member-1}]\n");
    assert_eq!(code, Some(0), "{told}");
    let policy: Value = serde_json::from_str(&output).unwrap();
    let statement =
        json!({"Effect": "Allow", "Action": ["yundun-cert:GetCAInstanceStatus"], "Resource": "*"});
    assert_eq!(policy, json!({"Version": "1", "Statement": [statement]}));

    for sentence in [
        "account prod: the policy is for the role acs:ram::1:role/pca\n",
        "account lab: the policy is for the user or role that `uri` leads to\n",
    ] {
        assert!(told.contains(sentence), "{told}");
    }
    assert!(!told.contains("CANARY"), "{told}");
    let (_, rest) = told.split_once("needs this policy for that:\n").unwrap();
    let (further, _) = rest.split_once("\naccount lab").unwrap();
    let further: Value = serde_json::from_str(further).unwrap();
    let statement =
        json!({"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": "acs:ram::1:role/pca"});
    assert_eq!(further, json!({"Version": "1", "Statement": [statement]}));
}

#[test]
fn discovery_adds_the_list_to_the_one_statement_and_who_does_not_need_it_is_told() {
    let (code, output, told) = run("accounts:\n\
         - {name: prod, credentials: {env: {}}, discovery: {}}\n\
         - {name: lab, credentials: {uri: {uri: \"http://localhost/\"}}, certificates: [{identifier: 160ae6bb}]}\n");
    assert_eq!(code, Some(0), "{told}");
    let actions = [
        "yundun-cert:GetCAInstanceStatus",
        "yundun-cert:ListPcaCaCertificate",
    ];
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let policy: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(policy, json!({"Version": "1", "Statement": [statement]}));
    let spared: Vec<_> = told.lines().filter(|line| line.contains("left out")).collect();
    assert_eq!(
        spared,
        ["account lab: yundun-cert:ListPcaCaCertificate is for other accounts and may be left out here"]
    );
}

#[test]
fn a_configuration_that_is_wrong_gets_no_policy() {
    let (code, output, told) = run("accounts: []\n");
    assert_eq!((code, output.as_str()), (Some(2), ""));
    assert_eq!(told, "config.yaml:1: accounts: list at least one account\n");
}

#[test]
fn the_readme_shows_the_policy_that_is_printed() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let (_, block) = readme.split_once("```json\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let shown: Value = serde_json::from_str(block).unwrap();
    let (_, output, _) = run("accounts: [{name: prod, instances: [{id: cas-member-1}]}]\n");
    assert_eq!(shown, serde_json::from_str::<Value>(&output).unwrap());
}
