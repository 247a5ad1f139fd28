//! Durations as Prometheus writes them: `30s`, `5m`, `1h30m`, `7d`.
//!
//! The rules are those of Prometheus's `model.ParseDuration` and of its `Duration.String`.

use std::time::Duration;

use crate::yaml::{Problems, Read, Reported, Value};

/// The units, in the order in which they must come, with their milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * DAY),
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

const DAY: u64 = 24 * 60 * 60 * 1000;

/// The longest duration that Prometheus takes: nanoseconds in 63 bits, some 292 years.
const LONGEST_MILLIS: u64 = i64::MAX.unsigned_abs() / 1_000_000;

const EXPECTED: &str = "a duration such as 30s, 5m or 1h30m";

/// A duration in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// A text that is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SpanError {
    #[error(
        "expected a duration such as 30s, 5m or 1h30m: whole numbers with the units y, w, d, h, m, s, ms, \
         in this order and each once at most"
    )]
    Malformed,
    #[error("longer than 292 years")]
    TooLong,
}

impl Span {
    /// Reads what Prometheus would: the longest units first, each once at most, `0` without any.
    pub(super) fn parse(text: &str) -> Result<Self, SpanError> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if text.is_empty() {
            return Err(SpanError::Malformed);
        }
        let (mut rest, mut units, mut sum) = (text, UNITS.iter(), 0_u64);
        while !rest.is_empty() {
            let (number, after) = split(rest, |character| character.is_ascii_digit());
            let (unit, after) = split(after, |character| !character.is_ascii_digit());
            // Units before the one found are used up, and so is the one found.
            let (_, millis) = units
                .find(|(name, _)| *name == unit)
                .ok_or(SpanError::Malformed)?;
            if number.is_empty() {
                return Err(SpanError::Malformed);
            }
            // Only digits are left, so what does not fit is too long.
            sum = number
                .parse::<u64>()
                .ok()
                .and_then(|number| number.checked_mul(*millis)?.checked_add(sum))
                .filter(|sum| *sum <= LONGEST_MILLIS)
                .ok_or(SpanError::TooLong)?;
            rest = after;
        }
        Ok(Self(Duration::from_millis(sum)))
    }
}

/// Splits where `belongs` ends.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|character| !belongs(character)).unwrap_or(text.len()))
}

/// As Prometheus prints it: years and weeks only where nothing is left over (`90d`, not `12w6d`); to the
/// millisecond.
pub(super) fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, millis) in UNITS {
        let exact_only = matches!(unit, "y" | "w");
        if rest < millis || exact_only && rest % millis != 0 {
            continue;
        }
        text += &(rest / millis).to_string();
        text += unit;
        rest %= millis;
    }
    text
}

impl Read for Span {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        let Some(text) = value.text() else {
            let advice = if value.is_number() { "add a unit" } else { "" };
            return Err(value.unexpected(EXPECTED, advice, problems));
        };
        Self::parse(text).map_err(|error| problems.push(value.place(), error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The cases of Prometheus's own `TestParseDuration`, in milliseconds.
    #[test]
    fn prometheus_own_cases_read_the_same() {
        for (text, millis) in [
            ("0", 0),
            ("0w", 0),
            ("0s", 0),
            ("324ms", 324),
            ("3s", 3_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("4d", 4 * 86_400_000),
            ("4d1h", 4 * 86_400_000 + 3_600_000),
            ("14d", 14 * 86_400_000),
            ("3w", 21 * 86_400_000),
            ("3w2d1h", 23 * 86_400_000 + 3_600_000),
            ("10y", 3_650 * 86_400_000),
        ] {
            assert_eq!(
                Span::parse(text),
                Ok(Span(Duration::from_millis(millis))),
                "{text}"
            );
        }
    }

    /// The cases of Prometheus's own `TestParseBadDuration`, and some more.
    #[test]
    fn prometheus_own_bad_cases_are_refused() {
        for text in [
            "1", "1y1m1d", "-1w", "1.5d", "d", "", "5m5m", "5s1m", "1h 30m", " 5m", "5m ", "5min", "5M",
            "５m", "+5m", "m5", "5", "00",
        ] {
            assert_eq!(Span::parse(text), Err(SpanError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn what_overflows_in_prometheus_is_too_long() {
        for text in [
            "294y",
            "200y10400w",
            "107675d",
            "2584200h",
            "99999999999999999999y",
        ] {
            assert_eq!(Span::parse(text), Err(SpanError::TooLong), "{text}");
        }
        assert!(Span::parse("292y").is_ok());
    }

    #[test]
    fn durations_print_as_prometheus_prints_them() {
        for (millis, text) in [
            (0, "0s"),
            (324, "324ms"),
            (3_000, "3s"),
            (300_000, "5m"),
            (492_000, "8m12s"),
            (5_400_000, "1h30m"),
            (86_400_000, "1d"),
            (90 * 86_400_000, "90d"),
            (14 * 86_400_000, "2w"),
            (365 * 86_400_000, "1y"),
        ] {
            assert_eq!(format(Duration::from_millis(millis)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_the_same(millis in 0..LONGEST_MILLIS) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(Span::parse(&format(duration)), Ok(Span(duration)));
        }

        #[test]
        fn no_text_is_a_panic(text in ".*") {
            let _ = Span::parse(&text);
        }
    }
}
