//! STS: who gets a session of which role, what the session is good for, and with which words others are refused.

use super::*;

const ROLE: &str = "acs:ram::1234567890123456:role/pca-reader";
const ASSUME_ROLE: &str = "AssumeRole";

/// A world in which alice may take on a role whose calls count as `reader`'s.
fn world_with_role() -> World {
    let world = world();
    world.put_role(Role::new(ROLE, "reader").trusting("alice"));
    world
}

fn assuming(more: &[(&'static str, &'static str)]) -> Calling<'static> {
    let mut parameters = vec![("RoleArn", ROLE), ("RoleSessionName", "tester")];
    for (name, value) in more {
        parameters.retain(|(known, _)| known != name);
        parameters.push((name, value));
    }
    Calling {
        scheme: Scheme::HmacSha1,
        version: "2015-04-01",
        action: ASSUME_ROLE,
        parameters,
        endpoint: "sts.aliyuncs.com".to_owned(),
        ..calling()
    }
}

/// The credentials in an answer, and when they end.
fn handed_out(answer: &Value) -> (Credentials, String) {
    let text = |field: &str| {
        answer[field]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    };
    let credentials = Credentials {
        security_token: Some(text("SecurityToken").into()),
        ..Credentials::lasting(text("AccessKeyId"), text("AccessKeySecret").into(), None, "test")
    };
    (credentials, text("Expiration"))
}

fn session(world: &World, request: Calling) -> (Credentials, String) {
    let response = whole(world.receive(&request.signed()));
    assert_eq!(response.status(), 200, "{}", text(&response));
    handed_out(&body(&response)["Credentials"])
}

