//! Web configurations that load, and every kind that must not: each error with its path and line, none with a secret.

mod access;
pub(crate) mod curl;
mod tls;

use std::fmt::Write as _;
use std::path::Path;

use aliyun_pca_exporter::web::{ClientAuth, Pem, PemSource, Tls, WebConfig};
use aliyun_pca_exporter::yaml::FileError;
use proptest::prelude::*;

use crate::config::edits;
use crate::support::yaml_cases;

/// A web configuration with secrets.
const SECRETS: &str = "\
tls_server_config:
  cert_file: server.pem
  key: |
    -----BEGIN PRIVATE KEY-----
    CANARY3x4mple
    -----END PRIVATE KEY-----
basic_auth_users:
  alice: $2y$10$CANARYsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG
rate_limit: { interval: 1s, burst: 20 }
";

fn describe(config: &WebConfig) -> String {
    let mut text = match &config.tls {
        None => "plain HTTP\n".to_owned(),
        Some(tls) => describe_tls(tls),
    };
    if !config.http2 {
        text.push_str("no HTTP/2\n");
    }
    let mut headers: Vec<_> = config.headers.iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    if !config.users.is_empty() {
        let users: Vec<_> = config.users.keys().map(String::as_str).collect();
        writeln!(text, "users {}", users.join(" ")).unwrap();
    }
    if let Some(limit) = config.rate_limit {
        let (burst, millis) = (limit.burst, limit.interval.as_millis());
        writeln!(text, "{burst} requests, then one every {millis} ms").unwrap();
    }
    text
}

fn describe_tls(tls: &Tls) -> String {
    let versions: Vec<_> = tls
        .versions
        .iter()
        .map(|version| format!("{:?}", version.version))
        .collect();
    let suites = match tls.cipher_suites.as_slice() {
        all if all.len() == rustls::crypto::ring::ALL_CIPHER_SUITES.len() => {
            format!("{} cipher suites", all.len())
        }
        some => some
            .iter()
            .map(|suite| suite.suite().as_str().unwrap())
            .collect::<Vec<_>>()
            .join(" "),
    };
    let curves: Vec<_> = tls
        .curves
        .iter()
        .map(|curve| format!("{:?}", curve.name()))
        .collect();
    format!(
        "TLS with {} and {}\n  {}\n  {suites}\n  {}\n  the {} chooses\n  {}\n",
        source(&tls.certificate),
        source(&tls.key),
        versions.join(" "),
        curves.join(" "),
        if tls.server_chooses { "server" } else { "client" },
        describe_client_auth(&tls.client_auth),
    )
}

fn describe_client_auth(auth: &ClientAuth) -> String {
    let (required, kind, allowed_sans) = match auth {
        ClientAuth::None => return "no client certificate".to_owned(),
        ClientAuth::Any {
            required,
            hint: None,
            allowed_sans,
        } => (required, "any".to_owned(), allowed_sans),
        ClientAuth::Any {
            required,
            hint: Some(ca),
            allowed_sans,
        } => (required, format!("any, hinted by {}", source(ca)), allowed_sans),
        ClientAuth::Verified {
            required,
            ca,
            allowed_sans,
        } => (required, format!("verified with {}", source(ca)), allowed_sans),
    };
    let perhaps = if *required { "" } else { "perhaps " };
    let names = if allowed_sans.is_empty() { "" } else { ", for " };
    format!(
        "{perhaps}a client certificate, {kind}{names}{}",
        allowed_sans.join(" ")
    )
}

fn source(pem: &Pem) -> String {
    match &pem.source {
        PemSource::Inline(_) => "inline".to_owned(),
        PemSource::File(path) => path.display().to_string(),
    }
}

#[test]
fn every_good_web_configuration_means_what_is_written_beside_it() {
    let cases = yaml_cases("web_config/good");
    assert!(cases.len() >= 20);
    for (path, text) in cases {
        let config = WebConfig::parse(Path::new("/etc/pca/web.yaml"), &text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let expected = std::fs::read_to_string(path.with_extension("means")).unwrap();
        assert_eq!(describe(&config), expected, "{}", path.display());
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("CANARY") && !shown.contains("$10$"),
            "{}: {shown}",
            path.display()
        );
    }
}

