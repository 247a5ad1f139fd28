//! The polling side of one valid configuration, and what goes on from one to the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::account::{Lasting, budgets, endpoints};
use crate::aliyun::budget::Budget;
use crate::aliyun::credentials::{Claims, Provider};
use crate::config::{Account, Config};
use crate::host::Host;
use crate::model::{AccountName, InstanceId};
use crate::poll::{Discoverer, Discovery, Poller, Until};
use crate::store::{Found, Listing, Source, Store};
use crate::telemetry::Telemetry;

/// What outlives every configuration.
#[derive(Debug)]
pub(super) struct Accounts {
    store: Arc<Store>,
    telemetry: Arc<Telemetry>,
    claims: Arc<Claims>,
    lasting: BTreeMap<AccountName, Lasting>,
}

/// The loops of a configuration, not yet running.
#[derive(Debug)]
pub(super) struct Generation(Vec<Member>);

/// The loops of one account.
#[derive(Debug)]
struct Member {
    poller: Poller,
    /// With the time until it is to look first.
    discoverer: Option<(Discoverer, Duration)>,
}

impl Accounts {
    /// None yet.
    pub(super) fn new(store: &Arc<Store>, telemetry: &Arc<Telemetry>) -> Self {
        Self {
            store: Arc::clone(store),
            telemetry: Arc::clone(telemetry),
            claims: Arc::default(),
            lasting: BTreeMap::new(),
        }
    }

    /// Takes over a configuration: tells the store what is polled, lets go of accounts that are gone, and builds the
    /// loops. Those of the configuration before are to be stopped before these are started.
    pub(super) fn generation(&mut self, config: &Config, host: &Host) -> Generation {
        let gone: Vec<_> = self.store.accounts();
        let lasting = self
            .lasting
            .iter()
            .map(|(name, lasting)| (name.clone(), lasting.budgets()));
        let before: Vec<_> = lasting.collect();
        let stays = |name: &AccountName| config.accounts.iter().any(|account| account.name == *name);
        for name in gone.iter().filter(|name| !stays(name)) {
            self.lasting.remove(name);
            self.store.remove_account(name);
            self.telemetry.stop_account(name);
            self.claims.release(name);
        }
        let members = config.accounts.iter();
        Generation(
            members
                .map(|account| self.member(account, config, host, &before))
                .collect(),
        )
    }

    /// `before` are the budgets of the configuration before.
    fn member(
        &mut self,
        account: &Account,
        config: &Config,
        host: &Host,
        before: &[(AccountName, (Provider, [Budget; 2]))],
    ) -> Member {
        let budgets = budgets(before, account, config);
        let (telemetry, claims) = (&self.telemetry, &self.claims);
        let known = self.lasting.get(&account.name);
        let looked_for_the_same = known.is_some_and(|known| known.discovery == account.discovery);
        let lasting = match self.lasting.entry(account.name.clone()) {
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert(Lasting::new(account, config, host, telemetry, claims, budgets))
            }
            std::collections::btree_map::Entry::Occupied(known) => {
                let known = known.into_mut();
                known.reconfigure(account, config, host, telemetry, claims, budgets);
                known
            }
        };
        let said = Listing {
            account: &account.name,
            interval: config.poll.interval,
            targets: &account.targets,
            discovers: account.discovery.is_some(),
        };
        let discovery = account.discovery.as_ref();
        self.store.set_account(&said, |id, found| {
            let discovery = discovery.filter(|discovery| still_counts(discovery, id, found))?;
            let region = found.finding.region.as_deref();
            Some(Arc::new(discovery.target(&account.name, id, region)))
        });
        let discoverer = discovery.map(|discovery| {
            let discoverer = Discoverer {
                account: account.name.clone(),
                discovery: discovery.clone(),
                pca: lasting.pca.clone(),
                endpoints: endpoints(account),
                list_budget: lasting.list_budget.clone(),
                status_budget: lasting.status_budget.clone(),
                store: Arc::clone(&self.store),
                telemetry: Arc::clone(telemetry),
                host: host.clone(),
                changed: Arc::clone(&lasting.changed),
                told: Arc::clone(&lasting.discovery_told),
            };
            let last = self
                .store
                .discovered(&account.name)
                .filter(|_| looked_for_the_same);
            let age = last.map(|at| lasting.pca.0.exchange.now().seconds_since(at).max(0.0));
            let wait = age.map(|age| discovery.interval.saturating_sub(Duration::from_secs_f64(age)));
            (discoverer, wait.unwrap_or_default())
        });
        Member {
            poller: Poller {
                account: account.name.clone(),
                interval: config.poll.interval,
                requests_per_second: account.requests_per_second,
                pca: lasting.pca.clone(),
                endpoints: endpoints(account),
                budget: lasting.status_budget.clone(),
                store: Arc::clone(&self.store),
                telemetry: Arc::clone(telemetry),
                host: host.clone(),
                schedule: Arc::clone(&lasting.schedule),
                changed: Arc::clone(&lasting.changed),
                told: Arc::clone(&lasting.told),
            },
            discoverer,
        }
    }
}

/// Whether a found instance counts under these settings; takes out the sources that are no more.
fn still_counts(discovery: &Discovery, id: &InstanceId, found: &mut Found) -> bool {
    let was_found = !found.sources.is_empty();
    found.sources.retain(|source| match source {
        Source::List => discovery.list && discovery.selection.takes(id),
        Source::Certificate(certificate) => discovery.certificates.contains(certificate),
    });
    // What is lost already goes on until it is forgotten, unless it is of the list and the patterns leave it out by now.
    let left_out = found.of_list && !discovery.selection.takes(id);
    !found.sources.is_empty() || (!was_found && !left_out)
}

impl Generation {
    /// Starts the loops. They end when the token that is returned is cancelled, or the host's tasks are stopped.
    pub(super) fn start(self, host: &Host) -> CancellationToken {
        let stop = host.tasks.stopping().child_token();
        for Member { poller, discoverer } in self.0 {
            let account = poller.account.clone();
            let spawn = |what: &str| (stop.clone(), format!("{what} of account {account}"));
            let credentials = Arc::clone(&poller.pca.0.credentials);
            let (token, name) = spawn("the credentials");
            host.tasks.spawn_until(token, name, |stop| async move {
                tokio::select! {
                    () = credentials.keep_fresh() => {}
                    () = stop.cancelled() => {}
                }
            });
            let (token, name) = spawn("the poller");
            host.tasks
                .spawn_until(token, name, |stop| poller.run(Until::Stopped, stop));
            if let Some((discoverer, wait)) = discoverer {
                let (token, name) = spawn("the discovery");
                host.tasks
                    .spawn_until(token, name, |stop| discoverer.run(wait, stop));
            }
        }
        stop
    }

    /// Finds what there is to be found and polls until every instance has been polled, or the token is cancelled.
    /// Returns whether everything was found.
    pub(super) async fn settle(self, stop: &CancellationToken) -> bool {
        let members = self.0.into_iter().map(|Member { poller, discoverer }| {
            let stop = stop.clone();
            async move {
                let complete = match discoverer {
                    Some((discoverer, _)) => discoverer.look(&stop).await,
                    None => true,
                };
                poller.run(Until::Settled, stop).await;
                complete
            }
        });
        let complete = members.collect::<JoinSet<_>>().join_all().await;
        complete.into_iter().all(|complete| complete)
    }
}
