//! The way to the cloud and back: how long a call is under way, and whether its answer gets through. What happens to
//! it there is `World`'s business.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::Random;

/// Both ways. Up, without delay and without loss by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// From the caller to the arrival.
    pub there: Delay,
    /// From the arrival to the answer's head.
    pub back: Delay,
    /// Nobody gets through: connections are refused (on a socket: closed unanswered), and nothing arrives.
    pub down: bool,
    /// Of how many calls in a hundred, picked at random, the connection is closed at the moment at which the answer
    /// would come. Those calls have arrived, and count. 100 or more: of all.
    pub drop_percent: u8,
}

/// What the network does to one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage {
    pub(super) there: Duration,
    pub(super) back: Duration,
    pub(super) dropped: bool,
}

/// A range of delays, each equally likely: `0ms..200ms`, or `50ms` for always the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Delay {
    least: Duration,
    spread: Duration,
}

/// A text that is no delay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no delay; expected one such as 50ms, 2s or 0ms..200ms, the smaller end first")]
pub struct DelayError(String);

impl Network {
    /// What happens to the next call; none if it does not get there.
    pub(super) fn passage(self, random: &Random) -> Option<Passage> {
        (!self.down).then(|| Passage {
            there: self.there.pick(random.fraction()),
            back: self.back.pick(random.fraction()),
            // Without losses nothing is drawn, so that all else stays as it was for the same seed.
            dropped: self.drop_percent > 0 && random.fraction() * 100.0 < f64::from(self.drop_percent),
        })
    }
}

impl Delay {
    /// From `least` to `most`, or always `least` where that is the larger one.
    pub fn between(least: Duration, most: Duration) -> Self {
        Self {
            least,
            spread: most.saturating_sub(least),
        }
    }

    /// The delay of one call; `fraction` runs from 0 to 1.
    fn pick(self, fraction: f64) -> Duration {
        self.least + self.spread.mul_f64(fraction)
    }
}

impl FromStr for Delay {
    type Err = DelayError;

    fn from_str(text: &str) -> Result<Self, DelayError> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        duration(least)
            .zip(duration(most))
            .and_then(|(least, most)| {
                let spread = most.checked_sub(least)?;
                Some(Self { least, spread })
            })
            .ok_or_else(|| DelayError(text.to_owned()))
    }
}

impl TryFrom<String> for Delay {
    type Error = DelayError;

    fn try_from(text: String) -> Result<Self, DelayError> {
        text.parse()
    }
}

impl From<Delay> for String {
    fn from(delay: Delay) -> Self {
        delay.to_string()
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.least, self.least + self.spread);
        write!(f, "{}ms..{}ms", least.as_millis(), most.as_millis())
    }
}

/// `200ms` or `2s`.
fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(least: u64, most: u64) -> Delay {
        Delay::between(Duration::from_millis(least), Duration::from_millis(most))
    }

    #[test]
    fn a_delay_is_a_range_or_one_value() {
        assert_eq!("0ms..200ms".parse(), Ok(millis(0, 200)));
        assert_eq!("2s".parse(), Ok(millis(2000, 2000)));
        assert_eq!("50ms..1s".parse(), Ok(millis(50, 1000)));
    }

    #[test]
    fn what_is_no_delay_is_refused_with_an_example() {
        for text in ["", "5", "ms", "200ms..0ms", "0ms..", "-1ms", "1h"] {
            let error = text.parse::<Delay>().unwrap_err().to_string();
            assert!(error.contains("0ms..200ms"), "{text}: {error}");
        }
    }

    #[test]
    fn a_pick_covers_the_range() {
        let delay = millis(100, 300);
        assert_eq!(delay.pick(0.0), Duration::from_millis(100));
        assert_eq!(delay.pick(0.5), Duration::from_millis(200));
    }
}
