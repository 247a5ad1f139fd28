//! The list of CA certificates: what is on it, page by page, and who gets it.

use super::*;

const LIST: &str = "ListPcaCaCertificate";

/// The identifier of the example instance's certificate.
const IDENTIFIER: &str = "a7bb2dd212a2112128cd5cc9b753****";

fn listing() -> Calling<'static> {
    Calling {
        action: LIST,
        parameters: Vec::new(),
        ..calling()
    }
}

fn page(world: &World, parameters: &[(&str, &str)]) -> Value {
    let request = Calling {
        parameters: parameters.to_vec(),
        ..listing()
    };
    let response = whole(world.receive(&request.signed()));
    assert_eq!(response.status(), 200, "{parameters:?}: {}", text(&response));
    body(&response)
}

fn outcome_of(world: &World, parameters: &[(&str, &str)]) -> (u16, Option<String>) {
    let request = Calling {
        parameters: parameters.to_vec(),
        ..listing()
    };
    outcome(world, &request.signed())
}

fn texts(page: &Value, field: &str) -> Vec<String> {
    let list = page["List"].as_array().unwrap().iter();
    list.map(|entry| entry[field].as_str().unwrap().to_owned())
        .collect()
}

/// The pages from the one after `token` to the last.
fn pages_from(world: &World, token: Option<&str>, max_results: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut token = token.map(str::to_owned);
    loop {
        let next = token.iter().map(|token| ("NextToken", token.as_str()));
        let parameters: Vec<_> = [("MaxResults", max_results)].into_iter().chain(next).collect();
        let page = page(world, &parameters);
        token = page
            .get("NextToken")
            .map(|token| token.as_str().unwrap().to_owned());
        pages.push(page);
        if token.is_none() {
            return pages;
        }
    }
}

/// A world with so many enabled instances, and no limit that matters.
fn fleet(count: usize) -> World {
    let world = world();
    world.remove_instance(EXAMPLE_ID);
    world.set_limit("alice", 100_000);
    for number in 0..count {
        put_enabled(&world, &format!("{number:04}"));
    }
    world
}

fn put_enabled(world: &World, name: &str) {
    world.put_instance(Instance {
        instance_id: format!("cas-member-{name}"),
        identifier: Some(format!("certificate-{name}")),
        ..example()
    });
}

#[test]
fn an_answer_has_the_fields_of_the_vendors_page_and_no_other() {
    let mut answer = page(&world(), &[]);
    let request_id = answer["RequestId"].take();
    assert_eq!(request_id.as_str().unwrap().len(), 36);
    assert_eq!(
        answer,
        json!({
            "RequestId": null,
            "List": [{
                "CertIdentifier": IDENTIFIER,
                "Status": "ISSUE",
                "CommonName": EXAMPLE_ID,
                "PrivateCaInstanceId": EXAMPLE_ID,
                "PrivateCaRegionId": "cn-hangzhou",
                "UserId": "1234567890123456",
            }],
            "MaxResults": 20,
            "TotalCount": 1,
        })
    );
}

#[test]
fn both_schemes_are_answered() {
    for scheme in SCHEMES {
        let request = Calling {
            scheme,
            parameters: vec![("MaxResults", "7")],
            ..listing()
        };
        let answer = body(&whole(world().receive(&request.signed())));
        assert_eq!(
            (&answer["MaxResults"], &answer["TotalCount"]),
            (&json!(7), &json!(1))
        );
    }
}

#[test]
fn another_version_has_no_such_action() {
    let request = Calling {
        version: "2018-07-13",
        ..listing()
    };
    assert_eq!(
        outcome(&world(), &request.signed()),
        refused(400, "InvalidVersion")
    );
}

