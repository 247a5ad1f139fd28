//! The exporter's own counters, in a registry of the prometheus crate. A metric's HELP stands where it is made.
//!
//! What is known of instances is not here: that is the store's.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
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
    demand: GaugeVec,
    waited: CounterVec,
    duplicates: IntCounterVec,
    credentials_expiry: GaugeVec,
    credentials_errors: IntCounterVec,
}

impl Telemetry {
    /// A registry with every own metric, those of the process included.
    pub fn new(build: Build) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build_info = IntGaugeVec::new(
            Opts::new(
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
        let new = Self {
            requests: IntCounterVec::new(
                Opts::new(
                    "aliyun_pca_api_requests_total",
                    "Calls sent to the API, retries included.",
                ),
                &["account", "action"],
            )?,
            errors: IntCounterVec::new(
                Opts::new(
                    "aliyun_pca_api_request_errors_total",
                    "Calls that failed, by reason; 'credentials' counts calls that were not sent for want of a key.",
                ),
                &["account", "action", "reason"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "aliyun_pca_api_request_duration_seconds",
                    "Time from sending a call to the end of its answer, or to giving up.",
                )
                .buckets(DURATION_BOUNDS.to_vec()),
                &["account", "action"],
            )?,
            limit: IntGaugeVec::new(
                Opts::new(
                    "aliyun_pca_budget_limit_requests_per_second",
                    "The account's budget of calls for each action, as configured.",
                ),
                &["account"],
            )?,
            demand: GaugeVec::new(
                Opts::new(
                    "aliyun_pca_budget_demand_ratio",
                    "Calls that the configuration asks for / calls that the budget allows at the present latency; \
                     over 1 the poll interval stretches.",
                ),
                &["account"],
            )?,
            waited: CounterVec::new(
                Opts::new(
                    "aliyun_pca_budget_wait_seconds_total",
                    "Time that due calls waited for the budget.",
                ),
                &["account"],
            )?,
            duplicates: IntCounterVec::new(
                Opts::new(
                    "aliyun_pca_answer_duplicates_total",
                    "Instances that one answer of the API named more than once.",
                ),
                &["account"],
            )?,
            credentials_expiry: GaugeVec::new(
                Opts::new(
                    "aliyun_pca_credentials_expiry_timestamp_seconds",
                    "When the account's temporary credentials expire; absent for lasting ones.",
                ),
                &["account"],
            )?,
            credentials_errors: IntCounterVec::new(
                Opts::new(
                    "aliyun_pca_credentials_refresh_errors_total",
                    "Attempts to get or refresh the account's credentials that failed.",
                ),
                &["account"],
            )?,
            registry,
        };
        register(&new.registry, &new.requests)?;
        register(&new.registry, &new.errors)?;
        register(&new.registry, &new.durations)?;
        register(&new.registry, &new.limit)?;
        register(&new.registry, &new.demand)?;
        register(&new.registry, &new.waited)?;
        register(&new.registry, &new.duplicates)?;
        register(&new.registry, &new.credentials_expiry)?;
        register(&new.registry, &new.credentials_errors)?;
        Ok(new)
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
        self.demand.with_label_values(&[account]);
        self.waited.with_label_values(&[account]);
        self.duplicates.with_label_values(&[account]);
        self.credentials_errors.with_label_values(&[account]);
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

    /// The ratio of what is asked for to what the budget allows.
    pub fn set_demand(&self, account: &AccountName, ratio: f64) {
        self.demand.with_label_values(&[account.as_str()]).set(ratio);
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
