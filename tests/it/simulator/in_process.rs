//! The wire: delays, abandoned calls and broken connections without a socket.

use super::*;

fn delays(there: u64, back: u64) -> Network {
    let always = |millis| {
        let delay = Duration::from_millis(millis);
        Delay::between(delay, delay)
    };
    Network {
        there: always(there),
        back: always(back),
        ..Network::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_its_time_there_and_back() {
    let world = world();
    world.set_network(delays(100, 50));
    let start = tokio::time::Instant::now();
    let answer = Wire::new(world.clone()).send(calling().signed()).await.unwrap();
    assert_eq!(answer.status, 200);
    let arrived = world.arrivals("alice", ACTION)[0].clone();
    assert_eq!(arrived.at - start, Duration::from_millis(100));
    assert_eq!(arrived.wall, UnixMillis(START.0 + 100));
    assert_eq!(arrived.instance.as_deref(), Some(EXAMPLE_ID));
    assert_eq!(start.elapsed(), Duration::from_millis(150));
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_no_virtual_time_passes() {
    let start = tokio::time::Instant::now();
    Wire::new(world()).send(calling().signed()).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_given_up_still_arrives() {
    let world = world();
    world.set_network(delays(100, 0));
    let sent = Wire::new(world.clone()).send(calling().signed());
    assert!(
        tokio::time::timeout(Duration::from_millis(10), sent)
            .await
            .is_err()
    );
    assert_eq!(world.arrivals_for(EXAMPLE_ID).len(), 0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.arrivals_for(EXAMPLE_ID).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_never_begun_does_not_arrive() {
    let world = world();
    drop(Wire::new(world.clone()).send(calling().signed()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.arrivals("alice", ACTION).len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_every_call_arrives_and_stands_in_order() {
    let world = world();
    world.set_network(Network {
        there: "0ms..20ms".parse().unwrap(),
        ..Network::default()
    });
    let wire = Wire::new(world.clone());
    let callers = TaskTracker::new();
    for nth in 0..200 {
        let wire = wire.clone();
        callers.spawn(async move {
            let sent = wire.send(calling().signed());
            // Every other caller gives up at once.
            if nth % 2 == 0 {
                let _ = tokio::time::timeout(Duration::ZERO, sent).await;
            } else {
                assert!(sent.await.is_ok());
            }
        });
    }
    callers.close();
    callers.wait().await;
    until(|| world.arrivals("alice", ACTION).len() == 200).await;
    assert!(
        world
            .arrivals("alice", ACTION)
            .is_sorted_by_key(|arrival| arrival.at)
    );
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_connection_are_those_of_a_real_one() {
    let world = world();
    let wire = Wire::new(world.clone());
    let odd = async |oddity| {
        world.clear_faults();
        world.set_fault(Fault::new(oddity));
        let time = world.now();
        wire.send(Calling { time, ..calling() }.signed()).await
    };
    let closed = odd(Oddity::ClosedBeforeAnswer).await;
    assert!(matches!(closed, Err(TransportError::Closed(_))));
    let cut = odd(Oddity::ClosedInBody).await.unwrap();
    assert!(matches!(cut.body.await, Err(TransportError::Closed(_))));
    let huge = odd(Oddity::Huge).await.unwrap();
    assert!(matches!(
        huge.body.await,
        Err(TransportError::TooLarge { limit: LARGEST_BODY })
    ));
    let hours = Duration::from_secs(10_000);
    let never = tokio::time::timeout(hours, odd(Oddity::NoAnswer)).await;
    assert!(never.is_err());
    let stalled = odd(Oddity::StalledBody).await.unwrap();
    assert!(tokio::time::timeout(hours, stalled.body).await.is_err());
    let start = tokio::time::Instant::now();
    assert!(odd(Oddity::SlowAnswer).await.is_ok());
    assert_eq!(start.elapsed(), SLOW);
}

#[tokio::test]
async fn while_the_network_is_down_nothing_arrives() {
    let world = world();
    world.set_network(Network {
        down: true,
        ..Network::default()
    });
    let refused = Wire::new(world.clone()).send(calling().signed()).await;
    assert!(matches!(refused, Err(TransportError::Connect(_))));
    assert_eq!(world.arrivals("alice", ACTION).len(), 0);
    world.set_network(Network::default());
    assert!(Wire::new(world).send(calling().signed()).await.is_ok());
}

/// Which of a thousand calls had no answer, the connection being closed.
async fn dropped(seed: u64, drop_percent: u8) -> Vec<usize> {
    let world = World::new(Clock::starting_at(START), Random::seeded(seed));
    world.put_key("testid", Key::plain("alice", "testsecret"));
    world.put_instance(example());
    world.set_limit("alice", 1000);
    world.set_network(Network {
        drop_percent,
        ..delays(10, 10)
    });
    let wire = Wire::new(world.clone());
    let mut dropped = Vec::new();
    for nth in 0..1000 {
        let start = tokio::time::Instant::now();
        let request = Calling {
            time: world.now(),
            ..calling()
        };
        match wire.send(request.signed()).await {
            Ok(answer) => assert_eq!(answer.status, 200),
            Err(error) => {
                assert!(matches!(error, TransportError::Closed(_)), "{error}");
                dropped.push(nth);
            }
        }
        // No sooner than an answer would have come.
        assert_eq!(start.elapsed(), Duration::from_millis(20));
    }
    assert_eq!(world.arrivals("alice", ACTION).len(), 1000);
    dropped
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_calls_arrives_and_is_never_answered() {
    assert_eq!(dropped(1, 0).await.len(), 0);
    assert_eq!(dropped(1, 100).await.len(), 1000);
    let two_percent = dropped(1, 2).await;
    // 20 are to be expected, with a deviation of 4.4.
    assert!(
        (5..=35).contains(&two_percent.len()),
        "{} of 1000",
        two_percent.len()
    );
    assert_eq!(dropped(1, 2).await, two_percent, "the same for the same seed");
    assert_ne!(dropped(2, 2).await, two_percent);
}
