//! `--state.file`: a restart shows what was known with its true age and goes on with the schedule; a process that is
//! killed leaves nothing that was not observed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::app::{Daemon, StateFile};
use aliyun_pca_exporter::cli::LogLevel;
use aliyun_pca_exporter::host::{Clock, Files, Host, Random};
use aliyun_pca_exporter::model::UnixMillis;
use aliyun_pca_exporter::simulator::{Delay, Instance, Network, Server, Wire, World};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::log::Log;
use crate::support::{
    ACTION, Lab, Metrics, Program, USER, address_in, command, config, get, host, instance, poll_until,
    real_world, sleep, world, yaml,
};

const PATH: &str = "/var/lib/pca/state";

/// A laboratory whose daemon keeps its state in these files.
fn lab(world: &World, files: &Files, clock: &Clock, yaml: &str) -> Lab {
    let host = Host {
        files: files.clone(),
        clock: clock.clone(),
        ..host(Arc::new(Wire::new(world.clone())))
    };
    let state = StateFile::open(Path::new(PATH), files).unwrap();
    let daemon = Daemon::poll(&config(yaml), &host, Some(state)).unwrap();
    Lab {
        world: world.clone(),
        host,
        daemon,
    }
}

async fn stop(lab: Lab) {
    lab.host.tasks.stop();
    lab.host.tasks.join(Duration::from_secs(60)).await.unwrap();
}

fn hundred() -> Vec<String> {
    (0..100).map(|number| format!("cas-member-{number:03}")).collect()
}

fn simple(ids: &[String]) -> String {
    yaml(
        "cas.aliyuncs.com",
        5,
        "interval: 5m",
        ids.iter().map(String::as_str),
    )
}

#[tokio::test(start_paused = true)]
async fn a_restart_shows_the_old_facts_at_once_with_their_true_ages_and_polls_nothing_before_it_is_due() {
    let (world, ids) = (world(), hundred());
    for id in &ids {
        world.put_instance(instance(id));
    }
    let clock = Clock::starting_at(crate::support::OPENING);
    let files = Files::memory([]);
    let before = lab(&world, &files, &clock, &simple(&ids));
    sleep(1000).await;
    let (facts, seen) = (
        before.metrics().facts(&ids[7]),
        before.metrics().of(&ids[7], "last_success_timestamp_seconds"),
    );
    stop(before).await;
    sleep(30).await;

    let calls = world.arrivals(USER, ACTION).len();
    let after = lab(&world, &files, &clock, &simple(&ids));
    let metrics = after.metrics();
    assert_eq!(metrics.facts(&ids[7]), facts);
    assert_eq!(metrics.of(&ids[7], "last_success_timestamp_seconds"), seen);
    for id in &ids {
        assert_eq!(metrics.of(id, "up"), Some(1.0), "{id}");
    }
    sleep(300).await;
    let polled = world.arrivals(USER, ACTION).len() - calls;
    // The tenth that was due during the pause is made up for.
    assert!(
        (98..=112).contains(&polled),
        "{polled} polls of a hundred in an interval"
    );
    let oldest = ids.iter().map(|id| {
        let seen = after.metrics().of(id, "last_success_timestamp_seconds").unwrap();
        after.host.clock.now().seconds_since(UnixMillis(0)) - seen
    });
    let oldest = oldest.fold(0.0, f64::max);
    assert!(oldest <= 330.0, "facts of {oldest} s ago");
    assert!(world.most_in_one_window(USER, ACTION) <= 5);
}

