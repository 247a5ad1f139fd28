//! The program under a service manager that wants to hear from it, and asked for its health.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::support::cloud::Setup;
use crate::support::{Program, free_port, yaml};

const PATIENCE: Duration = Duration::from_secs(60);

/// A configuration whose cloud is nowhere: here it does not matter.
fn setup() -> Setup {
    Setup::new(&yaml("http://127.0.0.1:1", 5, "", ["cas-member-a"]))
}

/// The service manager's end of the protocol of `sd_notify(3)`, which is one datagram a message.
struct Notices(UnixDatagram);

impl Notices {
    fn next(&self) -> String {
        let mut text = [0; 4096];
        let length = self.0.recv(&mut text).expect("a notice comes in time");
        String::from_utf8(text[..length].to_vec()).unwrap()
    }
}

/// Starts the daemon as a service manager does, which kills it after `watchdog` without a sign of life.
fn start(setup: &Setup, watchdog: Option<Duration>) -> (Program, Notices) {
    let path = setup.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = setup.command(&["--web.listen-address=127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path);
    if let Some(watchdog) = watchdog {
        command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
    }
    (Program::start(&mut command), Notices(socket))
}

#[test]
fn the_service_manager_hears_of_readiness_life_and_the_end() {
    let setup = setup();
    let (mut program, notices) = start(&setup, Some(Duration::from_millis(200)));
    assert_eq!(notices.next(), "READY=1\n");
    // Whoever waits for readiness finds somebody listening.
    program.logged("listening");
    for _ in 0..3 {
        assert_eq!(notices.next(), "WATCHDOG=1\n");
    }
    program.signal("TERM");
    let last = std::iter::repeat_with(|| notices.next()).find(|notice| notice != "WATCHDOG=1\n");
    assert_eq!(last.as_deref(), Some("STOPPING=1\n"));
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn no_sign_of_life_is_given_where_none_is_wanted() {
    let setup = setup();
    let (program, notices) = start(&setup, None);
    assert_eq!(notices.next(), "READY=1\n");
    program.signal("TERM");
    assert_eq!(notices.next(), "STOPPING=1\n");
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn a_service_manager_that_has_gone_holds_nothing_up() {
    let setup = setup();
    let (mut program, notices) = start(&setup, None);
    assert_eq!(notices.next(), "READY=1\n");
    drop(notices);
    program.logged("started");
    program.signal("TERM");
    let (code, _, log) = program.end();
    assert_eq!(code, Some(0));
    assert!(log.contains("cannot tell the service manager"), "{log}");
}

#[test]
fn a_daemon_that_works_is_healthy() {
    let setup = setup();
    let (_daemon, address) = setup.daemon(&[]);
    let url = format!("--url=http://{address}/-/healthy");
    let ended = setup.run(&["healthcheck", &url]);
    assert_eq!(ended, (Some(0), String::new(), String::new()));
}

#[test]
fn whatever_is_no_healthy_daemon_fails_with_1_and_says_what_it_is() {
    let setup = setup();
    let (_daemon, address) = setup.daemon(&[]);
    for (url, why) in [
        (format!("http://{address}/nowhere"), "answered 404 Not Found"),
        (
            format!("http://127.0.0.1:{}/-/healthy", free_port()),
            "cannot connect: ",
        ),
    ] {
        let (code, output, log) = setup.run(&["healthcheck", "--url", &url]);
        assert_eq!((code, output.as_str()), (Some(1), ""));
        assert!(log.starts_with(&format!("{url}: {why}")), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}
