//! The server and the program `pca-simulator`: the real format, real faults, and the control.

use super::*;

/// A world behind a socket, and a client of it. Stops when dropped.
struct Served {
    world: World,
    address: String,
    client: HttpClient,
    stop: CancellationToken,
    server: TaskTracker,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn served() -> Served {
    let world = world();
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), world.clone())
        .await
        .unwrap();
    let address = server.address().to_string();
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    tracker.spawn(server.serve(stop.clone()));
    tracker.close();
    Served {
        world,
        address,
        client: HttpClient::direct(Duration::from_secs(30)).unwrap(),
        stop,
        server: tracker,
    }
}

impl Served {
    fn signed(&self, scheme: Scheme) -> HttpRequest {
        Calling {
            scheme,
            endpoint: format!("http://{}", self.address),
            ..calling()
        }
        .signed()
    }

    async fn odd(&self, oddity: Oddity) -> Result<HttpResponse, TransportError> {
        self.world.clear_faults();
        self.world.set_fault(Fault::new(oddity));
        self.client.send(self.signed(Scheme::default())).await
    }
}

/// Sends a command and returns the status with the answer.
async fn tell(client: &HttpClient, url: &str, method: Method, command: &str) -> (u16, Value) {
    let request = HttpRequest {
        method,
        url: url.to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::from(command.to_owned()),
    };
    let answer = client.send(request).await.unwrap();
    let body = answer.body.await.unwrap();
    (answer.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn both_schemes_are_answered_in_the_real_format() {
    let served = served().await;
    for scheme in SCHEMES {
        let answer = served.client.send(served.signed(scheme)).await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(
            answer.headers[DATE]
                .to_str()
                .unwrap()
                .starts_with("Tue, 16 Dec 2025 00:0")
        );
        assert_eq!(answer.headers.get_all(DATE).iter().count(), 1);
        let body: Value = serde_json::from_slice(&answer.body.await.unwrap()).unwrap();
        let example: Value = serde_json::from_str(EXAMPLE).unwrap();
        assert_eq!(body["InstanceStatusList"], example["InstanceStatusList"]);
    }
}

#[tokio::test]
async fn the_list_of_certificates_is_answered_over_http_since_a_socket_has_nothing_else() {
    let served = served().await;
    let listing = || {
        let request = Calling {
            action: "ListPcaCaCertificate",
            parameters: Vec::new(),
            endpoint: format!("http://{}", served.address),
            ..calling()
        };
        served.client.send(request.signed())
    };
    assert_eq!(listing().await.unwrap().status, 200);
    served.world.allow_http(false);
    assert_eq!(listing().await.unwrap().status, 400);
    assert_eq!(served.world.refused("InvalidProtocol.NeedSsl"), 1);
}

#[tokio::test]
async fn every_odd_answer_that_is_whole_arrives_as_in_process() {
    let served = served().await;
    served.world.set_limit("alice", 1000);
    for oddity in Oddity::ALL {
        let transport = matches!(oddity.expected(), Some(Reason::Connect | Reason::Timeout));
        if transport || *oddity == Oddity::Huge {
            continue;
        }
        let real = served.odd(*oddity).await.unwrap();
        assert!(real.headers.contains_key(DATE), "{oddity:?}");
        let world = world();
        world.set_fault(Fault::new(*oddity));
        let virtual_one = Wire::new(world).send(calling().signed()).await.unwrap();
        assert_eq!(real.status, virtual_one.status, "{oddity:?}");
        let without_id = |body: Bytes| {
            let text = String::from_utf8_lossy(&body).into_owned();
            let mut parts = text.split("RequestId\":\"");
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |text, part| text + &part[36.min(part.len())..])
        };
        let bodies = (real.body.await.unwrap(), virtual_one.body.await.unwrap());
        assert_eq!(without_id(bodies.0), without_id(bodies.1), "{oddity:?}");
    }
}

#[tokio::test]
async fn faults_of_the_connection_are_real() {
    let served = served().await;
    let closed = served.odd(Oddity::ClosedBeforeAnswer).await;
    assert!(matches!(closed, Err(TransportError::Closed(_))));
    let cut = served.odd(Oddity::ClosedInBody).await.unwrap();
    assert_eq!(cut.status, 200);
    assert!(matches!(cut.body.await, Err(TransportError::Closed(_))));
    let huge = served.odd(Oddity::Huge).await.unwrap();
    assert!(matches!(huge.body.await, Err(TransportError::TooLarge { .. })));
    let patience = Duration::from_millis(200);
    let never = tokio::time::timeout(patience, served.odd(Oddity::NoAnswer)).await;
    assert!(never.is_err());
    let stalled = served.odd(Oddity::StalledBody).await.unwrap();
    assert_eq!(stalled.status, 200);
    assert!(tokio::time::timeout(patience, stalled.body).await.is_err());
}

#[tokio::test]
async fn a_call_whose_caller_is_gone_still_arrives() {
    let served = served().await;
    served.world.set_network(Network {
        there: "300ms".parse().unwrap(),
        ..Network::default()
    });
    // None waits for its arrival, so whichever arrives had been given up. (Several, for a slow machine.)
    while served.world.arrivals("alice", ACTION).is_empty() {
        let sent = served.client.send(served.signed(Scheme::default()));
        assert!(
            tokio::time::timeout(Duration::from_millis(100), sent)
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn while_the_network_is_down_no_connection_holds() {
    let served = served().await;
    let asked = async || served.client.send(served.signed(Scheme::default())).await;
    assert!(asked().await.is_ok());
    served.world.set_network(Network {
        down: true,
        ..Network::default()
    });
    assert!(matches!(asked().await, Err(TransportError::Closed(_))));
    served.world.set_network(Network::default());
    assert!(asked().await.is_ok());
    assert_eq!(served.world.arrivals("alice", ACTION).len(), 2);
}

#[tokio::test]
async fn a_dropped_call_arrives_and_its_connection_is_closed() {
    let served = served().await;
    served.world.set_network(Network {
        drop_percent: 100,
        ..Network::default()
    });
    let sent = served.client.send(served.signed(Scheme::default())).await;
    assert!(matches!(sent, Err(TransportError::Closed(_))));
    assert_eq!(served.world.arrivals("alice", ACTION).len(), 1);
}

#[tokio::test]
async fn it_stops_when_told_to_even_while_a_call_hangs() {
    let served = served().await;
    served.world.set_fault(Fault::new(Oddity::NoAnswer));
    let hanging = served.client.send(served.signed(Scheme::default()));
    let stopping = async {
        until(|| !served.world.arrivals("alice", ACTION).is_empty()).await;
        served.stop.cancel();
        served.server.wait().await;
    };
    let (hung, ()) = tokio::join!(hanging, stopping);
    assert!(matches!(hung, Err(TransportError::Closed(_))));
}

#[tokio::test]
async fn the_control_shows_what_was_told_and_no_secret() {
    let served = served().await;
    let url = format!("http://{}/simulator/", served.address);
    let told = async |command: &str| tell(&served.client, &url, Method::POST, command).await;
    let fault = r#"{"set_fault": {"what": {"odd": "empty_body"}, "times": {"every": 3}}}"#;
    assert_eq!(told(fault).await, (200, json!({ "id": 1 })));
    let put_key = r#"{"put_key": {"access_key_id": "new", "access_key_secret": "canary", "security_token": "canary", "user": "carol"}}"#;
    assert_eq!(told(put_key).await.0, 200);
    let put_token =
        r#"{"put_oidc_token": {"provider_arn": "acs:ram::1:oidc-provider/x", "token": "canary"}}"#;
    assert_eq!(told(put_token).await.0, 200);
    let put_role = r#"{"put_role": {"arn": "acs:ram::1:role/x", "user": "carol", "trusted": ["alice"]}}"#;
    assert_eq!(told(put_role).await.0, 200);
    assert_eq!(told(r#"{"set_network": {"there": "10ms..20ms"}}"#).await.0, 200);
    let put_ca_certificate =
        r#"{"put_ca_certificate": {"CertIdentifier": "0123", "PrivateCaInstanceId": "cas-member-x"}}"#;
    assert_eq!(told(put_ca_certificate).await.0, 200);
    let deny = r#"{"deny": {"user": "alice", "action": "ListPcaCaCertificate"}}"#;
    assert_eq!(told(deny).await.0, 200);
    assert_eq!(told(r#"{"remove_instance": "cas-member-0hmi****"}"#).await.0, 200);
    let (status, seen) = tell(&served.client, &url, Method::GET, "").await;
    assert_eq!(status, 200);
    assert_eq!(
        seen["faults"],
        json!([{ "id": 1, "calls": 0, "scope": "all", "times": { "every": 3 }, "what": { "odd": "empty_body" } }])
    );
    assert_eq!(
        seen["network"],
        json!({ "there": "10ms..20ms", "back": "0ms..0ms", "down": false, "drop_percent": 0 })
    );
    assert_eq!(seen["users"]["new"], "carol");
    assert_eq!(
        seen["roles"],
        json!([{ "arn": "acs:ram::1:role/x", "user": "carol", "trusted": ["alice"], "longest_seconds": 3600 }])
    );
    assert_eq!(seen["instances"], json!([]));
    assert_eq!(
        seen["ca_certificates"],
        json!([{ "CertIdentifier": "0123", "PrivateCaInstanceId": "cas-member-x" }])
    );
    assert_eq!(seen["denied"], json!({ "alice": ["ListPcaCaCertificate"] }));
    assert_eq!(seen["http_allowed"], true);
    assert!(!seen.to_string().contains("canary"), "{seen}");
}

#[tokio::test]
async fn a_bad_command_is_refused_with_what_is_wrong() {
    let served = served().await;
    let url = format!("http://{}/simulator/", served.address);
    for (command, status, problem) in [
        ("", 400, "EOF"),
        ("set_fault", 400, "expected"),
        (
            r#"{"set_falt": {}}"#,
            400,
            "unknown variant `set_falt`, expected one of `set_fault`",
        ),
        (
            r#"{"set_fault": {"what": {"odd": "strange"}}}"#,
            400,
            "unknown variant `strange`",
        ),
        (
            r#"{"set_fault": {"what": {"odd": "huge"}, "scop": "all"}}"#,
            400,
            "unknown field `scop`",
        ),
        (
            r#"{"set_fault": {"what": {"odd": "huge"}, "times": {"every": 0}}}"#,
            400,
            "nonzero",
        ),
        (
            r#"{"set_fault": {"what": {"error": {"code": "x", "status": 99}}}}"#,
            400,
            "99 is no status of an answer",
        ),
        (
            r#"{"put_instance": {"InstanceId": "x", "Stats": "USED"}}"#,
            400,
            "unknown field `Stats`",
        ),
        (r#"{"set_network": {"there": "soon"}}"#, 400, "0ms..200ms"),
        (
            r#"{"put_key": {"access_key_id": "x", "access_key_secret": 4242, "user": "x"}}"#,
            400,
            "quotes",
        ),
        (r#"{"remove_instance": "cas-member-nowhere"}"#, 404, "no instance"),
        (r#"{"remove_fault": 7}"#, 404, "no fault"),
        (r#"{"remove_ca_certificate": "0123"}"#, 404, "no CA certificate"),
        (
            r#"{"put_ca_certificate": {"CertIdentifier": "0123"}}"#,
            400,
            "missing field `PrivateCaInstanceId`",
        ),
    ] {
        let (found, answer) = tell(&served.client, &url, Method::POST, command).await;
        assert_eq!(found, status, "{command}: {answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(problem), "{command}: {error}");
        assert!(!error.contains("4242"), "{error}");
    }
    assert_eq!(tell(&served.client, &url, Method::PUT, "").await.0, 405);
    assert_eq!(
        tell(&served.client, &format!("{url}more"), Method::GET, "")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn the_program_takes_every_command_that_it_prints_and_ends_well_on_sigterm() {
    let mut simulator = Simulator::start();
    let client = HttpClient::direct(Duration::from_secs(30)).unwrap();
    let url = format!("{}/simulator/", simulator.url);
    let (_, seen) = tell(&client, &url, Method::GET, "").await;
    assert_eq!(seen["instances"].as_array().unwrap().len(), 12);
    assert_eq!(simulator.commands.len(), 29);
    for command in &simulator.commands {
        let (status, answer) = tell(&client, &url, Method::POST, command).await;
        assert_eq!(status, 200, "{command}: {answer}");
    }
    let pid = simulator.process.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(simulator.process.wait().unwrap().success());
}
