//! Writes a format into one buffer: knows how a family, a sample, a label and a number are spelt, and no metric.

use std::fmt::Write as _;

use prometheus::proto::MetricType;

use super::Format;
use crate::model::UnixMillis;

/// Up to here every whole number is exact.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

const SECONDS_PER_DAY: f64 = 86_400.0;

/// Room for the labels that most instances have, in bytes.
const ROOM_FOR_LABELS: usize = 128;

/// What the decimals of days count, eight of them.
const DECIMALS: u64 = 100_000_000;

/// Thousandths of a millisecond in one of these.
const THOUSANDTHS: u64 = 864;

/// A text under construction.
pub(super) struct Encoder {
    text: String,
    format: Format,
}

/// The samples of one family, or the lines of one that stand elsewhere.
pub(super) struct Samples<'a> {
    text: &'a mut String,
    family: &'a str,
}

/// Labels that several samples begin with.
pub(super) struct WrittenLabels(String);

/// One sample that still takes labels; [`Sample::value`] ends it.
pub(super) struct Sample<'a> {
    text: &'a mut String,
    labelled: bool,
}

impl Encoder {
    pub(super) fn with_capacity(format: Format, bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            format,
        }
    }

    /// Writes a family, head first; nothing at all if no sample follows.
    pub(super) fn family(
        &mut self,
        name: &str,
        kind: MetricType,
        help: &str,
        write: impl FnOnce(&mut Samples<'_>),
    ) {
        let text = &mut self.text;
        let start = text.len();
        head(text, self.format, name, kind, help);
        let written = text.len();
        write(&mut Samples { text, family: name });
        if text.len() == written {
            text.truncate(start);
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push_str(self.format.end());
        self.text
    }
}

impl<'a> Samples<'a> {
    /// Samples of a family, written to a text without its head.
    pub(super) fn apart(text: &'a mut String, family: &'a str) -> Self {
        Self { text, family }
    }

    /// Begins a sample named after the family, with a suffix that is mostly empty.
    pub(super) fn sample(&mut self, suffix: &str) -> Sample<'_> {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        Sample {
            text: self.text,
            labelled: false,
        }
    }

    /// Begins a sample with labels that were written before.
    pub(super) fn sample_of(&mut self, labels: &WrittenLabels) -> Sample<'_> {
        let sample = self.sample("");
        sample.text.push_str(&labels.0);
        Sample {
            labelled: !labels.0.is_empty(),
            ..sample
        }
    }
}

impl Sample<'_> {
    /// Adds a label. The name is one that Prometheus allows; the value may be any text.
    pub(super) fn label(&mut self, name: &str, value: &str) {
        self.begin_label(name);
        escape(self.text, value, &[('\\', "\\\\"), ('\n', "\\n"), ('"', "\\\"")]);
        self.text.push('"');
    }

    /// Adds a label whose value is a number.
    pub(super) fn number_label(&mut self, name: &str, value: f64) {
        self.begin_label(name);
        number(self.text, value);
        self.text.push('"');
    }

    pub(super) fn value(mut self, value: f64) {
        number(self.before_value(), value);
        self.text.push('\n');
    }

    /// Ends it with the days between two times.
    pub(super) fn days(mut self, until: UnixMillis, now: UnixMillis) {
        days(self.before_value(), until, now);
        self.text.push('\n');
    }

    fn before_value(&mut self) -> &mut String {
        self.text.push_str(if self.labelled { "} " } else { " " });
        self.text
    }

    fn begin_label(&mut self, name: &str) {
        self.text.push(if self.labelled { ',' } else { '{' });
        self.text.push_str(name);
        self.text.push_str("=\"");
        self.labelled = true;
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for WrittenLabels {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(labels: T) -> Self {
        let mut text = String::with_capacity(ROOM_FOR_LABELS);
        let mut sample = Sample {
            text: &mut text,
            labelled: false,
        };
        for (name, value) in labels {
            sample.label(name, value);
        }
        Self(text)
    }
}

/// Writes the lines that open a family.
pub(super) fn head(text: &mut String, format: Format, name: &str, kind: MetricType, help: &str) {
    let family = format.family(name, kind == MetricType::COUNTER);
    for part in ["# HELP ", family, " "] {
        text.push_str(part);
    }
    escape(text, help, format.help_escapes());
    for part in ["\n# TYPE ", family, " ", spelling(kind), "\n"] {
        text.push_str(part);
    }
    if let Some(unit) = format.unit(family) {
        for part in ["# UNIT ", family, " ", unit, "\n"] {
            text.push_str(part);
        }
    }
}

fn spelling(kind: MetricType) -> &'static str {
    match kind {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
    }
}

/// The shortest digits that read back as the same number, and never an exponent.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole and small enough to be exact"
)]
fn number(text: &mut String, value: f64) {
    if value == f64::INFINITY {
        text.push_str("+Inf");
    } else if value == f64::NEG_INFINITY {
        text.push_str("-Inf");
    } else if value.fract() == 0.0 && value.abs() < LARGEST_WHOLE {
        text.push_str(itoa::Buffer::new().format(value as i64));
    } else {
        // A `String` takes everything; NaN is spelt as the format wants it.
        let _ = write!(text, "{value}");
    }
}

