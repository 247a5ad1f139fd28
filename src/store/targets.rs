//! Which instances there are: those that are listed, those that were found, and when one is forgotten.
//!
//! Nothing that the cloud says drops a fact at once: what only discovery had found is kept until nothing leads to it
//! and the API has not known it for a long time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Entry, Finding, Found, InstanceState, Instances, Source, Store};
use crate::model::{AccountName, InstanceId, Reason, Target, UnixMillis};

/// What a configuration says of an account.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// The account.
    pub account: &'a AccountName,
    /// How often each instance is polled.
    pub interval: Duration,
    /// The listed instances.
    pub targets: &'a [Arc<Target>],
    /// Whether instances are found as well.
    pub discovers: bool,
}

impl Store {
    /// Sets what is polled for an account without discovery. Known facts of targets that stay are kept, others
    /// dropped.
    pub fn set_targets(&self, account: &AccountName, interval: Duration, targets: &[Arc<Target>]) {
        let listing = Listing {
            account,
            interval,
            targets,
            discovers: false,
        };
        self.set_account(&listing, |_, _| None);
    }

    /// Sets what a configuration says of an account. `keep` is asked about every instance that was found: it takes out
    /// the sources that are no more, and gives the target that the instance has now, or nothing if it does not count.
    ///
    /// Known facts of instances that stay are kept, others dropped.
    pub fn set_account(
        &self,
        listing: &Listing<'_>,
        keep: impl Fn(&InstanceId, &mut Found) -> Option<Arc<Target>>,
    ) {
        self.with(|state| {
            let account = state.accounts.entry(listing.account.clone()).or_default();
            let known = Arc::unwrap_or_clone(std::mem::take(&mut account.instances)).entries;
            let known = known.into_iter().map(|entry| (entry.id().clone(), entry));
            let mut known: BTreeMap<_, _> = known.collect();
            account.interval = listing.interval;
            account.undiscovered = listing.discovers && (account.undiscovered || !account.discovers);
            account.discovers = listing.discovers;
            let mut instances = BTreeMap::new();
            for target in listing.targets {
                let id = &target.instance_id;
                let mut instance = known.remove(id).map_or_else(
                    || InstanceState::new(Arc::clone(target)),
                    |known| Arc::unwrap_or_clone(known.state),
                );
                instance.target = Arc::clone(target);
                instance.listed = true;
                instance.found = instance
                    .found
                    .filter(|_| listing.discovers)
                    .and_then(|mut found| keep(id, &mut found).map(|_| found));
                instances.insert(id.clone(), Entry::from(instance));
            }
            for (id, known) in known {
                let mut instance = Arc::unwrap_or_clone(known.state);
                let Some(mut found) = instance.found.take().filter(|_| listing.discovers) else {
                    continue;
                };
                let Some(target) = keep(&id, &mut found) else {
                    continue;
                };
                // What leaves the list needs something else that leads to it; what was found alone has time.
                if instance.listed && found.sources.is_empty() {
                    continue;
                }
                let instance = InstanceState {
                    target,
                    listed: false,
                    found: Some(found),
                    ..instance
                };
                instances.insert(id, Entry::from(instance));
            }
            state.revision += 1;
            account.instances = Arc::new(Instances::new(instances, state.revision));
        });
    }

    /// Drops an account and all that is known of it.
    pub fn remove_account(&self, account: &AccountName) {
        self.with(|state| {
            state.accounts.remove(account);
            state.revision += 1;
        });
    }

    /// Every account.
    pub fn accounts(&self) -> Vec<AccountName> {
        self.with(|state| state.accounts.keys().cloned().collect())
    }

    /// The account's instances, sorted by id, and when each was last polled.
    pub fn targets(&self, account: &AccountName) -> Vec<(Arc<Target>, Option<UnixMillis>)> {
        self.with(|state| {
            let instances = state
                .accounts
                .get(account)
                .map(|account| account.instances.states());
            let targets = instances.into_iter().flatten();
            targets
                .map(|instance| (Arc::clone(&instance.target), instance.attempted))
                .collect()
        })
    }

