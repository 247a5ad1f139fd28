//! Whether a call is welcome: key, time, signature, token, nonce, limit; in this order, the first refusal counts.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::call::Call;
use super::error::ApiError;
use crate::model::UnixMillis;
use crate::secret::Secret;

/// The calls of one user and action that any sliding second may hold, where nothing else is set.
pub const DEFAULT_LIMIT: usize = 10;

/// How far a caller's clock may be off, and how long a nonce is remembered.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What belongs to an access key id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whose it is: the limit is each user's.
    pub user: String,
    /// What calls are signed with.
    pub secret: Secret,
    /// The token that must come with every call of a temporary key.
    pub token: Option<Secret>,
    /// From when it is refused, by the cloud's clock.
    pub expires: Option<UnixMillis>,
}

/// The nonces of the last fifteen minutes.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    seen: BTreeSet<(String, String)>,
    in_order: VecDeque<(Instant, (String, String))>,
}

/// One arrival, as far as the rules look at it.
pub(super) struct Arriving<'a> {
    pub(super) call: &'a Call,
    /// What belongs to the call's access key id, if anything does.
    pub(super) key: Option<&'a Key>,
    pub(super) at: Instant,
    /// The cloud's wall clock.
    pub(super) now: UnixMillis,
    /// How many calls of this user and action the second that ends now holds, this one included.
    pub(super) in_window: usize,
    pub(super) limit: usize,
}

impl Key {
    /// A key of `user` that needs no token.
    pub fn plain(user: &str, secret: &str) -> Self {
        Self {
            user: user.to_owned(),
            secret: secret.into(),
            token: None,
            expires: None,
        }
    }

    /// A temporary key of `user`.
    pub fn temporary(user: &str, secret: &str, token: &str) -> Self {
        Self {
            token: Some(token.into()),
            ..Self::plain(user, secret)
        }
    }
}

/// Lets a call in or says why not. The nonce of a rightly signed call is used up either way.
pub(super) fn admit(arriving: &Arriving<'_>, nonces: &mut Nonces) -> Result<(), ApiError> {
    let call = arriving.call;
    let key = arriving.key.ok_or_else(|| {
        ApiError::new(
            "InvalidAccessKeyId.NotFound",
            404,
            "Specified access key is not found.",
        )
    })?;
    check_time(&call.time, arriving.now)?;
    call.check_signature(key.secret.expose())?;
    check_token(call.token.as_deref(), key, arriving.now)?;
    nonces.take(&call.access_key_id, &call.nonce, arriving.at)?;
    if arriving.in_window > arriving.limit {
        return Err(ApiError::new(
            "Throttling.User",
            400,
            "Request was denied due to user flow control.",
        ));
    }
    Ok(())
}

impl Nonces {
    pub(super) fn take(&mut self, access_key_id: &str, nonce: &str, at: Instant) -> Result<(), ApiError> {
        while let Some((seen, _)) = self.in_order.front()
            && at.duration_since(*seen) > PATIENCE
            && let Some((_, old)) = self.in_order.pop_front()
        {
            self.seen.remove(&old);
        }
        let entry = (access_key_id.to_owned(), nonce.to_owned());
        if !self.seen.insert(entry.clone()) {
            return Err(ApiError::new(
                "SignatureNonceUsed",
                400,
                "Specified signature nonce was used already.",
            ));
        }
        self.in_order.push_back((at, entry));
        Ok(())
    }
}

/// Whether the time that a caller tells is one, and near enough to the cloud's.
pub(super) fn check_time(sent: &str, now: UnixMillis) -> Result<(), ApiError> {
    // The rules know one spelling only: UTC, whole seconds.
    let time: jiff::Timestamp = sent
        .parse()
        .ok()
        .filter(|time: &jiff::Timestamp| time.to_string() == sent && time.subsec_nanosecond() == 0)
        .ok_or_else(|| {
            ApiError::new(
                "InvalidTimeStamp.Format",
                400,
                "Specified time stamp or date value is not well formatted.",
            )
        })?;
    let off = now.seconds_since(UnixMillis::from_seconds(time.as_second()));
    if off.abs() > PATIENCE.as_secs_f64() {
        return Err(ApiError::new(
            "InvalidTimeStamp.Expired",
            400,
            "Specified time stamp or date value is expired.",
        ));
    }
    Ok(())
}

fn check_token(sent: Option<&str>, key: &Key, now: UnixMillis) -> Result<(), ApiError> {
    let over = key.expires.is_some_and(|end| now >= end);
    match (sent, key.token.as_ref().map(Secret::expose)) {
        (sent, wanted) if sent == wanted && !over => Ok(()),
        (None, _) => Err(ApiError::new(
            "MissingSecurityToken",
            400,
            "SecurityToken is mandatory for this action.",
        )),
        (Some(_), None) => Err(ApiError::new(
            "InvalidSecurityToken.MismatchWithAccessKey",
            400,
            "Specified SecurityToken mismatch with the AccessKey.",
        )),
        (Some(_), Some(_)) => Err(ApiError::new(
            "InvalidSecurityToken.Expired",
            400,
            "Specified SecurityToken is expired.",
        )),
    }
}
