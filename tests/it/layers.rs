//! Holds the table of modules below: which module may use which. The text of the sources is enough for that, since
//! they name other modules as `crate::module` and in no other way.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module, and what it may use of ours.
const TABLE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("secret", &[]),
    ("yaml", &[]),
    ("host", &["model"]),
    ("telemetry", &["model"]),
    ("store", &["host", "model"]),
    ("aliyun", &["host", "model", "secret", "telemetry"]),
    ("pca", &["aliyun", "model"]),
    ("poll", &["pca", "aliyun", "host", "model", "store", "telemetry"]),
    ("exposition", &["host", "model", "store", "telemetry"]),
    (
        "web",
        &[
            "exposition",
            "host",
            "model",
            "secret",
            "store",
            "telemetry",
            "yaml",
        ],
    ),
    (
        "config",
        &["aliyun", "host", "model", "poll", "secret", "web", "yaml"],
    ),
    ("simulator", &["aliyun", "host", "model", "secret"]),
    (
        "app",
        &[
            "model",
            "secret",
            "yaml",
            "host",
            "telemetry",
            "store",
            "aliyun",
            "pca",
            "poll",
            "exposition",
            "web",
            "config",
            "cli",
        ],
    ),
    ("cli", &["app"]),
    ("main", &["app", "cli"]),
];

/// The most lines of code in one file, its tests left out.
const LONGEST: usize = 300;

/// Everything that is wrong with one source file, whose path is relative to `src`.
fn faults(path: &str, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    if !source.starts_with("//!") {
        faults.push(format!("{path}: does not open with what it is for (`//!`)"));
    }
    let lines = code.lines().count();
    if lines > LONGEST {
        faults.push(format!(
            "{path}: {lines} lines before its tests, more than {LONGEST}"
        ));
    }
    let first = path.split('/').next().unwrap_or_default();
    let module = first.strip_suffix(".rs").unwrap_or(first);
    if module == "lib" || module == "bin" {
        // The root names every module, and the other binaries may use anything.
        return faults;
    }
    for hidden in ["crate::{", "super::super", "super::{super", "crate::*"] {
        if code.contains(hidden) {
            faults.push(format!("{path}: `{hidden}` hides which module is meant"));
        }
    }
    // In a module's own root file `super` is the crate.
    let nested = path.contains('/') && !path.ends_with(&format!("{module}/mod.rs"));
    if !nested && code.contains("super::") {
        faults.push(format!("{path}: `super::` here is the crate; write `crate::`"));
    }
    if module != "yaml" && code.contains("serde_yaml") {
        faults.push(format!("{path}: only `yaml` names the library that reads YAML"));
    }
    if module == "simulator"
        && code.matches("crate::aliyun").count() > code.matches("crate::aliyun::sign").count()
    {
        faults.push(format!(
            "{path}: the cloud's side shares nothing of `aliyun` but `sign`"
        ));
    }
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == module) else {
        faults.push(format!("{path}: the table has no module `{module}`"));
        return faults;
    };
    for used in modules_named(code) {
        if used != module && !allowed.contains(&used) {
            faults.push(format!("{path}: `{module}` may not use `{used}`"));
        }
    }
    faults
}

/// The modules of ours that a text names.
fn modules_named(code: &str) -> BTreeSet<&str> {
    let roots = ["crate::", "aliyun_pca_exporter::"];
    let parts = roots.into_iter().flat_map(|root| code.split(root).skip(1));
    let names = parts.map(|part| {
        let end = part.find(|found: char| !found.is_ascii_lowercase() && found != '_');
        &part[..end.unwrap_or(part.len())]
    });
    names.filter(|name| !name.is_empty()).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_source_keeps_to_the_module_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.contains(&root.join("host/mod.rs")), "{files:?}");
    let mut all = Vec::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap();
        all.extend(faults(path, &std::fs::read_to_string(&file).unwrap()));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_source_that_breaks_a_rule_is_named_with_the_rule() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(LONGEST));
    let broken = [
        (
            "store.rs",
            "use crate::model::A;",
            "does not open with what it is for",
        ),
        ("store.rs", &long, "301 lines before its tests"),
        (
            "store.rs",
            "//! A.\nuse crate::web::Site;",
            "`store` may not use `web`",
        ),
        (
            "web/routes.rs",
            "//! A.\nfn f(_: crate::config::C) {}",
            "`web` may not use `config`",
        ),
        (
            "web/routes.rs",
            "//! A.\npub(in crate::poll) fn f() {}",
            "`web` may not use `poll`",
        ),
        (
            "app/mod.rs",
            "//! A.\nuse crate::simulator::World;",
            "`app` may not use `simulator`",
        ),
        (
            "main.rs",
            "//! A.\nuse aliyun_pca_exporter::poll::X;",
            "`main` may not use `poll`",
        ),
        ("store.rs", "//! A.\nuse crate::{model, web};", "`crate::{` hides"),
        ("store.rs", "//! A.\nuse crate::*;", "`crate::*` hides"),
        (
            "web/a/b.rs",
            "//! A.\nuse super::super::x;",
            "`super::super` hides",
        ),
        (
            "web/a/b.rs",
            "//! A.\nuse super::{super::x};",
            "`super::{super` hides",
        ),
        (
            "store.rs",
            "//! A.\nuse super::web;",
            "`super::` here is the crate",
        ),
        (
            "web/mod.rs",
            "//! A.\nuse super::config;",
            "`super::` here is the crate",
        ),
        ("util.rs", "//! A.\n", "has no module `util`"),
        (
            "config/mod.rs",
            "//! A.\nuse serde_yaml::Value;",
            "only `yaml` names the library",
        ),
        (
            "simulator/call.rs",
            "//! A.\nuse crate::aliyun::client::Client;",
            "shares nothing of `aliyun` but `sign`",
        ),
    ];
    for (path, source, fault) in broken {
        let found = faults(path, source);
        assert_eq!(found.len(), 1, "{path} {source:.40}: {found:?}");
        assert!(
            found[0].starts_with(&format!("{path}: ")) && found[0].contains(fault),
            "{found:?}"
        );
    }
}

#[test]
fn a_source_that_keeps_the_rules_has_no_fault() {
    let tests = format!(
        "//! A.\n#[cfg(test)]\nmod tests {{\nuse crate::web::X;\n{}}}",
        "\n".repeat(LONGEST)
    );
    let kept = [
        (
            "store.rs",
            "//! A.\nuse crate::model::A;\nuse crate::host;\nuse crate::store::B;",
        ),
        (
            "web/a/b.rs",
            "//! A.\nuse super::listen::X;\npub(crate) fn f() {}",
        ),
        ("lib.rs", "//! A.\npub mod model;"),
        (
            "bin/demo.rs",
            "//! A.\nuse aliyun_pca_exporter::simulator::World;",
        ),
        ("store.rs", &tests),
    ];
    for (path, source) in kept {
        assert_eq!(faults(path, source), Vec::<String>::new(), "{path}");
    }
}
