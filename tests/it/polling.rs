//! Polling in virtual time and on real sockets: the budget holds, and everything is polled on time.

use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::app::Daemon;
use aliyun_pca_exporter::host::{Clock, Host, HttpClient, Random};
use aliyun_pca_exporter::simulator::{self, Delay, EXAMPLE, EXAMPLE_ID, Fault, Misbehaviour, Network, World};
use tokio_util::sync::CancellationToken;

use crate::support::{ACTION, Lab, Metrics, OPENING, USER, real_world};
use crate::support::{config, distances, host, instance, sleep, world, yaml};

const HOUR: u64 = 3600;

fn jitter() -> Network {
    let delay = Delay::between(Duration::ZERO, Duration::from_millis(200));
    Network {
        there: delay,
        back: delay,
        ..Network::default()
    }
}

fn fleet(count: usize) -> (World, Vec<String>) {
    let world = world();
    world.set_network(jitter());
    let ids: Vec<_> = (0..count)
        .map(|number| format!("cas-member-{number:05}"))
        .collect();
    for id in &ids {
        world.put_instance(instance(id));
    }
    (world, ids)
}

fn ids(ids: &[String]) -> impl Iterator<Item = &str> {
    ids.iter().map(String::as_str)
}

#[tokio::test(start_paused = true)]
async fn the_vendors_example_is_shown_to_the_digit() {
    let world = world();
    world.set_fault(Fault::new(Misbehaviour::body(EXAMPLE)));
    let lab = Lab::start(world, &yaml("cas.aliyuncs.com", 5, "", [EXAMPLE_ID]));
    sleep(10).await;
    let metrics = lab.metrics();
    let of = |name: &str| metrics.of(EXAMPLE_ID, name);
    assert_eq!(of("certificates_issued"), Some(1.0));
    assert_eq!(of("certificates_quota"), Some(10.0));
    assert_eq!(
        of("certificate_not_before_timestamp_seconds"),
        Some(1_635_177_600.0)
    );
    assert_eq!(
        of("certificate_not_after_timestamp_seconds"),
        Some(1_792_944_000.0)
    );
    assert_eq!(of("subscription_expiry_timestamp_seconds"), Some(1_637_251_200.0));
    let days = |expiry: f64| (expiry - 1_767_225_610.0) / 86_400.0;
    assert!((of("certificate_expiry_days").unwrap() - days(1_792_944_000.0)).abs() < 1e-6);
    assert!((of("subscription_expiry_days").unwrap() - days(1_637_251_200.0)).abs() < 1e-6);
    assert!(of("subscription_expiry_days").unwrap() < -1500.0);
    assert_eq!(of("up"), Some(1.0));
    for (status, value) in [("BUY", 0.0), ("USED", 1.0), ("REFUND", 0.0), ("REVOKE", 0.0)] {
        let labels = [
            format!("instance_id=\"{EXAMPLE_ID}\""),
            format!("status=\"{status}\""),
        ];
        let labels = labels.each_ref().map(String::as_str);
        assert_eq!(
            metrics.value("aliyun_pca_instance_status", &labels),
            Some(value),
            "{status}"
        );
    }
    let info = metrics.value(
        "aliyun_pca_instance_info",
        &["ca_type=\"ROOT\"", "region=\"cn-hangzhou\""],
    );
    assert_eq!(info, Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn five_hundred_targets_are_polled_on_time_for_an_hour_inside_the_budget() {
    let (world, targets) = fleet(500);
    world.set_limit(USER, 5);
    let lab = Lab::start(world, &yaml("cas.aliyuncs.com", 5, "interval: 5m", ids(&targets)));
    sleep(HOUR).await;
    assert_eq!(lab.world.throttled(), 0);
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 5);
    let distances = distances(&lab.world);
    assert_eq!(distances.len(), 500);
    for (id, (calls, longest)) in distances {
        // Up to 0.4 s of network lie between two arrivals beside the interval.
        assert!(longest <= 301.0, "{id} had to wait {longest} s");
        assert!(calls >= 12, "{id} was polled {calls} times in 12 intervals");
    }
    let metrics = lab.metrics();
    for id in &targets {
        assert_eq!(metrics.of(id, "up"), Some(1.0), "{id}");
        let age = 1_767_225_600.0 + lab.now() - metrics.of(id, "last_success_timestamp_seconds").unwrap();
        assert!((0.0..=301.0).contains(&age), "{id} is {age} s old");
        assert_eq!(metrics.of(id, "poll_interval_seconds"), Some(300.0));
    }
    let demand = metrics
        .value("aliyun_pca_budget_demand_ratio", &["account=\"prod\""])
        .unwrap();
    // 500 calls in 300 s, each holding one of 5 slots for 1.2 s on average.
    assert!((demand - 0.4).abs() < 0.02, "{demand}");
}

#[tokio::test(start_paused = true)]
async fn the_first_round_begins_after_two_seconds_and_runs_at_the_budgets_speed() {
    let (world, targets) = fleet(100);
    let lab = Lab::start(world, &yaml("cas.aliyuncs.com", 5, "interval: 1h", ids(&targets)));
    sleep(30).await;
    let arrivals = lab.world.arrivals(USER, ACTION);
    let first = arrivals[0].wall.seconds_since(OPENING);
    assert!(
        (2.0..=2.3).contains(&first),
        "the first call came after {first} s"
    );
    // 100 targets through 5 slots of 1.2 s each take 24 s.
    assert_eq!(distances(&lab.world).len(), 100);
    assert_eq!(arrivals.len(), 100, "nobody is polled twice in an hour");
}

#[tokio::test(start_paused = true)]
async fn more_targets_than_the_budget_allows_stretch_the_interval_and_not_the_budget() {
    let (world, targets) = fleet(1000);
    world.set_limit(USER, 2);
    let lab = Lab::start(world, &yaml("cas.aliyuncs.com", 2, "interval: 1m", ids(&targets)));
    sleep(2 * HOUR).await;
    assert_eq!(lab.world.throttled(), 0);
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 2);
    let metrics = lab.metrics();
    let demand = metrics
        .value("aliyun_pca_budget_demand_ratio", &["account=\"prod\""])
        .unwrap();
    // 1000 calls a minute through 2 slots of 1.2 s: ten times too many.
    assert!((9.5..=10.5).contains(&demand), "{demand}");
    let interval = metrics.of(&targets[0], "poll_interval_seconds").unwrap();
    assert!((interval - 60.0 * demand).abs() < 0.001, "{interval}");
    for (id, (_, longest)) in distances(&lab.world) {
        assert!(
            longest <= 630.0,
            "{id} had to wait {longest} s instead of about 600 s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_target_is_ever_polled_twice_at_a_time() {
    let (world, targets) = fleet(3);
    let slow = Delay::between(Duration::from_secs(3), Duration::from_secs(9));
    world.set_network(Network {
        there: Delay::default(),
        back: slow,
        ..Network::default()
    });
    let lab = Lab::start(
        world,
        &yaml(
            "cas.aliyuncs.com",
            10,
            "interval: 10s, timeout: 9s",
            ids(&targets),
        ),
    );
    sleep(HOUR).await;
    for id in &targets {
        let arrivals = lab.world.arrivals_for(id);
        assert!(arrivals.len() > 100);
        // No answer takes less than 3 s, so two calls closer than that would have been under way together.
        let together = arrivals
            .windows(2)
            .find(|pair| (pair[1].at - pair[0].at).as_secs_f64() < 3.0);
        assert!(together.is_none(), "{id}: {together:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_instance_does_not_delay_the_others() {
    let (world, targets) = fleet(20);
    let failing = simulator::Oddity::NoAnswer;
    world.set_fault(Fault::new(failing).on_instance(&targets[0]));
    let lab = Lab::start(world, &yaml("cas.aliyuncs.com", 5, "interval: 1m", ids(&targets)));
    sleep(HOUR).await;
    for (id, (_, longest)) in distances(&lab.world) {
        assert!(
            id == targets[0] || longest <= 61.0,
            "{id} had to wait {longest} s"
        );
    }
    assert_eq!(lab.metrics().reason(&targets[0]).as_deref(), Some("timeout"));
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_given_up_still_count_against_the_budget() {
    let (world, targets) = fleet(200);
    world.set_limit(USER, 5);
    // Every call is given up after 2 s, and arrives up to 10 s after it was sent.
    let late = Delay::between(Duration::ZERO, Duration::from_secs(10));
    world.set_network(Network {
        there: late,
        back: late,
        ..Network::default()
    });
    let lab = Lab::start(
        world,
        &yaml("cas.aliyuncs.com", 5, "interval: 1m, timeout: 2s", ids(&targets)),
    );
    sleep(HOUR).await;
    assert!(lab.world.arrivals(USER, ACTION).len() > 1000);
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 5);
}

/// The wait for a slot, the jitter and the sockets are real here, so this takes its minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, see tests/run"]
async fn on_real_sockets_the_budget_holds_and_is_used() {
    let minute = Duration::from_secs(60);
    let world = real_world();
    world.set_limit(USER, 5);
    world.set_network(jitter());
    let targets: Vec<_> = (0..1000)
        .map(|number| format!("cas-member-{number:05}"))
        .collect();
    for id in &targets {
        world.put_instance(instance(id));
    }
    let server = simulator::Server::bind("127.0.0.1:0".parse().unwrap(), world.clone())
        .await
        .unwrap();
    let endpoint = format!("http://{}", server.address());
    let stop = CancellationToken::new();
    let serving = tokio::task::JoinSet::from_iter([server.serve(stop.clone())]);
    let host = Host {
        clock: Clock::system(),
        random: Random::system(),
        ..host(Arc::new(HttpClient::direct(Duration::from_secs(10)).unwrap()))
    };
    // 1000 targets a minute through 5 slots of 1.2 s: four times what the budget allows.
    let yaml = yaml(&endpoint, 5, "interval: 1m", ids(&targets));
    let daemon = Daemon::poll(&config(&yaml), &host, None).unwrap();
    tokio::time::sleep(Duration::from_secs(2) + minute).await;
    let arrivals = world.arrivals(USER, ACTION);
    host.tasks.stop();
    host.tasks.join(Duration::from_secs(5)).await.unwrap();
    stop.cancel();
    serving.join_all().await;

    assert_eq!(world.throttled(), 0);
    assert!(world.most_in_one_window(USER, ACTION) <= 5);
    let metrics = aliyun_pca_exporter::exposition::text(
        &daemon.store.snapshot(),
        &daemon.telemetry.gather(),
        host.clock.now(),
        aliyun_pca_exporter::exposition::Scope::Scrape,
    );
    let metrics = Metrics(metrics);
    let of_calls = |name: &str| {
        metrics
            .value(&format!("aliyun_pca_api_request_duration_seconds_{name}"), &[])
            .unwrap()
    };
    let latency = of_calls("sum") / of_calls("count");
    let since_first = |arrival: &simulator::Arrival| arrival.at - arrivals[0].at;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred calls")]
    let calls = arrivals
        .iter()
        .filter(|arrival| since_first(arrival) < minute)
        .count() as f64;
    let allowed = minute.as_secs_f64() * 5.0 / (1.0 + latency);
    assert!(
        calls >= 0.95 * allowed,
        "{calls} calls where {allowed} are allowed at a mean latency of {latency} s"
    );
}
