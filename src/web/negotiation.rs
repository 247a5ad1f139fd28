//! What a client would rather have: which format of the page (RFC 9110, 12.5.1), and whether compressed (12.5.3).
//!
//! Lenient: who asks for nothing that there is gets the text format, as from Prometheus' own clients.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::exposition::Format;

/// One element of a list with weights: `text/plain;version=0.0.4;q=0.5`.
struct Choice<'h> {
    name: &'h str,
    parameters: Vec<(&'h str, &'h str)>,
    /// From 0, not wanted, to 1000.
    weight: u16,
}

/// The format of the page.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let (mut text, mut any, mut openmetrics) = (None, None, None);
    each(headers, &ACCEPT, |choice| {
        let version = choice.parameter("version");
        let weight = match choice.name.to_ascii_lowercase().as_str() {
            "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                &mut openmetrics
            }
            "text/plain" if version.is_none_or(|version| version == "0.0.4") => &mut text,
            // OpenMetrics is for those who name it.
            "text/*" | "*/*" => &mut any,
            _ => return,
        };
        *weight = Some(choice.weight).max(*weight);
    });
    // What is named counts before a range that it falls into (RFC 9110, 12.5.1).
    let (text, openmetrics) = (text.or(any).unwrap_or(0), openmetrics.unwrap_or(0));
    if openmetrics > 0 && openmetrics >= text {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

/// Whether the page may be compressed with gzip.
pub(super) fn gzip(headers: &HeaderMap) -> bool {
    let (mut named, mut any, mut plain) = (None, None, 0);
    each(headers, &ACCEPT_ENCODING, |choice| {
        match choice.name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => named = Some(choice.weight),
            "*" => any = Some(choice.weight),
            "identity" => plain = choice.weight,
            _ => {}
        }
    });
    let weight = named.or(any).unwrap_or(0);
    weight > 0 && weight >= plain
}

fn each<'h>(headers: &'h HeaderMap, name: &HeaderName, mut take: impl FnMut(&Choice<'h>)) {
    let values = headers.get_all(name).iter();
    let lists = values.filter_map(|value| value.to_str().ok());
    for element in lists.flat_map(|list| list.split(',')) {
        if let Some(choice) = Choice::read(element) {
            take(&choice);
        }
    }
}

impl<'h> Choice<'h> {
    /// Nothing for an element whose weight is none.
    fn read(element: &'h str) -> Option<Self> {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let mut choice = Self {
            name,
            parameters: Vec::new(),
            weight: 1000,
        };
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let (key, value) = (key.trim(), value.trim().trim_matches('"'));
            if key.eq_ignore_ascii_case("q") {
                choice.weight = weight(value)?;
            } else {
                choice.parameters.push((key, value));
            }
        }
        Some(choice)
    }

    fn parameter(&self, wanted: &str) -> Option<&'h str> {
        let found = self
            .parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| *value)
    }
}

/// A weight in thousandths: `0`, `0.5`, `1.000` (RFC 9110, 12.4.2).
fn weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let values = values
            .iter()
            .map(|value| (name.clone(), HeaderValue::from_str(value).unwrap()));
        values.collect()
    }

    fn accepts(values: &[&str]) -> Format {
        format(&headers(&ACCEPT, values))
    }

    #[test]
    fn prometheus_gets_openmetrics_as_it_asks_for() {
        // As Prometheus 2.42 and 3.x send it.
        for accept in [
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        ] {
            assert_eq!(accepts(&[accept]), Format::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn whoever_does_not_name_it_gets_the_text_format() {
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/plain",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.2, text/plain;q=0.3",
            "application/openmetrics-text;q=high",
            "application/json",
        ] {
            assert_eq!(accepts(&[accept]), Format::Text, "{accept}");
        }
        assert_eq!(accepts(&[]), Format::Text);
    }

    #[test]
    fn what_is_named_counts_before_a_range() {
        let named = "text/plain;q=0.1, */*;q=0.9, application/openmetrics-text;q=0.5";
        assert_eq!(accepts(&[named]), Format::OpenMetrics);
        let unnamed = "*/*;q=0.9, application/openmetrics-text;q=0.5";
        assert_eq!(accepts(&[unnamed]), Format::Text);
    }

    #[test]
    fn the_higher_weight_wins_over_all_header_lines_and_spellings() {
        assert_eq!(
            accepts(&[
                "text/plain;q=0.4",
                "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.5"
            ]),
            Format::OpenMetrics
        );
    }

    #[test]
    fn gzip_is_taken_where_it_is_wanted() {
        for (wanted, accept) in [
            (true, "gzip"),
            (true, "deflate, GZIP;q=0.001"),
            (true, "*"),
            (true, "gzip;q=0.5, *;q=0"),
            (true, "identity;q=0.5, gzip"),
            (false, ""),
            (false, "gzip;q=0"),
            (false, "gzip;q=0, *"),
            (false, "identity, gzip;q=0.5"),
            (false, "br, zstd"),
            (false, "gzip;q=2"),
        ] {
            assert_eq!(gzip(&headers(&ACCEPT_ENCODING, &[accept])), wanted, "{accept}");
        }
        assert!(!gzip(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn no_header_is_too_odd(text in "[ -~]{0,80}", pieces in proptest::collection::vec("(gzip|text/plain|q=|0\\.5|;|,|\"|=|\\*)", 0..20)) {
            for value in [text, pieces.concat()] {
                let asked = headers(&ACCEPT, &[&value]);
                let _ = (format(&asked), gzip(&headers(&ACCEPT_ENCODING, &[&value])));
            }
        }
    }
}
