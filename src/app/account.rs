//! What of an account outlives a configuration: its budgets, its credentials, its schedule, and what is known of its
//! clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::aliyun::budget::Budget;
use crate::aliyun::client::Client;
use crate::aliyun::credentials::{Cache, Claims, Fetch, Provider};
use crate::aliyun::exchange::Exchange;
use crate::aliyun::skew::Skew;
use crate::config::{Account, Config};
use crate::host::Host;
use crate::model::{AccountName, InstanceId};
use crate::pca::{self, Endpoints, Pca};
use crate::poll::{Discovery, DiscoveryTold, Schedule, Told};
use crate::telemetry::Telemetry;

/// Calls of STS in any second. A chain of two roles needs two at a time, and more are never needed: sessions last a
/// quarter of an hour at least.
const STS_SLOTS: u8 = 2;

/// What an account needs to call, as long as there is an account of its name.
#[derive(Debug)]
pub(super) struct Lasting {
    /// When polls and look-ups may go.
    pub(super) status_budget: Budget,
    /// When calls of the list may go.
    pub(super) list_budget: Budget,
    /// When each instance is polled.
    pub(super) schedule: Arc<Mutex<Schedule<InstanceId>>>,
    /// Whoever polls is told of other instances, and of what becomes of calls that were under way at a reload.
    pub(super) changed: Arc<Notify>,
    /// What the log was told.
    pub(super) told: Arc<Told>,
    /// The calls, as the last configuration wants them.
    pub(super) pca: Pca,
    /// What instances were last looked for by.
    pub(super) discovery: Option<Discovery>,
    /// What the credentials were made for.
    made_for: (Provider, Duration),
    /// What discovery has told the log, and how it fares.
    pub(super) discovery_told: Arc<Mutex<DiscoveryTold>>,
}

impl Lasting {
    /// Its budgets, and whose allowance they are about.
    pub(super) fn budgets(&self) -> (Provider, [Budget; 2]) {
        let (provider, _) = &self.made_for;
        (
            provider.clone(),
            [self.status_budget.clone(), self.list_budget.clone()],
        )
    }

    /// Everything new but the budgets, as at the start of the process.
    pub(super) fn new(
        account: &Account,
        config: &Config,
        host: &Host,
        telemetry: &Arc<Telemetry>,
        claims: &Arc<Claims>,
        [status_budget, list_budget]: [Budget; 2],
    ) -> Self {
        let (slots, timeout) = (account.requests_per_second, config.poll.timeout);
        let now = Instant::now();
        Self {
            status_budget,
            list_budget,
            schedule: Arc::new(Mutex::new(Schedule::new([], config.poll.interval, slots, now))),
            changed: Arc::default(),
            told: Arc::default(),
            discovery_told: Arc::default(),
            pca: Pca(client(account, timeout, host, telemetry, claims, Skew::default())),
            discovery: account.discovery.clone(),
            made_for: (account.credentials.clone(), timeout),
        }
    }

    /// The same account under another configuration: what it may have used of its allowance counts on, and the key that
    /// it holds is good on, unless it comes from somewhere else now.
    pub(super) fn reconfigure(
        &mut self,
        account: &Account,
        config: &Config,
        host: &Host,
        telemetry: &Arc<Telemetry>,
        claims: &Arc<Claims>,
        [status_budget, list_budget]: [Budget; 2],
    ) {
        let timeout = config.poll.timeout;
        (self.status_budget, self.list_budget) = (status_budget, list_budget);
        let old = &self.pca.0;
        let skew = old.exchange.skew.clone();
        let mut new = client(account, timeout, host, telemetry, claims, skew);
        let made_for = (account.credentials.clone(), timeout);
        if made_for == self.made_for {
            new.credentials = Arc::clone(&old.credentials);
        } else {
            telemetry.set_credentials_expiry(&account.name, None);
            claims.release(&account.name);
        }
        self.made_for = made_for;
        self.pca = Pca(new);
        self.discovery.clone_from(&account.discovery);
    }
}

/// The budgets of an account: those of whoever had the same key or role before, whatever its name was, since the API
/// counts by that. Otherwise its own ones, all slots taken for a while: settings that differ may still lead to the same
/// key, whose calls are under way, or to one that somebody else has just used. New ones for a new account.
pub(super) fn budgets(
    before: &[(AccountName, (Provider, [Budget; 2]))],
    account: &Account,
    config: &Config,
) -> [Budget; 2] {
    let (slots, timeout) = (account.requests_per_second, config.poll.timeout);
    // Another account may have taken over the key, and with it the budgets.
    let is_taken = |provider: &Provider| {
        let mut others = config.accounts.iter().filter(|other| other.name != account.name);
        others.any(|other| provider.is_same(&other.credentials))
    };
    let same = before
        .iter()
        .find(|(_, (provider, _))| provider.is_same(&account.credentials));
    let own = || {
        before
            .iter()
            .find(|(name, (provider, _))| *name == account.name && !is_taken(provider))
    };
    let Some((_, (_, budgets))) = same.or_else(own) else {
        return [(); 2].map(|()| Budget::new(slots, timeout, Instant::now()));
    };
    for budget in budgets {
        budget.resize(slots, timeout);
        if same.is_none() {
            budget.wait_out();
        }
    }
    budgets.clone()
}

/// The signed calls of an account, its counters started.
pub(super) fn client(
    account: &Account,
    timeout: Duration,
    host: &Host,
    telemetry: &Arc<Telemetry>,
    claims: &Arc<Claims>,
    skew: Skew,
) -> Client {
    let mut actions: Vec<_> = account.credentials.actions().into_iter().collect();
    actions.push(pca::GET_CA_INSTANCE_STATUS);
    let discovery = account.discovery.as_ref();
    match discovery.filter(|discovery| discovery.list) {
        Some(discovery) => {
            actions.push(pca::LIST_PCA_CA_CERTIFICATE);
            telemetry.start_discovery(&account.name, discovery.interval);
        }
        None => telemetry.stop_discovery(&account.name),
    }
    let certificates = discovery.map(|discovery| discovery.certificates.as_slice());
    telemetry.keep_lookups(&account.name, certificates.unwrap_or_default());
    telemetry.start_account(&account.name, &actions, account.requests_per_second);
    let exchange = Exchange {
        skew,
        ..Exchange::new(account.name.clone(), timeout, host.clone(), Arc::clone(telemetry))
    };
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

/// Where an account's calls go.
pub(super) fn endpoints(account: &Account) -> Endpoints {
    Endpoints::new(account.endpoint.clone(), &account.region)
        .expect("the configuration refuses a region without an endpoint")
}
