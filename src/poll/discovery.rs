//! How instances are found that nobody listed, and what they are shown as. The settings alone: asking is not here.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Pattern, Selection};
use crate::model::{AccountName, CertificateIdentifier, InstanceId, Target};

/// How instances are found, beside those that are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// How often the list is asked for, or a certificate's instance is looked up: 1 min to 1 d, 1 h by default.
    pub interval: Duration,
    /// Whether the account's CA certificates are listed; else only `certificates` are looked up.
    pub list: bool,
    /// Which found ids count.
    pub selection: Selection,
    /// How long the series of an instance stay that discovery alone had found and no longer finds: 1 h to 365 d,
    /// 7 d by default.
    pub forget_after: Duration,
    /// Certificates whose instance is looked up.
    pub certificates: Vec<CertificateIdentifier>,
    /// What found instances are shown as; all that match apply in order, later ones win.
    pub rules: Vec<Rule>,
    /// The account's labels, under all others.
    pub labels: BTreeMap<String, String>,
    /// The account's region, for an answer without one.
    pub region: String,
}

/// Name, labels and region for the found instances whose id matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Of the whole id.
    pub pattern: Pattern,
    /// The user's name for the instance.
    pub name: Option<String>,
    /// On top of the account's labels; an empty text takes one off.
    pub labels: BTreeMap<String, String>,
    /// Instead of the region that discovery tells.
    pub region: Option<String>,
}

impl Discovery {
    /// The target of an instance that was found, with the `region` that the answer told.
    pub fn target(&self, account: &AccountName, id: &InstanceId, region: Option<&str>) -> Target {
        let mut target = Target {
            account: account.clone(),
            instance_id: id.clone(),
            region: region.unwrap_or(&self.region).to_owned(),
            name: None,
            labels: self.labels.clone(),
        };
        for rule in self.rules.iter().filter(|rule| rule.pattern.matches(id)) {
            target.labels.extend(rule.labels.clone());
            if let Some(name) = &rule.name {
                target.name = Some(name.clone());
            }
            if let Some(region) = &rule.region {
                target.region.clone_from(region);
            }
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn rule(pattern: &str) -> Rule {
        Rule {
            pattern: Pattern::from(pattern),
            name: None,
            labels: BTreeMap::new(),
            region: None,
        }
    }

    /// Of an account in cn-hangzhou, with the label team=pki.
    fn discovery(rules: Vec<Rule>) -> Discovery {
        Discovery {
            interval: Duration::from_secs(3600),
            list: true,
            selection: Selection::default(),
            forget_after: Duration::from_secs(7 * 24 * 3600),
            certificates: Vec::new(),
            rules,
            labels: labels(&[("team", "pki")]),
            region: "cn-hangzhou".to_owned(),
        }
    }

    fn target(discovery: &Discovery, region: Option<&str>) -> Target {
        discovery.target(
            &AccountName::from("prod"),
            &InstanceId::from("cas-member-lab-1"),
            region,
        )
    }

    #[test]
    fn without_rules_a_found_instance_has_the_accounts_labels_and_no_name() {
        assert_eq!(
            target(&discovery(Vec::new()), Some("eu-central-1")),
            Target {
                account: AccountName::from("prod"),
                instance_id: InstanceId::from("cas-member-lab-1"),
                region: "eu-central-1".to_owned(),
                name: None,
                labels: labels(&[("team", "pki")]),
            }
        );
    }

    #[test]
    fn an_answer_without_a_region_means_the_accounts() {
        assert_eq!(target(&discovery(Vec::new()), None).region, "cn-hangzhou");
    }

    #[test]
    fn a_rule_wins_over_the_account_and_over_the_answer() {
        let rule = Rule {
            name: Some("Lab CA".to_owned()),
            labels: labels(&[("team", "lab"), ("env", "lab")]),
            region: Some("ap-southeast-1".to_owned()),
            ..rule("cas-member-lab-*")
        };
        let target = target(&discovery(vec![rule]), Some("eu-central-1"));
        assert_eq!(target.name.as_deref(), Some("Lab CA"));
        assert_eq!(target.labels, labels(&[("team", "lab"), ("env", "lab")]));
        assert_eq!(target.region, "ap-southeast-1");
    }

    #[test]
    fn a_rule_that_does_not_match_changes_nothing() {
        let rule = Rule {
            name: Some("Production CA".to_owned()),
            labels: labels(&[("env", "prod")]),
            region: Some("ap-southeast-1".to_owned()),
            ..rule("cas-member-prod-*")
        };
        assert_eq!(
            target(&discovery(vec![rule]), None),
            target(&discovery(Vec::new()), None)
        );
    }

    #[test]
    fn all_rules_that_match_apply_and_later_ones_win() {
        let rules = vec![
            Rule {
                name: Some("CA".to_owned()),
                labels: labels(&[("env", "prod"), ("tier", "1")]),
                region: Some("eu-central-1".to_owned()),
                ..rule("*")
            },
            Rule {
                name: Some("Lab CA".to_owned()),
                labels: labels(&[("env", "lab")]),
                ..rule("*-lab-*")
            },
            Rule {
                labels: labels(&[("team", "")]),
                ..rule("cas-member-lab-1")
            },
        ];
        let target = target(&discovery(rules), None);
        assert_eq!(target.name.as_deref(), Some("Lab CA"));
        assert_eq!(
            target.labels,
            labels(&[("env", "lab"), ("team", ""), ("tier", "1")])
        );
        assert_eq!(target.region, "eu-central-1");
    }
}
