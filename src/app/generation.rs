//! The polling side of one valid configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::aliyun::budget::Budget;
use crate::aliyun::client::Client;
use crate::aliyun::endpoint::Endpoint;
use crate::config::{Account, Config};
use crate::host::Host;
use crate::model::AccountName;
use crate::pca::{self, Pca};
use crate::poll::{Poller, Until};
use crate::store::Store;
use crate::telemetry::Telemetry;

/// The pollers of a configuration, not yet running.
#[derive(Debug)]
pub(super) struct Generation(Vec<Poller>);

impl Generation {
    /// Builds the pollers and tells the store what they will poll.
    pub(super) fn new(config: &Config, host: &Host, store: &Arc<Store>, telemetry: &Arc<Telemetry>) -> Self {
        warn_of_shared_keys(config, host);
        let poller = |account: &Account| {
            telemetry.start_account(
                &account.name,
                &[pca::GET_CA_INSTANCE_STATUS],
                account.requests_per_second,
            );
            store.set_targets(&account.name, config.poll.interval, &account.targets);
            let targets = account.targets.iter();
            Poller {
                account: account.name.clone(),
                targets: targets
                    .map(|target| (Arc::clone(target), endpoint(account, &target.region)))
                    .collect(),
                interval: config.poll.interval,
                requests_per_second: account.requests_per_second,
                pca: Pca(Client {
                    account: account.name.clone(),
                    scheme: account.signature,
                    credentials: account.credentials.clone(),
                    timeout: config.poll.timeout,
                    host: host.clone(),
                    telemetry: Arc::clone(telemetry),
                }),
                budget: Budget::new(account.requests_per_second, config.poll.timeout, Instant::now()),
                store: Arc::clone(store),
                telemetry: Arc::clone(telemetry),
                host: host.clone(),
            }
        };
        Self(config.accounts.iter().map(poller).collect())
    }

    /// Polls until the host's tasks are stopped.
    pub(super) fn start(self, host: &Host) {
        for poller in self.0 {
            let name = format!("the poller of account {}", poller.account);
            host.tasks.spawn(name, |stop| poller.run(Until::Stopped, stop));
        }
    }

    /// Polls until every instance has been polled, or the token is cancelled.
    pub(super) async fn settle(self, stop: &CancellationToken) {
        let pollers = self
            .0
            .into_iter()
            .map(|poller| poller.run(Until::Settled, stop.clone()));
        pollers.collect::<JoinSet<_>>().join_all().await;
    }
}

fn endpoint(account: &Account, region: &str) -> Endpoint {
    let known = || pca::of_region(region).expect("the configuration refuses a region without an endpoint");
    account.endpoint.clone().unwrap_or_else(known)
}

/// Two accounts with one key have one allowance at the API and two budgets here. Where the configuration shows
/// it, it was refused; a key from a file or the environment shows only now.
fn warn_of_shared_keys(config: &Config, host: &Host) {
    let mut first_with: BTreeMap<String, &AccountName> = BTreeMap::new();
    for account in &config.accounts {
        // An account without a usable key says so at its first poll.
        let Ok(credentials) = account.credentials.credentials(host) else {
            continue;
        };
        if let Some(first) = first_with.get(&credentials.access_key_id) {
            warn!(
                account = %account.name,
                same_as = %first,
                "two accounts use one access key, so together they may exceed its allowance at the API; \
                 make them one account, or share the allowance by requests_per_second",
            );
        } else {
            first_with.insert(credentials.access_key_id, &account.name);
        }
    }
}
