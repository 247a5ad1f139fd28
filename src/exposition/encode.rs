//! The text format 0.0.4, written into one buffer: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//!
//! Knows how a family, a sample, a label and a number are spelt, and no metric.

use std::fmt::Write as _;

use prometheus::proto::MetricType;

/// A text under construction.
pub(super) struct Encoder(String);

/// The samples of one family.
pub(super) struct Samples<'a> {
    text: &'a mut String,
    family: &'a str,
}

/// One sample that still takes labels; [`Sample::value`] ends it.
pub(super) struct Sample<'a> {
    text: &'a mut String,
    labelled: bool,
}

impl Encoder {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Writes a family, head first; nothing at all if no sample follows.
    pub(super) fn family(
        &mut self,
        name: &str,
        kind: MetricType,
        help: &str,
        write: impl FnOnce(&mut Samples<'_>),
    ) {
        let text = &mut self.0;
        let start = text.len();
        for part in ["# HELP ", name, " "] {
            text.push_str(part);
        }
        escape(text, help, &[('\\', "\\\\"), ('\n', "\\n")]);
        for part in ["\n# TYPE ", name, " ", spelling(kind), "\n"] {
            text.push_str(part);
        }
        let head = text.len();
        write(&mut Samples { text, family: name });
        if text.len() == head {
            text.truncate(start);
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

impl Samples<'_> {
    /// Begins a sample named after the family, with a suffix that is mostly empty.
    pub(super) fn sample(&mut self, suffix: &str) -> Sample<'_> {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        Sample {
            text: self.text,
            labelled: false,
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

    pub(super) fn value(self, value: f64) {
        self.text.push_str(if self.labelled { "} " } else { " " });
        number(self.text, value);
        self.text.push('\n');
    }

    fn begin_label(&mut self, name: &str) {
        self.text.push(if self.labelled { ',' } else { '{' });
        self.text.push_str(name);
        self.text.push_str("=\"");
        self.labelled = true;
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

/// Rust prints the shortest digits that read back as the same number, and never an exponent.
fn number(text: &mut String, value: f64) {
    if value == f64::INFINITY {
        text.push_str("+Inf");
    } else if value == f64::NEG_INFINITY {
        text.push_str("-Inf");
    } else {
        // A `String` takes everything; NaN is spelt as the format wants it.
        let _ = write!(text, "{value}");
    }
}

fn escape(text: &mut String, value: &str, escapes: &[(char, &str)]) {
    let mut clean = 0;
    for (at, found) in value.char_indices() {
        if let Some((_, escaped)) = escapes.iter().find(|(plain, _)| *plain == found) {
            text.push_str(&value[clean..at]);
            text.push_str(escaped);
            clean = at + found.len_utf8();
        }
    }
    text.push_str(&value[clean..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(help: &str, write: impl FnOnce(&mut Samples<'_>)) -> String {
        let mut encoder = Encoder::with_capacity(0);
        encoder.family("a", MetricType::GAUGE, help, write);
        encoder.finish()
    }

    fn printed(value: f64) -> String {
        let mut text = String::new();
        number(&mut text, value);
        text
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
