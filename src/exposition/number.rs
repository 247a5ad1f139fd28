//! How numbers are spelt: exactly, and those that move at every scrape in a width that seldom changes.

use std::fmt::Write as _;

use crate::model::UnixMillis;

/// Up to here every whole number is exact.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

const SECONDS_PER_DAY: f64 = 86_400.0;

/// The decimals of days: enough to tell milliseconds apart.
const DECIMALS_OF_DAYS: usize = 8;

/// What the last of these is, in thousandths of a millisecond.
const THOUSANDTHS: u64 = 864;

/// A sample's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// In the shortest digits that read back as the same number, and never with an exponent.
    Exact(f64),
    /// A time, as seconds since 1970 with three decimals.
    Seconds(UnixMillis),
    /// The days between two times, with eight decimals.
    Days { until: UnixMillis, now: UnixMillis },
}

impl Number {
    pub(super) fn write(self, text: &mut String) {
        match self {
            Self::Exact(value) => exact(text, value),
            Self::Seconds(UnixMillis(millis)) => decimal(text, millis < 0, millis.unsigned_abs(), 3),
            Self::Days { until, now } => days(text, until, now),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole and small enough to be exact"
)]
fn exact(text: &mut String, value: f64) {
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

fn days(text: &mut String, until: UnixMillis, now: UnixMillis) {
    let thousandths = until
        .0
        .checked_sub(now.0)
        .and_then(|millis| millis.checked_mul(1_000));
    let Some(thousandths) = thousandths else {
        // Millions of years.
        return exact(text, until.seconds_since(now) / SECONDS_PER_DAY);
    };
    let rounded = (thousandths.unsigned_abs() + THOUSANDTHS / 2) / THOUSANDTHS;
    decimal(text, thousandths < 0, rounded, DECIMALS_OF_DAYS);
}

/// A number given as the digits before and behind its point.
fn decimal(text: &mut String, negative: bool, digits: u64, decimals: usize) {
    if negative {
        text.push('-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(digits);
    if let Some((whole, rest)) = digits
        .len()
        .checked_sub(decimals)
        .filter(|whole| *whole > 0)
        .map(|whole| digits.split_at(whole))
    {
        text.push_str(whole);
        text.push('.');
        text.push_str(rest);
    } else {
        text.push_str("0.");
        text.extend(std::iter::repeat_n('0', decimals - digits.len()));
        text.push_str(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(number: Number) -> String {
        let mut text = String::new();
        number.write(&mut text);
        text
    }

    #[test]
    fn days_have_eight_decimals_and_tell_milliseconds_apart() {
        let day = 86_400_000;
        let expected = [
            (day / 2, "0.50000000"),
            (-day / 2, "-0.50000000"),
            (1, "0.00000001"),
            (day, "1.00000000"),
            (350 * day + 2, "350.00000002"),
            (2 * day - 1, "1.99999999"),
            (-1, "-0.00000001"),
            (0, "0.00000000"),
        ];
        for (millis, expected) in expected {
            let days = Number::Days {
                until: UnixMillis(millis + 7),
                now: UnixMillis(7),
            };
            assert_eq!(spelt(days), expected);
        }
    }

    #[test]
    fn times_have_three_decimals_whatever_they_are() {
        let expected = [
            (1_765_843_200_000, "1765843200.000"),
            (1_765_843_200_010, "1765843200.010"),
            (1_000, "1.000"),
            (999, "0.999"),
            (0, "0.000"),
            (-1_500, "-1.500"),
        ];
        for (millis, expected) in expected {
            assert_eq!(spelt(Number::Seconds(UnixMillis(millis))), expected);
        }
    }

    #[test]
    fn numbers_are_exact_and_spelt_as_the_format_wants_them() {
        let expected = [
            (1_792_944_000.0, "1792944000"),
            (1_792_944_000.001, "1792944000.001"),
            (-0.25, "-0.25"),
            (1e21, "1000000000000000000000"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in expected {
            assert_eq!(spelt(Number::Exact(value)), expected);
        }
    }
}
