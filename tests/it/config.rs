//! Configurations that load, and every kind that must not: each error with its path and line, none with a secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aliyun_pca_exporter::aliyun::credentials::{Provider, Session, Source};
use aliyun_pca_exporter::app::has_endpoint;
use aliyun_pca_exporter::config::{Account, Config, ConfigError, Plan};
use aliyun_pca_exporter::host::Files;
use aliyun_pca_exporter::model::Target;
use aliyun_pca_exporter::poll::Discovery;
use proptest::prelude::*;

use crate::support::yaml_cases;

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::load(
        Path::new("config.yaml"),
        &Files::memory([("config.yaml", text)]),
        has_endpoint,
    )
}

fn cases(folder: &str) -> Vec<(PathBuf, String)> {
    yaml_cases(&format!("config/{folder}"))
}

/// What a provider was told, each line after `indent`; those inside it are further in.
fn describe_provider(provider: &Provider, indent: &str) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{indent}{name} {value}\n")));
    };
    let text = |text: &Option<String>| text.as_ref().map(|text| format!("{text:?}"));
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let source = |source: &Source| match source {
        Source::Inline(secret) => format!("inline {:?}", secret.expose()),
        Source::File(path) => format!("in the file {}", path.display()),
        Source::Variable(name) => format!("in the variable {name}"),
    };
    match provider {
        Provider::AccessKey(key) => {
            line("id", Some(source(&key.access_key_id)));
            line("secret", Some(source(&key.access_key_secret)));
            line("token", key.security_token.as_ref().map(source));
        }
        Provider::Env => {}
        Provider::Profile(profile) => {
            line("profile", text(&profile.name));
            line("command line's file", path(&profile.cli_file));
            line("INI file", path(&profile.ini_file));
        }
        Provider::AssumeRole(role) => {
            line("role", Some(role.role_arn.clone()));
            line("external id", text(&role.external_id));
            lines.push(describe_session(&role.session, indent));
            lines.push(format!("{indent}over {}\n", role.source));
            lines.push(describe_provider(&role.source, &format!("{indent}  ")));
        }
        Provider::Oidc(oidc) => {
            line("role", oidc.role_arn.clone());
            line("identity provider", oidc.oidc_provider_arn.clone());
            line("token file", path(&oidc.oidc_token_file));
            lines.push(describe_session(&oidc.session, indent));
        }
        Provider::EcsMetadata(metadata) => {
            line("role", text(&metadata.role_name));
            line("endpoint", metadata.endpoint.as_ref().map(ToString::to_string));
            line("newer form only", Some(metadata.disable_imdsv1.to_string()));
        }
        Provider::Uri(uri) => line("uri", uri.uri.as_ref().map(|uri| format!("{:?}", uri.expose()))),
        Provider::Chain(_) if *provider == Provider::default_chain() => {}
        Provider::Chain(chain) => {
            for provider in chain.providers() {
                lines.push(format!("{indent}then {provider}\n"));
                lines.push(describe_provider(provider, &format!("{indent}  ")));
            }
        }
    }
    lines.concat()
}

