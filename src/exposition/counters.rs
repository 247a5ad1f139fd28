//! Writes the own counters as the prometheus crate's registry gathers them.
//!
//! Not by the crate's `TextEncoder`, which fails the whole scrape over one empty family.

use prometheus::proto::{Histogram, Metric, MetricFamily, MetricType};

use super::Scope;
use super::encode::{Encoder, Sample, Samples};
use super::number::Number;

pub(super) fn write(encoder: &mut Encoder, families: &[MetricFamily], scope: Scope) {
    for family in families.iter().filter(|family| scope.includes(family.name())) {
        let kind = family.get_field_type();
        encoder.family(family.name(), kind, family.help(), |samples| {
            for metric in family.get_metric() {
                let value = match kind {
                    MetricType::COUNTER => metric.get_counter().get_value(),
                    MetricType::GAUGE => metric.get_gauge().get_value(),
                    MetricType::HISTOGRAM => {
                        histogram(samples, metric, metric.get_histogram());
                        continue;
                    }
                    // No own counter is of these types, and the crate makes none by itself.
                    MetricType::SUMMARY | MetricType::UNTYPED => continue,
                };
                labelled(samples, "", metric).value(Number::Exact(value));
            }
        });
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, more calls than will ever be made"
)]
fn histogram(samples: &mut Samples<'_>, metric: &Metric, histogram: &Histogram) {
    let mut bucket = |bound, count| {
        let mut sample = labelled(samples, "_bucket", metric);
        sample.number_label("le", bound);
        sample.value(Number::Exact(count));
    };
    for each in histogram.get_bucket() {
        bucket(each.upper_bound(), each.cumulative_count() as f64);
    }
    let count = histogram.get_sample_count() as f64;
    bucket(f64::INFINITY, count);
    labelled(samples, "_sum", metric).value(Number::Exact(histogram.get_sample_sum()));
    labelled(samples, "_count", metric).value(Number::Exact(count));
}

fn labelled<'a>(samples: &'a mut Samples<'_>, suffix: &str, metric: &Metric) -> Sample<'a> {
    let mut sample = samples.sample(suffix);
    for label in metric.get_label() {
        sample.label(label.name(), label.value());
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::Format;

    use prometheus::{Counter, HistogramOpts, HistogramVec, Opts, Registry};

    fn text(families: &[MetricFamily]) -> String {
        let mut encoder = Encoder::with_capacity(Format::Text, 0);
        write(&mut encoder, families, Scope::Scrape);
        encoder.finish()
    }

    #[test]
    fn a_histogram_is_written_with_its_infinite_bucket_sum_and_count() {
        let options = HistogramOpts::new("took_seconds", "How long it took.").buckets(vec![0.25, 1.5]);
        let histogram = HistogramVec::new(options, &["account"]).unwrap();
        let registry = Registry::new();
        registry.register(Box::new(histogram.clone())).unwrap();
        for took in [0.125, 0.5, 4.0] {
            histogram.with_label_values(&["a\"b"]).observe(took);
        }
        assert_eq!(
            text(&registry.gather()),
            "# HELP took_seconds How long it took.\n\
             # TYPE took_seconds histogram\n\
             took_seconds_bucket{account=\"a\\\"b\",le=\"0.25\"} 1\n\
             took_seconds_bucket{account=\"a\\\"b\",le=\"1.5\"} 2\n\
             took_seconds_bucket{account=\"a\\\"b\",le=\"+Inf\"} 3\n\
             took_seconds_sum{account=\"a\\\"b\"} 4.625\n\
             took_seconds_count{account=\"a\\\"b\"} 3\n"
        );
    }

    #[test]
    fn a_family_that_is_empty_or_of_no_type_does_not_stop_those_after_it() {
        let counter = Counter::with_opts(Opts::new("calls_total", "Calls.")).unwrap();
        let registry = Registry::new();
        registry.register(Box::new(counter)).unwrap();
        let mut untyped = MetricFamily::default();
        untyped.set_field_type(MetricType::UNTYPED);
        untyped.set_metric(vec![Metric::default()]);
        let mut families = vec![MetricFamily::default(), untyped];
        families.extend(registry.gather());
        assert_eq!(
            text(&families),
            "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total 0\n"
        );
    }
}
