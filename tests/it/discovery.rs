//! Instances that are found: by the list of CA certificates, and by certificates that are looked up. In virtual time.

use std::collections::BTreeSet;

use aliyun_pca_exporter::cli::LogLevel;
use aliyun_pca_exporter::simulator::{ApiError, CaCertificate, Fault, Instance, Misbehaviour, Oddity, World};

use hyper::StatusCode;

use crate::support::log::Log;
use crate::support::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, ACTION, Lab, USER, instance, sleep, world};

const LIST: &str = "ListPcaCaCertificate";
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// An instance that is enabled, with a certificate of its own.
fn enabled(id: &str) -> Instance {
    Instance {
        identifier: Some(format!("certificate-of-{id}")),
        ..instance(id)
    }
}

fn world_with(ids: &[&str]) -> World {
    let world = world();
    for id in ids {
        world.put_instance(enabled(id));
    }
    world
}

/// The YAML of an account `prod`; `more` are its further lines.
fn yaml(more: &str) -> String {
    format!(
        "poll: {{ interval: 5m }}\naccounts:\n- name: prod\n  endpoint: https://cas.aliyuncs.com\n  \
         credentials: {{ access_key: {{ access_key_id: {ACCESS_KEY_ID}, access_key_secret: {ACCESS_KEY_SECRET} }} }}\n{more}"
    )
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn discovery(lab: &Lab, name: &str) -> Option<f64> {
    lab.metrics()
        .value(&format!("aliyun_pca_discovery_{name}"), &["account=\"prod\""])
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_by_the_api_is_found_and_polled_and_so_is_what_comes_later() {
    let lab = Lab::start(world_with(&["a", "b"]), &yaml("  discovery: {}\n"));
    assert_eq!(lab.metrics().instances(), set(&[]));
    sleep(60).await;
    assert_eq!(lab.metrics().instances(), set(&["a", "b"]));
    assert_eq!(lab.metrics().of("b", "up"), Some(1.0));
    assert_eq!(discovery(&lab, "instances"), Some(2.0));
    lab.world.put_instance(enabled("c"));
    sleep(HOUR).await;
    assert_eq!(lab.metrics().instances(), set(&["a", "b", "c"]));
    sleep(60).await;
    assert_eq!(lab.metrics().of("c", "up"), Some(1.0));
    assert_eq!(discovery(&lab, "instances"), Some(3.0));
    assert_eq!(discovery(&lab, "interval_seconds"), Some(3600.0));
    assert_eq!(lab.world.arrivals_of(LIST).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_thousand_five_hundred_are_found_in_three_pages_and_inside_the_lists_own_budget() {
    let world = world();
    for number in 0..2500 {
        world.put_instance(enabled(&format!("cas-member-{number:04}")));
    }
    let lab = Lab::start(world, &yaml("  requests_per_second: 2\n  discovery: {}\n"));
    sleep(60).await;
    assert_eq!(discovery(&lab, "instances"), Some(2500.0));
    assert_eq!(lab.metrics().instances().len(), 2500);
    assert_eq!(lab.world.arrivals_of(LIST).len(), 3);
    assert!(lab.world.most_in_one_window(USER, LIST) <= 2);
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 2);
}

#[tokio::test(start_paused = true)]
async fn include_and_exclude_choose_and_match_names_and_labels() {
    let lab = Lab::start(
        world_with(&["cas-1", "cas-lab-1", "cas-old-1", "other"]),
        &yaml(
            "  labels: { team: pki }\n  discovery: { include: [\"cas-*\"], exclude: [\"cas-old-*\"] }\n  \
             instances:\n  - match: \"cas-lab-*\"\n    name: laboratory\n    labels: { env: lab }\n",
        ),
    );
    sleep(60).await;
    let metrics = lab.metrics();
    assert_eq!(metrics.instances(), set(&["cas-1", "cas-lab-1"]));
    assert_eq!(discovery(&lab, "instances"), Some(4.0));
    let info = metrics.info("cas-lab-1");
    for label in ["env=\"lab\"", "team=\"pki\"", "name=\"laboratory\""] {
        assert!(info.contains(label), "{info}");
    }
    let info = metrics.info("cas-1");
    assert!(info.contains("team=\"pki\"") && !info.contains("env="), "{info}");
}

#[tokio::test(start_paused = true)]
async fn the_lists_common_name_and_region_are_shown_and_that_of_the_certificate_in_use() {
    let world = world_with(&["a"]);
    let certificate = |identifier: &str, name: &str| CaCertificate {
        common_name: Some(name.to_owned()),
        private_ca_region_id: Some("eu-central-1".to_owned()),
        ..CaCertificate::new(identifier, "a")
    };
    world.put_ca_certificate(certificate("certificate-of-a", "Issuing CA 2"));
    world.put_ca_certificate(certificate("an-older-one", "Issuing CA 1"));
    let lab = Lab::start(world, &yaml("  discovery: {}\n"));
    sleep(60).await;
    let info = lab.metrics().info("a");
    for label in ["common_name=\"Issuing CA 2\"", "region=\"eu-central-1\""] {
        assert!(info.contains(label), "{info}");
    }
    assert_eq!(
        discovery(&lab, "instances"),
        Some(1.0),
        "one instance has two certificates"
    );
}

#[tokio::test(start_paused = true)]
async fn a_configured_instance_that_is_found_too_is_one_target_with_the_configured_name() {
    let lab = Lab::start(
        world_with(&["a"]),
        &yaml("  discovery: {}\n  instances:\n  - id: a\n    name: mine\n    labels: { env: prod }\n"),
    );
    sleep(600).await;
    let info = lab.metrics().info("a");
    for label in ["name=\"mine\"", "env=\"prod\"", "common_name=\"a\""] {
        assert!(info.contains(label), "{info}");
    }
    // 600 s hold the first poll and at most two regular ones.
    let polls = lab.world.arrivals_for("a").len();
    assert!((2..=3).contains(&polls), "{polls} polls of one target");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_was_released_is_kept_for_forget_after_and_then_dropped_and_logged() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let lab = Lab::start(
        world_with(&["a", "b"]),
        &yaml("  discovery: { forget_after: 2d }\n"),
    );
    sleep(HOUR).await;
    lab.world.remove_instance("b");
    for hour in 0..47 {
        sleep(HOUR).await;
        let metrics = lab.metrics();
        assert_eq!(metrics.instances(), set(&["a", "b"]), "{hour}");
        assert_eq!(metrics.reason("b").as_deref(), Some("not_found"));
        assert!(
            metrics.of("b", "certificates_issued").is_some(),
            "the facts are gone"
        );
    }
    sleep(3 * HOUR).await;
    assert_eq!(lab.metrics().instances(), set(&["a"]));
    let forgotten = log.lines("forgotten");
    assert_eq!(forgotten.len(), 1, "{forgotten:?}");
    assert!(forgotten[0].contains("instance_id=b"), "{forgotten:?}");
    let polls = lab.world.arrivals_for("b").len();
    sleep(HOUR).await;
    assert_eq!(lab.world.arrivals_for("b").len(), polls, "it is still polled");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_the_list_leaves_out_and_the_api_knows_is_never_forgotten() {
    let world = world();
    // Bought and not enabled: in no list.
    world.put_instance(Instance {
        identifier: None,
        ..instance("a")
    });
    world.put_ca_certificate(CaCertificate::new("first", "a"));
    let lab = Lab::start(world, &yaml("  discovery: { forget_after: 1h }\n"));
    sleep(HOUR).await;
    lab.world.remove_ca_certificate("first");
    sleep(2 * DAY).await;
    assert_eq!(lab.metrics().of("a", "up"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_comes_back_starts_its_time_anew() {
    let lab = Lab::start(world_with(&["a"]), &yaml("  discovery: { forget_after: 1d }\n"));
    sleep(HOUR).await;
    for _ in 0..3 {
        lab.world.remove_instance("a");
        sleep(20 * HOUR).await;
        assert_eq!(lab.metrics().instances(), set(&["a"]));
        lab.world.put_instance(enabled("a"));
        sleep(2 * HOUR).await;
        assert_eq!(lab.metrics().of("a", "up"), Some(1.0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_discovery_that_fails_changes_nothing_whatever_the_answer_is() {
    let lab = Lab::start(
        world_with(&["a", "b"]),
        &yaml("  discovery: { forget_after: 1h }\n"),
    );
    sleep(HOUR + 60).await;
    let answers = Oddity::ALL.iter().map(|oddity| Misbehaviour::from(*oddity));
    let endless = Misbehaviour::Answer {
        status: StatusCode::OK,
        body: r#"{"List": [], "NextToken": "again"}"#.to_owned(),
    };
    let answers = answers.chain([ApiError::new("InternalError", 500, "Told to.").into(), endless]);
    for answer in answers {
        let shown = format!("{answer:?}");
        lab.world.clear_faults();
        lab.world.set_fault(Fault::new(answer).on_action(LIST));
        sleep(2 * HOUR).await;
        assert_eq!(lab.metrics().instances(), set(&["a", "b"]), "{shown}");
        assert_eq!(lab.metrics().of("a", "up"), Some(1.0), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_one_line_and_a_metric_and_leaves_the_configured_instances_alone() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let world = world_with(&["a", "b"]);
    world.deny(USER, LIST);
    let lab = Lab::start(world, &yaml("  discovery: {}\n  instances: [{ id: a }]\n"));
    sleep(DAY).await;
    let said = log.lines("discovery failed");
    assert_eq!(said.len(), 1, "{said:?}");
    for part in [
        "level=warn",
        "reason=forbidden",
        "yundun-cert:ListPcaCaCertificate",
    ] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
    let metrics = lab.metrics();
    assert_eq!(
        (metrics.instances(), metrics.of("a", "up")),
        (set(&["a"]), Some(1.0))
    );
    assert_eq!(discovery(&lab, "last_success_timestamp_seconds"), Some(0.0));
    let refused = metrics.value(
        "aliyun_pca_api_request_errors_total",
        &["action=\"ListPcaCaCertificate\"", "reason=\"forbidden\""],
    );
    assert!(refused.unwrap() >= 10.0, "{refused:?}");
    lab.world.allow(USER, LIST);
    sleep(HOUR).await;
    assert_eq!(lab.metrics().instances(), set(&["a", "b"]));
    assert_eq!(log.lines("discovery succeeds again").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_leads_to_its_instance_which_is_polled_by_its_id() {
    let world = world_with(&["a", "b"]);
    world.put_certificate("160ae6bb538d538c70c01f81dcf2", "b");
    let lab = Lab::start(
        world,
        &yaml("  certificates:\n  - identifier: 160ae6bb538d538c70c01f81dcf2\n  - identifier: unknown\n"),
    );
    let up = |identifier: &str| {
        let label = format!("certificate_identifier=\"{identifier}\"");
        lab.metrics().value("aliyun_pca_certificate_lookup_up", &[&label])
    };
    sleep(900).await;
    assert_eq!(lab.metrics().instances(), set(&["b"]));
    assert_eq!(lab.metrics().of("b", "up"), Some(1.0));
    assert_eq!(up("160ae6bb538d538c70c01f81dcf2"), Some(1.0));
    assert_eq!(up("unknown"), Some(0.0));
    assert!(
        lab.world.arrivals_for("b").len() >= 3,
        "one look-up and the polls"
    );
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 5);
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_once_discovery_was_tried_whatever_came_of_it() {
    for denied in [false, true] {
        let world = world_with(&[]);
        if denied {
            world.deny(USER, LIST);
        }
        let lab = Lab::start(world, &yaml("  discovery: {}\n"));
        assert!(!lab.daemon.store.snapshot().ready());
        sleep(60).await;
        assert!(lab.daemon.store.snapshot().ready(), "denied: {denied}");
    }
}

#[tokio::test(start_paused = true)]
async fn several_regions_share_the_accounts_one_budget() {
    let world = world();
    for (number, region) in ["cn-hangzhou", "eu-central-1", "ap-southeast-3"]
        .iter()
        .cycle()
        .take(120)
        .enumerate()
    {
        let id = format!("cas-{number}");
        world.put_instance(enabled(&id));
        world.put_ca_certificate(CaCertificate {
            private_ca_region_id: Some((*region).to_owned()),
            ..CaCertificate::new(&format!("certificate-of-{id}"), &id)
        });
    }
    let lab = Lab::start(
        world,
        &yaml("  discovery: {}\n").replace("  endpoint: https://cas.aliyuncs.com\n", ""),
    );
    sleep(HOUR).await;
    assert_eq!(lab.metrics().instances().len(), 120);
    assert_eq!(lab.world.most_in_one_window(USER, ACTION), 5);
    assert_eq!(lab.world.throttled(), 0);
}
