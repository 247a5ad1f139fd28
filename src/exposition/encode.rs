//! Writes a format into one buffer: knows how a family, a sample and a label are spelt, and no metric.

use prometheus::proto::MetricType;

use super::Format;
use super::number::Number;

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
        Number::Exact(value).write(self.text);
        self.text.push('"');
    }

    pub(super) fn value(self, value: Number) {
        self.text.push_str(if self.labelled { "} " } else { " " });
        value.write(self.text);
        self.text.push('\n');
    }

    fn begin_label(&mut self, name: &str) {
        self.text.push(if self.labelled { ',' } else { '{' });
        self.text.push_str(name);
        self.text.push_str("=\"");
        self.labelled = true;
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

    #[test]
    fn openmetrics_names_units_leaves_total_out_of_a_counters_head_and_ends_the_page() {
        let mut encoder = Encoder::with_capacity(Format::OpenMetrics, 0);
        encoder.family(
            "wait_seconds_total",
            MetricType::COUNTER,
            "A \"wait\".",
            |samples| {
                samples.sample("").value(Number::Exact(1.5));
            },
        );
        encoder.family("up", MetricType::GAUGE, "Up.", |samples| {
            samples.sample("").value(Number::Exact(1.0));
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
        let text = gauge("One.", |samples| samples.sample("").value(Number::Exact(1.0)));
        assert_eq!(text, "# HELP a One.\n# TYPE a gauge\na 1\n");
    }

    #[test]
    fn a_label_value_escapes_backslash_quote_and_newline_and_nothing_else() {
        let text = gauge("", |samples| {
            let mut sample = samples.sample("_sum");
            sample.label("b", "\\ \" \n \r \t ' {},= 根证书");
            sample.number_label("le", 0.5);
            sample.value(Number::Exact(2.0));
        });
        assert_eq!(
            text.lines().last().unwrap(),
            "a_sum{b=\"\\\\ \\\" \\n \r \t ' {},= 根证书\",le=\"0.5\"} 2"
        );
    }

    #[test]
    fn a_help_text_keeps_its_quotes_and_escapes_backslash_and_newline() {
        let text = gauge("a \"b\" \\ c\nd", |samples| {
            samples.sample("").value(Number::Exact(0.0));
        });
        assert_eq!(text.lines().next().unwrap(), r#"# HELP a a "b" \\ c\nd"#);
    }
}