fn describe_session(session: &Session, indent: &str) -> String {
    let parts = [
        session.name.as_ref().map(|name| format!("named {name:?}")),
        session
            .duration
            .map(|duration| format!("for {} s", duration.as_secs())),
        session
            .policy
            .as_ref()
            .map(|policy| format!("with the policy {policy:?}")),
        session
            .sts_endpoint
            .as_ref()
            .map(|endpoint| format!("from {endpoint}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("{indent}session {}\n", parts.join(", "))
}

/// An account as the `.means` files write it.
fn describe(account: &Account) -> String {
    let mut text = format!(
        "account {:?}: {} a second, {}, endpoint {}, {}\n",
        account.name.as_str(),
        account.requests_per_second,
        account.signature.as_str(),
        account
            .endpoint
            .as_ref()
            .map_or("of the region".to_owned(), ToString::to_string),
        account.credentials,
    );
    text += &describe_provider(&account.credentials, "  ");
    for target in &account.targets {
        assert_eq!(target.account, account.name);
        let Target {
            region, name, labels, ..
        } = target.as_ref();
        let shown = describe_shown(Some(region), name.as_ref(), labels);
        writeln!(text, "  {:?}{shown}", target.instance_id.as_str()).unwrap();
    }
    text += &account
        .discovery
        .as_ref()
        .map(describe_discovery)
        .unwrap_or_default();
    text
}

fn describe_discovery(discovery: &Discovery) -> String {
    let mut text = format!(
        "  finds by {} every {} s, forgets after {} s,{}\n",
        if discovery.list { "list" } else { "certificates" },
        discovery.interval.as_secs(),
        discovery.forget_after.as_secs(),
        describe_shown(Some(&discovery.region), None, &discovery.labels),
    );
    for pattern in &discovery.selection.include {
        writeln!(text, "    include {pattern}").unwrap();
    }
    for pattern in &discovery.selection.exclude {
        writeln!(text, "    exclude {pattern}").unwrap();
    }
    for certificate in &discovery.certificates {
        writeln!(text, "    certificate {:?}", certificate.as_str()).unwrap();
    }
    for rule in &discovery.rules {
        let shown = describe_shown(rule.region.as_ref(), rule.name.as_ref(), &rule.labels);
        writeln!(text, "    match {}{shown}", rule.pattern).unwrap();
    }
    text
}

/// What instances are shown as: ` in cn-hangzhou, named "CA", env="lab"`.
fn describe_shown(
    region: Option<&String>,
    name: Option<&String>,
    labels: &BTreeMap<String, String>,
) -> String {
    let mut text = String::new();
    if let Some(region) = region {
        write!(text, " in {region}").unwrap();
    }
    if let Some(name) = name {
        write!(text, ", named {name:?}").unwrap();
    }
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    let separator = if labels.is_empty() { "" } else { ", " };
    text + separator + &labels.join(" ")
}

#[test]
fn every_good_configuration_means_what_is_written_beside_it() {
    let cases = cases("good");
    assert!(!cases.is_empty());
    for (path, text) in cases {
        let files = Files::memory([("/etc/pca/config.yaml", text.as_str())]);
        let config = Config::load(Path::new("/etc/pca/config.yaml"), &files, has_endpoint)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (interval, timeout) = (config.poll.interval.as_secs(), config.poll.timeout.as_secs());
        let mut means = format!("poll every {interval} s, timeout {timeout} s\n");
        means.extend(config.accounts.iter().map(describe));
        let expected = std::fs::read_to_string(path.with_extension("means")).unwrap();
        assert_eq!(means, expected, "{}", path.display());
    }
}

#[test]
fn every_bad_configuration_says_what_is_wrong_and_where() {
    let cases = cases("bad");
    assert!(cases.len() >= 40);
    let mut wrong = Vec::new();
    for (path, text) in cases {
        let expected = std::fs::read_to_string(path.with_extension("expect")).unwrap();
        let found = load(&text).map_or_else(|error| format!("{error}\n"), |_| "it loads\n".to_owned());
        if found != expected {
            wrong.push(format!(
                "{}\nexpected:\n{expected}found:\n{found}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_error_repeats_a_secret_wherever_it_stands() {
    let mut with_secret = 0;
    for (path, text) in cases("bad") {
        let error = load(&text).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("CANARY"), "{}: {shown}", path.display());
        with_secret += usize::from(text.contains("CANARY"));
    }
    assert!(with_secret >= 15, "only {with_secret} cases hold a secret");
}

#[test]
fn a_loaded_configuration_does_not_show_its_secrets() {
    let config = load(
        "accounts:\n\
         - name: prod\n  \
           credentials: {access_key: {access_key_id: CANARY, access_key_secret: CANARY, security_token: CANARY}}\n  \
           instances: [{id: cas-member-1}]\n\
         - name: lab\n  \
           credentials: {uri: {uri: \"http://localhost/CANARY\"}}\n  \
           instances: [{id: cas-member-1}]\n",
    )
    .unwrap();
    let shown = format!("{config:?} {}", Plan::of(&config));
    assert!(!shown.contains("CANARY"), "{shown}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(
        Path::new("/etc/pca/config.yaml"),
        &Files::memory([]),
        has_endpoint,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "/etc/pca/config.yaml: cannot be read: entity not found"
    );
}

#[test]
fn a_file_that_is_not_utf_8_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, b"accounts:\n  - name: Z\xfcrich\n").unwrap();
    let error = Config::load(&path, &Files::disk(), has_endpoint)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("config.yaml: cannot be read: stream did not contain valid UTF-8"),
        "{error}"
    );
}

#[test]
fn of_very_many_errors_the_first_hundred_are_shown() {
    let text = "accounts:\n".to_owned() + &"  - {nmae: prod}\n".repeat(150);
    let error = load(&text).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 101);
    // Three errors an account: name and instances are missing, and one key is unknown; and from the second one on,
    // the default credentials are shared.
    assert_eq!(lines[100], "config.yaml:27: and 499 more errors from here on");
}

#[test]
fn thousands_of_instances_load() {
    let instances: Vec<_> = (0..5000)
        .map(|number| format!("      - {{id: cas-member-{number}, name: ca-{number}, labels: {{env: lab}}}}"))
        .collect();
    let text = format!(
        "accounts:\n  - name: prod\n    credentials: {{env: {{}}}}\n    instances:\n{}\n",
        instances.join("\n")
    );
    assert_eq!(load(&text).unwrap().accounts[0].targets.len(), 5000);
}

#[test]
fn the_example_loads_and_its_values_are_the_defaults() {
    let example = load(&std::fs::read_to_string("config.example.yaml").unwrap()).unwrap();
    let least =
        load("accounts: [{name: prod, discovery: {}, instances: [{id: cas-member-0hmi5678}]}]").unwrap();
    assert_eq!(example.poll, least.poll);
    let (shown, default) = (&example.accounts[0], &least.accounts[0]);
    assert_eq!(shown.requests_per_second, default.requests_per_second);
    assert_eq!(shown.signature, default.signature);
    assert_eq!(shown.credentials, default.credentials);
    assert_eq!(shown.targets[1].region, default.targets[0].region);
    let (shown, default) = (
        shown.discovery.as_ref().unwrap(),
        default.discovery.as_ref().unwrap(),
    );
    assert_eq!(shown.interval, default.interval);
    assert_eq!(shown.forget_after, default.forget_after);
}

#[test]
fn each_provider_of_the_example_loads_once_its_comment_is_taken_off() {
    let example = std::fs::read_to_string("config.example.yaml").unwrap();
    let mut in_words = Vec::new();
    // In the first account's credentials, settings in comments stand behind "# " and their keys deeper; sentences
    // begin with a capital or are no `key:`.
    let (_, credentials) = example.split_once("\n    credentials:\n").unwrap();
    let (credentials, _) = credentials.split_once("\n    # Labels").unwrap();
    let lines: Vec<_> = credentials
        .lines()
        .filter_map(|line| line.strip_prefix("      # "))
        .collect();
    for (index, line) in lines.iter().enumerate() {
        let is_key = |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let key = line.split_once(':').map(|(key, _)| key);
        if !key.is_some_and(is_key) {
            continue;
        }
        let keys = lines[index + 1..]
            .iter()
            .take_while(|line| line.starts_with("  "));
        let block: Vec<_> = [line].into_iter().chain(keys).copied().collect();
        let block = format!("      {}\n", block.join("\n      "));
        let config = load(&format!(
            "accounts:\n  - name: prod\n    instances: [{{id: a}}]\n    credentials:\n{block}"
        ))
        .unwrap_or_else(|error| panic!("{error}\n{block}"));
        in_words.push(config.accounts[0].credentials.to_string());
    }
    assert_eq!(
        in_words,
        [
            "env",
            "profile",
            "assume_role over env",
            "oidc",
            "ecs_metadata",
            "uri",
            "chain (env, ecs_metadata)"
        ]
    );
}

fn plan(interval: &str, accounts: &[(&str, u8, usize)]) -> Plan {
    let mut text = format!("poll: {{interval: {interval}}}\naccounts:\n");
    for (name, requests_per_second, instances) in accounts {
        let ids: Vec<_> = (0..*instances)
            .map(|id| format!("{{id: cas-member-{id}}}"))
            .collect();
        let ids = ids.join(", ");
        write!(
            text,
            "  - name: {name}\n    requests_per_second: {requests_per_second}\n    instances: [{ids}]\n    \
             credentials: {{access_key: {{access_key_id_env: {name}_ID, access_key_secret_env: {name}_SECRET}}}}\n"
        )
        .unwrap();
    }
    Plan::of(&load(&text).unwrap())
}

#[test]
fn a_plan_that_fits_says_so() {
    let config = load(
        "accounts:\n\
         - name: prod\n  \
           credentials: {env: {}}\n  \
           endpoint: http://127.0.0.1:8080\n  \
           instances: [{id: a}, {id: b, region: eu-central-1}, {id: c}]\n",
    )
    .unwrap();
    let plan = Plan::of(&config);
    assert!(plan.fits());
    // 3 calls in 300 s are 0.01 a second; 5 slots / 1.1 s are 4.5454…; 3 * 1.1 s of 5 * 300 s are 0.22 %.
    assert_eq!(
        plan.to_string(),
        "3 instances in 1 account, each asked every 5m with a timeout of 10s\n\
         \n\
         account prod\n\
         \x20 instances    2 in cn-hangzhou, 1 in eu-central-1\n\
         \x20 endpoint     http://127.0.0.1:8080\n\
         \x20 credentials  env\n\
         \x20 signature    acs3-hmac-sha256\n\
         \x20 asks for     0.010 calls a second: 3 instances every 5m\n\
         \x20 budget       4.545 calls a second: 5 slots, each held for 1 s and 0.1 s of latency\n\
         \x20 fits         yes, it takes 1 % of the budget\n"
    );
}

/// The lines of a plan that begin with this name.
fn lines<'p>(plan: &'p str, name: &str) -> Vec<&'p str> {
    let lines = plan.lines().map(str::trim_start);
    lines.filter(|line| line.starts_with(name)).collect()
}

