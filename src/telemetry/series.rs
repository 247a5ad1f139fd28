//! Taking series away again: the crate finds one only by all of its labels.

use std::collections::HashMap;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::proto::MetricFamily;

use crate::model::AccountName;

/// Removes an account's series from a metric.
pub(super) fn forget<B: MetricVecBuilder>(vec: &MetricVec<B>, account: &AccountName) {
    forget_if(vec, account, |_| true);
}

/// Removes the series of an account whose labels are `gone`.
pub(super) fn forget_if<B: MetricVecBuilder>(
    vec: &MetricVec<B>,
    account: &AccountName,
    gone: impl Fn(&HashMap<&str, &str>) -> bool,
) {
    let families = vec.collect();
    for metric in families.iter().flat_map(MetricFamily::get_metric) {
        let labels = metric.get_label().iter();
        let labels: HashMap<_, _> = labels.map(|label| (label.name(), label.value())).collect();
        if labels.get("account") == Some(&account.as_str()) && gone(&labels) {
            // Whoever else removed it meanwhile wanted the same.
            let _ = vec.remove(&labels);
        }
    }
}
