//! From the shape of the web configuration to values that cannot be wrong: headers, users, the rate limit. TLS has a
//! file of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use bcrypt::HashParts;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::file::{File, Http, RateLimit as RateLimitShape};
use super::{RateLimit, WebConfig, tls};
use crate::secret::Secret;
use crate::yaml::{Entry, Map, Problems, Reported};

/// The headers that may be set, as the toolkit has them, each with its only values if there are such.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

/// The costs of bcrypt, 2 to the power of that many rounds: from what it knows to some seconds a login.
const COSTS: std::ops::RangeInclusive<u32> = 4..=16;

/// The longest time between two requests.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest burst.
const LARGEST_BURST: u32 = 1_000_000;

/// The whole file.
pub(super) fn web_config(file: &File, folder: &Path, problems: &mut Problems) -> Result<WebConfig, Reported> {
    let tls = tls::tls(&file.tls_server_config, folder, problems);
    let http = http(&file.http_server_config, problems);
    let users = users(&file.basic_auth_users, problems);
    let rate_limit = rate_limit(&file.rate_limit, problems);
    let (http2, headers) = http?;
    Ok(WebConfig {
        tls: tls?,
        http2,
        headers,
        users: users?,
        rate_limit: rate_limit?,
    })
}

fn http(entry: &Entry<Http>, problems: &mut Problems) -> Result<(bool, HeaderMap), Reported> {
    let Some(shape) = entry.get()? else {
        return Ok((true, HeaderMap::new()));
    };
    let headers = headers(&shape.headers, problems);
    Ok((shape.http2.get()?.copied().unwrap_or(true), headers?))
}

fn headers(entry: &Entry<Map<String>>, problems: &mut Problems) -> Result<HeaderMap, Reported> {
    let mut headers = HeaderMap::new();
    let mut failed = Ok(());
    for (name, entry) in entry.get()?.into_iter().flatten() {
        match header(name, entry, problems) {
            Ok(Some((name, value))) => drop(headers.insert(name, value)),
            Ok(None) => {}
            Err(reported) => failed = Err(reported),
        }
    }
    failed.map(|()| headers)
}

/// A header; none if its value is empty, which means in the toolkit that it is not set.
fn header(
    name: &str,
    entry: &Entry<String>,
    problems: &mut Problems,
) -> Result<Option<(HeaderName, HeaderValue)>, Reported> {
    let Some((known, values)) = HEADERS.iter().find(|(known, _)| *known == name) else {
        let names = HEADERS.map(|(name, _)| name).join(", ");
        let error = format!("no header that can be set; those that can are {names}, spelt like this");
        return Err(problems.push(&entry.place, error));
    };
    let value = entry.get()?.map(String::as_str).unwrap_or_default();
    if !values.is_empty() && !values.contains(&value) {
        return Err(problems.push(&entry.place, format!("must be {}", values.join(" or "))));
    }
    if value.is_empty() {
        return Ok(None);
    }
    let value = HeaderValue::from_str(value)
        .ok()
        .filter(|value| value.to_str().is_ok())
        .ok_or_else(|| {
            problems.push(
                &entry.place,
                "has a character that no header can have; ASCII only",
            )
        })?;
    let name = HeaderName::from_str(known).expect("the names above are names of headers");
    Ok(Some((name, value)))
}

fn users(entry: &Entry<Map<Secret>>, problems: &mut Problems) -> Result<BTreeMap<String, Secret>, Reported> {
    let mut users = BTreeMap::new();
    let mut failed = Ok(());
    for (name, entry) in entry.get()?.into_iter().flatten() {
        match user(name, entry, problems) {
            Ok(hash) => drop(users.insert(name.clone(), hash)),
            Err(reported) => failed = Err(reported),
        }
    }
    failed.map(|()| users)
}

/// The hash of a user's password.
fn user(name: &str, entry: &Entry<Secret>, problems: &mut Problems) -> Result<Secret, Reported> {
    if name.is_empty() || name.contains(':') {
        let error = "the name of a user must not be empty and have no colon, which ends a name in HTTP";
        return Err(problems.push(&entry.place, error));
    }
    let hash = entry.required(problems)?;
    let cost = hash.expose().parse::<HashParts>().map(|parts| parts.get_cost());
    let error = match cost {
        Ok(cost) if COSTS.contains(&cost) => return Ok(hash.clone()),
        Ok(cost) if cost > *COSTS.end() => format!(
            "has a cost of {cost}, with which a login takes many seconds; make one of {} at the most, with \
             `htpasswd -nBC 10 \"\"`",
            COSTS.end()
        ),
        _ => "must be a bcrypt hash such as $2y$10$…; make one with `htpasswd -nBC 10 \"\"`".to_owned(),
    };
    Err(problems.push(&entry.place, error))
}

/// None without the section, or with an interval of 0.
fn rate_limit(entry: &Entry<RateLimitShape>, problems: &mut Problems) -> Result<Option<RateLimit>, Reported> {
    let Some(shape) = entry.get()? else {
        return Ok(None);
    };
    let interval = shape.interval.required(problems).map(|interval| interval.0);
    if interval.is_ok_and(|interval| interval.is_zero()) {
        return Ok(None);
    }
    let burst = shape.burst.required(problems).and_then(|burst| {
        let burst = u32::try_from(*burst)
            .ok()
            .filter(|burst| (1..=LARGEST_BURST).contains(burst));
        burst.ok_or_else(|| problems.push(&shape.burst.place, format!("must be from 1 to {LARGEST_BURST}")))
    });
    let interval = interval?;
    if interval > LONGEST_INTERVAL {
        return Err(problems.push(&shape.interval.place, "must be 24h at most"));
    }
    Ok(Some(RateLimit {
        interval,
        burst: burst?,
    }))
}
