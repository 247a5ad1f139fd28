//! The store as a text that outlives the process, and back: what was seen, with its times. Not what is configured.
//!
//! The first line names the version and the checksum of the rest: a fact that was not observed must not come out of a
//! damaged file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Entry, Facts, Finding, Found, InstanceState, Instances, Source, State, Store};
use crate::model::{
    AccountName, CertificateIdentifier, Failure, InstanceId, InstanceStatus, Reason, Target, UnixMillis,
};

/// How the first line begins; a change of the shape below changes the number.
const VERSION: &str = "aliyun-pca-exporter state 1";

/// Why a text is no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Another program's, another version's, or nothing at all.
    #[error("it is not a state file of this version")]
    Version,
    /// Cut off or changed.
    #[error("its checksum is wrong")]
    Checksum,
    /// The checksum is right and the text is not; only a defect writes that.
    #[error("its checksum is right and its content is not")]
    Content,
}

#[derive(Serialize, Deserialize)]
struct Account {
    name: String,
    instances: Vec<Instance>,
}

#[derive(Serialize, Deserialize)]
struct Instance {
    id: String,
    listed: bool,
    attempted: Option<i64>,
    facts: Option<FactsSeen>,
    failure: Option<(String, String)>,
    found: Option<FoundBy>,
}

#[derive(Serialize, Deserialize)]
struct FactsSeen {
    seen: i64,
    status: Option<String>,
    ca_type: Option<String>,
    certificates_issued: Option<i64>,
    certificates_quota: Option<i64>,
    not_before: Option<i64>,
    not_after: Option<i64>,
    subscription_expiry: Option<i64>,
    certificate_identifier: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct FoundBy {
    list: bool,
    of_list: bool,
    certificates: BTreeSet<String>,
    region: Option<String>,
    common_names: BTreeMap<String, String>,
    lost: Option<i64>,
}

impl Store {
    /// The text, and the revision that it is of: how often anything had changed by then.
    pub fn to_text(&self) -> (String, u64) {
        let (accounts, revision) = self.with(|state| (state.to_wire(), state.revision));
        let json = serde_json::to_string(&accounts).expect("texts, numbers and lists are always JSON");
        (format!("{VERSION} {}\n{json}\n", checksum(&json)), revision)
    }

    /// How often anything has changed.
    pub fn revision(&self) -> u64 {
        self.with(|state| state.revision)
    }

    /// Takes over everything that a text says. What of it is still polled, the next configuration decides.
    pub fn restore(&self, text: &str) -> Result<(), StateError> {
        let rest = text.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix(' '));
        let (sum, json) = rest
            .and_then(|rest| rest.split_once('\n'))
            .ok_or(StateError::Version)?;
        let json = json.strip_suffix('\n').ok_or(StateError::Checksum)?;
        if sum != checksum(json) {
            return Err(StateError::Checksum);
        }
        let accounts: Vec<Account> = serde_json::from_str(json).map_err(|_| StateError::Content)?;
        let restored = accounts.into_iter().map(|account| {
            let name = AccountName::from(account.name.as_str());
            let instances = account.instances.into_iter();
            let instances = instances.map(|instance| instance.into_entry(&name));
            Some((name.clone(), instances.collect::<Option<BTreeMap<_, _>>>()?))
        });
        // All of it or nothing.
        let restored: Vec<_> = restored.collect::<Option<_>>().ok_or(StateError::Content)?;
        self.with(|state| {
            state.revision += 1;
            for (name, entries) in restored {
                let instances = Instances::new(entries, state.revision);
                state.accounts.entry(name).or_default().instances = Arc::new(instances);
            }
        });
        Ok(())
    }
}

impl State {
    fn to_wire(&self) -> Vec<Account> {
        let instances = |account: &super::Account| {
            let instances = account.instances.states();
            // What was never seen and never found will be tried first anyway.
            let worth = instances.filter(|instance| instance.tried() || instance.found.is_some());
            worth.map(|instance| Instance::from(&**instance)).collect()
        };
        let accounts = self.accounts.iter();
        accounts
            .map(|(name, account)| Account {
                name: name.to_string(),
                instances: instances(account),
            })
            .collect()
    }
}

