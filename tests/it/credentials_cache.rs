//! The cache in front of a provider, in virtual time, before a service that hands out keys.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aliyun_pca_exporter::aliyun::budget::Budget;
use aliyun_pca_exporter::aliyun::credentials::{
    AccessKey, Cache, Chain, Claims, Credentials, Fetch, Provider, Source, Uri,
};
use aliyun_pca_exporter::aliyun::exchange::Exchange;
use aliyun_pca_exporter::cli::LogLevel;
use aliyun_pca_exporter::exposition::{self, Scope};
use aliyun_pca_exporter::host::{Files, HttpRequest, HttpResponse, Sent, Transport};
use aliyun_pca_exporter::model::AccountName;
use aliyun_pca_exporter::store::Store;
use aliyun_pca_exporter::telemetry::{BUILD, Telemetry};
use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::log::Log;
use crate::support::{self, Metrics, OPENING};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const EXPIRY: &str = "aliyun_pca_credentials_expiry_timestamp_seconds";
const ERRORS: &str = "aliyun_pca_credentials_refresh_errors_total";

/// Hands out the keys `key-1`, `key-2` and so on.
#[derive(Debug)]
struct Service {
    opened: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How long each key is good, in seconds.
    life: u64,
    /// How long each answer takes.
    takes: Duration,
    down: bool,
    /// When it was asked.
    asked: Vec<Instant>,
    given: usize,
}

struct Bench {
    service: Arc<Service>,
    cache: Arc<Cache>,
    telemetry: Arc<Telemetry>,
    files: Files,
    _refreshing: JoinSet<()>,
}

#[derive(Debug, Clone)]
struct Wire(Arc<Service>);

impl Transport for Wire {
    fn send(&self, _: HttpRequest) -> Sent {
        let service = Arc::clone(&self.0);
        service.state.lock().unwrap().asked.push(Instant::now());
        Box::pin(async move {
            let takes = service.state.lock().unwrap().takes;
            tokio::time::sleep(takes).await;
            let mut state = service.state.lock().unwrap();
            let (status, body) = if state.down {
                (StatusCode::SERVICE_UNAVAILABLE, String::new())
            } else {
                state.given += 1;
                let now = OPENING.0 / 1000 + i64::try_from(service.opened.elapsed().as_secs()).unwrap();
                let ends = now + i64::try_from(state.life).unwrap();
                let key = json!({
                    "Code": "Success",
                    "AccessKeyId": format!("STS.key-{}", state.given),
                    "AccessKeySecret": "secret",
                    "SecurityToken": format!("token-{}", state.given),
                    "Expiration": jiff::Timestamp::from_second(ends).unwrap().to_string(),
                });
                (StatusCode::OK, key.to_string())
            };
            Ok(HttpResponse {
                status,
                headers: HeaderMap::new(),
                body: Box::pin(async { Ok(body.into()) }),
            })
        })
    }
}

impl Service {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn asked(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }
}

impl Bench {
    /// A cache before a service whose keys are good for an hour, refreshed as in the daemon.
    fn new() -> Self {
        Self::with(&Provider::Uri(Uri {
            uri: Some("http://keys.example/".into()),
        }))
    }

    fn with(provider: &Provider) -> Self {
        let service = Arc::new(Service {
            opened: Instant::now(),
            state: Mutex::new(State {
                life: HOUR,
                ..State::default()
            }),
        });
        let files = Files::memory([("/id", "LTAI5tFirst\n"), ("/secret", "first\n")]);
        let mut host = support::host(Arc::new(Wire(Arc::clone(&service))));
        host.files = files.clone();
        let telemetry = Arc::new(Telemetry::new(BUILD).unwrap());
        let account: AccountName =
            support::config(&support::yaml("cas.aliyuncs.com", 5, "interval: 5m", ["a"]))
                .accounts
                .remove(0)
                .name;
        telemetry.start_account(&account, &[], 5);
        let timeout = Duration::from_secs(10);
        let fetch = Fetch {
            exchange: Exchange::new(account, timeout, host, Arc::clone(&telemetry)),
            sts: Budget::new(5, timeout, Instant::now()),
        };
        let cache = Arc::new(Cache::new(provider.clone(), fetch, Arc::new(Claims::default())));
        let mut refreshing = JoinSet::new();
        let refreshed = Arc::clone(&cache);
        refreshing.spawn(async move { refreshed.keep_fresh().await });
        Self {
            service,
            cache,
            telemetry,
            files,
            _refreshing: refreshing,
        }
    }

    /// The id of the key that the next call is signed with, or why there is none.
    async fn key(&self) -> Result<String, String> {
        let found = self.cache.get().await;
        found
            .map(|credentials| credentials.access_key_id)
            .map_err(|error| error.to_string())
    }

