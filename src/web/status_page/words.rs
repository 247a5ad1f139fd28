//! Times and urgency as people read them.

use crate::model::UnixMillis;

pub(super) const SECONDS_PER_DAY: f64 = 86_400.0;

/// An end that is nearer than this is marked.
const SOON: f64 = 30.0 * SECONDS_PER_DAY;

/// What a full bar of time stands for.
const YEAR: f64 = 365.0 * SECONDS_PER_DAY;

/// The least of a bar that can be seen, in percent.
const VISIBLE: u8 = 4;

/// How much something wants to be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    #[default]
    Fine,
    /// It will need somebody.
    Soon,
    /// It is over, or does not work.
    Ended,
}

/// When something ends or has ended.
pub(super) struct End {
    pub(super) at: UnixMillis,
    pub(super) time: String,
    pub(super) left: String,
    /// Percent of a year that is left, 100 at the most: what the bar shows.
    pub(super) part_of_year: u8,
    pub(super) urgency: Urgency,
}

/// A span of time, and how it is told.
pub(super) struct Span {
    pub(super) seconds: f64,
    pub(super) words: String,
    pub(super) urgency: Urgency,
}

impl Urgency {
    /// The class of the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Fine => "",
            Self::Soon => "soon",
            Self::Ended => "ended",
        }
    }
}

impl End {
    pub(super) fn new(at: UnixMillis, now: UnixMillis) -> Self {
        let left = at.seconds_since(now);
        Self {
            at,
            time: at.to_string(),
            left: if left > 0.0 { in_words(left) } else { ago(left) },
            part_of_year: if left > 0.0 {
                percent(left / YEAR).max(VISIBLE)
            } else {
                0
            },
            urgency: match left {
                ..=0.0 => Urgency::Ended,
                ..SOON => Urgency::Soon,
                _ => Urgency::Fine,
            },
        }
    }

    /// The day alone, where the time is one of the calendar.
    pub(super) fn day(&self) -> &str {
        self.time.split_once('T').map_or(&self.time, |(day, _)| day)
    }
}

/// A part of a whole in percent, rounded down: 100 is the whole, and there is no more.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 100"
)]
pub(super) fn percent(part: f64) -> u8 {
    (part * 100.0).clamp(0.0, 100.0) as u8
}

/// A time of the calendar for people: `2025-12-16 00:00:00 UTC`.
pub(super) fn moment(time: UnixMillis) -> String {
    time.to_string().replace('T', " ").replace('Z', " UTC")
}

/// What was so many seconds ago, told as a negative number of them: `3 days ago`.
pub(super) fn ago(seconds: f64) -> String {
    format!("{} ago", in_words(-seconds))
}

/// `in 2 days`, or nothing once it is past.
pub(super) fn to_come(seconds: f64) -> Option<String> {
    (seconds > 0.0).then(|| format!("in {}", in_words(seconds)))
}

/// A span in its largest unit that counts at least two, rounded down: `90 seconds`, `2 minutes`, `47 hours`, `2 days`.
pub(super) fn in_words(seconds: f64) -> String {
    let (size, unit) = match seconds {
        ..2.0 if seconds >= 1.0 => return "1 second".to_owned(),
        ..120.0 => (1.0, "seconds"),
        ..7_200.0 => (60.0, "minutes"),
        ..172_800.0 => (3_600.0, "hours"),
        _ => (SECONDS_PER_DAY, "days"),
    };
    format!("{:.0} {unit}", (seconds / size).floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_whole_units_and_never_rounded_up() {
        let told = [
            (0.0, "0 seconds"),
            (1.9, "1 second"),
            (2.0, "2 seconds"),
            (119.9, "119 seconds"),
            (120.0, "2 minutes"),
            (7_199.0, "119 minutes"),
            (7_200.0, "2 hours"),
            (172_799.0, "47 hours"),
            (172_800.0, "2 days"),
            (27_100_800.0, "313 days"),
        ];
        for (seconds, words) in told {
            assert_eq!(in_words(seconds), words);
        }
    }

    #[test]
    fn an_end_is_marked_when_it_is_near_and_when_it_is_past() {
        let now = UnixMillis::from_seconds(1_765_843_200);
        let end = |days: i64| End::new(UnixMillis(now.0 + days * 86_400_000), now);
        let marks = [31, 30, 29, 0, -3].map(|days| end(days).urgency.class());
        assert_eq!(marks, ["", "", "soon", "ended", "ended"]);
        assert_eq!(
            (end(31).left.as_str(), end(-3).left.as_str()),
            ("31 days", "3 days ago")
        );
        assert_eq!(end(31).day(), "2026-01-16");
    }

    #[test]
    fn the_bar_of_an_end_is_full_at_a_year_and_seen_until_the_end() {
        let now = UnixMillis::from_seconds(1_765_843_200);
        let bar = |days: i64| End::new(UnixMillis(now.0 + days * 86_400_000), now).part_of_year;
        assert_eq!([4000, 365, 73, 1, 0, -3].map(bar), [100, 100, 20, 4, 0, 0]);
    }

    #[test]
    fn an_end_beyond_the_calendar_is_shown_in_seconds() {
        let never = End::new(UnixMillis::from_seconds(253_402_300_799), UnixMillis(0));
        assert_eq!(never.day(), "253402300799s after 1970");
    }
}
