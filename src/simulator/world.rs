//! The cloud: users, instances, rules, moods and memory in one value that many callers share.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::HOST;
use tokio::time::Instant;

use super::arrivals::{Arrival, Series};
use super::ca_certificate::CaCertificate;
use super::cas::UnknownInstance;
use super::credentials_uri::CredentialsUri;
use super::envelope::Envelope;
use super::fault::{Fault, FaultId};
use super::instance::Instance;
use super::metadata::Metadata;
use super::network::{Network, Passage};
use super::reply::Reply;
use super::role::Role;
use super::rules::Key;
use super::state::State;
use super::sts::OidcToken;
use crate::host::{Clock, HttpRequest, Random};
use crate::model::UnixMillis;

/// The cloud. Cheap to clone; all clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Shared>);

struct Shared {
    clock: Clock,
    random: Random,
    state: Mutex<State>,
}

impl World {
    /// An empty world: no key, no instance, no fault, no delay. Its clock is its own, whatever a caller's says.
    pub fn new(clock: Clock, random: Random) -> Self {
        Self(Arc::new(Shared {
            clock,
            random,
            state: Mutex::default(),
        }))
    }

    /// Adds a key, or replaces what belongs to its id.
    pub fn put_key(&self, access_key_id: &str, key: Key) {
        self.with(|state| state.keys.insert(access_key_id.to_owned(), key));
    }

    /// Sets how many calls of each action any sliding second may hold for a user; 10 by default.
    pub fn set_limit(&self, user: &str, calls: usize) {
        self.with(|state| state.limits.insert(user.to_owned(), calls));
    }

    /// The same for calls of STS; 100 by default.
    pub fn set_sts_limit(&self, user: &str, calls: usize) {
        self.with(|state| state.sts.limits.insert(user.to_owned(), calls));
    }

    /// Adds a role, or replaces the one with its ARN.
    pub fn put_role(&self, role: Role) {
        self.with(|state| state.sts.roles.insert(role.arn.clone(), role));
    }

    /// Says that the identity provider with this ARN has issued a token, and from when it is of no use, if ever.
    pub fn put_oidc_token(&self, provider_arn: &str, token: &str, expires: Option<UnixMillis>) {
        let text = token.into();
        self.with(|state| {
            let tokens = state.sts.providers.entry(provider_arn.to_owned()).or_default();
            tokens.push(OidcToken { text, expires });
        });
    }

    /// Sets what the metadata service shows. None, as at first: there is no such service, and nobody answers there.
    pub fn set_metadata(&self, metadata: Option<Metadata>) {
        self.with(|state| state.metadata.instance = metadata);
    }

    /// Sets where keys are handed out to whoever asks; nowhere at first.
    pub fn set_credentials_uri(&self, uri: Option<CredentialsUri>) {
        self.with(|state| state.credentials_uri = uri);
    }

    /// When the session ends that this key belongs to, if it belongs to one.
    pub fn session_end(&self, access_key_id: &str) -> Option<UnixMillis> {
        self.with(|state| state.sessions.get(access_key_id)?.expires)
    }

    /// Adds an instance, or replaces the one with its id.
    pub fn put_instance(&self, instance: Instance) {
        self.with(|state| state.cas.instances.insert(instance.instance_id.clone(), instance));
    }

    /// Removes an instance; whether there was one.
    pub fn remove_instance(&self, id: &str) -> bool {
        self.with(|state| state.cas.instances.remove(id)).is_some()
    }

    /// Says which instance issued a client or server certificate.
    pub fn put_certificate(&self, identifier: &str, instance_id: &str) {
        let entry = (identifier.to_owned(), instance_id.to_owned());
        self.with(|state| state.cas.certificates.extend([entry]));
    }

    /// Adds a CA certificate to those that the instances tell of, or replaces the one with its identifier, be it put
    /// or an instance's. So one instance can have several, each a name and a region of its own.
    pub fn put_ca_certificate(&self, certificate: CaCertificate) {
        let entry = (certificate.cert_identifier.clone(), certificate);
        self.with(|state| state.cas.ca_certificates.extend([entry]));
    }

    /// Removes a CA certificate that was put; whether there was one. That of an instance goes with the instance.
    pub fn remove_ca_certificate(&self, identifier: &str) -> bool {
        self.with(|state| state.cas.ca_certificates.remove(identifier))
            .is_some()
    }

    /// Refuses a user's calls of an action that is signed with a key: the permission is missing. At first none is.
    pub fn deny(&self, user: &str, action: &str) {
        let action = action.to_owned();
        self.with(|state| state.denied.entry(user.to_owned()).or_default().insert(action));
    }