#[test]
fn an_instance_that_is_not_enabled_is_not_on_the_list_and_a_revoked_one_is() {
    let world = world();
    world.remove_instance(EXAMPLE_ID);
    let all = telling(START);
    let enabled: BTreeSet<_> = all
        .iter()
        .filter(|instance| !matches!(instance.status.as_deref(), Some("BUY" | "REFUND")))
        .map(|instance| instance.instance_id.clone())
        .collect();
    for instance in all {
        world.put_instance(instance);
    }
    let answer = page(&world, &[]);
    let listed: BTreeSet<_> = texts(&answer, "PrivateCaInstanceId").into_iter().collect();
    assert_eq!(listed, enabled);
    let status: BTreeMap<_, _> = texts(&answer, "PrivateCaInstanceId")
        .into_iter()
        .zip(texts(&answer, "Status"))
        .collect();
    assert_eq!(status["cas-member-revoked"], "REVOKE");
    assert_eq!(status["cas-member-healthy-sub"], "ISSUE");
}

#[test]
fn the_pages_hold_every_certificate_once_and_the_last_has_no_token() {
    for (count, max_results, pages) in [
        (0, None, 1),
        (1, None, 1),
        (20, None, 1),
        (21, None, 2),
        (2000, None, 100),
        (2000, Some("2000"), 1),
        (2001, Some("2000"), 2),
        (3, Some("1"), 3),
    ] {
        let world = fleet(count);
        let found = pages_from(&world, None, max_results.unwrap_or("20"));
        assert_eq!(found.len(), pages, "{count} by {max_results:?}");
        let ids: Vec<_> = found
            .iter()
            .flat_map(|page| texts(page, "CertIdentifier"))
            .collect();
        let distinct: BTreeSet<_> = ids.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (count, count));
        for page in &found {
            assert_eq!(page["TotalCount"], json!(count));
        }
        if max_results.is_none() {
            assert_eq!(page(&world, &[])["List"], found[0]["List"]);
        }
    }
}

#[test]
fn a_page_is_of_one_to_two_thousand() {
    let world = fleet(1);
    for max_results in ["1", "20", "2000"] {
        let answer = page(&world, &[("MaxResults", max_results)]);
        assert_eq!(answer["MaxResults"].to_string(), max_results);
    }
    for max_results in ["0", "2001", "-1", "1.5", "many", ""] {
        assert_eq!(
            outcome_of(&world, &[("MaxResults", max_results)]),
            refused(400, "InvalidParameter"),
            "{max_results}"
        );
    }
}

#[test]
fn a_token_is_good_more_than_once_an_empty_one_asks_for_the_first_page_and_no_other_is_known() {
    let world = fleet(3);
    let first = page(&world, &[("MaxResults", "2")]);
    let token = first["NextToken"].as_str().unwrap();
    for _ in 0..2 {
        let second = page(&world, &[("MaxResults", "2"), ("NextToken", token)]);
        assert_eq!(texts(&second, "CertIdentifier"), ["certificate-0002"]);
    }
    let again = page(&world, &[("MaxResults", "2"), ("NextToken", "")]);
    assert_eq!(again["List"], first["List"]);
    let cut = &token[1..];
    for unknown in [cut, "2", "certificate-0001", "1d2db86sca4384811e0b5e8707e68181f"] {
        assert_eq!(
            outcome_of(&world, &[("NextToken", unknown)]),
            refused(400, "InvalidParameter.NextToken"),
            "{unknown}"
        );
    }
    // One that was never handed out by this world, though by another.
    assert_eq!(
        outcome_of(&fleet(3), &[("NextToken", token)]),
        refused(400, "InvalidParameter.NextToken")
    );
}

#[test]
fn what_comes_and_goes_between_two_pages_moves_neither() {
    let world = fleet(6);
    let first = page(&world, &[("MaxResults", "2")]);
    let token = first["NextToken"].as_str().unwrap();
    put_enabled(&world, "0000-before");
    put_enabled(&world, "0004-after");
    // The one that the first page ended with.
    world.remove_instance("cas-member-0001");
    let rest = pages_from(&world, Some(token), "2");
    let ids: Vec<_> = rest
        .iter()
        .flat_map(|page| texts(page, "CertIdentifier"))
        .collect();
    assert_eq!(
        ids,
        [
            "certificate-0002",
            "certificate-0003",
            "certificate-0004",
            "certificate-0004-after",
            "certificate-0005"
        ]
    );
    assert_eq!(rest[0]["TotalCount"], json!(7));
}

