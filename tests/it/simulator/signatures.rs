//! Both schemes by the published rules, the vectors included: what is accepted, and each thing that is refused.

use super::*;

fn vectors(scheme: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../data/signing/vectors.json")).unwrap();
    all[scheme].as_array().unwrap().clone()
}

fn field<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} of {vector}"))
}

/// Encoded otherwise than the rules want it, which a server must not mind: it decodes and encodes again.
fn query(parameters: &Value) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = parameters.as_object().unwrap().iter();
    pairs
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value.as_str().unwrap())))
        .collect::<Vec<_>>()
        .join("&")
}

/// A world at the vector's time with the vector's key.
fn world_of(time: &str, access_key_id: &str, secret: &str, token: Option<&str>) -> World {
    let time: jiff::Timestamp = time.parse().unwrap();
    let world = world_at(UnixMillis(time.as_millisecond()));
    let key = match token {
        Some(token) => Key::temporary("alice", secret, token),
        None => Key::plain("alice", secret),
    };
    world.put_key(access_key_id, key);
    world
}

/// Let in: answered, or refused for what it asks for rather than for its signature.
fn let_in(outcome: &(u16, Option<String>)) -> bool {
    matches!(outcome.1.as_deref(), None | Some("NotFound" | "InvalidVersion"))
}

#[test]
fn every_hmac_sha1_vector_is_accepted_with_its_secret_and_refused_with_another() {
    for vector in vectors("hmac_sha1") {
        let parameters = &vector["parameters"];
        let request = HttpRequest {
            method: field(&vector, "method").parse().unwrap(),
            url: format!(
                "http://cas.aliyuncs.com/?{}&{}",
                query(parameters),
                query(&json!({ "Signature": vector["signature"] }))
            ),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let outcome_with = |secret| {
            let world = world_of(
                field(parameters, "Timestamp"),
                field(parameters, "AccessKeyId"),
                secret,
                parameters["SecurityToken"].as_str(),
            );
            outcome(&world, &request)
        };
        let name = &vector["name"];
        let right = outcome_with(field(&vector, "access_key_secret"));
        assert!(let_in(&right), "{name}: {right:?}");
        assert_eq!(
            outcome_with("wrong"),
            refused(400, "SignatureDoesNotMatch"),
            "{name}"
        );
    }
}

#[test]
fn every_acs3_vector_is_accepted_with_its_secret_and_refused_with_another() {
    for vector in vectors("acs3_hmac_sha256") {
        let headers = &vector["headers"];
        let mut sent: HeaderMap = headers
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    value.as_str().unwrap().parse().unwrap(),
                )
            })
            .collect();
        sent.insert(AUTHORIZATION, field(&vector, "authorization").parse().unwrap());
        let request = HttpRequest {
            method: Method::POST,
            url: format!("http://{}/?{}", field(headers, "host"), query(&vector["query"])),
            headers: sent,
            body: Bytes::new(),
        };
        let outcome_with = |secret| {
            let world = world_of(
                field(headers, "x-acs-date"),
                field(&vector, "access_key_id"),
                secret,
                headers["x-acs-security-token"].as_str(),
            );
            outcome(&world, &request)
        };
        let name = &vector["name"];
        let right = outcome_with(field(&vector, "access_key_secret"));
        assert!(let_in(&right), "{name}: {right:?}");
        assert_eq!(
            outcome_with("wrong"),
            refused(400, "SignatureDoesNotMatch"),
            "{name}"
        );
    }
}

#[test]
fn both_schemes_are_accepted_with_either_kind_of_key() {
    for scheme in SCHEMES {
        for credentials in [plain(), temporary()] {
            let request = Calling {
                scheme,
                credentials,
                ..calling()
            }
            .signed();
            let answer = body(&whole(world().receive(&request)));
            let asked: Value = serde_json::from_str(EXAMPLE).unwrap();
            assert_eq!(answer["InstanceStatusList"], asked["InstanceStatusList"]);
        }
    }
}

#[test]
fn a_changed_query_breaks_either_signature() {
    for scheme in SCHEMES {
        let mut request = Calling { scheme, ..calling() }.signed();
        request.url = request.url.replace("cas-member", "cas-nembers");
        assert_eq!(outcome(&world(), &request), refused(400, "SignatureDoesNotMatch"));
    }
}

#[test]
fn a_plus_on_the_wire_is_a_space_and_no_plus() {
    for scheme in SCHEMES {
        for (id, encoded, expected) in [
            ("a b", "a%20b", refused(400, "NotFound")),
            ("a+b", "a%2Bb", refused(400, "SignatureDoesNotMatch")),
        ] {
            let mut request = Calling {
                scheme,
                parameters: vec![("InstanceId", id)],
                ..calling()
            }
            .signed();
            assert!(request.url.contains(encoded), "{}", request.url);
            request.url = request.url.replace(encoded, "a+b");
            assert_eq!(outcome(&world(), &request), expected, "{id}");
        }
    }
}

#[test]
fn a_changed_method_breaks_either_signature() {
    for scheme in SCHEMES {
        let mut request = Calling { scheme, ..calling() }.signed();
        request.method = Method::GET;
        assert_eq!(outcome(&world(), &request), refused(400, "SignatureDoesNotMatch"));
    }
}

#[test]
fn a_wrong_hmac_sha1_signature_gets_the_string_to_sign_back() {
    let request = Calling {
        scheme: Scheme::HmacSha1,
        credentials: Credentials {
            access_key_secret: "wrong".into(),
            ..plain()
        },
        ..calling()
    }
    .signed();
    let message = body(&whole(world().receive(&request)))["Message"].to_string();
    assert!(
        message.contains("server string to sign is:POST&%2F&AccessKeyId%3Dtestid%26Action%3D"),
        "{message}"
    );
}

