//! The loop that finds the instances of one account: the list of CA certificates, and the certificates that are looked up.
//!
//! It adds to what is polled and takes nothing away, but for what `store` forgets after a long time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Discovery, retry};
use crate::aliyun::budget::Budget;
use crate::aliyun::error::CallError;
use crate::host::Host;
use crate::model::{AccountName, CertificateIdentifier, InstanceId, Reason, Target};
use crate::pca::{Endpoints, GET_CA_INSTANCE_STATUS_RAM_ACTION, LIST_PCA_CA_CERTIFICATE_RAM_ACTION, Pca};
use crate::store::{Finding, Source, Store};
use crate::telemetry::Telemetry;

/// The first wait after a round that failed; it doubles up to the interval.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// More pages than any account has: where there is no end, something is wrong.
const MOST_PAGES: usize = 1000;

/// Finds the instances of one account.
#[derive(Debug)]
pub struct Discoverer {
    /// The account.
    pub account: AccountName,
    /// What is looked for, and how often.
    pub discovery: Discovery,
    /// The calls.
    pub pca: Pca,
    /// Where they go.
    pub endpoints: Endpoints,
    /// When calls of the list may go.
    pub list_budget: Budget,
    /// When look-ups may go: with the polls, whose action theirs is.
    pub status_budget: Budget,
    /// Where what is found goes.
    pub store: Arc<Store>,
    /// The counters.
    pub telemetry: Arc<Telemetry>,
    /// Randomness.
    pub host: Host,
    /// Who polls, and is told of other instances.
    pub changed: Arc<Notify>,
    /// What the log knows already.
    pub told: Arc<Mutex<DiscoveryTold>>,
}

/// What the log was last told of an account's discovery, and how it fares. It goes on from one configuration to the
/// next.
#[derive(Debug, Default)]
pub struct DiscoveryTold {
    /// Why each source failed the last time, if it did.
    failures: BTreeMap<Source, Reason>,
    /// Regions without a known endpoint.
    regions: BTreeSet<String>,
}

impl Discoverer {
    /// Looks after `wait` and then at every interval, until it is asked to stop; a call under way ends then.
    pub async fn run(self, mut wait: Duration, stop: CancellationToken) {
        let mut failures = 0;
        while stop.run_until_cancelled(sleep(wait)).await.is_some() {
            let Some(complete) = self.look_around(&stop).await else {
                return;
            };
            let interval = self.discovery.interval;
            wait = if complete {
                failures = 0;
                interval
            } else {
                failures += 1;
                // Half of it at least, so that accounts that failed together do not come back together.
                let longest = (FIRST_WAIT * 2_u32.saturating_pow(failures - 1)).min(interval);
                longest.mul_f64(0.5 + self.host.random.fraction() / 2.0)
            };
        }
    }

    /// Looks once; returns whether everything was found that there is.
    pub async fn look(&self, stop: &CancellationToken) -> bool {
        self.look_around(stop).await == Some(true)
    }

    /// The same, or nothing if it was asked to stop.
    async fn look_around(&self, stop: &CancellationToken) -> Option<bool> {
        let mut complete = true;
        if self.discovery.list {
            let found = self.listed(stop).await?;
            complete &= self.take_in(Source::List, found, stop)?;
        }
        for certificate in &self.discovery.certificates {
            let found = self.looked_up(certificate, stop).await?;
            complete &= self.take_in(Source::Certificate(certificate.clone()), found, stop)?;
        }
        let now = self.pca.0.exchange.now();
        for id in self.store.forget(&self.account, now, self.discovery.forget_after) {
            info!(account = %self.account, instance_id = %id, "forgotten: neither found nor known to the API for long");
        }
        self.store.discovery_tried(&self.account, complete.then_some(now));
        self.changed.notify_one();
        Some(complete)
    }

