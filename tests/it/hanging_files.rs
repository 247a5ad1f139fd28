//! Files that hang hold up whoever needs them, for a while, and nobody else.

use std::fmt::Write as _;

use aliyun_pca_exporter::simulator::Key;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::cloud::{Cloud, Setup, beside};
use crate::support::hanging::{BEFORE_LEASES_END, Hanging};
use crate::support::{ACCESS_KEY_SECRET, Metrics, Program, USER, free_port, get, poll_until};

const PLAIN: &str = "cas-member-plain";
const KEPT: &str = "cas-member-kept";
const NEVER: &str = "cas-member-never";

/// The daemon, its address, and the folder that it runs in.
async fn start(setup: Setup, flags: Vec<String>) -> (Setup, Program, String) {
    beside(move || {
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let (program, address) = setup.daemon(&flags);
        (setup, program, address)
    })
    .await
}

async fn hanging(setup: &Setup, name: &str) -> Hanging {
    let path = setup.path(name);
    beside(move || Hanging::new(&path)).await
}

async fn waited_for(mut file: Hanging) -> Hanging {
    beside(move || {
        file.waited_for();
        file
    })
    .await
}

/// Waits until the instances have been asked for a few more times, and a scrape says of each whether that succeeded.
async fn polled(cloud: &Cloud, address: &str, up: &[(&str, f64)], polled: &[&str]) -> String {
    let arrivals = || polled.iter().map(|id| cloud.world.arrivals_for(id).len());
    let before: Vec<_> = arrivals().collect();
    poll_until(&format!("http://{address}/metrics"), |_, text| {
        let metrics = Metrics(text.to_owned());
        let is_so = up.iter().all(|(id, up)| metrics.of(id, "up") == Some(*up));
        let more = arrivals().zip(&before).all(|(now, before)| now > before + 2);
        (is_so && more).then_some(metrics.0)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_file_that_hangs_is_told_of_and_the_one_read_last_goes_on() {
    let cloud = Cloud::start(&[PLAIN, KEPT, NEVER]).await;
    let mut yaml = cloud.configuration(&[PLAIN]);
    for id in [KEPT, NEVER] {
        let key = Key::plain(USER, ACCESS_KEY_SECRET);
        cloud.world.put_key(&format!("key-of-{id}"), key);
        writeln!(
            yaml,
            "- name: of-{id}\n  \
               endpoint: {}\n  \
               credentials:\n    \
                 access_key: {{ access_key_id: key-of-{id}, access_key_secret_file: {id}.secret }}\n  \
               instances: [{{ id: {id} }}]",
            cloud.endpoint
        )
        .unwrap();
    }
    let setup = Setup::new(&yaml);
    for id in [KEPT, NEVER] {
        std::fs::write(setup.path(&format!("{id}.secret")), ACCESS_KEY_SECRET).unwrap();
    }
    let never = hanging(&setup, &format!("{NEVER}.secret")).await;
    let (setup, program, address) = start(setup, Vec::new()).await;
    let while_it_hangs = async {
        let up = [(PLAIN, 1.0), (KEPT, 1.0)];
        polled(&cloud, &address, &up, &[PLAIN, KEPT]).await;
        let kept = waited_for(hanging(&setup, &format!("{KEPT}.secret")).await).await;
        let never = waited_for(never).await;
        let up = [(PLAIN, 1.0), (KEPT, 1.0), (NEVER, 0.0)];
        let metrics = polled(&cloud, &address, &up, &[PLAIN, KEPT]).await;
        let reason = format!(
            "aliyun_pca_instance_error{{account=\"of-{NEVER}\",instance_id=\"{NEVER}\",reason=\"credentials\"}} 1\n"
        );
        assert!(metrics.contains(&reason), "{metrics}");
        assert_eq!(get(&format!("http://{address}/-/ready")).await.unwrap().0, 200);
        [kept, never]
    };
    let files = timeout(BEFORE_LEASES_END, while_it_hangs).await.unwrap();
    assert_eq!(cloud.world.arrivals_for(NEVER).len(), 0, "nothing hung");
    drop(files);
    let up = [(PLAIN, 1.0), (KEPT, 1.0), (NEVER, 1.0)];
    polled(&cloud, &address, &up, &[NEVER]).await;
    let log = beside(move || {
        program.signal("TERM");
        program.end().2
    })
    .await;
    for account in [KEPT, NEVER] {
        let told = log.lines().filter(|line| {
            line.contains("cannot get credentials") && line.contains(account) && line.contains("hang?")
        });
        assert_eq!(told.count(), 1, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_configuration_that_hangs_turns_scrapes_away_and_holds_up_neither_polls_nor_probes() {
    let cloud = Cloud::start(&[PLAIN]).await;
    let setup = cloud.setup(&[PLAIN]);
    std::fs::write(
        setup.path("web.yaml"),
        "rate_limit: { interval: 1ms, burst: 1000 }\n",
    )
    .unwrap();
    let probes = format!("127.0.0.1:{}", free_port());
    let flags = vec![
        "--web.config.file=web.yaml".to_owned(),
        format!("--web.probe-address={probes}"),
    ];
    let (setup, program, address) = start(setup, flags).await;
    let metrics = format!("http://{address}/metrics");
    let threads = program.threads();
    let file = hanging(&setup, "web.yaml").await;
    let while_it_hangs = async {
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut client = TcpStream::connect(&address).await.unwrap();
            client
                .write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")
                .await
                .unwrap();
            clients.push(client);
        }
        let file = waited_for(file).await;
        drop(clients);
        for _ in 0..3 {
            poll_until(&metrics, |status, text| {
                (status == 500 && text.contains("is broken")).then_some(())
            })
            .await;
        }
        assert!(
            program.threads() <= threads + 1,
            "those who wait have a thread each"
        );
        let before = cloud.world.arrivals_for(PLAIN).len();
        poll_until(&format!("http://{probes}/-/healthy"), |status, _| {
            (status == 200 && cloud.world.arrivals_for(PLAIN).len() > before + 2).then_some(())
        })
        .await;
        file
    };
    drop(timeout(BEFORE_LEASES_END, while_it_hangs).await.unwrap());
    poll_until(&metrics, |status, _| (status == 200).then_some(())).await;
    let log = beside(move || {
        program.signal("TERM");
        program.end().2
    })
    .await;
    let told = "web.yaml: cannot be read: nothing came within 5 s; does a file system hang?";
    assert_eq!(log.matches(told).count(), 1, "{log}");
}
