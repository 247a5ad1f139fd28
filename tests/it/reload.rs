//! The next configuration: what goes on, what ends, and that nothing is lost or called too often. In virtual time.

use std::time::Duration;

use aliyun_pca_exporter::cli::LogLevel;
use aliyun_pca_exporter::simulator::{Delay, Fault, Instance, Key, Network, Oddity, Role, World};

use crate::support::log::Log;
use crate::support::{ACTION, Lab, USER, instance, sleep, world, yaml};

const FIVE_SECONDS: Duration = Duration::from_secs(5);

fn world_with(ids: &[&str]) -> World {
    let world = world();
    for id in ids {
        world.put_instance(instance(id));
    }
    world
}

fn simple<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    yaml("cas.aliyuncs.com", 5, "interval: 5m", ids)
}

fn answering_after(latency: Duration) -> Network {
    Network {
        back: Delay::between(latency, latency),
        ..Network::default()
    }
}

fn many(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("cas-member-{number:03}"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_stays_keeps_its_facts_what_leaves_is_dropped_and_what_comes_is_polled_at_once() {
    let mut lab = Lab::start(world_with(&["a", "b", "c"]), &simple(["a", "b"]));
    sleep(60).await;
    let (facts, seen) = (
        lab.metrics().facts("a"),
        lab.metrics().of("a", "last_success_timestamp_seconds"),
    );
    lab.reload(&simple(["a", "c"]));
    let metrics = lab.metrics();
    assert_eq!(metrics.facts("a"), facts);
    assert_eq!(metrics.of("a", "last_success_timestamp_seconds"), seen);
    assert_eq!(metrics.of("b", "up"), None, "b has left");
    assert_eq!(metrics.of("c", "up"), Some(0.0));
    sleep(2).await;
    assert_eq!(lab.metrics().of("c", "up"), Some(1.0));
    assert_eq!(
        lab.world.arrivals_for("a").len(),
        1,
        "a was polled again though it was not due"
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_renamed_is_a_new_one_and_nothing_of_the_old_one_stays() {
    let mut lab = Lab::start(world_with(&["a"]), &simple(["a"]));
    sleep(60).await;
    lab.reload(&simple(["a"]).replace("name: prod", "name: production"));
    let metrics = lab.metrics();
    assert!(!metrics.0.contains("account=\"prod\""), "{}", metrics.0);
    assert_eq!(metrics.of("a", "up"), Some(0.0));
    assert!(
        metrics.facts("a").iter().all(|line| line.contains("_info{")),
        "a fact was carried over"
    );
    sleep(60).await;
    assert_eq!(lab.metrics().of("a", "up"), Some(1.0));
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 5);
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_end_and_count_and_a_late_one_brings_nothing_back() {
    let mut lab = Lab::start(world_with(&["a", "b"]), &simple(["a"]));
    lab.world.set_network(answering_after(FIVE_SECONDS));
    sleep(3).await;
    assert_eq!(lab.world.arrivals_for("a").len(), 1);
    lab.reload(&simple(["a"]));
    sleep(6).await;
    assert_eq!(
        lab.metrics().of("a", "up"),
        Some(1.0),
        "the call under way was cut off"
    );
    assert_eq!(lab.world.arrivals_for("a").len(), 1);
    sleep(290).await;
    lab.reload(
        &simple(["a"])
            .replace("name: prod", "name: other")
            .replace("id: \"a\"", "id: \"b\""),
    );
    sleep(60).await;
    let metrics = lab.metrics();
    assert!(!metrics.0.contains("account=\"prod\""), "{}", metrics.0);
    assert_eq!(metrics.of("b", "up"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_before_a_reload_or_during_it_is_tried_again_after_it() {
    for latency in [Duration::ZERO, FIVE_SECONDS] {
        let world = world_with(&["a"]);
        world.set_network(answering_after(latency));
        world.set_fault(Fault::new(Oddity::BadGatewayHtml).next(1));
        let mut lab = Lab::start(world, &simple(["a"]));
        tokio::time::sleep(Duration::from_millis(2001)).await;
        let before = lab.world.arrivals_for("a").len();
        lab.reload(&simple(["a"]));
        sleep(20).await;
        let up = lab.metrics().of("a", "up");
        let after = lab.world.arrivals_for("a").len();
        assert_eq!(
            (before, after, up),
            (1, 2, Some(1.0)),
            "with {latency:?} of latency"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_reloads_make_no_burst_poll_nothing_more_often_and_leave_nothing_running() {
    let ids = many(100);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let mut lab = Lab::start(world_with(&ids), &simple(ids.iter().copied()));
    sleep(600).await;
    let (running, calls) = (lab.host.tasks.len(), lab.world.arrivals(USER, ACTION).len());
    for round in 0..1000 {
        lab.reload(&simple(ids.iter().copied()));
        tokio::time::sleep(Duration::from_millis(600)).await;
        if round % 100 == 0 {
            let metrics = lab.metrics();
            for id in &ids {
                assert_eq!(metrics.of(id, "up"), Some(1.0), "{id} after {round} reloads");
            }
        }
    }
    // 600 s are two intervals, in which each of the hundred has two turns.
    let polled = lab.world.arrivals(USER, ACTION).len() - calls;
    assert!((190..=210).contains(&polled), "{polled} calls where 200 are due");
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 5);
    sleep(30).await;
    assert_eq!(lab.host.tasks.len(), running);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_reloads_at_once_stay_inside_the_budget() {
    let ids = many(50);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let mut lab = Lab::start(world_with(&ids), &simple(ids.iter().copied()));
    for round in 0..1000_u32 {
        let slots = u8::try_from(round % 5).unwrap() + 1;
        lab.reload(&yaml(
            "cas.aliyuncs.com",
            slots,
            "interval: 1m",
            ids.iter().copied(),
        ));
        if round % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    sleep(120).await;
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 5);
    for id in &ids {
        assert_eq!(lab.metrics().of(id, "up"), Some(1.0), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_that_is_held_goes_on_and_another_provider_is_asked_at_the_next_call() {
    let world = world_with(&["a"]);
    for name in ["one", "two"] {
        world.put_role(Role::new(&role(name), name).trusting(USER));
    }
    let with = |name: &str| {
        let key = "access_key: { access_key_id: testid, access_key_secret: testsecret }";
        let assumed = format!(
            "assume_role: {{ role_arn: \"{}\", source: {{ {key} }} }}",
            role(name)
        );
        simple(["a"]).replace(key, &assumed)
    };
    let mut lab = Lab::start(world, &with("one"));
    sleep(60).await;
    for _ in 0..10 {
        lab.reload(&with("one"));
        sleep(60).await;
    }
    assert_eq!(lab.world.arrivals_of("AssumeRole").len(), 1);
    lab.reload(&with("two"));
    sleep(600).await;
    assert_eq!(lab.world.arrivals_of("AssumeRole").len(), 2);
    assert_eq!(lab.world.arrivals("two", ACTION).len(), 2);
}

fn role(name: &str) -> String {
    format!("acs:ram::1234567890123456:role/{name}")
}

#[tokio::test(start_paused = true)]
async fn a_bigger_budget_counts_at_once_and_a_smaller_one_as_slots_come_free() {
    let ids = many(600);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let of = |slots| yaml("cas.aliyuncs.com", slots, "interval: 1m", ids.iter().copied());
    let world = world_with(&ids);
    world.put_key("testid", Key::plain(USER, "testsecret"));
    let mut lab = Lab::start(world, &of(2));
    let mut before = 0;
    let mut calls_in_a_minute = async |lab: &Lab| {
        sleep(60).await;
        let all = lab.world.arrivals(USER, ACTION).len();
        std::mem::replace(&mut before, all).abs_diff(all)
    };
    calls_in_a_minute(&lab).await;
    assert_eq!(calls_in_a_minute(&lab).await, 120);
    lab.reload(&of(10));
    assert!((595..=600).contains(&calls_in_a_minute(&lab).await));
    lab.reload(&of(2));
    let calls = calls_in_a_minute(&lab).await;
    assert!((118..=130).contains(&calls), "{calls}");
    assert_eq!(lab.world.throttled(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_found_survives_a_reload_and_goes_with_what_led_to_it() {
    let world = world_with(&[]);
    for id in ["a", "b", "c"] {
        world.put_instance(Instance {
            identifier: Some(format!("certificate-of-{id}")),
            ..instance(id)
        });
    }
    let with = |more: &str| simple([]).replace("  instances:\n", more);
    let mut lab = Lab::start(world, &with("  discovery: {}\n"));
    sleep(60).await;
    let (lists, facts) = (
        lab.world.arrivals_of("ListPcaCaCertificate").len(),
        lab.metrics().facts("a"),
    );
    lab.reload(&with("  discovery: {}\n  labels: { team: pki }\n"));
    let metrics = lab.metrics();
    assert!(
        metrics.info("a").contains("team=\"pki\""),
        "{}",
        metrics.info("a")
    );
    assert_eq!(metrics.facts("a").len(), facts.len());
    lab.reload(&with("  discovery: { exclude: [b] }\n"));
    assert_eq!(lab.metrics().of("b", "up"), None, "b does not count any more");
    sleep(60).await;
    lab.reload(&with("  instances: [{ id: c }]\n"));
    assert_eq!(lab.metrics().instances(), ["c".to_owned()].into());
    assert!(
        !lab.metrics().0.contains("aliyun_pca_discovery_"),
        "a series of the discovery stays"
    );
    assert!(lab.world.arrivals_of("ListPcaCaCertificate").len() <= lists + 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_looked_for_no_more_has_no_series_and_what_still_is_keeps_its_own() {
    let world = world_with(&["a", "b"]);
    world.put_certificate("one", "a");
    world.put_certificate("two", "b");
    let with = |more: &str| simple([]).replace("  instances:\n", more);
    let both = "  discovery: {}\n  certificates: [{ identifier: one }, { identifier: two }]\n";
    let mut lab = Lab::start(world, &with(both));
    sleep(60).await;
    let up = |lab: &Lab, identifier: &str| {
        let label = format!("certificate_identifier=\"{identifier}\"");
        lab.metrics().value("aliyun_pca_certificate_lookup_up", &[&label])
    };
    let found = |lab: &Lab| lab.metrics().value("aliyun_pca_discovery_instances", &[]);
    assert_eq!(
        (up(&lab, "one"), up(&lab, "two"), found(&lab)),
        (Some(1.0), Some(1.0), Some(2.0))
    );
    lab.reload(&with("  discovery: {}\n  certificates: [{ identifier: one }]\n"));
    assert_eq!(
        (up(&lab, "one"), up(&lab, "two"), found(&lab)),
        (Some(1.0), None, Some(2.0))
    );
    lab.reload(&with("  certificates: [{ identifier: one }]\n"));
    sleep(7200).await;
    assert_eq!(
        (up(&lab, "one"), up(&lab, "two"), found(&lab)),
        (Some(1.0), None, None)
    );
    assert!(
        !lab.metrics()
            .0
            .contains("aliyun_pca_discovery_last_success_timestamp_seconds{"),
        "a time for a list that nobody asks for"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_log_knows_already_is_not_said_again_after_a_reload() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let ids = many(100);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let world = world_with(&ids);
    world.set_clock_offset(-3 * 3_600_000);
    // A budget that is too small, and a clock that is wrong.
    let overfull = yaml("cas.aliyuncs.com", 1, "interval: 20s", ids.iter().copied());
    let mut lab = Lab::start(world, &overfull);
    for _ in 0..5 {
        sleep(600).await;
        lab.reload(&overfull);
    }
    sleep(600).await;
    for said in ["clock is wrong", "the budget is too small"] {
        assert_eq!(log.lines(said).len(), 1, "{said}: {}", log.text());
    }
}

/// The longest time between two calls for an instance, in seconds.
fn longest(lab: &Lab, id: &str) -> f64 {
    let calls = lab.world.arrivals_for(id);
    let distances = calls
        .windows(2)
        .map(|pair| (pair[1].at - pair[0].at).as_secs_f64());
    distances.fold(0.0, f64::max)
}

fn texts(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn those_that_stay_are_not_late_because_others_have_left_or_come() {
    let hourly = |ids: &[String]| yaml("cas.aliyuncs.com", 5, "interval: 1h", texts(ids));
    let ids = many(100);
    let mut lab = Lab::start(world_with(&texts(&ids)), &hourly(&ids));
    sleep(3 * 3600 + 1800).await;
    let mut next = ids.clone();
    next.sort_by_key(|id| lab.world.arrivals_for(id).last().unwrap().at);
    next.truncate(10);
    lab.reload(&hourly(&next));
    sleep(4 * 3600).await;
    for id in &next {
        assert!(longest(&lab, id) <= 3660.0, "{id}: {}", longest(&lab, id));
    }

    let ids = many(3);
    let mut lab = Lab::start(world_with(&texts(&ids)), &hourly(&ids[..1]));
    sleep(3590).await;
    lab.reload(&hourly(&ids[..2]));
    sleep(1790).await;
    lab.reload(&hourly(&ids));
    sleep(4 * 3600).await;
    for id in &ids {
        assert!(longest(&lab, id) <= 3660.0, "{id}: {}", longest(&lab, id));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_over_a_key_takes_over_what_was_used_of_its_allowance() {
    let ids = many(300);
    let world = world_with(&texts(&ids));
    world.put_key("otherid", Key::plain("other", "testsecret"));
    let account = |name: &str, key: &str, count: usize| {
        let yaml = yaml("cas.aliyuncs.com", 5, "interval: 1m", texts(&ids[..count]));
        let (_, account) = yaml.split_once("accounts:\n").unwrap();
        account
            .replace("name: prod", &format!("name: {name}"))
            .replace("testid", key)
    };
    let head = "poll: { interval: 1m }\naccounts:\n";
    let two = format!(
        "{head}{}{}",
        account("prod", "otherid", 3),
        account("second", "testid", 300)
    );
    let mut lab = Lab::start(world, &two);
    tokio::time::sleep(Duration::from_millis(20_150)).await;
    lab.reload(&format!("{head}{}", account("prod", "testid", 300)));
    sleep(20).await;
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 5);
}

#[tokio::test(start_paused = true)]
async fn a_new_name_does_not_forget_the_calls_that_are_still_on_their_way() {
    let ids = many(100);
    let minutely = yaml("cas.aliyuncs.com", 5, "interval: 1m", texts(&ids));
    let mut lab = Lab::start(world_with(&texts(&ids)), &minutely);
    let there = |millis| Network {
        there: Delay::between(Duration::from_millis(millis), Duration::from_millis(millis)),
        ..Network::default()
    };
    lab.world.set_network(there(3000));
    tokio::time::sleep(Duration::from_millis(2900)).await;
    lab.reload(&minutely.replace("name: prod", "name: other"));
    lab.world.set_network(there(100));
    sleep(20).await;
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 5);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_comes_from_somewhere_else_now_may_be_the_same_and_its_calls_count_on() {
    let ids = many(100);
    let minutely = yaml("cas.aliyuncs.com", 5, "interval: 1m", texts(&ids));
    let key = "access_key_id: testid, access_key_secret: testsecret";
    let in_files = minutely.replace(key, "access_key_id_file: /id, access_key_secret_file: /secret");
    assert_ne!(in_files, minutely);
    let mut lab = Lab::start(world_with(&texts(&ids)), &minutely);
    for (path, text) in [("/id", "testid"), ("/secret", "testsecret")] {
        lab.host.files.replace(path.as_ref(), text).unwrap();
    }
    let there = |millis| Network {
        there: Delay::between(Duration::from_millis(millis), Duration::from_millis(millis)),
        ..Network::default()
    };
    lab.world.set_network(there(3000));
    tokio::time::sleep(Duration::from_millis(2900)).await;
    lab.reload(&in_files);
    lab.world.set_network(there(100));
    sleep(20).await;
    assert_eq!(lab.metrics().of(&ids[0], "up"), Some(1.0));
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 5);
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_key_goes_to_another_one_shares_no_budget_with_it() {
    let ids = many(300);
    let world = world_with(&texts(&ids));
    for (key, user) in [("otherid", "other"), ("thirdid", "third")] {
        world.put_key(key, Key::plain(user, "testsecret"));
    }
    let account = |name: &str, slots: u8, key: &str| {
        let yaml = yaml("cas.aliyuncs.com", slots, "interval: 1m", texts(&ids));
        let (_, account) = yaml.split_once("accounts:\n").unwrap();
        account
            .replace("name: prod", &format!("name: {name}"))
            .replace("testid", key)
    };
    let head = "poll: { interval: 1m }\naccounts:\n";
    let mut lab = Lab::start(
        world,
        &format!(
            "{head}{}{}",
            account("prod", 2, "otherid"),
            account("second", 2, "testid")
        ),
    );
    sleep(20).await;
    lab.reload(&format!(
        "{head}{}{}",
        account("prod", 2, "testid"),
        account("second", 10, "thirdid")
    ));
    sleep(60).await;
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 2);
    assert_eq!(lab.world.most_in_one_window("third", ACTION), 10);
}

#[tokio::test(start_paused = true)]
async fn what_a_certificate_led_to_once_survives_a_reload_that_changes_nothing() {
    let world = world_with(&["lab-1", "x-2"]);
    world.put_certificate("c1", "lab-1");
    let more = "  discovery: { include: [\"x-*\"] }\n  certificates: [{ identifier: c1 }]\n";
    let same = simple([]).replace("  instances:\n", more);
    let mut lab = Lab::start(world, &same);
    sleep(60).await;
    lab.world.put_certificate("c1", "x-2");
    sleep(2 * 3600).await;
    assert_eq!(lab.metrics().of("lab-1", "up"), Some(1.0));
    lab.reload(&same);
    assert_eq!(lab.metrics().of("lab-1", "up"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn a_reload_while_a_call_is_about_to_be_signed_afresh_fails_no_poll() {
    let ids = many(2);
    let world = world_with(&texts(&ids));
    world.set_clock_offset(-3 * 3_600_000);
    let slow = yaml("cas.aliyuncs.com", 1, "interval: 1h", texts(&ids));
    let mut lab = Lab::start(world, &slow);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    lab.reload(&slow);
    sleep(30).await;
    for id in &ids {
        assert_eq!(lab.metrics().of(id, "up"), Some(1.0), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_smaller_budget_is_not_called_throttling() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let ids = many(3);
    let of = |slots| yaml("cas.aliyuncs.com", slots, "interval: 5m", texts(&ids));
    let mut lab = Lab::start(world_with(&texts(&ids)), &of(5));
    lab.world.set_network(Network {
        back: Delay::between(Duration::from_secs(2), Duration::from_secs(2)),
        ..Network::default()
    });
    sleep(3).await;
    lab.reload(&of(2));
    sleep(20).await;
    assert_eq!(lab.world.throttled(), 0);
    assert!(log.lines("throttles").is_empty(), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_discovery_under_way_brings_nothing_back_that_is_excluded_by_now_and_its_call_ends() {
    for millis in [2500, 2999, 3000, 3001] {
        let world = world_with(&[]);
        for id in ["a", "b"] {
            world.put_instance(Instance {
                identifier: Some(format!("certificate-of-{id}")),
                ..instance(id)
            });
        }
        let with = |more: &str| simple([]).replace("  instances:\n", more);
        world.set_network(Network {
            back: Delay::between(Duration::from_secs(1), Duration::from_secs(1)),
            ..Network::default()
        });
        let mut lab = Lab::start(world, &with("  discovery: {}\n"));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        lab.reload(&with("  discovery: { exclude: [b] }\n"));
        sleep(6 * 3600).await;
        assert_eq!(lab.metrics().instances(), ["a".to_owned()].into(), "{millis}");
        let metrics = lab.metrics();
        let of_list = |name: &str| metrics.value(name, &["action=\"ListPcaCaCertificate\""]);
        assert_eq!(
            of_list("aliyun_pca_api_requests_total"),
            of_list("aliyun_pca_api_request_duration_seconds_count"),
            "a call was cut off"
        );
        lab.host.tasks.stop();
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_that_swap_their_keys_are_not_called_one() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let ids = many(3);
    let world = world_with(&texts(&ids));
    world.put_key("otherid", Key::plain("other", "testsecret"));
    let one = simple(texts(&ids));
    let (head, account) = one.split_once("accounts:\n").unwrap();
    let with = |first: &str, second: &str| {
        let renamed = account.replace("name: prod", "name: second");
        format!(
            "{head}accounts:\n{}{}",
            account.replace("testid", first),
            renamed.replace("testid", second)
        )
    };
    let mut lab = Lab::start(world, &with("testid", "otherid"));
    sleep(60).await;
    lab.reload(&with("otherid", "testid"));
    sleep(600).await;
    assert!(log.lines("two accounts").is_empty(), "{}", log.text());
}
