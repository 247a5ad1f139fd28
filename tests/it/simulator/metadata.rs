//! The services that hand out keys unsigned: ECS metadata in both forms, and the credentials URI.

use super::*;

const TOKEN: &str = "/latest/api/token";
const FOLDER: &str = "/latest/meta-data/ram/security-credentials/";
const TTL: &str = "x-aliyun-ecs-metadata-token-ttl-seconds";
const TOKEN_HEADER: &str = "x-aliyun-ecs-metadata-token";

/// Status and body of the answer to a plain request.
fn asked(world: &World, method: Method, path: &str, header: Option<(&'static str, &str)>) -> (u16, String) {
    let headers = header.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let response = whole(world.receive(&HttpRequest {
        method,
        url: format!("http://100.100.100.200{path}"),
        headers: headers.into_iter().collect(),
        body: Bytes::new(),
    }));
    (response.status().as_u16(), text(&response))
}

fn get(world: &World, path: &str) -> (u16, String) {
    asked(world, Method::GET, path, None)
}

fn token(world: &World) -> String {
    let (status, token) = asked(world, Method::PUT, TOKEN, Some((TTL, "21600")));
    assert_eq!(status, 200);
    token
}

fn world_with(change: impl FnOnce(&mut Metadata)) -> World {
    let world = world();
    let mut metadata = Metadata::new("pca-reader", "alice");
    change(&mut metadata);
    world.set_metadata(Some(metadata));
    world
}

fn key_works(world: &World, answer: &str) {
    let json: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(json["Code"], "Success");
    let text = |field: &str| json[field].as_str().unwrap().to_owned();
    assert!(text("Expiration") > text("LastUpdated"), "{json}");
    let request = Calling {
        credentials: Credentials {
            security_token: Some(text("SecurityToken").into()),
            ..Credentials::lasting(text("AccessKeyId"), text("AccessKeySecret").into(), None, "test")
        },
        ..calling()
    };
    assert_eq!(outcome(world, &request.signed()), accepted());
}

#[test]
fn both_forms_give_the_role_and_a_key_that_works() {
    let world = world_with(|_| {});
    let of_role = format!("{FOLDER}pca-reader");
    for header in [None, Some(token(&world))] {
        let header = header.as_deref().map(|token| (TOKEN_HEADER, token));
        let role = asked(&world, Method::GET, FOLDER, header);
        assert_eq!(role, (200, "pca-reader".to_owned()));
        let (status, answer) = asked(&world, Method::GET, &of_role, header);
        assert_eq!(status, 200);
        key_works(&world, &answer);
    }
    let counts = ["MetadataToken", "MetadataRole", "MetadataCredentials"];
    assert_eq!(counts.map(|action| world.arrivals_of(action).len()), [1, 2, 2]);
}

#[test]
fn where_only_the_newer_form_is_allowed_there_must_be_a_token() {
    let world = world_with(|metadata| metadata.forms = MetadataForms::NewerOnly);
    assert_eq!(get(&world, FOLDER).0, 403);
    let good = token(&world);
    assert_eq!(
        asked(&world, Method::GET, FOLDER, Some((TOKEN_HEADER, &good))).0,
        200
    );
    assert_eq!(
        asked(&world, Method::GET, FOLDER, Some((TOKEN_HEADER, "bad"))).0,
        401
    );
}

#[test]
fn where_only_the_older_form_is_known_a_token_is_refused_with_405() {
    let world = world_with(|metadata| metadata.forms = MetadataForms::OlderOnly);
    assert_eq!(asked(&world, Method::PUT, TOKEN, Some((TTL, "21600"))).0, 405);
    assert_eq!(get(&world, FOLDER), (200, "pca-reader".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_metadata_token_ends_and_its_life_must_be_told() {
    let world = world_with(|metadata| metadata.forms = MetadataForms::NewerOnly);
    for header in [None, Some((TTL, "0")), Some((TTL, "21601")), Some((TTL, "long"))] {
        assert_eq!(asked(&world, Method::PUT, TOKEN, header).0, 400, "{header:?}");
    }
    let (_, token) = asked(&world, Method::PUT, TOKEN, Some((TTL, "60")));
    let with_token = Some((TOKEN_HEADER, token.as_str()));
    tokio::time::advance(Duration::from_millis(59_999)).await;
    assert_eq!(asked(&world, Method::GET, FOLDER, with_token).0, 200);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(asked(&world, Method::GET, FOLDER, with_token).0, 401);
}

#[test]
fn a_newline_can_follow_the_roles_name_and_is_no_part_of_it() {
    let world = world_with(|metadata| metadata.newline = true);
    assert_eq!(get(&world, FOLDER), (200, "pca-reader\n".to_owned()));
    assert_eq!(get(&world, &format!("{FOLDER}pca-reader")).0, 200);
    assert_eq!(get(&world, &format!("{FOLDER}pca-reader%0A")).0, 404);
}

#[test]
fn a_machine_without_a_role_has_nothing_and_no_machine_does_not_answer() {
    let world = world_with(|metadata| metadata.role = None);
    assert_eq!(get(&world, FOLDER).0, 404);
    assert_eq!(get(&world, &format!("{FOLDER}pca-reader")).0, 404);
    world.set_metadata(None);
    let reply = world.receive(&HttpRequest {
        method: Method::GET,
        url: format!("http://100.100.100.200{FOLDER}"),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    });
    assert!(matches!(reply, Reply::Refused));
}

#[test]
fn a_fault_of_one_action_leaves_the_others_alone() {
    let world = world_with(|_| {});
    world.set_fault(Fault::new(Oddity::TruncatedJson).on_action("MetadataCredentials"));
    assert_eq!(get(&world, FOLDER).0, 200);
    let (status, answer) = get(&world, &format!("{FOLDER}pca-reader"));
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<Value>(&answer).is_err(), "{answer}");
}

#[test]
fn a_credentials_uri_gives_a_key_that_works_at_its_path_alone() {
    let world = world();
    assert_eq!(get(&world, "/credentials").0, 404);
    world.set_credentials_uri(Some(CredentialsUri::new("/credentials", "alice")));
    let (status, answer) = get(&world, "/credentials?id=7");
    assert_eq!(status, 200);
    key_works(&world, &answer);
    assert_eq!(asked(&world, Method::PUT, "/credentials", None).0, 405);
    assert_eq!(get(&world, "/credentials/more").0, 404);
    assert_eq!(world.arrivals_of("CredentialsUri").len(), 2);
}
