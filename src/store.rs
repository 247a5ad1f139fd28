//! The last known state of every target, and the only place where polling and serving meet.
//!
//! A failure never drops, zeroes or changes a fact: it stands beside the facts that were seen before it. `targets` says
//! which instances there are, `instances` since when each is as it is, `account` what is told of an account as a whole,
//! `snapshot` what a reader sees, `file` what outlives the process.

mod account;
mod file;
mod instance;
mod instances;
mod snapshot;
mod targets;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::{AccountName, Outcome, Reason, Target, UnixMillis};

pub use account::{BudgetState, CredentialsState};
pub use file::StateError;
pub use instance::{Facts, Finding, Found, InstanceState, Source};
pub use instances::{Entry, Instances, Revisions};
pub use snapshot::{AccountState, Snapshot};
pub use targets::Listing;

/// How late a poll may be, in intervals: a turn comes one interval after the last one began, and its retries follow.
const LATE: f64 = 1.1;

/// The state, shared by all.
#[derive(Debug, Default)]
pub struct Store(Mutex<State>);

/// What an outcome changed, for whoever logs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The same as before.
    None,
    /// The first success.
    Seen,
    /// The first success after a failure.
    Recovered,
    /// The first failure, or one for another reason than before.
    Failed,
}

#[derive(Debug, Default)]
struct State {
    accounts: BTreeMap<AccountName, Account>,
    /// How often anything has changed that is worth keeping.
    revision: u64,
}

#[derive(Debug, Default)]
struct Account {
    interval: Duration,
    skew_millis: i64,
    measured_skew_millis: Option<i64>,
    budget: Option<BudgetState>,
    credentials: Option<CredentialsState>,
    /// Instances are to be found.
    discovers: bool,
    /// And that has not been tried yet.
    undiscovered: bool,
    /// When everything was last found that there is.
    discovered: Option<UnixMillis>,
    /// Shared with the snapshots that are still looked at.
    instances: Arc<Instances>,
}

impl Store {
    /// Sets the poll interval in force.
    pub fn set_interval(&self, account: &AccountName, interval: Duration) {
        self.with(|state| {
            if let Some(account) = state.accounts.get_mut(account) {
                account.interval = interval;
            }
        });
    }

    /// Sets what local times are ahead of the true ones, in milliseconds.
    pub fn set_skew(&self, account: &AccountName, millis: i64) {
        self.with(|state| {
            if let Some(account) = state.accounts.get_mut(account) {
                account.skew_millis = millis;
            }
        });
    }

    /// A poll begins at `now`, in true time.
    pub fn attempt(&self, target: &Target, now: UnixMillis) {
        self.with(|state| {
            let account = state.accounts.get_mut(&target.account);
            if let Some(known) = account.and_then(|account| account.known(target)) {
                Arc::make_mut(&mut known.state).attempted = Some(now);
            }
        });
    }

    /// Takes in the outcome of a poll that ended at `now`, in true time.
    ///
    /// A throttled poll says nothing about the instance: it counts only once the facts are older than the
    /// interval in force, and a tenth of it, in which it is tried again.
    pub fn record(&self, target: &Target, outcome: Outcome, now: UnixMillis) -> Change {
        self.with(|state| {
            // A target that has left the configuration meanwhile has no place to record to.
            let Some(account) = state.accounts.get_mut(&target.account) else {
                return Change::None;
            };
            let latest = account.interval.mul_f64(LATE).as_secs_f64();
            let Some(Entry {
                state: known,
                revisions,
            }) = account.known(target)
            else {
                return Change::None;
            };
            state.revision += 1;
            let still_fresh = known
                .facts
                .as_ref()
                .map(|facts| now.seconds_since(facts.seen))
                // A clock that was set back makes facts of the future, and they may be of any age.
                .is_some_and(|age| (0.0..latest).contains(&age));
            let known = Arc::make_mut(known);
            known.concluded = known.attempted;
            if still_fresh && matches!(&outcome, Err(failure) if failure.reason == Reason::Throttled) {
                return Change::None;
            }
            let change = match &outcome {
                Ok(_) if known.up() => Change::None,
                Ok(_) if known.failure.is_some() => Change::Recovered,
                Ok(_) => Change::Seen,
                Err(new) if known.failure.as_ref().is_some_and(|old| old.reason == new.reason) => {
                    Change::None
                }
                Err(_) => Change::Failed,
            };
            revisions.outcome = state.revision;
            if change != Change::None {
                revisions.health = state.revision;
            }
            match outcome {
                Ok(status) => {
                    let before = known.facts.as_ref().map(|facts| &facts.status);
                    revisions.told(state.revision, before, &status);
                    known.facts = Some(Facts { status, seen: now });
                    known.failure = None;
                }
                Err(failure) => known.failure = Some(failure),
            }
            change
        })
    }