    /// Takes a `deny` back.
    pub fn allow(&self, user: &str, action: &str) {
        self.with(|state| {
            if let Some(actions) = state.denied.get_mut(user) {
                actions.remove(action);
            }
        });
    }

    /// Sets whether the actions that the API answers over https only are answered over http too; at first not.
    pub fn allow_http(&self, allowed: bool) {
        self.with(|state| state.http_allowed = allowed);
    }

    /// Sets how a question about an unknown instance is answered.
    pub fn set_unknown_instance(&self, answer: UnknownInstance) {
        self.with(|state| state.cas.unknown = answer);
    }

    /// Sets a fault, beside those in force.
    pub fn set_fault(&self, fault: Fault) -> FaultId {
        self.with(|state| state.faults.add(fault))
    }

    /// Removes a fault; whether it was still in force.
    pub fn remove_fault(&self, id: FaultId) -> bool {
        self.with(|state| state.faults.remove(id))
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.with(|state| state.faults.clear());
    }

    /// Sets how long calls are under way, and whether they and their answers get through.
    pub fn set_network(&self, network: Network) {
        self.with(|state| state.network = network);
    }

    /// Sets the cloud's clock this many milliseconds ahead of (or behind) the one it was made with.
    pub fn set_clock_offset(&self, millis: i64) {
        self.with(|state| state.clock_offset_millis = millis);
    }

    /// The time by the cloud's clock.
    pub fn now(&self) -> UnixMillis {
        let offset = self.with(|state| state.clock_offset_millis);
        UnixMillis(self.0.clock.now().0.saturating_add(offset))
    }

    /// The calls of a user and action so far, in order of arrival.
    pub fn arrivals(&self, user: &str, action: &str) -> Vec<Arrival> {
        self.with(|state| {
            let series = state.arrivals.of(user, action);
            series.map_or_else(Vec::new, |series| series.all().to_vec())
        })
    }

    /// The calls for an instance so far, whoever made them, in order of arrival.
    pub fn arrivals_for(&self, instance_id: &str) -> Vec<Arrival> {
        self.merged(|_, arrival| arrival.instance.as_deref() == Some(instance_id))
    }

    /// The most calls of a user and action that any sliding half-open second has held so far. Exact.
    pub fn most_in_one_window(&self, user: &str, action: &str) -> usize {
        self.with(|state| {
            state
                .arrivals
                .of(user, action)
                .map_or(0, Series::most_in_one_window)
        })
    }

    /// How many calls the rules have refused with `code`. Faults that say the same do not count.
    pub fn refused(&self, code: &str) -> u64 {
        self.with(|state| state.arrivals.refusals().get(code).copied().unwrap_or(0))
    }

    /// How many calls were over the limit.
    pub fn throttled(&self) -> u64 {
        self.refused("Throttling.User")
    }

    /// The calls of an action so far, whoever made them, in order of arrival.
    pub fn arrivals_of(&self, action: &str) -> Vec<Arrival> {
        self.merged(|name, _| name == action)
    }

    /// The most calls of an action that were under way at once so far, from their sending to their answer or the end
    /// of their caller's patience.
    pub fn most_at_once(&self, action: &str) -> usize {
        self.with(|state| state.under_way.most(action))
    }

    /// Takes in one request that arrives now, and says what goes back.
    pub fn receive(&self, request: &HttpRequest) -> Reply {
        let host = request.headers.get(HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let request_id = request_id(&self.0.random.nonce());
        self.with(|state| {
            let now = self.0.clock.now().0.saturating_add(state.clock_offset_millis);
            let envelope = Envelope {
                at: Instant::now(),
                now: UnixMillis(now),
                host,
                request_id,
            };
            state.receive(request, &envelope).dated(envelope.now)
        })
    }

    /// What the network does to one call that is sent now; none if it does not get there.
    pub(super) fn passage(&self) -> Option<Passage> {
        self.with(|state| state.network).passage(&self.0.random)
    }

    fn merged(&self, wanted: impl Fn(&str, &Arrival) -> bool) -> Vec<Arrival> {
        let mut arrivals: Vec<Arrival> = self.with(|state| {
            let all = state.arrivals.iter();
            let all = all.flat_map(|(_, action, series)| series.all().iter().map(move |call| (action, call)));
            all.filter(|(action, arrival)| wanted(action, arrival))
                .map(|(_, arrival)| arrival.clone())
                .collect()
        });
        arrivals.sort_by_key(|arrival| arrival.at);
        arrivals
    }

    pub(super) fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        action(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Not the state: it holds secrets, and a million arrivals.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// 32 hex digits in the shape of the API's ids.
fn request_id(nonce: &str) -> String {
    let digits = nonce.to_uppercase();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}
