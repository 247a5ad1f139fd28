//! What the log says, and how often: captured in virtual time.

use std::sync::Arc;

use aliyun_pca_exporter::app::Daemon;
use aliyun_pca_exporter::cli::LogLevel;
use aliyun_pca_exporter::host::{HttpRequest, Sent, Transport};
use aliyun_pca_exporter::simulator::{ApiError, Fault, Oddity, Wire, World};

use crate::support::log::Log;
use crate::support::{Lab, config, host, instance, sleep, world, yaml};

fn world_with(ids: &[&str]) -> World {
    let world = world();
    for id in ids {
        world.put_instance(instance(id));
    }
    world
}

#[tokio::test(start_paused = true)]
async fn an_overfull_budget_is_said_once_at_the_start_with_what_to_do() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let ids: Vec<_> = (0..100).map(|number| format!("cas-member-{number}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let _lab = Lab::start(
        world_with(&ids),
        &yaml("cas.aliyuncs.com", 1, "interval: 20s", ids.iter().copied()),
    );
    sleep(1).await;
    let said = log.lines("the budget is too small");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("level=warn") && said[0].contains("raise requests_per_second"),
        "{said:?}"
    );
    sleep(3600).await;
    assert_eq!(log.lines("the budget is too small").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_first_round_is_reported_even_if_an_instance_never_answers() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let world = world_with(&["a", "b"]);
    world.set_fault(Fault::new(Oddity::NoAnswer).on_instance("a"));
    let _lab = Lab::start(
        world,
        &yaml("cas.aliyuncs.com", 5, "interval: 5s, timeout: 5s", ["a", "b"]),
    );
    sleep(60).await;
    let said = log.lines("first round complete");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("instances=2") && said[0].contains("up=1"),
        "{said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_names_an_instance_twice_is_logged_once_for_as_long_as_it_does() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let lab = Lab::start(
        world_with(&["a"]),
        &yaml("cas.aliyuncs.com", 5, "interval: 1m", ["a"]),
    );
    for times in 1..=2 {
        let twice = lab.world.set_fault(Fault::new(Oddity::IdTwice));
        sleep(600).await;
        assert_eq!(log.lines("more than once").len(), times);
        lab.world.remove_fault(twice);
        sleep(600).await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_accounts_with_one_key_from_elsewhere_are_warned_of() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let first = yaml("cas.aliyuncs.com", 5, "", ["a"]);
    let (_, account) = first.split_once("accounts:\n").unwrap();
    let second = account
        .replace("name: prod", "name: lab")
        .replace("access_key_id: testid", "access_key_id_file: /run/key-id");
    let yaml = format!("{first}{second}");
    let mut host = host(Arc::new(Wire::new(world_with(&["a"]))));
    let key = ("/run/key-id", "testid\n");
    host.files = aliyun_pca_exporter::host::Files::memory([key]);
    let _daemon = Daemon::poll(&config(&yaml), &host, None).unwrap();
    sleep(60).await;
    let said = log.lines("two accounts use one access key");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("lab") && said[0].contains("prod"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_used_nonce_is_retried_at_once_and_once() {
    let lab = Lab::start(
        world_with(&["a"]),
        &yaml("cas.aliyuncs.com", 5, "interval: 1h", ["a"]),
    );
    lab.world
        .set_fault(Fault::new(ApiError::new("SignatureNonceUsed", 400, "")).next(1));
    sleep(60).await;
    let arrivals = lab.world.arrivals_for("a");
    assert_eq!(arrivals.len(), 2);
    assert_eq!(
        arrivals[1].at, arrivals[0].at,
        "another of the five slots was free at once"
    );
    assert_eq!(lab.metrics().of("a", "up"), Some(1.0));
}

/// A way to the cloud on which one instance's calls meet a defect of ours.
#[derive(Debug)]
struct Defect(Wire);

impl Transport for Defect {
    fn send(&self, request: HttpRequest) -> Sent {
        assert!(
            !request.url.contains("InstanceId=broken"),
            "a defect, for the test"
        );
        self.0.send(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_panics_is_one_instances_failure_and_is_tried_again() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let world = world_with(&["broken", "whole"]);
    let host = host(Arc::new(Defect(Wire::new(world.clone()))));
    let yaml = yaml("cas.aliyuncs.com", 5, "interval: 1m", ["broken", "whole"]);
    let daemon = Daemon::poll(&config(&yaml), &host, None).unwrap();
    sleep(300).await;
    assert!(!host.tasks.stopping().is_cancelled(), "the process gave up");
    let snapshot = daemon.store.snapshot();
    let instances: Vec<_> = snapshot.instances().collect();
    assert!(!instances[0].up() && instances[1].up());
    assert_eq!(instances[0].failure.as_ref().unwrap().reason.as_str(), "other");
    assert!(
        log.lines("a poll panicked").len() >= 4,
        "it is not polled any more"
    );
}