#[test]
fn whom_a_web_configuration_lets_in_is_told_in_words() {
    const TLS: &str = "tls_server_config: { cert_file: a, key_file: b";
    let with = |client_auth: &str| format!("{TLS}, {client_auth} }}\n");
    let users = |count: usize| {
        let hash = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
        let users = (0..count).map(|user| format!("  user{user}: {hash}\n"));
        format!("basic_auth_users:\n{}", users.collect::<String>())
    };
    let cases = [
        ("{}".to_owned(), "plain HTTP, open to everybody"),
        (users(1), "plain HTTP, 1 user"),
        (format!("{TLS} }}\n"), "TLS, open to everybody"),
        (format!("{TLS} }}\n{}", users(2)), "TLS, 2 users"),
        (
            with("client_auth_type: RequireAnyClientCert"),
            "TLS, client certificates that anybody may have made, open to everybody",
        ),
        (
            with("client_auth_type: RequestClientCert") + &users(1),
            "TLS, client certificates from who has one, 1 user",
        ),
        (
            with("client_auth_type: VerifyClientCertIfGiven, client_ca_file: c"),
            "TLS, client certificates from who has one, open to everybody",
        ),
        (
            with("client_auth_type: RequireAndVerifyClientCert, client_ca_file: c"),
            "TLS, verified client certificates",
        ),
        (
            with("client_auth_type: RequireAndVerifyClientCert, client_ca_file: c") + &users(2),
            "TLS, verified client certificates, 2 users",
        ),
    ];
    for (yaml, expected) in cases {
        let config = WebConfig::parse(Path::new("web.yaml"), &yaml).unwrap();
        assert_eq!(config.to_string(), expected);
    }
}

#[test]
fn every_bad_web_configuration_says_what_is_wrong_and_where() {
    let cases = yaml_cases("web_config/bad");
    assert!(cases.len() >= 40);
    let mut wrong = Vec::new();
    for (path, text) in cases {
        let expected = std::fs::read_to_string(path.with_extension("expect")).unwrap();
        let found = WebConfig::parse(Path::new("web.yaml"), &text)
            .map_or_else(|error| format!("{error}\n"), |_| "it loads\n".to_owned());
        if found != expected {
            wrong.push(format!(
                "{}\nexpected:\n{expected}found:\n{found}",
                path.display()
            ));
        }
        assert!(!found.contains("CANARY"), "{}: {found}", path.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_examples_of_the_documentation_load_and_show_every_key() {
    let page = include_str!("../../docs/web-configuration.md");
    let blocks = |text: &'static str| {
        let blocks = text.split("```yaml\n").skip(1);
        blocks.map(|rest| rest.split_once("```").unwrap().0)
    };
    let example = blocks(page).next().unwrap();
    let readme = blocks(include_str!("../../README.md")).find(|block| block.starts_with("tls_server_config"));
    for text in [example, readme.unwrap()] {
        WebConfig::parse(Path::new("web.yaml"), text).unwrap_or_else(|error| panic!("{error}"));
    }
    let shape = include_str!("../../src/web/config/file.rs");
    let fields = shape.lines().filter_map(|line| {
        let line = line.strip_prefix("        ")?.strip_suffix(',')?;
        line.split_once(": ").map(|(key, _)| key)
    });
    let keys: Vec<_> = fields
        .filter(|key| {
            key.bytes()
                .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'0'..=b'9'))
        })
        .collect();
    assert!(keys.len() >= 20, "{keys:?}");
    for key in keys {
        assert!(page.contains(key), "{key}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_is_done_to_a_web_configuration_no_error_repeats_a_secret(text in edits(SECRETS)) {
        if let Err(FileError::Invalid { errors, .. }) = WebConfig::parse(Path::new("web.yaml"), &text) {
            for error in errors {
                prop_assert!(!error.to_string().contains("CANARY"), "{error}\n{text}");
                prop_assert!((1..=text.lines().count() + 1).contains(&error.line), "{error}\n{text}");
            }
        }
    }
}
