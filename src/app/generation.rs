//! The polling side of one valid configuration.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::aliyun::budget::Budget;
use crate::aliyun::client::Client;
use crate::aliyun::credentials::{Cache, Claims, Fetch};
use crate::aliyun::endpoint::Endpoint;
use crate::aliyun::exchange::Exchange;
use crate::config::{Account, Config};
use crate::host::Host;
use crate::pca::{self, Pca};
use crate::poll::{Poller, Until};
use crate::store::Store;
use crate::telemetry::Telemetry;

/// Calls of STS in any second. A chain of two roles needs two at a time, and more are never needed: sessions last a
/// quarter of an hour at least.
const STS_SLOTS: u8 = 2;

/// The pollers of a configuration, not yet running.
#[derive(Debug)]
pub(super) struct Generation(Vec<Poller>);

impl Generation {
    /// Builds the pollers and tells the store what they will poll.
    pub(super) fn new(config: &Config, host: &Host, store: &Arc<Store>, telemetry: &Arc<Telemetry>) -> Self {
        let claims = Arc::new(Claims::default());
        let poller = |account: &Account| {
            store.set_targets(&account.name, config.poll.interval, &account.targets);
            let targets = account.targets.iter();
            Poller {
                account: account.name.clone(),
                targets: targets
                    .map(|target| (Arc::clone(target), endpoint(account, &target.region)))
                    .collect(),
                interval: config.poll.interval,
                requests_per_second: account.requests_per_second,
                pca: Pca(client(account, config.poll.timeout, host, telemetry, &claims)),
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
            let credentials = Arc::clone(&poller.pca.0.credentials);
            let name = format!("the credentials of account {}", poller.account);
            host.tasks.spawn(name, |stop| async move {
                tokio::select! {
                    () = credentials.keep_fresh() => {}
                    () = stop.cancelled() => {}
                }
            });
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

/// The signed calls of an account, its counters started.
pub(super) fn client(
    account: &Account,
    timeout: Duration,
    host: &Host,
    telemetry: &Arc<Telemetry>,
    claims: &Arc<Claims>,
) -> Client {
    let mut actions: Vec<_> = account.credentials.actions().into_iter().collect();
    actions.push(pca::GET_CA_INSTANCE_STATUS);
    telemetry.start_account(&account.name, &actions, account.requests_per_second);
    let exchange = Exchange::new(account.name.clone(), timeout, host.clone(), Arc::clone(telemetry));
    let fetch = Fetch {
        exchange: exchange.clone(),
        sts: Budget::new(STS_SLOTS, timeout, Instant::now()),
    };
    Client {
        exchange,
        scheme: account.signature,
        credentials: Arc::new(Cache::new(account.credentials.clone(), fetch, Arc::clone(claims))),
    }
}

/// Where calls about a region's instances go.
pub(super) fn endpoint(account: &Account, region: &str) -> Endpoint {
    let known = || pca::of_region(region).expect("the configuration refuses a region without an endpoint");
    account.endpoint.clone().unwrap_or_else(known)
}
