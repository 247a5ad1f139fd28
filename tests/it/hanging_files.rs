//! Files that hang when they are opened, as on a network file system whose server is gone: whoever needs one waits, and
//! nobody else does.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use aliyun_pca_exporter::simulator::Key;
use tokio::task::JoinSet;

use crate::support::cloud::{Cloud, Setup, beside};
use crate::support::{ACCESS_KEY_SECRET, Metrics, Program, USER, free_port, get, poll_until};

/// Less than the 45 seconds after which Linux takes a lease away.
const BEFORE_LEASES_END: Duration = Duration::from_secs(30);

/// Has a lease on the file that it is given: whoever opens that waits until the lease is given back. Says so once
/// somebody does.
const LEASE: &str = r#"
    $SIG{IO} = sub { print STDERR "somebody waits\n" };
    open(my $file, "<", $ARGV[0]) or die "$ARGV[0]: $!";
    # F_SETLEASE, F_WRLCK
    fcntl($file, 1024, 1) or die "no lease: $!";
    print STDERR "leased\n";
    sleep 1 while 1;
"#;

/// A file that hangs when it is opened, until this is dropped.
struct Hanging(Program);

impl Hanging {
    async fn new(path: &Path) -> Self {
        let path = path.to_owned();
        let started = beside(move || {
            let mut lease = Program::start(Command::new("perl").args(["-e", LEASE]).arg(path));
            lease.logged("leased");
            lease
        });
        Self(started.await)
    }

    /// Waits until somebody opens it.
    async fn waited_for(mut self) -> Self {
        beside(move || {
            self.0.logged("somebody waits");
            self
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_file_that_hangs_holds_up_its_own_account_alone() {
    let ids = ["cas-member-a", "cas-member-b", "cas-member-c"];
    let cloud = Cloud::start(&ids).await;
    let [plain, hanging @ ..] = ids;
    let mut yaml = cloud.configuration(&[plain]);
    for id in hanging {
        cloud
            .world
            .put_key(&format!("key-of-{id}"), Key::plain(USER, ACCESS_KEY_SECRET));
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
    let mut files = Vec::new();
    for id in hanging {
        let path = setup.path(&format!("{id}.secret"));
        std::fs::write(&path, ACCESS_KEY_SECRET).unwrap();
        files.push(Hanging::new(&path).await);
    }
    let (_setup, (_program, address)) = beside(move || {
        let started = setup.daemon(&[]);
        (setup, started)
    })
    .await;
    let mut waited_for = Vec::new();
    for file in files {
        waited_for.push(file.waited_for().await);
    }
    let metrics = format!("http://{address}/metrics");
    let go_on = async {
        let before = cloud.world.arrivals_for(plain).len();
        poll_until(&metrics, |_, text| {
            let up = Metrics(text.to_owned()).of(plain, "up") == Some(1.0);
            (up && cloud.world.arrivals_for(plain).len() > before + 2).then_some(())
        })
        .await;
        get(&format!("http://{address}/-/healthy")).await
    };
    let healthy = tokio::time::timeout(BEFORE_LEASES_END, go_on).await.unwrap();
    assert_eq!(healthy.unwrap().0, 200);
    for id in hanging {
        assert_eq!(cloud.world.arrivals_for(id).len(), 0, "nothing hung");
    }
    drop(waited_for);
    poll_until(&metrics, |_, text| {
        let text = Metrics(text.to_owned());
        ids.iter().all(|id| text.of(id, "up") == Some(1.0)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_configuration_that_hangs_holds_up_who_asks_and_neither_polls_nor_probes() {
    let id = "cas-member-a";
    let cloud = Cloud::start(&[id]).await;
    let setup = cloud.setup(&[id]);
    let path = setup.path("web.yaml");
    std::fs::write(&path, "rate_limit: { interval: 1ms, burst: 1000 }\n").unwrap();
    let probes = format!("127.0.0.1:{}", free_port());
    let flags = [
        "--web.config.file=web.yaml".to_owned(),
        format!("--web.probe-address={probes}"),
    ];
    let (_setup, (program, address)) = beside(move || {
        let started = setup.daemon(&flags.each_ref().map(String::as_str));
        (setup, started)
    })
    .await;
    let threads = program.threads();
    let file = Hanging::new(&path).await;
    for _ in 0..20 {
        let url = format!("http://{address}/metrics");
        let gives_up = tokio::time::timeout(Duration::from_millis(50), get(&url));
        assert!(gives_up.await.is_err(), "nothing hung");
    }
    assert!(
        program.threads() <= threads + 1,
        "those who went away left a thread each"
    );
    let file = file.waited_for().await;
    let mut scrapes = JoinSet::new();
    for _ in 0..3 {
        let url = format!("http://{address}/metrics");
        scrapes.spawn(async move { get(&url).await });
    }
    let go_on = async {
        let before = cloud.world.arrivals_for(id).len();
        let health = format!("http://{probes}/-/healthy");
        poll_until(&health, |status, _| {
            (status == 200 && cloud.world.arrivals_for(id).len() > before + 2).then_some(())
        })
        .await;
    };
    tokio::time::timeout(BEFORE_LEASES_END, go_on).await.unwrap();
    assert!(scrapes.try_join_next().is_none(), "nothing hung");
    drop(file);
    for scrape in scrapes.join_all().await {
        assert_eq!(scrape.unwrap().0, 200);
    }
}