#[test]
fn an_instance_can_have_several_certificates_and_one_that_is_put_takes_the_place_of_its_own() {
    let world = world();
    let older = CaCertificate {
        status: Some("REVOKE".to_owned()),
        ..CaCertificate::new("0123", EXAMPLE_ID)
    };
    let named = CaCertificate {
        common_name: Some("Example Root CA".to_owned()),
        private_ca_region_id: Some("eu-central-1".to_owned()),
        issuer_identifier: Some(IDENTIFIER.to_owned()),
        user_id: None,
        ..CaCertificate::new(IDENTIFIER, EXAMPLE_ID)
    };
    world.put_ca_certificate(older);
    world.put_ca_certificate(named);
    let answer = page(&world, &[]);
    assert_eq!(texts(&answer, "CertIdentifier"), ["0123", IDENTIFIER]);
    assert_eq!(texts(&answer, "PrivateCaInstanceId"), [EXAMPLE_ID, EXAMPLE_ID]);
    assert_eq!(
        answer["List"][1],
        json!({
            "CertIdentifier": IDENTIFIER,
            "Status": "ISSUE",
            "CommonName": "Example Root CA",
            "IssuerIdentifier": IDENTIFIER,
            "PrivateCaInstanceId": EXAMPLE_ID,
            "PrivateCaRegionId": "eu-central-1",
        })
    );
    assert!(world.remove_ca_certificate("0123"));
    assert!(!world.remove_ca_certificate("0123"));
    assert!(world.remove_ca_certificate(IDENTIFIER));
    // The instance's own is back.
    assert_eq!(texts(&page(&world, &[]), "CommonName"), [EXAMPLE_ID]);
    world.remove_instance(EXAMPLE_ID);
    assert_eq!(page(&world, &[])["TotalCount"], json!(0));
}

#[test]
fn a_certificate_that_is_put_replaces_the_one_with_its_identifier_whosever_it_is() {
    let world = world();
    world.put_ca_certificate(CaCertificate::new(IDENTIFIER, "cas-member-other"));
    assert_eq!(
        texts(&page(&world, &[]), "PrivateCaInstanceId"),
        ["cas-member-other"]
    );
}

#[test]
fn a_certificate_can_be_on_the_list_whose_instance_is_nowhere() {
    let world = world();
    world.put_ca_certificate(CaCertificate::new("0123", "cas-member-gone"));
    assert_eq!(
        texts(&page(&world, &[]), "PrivateCaInstanceId"),
        ["cas-member-gone", EXAMPLE_ID]
    );
    let asked = Calling {
        parameters: vec![("InstanceId", "cas-member-gone")],
        ..calling()
    };
    assert_eq!(outcome(&world, &asked.signed()), refused(400, "NotFound"));
}

#[test]
fn two_instances_that_claim_one_certificate_are_both_on_the_list() {
    let world = world();
    world.put_instance(Instance {
        instance_id: "cas-member-other".to_owned(),
        ..example()
    });
    assert_eq!(
        texts(&page(&world, &[("MaxResults", "2")]), "PrivateCaInstanceId"),
        [EXAMPLE_ID, "cas-member-other"]
    );
    assert_eq!(pages_from(&world, None, "1").len(), 2);
}

#[test]
fn a_certificate_that_was_put_leads_to_its_instance() {
    let world = world();
    world.put_ca_certificate(CaCertificate::new("0123", EXAMPLE_ID));
    let asked = Calling {
        parameters: vec![("Identifier", "0123")],
        ..calling()
    };
    let answer = body(&whole(world.receive(&asked.signed())));
    assert_eq!(answer["InstanceStatusList"][0]["InstanceId"], EXAMPLE_ID);
}

