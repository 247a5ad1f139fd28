//! docs/credentials.md against the code: its configurations load, its JSON is JSON, its errors are those of the sources.

use std::path::Path;

use aliyun_pca_exporter::app::has_endpoint;
use aliyun_pca_exporter::config::Config;
use aliyun_pca_exporter::host::Files;

use crate::support::blocks;

fn page() -> String {
    std::fs::read_to_string("docs/credentials.md").unwrap()
}

/// The sources of the providers, their texts as the page writes them: in one line each, constants filled in, `…` for
/// whatever is not known before.
fn sources() -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir("src/aliyun/credentials").unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut parts = source.split("\\\n");
        let mut text = parts.next().unwrap().to_owned();
        parts.for_each(|part| text += part.trim_start());
        let constants = source
            .lines()
            .filter_map(|line| line.split_once("const ")?.1.split_once(": &str = \""));
        for (name, value) in constants {
            text = text.replace(&format!("{{{name}}}"), value.trim_end_matches("\";"));
        }
        let mut parts = text.split('{');
        all += parts.next().unwrap();
        for part in parts {
            let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            match part.split_once('}').filter(|(name, _)| is_name(name)) {
                Some((_, rest)) => all.extend(["…", rest]),
                None => all.extend(["{", part]),
            }
        }
    }
    all
}

#[test]
fn every_configuration_of_the_page_loads() {
    let configurations: Vec<_> = blocks(&page(), "yaml")
        .into_iter()
        .filter(|block| block.starts_with("# config.yaml\n"))
        .collect();
    let mut providers = Vec::new();
    for text in &configurations {
        let files = Files::memory([("config.yaml", text.as_str())]);
        let config = Config::load(Path::new("config.yaml"), &files, has_endpoint)
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        providers.push(config.accounts[0].credentials.name());
    }
    for provider in [
        "access_key",
        "env",
        "profile",
        "assume_role",
        "oidc",
        "ecs_metadata",
        "uri",
        "chain",
    ] {
        assert!(providers.contains(&provider), "no example of {provider}");
    }
}

#[test]
fn every_json_of_the_page_is_json() {
    let blocks = blocks(&page(), "json");
    assert!(blocks.len() >= 5, "{}", blocks.len());
    for text in blocks {
        let read = serde_json::from_str::<serde_json::Value>(&text);
        assert!(read.is_ok_and(|json| json.is_object()), "{text}");
    }
}

#[test]
fn every_error_of_the_page_is_one_of_the_code() {
    let (page, sources) = (page(), sources());
    let (_, table) = page.split_once("| error | what to do |\n|---|---|\n").unwrap();
    let rows: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 30, "{}", rows.len());
    for row in rows {
        let cell = row.split(" | ").next().unwrap();
        let errors: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!errors.is_empty(), "{row}");
        for error in errors {
            assert!(sources.contains(&format!("\"{error}\"")), "{error}");
        }
    }
}