    async fn credentials(&self) -> Credentials {
        self.cache.get().await.unwrap()
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let snapshot = Store::default().snapshot();
        let own = self.telemetry.gather();
        let text = exposition::text(&snapshot, &own, OPENING, Scope::Scrape);
        Metrics(text).value(name, &["account=\"prod\""])
    }
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_is_fetched_again_when_fifteen_sixteenths_of_its_life_are_over_and_not_before() {
    for life in [900, HOUR, 12 * HOUR] {
        let bench = Bench::new();
        bench.service.set(|state| state.life = life);
        assert_eq!(bench.key().await, Ok("STS.key-1".to_owned()));
        let due = Duration::from_millis(life * 1000 * 15 / 16);
        let tick = Duration::from_millis(1);
        tokio::time::sleep(due.saturating_sub(tick)).await;
        assert_eq!(bench.key().await, Ok("STS.key-1".to_owned()), "{life}");
        // One for the rounding of timers, and one for the refresh.
        tokio::time::sleep(2 * tick).await;
        assert_eq!(bench.key().await, Ok("STS.key-2".to_owned()), "{life}");
        assert_eq!(bench.service.asked(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_that_wait_for_the_first_key_wait_for_one_fetch() {
    let bench = Bench::new();
    bench.service.set(|state| state.takes = Duration::from_secs(2));
    let mut waiting = JoinSet::new();
    for _ in 0..100 {
        let cache = Arc::clone(&bench.cache);
        waiting.spawn(async move { cache.get().await });
    }
    for found in waiting.join_all().await {
        assert_eq!(found.unwrap().access_key_id, "STS.key-1");
    }
    assert_eq!(bench.service.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_needs_nobody_who_asks_and_nobody_waits_for_one() {
    let bench = Bench::new();
    bench.key().await.unwrap();
    bench.service.set(|state| state.takes = Duration::from_secs(5));
    // 15/16 of the hour are over after 56 min 15 s.
    sleep(56 * MINUTE + 17).await;
    assert_eq!(bench.service.asked(), 2);
    let start = Instant::now();
    for _ in 0..100 {
        assert_eq!(bench.key().await, Ok("STS.key-1".to_owned()));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    sleep(5).await;
    assert_eq!(bench.key().await, Ok("STS.key-2".to_owned()));
    assert_eq!(bench.service.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_serves_on_where_there_is_no_other_to_be_had() {
    let bench = Bench::new();
    let first = bench.credentials().await;
    bench.service.set(|state| state.down = true);
    assert!(bench.cache.reject(&first));
    for _ in 0..10 * MINUTE {
        assert_eq!(bench.key().await, Ok("STS.key-1".to_owned()));
        sleep(1).await;
    }
    bench.service.set(|state| state.down = false);
    sleep(MINUTE).await;
    assert_eq!(bench.key().await, Ok("STS.key-2".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_nobody_renews_is_not_fetched_again_when_it_is_refused() {
    let bench = Bench::with(&Provider::AccessKey(AccessKey {
        access_key_id: Source::File("/id".into()),
        access_key_secret: Source::File("/secret".into()),
        security_token: Some(Source::Inline("token".into())),
    }));
    let found = bench.credentials().await;
    assert!(!bench.cache.reject(&found));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_in_the_middle_of_a_refresh_leaves_it_to_the_next() {
    let bench = Bench::new();
    bench.service.set(|state| state.takes = Duration::from_secs(5));
    let given_up = tokio::time::timeout(Duration::from_secs(1), bench.cache.get()).await;
    assert!(given_up.is_err());
    assert_eq!(bench.key().await, Ok("STS.key-1".to_owned()));
    assert_eq!(
        bench.metric(ERRORS),
        Some(0.0),
        "giving up is no failure of the service"
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_key_serves_until_it_really_expires_and_the_service_is_asked_until_it_answers() {
    let bench = Bench::new();
    bench.key().await.unwrap();
    bench.service.set(|state| state.down = true);
    let down = || Err("uri: it answered with HTTP 503".to_owned());
    for second in 1..HOUR + 10 * MINUTE {
        sleep(1).await;
        let expected = if second < HOUR {
            Ok("STS.key-1".to_owned())
        } else {
            down()
        };
        assert_eq!(bench.key().await, expected, "{second}");
    }
    bench.service.set(|state| state.down = false);
    let mut waited = 0;
    while bench.key().await == down() {
        sleep(1).await;
        waited += 1;
    }
    assert!(waited <= MINUTE, "{waited} s");
    assert_eq!(bench.key().await, Ok("STS.key-2".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn attempts_that_fail_are_at_growing_distance_up_to_a_minute() {
    let bench = Bench::new();
    bench.service.set(|state| state.down = true);
    for _ in 0..HOUR {
        bench.key().await.unwrap_err();
        sleep(1).await;
    }
    let asked = bench.service.state.lock().unwrap().asked.clone();
    let gaps: Vec<_> = asked
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs())
        .collect();
    // Half a minute at least and a minute at most, once it has failed for a while; asked for every second.
    assert!(gaps.iter().skip(6).all(|gap| (30..=60).contains(gap)), "{gaps:?}");
    assert!(gaps[0] <= 2 && gaps[2] <= 5, "the first are quick: {gaps:?}");
    let failed = asked.len();
    assert_eq!(bench.metric(ERRORS).unwrap().to_string(), failed.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_brings_one_refresh_and_another_one_a_minute_later_at_the_earliest() {
    let bench = Bench::new();
    let first = bench.credentials().await;
    bench.cache.reject(&first);
    let second = bench.credentials().await;
    assert_eq!(second.access_key_id, "STS.key-2");
    bench.cache.reject(&first);
    sleep(MINUTE - 1).await;
    bench.cache.reject(&second);
    assert_eq!(
        bench.key().await,
        Ok("STS.key-2".to_owned()),
        "a minute is not over"
    );
    sleep(1).await;
    bench.cache.reject(&first);
    assert_eq!(
        bench.key().await,
        Ok("STS.key-2".to_owned()),
        "that was another token"
    );
    bench.cache.reject(&second);
    assert_eq!(bench.key().await, Ok("STS.key-3".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_key_file_that_rotates_is_in_force_at_the_next_call_and_one_that_vanishes_changes_nothing() {
    let bench = Bench::with(&Provider::AccessKey(AccessKey {
        access_key_id: Source::File("/id".into()),
        access_key_secret: Source::File("/secret".into()),
        security_token: None,
    }));
    assert_eq!(bench.key().await, Ok("LTAI5tFirst".to_owned()));
    for (path, text) in [("/id", "LTAI5tSecond"), ("/secret", "second")] {
        bench.files.replace(path.as_ref(), text).unwrap();
    }
    let found = bench.credentials().await;
    assert_eq!(
        (found.access_key_id.as_str(), found.access_key_secret.expose()),
        ("LTAI5tSecond", "second")
    );
    bench.files.replace("/secret".as_ref(), "\n").unwrap();
    assert_eq!(bench.key().await, Ok("LTAI5tSecond".to_owned()));
    assert_eq!(bench.metric(ERRORS).unwrap().to_string(), "1");
    assert_eq!(bench.metric(EXPIRY), None, "a lasting key has no expiry");
}

#[tokio::test(start_paused = true)]
async fn the_expiry_shown_is_that_of_the_key_in_use() {
    let bench = Bench::new();
    assert_eq!(bench.metric(EXPIRY), None);
    bench.key().await.unwrap();
    let opening = 1_767_225_600.0;
    let shown = |bench: &Bench| bench.metric(EXPIRY).map(|expiry| expiry - opening);
    assert_eq!(shown(&bench), Some(3600.0));
    bench.service.set(|state| state.down = true);
    sleep(HOUR - 1).await;
    bench.key().await.unwrap();
    assert_eq!(shown(&bench), Some(3600.0));
    bench.service.set(|state| state.down = false);
    sleep(MINUTE).await;
    assert_eq!(bench.key().await, Ok("STS.key-2".to_owned()));
    let shown = shown(&bench).unwrap();
    assert!((7199.0..=7259.0).contains(&shown), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn the_log_names_the_provider_at_a_change_and_a_failure_once() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let bench = Bench::with(&Provider::Chain(Chain::new(vec![
        Provider::Env,
        Provider::Uri(Uri {
            uri: Some("http://keys.example/".into()),
        }),
    ])));
    for _ in 0..10 {
        sleep(HOUR - 1).await;
        bench.key().await.unwrap();
    }
    assert_eq!(log.text().lines().count(), 1, "{}", log.text());
    let found = &log.lines("credentials found")[0];
    for part in ["account=prod", "provider=uri", "key=…ey-1"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    bench.service.set(|state| state.down = true);
    for _ in 0..HOUR {
        sleep(1).await;
        let _ = bench.key().await;
    }
    let failed = log.lines("cannot get credentials");
    assert_eq!(failed.len(), 1, "{failed:?}");
    for part in ["level=warn", "HTTP 503", "still_usable=true"] {
        assert!(failed[0].contains(part), "{part}: {}", failed[0]);
    }
    bench.service.set(|state| state.down = false);
    for _ in 0..MINUTE {
        sleep(1).await;
        let _ = bench.key().await;
    }
    assert_eq!(log.lines("can be refreshed again").len(), 1, "{}", log.text());
    assert_eq!(log.text().lines().count(), 3, "{}", log.text());
}
