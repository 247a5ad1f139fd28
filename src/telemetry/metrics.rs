//! The names, labels and HELP of the exporter's own metrics, an interface like those of the instances.

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{
    CounterVec, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use super::{Build, process};

/// Bounds of the request duration histogram, in seconds. None is an integer: the text format and OpenMetrics
/// would write such a bound differently, and so name two series.
const DURATION_BOUNDS: [f64; 11] = [0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1.5, 2.5, 5.5, 10.5];

#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) registry: Registry,
    pub(super) requests: IntCounterVec,
    pub(super) errors: IntCounterVec,
    pub(super) durations: HistogramVec,
    pub(super) limit: IntGaugeVec,
    pub(super) current: GaugeVec,
    pub(super) demand: GaugeVec,
    pub(super) waited: CounterVec,
    pub(super) discovered: IntGaugeVec,
    pub(super) discovery_interval: GaugeVec,
    pub(super) discovery_success: GaugeVec,
    pub(super) lookup_up: IntGaugeVec,
    pub(super) duplicates: IntCounterVec,
    pub(super) credentials_expiry: GaugeVec,
    pub(super) credentials_errors: IntCounterVec,
    pub(super) clock_skew: GaugeVec,
    pub(super) reload_succeeded: IntGauge,
    pub(super) reload_success: Gauge,
}

impl Metrics {
    /// A registry with every own metric, those of the process included.
    #[expect(clippy::too_many_lines, reason = "a list of metrics, each with its HELP")]
    pub(super) fn new(build: Build) -> Result<Self, prometheus::Error> {
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
        process::register(&registry)?;
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