#[test]
fn a_plan_says_how_instances_are_found() {
    let config = load(
        "accounts:\n\
         - name: all\n  \
           credentials: {env: {}}\n  \
           discovery: {include: [\"cas-member-*\", \"cas_*\"], exclude: [\"*-test\"], forget_after: 7d}\n  \
           certificates: [{identifier: a}, {identifier: b}]\n\
         - name: listing\n  \
           credentials: {access_key: {access_key_id_env: A, access_key_secret_env: B}}\n  \
           discovery: {interval: 30m, forget_after: 90m}\n\
         - name: looking-up\n  \
           credentials: {access_key: {access_key_id_env: C, access_key_secret_env: D}}\n  \
           certificates: [{identifier: a}]\n\
         - name: neither\n  \
           credentials: {access_key: {access_key_id_env: E, access_key_secret_env: F}}\n  \
           instances: [{id: a}]\n",
    )
    .unwrap();
    let plan = Plan::of(&config).to_string();
    assert_eq!(
        lines(&plan, "discovery "),
        [
            "discovery    every 1h, include cas-member-* or cas_*, exclude *-test, forgotten after 7d",
            "discovery    every 30m, forgotten after 1h30m",
        ]
    );
    assert_eq!(
        lines(&plan, "certificates "),
        [
            "certificates 2 looked up every 1h",
            "certificates 1 looked up every 1h"
        ]
    );
}

