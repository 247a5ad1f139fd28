//! The exporter's own counters, in a registry of the prometheus crate. A metric's HELP stands where it is made.
//!
//! What is known of instances is not here: that is the store's.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::proto::MetricFamily;
use prometheus::{
    CounterVec, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::model::{AccountName, Reason, UnixMillis};

/// Bounds of the request duration histogram, in seconds. None is an integer: the text format and OpenMetrics
/// would write such a bound differently, and so name two series.
const DURATION_BOUNDS: [f64; 11] = [0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1.5, 2.5, 5.5, 10.5];

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
    registry: Registry,
    requests: IntCounterVec,
    errors: IntCounterVec,
    durations: HistogramVec,
    limit: IntGaugeVec,
    current: GaugeVec,
    demand: GaugeVec,
    waited: CounterVec,
    discovered: IntGaugeVec,
    discovery_interval: GaugeVec,
    discovery_success: GaugeVec,
    lookup_up: IntGaugeVec,
    duplicates: IntCounterVec,
    credentials_expiry: GaugeVec,
    credentials_errors: IntCounterVec,
    clock_skew: GaugeVec,
    reload_succeeded: IntGauge,
    reload_success: Gauge,
}

impl Telemetry {
    /// A registry with every own metric, those of the process included.
    #[expect(clippy::too_many_lines, reason = "a list of metrics, each with its HELP")]
    pub fn new(build: Build) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let opts = |name: &str, help: &str| Opts::new(name, help);
        let build_info = IntGaugeVec::new(
            opts(
                "aliyun_pca_exporter_build_info",
                "What this exporter was built from; always 1.",
            ),
            &["version", "revision", "rustc"],
        )?;
        build_info
            .with_label_values(&[build.version, build.revision, build.rustc])
            .set(1);
        register(&registry, &build_info)?;
        registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        let gauge =
            |name: &str, help: &str| of_account(&registry, GaugeVec::new(opts(name, help), &["account"]));
        let int_gauge =
            |name: &str, help: &str| of_account(&registry, IntGaugeVec::new(opts(name, help), &["account"]));
        let int_counter = |name: &str, help: &str, labels: &[&str]| {
            of_account(&registry, IntCounterVec::new(opts(name, help), labels))
        };
        let new = Self {
            requests: int_counter(
                "aliyun_pca_api_requests_total",
                "Calls sent to the API, retries included.",
                &["account", "action"],
            )?,
            errors: int_counter(
                "aliyun_pca_api_request_errors_total",
                "Calls that failed, by reason; 'credentials' counts calls that were not sent for want of a key.",
                &["account", "action", "reason"],
            )?,
            durations: of_account(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new(
                        "aliyun_pca_api_request_duration_seconds",
                        "Time from sending a call to the end of its answer, or to giving up.",
                    )
                    .buckets(DURATION_BOUNDS.to_vec()),
                    &["account", "action"],
                ),
            )?,
            limit: int_gauge(
                "aliyun_pca_budget_limit_requests_per_second",
                "The account's budget of calls for each action, as configured.",
            )?,
            current: gauge(
                "aliyun_pca_budget_current_requests_per_second",
                "Calls of instances that the budget allows in any second now: the configured number, or less after \
                 the API throttled.",
            )?,
            demand: gauge(
                "aliyun_pca_budget_demand_ratio",
                "Calls that the configuration asks for / calls that the budget allows at the present latency; \
                 over 1 the poll interval stretches.",
            )?,
            waited: of_account(
                &registry,
                CounterVec::new(
                    opts(
                        "aliyun_pca_budget_wait_seconds_total",
                        "Time that due calls waited for the budget.",
                    ),
                    &["account"],
                ),
            )?,
            discovered: int_gauge(
                "aliyun_pca_discovery_instances",
                "Instances that the last complete discovery found, before include and exclude.",
            )?,
            discovery_interval: gauge(
                "aliyun_pca_discovery_interval_seconds",
                "How often instances are looked for.",
            )?,
            discovery_success: gauge(
                "aliyun_pca_discovery_last_success_timestamp_seconds",
                "When a discovery was last complete; 0 before the first.",
            )?,
            lookup_up: of_account(
                &registry,
                IntGaugeVec::new(
                    opts(
                        "aliyun_pca_certificate_lookup_up",
                        "Whether the last look-up of the certificate's instance succeeded.",
                    ),
                    &["account", "certificate_identifier"],
                ),
            )?,
            duplicates: int_counter(
                "aliyun_pca_answer_duplicates_total",
                "Instances that one answer of the API named more than once.",
                &["account"],
            )?,
            credentials_expiry: gauge(
                "aliyun_pca_credentials_expiry_timestamp_seconds",
                "When the account's temporary credentials expire; absent for lasting ones.",
            )?,
            credentials_errors: int_counter(
                "aliyun_pca_credentials_refresh_errors_total",
                "Attempts to get or refresh the account's credentials that failed.",
                &["account"],
            )?,
            clock_skew: gauge(
                "aliyun_pca_clock_skew_seconds",
                "Local clock minus the API's, by the Date of its last answer.",
            )?,
            reload_succeeded: IntGauge::new(
                "aliyun_pca_exporter_config_last_reload_successful",
                "Whether the last attempt to load the configuration succeeded.",
            )?,
            reload_success: Gauge::new(
                "aliyun_pca_exporter_config_last_reload_success_timestamp_seconds",
                "When a configuration was last loaded.",
            )?,
            registry,
        };
        register(&new.registry, &new.reload_succeeded)?;
        register(&new.registry, &new.reload_success)?;
        Ok(new)
    }

    /// A configuration was loaded.
    pub fn config_loaded(&self, now: UnixMillis) {
        self.reload_succeeded.set(1);
        self.reload_success.set(now.seconds_since(UnixMillis(0)));
    }

    /// A configuration could not be loaded; the one before stays in force.
    pub fn config_refused(&self) {
        self.reload_succeeded.set(0);
    }

    /// Starts every series of an account at zero, so that a first increase is seen as one.
    pub fn start_account(&self, account: &AccountName, actions: &[&str], requests_per_second: u8) {
        let account = account.as_str();
        for action in actions {
            self.requests.with_label_values(&[account, action]);
            self.durations.with_label_values(&[account, action]);
            for reason in Reason::ALL {
                self.errors.with_label_values(&[account, action, reason.as_str()]);
            }
        }
        self.limit
            .with_label_values(&[account])
            .set(requests_per_second.into());
        self.current
            .with_label_values(&[account])
            .set(requests_per_second.into());
        self.demand.with_label_values(&[account]);
        self.waited.with_label_values(&[account]);
        self.duplicates.with_label_values(&[account]);
        self.credentials_errors.with_label_values(&[account]);
    }

    /// Removes every series of an account.
    pub fn stop_account(&self, account: &AccountName) {
        self.stop_discovery(account);
        for vec in [
            &self.requests,
            &self.errors,
            &self.duplicates,
            &self.credentials_errors,
        ] {
            forget(vec, account);
        }
        for vec in [
            &self.current,
            &self.demand,
            &self.credentials_expiry,
            &self.clock_skew,
        ] {
            forget(vec, account);
        }
        forget(&self.limit, account);
        forget(&self.durations, account);
        forget(&self.waited, account);
    }

    /// Starts the series of an account's discovery.
    pub fn start_discovery(&self, account: &AccountName, interval: Duration) {
        let labels = [account.as_str()];
        self.discovered.with_label_values(&labels);
        self.discovery_success.with_label_values(&labels);
        self.discovery_interval
            .with_label_values(&labels)
            .set(interval.as_secs_f64());
    }

    /// Removes the series of an account's discovery and look-ups.
    pub fn stop_discovery(&self, account: &AccountName) {
        for vec in [&self.discovered, &self.lookup_up] {
            forget(vec, account);
        }
        for vec in [&self.discovery_interval, &self.discovery_success] {
            forget(vec, account);
        }
    }

    /// A discovery is complete.
    pub fn discovered(&self, account: &AccountName, instances: usize, now: UnixMillis) {
        let labels = [account.as_str()];
        self.discovered
            .with_label_values(&labels)
            .set(i64::try_from(instances).unwrap_or(i64::MAX));
        self.discovery_success
            .with_label_values(&labels)
            .set(now.seconds_since(UnixMillis(0)));
    }

    /// A certificate's instance was looked up, or could not be.
    pub fn looked_up(&self, account: &AccountName, certificate_identifier: &str, succeeded: bool) {
        self.lookup_up
            .with_label_values(&[account.as_str(), certificate_identifier])
            .set(succeeded.into());
    }

    /// A call goes out.
    pub fn sent(&self, account: &AccountName, action: &str) {
        self.requests.with_label_values(&[account.as_str(), action]).inc();
    }

    /// A call has ended, well or not, after this time.
    pub fn ended(&self, account: &AccountName, action: &str, took: Duration) {
        self.durations
            .with_label_values(&[account.as_str(), action])
            .observe(took.as_secs_f64());
    }

    /// A call that failed, sent or not.
    pub fn failed(&self, account: &AccountName, action: &str, reason: Reason) {
        self.errors
            .with_label_values(&[account.as_str(), action, reason.as_str()])
            .inc();
    }

    /// The calls that the budget allows in any second now, and the ratio of what is asked for to that.
    pub fn set_budget(&self, account: &AccountName, rate: f64, demand: f64) {
        let labels = [account.as_str()];
        self.current.with_label_values(&labels).set(rate);
        self.demand.with_label_values(&labels).set(demand);
    }

    /// Time that a due call waited for the budget.
    pub fn waited(&self, account: &AccountName, time: Duration) {
        self.waited
            .with_label_values(&[account.as_str()])
            .inc_by(time.as_secs_f64());
    }

    /// An answer named an instance more than once.
    pub fn duplicated(&self, account: &AccountName) {
        self.duplicates.with_label_values(&[account.as_str()]).inc();
    }

    /// When the account's credentials expire, if they do.
    pub fn set_credentials_expiry(&self, account: &AccountName, expires: Option<UnixMillis>) {
        let labels = [account.as_str()];
        match expires {
            Some(expires) => {
                self.credentials_expiry
                    .with_label_values(&labels)
                    .set(expires.seconds_since(UnixMillis(0)));
            }
            // Nothing to remove is as good.
            None => drop(self.credentials_expiry.remove_label_values(&labels)),
        }
    }

    /// The local clock minus the API's, in seconds.
    pub fn set_clock_skew(&self, account: &AccountName, seconds: f64) {
        self.clock_skew
            .with_label_values(&[account.as_str()])
            .set(seconds);
    }

    /// An attempt to get or refresh the account's credentials failed.
    pub fn credentials_refresh_failed(&self, account: &AccountName) {
        self.credentials_errors
            .with_label_values(&[account.as_str()])
            .inc();
    }

    /// Every own metric as it is now, sorted by name.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: &C,
) -> Result<(), prometheus::Error> {
    registry.register(Box::new(metric.clone()))
}

/// A metric of accounts, registered.
fn of_account<B: MetricVecBuilder + 'static>(
    registry: &Registry,
    vec: Result<MetricVec<B>, prometheus::Error>,
) -> Result<MetricVec<B>, prometheus::Error> {
    let vec = vec?;
    register(registry, &vec)?;
    Ok(vec)
}

/// Removes an account's series from a metric.
fn forget<B: MetricVecBuilder>(vec: &MetricVec<B>, account: &AccountName) {
    let families = vec.collect();
    for metric in families.iter().flat_map(MetricFamily::get_metric) {
        let labels = metric.get_label().iter();
        let labels: HashMap<_, _> = labels.map(|label| (label.name(), label.value())).collect();
        if labels.get("account") == Some(&account.as_str()) {
            // Whoever else removed it meanwhile wanted the same.
            let _ = vec.remove(&labels);
        }
    }
}