impl From<&InstanceState> for Instance {
    fn from(state: &InstanceState) -> Self {
        let millis = |time: UnixMillis| time.0;
        Self {
            id: state.target.instance_id.to_string(),
            listed: state.listed,
            // An attempt that was cut off in the middle counts as none.
            attempted: state.concluded.map(millis),
            facts: state.facts.as_ref().map(|facts| FactsSeen {
                seen: facts.seen.0,
                status: facts.status.status.clone(),
                ca_type: facts.status.ca_type.clone(),
                certificates_issued: facts.status.certificates_issued,
                certificates_quota: facts.status.certificates_quota,
                not_before: facts.status.not_before.map(millis),
                not_after: facts.status.not_after.map(millis),
                subscription_expiry: facts.status.subscription_expiry.map(millis),
                certificate_identifier: facts.status.certificate_identifier.clone(),
            }),
            failure: state
                .failure
                .as_ref()
                .map(|failure| (failure.reason.to_string(), failure.detail.clone())),
            found: state.found.as_ref().map(|found| FoundBy {
                list: found.sources.contains(&Source::List),
                of_list: found.of_list,
                certificates: found
                    .sources
                    .iter()
                    .filter_map(|source| match source {
                        Source::List => None,
                        Source::Certificate(certificate) => Some(certificate.to_string()),
                    })
                    .collect(),
                region: found.finding.region.clone(),
                common_names: found.finding.common_names.clone(),
                lost: found.lost.map(millis),
            }),
        }
    }
}

impl Instance {
    /// The state, with a target that the next configuration replaces; nothing for a reason that there is not.
    fn into_entry(self, account: &AccountName) -> Option<(InstanceId, Entry)> {
        let id = InstanceId::from(self.id.as_str());
        let target = Target {
            account: account.clone(),
            instance_id: id.clone(),
            region: String::new(),
            name: None,
            labels: BTreeMap::new(),
        };
        let failure = match self.failure {
            None => None,
            Some((reason, detail)) => Some(Failure {
                reason: Reason::ALL.into_iter().find(|known| known.as_str() == reason)?,
                detail,
            }),
        };
        let state = InstanceState {
            target: Arc::new(target),
            listed: self.listed,
            found: self.found.map(Found::from),
            facts: self.facts.map(Facts::from),
            failure,
            attempted: self.attempted.map(UnixMillis),
            concluded: self.attempted.map(UnixMillis),
        };
        Some((id, Entry::from(state)))
    }
}

impl From<FactsSeen> for Facts {
    fn from(wire: FactsSeen) -> Self {
        Self {
            seen: UnixMillis(wire.seen),
            status: InstanceStatus {
                status: wire.status,
                ca_type: wire.ca_type,
                certificates_issued: wire.certificates_issued,
                certificates_quota: wire.certificates_quota,
                not_before: wire.not_before.map(UnixMillis),
                not_after: wire.not_after.map(UnixMillis),
                subscription_expiry: wire.subscription_expiry.map(UnixMillis),
                certificate_identifier: wire.certificate_identifier,
            },
        }
    }
}

impl From<FoundBy> for Found {
    fn from(wire: FoundBy) -> Self {
        let certificates = wire.certificates.iter();
        let certificates = certificates
            .map(|certificate| Source::Certificate(CertificateIdentifier::from(certificate.as_str())));
        Self {
            sources: wire
                .list
                .then_some(Source::List)
                .into_iter()
                .chain(certificates)
                .collect(),
            of_list: wire.of_list,
            finding: Finding {
                region: wire.region,
                common_names: wire.common_names,
            },
            lost: wire.lost.map(UnixMillis),
        }
    }
}