    /// The state at this moment.
    pub fn snapshot(&self) -> Snapshot {
        self.with(|state| Snapshot {
            revision: state.revision,
            accounts: state
                .accounts
                .iter()
                .map(|(name, account)| AccountState {
                    name: name.clone(),
                    interval: account.interval,
                    skew_millis: account.skew_millis,
                    measured_skew_millis: account.measured_skew_millis,
                    budget: account.budget,
                    credentials: account.credentials.clone(),
                    waiting: !account.instances.is_empty()
                        && !account.instances.states().any(|instance| instance.tried()),
                    instances: Arc::clone(&account.instances),
                    discovers: account.discovers,
                    undiscovered: account.undiscovered,
                    discovered: account.discovered,
                })
                .collect(),
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Account {
    /// What is known of a target, to be changed. Whoever looks at it meanwhile keeps what was known before.
    fn known(&mut self, target: &Target) -> Option<&mut Entry> {
        // A copy for nobody would be one of all instances.
        let place = self.instances.place(&target.instance_id).ok()?;
        Some(&mut Arc::make_mut(&mut self.instances).entries[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, InstanceStatus};

    const INTERVAL: Duration = Duration::from_secs(300);

    fn target(id: &str) -> Arc<Target> {
        Arc::new(Target {
            account: "prod".into(),
            instance_id: id.into(),
            region: "cn-hangzhou".to_owned(),
            name: None,
            labels: BTreeMap::new(),
        })
    }

    fn store(ids: &[&str]) -> Store {
        let store = Store::default();
        let targets: Vec<_> = ids.iter().map(|id| target(id)).collect();
        store.set_targets(&"prod".into(), INTERVAL, &targets);
        store
    }

    fn issued(count: i64) -> InstanceStatus {
        InstanceStatus {
            certificates_issued: Some(count),
            ..InstanceStatus::default()
        }
    }

    fn failed(reason: Reason) -> Outcome {
        Err(Failure {
            reason,
            detail: String::new(),
        })
    }

    fn only(store: &Store) -> InstanceState {
        let snapshot = store.snapshot();
        let all: Vec<_> = snapshot.instances().collect();
        assert_eq!(all.len(), 1);
        (**all[0]).clone()
    }

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis::from_seconds(seconds)
    }

    #[test]
    fn a_target_not_yet_tried_is_down_without_an_error() {
        let state = only(&store(&["a"]));
        assert!(!state.up() && !state.tried() && state.failure.is_none());
    }

    #[test]
    fn a_success_replaces_the_facts_whole() {
        let store = store(&["a"]);
        let first = InstanceStatus {
            ca_type: Some("ROOT".to_owned()),
            ..InstanceStatus::default()
        };
        assert_eq!(store.record(&target("a"), Ok(first), at(1)), Change::Seen);
        assert_eq!(store.record(&target("a"), Ok(issued(7)), at(2)), Change::None);
        let facts = only(&store).facts.unwrap();
        assert_eq!(
            (facts.status.ca_type, facts.status.certificates_issued, facts.seen),
            (None, Some(7), at(2))
        );
    }

    #[test]
    fn every_failure_keeps_the_facts_and_their_age() {
        for reason in Reason::ALL {
            let store = store(&["a"]);
            store.record(&target("a"), Ok(issued(7)), at(1));
            assert_eq!(
                store.record(&target("a"), failed(reason), at(1000)),
                Change::Failed,
                "{reason}"
            );
            let state = only(&store);
            assert!(!state.up(), "{reason}");
            assert_eq!(state.failure.unwrap().reason, reason);
            assert_eq!(state.facts.unwrap().seen, at(1));
        }
    }

    #[test]
    fn a_throttled_poll_changes_nothing_inside_the_interval() {
        let store = store(&["a"]);
        store.record(&target("a"), Ok(issued(7)), at(0));
        assert_eq!(
            store.record(&target("a"), failed(Reason::Throttled), at(329)),
            Change::None
        );
        assert!(only(&store).up());
        assert_eq!(
            store.record(&target("a"), failed(Reason::Throttled), at(330)),
            Change::Failed
        );
        assert!(!only(&store).up());
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_facts_fresh() {
        let store = store(&["a"]);
        store.record(&target("a"), Ok(issued(7)), at(86_400));
        assert_eq!(
            store.record(&target("a"), failed(Reason::Throttled), at(300)),
            Change::Failed
        );
    }

    #[test]
    fn a_throttled_poll_of_an_instance_never_seen_is_a_failure() {
        let store = store(&["a"]);
        assert_eq!(
            store.record(&target("a"), failed(Reason::Throttled), at(0)),
            Change::Failed
        );
    }

    #[test]
    fn a_change_is_reported_once() {
        let store = store(&["a"]);
        let changes = [
            store.record(&target("a"), failed(Reason::Timeout), at(1)),
            store.record(&target("a"), failed(Reason::Timeout), at(2)),
            store.record(&target("a"), failed(Reason::Server), at(3)),
            store.record(&target("a"), Ok(issued(1)), at(4)),
            store.record(&target("a"), Ok(issued(1)), at(5)),
        ];
        assert_eq!(
            changes,
            [
                Change::Failed,
                Change::None,
                Change::Failed,
                Change::Recovered,
                Change::None
            ]
        );
    }

    #[test]
    fn new_targets_keep_known_facts_and_drop_those_that_left() {
        let store = store(&["a", "b"]);
        store.record(&target("a"), Ok(issued(7)), at(1));
        store.set_targets(&"prod".into(), INTERVAL, &[target("a"), target("c")]);
        let ids: Vec<_> = store
            .snapshot()
            .instances()
            .map(|state| state.target.instance_id.to_string())
            .collect();
        assert_eq!(ids, ["a", "c"]);
        assert!(store.snapshot().instances().next().unwrap().up());
        assert_eq!(store.record(&target("b"), Ok(issued(1)), at(2)), Change::None);
        assert_eq!(store.snapshot().instances().count(), 2);
    }

    #[test]
    fn an_account_is_ready_after_its_first_outcome_or_without_targets() {
        let store = store(&["a", "b"]);
        store.set_targets(&"empty".into(), INTERVAL, &[]);
        assert!(!store.snapshot().ready());
        store.record(&target("a"), failed(Reason::Timeout), at(1));
        assert!(store.snapshot().ready());
    }
}
