//! This machine's clock is wrong: calls are signed with the API's time, and everything shown is true.

use aliyun_pca_exporter::cli::LogLevel;
use aliyun_pca_exporter::model::UnixMillis;
use aliyun_pca_exporter::simulator::World;

use crate::support::log::Log;
use crate::support::{ACTION, Lab, USER, instance, sleep, world, yaml};

const HOUR: i32 = 3_600_000;
const DAY_SECONDS: f64 = 86_400.0;

fn lab(world: World) -> Lab {
    world.put_instance(instance("a"));
    world.put_instance(instance("b"));
    Lab::start(world, &yaml("cas.aliyuncs.com", 5, "interval: 5m", ["a", "b"]))
}

/// Everything that the page says about time, against the cloud's own clock.
#[track_caller]
fn assert_true(lab: &Lab, oldest: f64) {
    let (metrics, now) = (lab.metrics(), lab.world.now());
    for id in ["a", "b"] {
        assert_eq!(metrics.of(id, "up"), Some(1.0), "{id}");
        let seconds = |name| metrics.of(id, name).unwrap();
        let now = now.seconds_since(UnixMillis(0));
        let age = now - seconds("last_success_timestamp_seconds");
        assert!((-2.0..oldest).contains(&age), "{id}: facts of {age} s ago");
        for (end, days) in [
            (
                "certificate_not_after_timestamp_seconds",
                "certificate_expiry_days",
            ),
            (
                "subscription_expiry_timestamp_seconds",
                "subscription_expiry_days",
            ),
        ] {
            let off = seconds(days) * DAY_SECONDS - (seconds(end) - now);
            assert!(off.abs() < 2.0, "{id}: {days} are {off} s off");
        }
    }
}

#[track_caller]
fn assert_skew(lab: &Lab, seconds: f64) {
    let shown = lab
        .metrics()
        .value("aliyun_pca_clock_skew_seconds", &["account=\"prod\""])
        .unwrap();
    assert!((shown - seconds).abs() <= 1.0, "{shown} s instead of {seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_three_hours_ahead_or_behind_costs_one_call_and_one_line_of_the_log() {
    for ahead in [3, -3] {
        let (log, _guard) = Log::capture(LogLevel::Info);
        let world = world();
        world.set_clock_offset((-ahead * HOUR).into());
        let lab = lab(world);
        sleep(3600).await;
        assert_true(&lab, 301.0);
        assert_skew(&lab, f64::from(ahead) * 3600.0);
        let refused = lab.world.refused("InvalidTimeStamp.Expired");
        assert!((1..=2).contains(&refused), "{refused} calls were refused");
        assert_eq!(log.lines("clock is wrong").len(), 1, "{}", log.text());
        assert_eq!(log.lines("poll failed").len(), 0, "{}", log.text());
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_by_a_day_and_back_is_followed() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let lab = lab(world());
    sleep(3600).await;
    assert_true(&lab, 301.0);
    for (round, ahead) in [24, 0, -24, 0].into_iter().enumerate() {
        lab.world.set_clock_offset((-ahead * HOUR).into());
        sleep(3600).await;
        assert_true(&lab, 301.0);
        assert_skew(&lab, f64::from(ahead) * 3600.0);
        assert_eq!(log.lines("clock is wrong").len(), round / 2 + 1, "{}", log.text());
        assert_eq!(
            log.lines("clock is right again").len(),
            round.div_ceil(2),
            "{}",
            log.text()
        );
    }
    assert_eq!(log.lines("poll failed").len(), 0, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_clock_ten_minutes_off_is_shown_and_nothing_is_corrected() {
    let world = world();
    world.set_clock_offset(10 * 60 * 1000);
    let lab = lab(world);
    sleep(3600).await;
    assert_skew(&lab, -600.0);
    assert_eq!(lab.world.refused("InvalidTimeStamp.Expired"), 0);
    let seen = lab.metrics().of("a", "last_success_timestamp_seconds").unwrap();
    let local = lab.host.clock.now().seconds_since(UnixMillis(0));
    assert!(
        (0.0..301.0).contains(&(local - seen)),
        "{seen} by a clock that shows {local}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_calls_after_a_jump_stay_inside_the_budget() {
    let world = world();
    let ids: Vec<_> = (0..100).map(|number| format!("cas-member-{number}")).collect();
    for id in &ids {
        world.put_instance(instance(id));
    }
    let lab = Lab::start(
        world,
        &yaml(
            "cas.aliyuncs.com",
            2,
            "interval: 1m",
            ids.iter().map(String::as_str),
        ),
    );
    for ahead in [24, -24, 0] {
        sleep(1800).await;
        lab.world.set_clock_offset((-ahead * HOUR).into());
    }
    sleep(1800).await;
    assert!(lab.world.most_in_one_window(USER, ACTION) <= 2);
    assert_eq!(lab.world.throttled(), 0);
}
