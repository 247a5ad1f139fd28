//! Roles and their sessions, by the rules of the Security Token Service: what it would refuse is refused here.
//!
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole>. No error repeats a
//! value: a policy or an external id is nobody else's business.

use std::path::Path;
use std::time::Duration;

use crate::aliyun::credentials::{Oidc, Session};
use crate::config::duration::Span;
use crate::config::file;
use crate::config::value::{LONGEST_ID, endpoint, in_range, path, text};
use crate::yaml::{Entry, Problems, Reported};

/// The life of a session: STS takes 15 minutes up to what the role allows, 12 hours at most.
const DURATION: (Duration, Duration) = (Duration::from_secs(15 * 60), Duration::from_secs(12 * 60 * 60));

/// Characters of a policy.
const LONGEST_POLICY: usize = 2048;

/// The keys that say what a session is to be like; two providers have them.
#[derive(Clone, Copy)]
pub(super) struct SessionKeys<'f> {
    pub(super) name: &'f Entry<String>,
    pub(super) policy: &'f Entry<String>,
    pub(super) duration: &'f Entry<Span>,
    pub(super) sts_endpoint: &'f Entry<String>,
}

impl SessionKeys<'_> {
    pub(super) fn read(self, problems: &mut Problems) -> Result<Session, Reported> {
        let name = characters(self.name, (2, 64), ".@_-", problems);
        let policy = policy(self.policy, problems);
        let duration = duration(self.duration, problems);
        let sts_endpoint = endpoint(self.sts_endpoint, problems);
        Ok(Session {
            name: name?,
            policy: policy?,
            duration: duration?,
            sts_endpoint: sts_endpoint?,
        })
    }
}

/// A role that a token of an identity provider takes on. What is left out is looked for in variables at run time.
pub(super) fn oidc(shape: &file::Oidc, folder: &Path, problems: &mut Problems) -> Result<Oidc, Reported> {
    let role_arn = arn(&shape.role_arn, "role", problems);
    let oidc_provider_arn = arn(&shape.oidc_provider_arn, "oidc-provider", problems);
    let oidc_token_file = path(&shape.oidc_token_file, folder, problems);
    let session = SessionKeys {
        name: &shape.role_session_name,
        policy: &shape.policy,
        duration: &shape.duration,
        sts_endpoint: &shape.sts_endpoint,
    };
    let session = session.read(problems);
    Ok(Oidc {
        role_arn: role_arn?,
        oidc_provider_arn: oidc_provider_arn?,
        oidc_token_file: oidc_token_file?,
        session: session?,
    })
}

/// The vendor's name of a role or an identity provider.
pub(super) fn arn(
    entry: &Entry<String>,
    kind: &str,
    problems: &mut Problems,
) -> Result<Option<String>, Reported> {
    let Some(arn) = text(entry, LONGEST_ID, problems)? else {
        return Ok(None);
    };
    if is_arn(arn, kind) {
        return Ok(Some(arn.to_owned()));
    }
    let error = format!("must look like acs:ram::1234567890123456:{kind}/name");
    Err(problems.push(&entry.place, error))
}

fn is_arn(text: &str, kind: &str) -> bool {
    let rest = text
        .strip_prefix("acs:ram::")
        .and_then(|rest| rest.split_once(':'));
    let Some((uid, rest)) = rest else { return false };
    let name = rest.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !uid.is_empty()
        && uid.bytes().all(|byte| byte.is_ascii_digit())
        && name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_legal))
}

/// What the trust policy of a role may ask for.
pub(super) fn external_id(
    entry: &Entry<String>,
    problems: &mut Problems,
) -> Result<Option<String>, Reported> {
    characters(entry, (2, 1224), "+=,.@:/_-", problems)
}

/// A text of letters, digits and some `others`, with a number of characters between two bounds, both included.
fn characters(
    entry: &Entry<String>,
    (fewest, most): (usize, usize),
    others: &str,
    problems: &mut Problems,
) -> Result<Option<String>, Reported> {
    let Some(text) = entry.get()? else {
        return Ok(None);
    };
    let is_legal = |character: char| character.is_ascii_alphanumeric() || others.contains(character);
    if (fewest..=most).contains(&text.len()) && text.chars().all(is_legal) {
        return Ok(Some(text.clone()));
    }
    let error = format!("must have {fewest} to {most} characters: letters, digits and {others}");
    Err(problems.push(&entry.place, error))
}

/// A policy may go over several lines, for people to read.
fn policy(entry: &Entry<String>, problems: &mut Problems) -> Result<Option<String>, Reported> {
    let Some(policy) = entry.get()? else {
        return Ok(None);
    };
    let error = if policy.chars().count() > LONGEST_POLICY {
        format!("must have {LONGEST_POLICY} characters at most")
    } else if let Err(error) = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(policy) {
        // Its own words may repeat a value.
        if error.is_data() {
            "must be an object in JSON".to_owned()
        } else {
            let (line, column) = (error.line(), error.column());
            format!("must be valid JSON, and is not in its line {line}, column {column}")
        }
    } else {
        return Ok(Some(policy.clone()));
    };
    Err(problems.push(&entry.place, error))
}

fn duration(entry: &Entry<Span>, problems: &mut Problems) -> Result<Option<Duration>, Reported> {
    let duration = in_range(entry, DURATION, problems)?;
    if duration.is_some_and(|duration| duration.subsec_nanos() > 0) {
        return Err(problems.push(&entry.place, "must be whole seconds"));
    }
    Ok(duration)
}
