//! The exporter's own counters, in a registry of the prometheus crate: what happens, and which series that moves.
//! `metrics` has the names.
//!
//! What is known of instances is not here: that is the store's.

mod metrics;
mod process;
mod series;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::proto::MetricFamily;

use crate::model::{AccountName, CertificateIdentifier, Reason, UnixMillis};
use metrics::Metrics;
use series::{forget, forget_if};

/// What this binary was built from.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// The package's version.
    pub version: &'static str,
    /// The commit, or `unknown` outside a checkout.
    pub revision: &'static str,
    /// The compiler's version.
    pub rustc: &'static str,
}

/// The build of this binary.
pub const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    revision: env!("PCA_REVISION"),
    rustc: env!("PCA_RUSTC"),
};

/// Every own metric.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Metrics,
    /// The accounts that were started and not stopped: a call that ends late must not bring a series back.
    live: Mutex<BTreeSet<AccountName>>,
}

impl Telemetry {
    /// A registry with every own metric, those of the process included.
    pub fn new(build: Build) -> Result<Self, prometheus::Error> {
        Ok(Self {
            metrics: Metrics::new(build)?,
            live: Mutex::default(),
        })
    }

    /// A configuration was loaded.
    pub fn config_loaded(&self, now: UnixMillis) {
        self.metrics.reload_succeeded.set(1);
        self.metrics.reload_success.set(now.seconds_since(UnixMillis(0)));
    }

    /// A configuration could not be loaded; the one before stays in force.
    pub fn config_refused(&self) {
        self.metrics.reload_succeeded.set(0);
    }

    /// Starts every series of an account at zero, so that a first increase is seen as one.
    pub fn start_account(&self, account: &AccountName, actions: &[&str], requests_per_second: u8) {
        self.lock().insert(account.clone());
        let account = account.as_str();
        for action in actions {
            self.metrics.requests.with_label_values(&[account, action]);
            self.metrics.durations.with_label_values(&[account, action]);
            for reason in Reason::ALL {
                self.metrics
                    .errors
                    .with_label_values(&[account, action, reason.as_str()]);
            }
        }
        self.metrics
            .limit
            .with_label_values(&[account])
            .set(requests_per_second.into());
        self.metrics
            .current
            .with_label_values(&[account])
            .set(requests_per_second.into());
        self.metrics.demand.with_label_values(&[account]);
        self.metrics.waited.with_label_values(&[account]);
        self.metrics.duplicates.with_label_values(&[account]);
        self.metrics.credentials_errors.with_label_values(&[account]);
    }

    /// Removes every series of an account.
    pub fn stop_account(&self, account: &AccountName) {
        self.lock().remove(account);
        self.stop_discovery(account);
        self.keep_lookups(account, &[]);
        for vec in [
            &self.metrics.requests,
            &self.metrics.errors,
            &self.metrics.duplicates,
            &self.metrics.credentials_errors,
        ] {
            forget(vec, account);
        }
        for vec in [
            &self.metrics.current,
            &self.metrics.demand,
            &self.metrics.credentials_expiry,
            &self.metrics.clock_skew,
        ] {
            forget(vec, account);
        }
        forget(&self.metrics.limit, account);
        forget(&self.metrics.durations, account);
        forget(&self.metrics.waited, account);
    }

    /// Starts the series of an account's list of CA certificates.
    pub fn start_discovery(&self, account: &AccountName, interval: Duration) {
        let labels = [account.as_str()];
        self.metrics.discovered.with_label_values(&labels);
        self.metrics.discovery_success.with_label_values(&labels);
        self.metrics
            .discovery_interval
            .with_label_values(&labels)
            .set(interval.as_secs_f64());
    }

    /// Removes the series of an account's list of CA certificates.
    pub fn stop_discovery(&self, account: &AccountName) {
        forget(&self.metrics.discovered, account);
        for vec in [&self.metrics.discovery_interval, &self.metrics.discovery_success] {
            forget(vec, account);
        }
    }

