//! The API throttles: the exporter slows down, and nothing is lost.

use std::sync::Arc;

use aliyun_pca_exporter::app::once;
use aliyun_pca_exporter::simulator::{Fault, Wire, World, errors};
use tokio_util::sync::CancellationToken;

use crate::support::{ACTION, Lab, USER, config, host, instance, sleep, world, yaml};

/// The configuration of so many instances, which the world has.
fn instances(world: &World, count: usize) -> String {
    let ids: Vec<_> = (0..count)
        .map(|number| format!("cas-member-{number:03}"))
        .collect();
    for id in &ids {
        world.put_instance(instance(id));
    }
    yaml(
        "cas.aliyuncs.com",
        5,
        "interval: 5m",
        ids.iter().map(String::as_str),
    )
}

fn lab(count: usize, world: World) -> Lab {
    let yaml = instances(&world, count);
    Lab::start(world, &yaml)
}

/// The lines about instances whose last poll failed.
fn down(lab: &Lab) -> Vec<String> {
    let metrics = lab.metrics().0;
    let up = metrics
        .lines()
        .filter(|line| line.starts_with("aliyun_pca_instance_up{"));
    up.filter(|line| !line.ends_with(" 1"))
        .map(str::to_owned)
        .collect()
}

fn rate(lab: &Lab) -> f64 {
    let name = "aliyun_pca_budget_current_requests_per_second";
    lab.metrics().value(name, &["account=\"prod\""]).unwrap()
}

#[tokio::test(start_paused = true)]
async fn where_others_use_most_of_the_allowance_the_rest_is_shared_and_no_instance_is_down() {
    let world = world();
    // Somebody else leaves 2 calls a second, and 540 instances every five minutes ask for 1.8.
    world.set_limit(USER, 2);
    let lab = lab(540, world);
    sleep(1800).await;
    for _ in 0..60 {
        sleep(60).await;
        let (down, rate) = (down(&lab), rate(&lab));
        assert!(down.is_empty(), "{down:?} at {}", lab.now());
        assert!(
            (1.0..4.0).contains(&rate),
            "{rate} calls a second where 2 are granted"
        );
    }
    let calls = lab.world.arrivals(USER, ACTION).len();
    let throttled = usize::try_from(lab.world.throttled()).unwrap();
    assert!(
        throttled * 20 < calls,
        "{throttled} of {calls} calls were throttled"
    );
}

#[tokio::test(start_paused = true)]
async fn the_account_is_left_alone_for_as_long_as_the_api_wants_and_is_back_at_full_rate_soon() {
    let lab = lab(100, world());
    sleep(600).await;
    let (patience, _) = errors()
        .into_iter()
        .find(|(error, _)| error.retry_after_millis.is_some())
        .unwrap();
    let wanted = patience.retry_after_millis.unwrap();
    lab.world
        .set_fault(Fault::new(patience).on_action(ACTION).next(1));
    let before = lab.world.arrivals(USER, ACTION).len();
    sleep(300).await;
    let calls = lab.world.arrivals(USER, ACTION);
    let gap = (calls[before + 1].at - calls[before].at).as_millis();
    assert!(gap >= u128::from(wanted), "{gap} ms instead of {wanted} at least");
    assert_eq!(rate(&lab).to_string(), "5");
    assert_eq!(down(&lab), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_single_round_goes_on_until_what_was_throttled_was_tried_again() {
    let world = world();
    let yaml = instances(&world, 700);
    let host = host(Arc::new(Wire::new(world.clone())));
    let others = async {
        sleep(30).await;
        world.set_limit(USER, 2);
        sleep(2).await;
        world.set_limit(USER, 10);
    };
    let (config, stop) = (config(&yaml), CancellationToken::new());
    let (polled, ()) = tokio::join!(once(&config, &host, &stop), others);
    assert!(polled.unwrap().all_up);
    assert!(world.throttled() > 0, "nothing was throttled");
}