fn checksum(json: &str) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(json) {
        write!(hex, "{byte:02x}").expect("a String takes everything");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn instance(
        text: &str,
        number: Option<i64>,
        reason: Option<usize>,
        flags: (bool, bool),
    ) -> InstanceState {
        let some_text = (!text.is_empty()).then(|| text.to_owned());
        let found = Found {
            sources: BTreeSet::from([Source::List, Source::Certificate(text.into())]),
            of_list: true,
            finding: Finding {
                region: some_text.clone(),
                common_names: BTreeMap::from([(text.to_owned(), text.to_owned())]),
            },
            lost: number.map(UnixMillis),
        };
        InstanceState {
            target: Arc::new(Target {
                account: "prod".into(),
                instance_id: text.into(),
                region: String::new(),
                name: None,
                labels: BTreeMap::new(),
            }),
            listed: flags.0,
            found: flags.1.then_some(found),
            facts: Some(Facts {
                seen: UnixMillis(number.unwrap_or(7)),
                status: InstanceStatus {
                    status: some_text.clone(),
                    ca_type: some_text.clone(),
                    certificates_issued: number,
                    certificates_quota: number,
                    not_before: number.map(UnixMillis),
                    not_after: number.map(UnixMillis),
                    subscription_expiry: number.map(UnixMillis),
                    certificate_identifier: some_text,
                },
            }),
            failure: reason.map(|reason| Failure {
                reason: Reason::ALL[reason],
                detail: text.to_owned(),
            }),
            attempted: number.map(UnixMillis),
            concluded: number.map(UnixMillis),
        }
    }

    fn insert(state: &mut State, instance: &InstanceState) {
        let account = state.accounts.entry(instance.target.account.clone()).or_default();
        let instances = Arc::make_mut(&mut account.instances);
        let place = instances.place(&instance.target.instance_id).unwrap_err();
        instances.entries.insert(place, Entry::from(instance.clone()));
    }

    fn store(instance: &InstanceState) -> Store {
        let store = Store::default();
        store.with(|state| insert(state, instance));
        store
    }

    fn example() -> String {
        store(&instance(
            "cas-member-1",
            Some(1_765_843_200_000),
            Some(2),
            (true, true),
        ))
        .to_text()
        .0
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_whatever_it_is(
            text in any::<String>(),
            number in any::<Option<i64>>(),
            reason in proptest::option::of(0..Reason::ALL.len()),
            flags in any::<(bool, bool)>(),
        ) {
            let instance = instance(&text, number, reason, flags);
            let restored = Store::default();
            restored.restore(&store(&instance).to_text().0).unwrap();
            let snapshot = restored.snapshot();
            prop_assert_eq!(snapshot.instances().map(Arc::as_ref).collect::<Vec<_>>(), [&instance]);
        }

        #[test]
        fn no_changed_byte_and_no_cut_goes_unnoticed(at in any::<prop::sample::Index>(), byte in 0_u8..128, cut in any::<bool>()) {
            let whole = example();
            let mut bytes = whole.clone().into_bytes();
            let at = at.index(bytes.len());
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] = byte;
            }
            let changed = String::from_utf8(bytes).unwrap();
            prop_assume!(changed != whole);
            let store = Store::default();
            prop_assert!(store.restore(&changed).is_err());
            prop_assert_eq!(store.snapshot().instances().count(), 0);
        }
    }

    #[test]
    fn what_was_never_seen_is_not_worth_a_word() {
        let untried = InstanceState {
            facts: None,
            failure: None,
            ..instance("a", Some(1), None, (true, false))
        };
        let restored = Store::default();
        restored.restore(&store(&untried).to_text().0).unwrap();
        assert_eq!(restored.snapshot().instances().count(), 0);
    }

    #[test]
    fn a_file_of_another_version_is_told_from_a_damaged_one() {
        let store = Store::default();
        let newer = example().replacen("state 1", "state 2", 1);
        assert_eq!(store.restore(&newer), Err(StateError::Version));
        assert_eq!(store.restore(""), Err(StateError::Version));
        let longer = example() + "\n";
        assert_eq!(store.restore(&longer), Err(StateError::Checksum));
    }

    #[test]
    fn of_a_file_with_one_unknown_word_nothing_is_taken() {
        let good = InstanceState {
            target: Arc::new(Target {
                account: "a first one".into(),
                ..(*instance("x", None, None, (true, false)).target).clone()
            }),
            ..instance("x", Some(1), None, (true, false))
        };
        let both = store(&instance("cas-member-1", Some(1), Some(2), (true, true)));
        both.with(|state| insert(state, &good));
        let text = both.to_text().0.replace("\"clock\"", "\"newer\"");
        let (_, json) = text.split_once('\n').unwrap();
        let json = json.trim_end();
        let text = format!("{VERSION} {}\n{json}\n", checksum(json));
        let store = Store::default();
        assert_eq!(store.restore(&text), Err(StateError::Content));
        assert_eq!(store.snapshot().instances().count(), 0);
    }
}
