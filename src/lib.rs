//! aliyun-pca-exporter: polls Alibaba Cloud's private CA instances and serves what it learned to Prometheus.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod aliyun;
pub mod host;
pub mod model;
pub mod pca;
pub mod poll;
pub mod secret;
pub mod store;
pub mod telemetry;