#[test]
fn a_session_is_told_in_the_vendors_shape() {
    let world = world_with_role();
    let answer = body(&whole(world.receive(&assuming(&[]).signed())));
    assert_eq!(answer["AssumedRoleUser"]["Arn"], format!("{ROLE}/tester"));
    assert!(answer["RequestId"].is_string());
    let (credentials, end) = handed_out(&answer["Credentials"]);
    assert!(credentials.access_key_id.starts_with("STS."), "{answer}");
    assert!(
        end.starts_with("2025-12-16T01:00:0") && end.ends_with('Z'),
        "{end}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_is_good_for_its_user_until_its_end_by_the_clouds_clock() {
    let world = world_with_role();
    let (credentials, _) = session(&world, assuming(&[("DurationSeconds", "900")]));
    let asked = |world: &World| {
        let request = Calling {
            credentials: credentials.clone(),
            time: world.now(),
            ..calling()
        };
        outcome(world, &request.signed())
    };
    let end = world.session_end(&credentials.access_key_id);
    assert_eq!(end, Some(UnixMillis(START.0 + 900_000)));
    assert_eq!(asked(&world), accepted());
    let arrival = &world.arrivals("reader", ACTION)[0];
    assert_eq!(
        arrival.access_key_id.as_deref(),
        Some(&*credentials.access_key_id)
    );
    tokio::time::advance(Duration::from_millis(899_999)).await;
    assert_eq!(asked(&world), accepted());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(asked(&world), refused(400, "InvalidSecurityToken.Expired"));
}

#[test]
fn a_sessions_token_must_come_with_its_key() {
    let world = world_with_role();
    let (credentials, _) = session(&world, assuming(&[]));
    let without = Credentials {
        security_token: None,
        ..credentials
    };
    let request = Calling {
        credentials: without,
        ..calling()
    };
    assert_eq!(
        outcome(&world, &request.signed()),
        refused(400, "MissingSecurityToken")
    );
}

#[test]
fn who_asks_the_same_of_two_worlds_gets_the_same_and_of_one_world_something_new() {
    let (world, other) = (world_with_role(), world_with_role());
    let first = session(&world, assuming(&[])).0;
    assert_eq!(first, session(&other, assuming(&[])).0);
    let second = session(&world, assuming(&[])).0;
    assert_ne!(first.access_key_id, second.access_key_id);
    assert_ne!(first.security_token, second.security_token);
    assert_eq!(second, session(&other, assuming(&[])).0);
}

#[test]
fn the_key_tells_everything_that_was_asked_for() {
    let differing: [&[(&str, &str)]; 6] = [
        &[],
        &[("RoleSessionName", "another")],
        &[("DurationSeconds", "900")],
        &[("Policy", r#"{"Version":"1","Statement":[]}"#)],
        &[("Policy", r#"{"Version": "1","Statement":[]}"#)],
        &[("ExternalId", "42")],
    ];
    let key = |request| session(&world_with_role(), request).0.access_key_id;
    let mut keys: BTreeSet<String> = differing.iter().map(|more| key(assuming(more))).collect();
    keys.insert(key(Calling {
        credentials: temporary(),
        ..assuming(&[])
    }));
    assert_eq!(keys.len(), 7);
}

#[test]
fn a_chain_of_roles_needs_the_trust_of_each() {
    const SECOND: &str = "acs:ram::2:role/second";
    let world = world_with_role();
    world.put_role(Role::new(SECOND, "second").trusting("reader"));
    let (credentials, _) = session(&world, assuming(&[]));
    let onward = || Calling {
        credentials: credentials.clone(),
        ..assuming(&[("RoleArn", SECOND)])
    };
    session(&world, onward());
    let direct = assuming(&[("RoleArn", SECOND)]).signed();
    assert_eq!(outcome(&world, &direct), refused(403, "NoPermission"));
}

#[test]
fn what_is_wrong_with_a_request_is_said_as_sts_says_it() {
    let world = world_with_role();
    for (name, value, status, code) in [
        ("RoleArn", "", 400, "MissingRoleArn"),
        ("RoleArn", "pca-reader", 400, "InvalidParameter.RoleArn"),
        ("RoleArn", "acs:ram::1:role/nobody", 404, "EntityNotExist.Role"),
        ("RoleSessionName", "", 400, "MissingRoleSessionName"),
        ("RoleSessionName", "a", 400, "InvalidParameter.RoleSessionName"),
        ("RoleSessionName", "a b", 400, "InvalidParameter.RoleSessionName"),
        ("DurationSeconds", "899", 400, "InvalidParameter.DurationSeconds"),
        (
            "DurationSeconds",
            "43201",
            400,
            "InvalidParameter.DurationSeconds",
        ),
        ("DurationSeconds", "1h", 400, "InvalidParameter.DurationSeconds"),
        ("DurationSeconds", "3601", 400, "InvalidParameter.DurationSeconds"),
        ("Policy", "{", 400, "InvalidParameter.PolicyGrammar"),
        ("Policy", "{}", 400, "InvalidParameter.PolicyGrammar"),
    ] {
        let request = assuming(&[(name, value)]).signed();
        assert_eq!(outcome(&world, &request), refused(status, code), "{name}={value}");
    }
    let version = Calling {
        version: "2020-06-30",
        ..assuming(&[])
    };
    assert_eq!(outcome(&world, &version.signed()), refused(400, "InvalidVersion"));
}

#[test]
fn a_role_may_allow_longer_sessions() {
    let world = world_with_role();
    let role = Role::new(ROLE, "reader")
        .trusting("alice")
        .lasting_at_most(43_200);
    world.put_role(role);
    let (_, end) = session(&world, assuming(&[("DurationSeconds", "43200")]));
    assert!(end.starts_with("2025-12-16T12:00:0"), "{end}");
}

#[test]
fn a_role_is_for_those_whom_it_trusts_and_who_know_its_external_id() {
    let world = world_with_role();
    let bob = Credentials::lasting("bobsid".to_owned(), "bobssecret".into(), None, "test");
    let bobs = Calling {
        credentials: bob,
        ..assuming(&[])
    };
    assert_eq!(outcome(&world, &bobs.signed()), refused(403, "NoPermission"));
    assert_eq!(world.refused("NoPermission"), 1);
    let role = Role::new(ROLE, "reader").trusting("alice").with_external_id("42");
    world.put_role(role);
    let with = |id| outcome(&world, &assuming(&[("ExternalId", id)]).signed());
    assert_eq!(
        outcome(&world, &assuming(&[]).signed()),
        refused(403, "NoPermission")
    );
    assert_eq!(with("43"), refused(403, "NoPermission"));
    assert_eq!(with("42"), accepted());
}

#[test]
fn the_signature_counts_as_everywhere() {
    let world = world_with_role();
    let wrong = Calling {
        credentials: Credentials {
            access_key_secret: "wrong".into(),
            ..plain()
        },
        ..assuming(&[])
    };
    assert_eq!(
        outcome(&world, &wrong.signed()),
        refused(400, "SignatureDoesNotMatch")
    );
}

#[tokio::test(start_paused = true)]
async fn sts_has_a_limit_of_its_own() {
    let world = world_with_role();
    world.set_limit("alice", 0);
    for _ in 0..DEFAULT_STS_LIMIT {
        assert_eq!(outcome(&world, &assuming(&[]).signed()), accepted());
    }
    assert_eq!(
        outcome(&world, &assuming(&[]).signed()),
        refused(400, "Throttling.User")
    );
    let other = world_with_role();
    other.set_sts_limit("alice", 0);
    assert_eq!(
        outcome(&other, &assuming(&[]).signed()),
        refused(400, "Throttling.User")
    );
    assert_eq!(outcome(&other, &calling().signed()), accepted());
}

#[test]
fn sts_can_be_down_while_the_api_works() {
    let world = world_with_role();
    world.set_fault(Fault::new(ApiError::new("ServiceUnavailable", 503, "")).on_action(ASSUME_ROLE));
    assert_eq!(
        outcome(&world, &assuming(&[]).signed()),
        refused(503, "ServiceUnavailable")
    );
    assert_eq!(outcome(&world, &calling().signed()), accepted());
    world.clear_faults();
    assert_eq!(outcome(&world, &assuming(&[]).signed()), accepted());
    assert_eq!(world.arrivals_of(ASSUME_ROLE).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_most_calls_under_way_at_once_are_counted_until_answered_or_given_up() {
    let world = world_with_role();
    let delay = "100ms".parse().unwrap();
    world.set_network(Network {
        there: delay,
        back: delay,
        ..Network::default()
    });
    let wire = Wire::new(world.clone());
    let send = async |request: Calling| wire.send(request.signed()).await.unwrap();
    send(assuming(&[])).await;
    send(assuming(&[])).await;
    assert_eq!(world.most_at_once(ASSUME_ROLE), 1);
    tokio::join!(send(assuming(&[])), send(assuming(&[])), send(calling()));
    assert_eq!(
        (world.most_at_once(ASSUME_ROLE), world.most_at_once(ACTION)),
        (2, 1)
    );
    // Those who give up make room, even if the call has yet to arrive.
    let given_up = world_with_role();
    given_up.set_network(Network {
        there: delay,
        ..Network::default()
    });
    let wire = Wire::new(given_up.clone());
    for _ in 0..3 {
        let calling_out = wire.send(assuming(&[]).signed());
        assert!(
            tokio::time::timeout(Duration::from_millis(10), calling_out)
                .await
                .is_err()
        );
    }
    assert_eq!(given_up.most_at_once(ASSUME_ROLE), 1);
}

const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack";

fn world_with_provider() -> World {
    let world = world();
    world.put_role(Role::new(ROLE, "pod").trusting(PROVIDER));
    world.put_oidc_token(PROVIDER, "good.oidc+/=token", None);
    world
}

/// An unsigned call, as the API's page has it.
struct Unsigned {
    method: Method,
    query: Vec<(&'static str, String)>,
    form: Vec<(&'static str, &'static str)>,
}

fn with_oidc(token: &'static str) -> Unsigned {
    Unsigned {
        method: Method::POST,
        query: vec![
            ("Action", "AssumeRoleWithOIDC".to_owned()),
            ("Format", "JSON".to_owned()),
            ("Version", "2015-04-01".to_owned()),
            ("Timestamp", START.to_string()),
            ("SignatureNonce", Random::system().nonce()),
        ],
        form: vec![
            ("RoleArn", ROLE),
            ("OIDCProviderArn", PROVIDER),
            ("OIDCToken", token),
            ("RoleSessionName", "pod"),
            ("DurationSeconds", "900"),
        ],
    }
}

impl Unsigned {
    fn request(&self) -> HttpRequest {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let query: Vec<_> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let form: Vec<_> = self
            .form
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        HttpRequest {
            method: self.method.clone(),
            url: format!("https://sts.aliyuncs.com/?{}", query.join("&")),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
            body: form.join("&").into(),
        }
    }
}

#[test]
fn a_good_token_takes_on_a_role_that_trusts_its_provider() {
    let world = world_with_provider();
    let response = whole(world.receive(&with_oidc("good.oidc+/=token").request()));
    let (credentials, end) = handed_out(&body(&response)["Credentials"]);
    assert!(end.starts_with("2025-12-16T00:15:0"), "{end}");
    let request = Calling {
        credentials,
        ..calling()
    };
    assert_eq!(outcome(&world, &request.signed()), accepted());
    assert_eq!(world.arrivals("pod", ACTION).len(), 1);
    assert_eq!(world.arrivals_of("AssumeRoleWithOIDC").len(), 1);
}

#[test]
fn a_bad_token_an_unknown_provider_and_a_lack_of_trust_are_refused() {
    let world = world_with_provider();
    world.put_oidc_token(PROVIDER, "old.oidc.token", Some(START));
    world.put_role(Role::new("acs:ram::1:role/other", "other").trusting("alice"));
    let invalid = refused(401, "AuthenticationFail.OIDCToken.Invalid");
    assert_eq!(outcome(&world, &with_oidc("bad").request()), invalid);
    assert_eq!(
        outcome(&world, &with_oidc("old.oidc.token").request()),
        refused(401, "AuthenticationFail.OIDCToken.Expired")
    );
    for (name, value) in [
        ("OIDCProviderArn", "acs:ram::1:oidc-provider/unknown"),
        ("RoleArn", "acs:ram::1:role/other"),
    ] {
        let mut call = with_oidc("good.oidc+/=token");
        call.form.retain(|(known, _)| *known != name);
        call.form.push((name, value));
        let expected = refused(401, "AuthenticationFail.NoPermission");
        assert_eq!(outcome(&world, &call.request()), expected, "{name}");
    }
}

#[test]
fn a_token_in_a_url_is_refused_and_so_is_get() {
    let world = world_with_provider();
    let mut in_url = with_oidc("good.oidc+/=token");
    in_url.query.push(("OIDCToken", "good.oidc+/=token".to_owned()));
    assert_eq!(
        outcome(&world, &in_url.request()),
        refused(400, "InvalidParameter.OIDCToken")
    );
    let by_get = Unsigned {
        method: Method::GET,
        ..with_oidc("good.oidc+/=token")
    };
    assert_eq!(
        outcome(&world, &by_get.request()),
        refused(400, "UnsupportedHTTPMethod")
    );
}

#[test]
fn an_unsigned_call_needs_a_time_a_fresh_nonce_and_the_version_too() {
    let world = world_with_provider();
    let good = with_oidc("good.oidc+/=token").request();
    assert_eq!(outcome(&world, &good), accepted());
    assert_eq!(outcome(&world, &good), refused(400, "SignatureNonceUsed"));
    for (name, value, code) in [
        ("Timestamp", "2025-12-16T01:00:00Z", "InvalidTimeStamp.Expired"),
        ("Timestamp", "now", "InvalidTimeStamp.Format"),
        ("Version", "2020-06-30", "InvalidVersion"),
    ] {
        let mut call = with_oidc("good.oidc+/=token");
        call.query.retain(|(known, _)| *known != name);
        assert_eq!(
            outcome(&world, &call.request()),
            refused(400, "MissingParameter"),
            "{name}"
        );
        call.query.push((name, value.to_owned()));
        assert_eq!(
            outcome(&world, &call.request()),
            refused(400, code),
            "{name}={value}"
        );
    }
}