#[tokio::test(start_paused = true)]
async fn the_list_has_a_limit_of_its_own() {
    let world = world();
    for _ in 0..10 {
        assert_eq!(outcome(&world, &listing().signed()), accepted());
        assert_eq!(outcome(&world, &calling().signed()), accepted());
    }
    assert_eq!(
        outcome(&world, &listing().signed()),
        refused(400, "Throttling.User")
    );
    let most = |action| world.most_in_one_window("alice", action);
    assert_eq!((most(LIST), most(ACTION)), (11, 10));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(outcome(&world, &listing().signed()), accepted());
}

#[test]
fn the_list_is_refused_over_http_unless_that_is_allowed() {
    for scheme in SCHEMES {
        let world = world();
        let over_http = |calling: Calling<'_>| {
            let endpoint = "http://cas.aliyuncs.com".to_owned();
            let request = Calling {
                scheme,
                endpoint,
                ..calling
            };
            outcome(&world, &request.signed())
        };
        assert_eq!(over_http(listing()), refused(400, "InvalidProtocol.NeedSsl"));
        assert_eq!(over_http(calling()), accepted());
        world.allow_http(true);
        assert_eq!(over_http(listing()), accepted());
        world.allow_http(false);
        assert_eq!(over_http(listing()), refused(400, "InvalidProtocol.NeedSsl"));
        assert_eq!(world.refused("InvalidProtocol.NeedSsl"), 2);
    }
}

#[test]
fn a_denied_action_is_refused_to_that_user_alone_whatever_the_key() {
    let world = world();
    let from = |credentials| {
        let request = Calling {
            credentials,
            ..listing()
        };
        outcome(&world, &request.signed())
    };
    let bob = || Credentials::lasting("bobsid".to_owned(), "bobssecret".into(), None, "test");
    world.deny("alice", LIST);
    assert_eq!(from(plain()), refused(403, "NoPermission"));
    assert_eq!(from(temporary()), refused(403, "NoPermission"));
    assert_eq!(from(bob()), accepted());
    assert_eq!(outcome(&world, &calling().signed()), accepted());
    assert_eq!(world.arrivals("alice", LIST).len(), 2);
    world.allow("alice", LIST);
    assert_eq!(from(plain()), accepted());
}

#[test]
fn any_signed_action_can_be_denied() {
    let world = world();
    world.deny("alice", ACTION);
    world.deny("alice", "AssumeRole");
    let assume_role = Calling {
        version: "2015-04-01",
        action: "AssumeRole",
        parameters: Vec::new(),
        ..calling()
    };
    assert_eq!(outcome(&world, &calling().signed()), refused(403, "NoPermission"));
    assert_eq!(
        outcome(&world, &assume_role.signed()),
        refused(403, "NoPermission")
    );
    assert_eq!(outcome(&world, &listing().signed()), accepted());
}

#[test]
fn a_fault_of_the_list_strikes_no_status_and_one_of_an_instance_no_list() {
    let world = world();
    world.set_fault(Fault::new(Oddity::BadGatewayHtml).on_action(LIST));
    assert_eq!(outcome(&world, &listing().signed()), (502, None));
    assert_eq!(outcome(&world, &calling().signed()), accepted());
    world.clear_faults();
    world.set_fault(Fault::new(Oddity::BadGatewayHtml).on_instance(EXAMPLE_ID));
    assert_eq!(outcome(&world, &listing().signed()), accepted());
    assert_eq!(outcome(&world, &calling().signed()), (502, None));
}

/// The answer under an oddity, without its `RequestId`, and the text of it.
fn odd(oddity: Oddity) -> (Value, String) {
    let world = world();
    world.put_ca_certificate(CaCertificate::new("0123", "cas-member-second"));
    world.set_fault(Fault::new(oddity).on_action(LIST));
    let response = whole(world.receive(&listing().signed()));
    let mut answer = body(&response);
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("RequestId");
    }
    (answer, text(&response))
}

