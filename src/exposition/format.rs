//! The formats that Prometheus reads, as far as they differ.

/// A format of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The text format 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
    #[default]
    Text,
    /// OpenMetrics 1.0: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
    OpenMetrics,
}

/// The units that a metric's name may end with. OpenMetrics wants them named.
const UNITS: [&str; 4] = ["seconds", "bytes", "days", "ratio"];

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Text, Self::OpenMetrics];

    /// The media type, with its version.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// A family's name in its head: OpenMetrics leaves out what the samples of a counter end with.
    pub(super) fn family(self, name: &str, is_counter: bool) -> &str {
        match self {
            Self::OpenMetrics if is_counter => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        }
    }

    /// The unit of a family by its name, where the format wants it.
    pub(super) fn unit(self, family: &str) -> Option<&'static str> {
        let ends_with = |unit: &&str| {
            let rest = family.strip_suffix(*unit);
            rest.is_some_and(|rest| rest.ends_with('_'))
        };
        (self == Self::OpenMetrics)
            .then(|| UNITS.into_iter().find(|unit| ends_with(unit)))
            .flatten()
    }

    /// How the page ends: a reader of OpenMetrics knows by that that nothing was cut off.
    pub(super) const fn end(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::OpenMetrics => "# EOF\n",
        }
    }

    /// What is escaped in a HELP text.
    pub(super) const fn help_escapes(self) -> &'static [(char, &'static str)] {
        match self {
            Self::Text => &[('\\', "\\\\"), ('\n', "\\n")],
            Self::OpenMetrics => &[('\\', "\\\\"), ('\n', "\\n"), ('"', "\\\"")],
        }
    }
}
