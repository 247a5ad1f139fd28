//! A fleet for a day: a hundred accounts of a thousand instances each, under errors, throttling and reloads. In virtual
//! time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::app::Daemon;
use aliyun_pca_exporter::config::Config;
use aliyun_pca_exporter::exposition::{self, Scope};
use aliyun_pca_exporter::host::{Clock, HttpRequest, Random, Sent, Transport};
use aliyun_pca_exporter::simulator::{Delay, Fault, Key, Network, Oddity, Wire, World};
use aliyun_pca_exporter::store::Snapshot;
use hyper::header::HOST;

use crate::support::{ACTION, Metrics, OPENING, USER, config, host, instance, sleep};

const ACCOUNTS: usize = 100;
const INSTANCES: usize = 1000;
const DAY: usize = 24 * 60;
const INTERVAL: Duration = Duration::from_secs(3600);

/// The minute of every hour at which the configuration is reloaded.
const RELOAD: usize = 17;

/// So many instances of every account are others after a reload.
const REPLACED: usize = 50;

/// For so many minutes an account may make half of the calls of its budget only.
const THROTTLING: usize = 30;

/// By this minute everything has been polled: at one call a second, 1.2 s each, a thousand instances take 20 minutes,
/// and the calls that are never answered take some more.
const FIRST_ROUND: usize = 40;

/// In so many minutes after a reload the instances that came with it are polled: fifty at 1.2 s each take one.
const REPLACEMENT: usize = 3;

/// An account, and the cloud as it sees it.
struct Account {
    name: String,
    requests_per_second: u8,
    /// From which minute on it is throttled, if it is.
    throttled_from: Option<usize>,
    world: World,
}

/// The way to many clouds: the endpoint of each account is a world of its own.
#[derive(Debug)]
struct Routes(BTreeMap<String, Wire>);

impl Account {
    /// Every tenth is throttled: one from the start of the day on, the next two hours later, and so on.
    fn new(number: usize) -> Self {
        let random = Random::seeded(u64::try_from(number).unwrap());
        let world = World::new(Clock::starting_at(OPENING), random.clone());
        let name = format!("account-{number:02}");
        world.put_key(&name, Key::plain(USER, "secret"));
        for number in 0..INSTANCES + REPLACED {
            world.put_instance(instance(&id(number)));
        }
        let jitter = Delay::between(Duration::ZERO, Duration::from_millis(200));
        world.set_network(Network {
            there: jitter,
            back: jitter,
            ..Network::default()
        });
        // In all, one call in a hundred: 1/362 + 1/387 + 1/412 + 1/437.
        for (what, least) in [
            (Oddity::BadGatewayHtml, 350),
            (Oddity::ClosedBeforeAnswer, 375),
            (Oddity::NoAnswer, 400),
            (Oddity::TruncatedJson, 425),
        ] {
            let more = Duration::from_secs(25).mul_f64(random.fraction()).as_secs();
            world.set_fault(Fault::new(what).every(least + more));
        }
        let account = Self {
            name,
            requests_per_second: [1, 2, 5, 10][number % 4],
            throttled_from: (number % 10 == 1).then_some(number / 10 * 120),
            world,
        };
        account.allow(account.requests_per_second);
        account
    }

    fn allow(&self, calls: u8) {
        self.world.set_limit(USER, usize::from(calls));
    }

    fn endpoint(&self) -> String {
        format!("{}.example", self.name)
    }
}

impl Transport for Routes {
    fn send(&self, request: HttpRequest) -> Sent {
        let host = request.headers[HOST].to_str().unwrap();
        self.0[host].send(request)
    }
}

fn id(number: usize) -> String {
    format!("cas-member-{number:04}")
}

