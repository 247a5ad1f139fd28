//! Users, headers, the rate limit, and a web configuration that changes while it is in force, against real `curl`.

use aliyun_pca_exporter::cli::LogLevel;

use super::curl::{Answer, Curl, Folder};
use crate::support::log::Log;

// The passwords are "CorrectHorse" and "BatteryStaple", hashed by crypt(3) of libxcrypt.
const ALICE: &str = "alice: $2y$04$abcdefghijklmnopqrstuunsvw4Mcwbxx01shGbpAh9ZzmXQBZ9ny";
const BOB: &str = "bob: $2b$04$ABCDEFGHIJKLMNOPQRSTUuc/6VCRep22nZdC2iED6PiViPfkyuvBi";

const AS_ALICE: [&str; 2] = ["--user", "alice:CorrectHorse"];

fn statuses<const N: usize>(curl: &Curl, logins: [&[&str]; N]) -> [u16; N] {
    logins.map(|login| curl.http(login).status)
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn only_users_with_their_passwords_are_let_in() {
    let folder = Folder::with(&format!("basic_auth_users:\n  {ALICE}\n  {BOB}\n"));
    let (seen, refusal) = folder
        .while_serving(|curl| {
            let seen = statuses(
                curl,
                [
                    &AS_ALICE,
                    &AS_ALICE,
                    &["--user", "bob:BatteryStaple"],
                    &["--user", "bob:CorrectHorse"],
                    &["--user", "carol:CorrectHorse"],
                    &["--user", "alice:"],
                    &["--oauth2-bearer", "CorrectHorse"],
                    &[],
                ],
            );
            (seen, curl.http(&[]))
        })
        .await;
    assert_eq!(seen, [200, 200, 200, 401, 401, 401, 401, 401]);
    assert!(
        refusal.text.lines().any(|line| line == "www-authenticate: basic"),
        "{refusal:?}"
    );
    assert!(refusal.text.ends_with("\n\nUnauthorized.\n"), "{refusal:?}");
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn no_path_is_open_to_strangers() {
    let folder = Folder::with(&format!("basic_auth_users:\n  {ALICE}\n"));
    let seen = folder
        .while_serving(|curl| {
            ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"]
                .map(|path| curl.ask("http", path, &[]).status)
        })
        .await;
    assert_eq!(seen, [401; 5]);
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn users_come_over_tls_and_http_2_too() {
    let folder = Folder::with_tls(&format!("basic_auth_users:\n  {ALICE}\n"));
    let (stranger, alice) = folder
        .while_serving(|curl| (curl.https(&[]), curl.https(&AS_ALICE)))
        .await;
    assert_eq!((stranger.status(), alice.status()), (Ok(401), Ok(200)));
    assert_eq!(alice.version, "2");
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn the_configured_headers_are_on_every_answer() {
    let folder = Folder::with(&format!(
        "http_server_config:\n  headers:\n    \
           Content-Security-Policy: default-src 'none'\n    \
           Strict-Transport-Security: max-age=600\n    \
           X-Content-Type-Options: nosniff\n    \
           X-Frame-Options: deny\n    \
           X-XSS-Protection: 1; mode=block\n\
         basic_auth_users:\n  {ALICE}\n"
    ));
    let answers = folder
        .while_serving(|curl| {
            ["/", "/metrics", "/nothing"]
                .map(|path| curl.ask("http", path, &AS_ALICE))
                .into_iter()
                .chain([curl.http(&[])])
                .collect::<Vec<_>>()
        })
        .await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 404, 401]);
    // The status page has a policy of its own, which stays.
    let policies = |answer: &Answer| answer.text.matches("\ncontent-security-policy: ").count();
    assert_eq!(answers.iter().map(policies).collect::<Vec<_>>(), [2, 1, 1, 1]);
    for answer in answers {
        for header in [
            "content-security-policy: default-src 'none'",
            "strict-transport-security: max-age=600",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "x-xss-protection: 1; mode=block",
        ] {
            let found = answer.text.lines().filter(|line| *line == header).count();
            assert_eq!(found, 1, "{header}: {answer:?}");
        }
    }
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn the_rate_limit_comes_before_the_login() {
    let folder = Folder::with(&format!(
        "rate_limit: {{interval: 1h, burst: 3}}\nbasic_auth_users:\n  {ALICE}\n"
    ));
    let seen = folder
        .while_serving(|curl| statuses(curl, [&[], &AS_ALICE, &[], &[], &AS_ALICE]))
        .await;
    assert_eq!(seen, [401, 200, 401, 429, 429]);
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn users_come_and_go_without_a_restart() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let folder = Folder::with("{}\n");
    let path = folder.path("web.yaml");
    let seen = folder
        .while_serving(move |curl| {
            let mut seen = vec![statuses(curl, [&[], &AS_ALICE])];
            for user in [ALICE, BOB, ALICE] {
                std::fs::write(&path, format!("basic_auth_users:\n  {user}\n")).unwrap();
                seen.push(statuses(curl, [&[], &AS_ALICE]));
            }
            seen
        })
        .await;
    assert_eq!(seen, [[200, 200], [401, 200], [401, 401], [401, 200]]);
    let lines = log.lines("the web configuration has changed and is in force");
    assert_eq!(lines.len(), 3, "{}", log.text());
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn a_broken_file_lets_nobody_in_until_it_is_mended() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let whole = format!("basic_auth_users:\n  {ALICE}\n");
    let folder = Folder::with(&whole);
    let path = folder.path("web.yaml");
    let seen = folder
        .while_serving(move |curl| {
            let mut seen = vec![statuses(curl, [&[], &AS_ALICE])];
            // The last of them is what a file is for a moment while it is written anew.
            for broken in ["basic_auth_users:\n  alice: CANARY\n", ""] {
                std::fs::write(&path, broken).unwrap();
                seen.push(statuses(curl, [&[], &AS_ALICE]));
            }
            std::fs::remove_file(&path).unwrap();
            seen.push(statuses(curl, [&[], &AS_ALICE]));
            std::fs::write(&path, &whole).unwrap();
            seen.push(statuses(curl, [&[], &AS_ALICE]));
            seen
        })
        .await;
    assert_eq!(seen, [[401, 200], [500, 500], [500, 500], [500, 500], [401, 200]]);
    let lines = log.lines("the web configuration is broken");
    assert_eq!(lines.len(), 3, "{}", log.text());
    for (line, cause) in lines.iter().zip([
        "web.yaml:2: basic_auth_users.alice: must be a bcrypt hash",
        "web.yaml: there is nothing in it; write {} to switch everything off",
        "web.yaml: cannot be read: ",
    ]) {
        assert!(
            line.contains(cause) && line.contains("level=error"),
            "{cause}: {line}"
        );
    }
    assert_eq!(
        log.lines("has changed and is in force").len(),
        1,
        "{}",
        log.text()
    );
    assert!(!log.text().contains("CANARY"), "{}", log.text());
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn tls_is_not_switched_off_by_a_change_of_the_file() {
    let (log, _guard) = Log::capture(LogLevel::Info);
    let folder = Folder::with_tls("");
    let path = folder.path("web.yaml");
    let (https, http) = folder
        .while_serving(move |curl| {
            std::fs::write(&path, "{}\n").unwrap();
            (curl.https(&[]), curl.http(&[]))
        })
        .await;
    assert!(
        https.status().is_err() && http.status().is_err(),
        "{https:?} {http:?}"
    );
    assert_eq!(log.lines("tls_server_config is gone").len(), 1, "{}", log.text());
}

#[tokio::test]
#[ignore = "needs curl, see tests/run"]
async fn tls_is_not_switched_on_by_a_change_of_the_file() {
    let folder = Folder::with_tls("");
    let (path, tls) = (
        folder.path("web.yaml"),
        std::fs::read_to_string(folder.path("web.yaml")).unwrap(),
    );
    folder.write("web.yaml", "");
    let seen = folder
        .while_serving(move |curl| {
            let before = curl.http(&[]).status;
            std::fs::write(&path, tls).unwrap();
            (before, curl.http(&[]).status)
        })
        .await;
    assert_eq!(seen, (200, 500));
}
