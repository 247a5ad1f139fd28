//! What the API says about instances, known and unknown.

use super::*;

fn ids(world: &World, parameters: &[(&'static str, &'static str)]) -> Vec<String> {
    let request = Calling {
        parameters: parameters.to_vec(),
        ..calling()
    };
    let answer = body(&whole(world.receive(&request.signed())));
    let list = answer["InstanceStatusList"].as_array().unwrap().iter();
    list.map(|entry| entry["InstanceId"].as_str().unwrap().to_owned())
        .collect()
}

fn bought(id: &str) -> Instance {
    Instance {
        instance_id: id.to_owned(),
        status: Some("BUY".to_owned()),
        ..Instance::default()
    }
}

#[test]
fn an_instance_is_found_by_its_id_its_certificate_or_a_certificate_it_issued() {
    let world = world();
    world.put_instance(bought("cas-member-other"));
    world.put_certificate("160ae6bb538d538c70c01f81dcf2****", EXAMPLE_ID);
    for parameter in [
        ("InstanceId", EXAMPLE_ID),
        ("Identifier", "160ae6bb538d538c70c01f81dcf2****"),
        ("Identifier", "a7bb2dd212a2112128cd5cc9b753****"),
    ] {
        assert_eq!(ids(&world, &[parameter]), [EXAMPLE_ID], "{parameter:?}");
    }
    assert_eq!(ids(&world, &[]), [EXAMPLE_ID, "cas-member-other"]);
}

#[test]
fn what_was_not_said_is_not_sent() {
    let world = world();
    world.put_instance(bought("cas-member-other"));
    let request = Calling {
        parameters: vec![("InstanceId", "cas-member-other")],
        ..calling()
    };
    let answer = body(&whole(world.receive(&request.signed())));
    assert_eq!(
        answer["InstanceStatusList"],
        json!([{ "InstanceId": "cas-member-other", "Status": "BUY" }])
    );
}

#[test]
fn an_unknown_instance_is_answered_in_the_way_that_was_set() {
    let world = world();
    assert!(world.remove_instance(EXAMPLE_ID));
    assert!(!world.remove_instance(EXAMPLE_ID));
    for parameter in [
        ("InstanceId", EXAMPLE_ID),
        ("Identifier", "a7bb2dd212a2112128cd5cc9b753****"),
    ] {
        let request = || {
            let parameters = vec![parameter];
            Calling {
                parameters,
                ..calling()
            }
            .signed()
        };
        world.set_unknown_instance(UnknownInstance::NotFound);
        assert_eq!(outcome(&world, &request()), refused(400, "NotFound"));
        world.set_unknown_instance(UnknownInstance::NotFoundInstance);
        assert_eq!(outcome(&world, &request()), refused(404, "NotFound.Instance"));
        world.set_unknown_instance(UnknownInstance::EmptyList);
        assert_eq!(ids(&world, &[parameter]), [""; 0]);
    }
}

#[test]
fn the_vendors_example_can_be_served_byte_for_byte() {
    let world = world();
    world.set_fault(Fault::new(Misbehaviour::body(EXAMPLE)));
    assert_eq!(text(&whole(world.receive(&calling().signed()))), EXAMPLE);
}

#[test]
fn the_telling_instances_tell_what_they_are_for() {
    const DAY: i64 = 86_400_000;
    let all = telling(START);
    let with = |id: &str| {
        let found = all
            .iter()
            .find(|instance| instance.instance_id == format!("cas-member-{id}"));
        found.unwrap_or_else(|| panic!("{id}"))
    };
    let days = |time: Option<i64>| time.map(|time| (time - START.0) / DAY);
    assert_eq!(days(with("20-days-left").after_time), Some(20));
    assert_eq!(days(with("expired").after_time), Some(-3));
    assert_eq!(days(with("subscription-over").use_expire_time), Some(-10));
    assert_eq!(days(with("subscription-5-days").use_expire_time), Some(5));
    let quota = |id| (with(id).cert_issued_count, with(id).cert_total_count);
    assert_eq!(quota("quota-nearly-gone"), (Some(960), Some(1000)));
    assert_eq!(quota("quota-used-up"), (Some(10), Some(10)));
    for (id, status) in [
        ("healthy-root", "USED"),
        ("healthy-sub", "USED"),
        ("bought-unused", "BUY"),
        ("revoked", "REVOKE"),
        ("refunded", "REFUND"),
        ("unknown-status", "SUSPENDED"),
    ] {
        assert_eq!(with(id).status.as_deref(), Some(status));
        // The API sends the certificate's fields with USED or REVOKE only.
        if matches!(status, "BUY" | "REFUND") {
            assert_eq!((with(id).after_time, &with(id).identifier), (None, &None));
        }
    }
    assert_eq!(all.len(), 12);
}