#[tokio::test(start_paused = true)]
async fn what_has_left_the_configuration_meanwhile_is_not_shown() {
    let world = world();
    let ids = ["a".to_owned(), "b".to_owned()];
    for id in &ids {
        world.put_instance(instance(id));
    }
    let (clock, files) = (Clock::starting_at(crate::support::OPENING), Files::memory([]));
    let before = lab(&world, &files, &clock, &simple(&ids));
    sleep(60).await;
    stop(before).await;
    let after = lab(&world, &files, &clock, &simple(&ids[..1]));
    assert_eq!(after.metrics().instances(), BTreeSet::from(["a".to_owned()]));
    let renamed = simple(&ids).replace("name: prod", "name: other");
    stop(after).await;
    let after = lab(&world, &files, &clock, &renamed);
    assert!(
        !after.metrics().0.contains("account=\"prod\""),
        "{}",
        after.metrics().0
    );
    assert_eq!(after.metrics().of("a", "certificates_issued"), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_found_is_known_after_a_restart_though_it_cannot_be_found_again() {
    let world = world();
    world.put_instance(Instance {
        identifier: Some("certificate".to_owned()),
        ..instance("a")
    });
    let yaml = simple(&[]).replace("  instances:\n", "  discovery: {}\n");
    let (clock, files) = (Clock::starting_at(crate::support::OPENING), Files::memory([]));
    let before = lab(&world, &files, &clock, &yaml);
    sleep(60).await;
    stop(before).await;
    world.deny(USER, "ListPcaCaCertificate");
    let after = lab(&world, &files, &clock, &yaml);
    assert_eq!(after.metrics().of("a", "up"), Some(1.0));
    sleep(600).await;
    assert_eq!(after.metrics().of("a", "up"), Some(1.0));
    assert!(after.metrics().info("a").contains("common_name=\"a\""));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_file_is_set_aside_with_a_warning_and_everything_is_polled_anew() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let world = world();
    world.put_instance(instance("a"));
    let (clock, files) = (Clock::starting_at(crate::support::OPENING), Files::memory([]));
    let ids = ["a".to_owned()];
    let before = lab(&world, &files, &clock, &simple(&ids));
    sleep(60).await;
    stop(before).await;
    let damaged = files.read(Path::new(PATH)).unwrap().replace("USED", "BUY");
    files.replace(Path::new(PATH), &damaged).unwrap();
    let after = lab(&world, &files, &clock, &simple(&ids));
    assert_eq!(after.metrics().of("a", "up"), Some(0.0));
    assert_eq!(after.metrics().of("a", "certificates_issued"), None);
    let said = log.lines("damaged");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("level=warn") && said[0].contains("checksum"),
        "{said:?}"
    );
    assert_eq!(
        files.read(Path::new("/var/lib/pca/state.damaged")).unwrap(),
        damaged
    );
    sleep(60).await;
    assert_eq!(after.metrics().of("a", "up"), Some(1.0));
}

#[test]
fn saving_again_before_the_last_time_is_done_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let state = StateFile::open(&path, &Files::disk()).unwrap();
    let saves = || (0..200).for_each(|_| assert_eq!(state.save().unwrap(), 0));
    std::thread::scope(|scope| {
        scope.spawn(saves);
        scope.spawn(saves);
    });
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing but the file itself");
    assert_eq!(Files::disk().read(&path).unwrap(), state.store.to_text().0);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_was_cut_off_is_not_taken_for_one_that_was_made() {
    let (world, ids) = (world(), ["a".to_owned(), "b".to_owned()]);
    for id in &ids {
        world.put_instance(instance(id));
    }
    let clock = Clock::starting_at(crate::support::OPENING);
    let hourly = simple(&ids).replace("interval: 5m", "interval: 1h");
    let before = lab(&world, &Files::memory([]), &clock, &hourly);
    sleep(60).await;
    world.set_network(Network {
        back: Delay::between(Duration::from_secs(8), Duration::from_secs(8)),
        ..Network::default()
    });
    while world.arrivals_for("a").len() < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Killed while the answer is under way, just after the last write.
    let text = before.daemon.store.to_text().0;
    before.host.tasks.stop();
    world.set_network(Network::default());
    sleep(20).await;
    let after = lab(&world, &Files::memory([(PATH, text.as_str())]), &clock, &hourly);
    for _ in 0..400 {
        sleep(10).await;
        let seen = after.metrics().of("a", "last_success_timestamp_seconds").unwrap();
        let age = after.host.clock.now().seconds_since(UnixMillis(0)) - seen;
        assert!(age <= 3660.0, "facts of {age} s ago");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_with_a_wrong_clock_goes_on_with_the_schedule() {
    for ahead in [0, 3, -3] {
        let (world, ids) = (world(), hundred());
        for id in &ids {
            world.put_instance(instance(id));
        }
        world.set_clock_offset(-ahead * 3_600_000);
        let clock = Clock::starting_at(crate::support::OPENING);
        let hourly = simple(&ids).replace("interval: 5m", "interval: 1h");
        let files = Files::memory([]);
        let before = lab(&world, &files, &clock, &hourly);
        sleep(3 * 3600 + 1800).await;
        let text = before.daemon.store.to_text().0;
        before.host.tasks.stop();
        let _after = lab(&world, &Files::memory([(PATH, text.as_str())]), &clock, &hourly);
        sleep(3 * 3600).await;
        for (id, (_, longest)) in crate::support::distances(&world) {
            assert!(longest <= 3660.0, "{ahead} h ahead: {id} waited {longest} s");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_fifty_random_moments_it_always_starts_and_shows_nothing_that_was_not_observed() {
    let world = real_world();
    let ids: Vec<_> = (0..200).map(|number| format!("cas-member-{number:03}")).collect();
    let put = |issued: i64| {
        for id in &ids {
            world.put_instance(Instance {
                cert_issued_count: Some(issued),
                cert_total_count: Some(issued * 2),
                ..instance(id)
            });
        }
    };
    put(1);
    world.set_limit(USER, 1000);
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), world.clone())
        .await
        .unwrap();
    let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
    let folder = tempfile::tempdir().unwrap();
    let yaml = yaml(
        &format!("http://{}", server.address()),
        10,
        "interval: 20s",
        ids.iter().map(String::as_str),
    );
    std::fs::write(folder.path().join("config.yaml"), yaml).unwrap();
    tasks.spawn(server.serve(cancel.clone()));

    let random = Random::seeded(4);
    for round in 1..=50 {
        put(round);
        let (program, address) = start(folder.path()).await;
        let metrics = page(&address).await;
        let mut shown = 0;
        for id in &ids {
            let (issued, quota) = (
                metrics.of(id, "certificates_issued"),
                metrics.of(id, "certificates_quota"),
            );
            let seen = metrics.of(id, "last_success_timestamp_seconds").unwrap();
            let Some(issued) = issued else {
                assert_eq!((quota, seen.to_string()), (None, "0".to_owned()), "{round}: {id}");
                continue;
            };
            shown += 1;
            // Both numbers are of one answer, which the cloud gave in this round or in one before.
            assert!((1.0..=50.0).contains(&issued) && issued <= f64::from(i32::try_from(round).unwrap()));
            assert_eq!(quota, Some(issued * 2.0), "{round}: {id}");
            assert!(seen > 0.0);
        }
        assert!(
            round == 1 || shown > 0,
            "{round}: no fact came through the restart"
        );
        let kept = || std::fs::read_to_string(folder.path().join("state")).unwrap_or_default();
        while round == 1 && !kept().contains("\"seen\"") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let wait = Duration::from_secs_f64(random.fraction() * 2.5);
        // The moment is the point here: nothing is waited for.
        tokio::time::sleep(wait).await;
        program.signal("KILL");
    }
    let left: BTreeSet<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!left.contains("state.damaged"), "{left:?}");
    cancel.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Starts the exporter in a folder and returns its address.
async fn start(folder: &Path) -> (Program, String) {
    let mut command = command(env!("CARGO_BIN_EXE_aliyun-pca-exporter"));
    command
        .current_dir(folder)
        .args(["--web.listen-address=127.0.0.1:0", "--state.file=state"]);
    tokio::task::spawn_blocking(move || {
        let mut program = Program::start(&mut command);
        let address = address_in(&program.logged("listening"));
        (program, address)
    })
    .await
    .unwrap()
}

/// The page as it is right after the start.
async fn page(address: &str) -> Metrics {
    Metrics(get(&format!("http://{address}/metrics")).await.unwrap().1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_that_cannot_be_written_is_named_at_the_start_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("config.yaml"),
        yaml("http://127.0.0.1:1", 5, "interval: 5m", ["a"]),
    )
    .unwrap();
    let mut command = command(env!("CARGO_BIN_EXE_aliyun-pca-exporter"));
    command
        .current_dir(folder.path())
        .args(["--web.listen-address=127.0.0.1:0", "--state.file=nowhere/state"]);
    let (code, _, log) = tokio::task::spawn_blocking(move || Program::start(&mut command).end())
        .await
        .unwrap();
    assert_eq!(code, Some(2));
    assert!(log.contains("cannot keep the state in nowhere/state"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_before_a_signal_is_kept_to_the_last_poll() {
    let world = real_world();
    world.put_instance(instance("a"));
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), world.clone())
        .await
        .unwrap();
    let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
    let folder = tempfile::tempdir().unwrap();
    let endpoint = format!("http://{}", server.address());
    std::fs::write(
        folder.path().join("config.yaml"),
        yaml(&endpoint, 5, "interval: 1h", ["a"]),
    )
    .unwrap();
    tasks.spawn(server.serve(cancel.clone()));
    let (program, address) = start(folder.path()).await;
    poll_until(&format!("http://{address}/metrics"), |_, text| {
        (Metrics(text.to_owned()).of("a", "up") == Some(1.0)).then_some(())
    })
    .await;
    tokio::task::spawn_blocking(move || {
        program.signal("TERM");
        assert_eq!(program.end().0, Some(0));
    })
    .await
    .unwrap();
    let (_program, address) = start(folder.path()).await;
    assert_eq!(page(&address).await.of("a", "up"), Some(1.0));
    cancel.cancel();
    tasks.close();
    tasks.wait().await;
}
