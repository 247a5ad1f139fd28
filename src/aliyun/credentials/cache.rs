//! One cache in front of a provider: refreshed ahead of expiry, once for all who ask, and never in the way of the
//! calls that the old credentials are still good for.
//!
//! Lasting credentials are fetched at every use, since reading a file is cheap and a rotated one is to be noticed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, Notify};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use super::fetch::Fetch;
use super::{Claims, Credentials, CredentialsError, Provider};
use crate::model::UnixMillis;

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
    /// Something has happened that decides when to refresh next.
    changed: Notify,
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
    /// For a temporary key.
    times: Option<Times>,
    /// The API does not take it any more.
    refused: bool,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    /// From when it is to be refreshed.
    stale: Instant,
    /// From when it is of no use.
    expired: Instant,
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
            changed: Notify::new(),
        }
    }

    /// Credentials that are good now. Whoever asks waits only where there are none; all wait for one fetch then.
    /// Those in use are refreshed ahead of time by [`Self::keep_fresh`].
    pub async fn get(&self) -> Result<Credentials, CredentialsError> {
        if let Some(good) = self.lock().good() {
            return Ok(good);
        }
        let _turn = self.refreshing.lock().await;
        // Whoever had the turn before may have got them already.
        let good = self.lock().good();
        match good {
            Some(good) => Ok(good),
            None => self.refresh().await,
        }
    }

    /// Refreshes temporary credentials ahead of their end, for as long as it runs.
    pub async fn keep_fresh(&self) {
        loop {
            let changed = self.changed.notified();
            let due = self.lock().due();
            let Some(due) = due else {
                changed.await;
                continue;
            };
            tokio::select! {
                () = sleep_until(due) => {}
                () = changed => continue,
            }
            let _turn = self.refreshing.lock().await;
            let due = self.lock().due();
            if due.is_some_and(|due| due <= Instant::now()) {
                // What is wrong has been logged, and the old ones serve as long as they can.
                let _ = self.refresh().await;
            }
        }
    }

    /// Who gave the credentials that were fetched last, and the end of a temporary key by the cloud's clock.
    pub fn origin(&self) -> Option<(String, Option<UnixMillis>)> {
        let state = self.lock();
        let credentials = &state.held.as_ref()?.credentials;
        let expires = credentials.life.map(|life| life.expires);
        Some((credentials.provider.clone(), expires))
    }

    /// The API refused the token of these credentials. Returns whether the next caller gets others, which is so at
    /// most once a minute, and never for a key that nobody renews.
    pub fn reject(&self, refused: &Credentials) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        let recently = state.rejected.is_some_and(|last| now - last < PATIENCE);
        let Some(held) = &mut state.held else {
            return true;
        };
        if held.credentials.security_token != refused.security_token {
            return true;
        }
        let Some(times) = held.times.as_mut().filter(|_| !recently) else {
            return false;
        };
        warn!(account = %self.fetch.exchange.account, key = refused.last_four(), "the API refused the token, getting another");
        times.stale = now;
        held.refused = true;
        state.resting = None;
        state.rejected = Some(now);
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// Fetches once, for whoever has the turn. Not before a failure has rested; the old ones serve as long as they can.
    async fn refresh(&self) -> Result<Credentials, CredentialsError> {
        let resting = self.lock().resting.clone();
        if let Some((error, until)) = resting
            && Instant::now() < until
        {
            return self.lock().usable().ok_or(error);
        }
        let asked = Instant::now();
        let fetched = self.provider.fetch(&self.fetch).await;
        let result = match fetched {
            Ok(credentials) => Ok(self.succeeded(credentials, asked)),
            Err(error) => self.failed(error),
        };
        self.changed.notify_waiters();
        result
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
        self.claims.claim(credentials.identity(), account);
        let life = credentials.life;
        exchange
            .telemetry
            .set_credentials_expiry(account, life.map(|life| life.expires));
        (state.failures, state.resting) = (0, None);
        state.held = Some(Held {
            credentials: credentials.clone(),
            times: life.map(|life| Times {
                stale: asked + life.left.mul_f64(FRESH),
                expired: asked + life.left,
            }),
            refused: false,
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
    /// Temporary credentials that need no look at the provider.
    fn good(&self) -> Option<Credentials> {
        let held = self.held.as_ref().filter(|held| !held.refused)?;
        let times = held.times?;
        (Instant::now() < times.expired).then(|| held.credentials.clone())
    }

    /// Credentials for want of better ones.
    fn usable(&self) -> Option<Credentials> {
        let held = self.held.as_ref()?;
        let expired = held.times.is_some_and(|times| times.expired <= Instant::now());
        (!expired).then(|| held.credentials.clone())
    }

    /// When temporary credentials are to be refreshed.
    fn due(&self) -> Option<Instant> {
        let stale = self.held.as_ref()?.times?.stale;
        let rested = self.resting.as_ref().map(|(_, until)| *until);
        Some(rested.map_or(stale, |rested| rested.max(stale)))
    }
}