    /// Every instance that has a CA certificate and counts.
    async fn listed(
        &self,
        stop: &CancellationToken,
    ) -> Option<Result<BTreeMap<InstanceId, Finding>, CallError>> {
        let mut found: BTreeMap<InstanceId, Finding> = BTreeMap::new();
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let page = retry::persist(&self.list_budget, &self.host.random, stop, |slot| {
                self.pca
                    .ca_certificates(slot, self.endpoints.of_account(), token.as_deref())
            });
            let page = match page.await? {
                Ok(page) => page,
                Err(error) => return Some(Err(error)),
            };
            for certificate in page.certificates {
                let finding = found.entry(certificate.instance_id).or_default();
                finding.region = certificate.region.or(finding.region.take());
                let named = certificate.identifier.zip(certificate.common_name);
                finding.common_names.extend(named);
            }
            if page.next.is_none() {
                self.telemetry
                    .discovered(&self.account, found.len(), self.pca.0.exchange.now());
                found.retain(|id, _| self.discovery.selection.takes(id));
                return Some(Ok(found));
            }
            if page.next == token {
                break;
            }
            token = page.next;
        }
        Some(Err(CallError::Decode("the list has no end".to_owned())))
    }

    /// The instances behind a certificate.
    async fn looked_up(
        &self,
        certificate: &CertificateIdentifier,
        stop: &CancellationToken,
    ) -> Option<Result<BTreeMap<InstanceId, Finding>, CallError>> {
        let found = retry::persist(&self.status_budget, &self.host.random, stop, |slot| {
            self.pca
                .instances_of(slot, self.endpoints.of_account(), certificate)
        });
        let found = found.await?;
        self.telemetry
            .looked_up(&self.account, certificate.as_str(), found.is_ok());
        let without_finding = |id| (id, Finding::default());
        Some(found.map(|ids| ids.into_iter().map(without_finding).collect()))
    }

    /// Takes in what a source led to, and says what is new or wrong. Returns whether it succeeded, or nothing if another
    /// configuration has the say by now.
    fn take_in(
        &self,
        source: Source,
        found: Result<BTreeMap<InstanceId, Finding>, CallError>,
        stop: &CancellationToken,
    ) -> Option<bool> {
        let account = &self.account;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let what = match &source {
            Source::List => "the list of CA certificates".to_owned(),
            Source::Certificate(certificate) => format!("the instance of certificate {certificate}"),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let ram_action = match source {
                    Source::List => LIST_PCA_CA_CERTIFICATE_RAM_ACTION,
                    Source::Certificate(_) => GET_CA_INSTANCE_STATUS_RAM_ACTION,
                };
                let failure = error.failure(ram_action);
                if told.failures.insert(source, failure.reason) != Some(failure.reason) {
                    let (reason, detail) = (failure.reason, failure.detail);
                    warn!(%account, what, %reason, detail, "discovery failed, what was found before stays");
                }
                return Some(false);
            }
        };
        if told.failures.remove(&source).is_some() {
            info!(%account, what, "discovery succeeds again");
        }
        let target = |id: &InstanceId, finding: &Finding| self.target(id, finding);
        let outdated = || stop.is_cancelled();
        let new = self
            .store
            .take_in_found(account, &source, &found, outdated, target)?;
        if !new.is_empty() {
            let ids: Vec<_> = new.iter().map(InstanceId::as_str).collect();
            info!(%account, what, instances = ids.join(","), "instances found");
        }
        for region in found.values().filter_map(|finding| finding.region.as_ref()) {
            if !self.endpoints.knows(region) && told.regions.insert(region.clone()) {
                warn!(
                    %account,
                    region,
                    endpoint = %self.endpoints.of_account(),
                    "no endpoint is known for a region in which instances were found, so they are asked for at the \
                     account's; if that is wrong, give the account an endpoint",
                );
            }
        }
        Some(true)
    }

    fn target(&self, id: &InstanceId, finding: &Finding) -> Target {
        self.discovery
            .target(&self.account, id, finding.region.as_deref())
    }
}