#[test]
fn an_acs3_body_other_than_its_hash_says_is_refused() {
    let mut request = calling().signed();
    request.body = Bytes::from_static(b"x");
    assert_eq!(outcome(&world(), &request), refused(400, "SignatureDoesNotMatch"));
}

#[test]
fn hmac_sha1_parameters_may_come_in_a_form() {
    let mut request = Calling {
        scheme: Scheme::HmacSha1,
        ..calling()
    }
    .signed();
    let (url, query) = request.url.split_once('?').unwrap();
    request.body = Bytes::from(query.to_owned());
    request.url = url.to_owned();
    assert_eq!(
        outcome(&world(), &request),
        refused(400, "MissingParameter"),
        "not called a form"
    );
    request.headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    assert_eq!(outcome(&world(), &request), accepted());
}

#[test]
fn a_parameter_that_must_be_there_is_named_when_it_is_not() {
    for (name, code) in [
        ("AccessKeyId", "MissingParameter"),
        ("Action", "MissingParameter"),
        ("SignatureMethod", "MissingParameter"),
        ("SignatureNonce", "MissingParameter"),
        ("SignatureVersion", "MissingParameter"),
        ("Timestamp", "MissingParameter"),
        ("Version", "MissingParameter"),
        ("Signature", "IncompleteSignature"),
    ] {
        let mut request = Calling {
            scheme: Scheme::HmacSha1,
            ..calling()
        }
        .signed();
        request.url = request.url.replace(&format!("{name}="), &format!("No{name}="));
        let response = whole(world().receive(&request));
        let answer = body(&response);
        assert_eq!(
            (response.status().as_u16(), &answer["Code"]),
            (400, &json!(code)),
            "{name}"
        );
        if code == "MissingParameter" {
            let message = answer["Message"].to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}

#[test]
fn a_header_that_must_be_there_is_asked_for_when_it_is_not() {
    for name in [
        "host",
        "x-acs-action",
        "x-acs-version",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-content-sha256",
    ] {
        let mut request = calling().signed();
        request.headers.remove(name);
        assert_eq!(
            outcome(&world(), &request),
            refused(400, "IncompleteSignature"),
            "listed as signed, and not there: {name}"
        );
        // Neither there nor listed.
        let mut headers = request.headers;
        headers.remove(AUTHORIZATION);
        let expected = if name == "host" {
            "IncompleteSignature"
        } else {
            "MissingParameter"
        };
        assert_eq!(
            outcome(&world(), &signed_by_hand(headers)),
            refused(400, expected),
            "{name}"
        );
    }
}

#[test]
fn a_header_that_must_be_signed_is_refused_unsigned() {
    for name in ["host", "x-acs-action", "x-acs-extra", "content-type"] {
        let mut signed = calling().signed().headers;
        signed.remove(AUTHORIZATION);
        let value = signed
            .remove(name)
            .unwrap_or(HeaderValue::from_static("text/plain"));
        let mut request = signed_by_hand(signed);
        request.headers.insert(HeaderName::from_static(name), value);
        assert_eq!(
            outcome(&world(), &request),
            refused(400, "IncompleteSignature"),
            "{name}"
        );
    }
    // The user agent need not be.
    let mut request = calling().signed();
    request
        .headers
        .insert("user-agent", HeaderValue::from_static("x"));
    assert_eq!(outcome(&world(), &request), accepted());
}

#[test]
fn what_is_no_signature_is_told_so() {
    let mut request = calling().signed();
    request
        .headers
        .insert(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    assert_eq!(outcome(&world(), &request), refused(400, "IncompleteSignature"));
    request.headers.remove(AUTHORIZATION);
    assert_eq!(outcome(&world(), &request), refused(400, "MissingParameter"));
    request.url = request.url.replace("/?", "/metrics?");
    assert_eq!(outcome(&world(), &request), refused(404, "InvalidApi.NotFound"));
}

/// A request with just these headers, all of them signed.
fn signed_by_hand(mut headers: HeaderMap) -> HttpRequest {
    let signed: BTreeMap<String, String> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let canonical = acs3::canonical_request("POST", "/", "", &signed, &acs3::hash(b""));
    let signature = acs3::signature("testsecret", &acs3::string_to_sign(&canonical));
    let authorization = acs3::authorization("testid", &acs3::signed_headers(&signed), &signature);
    headers.insert(AUTHORIZATION, authorization.parse().unwrap());
    HttpRequest {
        method: Method::POST,
        url: "http://cas.aliyuncs.com/".to_owned(),
        headers,
        body: Bytes::new(),
    }
}

#[test]
fn who_forgets_the_format_gets_xml_as_with_the_vendor() {
    let parameters: BTreeMap<String, String> = [
        ("AccessKeyId", "testid"),
        ("Action", ACTION),
        ("InstanceId", EXAMPLE_ID),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "1"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", "2025-12-16T00:00:00Z"),
        ("Version", "2020-06-30"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let canonical = encode::query(&parameters);
    let signature = hmac_sha1::signature("testsecret", &hmac_sha1::string_to_sign("GET", &canonical));
    let request = HttpRequest {
        method: Method::GET,
        url: format!(
            "http://cas.aliyuncs.com/?{canonical}&Signature={}",
            encode::encode(&signature)
        ),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let text = text(&whole(world().receive(&request)));
    assert!(text.contains("<GetCAInstanceStatusResponse>"), "{text}");
    assert!(
        text.contains("<InstanceStatusList><AfterTime>1792944000000</AfterTime>"),
        "{text}"
    );
}
