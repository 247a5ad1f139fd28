//! Hours of trouble, in virtual time: the process stays up, facts stay, failures and ages are told, and all
//! recovers within one interval.

use std::collections::BTreeSet;

use aliyun_pca_exporter::model::Reason;
use aliyun_pca_exporter::simulator::{Fault, Misbehaviour, Oddity, UnknownInstance, errors};

use crate::support::{Lab, Metrics, instance, sleep, world, yaml};

const A: &str = "cas-member-a";
const B: &str = "cas-member-b";
const INTERVAL: u64 = 300;
const HOUR: u64 = 3600;

/// When the laboratory opens, in seconds since 1970.
const OPENING: f64 = 1_767_225_600.0;

fn lab() -> Lab {
    let world = world();
    for id in [A, B] {
        world.put_instance(instance(id));
    }
    Lab::start(world, &yaml("cas.aliyuncs.com", 5, "interval: 5m", [A, B]))
}

#[track_caller]
fn healthy(lab: &Lab) -> Metrics {
    let metrics = lab.metrics();
    for id in [A, B] {
        assert_eq!(
            (metrics.of(id, "up"), metrics.reason(id)),
            (Some(1.0), None),
            "{id}"
        );
        let age = OPENING + lab.now() - metrics.of(id, "last_success_timestamp_seconds").unwrap();
        #[expect(clippy::cast_precision_loss, reason = "300")]
        let interval = INTERVAL as f64;
        assert!(
            (0.0..=interval + 1.0).contains(&age),
            "the facts of {id} are {age} s old"
        );
    }
    metrics
}