    /// Finding the account's instances was tried; `complete` is when, if everything was found that there is.
    pub fn discovery_tried(&self, account: &AccountName, complete: Option<UnixMillis>) {
        self.with(|state| {
            if let Some(account) = state.accounts.get_mut(account) {
                account.undiscovered = false;
                account.discovered = complete.or(account.discovered);
            }
        });
    }

    /// When everything of the account was last found.
    pub fn discovered(&self, account: &AccountName) -> Option<UnixMillis> {
        self.with(|state| state.accounts.get(account)?.discovered)
    }

    /// Takes in everything that a source leads to. `target` makes the target of an instance that is not listed.
    /// Returns the instances that were not known before, or nothing at all if it is `outdated`: what another
    /// configuration leaves out by now must not come back.
    pub fn take_in_found(
        &self,
        account: &AccountName,
        source: &Source,
        found: &BTreeMap<InstanceId, Finding>,
        outdated: impl Fn() -> bool,
        target: impl Fn(&InstanceId, &Finding) -> Target,
    ) -> Option<Vec<InstanceId>> {
        self.with(|state| {
            let account = state.accounts.get_mut(account).filter(|_| !outdated())?;
            let instances = Arc::make_mut(&mut account.instances);
            let new: Vec<_> = found
                .keys()
                .filter(|id| instances.place(id).is_err())
                .cloned()
                .collect();
            let added = new.iter().map(|id| {
                let target = target(id, &found[id]);
                Entry::from(InstanceState::new(Arc::new(target)))
            });
            instances.entries.extend(added);
            instances.entries.sort_by(|one, other| one.id().cmp(other.id()));
            let mut reshaped = !new.is_empty();
            for entry in &mut instances.entries {
                let is_found = found.contains_key(entry.id());
                let instance = &mut entry.state;
                let led = instance
                    .found
                    .as_ref()
                    .is_some_and(|known| known.sources.contains(source));
                if led && !is_found {
                    let known = Arc::make_mut(instance).found.as_mut();
                    known.map(|known| known.sources.remove(source));
                }
            }
            for (id, finding) in found {
                let place = instances.place(id).expect("it was known, or was added just now");
                let instance = Arc::make_mut(&mut instances.entries[place].state);
                let known = instance.found.get_or_insert_default();
                known.sources.insert(source.clone());
                known.lost = None;
                // A look-up knows nothing of what the list says.
                if *source == Source::List {
                    known.of_list = true;
                    reshaped |= known.finding != *finding;
                    known.finding = finding.clone();
                }
                if !instance.listed {
                    let target = target(id, &known.finding);
                    if *instance.target != target {
                        reshaped = true;
                        instance.target = Arc::new(target);
                    }
                }
            }
            state.revision += 1;
            if reshaped {
                instances.shape = state.revision;
            }
            Some(new)
        })
    }

    /// Drops the instances that only discovery had found, to which nothing has led and which the API has not known for
    /// `forget_after`. Returns those that were dropped.
    pub fn forget(&self, account: &AccountName, now: UnixMillis, forget_after: Duration) -> Vec<InstanceId> {
        self.with(|state| {
            let Some(account) = state.accounts.get_mut(account) else {
                return Vec::new();
            };
            let instances = Arc::make_mut(&mut account.instances);
            let mut forgotten = Vec::new();
            instances.entries.retain_mut(|entry| {
                let instance = &mut entry.state;
                let unknown = instance
                    .failure
                    .as_ref()
                    .is_some_and(|failure| failure.reason == Reason::NotFound);
                let Some(found) = instance.found.as_ref().filter(|_| !instance.listed) else {
                    return true;
                };
                let lost = (unknown && found.sources.is_empty()).then(|| found.lost.unwrap_or(now));
                if lost.is_some_and(|since| now.seconds_since(since) >= forget_after.as_secs_f64()) {
                    forgotten.push(entry.id().clone());
                    return false;
                }
                if found.lost != lost
                    && let Some(found) = &mut Arc::make_mut(instance).found
                {
                    found.lost = lost;
                }
                true
            });
            state.revision += 1;
            if !forgotten.is_empty() {
                instances.shape = state.revision;
            }
            forgotten
        })
    }
}
