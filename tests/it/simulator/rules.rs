//! Keys, tokens, clocks, nonces, limits: each accepted up to its edge and refused beyond.

use super::*;

#[test]
fn an_unknown_key_is_refused() {
    for scheme in SCHEMES {
        let request = Calling {
            scheme,
            credentials: Credentials {
                access_key_id: "nobody".to_owned(),
                ..plain()
            },
            ..calling()
        };
        assert_eq!(
            outcome(&world(), &request.signed()),
            refused(404, "InvalidAccessKeyId.NotFound")
        );
    }
}

#[test]
fn a_token_must_be_there_be_right_and_belong_to_the_key() {
    let without = Credentials {
        security_token: None,
        ..temporary()
    };
    let old = Credentials {
        security_token: Some("old".into()),
        ..temporary()
    };
    let of_another = Credentials {
        security_token: Some("CAIStoken+/=test".into()),
        ..plain()
    };
    for scheme in SCHEMES {
        for (credentials, code) in [
            (&without, "MissingSecurityToken"),
            (&old, "InvalidSecurityToken.Expired"),
            (&of_another, "InvalidSecurityToken.MismatchWithAccessKey"),
        ] {
            let credentials = credentials.clone();
            let request = Calling {
                scheme,
                credentials,
                ..calling()
            };
            assert_eq!(outcome(&world(), &request.signed()), refused(400, code));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_may_be_off_by_fifteen_minutes_and_no_more() {
    const LIMIT: i64 = 15 * 60 * 1000;
    for scheme in SCHEMES {
        for (off, expected) in [
            (LIMIT, accepted()),
            (-LIMIT, accepted()),
            (LIMIT + 1000, refused(400, "InvalidTimeStamp.Expired")),
            (-LIMIT - 1000, refused(400, "InvalidTimeStamp.Expired")),
        ] {
            let time = UnixMillis(START.0 + off);
            let request = Calling {
                scheme,
                time,
                ..calling()
            };
            assert_eq!(outcome(&world(), &request.signed()), expected, "{off}");
        }
    }
}

#[test]
fn the_clouds_clock_is_its_own() {
    let world = world();
    world.set_clock_offset(20 * 60 * 1000);
    let response = whole(world.receive(&calling().signed()));
    assert_eq!(body(&response)["Code"], "InvalidTimeStamp.Expired");
    // The caller can see by how much it is off.
    let date = response.headers()[DATE].to_str().unwrap();
    assert!(date.starts_with("Tue, 16 Dec 2025 00:20:0"), "{date}");
}

#[test]
fn a_time_in_another_spelling_is_refused() {
    for time in [
        "2025-12-16T00:00:00+00:00",
        "2025-12-16T00:00:00.000Z",
        "2025-12-16 00:00:00Z",
        "2025-13-16T00:00:00Z",
        "1765843200",
        "",
    ] {
        let mut request = calling().signed();
        request.headers.insert("x-acs-date", time.parse().unwrap());
        assert_eq!(
            outcome(&world(), &request),
            refused(400, "InvalidTimeStamp.Format"),
            "{time}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_nonce_is_good_for_one_call_in_fifteen_minutes() {
    for scheme in SCHEMES {
        let world = world();
        let with_nonce = |credentials| {
            let request = Calling {
                scheme,
                credentials,
                nonce: "once".to_owned(),
                time: world.now(),
                ..calling()
            };
            request.signed()
        };
        assert_eq!(outcome(&world, &with_nonce(plain())), accepted());
        assert_eq!(
            outcome(&world, &with_nonce(plain())),
            refused(400, "SignatureNonceUsed")
        );
        // Another key may use the same.
        assert_eq!(outcome(&world, &with_nonce(temporary())), accepted());
        tokio::time::advance(Duration::from_secs(15 * 60)).await;
        assert_eq!(
            outcome(&world, &with_nonce(plain())),
            refused(400, "SignatureNonceUsed")
        );
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(outcome(&world, &with_nonce(plain())), accepted());
    }
}

#[tokio::test(start_paused = true)]
async fn a_nonce_is_used_up_by_a_throttled_call_and_by_a_faulty_answer() {
    let world = world();
    world.set_limit("alice", 0);
    let request = calling().signed();
    assert_eq!(outcome(&world, &request), refused(400, "Throttling.User"));
    assert_eq!(outcome(&world, &request), refused(400, "SignatureNonceUsed"));
    world.set_limit("alice", 10);
    world.set_fault(Fault::new(Oddity::BadGatewayHtml).next(1));
    let request = calling().signed();
    assert_eq!(outcome(&world, &request), (502, None));
    assert_eq!(outcome(&world, &request), refused(400, "SignatureNonceUsed"));
}

#[tokio::test(start_paused = true)]
async fn the_eleventh_call_of_a_second_is_throttled_and_the_next_second_is_free() {
    let world = world();
    for _ in 0..10 {
        assert_eq!(outcome(&world, &calling().signed()), accepted());
    }
    tokio::time::advance(Duration::from_millis(999)).await;
    assert_eq!(
        outcome(&world, &calling().signed()),
        refused(400, "Throttling.User")
    );
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(outcome(&world, &calling().signed()), accepted());
    assert_eq!(
        (world.throttled(), world.most_in_one_window("alice", ACTION)),
        (1, 11)
    );
}

#[tokio::test(start_paused = true)]
async fn who_hammers_stays_throttled() {
    let world = world();
    world.set_limit("alice", 1);
    for nth in 0..10 {
        let expected = if nth == 0 {
            accepted()
        } else {
            refused(400, "Throttling.User")
        };
        assert_eq!(outcome(&world, &calling().signed()), expected);
        tokio::time::advance(Duration::from_millis(600)).await;
    }
    tokio::time::advance(Duration::from_millis(400)).await;
    assert_eq!(outcome(&world, &calling().signed()), accepted());
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_each_users_whatever_the_key_and_the_host() {
    let world = world();
    world.set_limit("alice", 2);
    let from = |credentials, endpoint: &str| {
        let endpoint = endpoint.to_owned();
        let request = Calling {
            credentials,
            endpoint,
            ..calling()
        };
        request.signed()
    };
    let bob = Credentials::lasting("bobsid".to_owned(), "bobssecret".into(), None, "test");
    assert_eq!(outcome(&world, &from(plain(), "cas.aliyuncs.com")), accepted());
    let elsewhere = "cas.eu-central-1.aliyuncs.com";
    assert_eq!(outcome(&world, &from(temporary(), elsewhere)), accepted());
    assert_eq!(
        outcome(&world, &from(plain(), elsewhere)),
        refused(400, "Throttling.User")
    );
    assert_eq!(outcome(&world, &from(bob, "cas.aliyuncs.com")), accepted());
}

#[test]
fn a_refused_call_counts_too() {
    let world = world();
    let mut wrong = calling().signed();
    wrong.url.push_str("&More=1");
    outcome(&world, &wrong);
    assert_eq!(world.refused("SignatureDoesNotMatch"), 1);
    assert_eq!(world.arrivals("alice", ACTION).len(), 1);
}

#[test]
fn an_unknown_action_or_version_is_refused_even_under_a_fault() {
    let world = world();
    world.set_fault(Fault::new(Oddity::EmptyBody));
    let action = Calling {
        action: "GetCAInstanceStatuses",
        ..calling()
    };
    let version = Calling {
        version: "2018-07-13",
        ..calling()
    };
    assert_eq!(
        outcome(&world, &action.signed()),
        refused(404, "InvalidAction.NotFound")
    );
    assert_eq!(outcome(&world, &version.signed()), refused(400, "InvalidVersion"));
}

#[test]
fn a_refusal_looks_like_the_vendors() {
    let request = Calling {
        parameters: vec![("InstanceId", "cas-member-nowhere")],
        ..calling()
    };
    let response = whole(world().receive(&request.signed()));
    let answer = body(&response);
    assert_eq!(answer["Code"], "NotFound");
    assert_eq!(answer["HostId"], "cas.aliyuncs.com");
    for field in ["Message", "RequestId", "Recommend"] {
        assert!(!answer[field].as_str().unwrap().is_empty(), "{answer}");
    }
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json;charset=utf-8");
}
