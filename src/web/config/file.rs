//! The shape of the web configuration's YAML: every key, and the type of what it holds. What the values mean is not
//! here. The keys are those of the Prometheus exporter-toolkit's `web-configuration.md`.

use std::time::Duration;

use jiff::SignedDuration;

use crate::secret::Secret;
use crate::yaml::{Entry, Map, Problems, Read, Reported, Value, shape};

/// A list, each item with its place.
pub(super) type List<T> = Vec<Entry<T>>;

shape! {
    /// The whole file.
    File {
        tls_server_config: Tls,
        http_server_config: Http,
        basic_auth_users: Map<Secret>,
        rate_limit: RateLimit,
    }
}

shape! {
    /// The server's certificate, whose certificates it takes, and how it encrypts.
    Tls {
        cert: Secret,
        cert_file: String,
        key: Secret,
        key_file: String,
        client_auth_type: String,
        client_ca: Secret,
        client_ca_file: String,
        client_allowed_sans: List<String>,
        min_version: String,
        max_version: String,
        cipher_suites: List<String>,
        prefer_server_cipher_suites: bool,
        curve_preferences: List<String>,
    }
}

shape! {
    /// What is said of HTTP.
    Http {
        http2: bool,
        headers: Map<String>,
    }
}

shape! {
    /// How often requests may come.
    RateLimit {
        interval: Interval,
        burst: u64,
    }
}

/// A duration as Go writes it, which the toolkit takes here: `1s`, `100ms`, `1m30s`, `1.5s`, 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval(pub(super) Duration);

impl Interval {
    fn parse(text: &str) -> Option<Duration> {
        // The library takes more than Go does, such as blanks, signs and ISO 8601.
        let legal = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '.'
        };
        if text == "0" {
            return Some(Duration::ZERO);
        }
        let span: SignedDuration = text.chars().all(legal).then(|| text.parse().ok())??;
        span.try_into().ok()
    }
}

impl Read for Interval {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        const EXPECTED: &str = "a duration such as 1s or 100ms";
        if value.is_number() {
            return match u64::read(value, problems)? {
                0 => Ok(Self(Duration::ZERO)),
                _ => Err(value.unexpected(EXPECTED, "add a unit", problems)),
            };
        }
        let text = value.text();
        let text = text.ok_or_else(|| value.unexpected(EXPECTED, "", problems))?;
        let interval = Self::parse(text).map(Self);
        interval.ok_or_else(|| problems.push(value.place(), format!("expected {EXPECTED}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Go's `time.ParseDuration` documents them.
    #[test]
    fn an_interval_is_written_as_in_go() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("1s", 1000),
            ("100ms", 100),
            ("1m30s", 90_000),
            ("1h15m", 4_500_000),
            ("1.5s", 1500),
        ] {
            assert_eq!(
                Interval::parse(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_of_go_is_none_here() {
        for text in ["", "1", "s", "-1s", "1 s", "PT1S", "1d", "1S", "1s ago", "."] {
            assert_eq!(Interval::parse(text), None, "{text}");
        }
    }
}
