//! The program as a person and an init system run it: exit codes, messages, signals.

use aliyun_pca_exporter::simulator::{ApiError, CaCertificate, Fault, Oddity};

use crate::support::cloud::{Cloud, Setup, beside};
use crate::support::{Program, USER, address_in, get, poll_until, yaml};

#[test]
fn help_names_every_flag_and_the_exit_codes() {
    let (code, help, _) = Setup::new("").run(&["--help"]);
    assert_eq!(code, Some(0));
    for text in [
        "--config.file",
        "--web.listen-address",
        "--web.telemetry-path",
        "--web.config.file",
        "--log.level",
        "--log.format",
        "check",
        "once",
        "healthcheck",
        "Exit codes",
    ] {
        assert!(help.contains(text), "{text} is not in\n{help}");
    }
}

#[test]
fn the_version_names_the_compiler() {
    let (code, version, _) = Setup::new("").run(&["--version"]);
    assert_eq!(code, Some(0));
    assert!(
        version.starts_with(concat!("aliyun-pca-exporter ", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    assert!(version.contains("rustc 1."), "{version}");
}

#[test]
fn a_missing_configuration_is_named_and_ends_with_2() {
    for arguments in [
        &["--config.file", "none.yaml"][..],
        &["check", "--config.file=none.yaml"],
    ] {
        let (code, output, log) = Setup::new("").run(arguments);
        assert_eq!((code, output.as_str()), (Some(2), ""));
        assert!(log.starts_with("none.yaml: cannot be read"), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}

#[test]
fn every_error_of_a_bad_configuration_is_printed_with_its_line() {
    let yaml = yaml(
        "cas.aliyuncs.com",
        5,
        "intervall: 5m, timeout: 2h",
        ["cas-member-a"],
    );
    for arguments in [&[][..], &["check"], &["once"]] {
        let (code, _, log) = Setup::new(&yaml).run(arguments);
        assert_eq!(code, Some(2));
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log}");
        assert!(
            lines.iter().all(|line| line.starts_with("config.yaml:1: poll")),
            "{log}"
        );
        assert!(log.contains("did you mean `interval`?"), "{log}");
    }
}

#[test]
fn a_region_without_a_known_endpoint_ends_with_2_and_says_what_to_do() {
    let yaml = yaml("cas.aliyuncs.com", 5, "", ["cas-member-a"])
        .replace("endpoint: cas.aliyuncs.com", "region: us-west-1");
    for arguments in [&[][..], &["check"], &["once"]] {
        let (code, _, log) = Setup::new(&yaml).run(arguments);
        assert_eq!(code, Some(2), "{log}");
        assert!(
            log.starts_with("config.yaml:4: accounts[0].region: ") && log.contains("`endpoint`"),
            "{log}"
        );
    }
}

#[test]
fn every_error_of_a_bad_web_configuration_is_printed_with_its_line() {
    let setup = Setup::new(&yaml("cas.aliyuncs.com", 5, "", ["cas-member-a"]));
    let web = "tls_server_config:\n  cert_file: none.pem\n  key_file: none.key\nrate_limits: {}\n";
    std::fs::write(setup.path("web.yaml"), web).unwrap();
    let arguments = ["--web.config.file=web.yaml", "--web.listen-address=127.0.0.1:0"];
    let (code, _, log) = setup.run(&arguments);
    assert_eq!(code, Some(2), "{log}");
    let expected = [
        "web.yaml:2: tls_server_config.cert_file: none.pem cannot be read: ",
        "web.yaml:3: tls_server_config.key_file: none.key cannot be read: ",
        "web.yaml:4: unknown key `rate_limits`; did you mean `rate_limit`?",
    ];
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (line, start) in lines.iter().zip(expected) {
        assert!(line.starts_with(start), "{log}");
    }
}

#[test]
fn a_missing_web_configuration_is_named_and_ends_with_2() {
    let setup = Setup::new(&yaml("cas.aliyuncs.com", 5, "", ["cas-member-a"]));
    let (code, _, log) = setup.run(&["--web.config.file=none.yaml"]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.starts_with("none.yaml: cannot be read: "), "{log}");
}

#[tokio::test]
async fn users_of_the_web_configuration_are_asked_for_their_passwords() {
    let setup = Setup::new(&yaml("http://127.0.0.1:1", 5, "", ["cas-member-a"]));
    // The password is "CorrectHorse", hashed by crypt(3) of libxcrypt.
    let web = "basic_auth_users:\n  alice: $2y$04$abcdefghijklmnopqrstuunsvw4Mcwbxx01shGbpAh9ZzmXQBZ9ny\n";
    std::fs::write(setup.path("web.yaml"), web).unwrap();
    let arguments = ["--web.config.file=web.yaml", "--web.listen-address=127.0.0.1:0"];
    let mut program = Program::start(&mut setup.command(&arguments));
    let address = address_in(&program.logged("listening"));
    let (refused, _) = get(&format!("http://{address}/metrics")).await.unwrap();
    let (answered, text) = get(&format!("http://alice:CorrectHorse@{address}/metrics"))
        .await
        .unwrap();
    assert_eq!((refused, answered), (401, 200), "{text}");
}

#[test]
fn an_unknown_flag_ends_with_2() {
    assert_eq!(Setup::new("").run(&["--web.listen-adress=:1"]).0, Some(2));
}

#[test]
fn a_port_in_use_is_named_and_ends_with_2_and_the_kept_state_is_not_touched() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let setup = Setup::new(&yaml("cas.aliyuncs.com", 5, "", ["cas-member-a"]));
    // Of another daemon, which may be of a version that reads it.
    std::fs::write(setup.path("state"), "another version\n").unwrap();
    let flags = [&format!("--web.listen-address={address}"), "--state.file=state"];
    let (code, _, log) = setup.run(&flags);
    assert_eq!(code, Some(2));
    assert!(
        log.contains(&address.to_string()) && log.contains("in use"),
        "{log}"
    );
    assert_eq!(
        std::fs::read_to_string(setup.path("state")).unwrap(),
        "another version\n"
    );
}

#[test]
fn an_address_of_no_interface_ends_with_2_and_is_told_once() {
    let setup = Setup::new(&yaml("cas.aliyuncs.com", 5, "", ["cas-member-a"]));
    // TEST-NET-1 (RFC 5737) belongs to nobody.
    let (code, _, log) = setup.run(&["--web.listen-address=192.0.2.1:0"]);
    assert_eq!(code, Some(2));
    assert_eq!(log.matches("os error").count(), 1, "{log}");
}

#[test]
fn check_says_what_would_be_polled_and_whether_it_fits() {
    let fits = Setup::new(&yaml("cas.aliyuncs.com", 5, "", ["cas-member-a"])).run(&["check"]);
    assert_eq!((fits.0, fits.2.as_str()), (Some(0), ""));
    assert!(
        fits.1.contains("prod") && fits.1.contains("1 instance"),
        "{}",
        fits.1
    );
    let ids: Vec<_> = (0..20).map(|number| format!("cas-member-{number}")).collect();
    let ids = ids.iter().map(String::as_str);
    let over = Setup::new(&yaml("cas.aliyuncs.com", 1, "interval: 5s, timeout: 5s", ids)).run(&["check"]);
    assert_eq!(over.0, Some(0), "an overfull configuration is allowed");
    // 20 calls through one slot of 1.1 s take 22 s.
    assert!(over.1.contains("22s"), "{}", over.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn once_prints_what_a_textfile_may_hold_and_ends_with_0() {
    let cloud = Cloud::start(&["cas-member-a", "cas-member-b"]).await;
    let setup = cloud.setup(&["cas-member-a", "cas-member-b"]);
    let (code, output, _) = beside(move || setup.run(&["once"])).await;
    assert_eq!(code, Some(0), "{output}");
    crate::exposition::read(&output).unwrap();
    assert!(
        output.contains("aliyun_pca_instance_up{account=\"prod\",instance_id=\"cas-member-b\"} 1\n"),
        "{output}"
    );
    for left_out in ["process_", "_expiry_days"] {
        assert!(!output.contains(left_out), "{left_out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_writes_the_file_and_ends_with_1_where_an_instance_failed() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    let setup = cloud.setup(&["cas-member-a", "cas-member-gone"]);
    let (setup, (code, output, log)) = beside(move || {
        let ended = setup.run(&["once", "--output=pca.prom"]);
        (setup, ended)
    })
    .await;
    assert_eq!((code, output.as_str()), (Some(1), ""), "{log}");
    let written = std::fs::read_to_string(setup.path("pca.prom")).unwrap();
    crate::exposition::read(&written).unwrap();
    assert!(
        written.contains("instance_id=\"cas-member-gone\",reason=\"not_found\"} 1\n"),
        "{written}"
    );
    assert!(
        log.contains("cas-member-gone") && log.contains("not_found"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn both_signals_drain_and_end_with_0_even_while_the_api_hangs() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    cloud.world.set_fault(Fault::new(Oddity::NoAnswer));
    for signal in ["TERM", "INT"] {
        let (setup, world) = (cloud.setup(&["cas-member-a"]), cloud.world.clone());
        let before = world.arrivals_for("cas-member-a").len();
        let (program, address) = beside(move || setup.daemon(&[])).await;
        // Only once a call hangs is there something to drain.
        let metrics = format!("http://{address}/metrics");
        poll_until(&metrics, |_, _| {
            (world.arrivals_for("cas-member-a").len() > before).then_some(())
        })
        .await;
        assert_eq!(get(&format!("http://{address}/-/healthy")).await.unwrap().0, 200);
        let (code, log) = beside(move || {
            program.signal(signal);
            let (code, _, log) = program.end();
            (code, log)
        })
        .await;
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains(&format!("SIG{signal}")), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_after_the_first_outcome_whatever_that_is() {
    let cloud = Cloud::start(&[]).await;
    cloud.world.set_fault(Fault::new(Oddity::BadGatewayHtml));
    let setup = cloud.setup(&["cas-member-a"]);
    let (_program, address) = beside(move || setup.daemon(&[])).await;
    // The budget of a new process begins after two seconds, so nothing has been tried yet.
    assert_eq!(get(&format!("http://{address}/-/ready")).await.unwrap().0, 503);
    assert_eq!(get(&format!("http://{address}/-/healthy")).await.unwrap().0, 200);
    poll_until(&format!("http://{address}/-/ready"), |status, _| {
        (status == 200).then_some(())
    })
    .await;
    let (_, metrics) = get(&format!("http://{address}/metrics")).await.unwrap();
    assert!(
        metrics.contains("aliyun_pca_instance_up{account=\"prod\",instance_id=\"cas-member-a\"} 0\n"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_logged_once_with_reason_and_advice_and_so_is_the_recovery() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    let setup = cloud.setup(&["cas-member-a"]);
    let (program, address) = beside(move || setup.daemon(&[])).await;
    let metrics = format!("http://{address}/metrics");
    let up = |value: u8| {
        format!("aliyun_pca_instance_up{{account=\"prod\",instance_id=\"cas-member-a\"}} {value}\n")
    };
    poll_until(&metrics, |_, text| text.contains(&up(1)).then_some(())).await;
    let before = cloud.world.arrivals_for("cas-member-a").len();
    let fault = cloud.world.set_fault(Fault::new(Oddity::BadGatewayHtml));
    // Several failures of the same kind…
    poll_until(&metrics, |_, _| {
        (cloud.world.arrivals_for("cas-member-a").len() > before + 4).then_some(())
    })
    .await;
    poll_until(&metrics, |_, text| text.contains(&up(0)).then_some(())).await;
    cloud.world.remove_fault(fault);
    poll_until(&metrics, |_, text| text.contains(&up(1)).then_some(())).await;
    let log = beside(move || {
        program.signal("TERM");
        let (_, _, log) = program.end();
        log
    })
    .await;
    // …are one line, and their end is another.
    let failed: Vec<_> = log.lines().filter(|line| line.contains("poll failed")).collect();
    assert_eq!(failed.len(), 1, "{log}");
    assert!(
        failed[0].contains("reason=server") && failed[0].contains("502"),
        "{log}"
    );
    assert_eq!(log.matches("poll succeeds again").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_through_the_proxy_that_the_environment_names() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    // The pretended cloud answers in the proxy's place: the endpoint itself does not exist.
    let proxy = cloud.endpoint.clone();
    let setup = Setup::new(&yaml("http://cas.invalid", 10, "", ["cas-member-a"]));
    let (code, output, log) =
        beside(move || Program::start(setup.command(&["once"]).env("HTTP_PROXY", proxy)).end()).await;
    assert_eq!(code, Some(0), "{log}");
    assert!(output.contains("instance_id=\"cas-member-a\"} 1\n"), "{output}");
    assert_eq!(cloud.world.arrivals_for("cas-member-a").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    cloud.world.set_fault(Fault::new(Oddity::NoAnswer));
    // A call that nobody answers keeps the first signal's drain busy for as long as it may.
    let setup = Setup::new(&yaml(
        &cloud.endpoint,
        10,
        "interval: 1m, timeout: 1m",
        ["cas-member-a"],
    ));
    let (mut program, address) = beside(move || setup.daemon(&[])).await;
    let metrics = format!("http://{address}/metrics");
    poll_until(&metrics, |_, _| {
        (!cloud.world.arrivals_for("cas-member-a").is_empty()).then_some(())
    })
    .await;
    let (code, log) = beside(move || {
        program.signal("TERM");
        program.logged("stopping");
        program.signal("INT");
        let (code, _, log) = program.end();
        (code, log)
    })
    .await;
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("stopping at once") && !log.contains("message=stopped"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn once_ends_though_an_instance_never_answers() {
    let cloud = Cloud::start(&["cas-member-a", "cas-member-b"]).await;
    cloud
        .world
        .set_fault(Fault::new(Oddity::ClosedBeforeAnswer).on_instance("cas-member-a"));
    let setup = Setup::new(&yaml(
        &cloud.endpoint,
        10,
        "interval: 1s, timeout: 1s",
        ["cas-member-a", "cas-member-b"],
    ));
    let (code, output, log) = beside(move || setup.run(&["once"])).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(
        output.contains("instance_id=\"cas-member-a\",reason=\"connect\"} 1\n"),
        "{output}"
    );
    assert_eq!(
        cloud.world.arrivals_for("cas-member-a").len(),
        4,
        "one poll and three retries"
    );
    assert_eq!(cloud.world.arrivals_for("cas-member-b").len(), 1, "once is once");
}

#[tokio::test(flavor = "multi_thread")]
async fn once_that_cannot_write_says_so_before_it_calls_anybody() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    let setup = cloud.setup(&["cas-member-a"]);
    let (code, _, log) = beside(move || setup.run(&["once", "--output=nowhere/pca.prom"])).await;
    assert_eq!(code, Some(2), "{log}");
    assert!(log.starts_with("cannot write nowhere/pca.prom: "), "{log}");
    assert!(cloud.world.arrivals_for("cas-member-a").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn once_that_is_interrupted_writes_nothing_and_ends_with_1() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    cloud.world.set_fault(Fault::new(Oddity::NoAnswer));
    let setup = Setup::new(&yaml(
        &cloud.endpoint,
        10,
        "interval: 1m, timeout: 1m",
        ["cas-member-a"],
    ));
    let program = Program::start(&mut setup.command(&["once"]));
    let arrived = async {
        while cloud.world.arrivals_for("cas-member-a").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), arrived)
        .await
        .unwrap();
    program.signal("TERM");
    let (code, output, log) = beside(move || program.end()).await;
    assert_eq!((code, output.as_str()), (Some(1), ""), "{log}");
    assert!(log.contains("interrupted"), "{log}");
}

#[test]
fn check_tells_what_is_wrong_in_the_web_configuration_beside_what_is_wrong_in_the_other() {
    let good = yaml("cas.aliyuncs.com", 5, "", ["cas-member-a"]);
    let bad = yaml("cas.aliyuncs.com", 5, "intervall: 5m", ["cas-member-a"]);
    let [web, broken] = [
        "rate_limit: { interval: 1s, burst: 5 }\n",
        "tls_server_config: { cert_file: none.pem, key_file: none.key }\n",
    ];
    let check = |config: &str, web: &str, arguments: &[&str]| {
        let setup = Setup::new(config);
        std::fs::write(setup.path("web.yaml"), web).unwrap();
        setup.run(arguments)
    };
    for arguments in [
        ["check", "--web.config.file=web.yaml"],
        ["--web.config.file=web.yaml", "check"],
    ] {
        let (code, output, log) = check(&good, web, &arguments);
        assert_eq!((code, log.as_str()), (Some(0), ""));
        assert!(output.starts_with("1 instance in 1 account"), "{output}");
        assert!(
            output.ends_with("\nweb.yaml: plain HTTP, open to everybody\n"),
            "{output}"
        );
        let (code, output, log) = check(&bad, broken, &arguments);
        assert_eq!((code, output.as_str()), (Some(2), ""));
        let starts = [
            "config.yaml:1: poll",
            "web.yaml:1: tls_server_config.cert_file: none.pem cannot be read: ",
            "web.yaml:1: tls_server_config.key_file: none.key cannot be read: ",
        ];
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), starts.len(), "{log}");
        for (line, start) in lines.iter().zip(starts) {
            assert!(line.starts_with(start), "{log}");
        }
    }
}

/// Runs `check --live`; returns the exit code and all that is said.
async fn check_live(yaml: String) -> (Option<i32>, String) {
    let (code, output, log) = beside(move || Setup::new(&yaml).run(&["check", "--live"])).await;
    (code, output + &log)
}

#[track_caller]
fn says(output: &str, texts: &[&str]) {
    for text in texts {
        assert!(output.contains(text), "{text} is not in\n{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_live_says_which_key_was_used_and_that_all_is_fine() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    let (code, output) = check_live(cloud.configuration(&["cas-member-a"])).await;
    assert_eq!(code, Some(0), "{output}");
    says(
        &output,
        &[
            "fits",
            "account prod",
            "from access_key",
            "cas-member-a: USED",
            "clock  agrees",
            "fine",
        ],
    );
    assert!(!output.contains("testsecret"), "{output}");
    assert_eq!(
        cloud.world.arrivals_for("cas-member-a").len(),
        1,
        "one call and no more"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_live_asks_for_one_page_of_the_list_and_looks_up_the_first_certificate() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    for number in 0..1001 {
        let certificate = CaCertificate::new(&format!("certificate-{number}"), "cas-member-a");
        cloud.world.put_ca_certificate(certificate);
    }
    cloud.world.put_certificate("160ae6bb", "cas-member-a");
    let yaml = yaml(&cloud.endpoint, 10, "", []).replace(
        "instances:",
        "discovery: {}\n  certificates: [{ identifier: 160ae6bb }, { identifier: unknown }]",
    );
    let (code, output) = check_live(yaml).await;
    assert_eq!(code, Some(0), "{output}");
    says(
        &output,
        &[
            "\n  list   ListPcaCaCertificate: 1000 CA certificates, and more on further pages\n",
            "\n  lookup GetCAInstanceStatus of certificate 160ae6bb: cas-member-a\n",
            "\n  clock  agrees with the API's\n  fine\n",
        ],
    );
    assert_eq!(cloud.world.arrivals_of("ListPcaCaCertificate").len(), 1);
    assert_eq!(cloud.world.arrivals_of("GetCAInstanceStatus").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_live_names_the_permission_that_the_list_lacks_beside_the_call_that_succeeds() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    cloud.world.deny(USER, "ListPcaCaCertificate");
    let yaml = yaml(&cloud.endpoint, 10, "", ["cas-member-a"]) + "  discovery: {}\n";
    let (code, output) = check_live(yaml).await;
    assert_eq!(code, Some(1), "{output}");
    says(
        &output,
        &[
            "  call   GetCAInstanceStatus of cas-member-a: USED\n",
            "  list   ListPcaCaCertificate failed (forbidden): ",
            "grant the RAM action yundun-cert:ListPcaCaCertificate",
            "  FAILED\n",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_live_says_of_a_certificate_that_nobody_knows_that_it_was_not_found() {
    let cloud = Cloud::start(&["cas-member-a"]).await;
    let yaml =
        yaml(&cloud.endpoint, 10, "", []).replace("instances:", "certificates: [{ identifier: unknown }]");
    let (code, output) = check_live(yaml).await;
    assert_eq!(code, Some(1), "{output}");
    let failed = "  lookup GetCAInstanceStatus of certificate unknown failed (not_found): ";
    assert!(output.contains(failed), "{output}");
    assert!(!output.contains("  list "), "{output}");
}

/// What a case does to a configuration.
type Change = fn(String) -> String;

#[tokio::test(flavor = "multi_thread")]
async fn check_live_says_in_words_what_is_wrong_and_ends_with_1() {
    let permission = ApiError::new("NoPermission", 403, "");
    let secret = |yaml: String| yaml.replace("testsecret", "another");
    let unset = |yaml: String| {
        yaml.replace(
            "access_key_secret: testsecret",
            "access_key_secret_env: UNSET_HERE",
        )
    };
    let same = |yaml: String| yaml;
    let cases: [(Option<ApiError>, i64, Change, &[&str]); 4] = [
        (
            Some(permission),
            0,
            same,
            &[
                "forbidden",
                "grant the RAM action yundun-cert:GetCAInstanceStatus",
            ],
        ),
        (None, 0, secret, &["authentication", "SignatureDoesNotMatch"]),
        (
            None,
            3_600_000,
            same,
            &[
                "clock",
                "InvalidTimeStamp.Expired",
                "s behind the API's, which refuses more than 15 minutes",
            ],
        ),
        (
            None,
            0,
            unset,
            &[
                "key    none",
                "access_key_secret_env names is not set",
                "not made for want of a key",
            ],
        ),
    ];
    for (error, cloud_ahead, change, texts) in cases {
        let cloud = Cloud::start(&["cas-member-a"]).await;
        cloud.world.set_clock_offset(cloud_ahead);
        error.map(|error| cloud.world.set_fault(Fault::new(error)));
        let yaml = yaml(&cloud.endpoint, 10, "", ["cas-member-a"]);
        let (code, output) = check_live(change(yaml)).await;
        assert_eq!(code, Some(1), "{output}");
        says(&output, texts);
        says(&output, &["FAILED"]);
    }
}