/// From one to the other, a label of every account and some of its instances change.
fn configuration(accounts: &[Account], label: &str, first: usize) -> Config {
    let mut yaml = format!("poll: {{ interval: {}s }}\naccounts:\n", INTERVAL.as_secs());
    for account in accounts {
        let (name, endpoint, slots) = (&account.name, account.endpoint(), account.requests_per_second);
        write!(
            yaml,
            "- name: {name}\n  endpoint: {endpoint}\n  requests_per_second: {slots}\n  \
             labels: {{ configuration: {label} }}\n  \
             credentials: {{ access_key: {{ access_key_id: {name}, access_key_secret: secret }} }}\n  instances:\n"
        )
        .unwrap();
        for number in first..first + INSTANCES {
            writeln!(yaml, "  - id: {}", id(number)).unwrap();
        }
    }
    config(&yaml)
}

/// In all accounts, throttled ones included, demand is below 1: every instance's facts are from the last interval, and
/// a tenth more for retries. Those that have just come are the only ones without.
fn check_ages(snapshot: &Snapshot, just_reloaded: bool, at: f64) {
    for account in &snapshot.accounts {
        assert_eq!(account.interval, INTERVAL, "{} at {at} s", account.name);
    }
    assert_eq!(snapshot.instances().count(), ACCOUNTS * INSTANCES);
    for state in snapshot.instances() {
        let (account, id) = (&state.target.account, &state.target.instance_id);
        let Some(facts) = &state.facts else {
            assert!(just_reloaded, "{account} {id} has no facts at {at} s");
            continue;
        };
        let age = at - facts.seen.seconds_since(OPENING);
        assert!(
            (0.0..=INTERVAL.as_secs_f64() * 1.1).contains(&age),
            "{account} {id} is {age} s old at {at} s"
        );
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "takes minutes unoptimised, see tests/run"]
async fn a_fleet_is_polled_on_time_and_inside_every_budget_for_a_day() {
    let accounts: Vec<_> = (0..ACCOUNTS).map(Account::new).collect();
    let routes = accounts
        .iter()
        .map(|account| (account.endpoint(), Wire::new(account.world.clone())));
    let host = host(Arc::new(Routes(routes.collect())));
    let configurations = [("even", 0), ("odd", REPLACED)];
    let configurations = configurations.map(|(label, first)| configuration(&accounts, label, first));
    let mut daemon = Daemon::poll(&configurations[0], &host, None).unwrap();
    for minute in 0..DAY {
        let since_reload = (minute + 60 - RELOAD) % 60;
        for account in &accounts {
            match account.throttled_from.and_then(|from| minute.checked_sub(from)) {
                Some(0) => account.allow(account.requests_per_second / 2),
                Some(THROTTLING) => account.allow(account.requests_per_second),
                _ => {}
            }
        }
        if since_reload == 0 {
            daemon.reload(&configurations[(minute / 60 + 1) % 2], &host);
        }
        if minute >= FIRST_ROUND {
            let now = host.clock.now().seconds_since(OPENING);
            check_ages(&daemon.store.snapshot(), since_reload < REPLACEMENT, now);
        }
        sleep(60).await;
    }

    let own = daemon.telemetry.gather();
    let own = exposition::text(&Snapshot::default(), &own, host.clock.now(), Scope::Scrape);
    let own = Metrics(own);
    let (mut all, mut failed) = (0, 0.0);
    for account in &accounts {
        let (name, world) = (&account.name, &account.world);
        let most = world.most_in_one_window(USER, ACTION);
        let slots = usize::from(account.requests_per_second);
        assert!(most <= slots, "{name}: {most} calls in a second of {slots}");
        let was_throttled = world.throttled() > 0;
        assert_eq!(was_throttled, account.throttled_from.is_some(), "{name}");
        // 24 rounds, 24 times fifty instances that come, and few retries; but no round that a reload began.
        let calls = world.arrivals(USER, ACTION).len();
        assert!((24_000..27_000).contains(&calls), "{name}: {calls} calls");
        all += calls;
        for reason in ["server", "connect", "timeout", "decode"] {
            let labels = [
                &format!("account=\"{name}\"")[..],
                &format!("reason=\"{reason}\""),
                &format!("action=\"{ACTION}\""),
            ];
            failed += own.value("aliyun_pca_api_request_errors_total", &labels).unwrap();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few million calls")]
    let share = failed / all as f64;
    assert!((0.009..0.011).contains(&share), "{failed} of {all} calls failed");
}