#[test]
fn odd_lists_of_certificates_are_spoilt_as_those_of_instances_are() {
    let honest = odd(Oddity::ByteOrderMark).0;
    let second = honest["List"][1].clone();
    for oddity in [Oddity::OtherIdOnly, Oddity::TimesZero] {
        assert_eq!(odd(oddity).0, honest, "{oddity:?}");
    }
    let list = |oddity| odd(oddity).0["List"].clone();
    assert!(!odd(Oddity::ListAbsent).1.contains("List\""));
    assert_eq!(list(Oddity::ListNull), Value::Null);
    assert_eq!(list(Oddity::ListText), json!("none"));
    assert_eq!(list(Oddity::ListObject), honest["List"][0]);
    assert_eq!(list(Oddity::ListOfNull), json!([null]));
    assert_eq!(odd(Oddity::TopLevelList).0, honest["List"]);
    let without = list(Oddity::EntryWithoutId);
    assert_eq!(without[0].get("PrivateCaInstanceId"), None);
    assert_eq!(without[0]["CertIdentifier"], "0123");
    let twice =
        json!({ "CertIdentifier": "0123", "PrivateCaInstanceId": "cas-member-second", "Status": "BUY" });
    assert_eq!(list(Oddity::IdTwice), json!([twice, honest["List"][0], second]));
    assert_eq!(list(Oddity::WordsUnknown)[1]["Status"], "TOMORROW");
    assert_eq!(list(Oddity::FieldsUnknown)[1]["Tomorrow"]["Nested"][0], 1);
}

#[test]
fn odd_numbers_of_the_list_are_those_of_the_page() {
    for (oddity, total) in [
        (Oddity::NumbersAsText, r#""TotalCount":"2""#),
        (Oddity::NumbersAsFloats, r#""TotalCount":2.0"#),
        (Oddity::NumbersFractional, r#""TotalCount":2.5"#),
        (Oddity::NumbersHuge, r#""TotalCount":1e"#),
        (Oddity::NumbersNull, r#""TotalCount":null"#),
    ] {
        let (answer, text) = odd(oddity);
        assert!(text.contains(total), "{oddity:?}: {text}");
        assert_eq!(texts(&answer, "CertIdentifier"), ["0123", IDENTIFIER]);
    }
}

#[test]
fn an_odd_answer_to_a_call_that_would_be_refused_has_an_empty_list_of_certificates() {
    let world = world();
    world.set_fault(Fault::new(Oddity::FieldsUnknown).on_action(LIST));
    assert_eq!(page(&world, &[("NextToken", "unknown")])["List"], json!([]));
}

#[test]
fn the_telling_certificates_are_those_of_the_telling_instances_named_and_one_more() {
    let world = world();
    world.remove_instance(EXAMPLE_ID);
    for instance in telling(START) {
        world.put_instance(instance);
    }
    let own = page(&world, &[])["TotalCount"].as_u64().unwrap();
    for certificate in telling_ca_certificates() {
        world.put_ca_certificate(certificate);
    }
    let answer = page(&world, &[]);
    let total = answer["TotalCount"].as_u64().unwrap();
    assert_eq!(total, own + 1);
    let instances = texts(&answer, "PrivateCaInstanceId");
    let of_one = instances.iter().filter(|id| *id == "cas-member-healthy-sub");
    assert_eq!(of_one.count(), 2);
    let names: BTreeSet<_> = texts(&answer, "CommonName").into_iter().collect();
    assert_eq!(names.len() as u64, total);
    assert!(
        names.iter().all(|name| name.starts_with("Example CA ")),
        "{names:?}"
    );
    let identifiers = texts(&answer, "CertIdentifier");
    let issuers = texts(&answer, "IssuerIdentifier");
    assert!(issuers.iter().all(|issuer| identifiers.contains(issuer)));
    assert!(texts(&answer, "PrivateCaRegionId").contains(&"eu-central-1".to_owned()));
}