#[tokio::test(start_paused = true)]
async fn an_api_that_is_down_from_the_start_leaves_no_facts_and_no_doubt() {
    let lab = lab();
    let down = lab.world.set_fault(Fault::new(Oddity::ClosedBeforeAnswer));
    sleep(2).await;
    let untried = lab.metrics();
    assert_eq!((untried.of(A, "up"), untried.reason(A)), (Some(0.0), None));
    sleep(HOUR).await;
    let metrics = lab.metrics();
    for id in [A, B] {
        assert_eq!(metrics.of(id, "up"), Some(0.0));
        assert_eq!(metrics.reason(id).as_deref(), Some("connect"));
        assert_eq!(metrics.of(id, "last_success_timestamp_seconds"), Some(0.0));
        for absent in [
            "certificates_issued",
            "certificates_quota",
            "certificate_expiry_days",
            "subscription_expiry_days",
        ] {
            assert_eq!(metrics.of(id, absent), None, "{absent}");
        }
        assert!(
            !metrics.0.contains("aliyun_pca_instance_status{"),
            "a status that nobody told"
        );
    }
    lab.world.remove_fault(down);
    sleep(INTERVAL + 1).await;
    healthy(&lab);
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_the_api_keeps_the_facts_tells_their_age_and_counts_the_days_down() {
    let lab = lab();
    sleep(HOUR).await;
    let before = healthy(&lab);
    let seen = before.of(A, "last_success_timestamp_seconds").unwrap();
    lab.world.set_fault(Fault::new(Oddity::ClosedBeforeAnswer));
    for minutes in 1..=60_u32 {
        sleep(60).await;
        let during = lab.metrics();
        assert_eq!(during.facts(A), before.facts(A), "after {minutes} minutes");
        let days = during.of(A, "certificate_expiry_days").unwrap();
        let passed = f64::from(minutes) / (24.0 * 60.0);
        assert!((before.of(A, "certificate_expiry_days").unwrap() - days - passed).abs() < 1e-6);
        if minutes >= 6 {
            assert_eq!(
                (during.of(A, "up"), during.reason(A).as_deref()),
                (Some(0.0), Some("connect"))
            );
            assert!(during.of(A, "last_success_timestamp_seconds").unwrap() - seen < 300.5);
        }
    }
    lab.world.clear_faults();
    sleep(INTERVAL + 1).await;
    assert_eq!(healthy(&lab).facts(A), before.facts(A));
}

/// Breaks A alone for two intervals, checks what is shown, mends it, and checks that all is well after one more.
async fn survives(lab: &Lab, what: Misbehaviour, name: &str, reason: Reason) {
    let before = healthy(lab);
    let label = format!("reason=\"{reason}\"");
    let errors = |metrics: &Metrics| {
        metrics
            .value("aliyun_pca_api_request_errors_total", &[&label])
            .unwrap()
    };
    let fault = lab.world.set_fault(Fault::new(what).on_instance(A));
    sleep(2 * INTERVAL).await;
    let during = lab.metrics();
    assert_eq!(during.of(A, "up"), Some(0.0), "{name}");
    assert_eq!(during.reason(A).as_deref(), Some(reason.as_str()), "{name}");
    assert_eq!(during.facts(A), before.facts(A), "{name}");
    assert_eq!(during.of(B, "up"), Some(1.0), "{name}");
    assert!(
        errors(&during) > errors(&before),
        "{name} was not counted as {reason}"
    );
    let age = OPENING + lab.now() - during.of(A, "last_success_timestamp_seconds").unwrap();
    assert!(
        (300.0..=901.0).contains(&age),
        "{name}: the facts are shown {age} s old"
    );
    lab.world.remove_fault(fault);
    sleep(INTERVAL + 1).await;
    healthy(lab);
}

#[tokio::test(start_paused = true)]
async fn every_error_of_the_api_is_survived_and_told_by_its_reason() {
    let lab = lab();
    sleep(INTERVAL).await;
    let mut reasons = BTreeSet::new();
    for (error, reason) in errors() {
        let name = format!("{} with {}", error.code, error.status);
        survives(&lab, error.into(), &name, reason).await;
        reasons.insert(reason);
    }
    assert_eq!(reasons.len(), 8, "the catalogue covers {reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn every_odd_answer_is_survived_and_told_by_its_reason() {
    let lab = lab();
    sleep(INTERVAL).await;
    for oddity in Oddity::ALL {
        let name = format!("{oddity:?}");
        if let Some(reason) = oddity.expected() {
            survives(&lab, (*oddity).into(), &name, reason).await;
        } else {
            let fault = lab.world.set_fault(Fault::new(*oddity).on_instance(A));
            sleep(2 * INTERVAL).await;
            healthy(&lab);
            lab.world.remove_fault(fault);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_gone_keeps_its_facts_however_the_api_says_so() {
    for answer in UnknownInstance::ALL {
        let lab = lab();
        lab.world.set_unknown_instance(answer);
        sleep(INTERVAL).await;
        let before = healthy(&lab);
        lab.world.remove_instance(A);
        sleep(HOUR).await;
        let during = lab.metrics();
        assert_eq!(during.reason(A).as_deref(), Some("not_found"), "{answer:?}");
        assert_eq!(during.facts(A), before.facts(A), "{answer:?}");
        lab.world.put_instance(instance(A));
        sleep(INTERVAL + 1).await;
        healthy(&lab);
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_comes_later_is_shown_within_an_interval() {
    let lab = lab();
    lab.world.remove_instance(B);
    sleep(HOUR).await;
    assert_eq!(lab.metrics().reason(B).as_deref(), Some("not_found"));
    lab.world.put_instance(instance(B));
    sleep(INTERVAL + 1).await;
    healthy(&lab);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_poll_inside_the_interval_changes_nothing() {
    let lab = lab();
    sleep(INTERVAL).await;
    healthy(&lab);
    let (throttled, _) = errors()
        .into_iter()
        .find(|(_, reason)| *reason == Reason::Throttled)
        .unwrap();
    lab.world.set_fault(Fault::new(throttled).on_instance(A).next(1));
    // The one throttled call is retried within seconds.
    sleep(INTERVAL).await;
    let metrics = healthy(&lab);
    assert!(metrics.value("aliyun_pca_api_request_errors_total", &["reason=\"throttled\""]) == Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn every_third_call_failing_is_made_up_for_by_retries() {
    let lab = lab();
    lab.world.set_fault(Fault::new(Oddity::BadGatewayHtml).every(3));
    for _ in 0..24 {
        sleep(INTERVAL).await;
        let metrics = lab.metrics();
        let age = OPENING + lab.now() - metrics.of(A, "last_success_timestamp_seconds").unwrap();
        assert!(
            age <= 345.0,
            "{age} s are more than an interval and all its retries"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_an_answer_names_twice_is_counted_and_shown_as_the_one_in_use() {
    let lab = lab();
    sleep(INTERVAL).await;
    let before = healthy(&lab);
    lab.world
        .set_fault(Fault::new(Oddity::IdTwice).on_instance(A).next(2));
    sleep(2 * INTERVAL).await;
    let during = healthy(&lab);
    assert_eq!(
        during.facts(A),
        before.facts(A),
        "the bought one without times was taken"
    );
    assert_eq!(
        during.value("aliyun_pca_answer_duplicates_total", &["account=\"prod\""]),
        Some(2.0)
    );
}
