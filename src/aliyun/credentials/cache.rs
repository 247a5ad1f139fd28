//! One cache in front of a provider: refreshed ahead of expiry, once for all who ask, and never in the way of the
//! calls that the old credentials are still good for.
//!
//! Lasting credentials are fetched at every use, since reading a file is cheap and a rotated one is to be noticed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as Turn;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::fetch::Fetch;
use super::{Claims, Credentials, CredentialsError, Provider};

/// The part of their life after which credentials are refreshed. A fixed time ahead would make the shortest
/// sessions, 900 s, refresh on every call.
const FRESH: f64 = 15.0 / 16.0;

/// The longest wait between two attempts of a refresh that fails.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long a refused token brings no second refresh: if a new one is refused too, newer ones will not help.
const PATIENCE: Duration = Duration::from_secs(60);

/// The credentials of one account.
#[derive(Debug)]
pub struct Cache {
    provider: Provider,
    fetch: Fetch,
    claims: Arc<Claims>,
    state: Mutex<State>,
    refreshing: Turn<()>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// The failures since the last success.
    failures: u32,
    /// The last failure, and until when it is not tried again.
    resting: Option<(CredentialsError, Instant)>,
    rejected: Option<Instant>,
    /// Who the log was last told of.
    named: Option<String>,
}

#[derive(Clone, Debug)]
struct Held {
    credentials: Credentials,
    /// From when they are to be refreshed.
    stale: Instant,
    /// From when they are of no use; never for lasting ones.
    expired: Option<Instant>,
}

impl Cache {
    /// An empty cache.
    pub fn new(provider: Provider, fetch: Fetch, claims: Arc<Claims>) -> Self {
        Self {
            provider,
            fetch,
            claims,
            state: Mutex::default(),
            refreshing: Turn::new(()),
        }
    }

    /// Credentials that are good now. Where they are to be refreshed, one caller does that and the others go on
    /// with the old ones; only where there are none, all wait for that one.
    pub async fn get(&self) -> Result<Credentials, CredentialsError> {
        if let Some(fresh) = self.lock().fresh() {
            return Ok(fresh);
        }
        let usable = self.lock().usable();
        let _turn = match usable {
            Some(old) => match self.refreshing.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(old),
            },
            None => self.refreshing.lock().await,
        };
        {
            let state = self.lock();
            // Whoever had the turn before may have got them already, or failed a moment ago.
            if let Some(fresh) = state.fresh() {
                return Ok(fresh);
            }
            if let Some((error, until)) = &state.resting
                && Instant::now() < *until
            {
                return state.usable().ok_or_else(|| error.clone());
            }
        }
        let asked = Instant::now();
        match self.provider.fetch(&self.fetch).await {
            Ok(credentials) => Ok(self.succeeded(credentials, asked)),
            Err(error) => self.failed(error),
        }
    }

    /// The API refused the token of these credentials: the next caller gets others. At most once a minute.
    pub fn reject(&self, refused: &Credentials) {
        let now = Instant::now();
        let mut state = self.lock();
        if state.rejected.is_some_and(|last| now - last < PATIENCE) {
            return;
        }
        if state
            .held
            .as_ref()
            .is_some_and(|held| held.credentials.security_token == refused.security_token)
        {
            warn!(account = %self.fetch.exchange.account, key = refused.last_four(), "the API refused the token, getting another");
            state.held = None;
            state.resting = None;
            state.rejected = Some(now);
        }
    }

    /// `asked` is when: the time that the answer took is part of the life that it tells.
    fn succeeded(&self, credentials: Credentials, asked: Instant) -> Credentials {
        let exchange = &self.fetch.exchange;
        let (account, key, provider) = (&exchange.account, credentials.last_four(), &credentials.provider);
        let mut state = self.lock();
        if state.named.as_ref() != Some(provider) {
            info!(%account, provider, key, "credentials found");
            state.named = Some(provider.clone());
        } else if state.failures > 0 {
            info!(%account, provider, key, "credentials can be refreshed again");
        } else if credentials.life.is_some() {
            debug!(%account, provider, key, "credentials refreshed");
        }
        let known = state
            .held
            .as_ref()
            .is_some_and(|held| held.credentials.access_key_id == credentials.access_key_id);
        if !known {
            self.claims.claim(&credentials.access_key_id, account);
        }
        let life = credentials.life;
        exchange
            .telemetry
            .set_credentials_expiry(account, life.map(|life| life.expires));
        (state.failures, state.resting) = (0, None);
        state.held = Some(Held {
            credentials: credentials.clone(),
            stale: life.map_or(asked, |life| asked + life.left.mul_f64(FRESH)),
            expired: life.map(|life| asked + life.left),
        });
        credentials
    }

    fn failed(&self, error: CredentialsError) -> Result<Credentials, CredentialsError> {
        let exchange = &self.fetch.exchange;
        exchange.telemetry.credentials_refresh_failed(&exchange.account);
        let mut state = self.lock();
        let usable = state.usable();
        if state.failures == 0 {
            let still_usable = usable.is_some();
            warn!(account = %exchange.account, %error, still_usable, "cannot get credentials");
        }
        let longest = Duration::from_secs(1 << state.failures.min(6)).min(LONGEST_WAIT);
        // Half of it at least, so that accounts that failed together do not come back together.
        let wait = longest.mul_f64(0.5 + exchange.host.random.fraction() / 2.0);
        state.failures = state.failures.saturating_add(1);
        state.resting = Some((error.clone(), Instant::now() + wait));
        usable.ok_or(error)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fresh(&self) -> Option<Credentials> {
        let held = self.held.as_ref().filter(|held| Instant::now() < held.stale)?;
        Some(held.credentials.clone())
    }

    fn usable(&self) -> Option<Credentials> {
        let now = Instant::now();
        let held = self
            .held
            .as_ref()
            .filter(|held| held.expired.is_none_or(|expired| now < expired))?;
        Some(held.credentials.clone())
    }
}