/// The days from `now` until a time, with eight decimals: fine enough to tell milliseconds apart, and mostly of the same
/// length as before.
pub(super) fn days(text: &mut String, until: UnixMillis, now: UnixMillis) {
    let thousandths = until
        .0
        .checked_sub(now.0)
        .and_then(|millis| millis.checked_mul(1_000));
    let Some(thousandths) = thousandths else {
        // Millions of years.
        return number(text, until.seconds_since(now) / SECONDS_PER_DAY);
    };
    let rounded = (thousandths.unsigned_abs() + THOUSANDTHS / 2) / THOUSANDTHS;
    if thousandths < 0 {
        text.push('-');
    }
    text.push_str(itoa::Buffer::new().format(rounded / DECIMALS));
    text.push('.');
    // The one in front keeps the zeros.
    text.push_str(&itoa::Buffer::new().format(DECIMALS + rounded % DECIMALS)[1..]);
}

fn escape(text: &mut String, value: &str, escapes: &[(char, &str)]) {
    let mut rest = value;
    // Bytes are found much faster than characters, and mostly there is nothing to find.
    while let Some((at, escaped)) = rest.bytes().enumerate().find_map(|(at, byte)| {
        let found = escapes.iter().find(|(plain, _)| *plain == char::from(byte));
        found.map(|(_, escaped)| (at, escaped))
    }) {
        text.push_str(&rest[..at]);
        text.push_str(escaped);
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(help: &str, write: impl FnOnce(&mut Samples<'_>)) -> String {
        let mut encoder = Encoder::with_capacity(Format::Text, 0);
        encoder.family("a", MetricType::GAUGE, help, write);
        encoder.finish()
    }

    fn printed(value: f64) -> String {
        let mut text = String::new();
        number(&mut text, value);
        text
    }

    #[test]
    fn openmetrics_names_units_leaves_total_out_of_a_counters_head_and_ends_the_page() {
        let mut encoder = Encoder::with_capacity(Format::OpenMetrics, 0);
        encoder.family(
            "wait_seconds_total",
            MetricType::COUNTER,
            "A \"wait\".",
            |samples| {
                samples.sample("").value(1.5);
            },
        );
        encoder.family("up", MetricType::GAUGE, "Up.", |samples| {
            samples.sample("").value(1.0);
        });
        assert_eq!(
            encoder.finish(),
            "# HELP wait_seconds A \\\"wait\\\".\n# TYPE wait_seconds counter\n# UNIT wait_seconds seconds\n\
             wait_seconds_total 1.5\n# HELP up Up.\n# TYPE up gauge\nup 1\n# EOF\n"
        );
    }

    #[test]
    fn a_family_without_a_sample_leaves_no_trace() {
        assert_eq!(gauge("Nothing.", |_| ()), "");
    }

    #[test]
    fn a_sample_without_labels_has_no_braces() {
        let text = gauge("One.", |samples| samples.sample("").value(1.0));
        assert_eq!(text, "# HELP a One.\n# TYPE a gauge\na 1\n");
    }

    #[test]
    fn a_label_value_escapes_backslash_quote_and_newline_and_nothing_else() {
        let text = gauge("", |samples| {
            let mut sample = samples.sample("_sum");
            sample.label("b", "\\ \" \n \r \t ' {},= 根证书");
            sample.number_label("le", 0.5);
            sample.value(2.0);
        });
        assert_eq!(
            text.lines().last().unwrap(),
            "a_sum{b=\"\\\\ \\\" \\n \r \t ' {},= 根证书\",le=\"0.5\"} 2"
        );
    }

    #[test]
    fn a_help_text_keeps_its_quotes_and_escapes_backslash_and_newline() {
        let text = gauge("a \"b\" \\ c\nd", |samples| samples.sample("").value(0.0));
        assert_eq!(text.lines().next().unwrap(), r#"# HELP a a "b" \\ c\nd"#);
    }

    #[test]
    fn days_have_eight_decimals_and_tell_milliseconds_apart() {
        let day = 86_400_000;
        let spelt = [
            (day / 2, "0.50000000"),
            (-day / 2, "-0.50000000"),
            (1, "0.00000001"),
            (350 * day + 2, "350.00000002"),
            (2 * day - 1, "1.99999999"),
            (-1, "-0.00000001"),
            (0, "0.00000000"),
        ];
        for (millis, expected) in spelt {
            let mut text = String::new();
            days(&mut text, UnixMillis(millis + 7), UnixMillis(7));
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn numbers_are_exact_and_spelt_as_the_format_wants_them() {
        let spelt = [
            (1_792_944_000.0, "1792944000"),
            (1_792_944_000.001, "1792944000.001"),
            (-0.25, "-0.25"),
            (1e21, "1000000000000000000000"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in spelt {
            assert_eq!(printed(value), text);
        }
    }
}