#[test]
fn a_plan_counts_the_listed_instances_alone_and_says_so() {
    let config = load(
        "poll: {interval: 1s, timeout: 1s}\n\
         accounts:\n\
         - name: none\n  \
           credentials: {env: {}}\n  \
           discovery: {}\n  \
           instances: [{match: \"*\", name: CA}]\n\
         - name: two\n  \
           requests_per_second: 1\n  \
           credentials: {access_key: {access_key_id_env: A, access_key_secret_env: B}}\n  \
           certificates: [{identifier: a}]\n  \
           instances: [{id: a}, {id: b}]\n\
         - name: one\n  \
           requests_per_second: 10\n  \
           credentials: {access_key: {access_key_id_env: C, access_key_secret_env: D}}\n  \
           instances: [{id: a}]\n",
    )
    .unwrap();
    let plan = Plan::of(&config).to_string();
    let (first, _) = plan.split_once('\n').unwrap();
    assert_eq!(
        first,
        "3 instances and what is found in 3 accounts, each asked every 1s with a timeout of 1s"
    );
    assert_eq!(
        lines(&plan, "instances "),
        [
            "instances    none listed",
            "instances    2 in cn-hangzhou",
            "instances    1 in cn-hangzhou"
        ]
    );
    assert_eq!(
        lines(&plan, "asks for "),
        [
            "asks for     0 calls a second: 0 instances every 1s, and what is found",
            "asks for     2.000 calls a second: 2 instances every 1s, and what is found",
            "asks for     1.000 calls a second: 1 instance every 1s",
        ]
    );
    // Two calls of 1.1 s each in one slot take 2.2 s of every second; one in ten slots 0.11 s.
    assert_eq!(
        lines(&plan, "fits "),
        [
            "fits         yes, what is listed takes 0 % of the budget",
            "fits         NO, what is listed takes 220 % of the budget",
            "fits         yes, it takes 11 % of the budget",
        ]
    );
}

