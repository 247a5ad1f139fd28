//! TLS and client certificates, against real `curl`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::cli::LogLevel;
use rcgen::SanType;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::curl::{Ca, Curl, Folder};
use crate::support::hanging::Hanging;
use crate::support::log::Log;

const AS_CLIENT: [&str; 4] = ["--cert", "client.pem", "--key", "client.key"];

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// A folder in which `client.pem` is issued by `clients.pem`, and `stranger.pem` by somebody else.
fn with_clients(more: &str, names: &[SanType]) -> Folder {
    let folder = Folder::with_tls(more);
    let (clients, strangers) = (Ca::new(), Ca::new());
    folder.write("clients.pem", &clients.pem);
    folder.put("client", &clients.client(names));
    folder.put("stranger", &strangers.client(names));
    folder
}

/// Who gets an answer: a client without a certificate, a stranger, a client of the CA.
async fn who_gets_in(more: &str, names: &[SanType]) -> [bool; 3] {
    let folder = with_clients(more, names);
    folder
        .while_serving(|curl| {
            let stranger = ["--cert", "stranger.pem", "--key", "stranger.key"];
            [&[], &stranger[..], &AS_CLIENT[..]].map(|arguments| {
                let answer = curl.https(arguments);
                // Over TLS 1.3 a refusal comes after the client's own part of the handshake, so that what curl calls
                // it differs.
                assert!(answer.status().is_err() || answer.status == 200, "{answer:?}");
                answer.status().is_ok()
            })
        })
        .await
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn metrics_come_over_tls_and_http_2_and_to_nobody_in_plain() {
    let folder = Folder::with_tls("");
    let (https, http, head) = folder
        .while_serving(|curl| (curl.https(&[]), curl.http(&[]), curl.https(&["--head"])))
        .await;
    assert_eq!(
        (https.status(), https.version.as_str()),
        (Ok(200), "2"),
        "{https:?}"
    );
    assert!(
        https.text.contains("aliyun_pca_exporter_build_info{"),
        "{https:?}"
    );
    assert!(http.status().is_err(), "{http:?}");
    assert_eq!(head.status(), Ok(200), "{head:?}");
    assert!(
        head.text.contains("content-length: ") && head.text.trim_end().lines().count() < 12,
        "{head:?}"
    );
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn http_2_can_be_switched_off() {
    let folder = Folder::with_tls("http_server_config: {http2: false}\n");
    let answer = folder.while_serving(|curl| curl.https(&["--http2"])).await;
    assert_eq!(
        (answer.status(), answer.version.as_str()),
        (Ok(200), "1.1"),
        "{answer:?}"
    );
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn a_client_that_trusts_another_ca_refuses_the_server() {
    let folder = Folder::with_tls("");
    folder.write("ca.pem", &Ca::new().pem);
    let answer = folder.while_serving(|curl| curl.https(&[])).await;
    // CURLE_PEER_FAILED_VERIFICATION.
    assert_eq!(answer.exit, 60, "{answer:?}");
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn certificate_and_key_may_stand_in_the_configuration_itself() {
    let folder = Folder::with_tls("");
    let inline = |name| {
        let text = std::fs::read_to_string(folder.path(name)).unwrap();
        text.replace('\n', "\n    ")
    };
    let yaml = format!(
        "tls_server_config:\n  cert: |\n    {}\n  key: |\n    {}\n",
        inline("server.pem"),
        inline("server.key")
    );
    folder.write("web.yaml", &yaml);
    let answer = folder.while_serving(|curl| curl.https(&[])).await;
    assert_eq!(answer.status(), Ok(200), "{answer:?}");
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn versions_suites_and_curves_are_those_that_are_allowed() {
    const OLD: [&str; 2] = ["--tls-max", "1.2"];
    let cases: [(&str, &[&str], bool); 10] = [
        ("", &OLD, true),
        ("  min_version: TLS13\n", &OLD, false),
        ("  min_version: TLS13\n", &["--tlsv1.3"], true),
        ("  max_version: TLS12\n", &["--tlsv1.3"], false),
        ("  max_version: TLS12\n", &OLD, true),
        (
            "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n",
            &["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            false,
        ),
        (
            "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n",
            &["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"],
            true,
        ),
        (
            "  min_version: TLS13\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
            &["--tls13-ciphers", "TLS_AES_256_GCM_SHA384"],
            false,
        ),
        (
            "  curve_preferences: [CurveP384]\n",
            &["--curves", "X25519"],
            false,
        ),
        ("  curve_preferences: [CurveP384]\n", &["--curves", "P-384"], true),
    ];
    for (more, arguments, works) in cases {
        let answer = Folder::with_tls(more)
            .while_serving(move |curl| curl.https(arguments))
            .await;
        assert_eq!(answer.status().is_ok(), works, "{more}{arguments:?}: {answer:?}");
    }
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn the_favourite_suite_is_the_servers_or_the_clients_as_configured() {
    let suites = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"];
    for (server_chooses, suite) in [(true, suites[0]), (false, suites[1])] {
        let more = format!(
            "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  \
             prefer_server_cipher_suites: {server_chooses}\n"
        );
        let answer = Folder::with_tls(&more)
            .while_serving(move |curl| {
                let clients = format!("{}:{}", suites[1], suites[0]);
                curl.https(&["--verbose", "--tls-max", "1.2", "--ciphers", &clients])
            })
            .await;
        let used = format!("SSL connection using TLSv1.2 / {suite}");
        assert!(answer.error.contains(&used), "{server_chooses}: {answer:?}");
    }
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn another_policy_for_the_same_certificates_is_in_force_at_the_next_handshake() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let folder = with_clients(
        "  client_auth_type: RequestClientCert\n  client_ca_file: clients.pem\n",
        &[],
    );
    let path = folder.path("web.yaml");
    let seen = folder
        .while_serving(move |curl| {
            let before = curl.https(&[]).status().is_ok();
            let yaml = std::fs::read_to_string(&path).unwrap();
            std::fs::write(
                &path,
                yaml.replace("RequestClientCert", "RequireAndVerifyClientCert"),
            )
            .unwrap();
            (
                before,
                curl.https(&[]).status().is_ok(),
                curl.https(&AS_CLIENT).status().is_ok(),
            )
        })
        .await;
    assert_eq!(seen, (true, false, true));
    assert_eq!(
        log.lines("has changed and is in force").len(),
        1,
        "{}",
        log.text()
    );
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn each_client_auth_type_lets_in_whom_it_should() {
    // Without a certificate, with a stranger's, with one of the CA.
    for (auth_type, expected) in [
        ("NoClientCert", [true, true, true]),
        ("RequestClientCert", [true, true, true]),
        ("RequireAnyClientCert", [false, true, true]),
        ("RequireClientCert", [false, true, true]),
        ("VerifyClientCertIfGiven", [true, false, true]),
        ("RequireAndVerifyClientCert", [false, false, true]),
    ] {
        let ca = match auth_type {
            "NoClientCert" => "",
            _ => "  client_ca_file: clients.pem\n",
        };
        for version in ["TLS12", "TLS13"] {
            let more = format!("  client_auth_type: {auth_type}\n  max_version: {version}\n{ca}");
            assert_eq!(who_gets_in(&more, &[]).await, expected, "{more}");
        }
    }
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn only_certificates_with_an_allowed_name_get_in() {
    let names = || {
        vec![
            dns("prometheus.example.org"),
            SanType::IpAddress([192, 0, 2, 1].into()),
            SanType::IpAddress("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().into()),
            SanType::Rfc822Name("pki@example.org".try_into().unwrap()),
            SanType::URI("spiffe://example.org/prometheus".try_into().unwrap()),
        ]
    };
    for (allowed, gets_in) in [
        ("prometheus.example.org", true),
        ("192.0.2.1", true),
        ("\"2001:db8::1\"", true),
        ("pki@example.org", true),
        ("spiffe://example.org/prometheus", true),
        ("other, prometheus.example.org", true),
        ("example.org", false),
        ("Prometheus.example.org", false),
        ("192.0.2.10", false),
    ] {
        let verified = format!(
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.pem\n  \
             client_allowed_sans: [{allowed}]\n"
        );
        assert_eq!(
            who_gets_in(&verified, &names()).await,
            [false, false, gets_in],
            "{allowed}"
        );
        let any = format!("  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [{allowed}]\n");
        assert_eq!(
            who_gets_in(&any, &names()).await,
            [false, gets_in, gets_in],
            "{allowed}"
        );
    }
    let nameless = "  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [a]\n";
    assert_eq!(who_gets_in(nameless, &[]).await, [false, false, false]);
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn a_key_that_hangs_is_told_of_and_is_served_with_once_it_can_be_read() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let folder = Folder::with_tls("");
    let key = folder.path("server.key");
    let is_served = folder
        .while_serving(move |curl| {
            let hanging = Hanging::new(&key);
            let meanwhile = [(); 2].map(|()| curl.https(&[]).status().is_ok());
            drop(hanging);
            (meanwhile, curl.https(&[]).status().is_ok())
        })
        .await;
    assert_eq!(is_served, ([false; 2], true));
    let broken = log.lines("TLS of the web configuration is broken");
    assert_eq!(broken.len(), 1, "{}", log.text());
    assert!(
        broken[0].contains("server.key cannot be read: nothing came within 5 s"),
        "{broken:?}"
    );
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn a_rotated_certificate_is_served_without_a_restart() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let folder = Folder::with_tls("");
    let (old, new) = (folder.path("ca.pem"), folder.path("new-ca.pem"));
    let ca = Ca::new();
    folder.write("new-ca.pem", &ca.pem);
    let files = (folder.path("server.pem"), folder.path("server.key"), ca.server());
    let trusting = move |curl: &Curl, ca: &std::path::Path| {
        let answer = curl.ask("https", "/metrics", &["--cacert", ca.to_str().unwrap()]);
        answer.status().is_ok()
    };
    let seen = folder
        .while_serving(move |curl| {
            let before = (trusting(curl, &old), trusting(curl, &new));
            // Between the two the key does not fit.
            std::fs::write(&files.0, &files.2.0).unwrap();
            let between = (trusting(curl, &old), trusting(curl, &new));
            let twice = trusting(curl, &old);
            std::fs::write(&files.1, &files.2.1).unwrap();
            let after = (trusting(curl, &old), trusting(curl, &new));
            [before, between, (twice, twice), after]
        })
        .await;
    assert_eq!(
        seen,
        [(true, false), (false, false), (false, false), (false, true)]
    );
    let broken = log.lines("TLS of the web configuration is broken");
    assert_eq!(broken.len(), 1, "{}", log.text());
    assert!(
        broken[0].contains("tls_server_config.key_file: is not the key of the certificate"),
        "{broken:?}"
    );
    assert_eq!(
        log.lines("TLS of the web configuration has changed").len(),
        1,
        "{}",
        log.text()
    );
}

#[tokio::test]
async fn a_handshake_that_is_never_ended_is_given_up() {
    let folder = Folder::with_tls("");
    let ended = folder
        .serve(async |address| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // The head of a TLS record, and no more.
            stream.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
            // From here on time passes as soon as nothing else happens.
            tokio::time::pause();
            let minute = Duration::from_secs(60);
            tokio::time::timeout(minute, stream.read_to_end(&mut Vec::new())).await
        })
        .await;
    ended.expect("closed within the minute").unwrap();
}

/// What a client trusts and shows, with the first protocol that it would speak.
fn client(folder: &Folder, certificate: Option<&str>, protocol: &[u8]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(folder.path("ca.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let certificate = CertificateDer::from_pem_file(folder.path(&format!("{name}.pem"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(folder.path(&format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn connect(connector: &TlsConnector, address: SocketAddr) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let connecting = connector.connect("localhost".try_into().unwrap(), stream);
    connecting.await.unwrap()
}

/// How the second connection of a client begins, once the first has had an answer.
async fn second_handshake(more: &str, certificate: Option<&str>) -> HandshakeKind {
    let folder = with_clients(more, &[]);
    let connector = client(&folder, certificate, b"http/1.1");
    folder
        .serve(async |address| {
            let mut first = connect(&connector, address).await;
            let question = b"GET /-/healthy HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            first.write_all(question).await.unwrap();
            // Tickets come with the answer.
            first.read_to_end(&mut Vec::new()).await.unwrap();
            let second = connect(&connector, address).await;
            second.get_ref().1.handshake_kind().unwrap()
        })
        .await
}

#[tokio::test]
async fn who_comes_back_is_asked_for_the_certificate_again() {
    assert_eq!(second_handshake("", None).await, HandshakeKind::Resumed);
    let verified = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.pem\n";
    for version in ["TLS12", "TLS13"] {
        let more = format!("{verified}  max_version: {version}\n");
        assert_eq!(second_handshake(&more, Some("client")).await, HandshakeKind::Full);
    }
}

/// The preface of RFC 9113, 3.4: the magic; settings are to follow.
const MAGIC: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test]
async fn an_http_2_connection_that_asks_for_nothing_is_closed() {
    let folder = Folder::with_tls("");
    let connector = client(&folder, None, b"h2");
    let ended = folder
        .serve(async |address| {
            let mut stream = connect(&connector, address).await;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let no_settings = b"\0\0\0\x04\0\0\0\0\0";
            stream.write_all(&[MAGIC, no_settings].concat()).await.unwrap();
            assert!(stream.read_u8().await.is_ok(), "the server's own settings");
            tokio::time::pause();
            let hour = Duration::from_secs(3600);
            // However it is closed.
            tokio::time::timeout(hour, stream.read_to_end(&mut Vec::new()))
                .await
                .map(drop)
        })
        .await;
    ended.expect("closed within the hour");
}

/// A frame of RFC 9113 that asks for a path on a stream and ends the request.
fn question(stream: u8, method: &str, path: &str) -> Vec<u8> {
    // RFC 7541: https as it stands in the static table, then texts under names that stand there.
    let mut head = vec![0x87];
    for (name, text) in [(0x02, method), (0x04, path), (0x01, "localhost")] {
        head.extend([name, u8::try_from(text.len()).unwrap()]);
        head.extend(text.as_bytes());
    }
    let length = u8::try_from(head.len()).unwrap();
    [&[0, 0, length, 1, 5, 0, 0, 0, stream], head.as_slice()].concat()
}

#[tokio::test]
async fn an_http_2_connection_that_never_reads_a_page_is_closed_whatever_else_it_asks() {
    let folder = Folder::with_tls("");
    let connector = client(&folder, None, b"h2");
    folder
        .serve(async |address| {
            let mut stream = connect(&connector, address).await;
            // SETTINGS_INITIAL_WINDOW_SIZE is 0: no byte of an answer may be sent.
            let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
            let page = question(1, "GET", "/metrics");
            stream
                .write_all(&[MAGIC, settings, &page].concat())
                .await
                .unwrap();
            assert!(stream.read_u8().await.is_ok(), "the server's own settings");
            tokio::time::pause();
            let mut answers = Vec::new();
            for number in (3..=61).step_by(2) {
                let pause = tokio::time::sleep(Duration::from_secs(5));
                let ended = tokio::select! {
                    read = stream.read_to_end(&mut answers) => { drop(read); true }
                    () = pause => false,
                };
                if ended || stream.write_all(&question(number, "HEAD", "/")).await.is_err() {
                    return;
                }
            }
            panic!("still there after two and a half minutes");
        })
        .await;
}

#[tokio::test]
async fn one_suite_that_works_with_the_key_is_enough_whatever_its_version() {
    const ECDSA: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    const RSA: &str = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    for more in [
        format!("  cipher_suites: [{RSA}, {ECDSA}]\n  max_version: TLS12\n"),
        format!("  cipher_suites: [{RSA}]\n"),
        format!("  cipher_suites: [{ECDSA}]\n  max_version: TLS12\n"),
        "  min_version: TLS13\n".to_owned(),
        "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  min_version: TLS13\n".to_owned(),
    ] {
        let folder = Folder::with_tls(&more);
        for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
            folder.put("server", &(certificate.pem(), key.serialize_pem()));
            assert_eq!(folder.gate().await.map(drop), Ok(()), "{more}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_in_a_file_is_told_with_the_line_that_names_it() {
    const VERIFIED: &str = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.pem\n";
    const NO_CERTIFICATE: &str = "holds no certificate as PEM text";
    let (_, other) = Ca::new().server();
    let cases = [
        ("", "server.pem", "CANARY", format!("web.yaml:2: tls_server_config.cert_file: {NO_CERTIFICATE}")),
        (
            "",
            "server.key",
            "-----BEGIN CANARY",
            "web.yaml:3: tls_server_config.key_file: holds no private key as PEM text; an encrypted one cannot be used"
                .to_owned(),
        ),
        (
            "",
            "server.key",
            &other,
            "web.yaml:3: tls_server_config.key_file: is not the key of the certificate".to_owned(),
        ),
        (
            "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n",
            "clients.pem",
            "",
            "web.yaml:3: tls_server_config.key_file: is a key of the kind ECDSA, with which none of the cipher_suites \
             works"
                .to_owned(),
        ),
        (
            VERIFIED,
            "server.pem",
            "",
            format!(
                "web.yaml:2: tls_server_config.cert_file: {NO_CERTIFICATE}\n\
                 web.yaml:5: tls_server_config.client_ca_file: {NO_CERTIFICATE}"
            ),
        ),
    ];
    for (more, spoilt, text, expected) in cases {
        let folder = Folder::with_tls(more);
        folder.write("clients.pem", "nothing");
        folder.write(spoilt, text);
        assert_eq!(folder.gate().await.unwrap_err(), expected);
    }
    let folder = Folder::with_tls("");
    std::fs::remove_file(folder.path("server.pem")).unwrap();
    let error = folder.gate().await.unwrap_err();
    let start = "web.yaml:2: tls_server_config.cert_file: server.pem cannot be read: ";
    assert!(error.starts_with(start), "{error}");
}
