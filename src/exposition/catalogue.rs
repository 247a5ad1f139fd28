//! The catalogue of instance metrics: names, labels, HELP, and where each value comes from.
//!
//! Names and labels are an interface: a golden file pins them and the changelog records every change. Each metric
//! also has the identity labels and the user's. The own counters are not here: they say what they are in `telemetry`.

use prometheus::proto::MetricType;

use super::instances::View;
use super::number::Number;
use crate::model::{InstanceStatus, UnixMillis};

/// One metric of the instances.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricType,
    /// Its HELP.
    pub help: &'static str,
    /// Its labels beyond identity.
    pub labels: &'static [&'static str],
    /// What changes its samples, besides another set of instances.
    pub(super) moves: Moves,
    pub(super) values: Values,
}

/// When the samples of a metric may become others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moves {
    /// Once a poll has an outcome.
    Outcome,
    /// Once a poll succeeds where the one before had not, or fails where that had not, or for another reason.
    Health,
    /// Once a poll tells of more certificates, or fewer.
    Issued,
    /// Once a poll tells anything else that is new.
    Status,
    /// Never; what it shows is of the instance and its account.
    Never,
}

/// Where the samples of an instance come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    /// One sample or none.
    One(fn(&View<'_>) -> Option<Number>),
    /// One sample, the days until what this gives: a value that passes with time, though nothing has happened.
    DaysUntil(fn(&InstanceStatus) -> Option<UnixMillis>),
    /// Samples with labels of their own.
    Labelled(fn(&View<'_>, Put<'_>)),
}

/// Takes the values of a sample's labels, in the order of [`Metric::labels`], and its value.
pub(super) type Put<'a> = &'a mut dyn FnMut(&[&str], f64);

/// The labels that tell instances apart, on every one of their series, before the user's own.
pub const IDENTITY: [&str; 2] = ["account", "instance_id"];

/// The states that the API documents.
const STATES: [&str; 4] = ["BUY", "USED", "REFUND", "REVOKE"];

/// Every metric of the instances, in the order of the text.
pub const INSTANCE: [Metric; 13] = [
    Metric {
        name: "aliyun_pca_instance_info",
        kind: MetricType::GAUGE,
        help: "What the instance is, as labels; always 1.",
        labels: &[
            "ca_type",
            "region",
            "name",
            "certificate_identifier",
            "common_name",
        ],
        moves: Moves::Status,
        values: Values::Labelled(|seen, put| {
            let status = seen.status();
            let ca_type = status.and_then(|status| status.ca_type.as_deref());
            let identifier = status.and_then(|status| status.certificate_identifier.as_deref());
            let target = &seen.instance.target;
            let labels = [
                ca_type.unwrap_or_default(),
                target.region.as_str(),
                target.name.as_deref().unwrap_or_default(),
                identifier.unwrap_or_default(),
                seen.instance.common_name().unwrap_or_default(),
            ];
            put(&labels, 1.0);
        }),
    },
    Metric {
        name: "aliyun_pca_instance_status",
        kind: MetricType::GAUGE,
        help: "Whether the instance is in this state: BUY purchased and not enabled, USED enabled, REFUND refunded, \
               REVOKE revoked; a state unknown to the exporter is added as the API names it.",
        labels: &["status"],
        moves: Moves::Status,
        values: Values::Labelled(|seen, put| {
            let Some(state) = seen.state() else { return };
            for documented in STATES {
                put(&[documented], f64::from(documented == state));
            }
            if !STATES.contains(&state) {
                put(&[state], 1.0);
            }
        }),
    },
    Metric {
        name: "aliyun_pca_instance_certificates_issued",
        kind: MetricType::GAUGE,
        help: "Certificates that the instance has issued: intermediate CAs for a root, client and server certificates \
               for an intermediate.",
        labels: &[],
        moves: Moves::Issued,
        values: Values::One(|seen| seen.count(|status| status.certificates_issued).map(Number::Exact)),
    },
    Metric {
        name: "aliyun_pca_instance_certificates_quota",
        kind: MetricType::GAUGE,
        help: "Certificates that the instance can issue in all.",
        labels: &[],
        moves: Moves::Status,
        values: Values::One(|seen| seen.count(|status| status.certificates_quota).map(Number::Exact)),
    },
    Metric {
        name: "aliyun_pca_instance_certificate_not_before_timestamp_seconds",
        kind: MetricType::GAUGE,
        help: "Start of the CA certificate's validity.",
        labels: &[],
        moves: Moves::Status,
        values: Values::One(|seen| seen.seconds(|status| status.not_before).map(Number::Exact)),
    },
    Metric {
        name: "aliyun_pca_instance_certificate_not_after_timestamp_seconds",
        kind: MetricType::GAUGE,
        help: "End of the CA certificate's validity.",
        labels: &[],
        moves: Moves::Status,
        values: Values::One(|seen| seen.seconds(|status| status.not_after).map(Number::Exact)),
    },
    Metric {
        name: "aliyun_pca_instance_certificate_expiry_days",
        kind: MetricType::GAUGE,
        help: "Days until the CA certificate expires, counted at the scrape; negative once it has expired.",
        labels: &[],
        moves: Moves::Status,
        values: Values::DaysUntil(|status| status.not_after),
    },
    Metric {
        name: "aliyun_pca_instance_subscription_expiry_timestamp_seconds",
        kind: MetricType::GAUGE,
        help: "End of the paid subscription, which may come before or after that of the CA certificate.",
        labels: &[],
        moves: Moves::Status,
        values: Values::One(|seen| {
            seen.seconds(|status| status.subscription_expiry)
                .map(Number::Exact)
        }),
    },
    Metric {
        name: "aliyun_pca_instance_subscription_expiry_days",
        kind: MetricType::GAUGE,
        help: "Days until the paid subscription ends, counted at the scrape; negative once it has ended.",
        labels: &[],
        moves: Moves::Status,
        values: Values::DaysUntil(|status| status.subscription_expiry),
    },
    Metric {
        name: "aliyun_pca_instance_up",
        kind: MetricType::GAUGE,
        help: "Whether the last poll of the instance succeeded; what is known from before stays on show while it is 0.",
        labels: &[],
        moves: Moves::Health,
        values: Values::One(|seen| Some(Number::Exact(seen.instance.up().into()))),
    },
    Metric {
        name: "aliyun_pca_instance_last_success_timestamp_seconds",
        kind: MetricType::GAUGE,
        help: "When what is known of the instance was learnt; 0 before the first success.",
        labels: &[],
        moves: Moves::Outcome,
        values: Values::One(|seen| Some(seen.last_success())),
    },
    Metric {
        name: "aliyun_pca_instance_error",
        kind: MetricType::GAUGE,
        help: "Why the last poll of the instance failed; only while it has.",
        labels: &["reason"],
        moves: Moves::Health,
        values: Values::Labelled(|seen, put| {
            if let Some(failure) = &seen.instance.failure {
                put(&[failure.reason.as_str()], 1.0);
            }
        }),
    },
    Metric {
        name: "aliyun_pca_instance_poll_interval_seconds",
        kind: MetricType::GAUGE,
        help: "How often the instance is polled; longer than configured where the budget of calls demands it.",
        labels: &[],
        moves: Moves::Never,
        values: Values::One(|seen| Some(Number::Exact(seen.interval.as_secs_f64()))),
    },
];
