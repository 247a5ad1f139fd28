//! Errors and odd answers are what their catalogues claim.

use super::*;

#[test]
fn every_error_of_the_catalogue_is_served_as_it_stands() {
    for (error, _) in errors() {
        let world = world();
        world.set_fault(Fault::new(error.clone()));
        let response = whole(world.receive(&calling().signed()));
        let answer = body(&response);
        assert_eq!(response.status(), error.status);
        assert_eq!(
            (&answer["Code"], &answer["Message"]),
            (&json!(error.code), &json!(error.message))
        );
        let retry_after = response.headers().get("x-acs-retry-after");
        let millis = retry_after.map(|value| value.to_str().unwrap().parse().unwrap());
        assert_eq!(millis, error.retry_after_millis);
        assert!(response.headers().contains_key(DATE));
        assert_eq!(world.refused(&error.code), 0, "not by the rules");
    }
}

#[test]
fn the_catalogue_covers_every_reason_that_a_code_can_have() {
    let reasons: BTreeSet<Reason> = errors().into_iter().map(|(_, reason)| reason).collect();
    let expected = [
        Reason::Throttled,
        Reason::Server,
        Reason::Clock,
        Reason::Authentication,
        Reason::Forbidden,
        Reason::NotFound,
        Reason::Request,
        Reason::Other,
    ];
    assert_eq!(reasons, BTreeSet::from(expected));
}

fn reply(oddity: Oddity) -> Reply {
    let world = world();
    world.set_fault(Fault::new(oddity));
    world.receive(&calling().signed())
}

#[test]
fn every_odd_answer_is_what_its_reason_claims() {
    let mut seen = BTreeSet::new();
    for oddity in Oddity::ALL {
        let reply = reply(*oddity);
        assert!(seen.insert(format!("{reply:?}")), "{oddity:?} is like another");
        match (oddity.expected(), reply) {
            (Some(Reason::Connect), Reply::Closed | Reply::CutShort(_))
            | (Some(Reason::Timeout), Reply::Never | Reply::Stalled(_)) => {}
            (Some(Reason::Http), Reply::Whole(response)) => {
                assert!((300..500).contains(&response.status().as_u16()), "{oddity:?}");
                assert!(!text(&response).contains("Code\""), "{oddity:?}");
            }
            (Some(Reason::Server), Reply::Whole(response)) => {
                let known = text(&response).contains(r#""Code":"InternalError""#);
                assert!(response.status().is_server_error() || known, "{oddity:?}");
            }
            (Some(Reason::Decode), Reply::Whole(response)) => {
                assert_eq!(response.status(), 200, "{oddity:?}");
            }
            (None, Reply::Whole(response) | Reply::Late(_, response)) => {
                assert_eq!(response.status(), 200, "{oddity:?}");
                let list = &body(&response)["InstanceStatusList"];
                assert_eq!(list[0]["InstanceId"], EXAMPLE_ID, "{oddity:?}");
            }
            (reason, reply) => panic!("{oddity:?}: {reason:?} and {reply:?}"),
        }
    }
}

#[test]
fn odd_lists_are_spoilt_as_named() {
    let field = |oddity, name: &str| body(&whole(reply(oddity)))["InstanceStatusList"][0][name].clone();
    let raw = |oddity| text(&whole(reply(oddity)));
    assert_eq!(field(Oddity::NumbersAsText, "AfterTime"), json!("1792944000000"));
    assert!(raw(Oddity::NumbersAsFloats).contains(r#""AfterTime":1792944000000.0"#));
    assert_eq!(field(Oddity::NumbersFractional, "CertIssuedCount"), json!(1.5));
    assert!(raw(Oddity::NumbersHuge).contains(r#""AfterTime":1e"#));
    assert!(raw(Oddity::NumbersNull).contains(r#""AfterTime":null"#));
    assert_eq!(field(Oddity::TimesZero, "UseExpireTime"), json!(0));
    assert_eq!(field(Oddity::TimesZero, "CertTotalCount"), json!(10));
    assert_eq!(
        field(Oddity::OtherIdOnly, "InstanceId"),
        json!("cas-member-other")
    );
    assert_eq!(field(Oddity::WordsUnknown, "Status"), json!("TOMORROW"));
    let list = |oddity| body(&whole(reply(oddity)))["InstanceStatusList"].clone();
    assert_eq!(list(Oddity::ListNull), Value::Null);
    assert_eq!(list(Oddity::ListOfNull), json!([null]));
    assert!(!raw(Oddity::ListAbsent).contains("InstanceStatusList"));
    assert!(list(Oddity::ListObject).is_object());
    assert_eq!(list(Oddity::EntryWithoutId).as_array().unwrap().len(), 1);
    assert_eq!(list(Oddity::EntryWithoutId)[0].get("InstanceId"), None);
    let twice = list(Oddity::IdTwice);
    assert_eq!(twice[0]["InstanceId"], twice[1]["InstanceId"]);
    assert_eq!(
        (&twice[0]["Status"], &twice[1]["Status"]),
        (&json!("BUY"), &json!("USED"))
    );
}

#[test]
fn a_fault_of_an_instance_strikes_its_certificates_too_and_no_other_instance() {
    let world = world();
    world.put_instance(Instance {
        instance_id: "cas-member-other".to_owned(),
        ..Instance::default()
    });
    world.set_fault(Fault::new(Oddity::BadGatewayHtml).on_instance(EXAMPLE_ID));
    let asking = |parameter| {
        let parameters = vec![parameter];
        let request = Calling {
            parameters,
            ..calling()
        };
        outcome(&world, &request.signed())
    };
    assert_eq!(asking(("InstanceId", EXAMPLE_ID)), (502, None));
    assert_eq!(
        asking(("Identifier", "a7bb2dd212a2112128cd5cc9b753****")),
        (502, None)
    );
    assert_eq!(asking(("InstanceId", "cas-member-other")), accepted());
    world.clear_faults();
    assert_eq!(asking(("InstanceId", EXAMPLE_ID)), accepted());
}