    /// Removes the series of certificates that are looked up no more.
    pub fn keep_lookups(&self, account: &AccountName, certificates: &[CertificateIdentifier]) {
        forget_if(&self.metrics.lookup_up, account, |labels| {
            let identifier = labels.get("certificate_identifier");
            !certificates.iter().any(|kept| identifier == Some(&kept.as_str()))
        });
    }

    /// A discovery is complete.
    pub fn discovered(&self, account: &AccountName, instances: usize, now: UnixMillis) {
        if !self.is_live(account) {
            return;
        }
        let labels = [account.as_str()];
        self.metrics
            .discovered
            .with_label_values(&labels)
            .set(i64::try_from(instances).unwrap_or(i64::MAX));
        self.metrics
            .discovery_success
            .with_label_values(&labels)
            .set(now.seconds_since(UnixMillis(0)));
    }

    /// A certificate's instance was looked up, or could not be.
    pub fn looked_up(&self, account: &AccountName, certificate_identifier: &str, succeeded: bool) {
        if !self.is_live(account) {
            return;
        }
        self.metrics
            .lookup_up
            .with_label_values(&[account.as_str(), certificate_identifier])
            .set(succeeded.into());
    }

    /// A call goes out.
    pub fn sent(&self, account: &AccountName, action: &str) {
        if !self.is_live(account) {
            return;
        }
        self.metrics
            .requests
            .with_label_values(&[account.as_str(), action])
            .inc();
    }

    /// A call has ended, well or not, after this time.
    pub fn ended(&self, account: &AccountName, action: &str, took: Duration) {
        if !self.is_live(account) {
            return;
        }
        self.metrics
            .durations
            .with_label_values(&[account.as_str(), action])
            .observe(took.as_secs_f64());
    }

    /// A call that failed, sent or not.
    pub fn failed(&self, account: &AccountName, action: &str, reason: Reason) {
        if !self.is_live(account) {
            return;
        }
        self.metrics
            .errors
            .with_label_values(&[account.as_str(), action, reason.as_str()])
            .inc();
    }

    /// The calls that the budget allows in any second now, and the ratio of what is asked for to that.
    pub fn set_budget(&self, account: &AccountName, rate: f64, demand: f64) {
        if !self.is_live(account) {
            return;
        }
        let labels = [account.as_str()];
        self.metrics.current.with_label_values(&labels).set(rate);
        self.metrics.demand.with_label_values(&labels).set(demand);
    }

    /// Time that a due call waited for the budget.
    pub fn waited(&self, account: &AccountName, time: Duration) {
        if !self.is_live(account) {
            return;
        }
        self.metrics
            .waited
            .with_label_values(&[account.as_str()])
            .inc_by(time.as_secs_f64());
    }

    /// An answer named an instance more than once.
    pub fn duplicated(&self, account: &AccountName) {
        if !self.is_live(account) {
            return;
        }
        self.metrics
            .duplicates
            .with_label_values(&[account.as_str()])
            .inc();
    }

    /// When the account's credentials expire, if they do.
    pub fn set_credentials_expiry(&self, account: &AccountName, expires: Option<UnixMillis>) {
        let labels = [account.as_str()];
        match expires {
            Some(expires) if self.is_live(account) => {
                self.metrics
                    .credentials_expiry
                    .with_label_values(&labels)
                    .set(expires.seconds_since(UnixMillis(0)));
            }
            // Nothing to remove is as good.
            _ => drop(self.metrics.credentials_expiry.remove_label_values(&labels)),
        }
    }

    /// The local clock minus the API's, in seconds.
    pub fn set_clock_skew(&self, account: &AccountName, seconds: f64) {
        if !self.is_live(account) {
            return;
        }
        self.metrics
            .clock_skew
            .with_label_values(&[account.as_str()])
            .set(seconds);
    }

    /// An attempt to get or refresh the account's credentials failed.
    pub fn credentials_refresh_failed(&self, account: &AccountName) {
        if !self.is_live(account) {
            return;
        }
        self.metrics
            .credentials_errors
            .with_label_values(&[account.as_str()])
            .inc();
    }

    fn is_live(&self, account: &AccountName) -> bool {
        self.lock().contains(account)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<AccountName>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every own metric as it is now, sorted by name.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.metrics.registry.gather()
    }
}
