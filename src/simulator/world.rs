//! The cloud: users, instances, rules, moods and memory in one value that many callers share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HOST, HeaderName};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::arrivals::{Arrival, Arrivals, Series};
use super::call::Call;
use super::cas::{Cas, UnknownInstance};
use super::error::ApiError;
use super::fault::{Fault, FaultId, Faults, Misbehaviour};
use super::format::Format;
use super::instance::Instance;
use super::network::{Delay, Network};
use super::reply::{self, Reply};
use super::rules::{self, Arriving, DEFAULT_LIMIT, Key, Nonces};
use crate::host::{Clock, HttpRequest, Random};
use crate::model::UnixMillis;

/// The user of calls whose key is unknown, and the action of calls that cannot be read.
const UNKNOWN: &str = "unknown";

/// The cloud. Cheap to clone; all clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Shared>);

struct Shared {
    clock: Clock,
    random: Random,
    state: Mutex<State>,
}

/// What can change.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) limits: BTreeMap<String, usize>,
    pub(super) cas: Cas,
    pub(super) faults: Faults,
    pub(super) network: Network,
    pub(super) arrivals: Arrivals,
    clock_offset_millis: i64,
    nonces: Nonces,
}

/// Where an answer goes and how it is named.
struct Envelope<'a> {
    host: &'a str,
    request_id: String,
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

    /// Sets how long calls are under way, and whether they get through.
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
        let mut arrivals: Vec<Arrival> = self.with(|state| {
            let all = state.arrivals.iter().flat_map(|(_, _, series)| series.all());
            all.filter(|arrival| arrival.instance.as_deref() == Some(instance_id))
                .cloned()
                .collect()
        });
        arrivals.sort_by_key(|arrival| arrival.at);
        arrivals
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

    /// Takes in one request that arrives now, and says what goes back.
    pub fn receive(&self, request: &HttpRequest) -> Reply {
        let host = request.headers.get(HOST);
        let envelope = Envelope {
            host: host.and_then(|host| host.to_str().ok()).unwrap_or_default(),
            request_id: request_id(&self.0.random.nonce()),
        };
        let call = Call::read(request);
        let local = self.0.clock.now();
        self.with(|state| {
            let now = UnixMillis(local.0.saturating_add(state.clock_offset_millis));
            let reply = match &call {
                Ok(call) => state.answer(call, now, &envelope),
                Err(refusal) => {
                    state.arrivals.record(UNKNOWN, UNKNOWN, None, Instant::now(), now);
                    state.arrivals.refuse(&refusal.code);
                    envelope.refusal(refusal, Format::Json)
                }
            };
            reply.dated(now)
        })
    }

    /// How long one call takes to the cloud, and its answer back; none if it does not get there.
    pub(super) fn delays(&self) -> Option<(Duration, Duration)> {
        let network = self.with(|state| state.network);
        let pick = |delay: Delay| delay.pick(self.0.random.fraction());
        (!network.down).then(|| (pick(network.there), pick(network.back)))
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

impl State {
    fn answer(&mut self, call: &Call, now: UnixMillis, envelope: &Envelope<'_>) -> Reply {
        let key = self.keys.get(&call.access_key_id);
        let user = key.map_or(UNKNOWN, |key| &key.user);
        // Read here, under the lock, so that arrivals stand in order.
        let at = Instant::now();
        let instance = self.cas.asked_for(&call.parameters);
        let in_window = self.arrivals.record(user, &call.action, instance, at, now);
        let arriving = Arriving {
            call,
            key,
            at,
            now,
            in_window,
            limit: self.limits.get(user).copied().unwrap_or(DEFAULT_LIMIT),
        };
        let welcome =
            rules::admit(&arriving, &mut self.nonces).and_then(|()| Cas::check(&call.version, &call.action));
        if let Err(refusal) = welcome {
            self.arrivals.refuse(&refusal.code);
            return envelope.refusal(&refusal, call.format);
        }
        let fault = self.faults.strike(instance);
        let honest = self.cas.instance_status(&call.parameters);
        match (fault, honest) {
            (Some(Misbehaviour::Error(error)), _) => envelope.refusal(&error, call.format),
            (Some(Misbehaviour::Answer { status, body }), _) => {
                Reply::Whole(reply::response(status, Format::Json.content_type(), body))
            }
            (Some(Misbehaviour::Odd(oddity)), honest) => {
                // A call about nothing known has an honest answer too: the empty list.
                let honest = honest.unwrap_or_else(|_| json!({ "InstanceStatusList": [] }));
                oddity.reply(envelope.named(honest))
            }
            (None, Ok(honest)) => {
                let root = format!("{}Response", call.action);
                let body = call.format.render(&root, &envelope.named(honest));
                let mut response = reply::response(StatusCode::OK, call.format.content_type(), body);
                reply::set(
                    &mut response,
                    HeaderName::from_static("x-acs-request-id"),
                    &envelope.request_id,
                );
                Reply::Whole(response)
            }
            (None, Err(refusal)) => envelope.refusal(&refusal, call.format),
        }
    }
}

impl Envelope<'_> {
    fn named(&self, mut answer: Value) -> Value {
        answer["RequestId"] = json!(self.request_id);
        answer
    }

    fn refusal(&self, error: &ApiError, format: Format) -> Reply {
        Reply::Whole(error.response(format, self.host, &self.request_id))
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
