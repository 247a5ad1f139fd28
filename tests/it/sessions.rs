//! A day of polling with the shortest sessions that a role can have, in virtual time.

use aliyun_pca_exporter::simulator::{ApiError, Fault, Oddity, Role, World};

use crate::support::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, ACTION, Lab, USER, instance, sleep, world, yaml};

const ROLE: &str = "acs:ram::1234567890123456:role/pca-reader";
const ASSUME_ROLE: &str = "AssumeRole";
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// The life of a session, in seconds.
const SESSION: u64 = 900;

fn lab(instances: usize) -> (Lab, Vec<String>) {
    let world: World = world();
    world.put_role(Role::new(ROLE, "reader").trusting(USER));
    let ids: Vec<_> = (0..instances)
        .map(|number| format!("cas-member-{number:03}"))
        .collect();
    for id in &ids {
        world.put_instance(instance(id));
    }
    let key =
        format!("access_key: {{ access_key_id: {ACCESS_KEY_ID}, access_key_secret: {ACCESS_KEY_SECRET} }}");
    let role = format!("assume_role: {{ role_arn: \"{ROLE}\", duration: 15m, source: {{ {key} }} }}");
    let yaml = yaml(
        "cas.aliyuncs.com",
        5,
        "interval: 5m",
        ids.iter().map(String::as_str),
    );
    assert!(yaml.contains(&key), "{yaml}");
    (Lab::start(world, &yaml.replace(&key, &role)), ids)
}

fn errors(lab: &Lab, action: &str) -> f64 {
    let metrics = lab.metrics().0;
    let action = format!("action=\"{action}\"");
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("aliyun_pca_api_request_errors_total{"));
    let of_action = lines.filter(|line| line.contains(&action));
    of_action
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

#[tokio::test(start_paused = true)]
async fn a_day_of_quarter_hour_sessions_fails_no_poll_and_asks_sts_hardly_more_than_it_must() {
    let (lab, ids) = lab(100);
    sleep(DAY).await;
    assert_eq!(errors(&lab, ACTION).to_string(), "0");
    let metrics = lab.metrics();
    for id in &ids {
        assert_eq!(metrics.of(id, "up"), Some(1.0), "{id}");
    }
    let least = usize::try_from(DAY / SESSION).unwrap();
    let asked = lab.world.arrivals_of(ASSUME_ROLE).len();
    assert!(
        (least..=least * 11 / 10).contains(&asked),
        "{asked} calls of STS where {least} are the least"
    );
    assert_eq!(lab.world.most_at_once(ASSUME_ROLE), 1, "two refreshes at once");
}

#[tokio::test(start_paused = true)]
async fn the_store_tells_what_the_account_may_call_by_which_clock_and_with_whose_key() {
    let (lab, _) = lab(100);
    let account = || lab.daemon.store.snapshot().accounts.remove(0);
    assert_eq!(account().credentials, None, "before the first call");
    sleep(600).await;
    let account = account();
    let budget = account.budget.unwrap();
    assert_eq!((budget.limit, budget.rate.to_string().as_str()), (5, "5"));
    // 100 calls in 300 seconds of five slots that each is held for one, since the cloud here answers at once.
    assert!(
        (budget.demand - 100.0 / 1500.0).abs() < 0.001,
        "{}",
        budget.demand
    );
    let skew = account.measured_skew_millis.unwrap();
    assert!(skew.abs() <= 1000, "{skew} ms");
    let credentials = account.credentials.unwrap();
    assert_eq!(credentials.provider, "assume_role over access_key");
    let left = credentials.expires.unwrap().seconds_since(lab.host.clock.now());
    assert!((300.0..=900.0).contains(&left), "{left} s of a session of 900");
}

#[tokio::test(start_paused = true)]
async fn with_sts_down_for_20_minutes_polls_go_on_until_the_session_ends_and_recover_without_a_restart() {
    let (lab, ids) = lab(100);
    sleep(DAY / 2).await;
    let expiry = || {
        let expiry = lab.metrics().value(
            "aliyun_pca_credentials_expiry_timestamp_seconds",
            &["account=\"prod\""],
        );
        expiry.unwrap() - 1_767_225_600.0
    };
    let ends = expiry();
    lab.world
        .set_fault(Fault::new(Oddity::UnavailableEmpty).on_action(ASSUME_ROLE));
    let back = lab.now() + 1200.0;
    while lab.now() < ends - 1.0 {
        sleep(1).await;
        assert_eq!(
            errors(&lab, ACTION).to_string(),
            "0",
            "a poll failed before the end of the session"
        );
    }
    while lab.now() < back - 1.0 {
        sleep(1).await;
    }
    // An interval of five minutes has passed since the end, so every instance has been tried without a key.
    assert!(back - ends > 300.0, "{ends} {back}");
    let metrics = lab.metrics();
    for id in &ids {
        assert_eq!(metrics.of(id, "up"), Some(0.0), "{id}");
        assert_eq!(metrics.reason(id).as_deref(), Some("credentials"), "{id}");
        assert!(
            metrics.of(id, "certificates_issued").is_some(),
            "the facts are gone"
        );
    }
    let failed = metrics
        .value(
            "aliyun_pca_credentials_refresh_errors_total",
            &["account=\"prod\""],
        )
        .unwrap();
    // Attempts are a minute apart at the most and half of that at the least, once they have failed for a while.
    assert!((10.0..=50.0).contains(&failed), "{failed} attempts in 20 minutes");
    lab.world.clear_faults();
    // A minute until STS is tried again, and every instance's turn.
    sleep(6 * 60).await;
    let metrics = lab.metrics();
    for id in &ids {
        assert_eq!(
            (metrics.of(id, "up"), metrics.reason(id)),
            (Some(1.0), None),
            "{id}"
        );
    }
    assert!(expiry() > lab.now(), "the expiry shown is over");
    let before = errors(&lab, ACTION).to_string();
    sleep(DAY / 2).await;
    assert_eq!(
        errors(&lab, ACTION).to_string(),
        before,
        "a poll failed afterwards"
    );
    assert_eq!(lab.world.most_at_once(ASSUME_ROLE), 1, "two refreshes at once");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_api_refuses_before_its_time_costs_one_refresh_and_one_retry_and_no_poll() {
    for (code, status) in [
        ("InvalidSecurityToken.Expired", 400),
        ("InvalidAccessKeyId.NotFound", 404),
    ] {
        let (lab, ids) = lab(1);
        let id = &ids[0];
        sleep(60).await;
        let fault = Fault::new(ApiError::new(code, status, "Told to.")).on_action(ACTION);
        lab.world.set_fault(fault.next(1));
        sleep(6 * 60).await;
        assert_eq!(lab.metrics().of(id, "up"), Some(1.0), "{code}");
        assert_eq!(lab.world.arrivals_of(ASSUME_ROLE).len(), 2, "{code}");
        let polls = lab.world.arrivals_of(ACTION);
        assert_eq!(
            polls.len(),
            3,
            "{code}: the first, the refused one, and its retry"
        );
        let retried = (polls[2].at - polls[1].at).as_secs();
        assert!(retried <= 2, "{code}: after {retried} s");
    }
}