#[test]
fn a_plan_that_does_not_fit_says_what_comes_out_and_what_would_fit() {
    let plan = plan("5m", &[("small", 5, 1), ("large", 5, 2000)]);
    assert!(!plan.fits());
    // 2000 * 1.1 s = 2200 s of work, of which 5 slots do 1500 s in 300 s: 146.7 %, and all of it in 440 s;
    // 2200 / 300 = 7.3 slots do it in time; 1500 / 1.1 = 1363.6 instances fit.
    let text = plan.to_string();
    let large = text.split_once("account large\n").unwrap().1;
    assert_eq!(
        large,
        "  instances    2000 in cn-hangzhou\n\
         \x20 endpoint     the region's\n\
         \x20 credentials  access_key\n\
         \x20 signature    acs3-hmac-sha256\n\
         \x20 asks for     6.666 calls a second: 2000 instances every 5m\n\
         \x20 budget       4.545 calls a second: 5 slots, each held for 1 s and 0.1 s of latency\n\
         \x20 fits         NO, it takes 147 % of the budget\n\
         \x20              each instance will be asked about every 7m20s instead of every 5m\n\
         \x20 to fit       set poll.interval: 7m20s or longer, or requests_per_second: 8 or more\n\
         \x20              or list at most 1363 instances under this account\n\
         \n\
         WARNING: over the budget: large. The exporter runs all the same, and asks these instances less\n\
         often than configured.\n"
    );
}

#[test]
fn a_budget_that_the_api_does_not_grant_is_not_suggested() {
    // 4000 * 1.1 s in 300 s would take 14.7 slots; the API grants 10.
    let text = plan("5m", &[("huge", 10, 4000)]).to_string();
    assert!(
        text.contains("\n  to fit       set poll.interval: 7m20s or longer\n"),
        "{text}"
    );
}

#[test]
fn a_budget_that_is_used_up_to_the_last_call_fits() {
    // 100 * 1.1 s are 10 slots for 11 s.
    assert!(plan("11s", &[("full", 10, 100)]).fits());
    assert!(!plan("11s", &[("over", 10, 101)]).fits());
}

/// A configuration with secrets, and lines that can be cut up without making a label's name of one.
const SECRETS: &str = "\
poll:
  interval: 5m
accounts:
  - name: prod
    region: cn-hangzhou
    credentials:
      access_key: {
        access_key_id: LTAI5tCANARY, access_key_secret: CANARY3x4mple,
        security_token: 'CANARY+/=' }
    instances:
      - id: cas-member-1
";

/// The text with a few characters taken out or put in that mean something in YAML.
pub(crate) fn edits(text: &'static str) -> impl Strategy<Value = String> {
    let character = prop::sample::select(":{}[],-#&*!|>'\"%@` \t\n?~<".chars().collect::<Vec<_>>());
    let edit = (0..text.len(), 0..4_usize, prop::option::of(character));
    prop::collection::vec(edit, 1..4).prop_map(move |edits| {
        let mut text: Vec<char> = text.chars().collect();
        for (at, removed, added) in edits {
            let at = at.min(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, added);
        }
        text.into_iter().collect()
    })
}

fn errors_of(text: &str) -> Vec<aliyun_pca_exporter::yaml::Error> {
    match load(text) {
        Err(ConfigError::Invalid { errors, .. }) => errors,
        Err(error) => panic!("{error}"),
        Ok(_) => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_the_text_each_error_has_a_line_of_it(
        text in prop_oneof![any::<String>(), "(accounts:|poll:|name|[ab01]|[-:,#&*!|>'\"%@`?~<{}\\[\\]] ?|\n *|\t){0,40}"],
    ) {
        let errors = errors_of(&text);
        prop_assert!(!errors.is_empty());
        for error in errors {
            // YAML 1.1 has more line breaks than \n, and the end of the text may be meant.
            let lines = text.matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 1;
            prop_assert!((1..=lines + 1).contains(&error.line), "{error}");
        }
    }

    #[test]
    fn whatever_is_done_to_a_configuration_no_error_repeats_a_secret(text in edits(SECRETS)) {
        for error in errors_of(&text) {
            prop_assert!(!error.to_string().contains("CANARY"), "{error}\n{text}");
            prop_assert!((1..=text.lines().count() + 1).contains(&error.line), "{error}\n{text}");
        }
    }
}
