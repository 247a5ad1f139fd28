//! `ram-policy`: the least that the exporter's users and roles must be allowed.
//!
//! Standard output gets one policy and nothing else: that of whoever calls the API. Which user or role that is, and
//! what those need that take a role on, is told on standard error. Nothing is called and no variable is read.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::has_endpoint;
use crate::aliyun::credentials::{ASSUME_ROLE, Provider};
use crate::config::{Account, Config};
use crate::host::Files;
use crate::pca;

/// A policy of the vendor's Resource Access Management; prints as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    action: Vec<String>,
    resource: String,
}

pub(super) fn ram_policy(path: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(path, &Files::disk(), has_endpoint)?;
    let all: BTreeSet<_> = config.accounts.iter().flat_map(actions).collect();
    let owners: String = config
        .accounts
        .iter()
        .map(|account| owners(account, &all))
        .collect();
    let policy = Policy::allow(all, "*");
    write!(std::io::stderr(), "{owners}")?;
    writeln!(std::io::stdout(), "{}", policy.json()?)?;
    Ok(ExitCode::SUCCESS)
}

impl Policy {
    fn allow(actions: impl IntoIterator<Item = impl Into<String>>, resource: impl Into<String>) -> Self {
        Self {
            version: "1",
            statement: vec![Statement {
                effect: "Allow",
                action: actions.into_iter().map(Into::into).collect(),
                resource: resource.into(),
            }],
        }
    }

    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

/// What the calls of an account need. A look-up of a certificate is the action that polls are.
fn actions(account: &Account) -> BTreeSet<&'static str> {
    let lists = account.discovery.as_ref().is_some_and(|discovery| discovery.list);
    let list = lists.then_some(pca::LIST_PCA_CA_CERTIFICATE_RAM_ACTION);
    [pca::GET_CA_INSTANCE_STATUS_RAM_ACTION]
        .into_iter()
        .chain(list)
        .collect()
}

/// Whose the policy for `all` actions is in an account, and what the others need that lead there.
fn owners(account: &Account, all: &BTreeSet<&'static str>) -> String {
    let mut lines = vec![format!("the policy is for {}", owner(&account.credentials))];
    let needed = actions(account);
    for action in all.difference(&needed) {
        lines.push(format!("{action} is for other accounts and may be left out here"));
    }
    needs(&account.credentials, &mut lines);
    let lines = lines
        .iter()
        .map(|line| format!("account {}: {line}\n", account.name));
    lines.collect()
}

/// What those need that take a role on.
fn needs(provider: &Provider, lines: &mut Vec<String>) {
    match provider {
        Provider::AssumeRole(role) => {
            let policy = Policy::allow([format!("sts:{ASSUME_ROLE}")], role.role_arn.clone());
            let policy = policy.json().expect("texts alone are always JSON");
            let source = owner(&role.source);
            lines.push(format!(
                "{source} takes on the role {}, which must trust it, and needs this policy for that:\n{policy}",
                role.role_arn
            ));
            needs(&role.source, lines);
        }
        Provider::Profile(_) => lines.push(format!(
            "if the profile takes on a role, whoever it does so as needs sts:{ASSUME_ROLE} on that role"
        )),
        Provider::Chain(chain) => chain
            .providers()
            .iter()
            .for_each(|provider| needs(provider, lines)),
        Provider::AccessKey(_)
        | Provider::Env
        | Provider::Oidc(_)
        | Provider::EcsMetadata(_)
        | Provider::Uri(_) => {}
    }
}

/// Who calls with what a provider gives.
fn owner(provider: &Provider) -> String {
    match provider.role_arn() {
        Some(arn) => format!("the role {arn}"),
        None => format!("the user or role that `{provider}` leads to"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(credentials: &str) -> String {
        let text = format!(
            "accounts: [{{name: prod, credentials: {credentials}, instances: [{{id: cas-member-1}}]}}]\n"
        );
        let files = Files::memory([("config.yaml", text.as_str())]);
        let config = Config::load(Path::new("config.yaml"), &files, has_endpoint).unwrap();
        owners(&config.accounts[0], &actions(&config.accounts[0]))
    }

    /// The actions of an account with these lines.
    fn actions_of(lines: &str) -> Vec<&'static str> {
        let text = format!("accounts: [{{name: prod, {lines}}}]\n");
        let files = Files::memory([("config.yaml", text.as_str())]);
        let config = Config::load(Path::new("config.yaml"), &files, has_endpoint).unwrap();
        actions(&config.accounts[0]).into_iter().collect()
    }

    #[test]
    fn only_an_account_that_lists_its_certificates_needs_the_list() {
        let (status, list) = (
            "yundun-cert:GetCAInstanceStatus",
            "yundun-cert:ListPcaCaCertificate",
        );
        for (lines, wanted) in [
            ("instances: [{id: a}]", vec![status]),
            ("certificates: [{identifier: 160ae6bb}]", vec![status]),
            ("discovery: {}", vec![status, list]),
            ("discovery: {}, instances: [{id: a}]", vec![status, list]),
        ] {
            assert_eq!(actions_of(lines), wanted, "{lines}");
        }
    }

    #[test]
    fn the_owner_of_a_plain_key_needs_nothing_else() {
        assert_eq!(
            told("{env: {}}"),
            "account prod: the policy is for the user or role that `env` leads to\n"
        );
    }

    #[test]
    fn a_role_taken_on_with_a_token_needs_no_permission_for_that() {
        assert_eq!(
            told("{oidc: {role_arn: \"acs:ram::1:role/pod\"}}"),
            "account prod: the policy is for the role acs:ram::1:role/pod\n"
        );
    }

    #[test]
    fn whoever_takes_on_a_role_needs_a_policy_of_its_own_at_every_step() {
        let told = told(
            "{assume_role: {role_arn: \"acs:ram::1:role/pca\", source: \
             {assume_role: {role_arn: \"acs:ram::2:role/hub\", source: {ecs_metadata: {}}}}}}",
        );
        assert_eq!(
            told,
            r#"account prod: the policy is for the role acs:ram::1:role/pca
account prod: the role acs:ram::2:role/hub takes on the role acs:ram::1:role/pca, which must trust it, and needs this policy for that:
{
  "Version": "1",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "sts:AssumeRole"
      ],
      "Resource": "acs:ram::1:role/pca"
    }
  ]
}
account prod: the user or role that `ecs_metadata` leads to takes on the role acs:ram::2:role/hub, which must trust it, and needs this policy for that:
{
  "Version": "1",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "sts:AssumeRole"
      ],
      "Resource": "acs:ram::2:role/hub"
    }
  ]
}
"#
        );
    }

    #[test]
    fn what_only_a_profile_knows_is_left_to_its_owner() {
        let sentence =
            "if the profile takes on a role, whoever it does so as needs sts:AssumeRole on that role\n";
        for credentials in ["{profile: {}}", "{default: {}}", "{chain: [{profile: {}}]}"] {
            let told = told(credentials);
            assert_eq!(told.lines().count(), 2, "{told}");
            assert!(told.ends_with(sentence), "{told}");
        }
    }
}
