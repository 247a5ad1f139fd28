//! docs/configuration.md, made from the shape of the file and its comments, which are held against the program: the keys
//! are those that it knows, and what is said to be required, a default or a limit is.

use std::collections::BTreeSet;
use std::path::Path;

use aliyun_pca_exporter::app::has_endpoint;
use aliyun_pca_exporter::config::{Config, ConfigError};
use aliyun_pca_exporter::host::Files;
use serde_yaml::Value;

use crate::support::page::{is_current, table};

/// A `shape!` of the source.
#[derive(Clone, Debug)]
struct Shape {
    name: String,
    meaning: String,
    keys: Vec<Key>,
}

/// A field of a shape, and what its comment says.
#[derive(Clone, Debug)]
struct Key {
    name: String,
    kind: String,
    meaning: String,
    required: Option<String>,
    default: Option<String>,
    range: Option<String>,
}

/// A shape at its place in the file, such as `accounts[].discovery`; the whole file has none.
#[derive(Clone, Debug)]
struct Section {
    path: String,
    shape: Shape,
}

impl Shape {
    fn all() -> Vec<Self> {
        let source = std::fs::read_to_string("src/config/file.rs").unwrap();
        source.split("\nshape! {\n").skip(1).map(Self::read).collect()
    }

    fn read(source: &str) -> Self {
        let (body, _) = source.split_once("\n}").unwrap();
        let (mut name, mut meaning, mut comment, mut keys) =
            (String::new(), String::new(), Vec::new(), Vec::new());
        for line in body.lines().map(str::trim) {
            if let Some(words) = line.strip_prefix("/// ") {
                comment.push(words);
            } else if let Some(opened) = line.strip_suffix(" {") {
                opened.clone_into(&mut name);
                meaning = std::mem::take(&mut comment).join(" ");
            } else if let Some((key, kind)) = line.strip_suffix(',').and_then(|line| line.split_once(": ")) {
                keys.push(Key::read(key, kind, &std::mem::take(&mut comment)));
            } else {
                assert_eq!(line, "}", "{source}");
            }
        }
        Self { name, meaning, keys }
    }
}

impl Key {
    fn read(name: &str, kind: &str, comment: &[&str]) -> Self {
        let after = |start: &str| {
            comment
                .iter()
                .find_map(|line| line.strip_prefix(start))
                .map(str::to_owned)
        };
        let is_meaning = |line: &&&str| {
            let marks = ["Required", "Default: ", "Range: "];
            !marks.iter().any(|mark| line.starts_with(mark))
        };
        let meaning: Vec<_> = comment.iter().filter(is_meaning).copied().collect();
        Self {
            name: name.trim_start_matches("r#").to_owned(),
            kind: kind.replace("Box<Credentials>", "Credentials"),
            meaning: meaning.join(" "),
            required: after("Required").map(|when| format!("required{}", when.trim_end_matches('.'))),
            default: after("Default: "),
            range: after("Range: "),
        }
    }

    /// The type in the words of the page.
    fn kind(&self) -> String {
        let words = match self.kind.as_str() {
            "Span" => "duration",
            "String" => "text",
            "Secret" => "text, secret",
            "u64" => "whole number",
            "bool" => "`true` or `false`",
            "NoKeys" => "`{}`",
            "Map<String>" => "map of texts",
            "List<String>" => "list of texts",
            "Credentials" => "a provider",
            "List<Credentials>" => "list of providers",
            list if list.starts_with("List<") => "list of maps",
            _ => "map",
        };
        words.to_owned()
    }

    fn row(&self) -> [String; 5] {
        let default = self.required.clone().or(self.default.clone()).unwrap_or_default();
        [
            format!("`{}`", self.name),
            self.kind(),
            default,
            self.range.clone().unwrap_or_default(),
            self.meaning.clone(),
        ]
    }

    /// What the comment has in backticks after `mark`, as YAML.
    fn quoted(text: &str) -> Vec<Value> {
        let quoted = text.split('`').skip(1).step_by(2);
        quoted.map(|text| serde_yaml::from_str(text).unwrap()).collect()
    }
}

impl Section {
    /// Every section, in the order of the file. A shape inside itself, as providers are, is told once.
    fn all() -> Vec<Self> {
        let (mut shapes, mut sections) = (Shape::all(), Vec::new());
        Self::walk("File", "", &mut shapes, &mut sections);
        assert!(shapes.is_empty(), "not reached: {shapes:?}");
        sections
    }

    fn walk(name: &str, path: &str, shapes: &mut Vec<Shape>, sections: &mut Vec<Self>) {
        let Some(index) = shapes.iter().position(|shape| shape.name == name) else {
            return;
        };
        let shape = shapes.remove(index);
        let keys = shape.keys.clone();
        sections.push(Self {
            path: path.to_owned(),
            shape,
        });
        for key in keys {
            let dot = if path.is_empty() { "" } else { "." };
            let item = key
                .kind
                .strip_prefix("List<")
                .and_then(|kind| kind.strip_suffix('>'));
            let brackets = if item.is_some() { "[]" } else { "" };
            let path = format!("{path}{dot}{}{brackets}", key.name);
            Self::walk(item.unwrap_or(&key.kind), &path, shapes, sections);
        }
    }

    fn markdown(&self) -> String {
        let heading = match self.path.as_str() {
            "" => format!("## {}", self.shape.meaning.trim_end_matches('.')),
            path => format!("## `{path}`\n\n{}", self.shape.meaning),
        };
        let rows: Vec<_> = self.shape.keys.iter().map(Key::row).collect();
        let table = table(["key", "type", "default", "range", "meaning"], &rows);
        format!("{heading}\n\n{table}")
    }

    /// The least configuration in which this section is there.
    fn least(&self) -> Value {
        let provider = match self.path.rsplit('.').next().unwrap() {
            "access_key" => "{access_key: {access_key_id: LTAIexample, access_key_secret: example}}",
            "profile" => "{profile: {}}",
            "assume_role" => "{assume_role: {role_arn: 'acs:ram::1234567890123456:role/pca-exporter'}}",
            "oidc" => "{oidc: {}}",
            "ecs_metadata" => "{ecs_metadata: {}}",
            "uri" => "{uri: {}}",
            _ => "{}",
        };
        let account = match self.path.as_str() {
            "accounts[].discovery" => "discovery: {}".to_owned(),
            "accounts[].certificates[]" => "certificates: [{identifier: 160ae6bb}]".to_owned(),
            path if path.starts_with("accounts[].credentials") => {
                format!("credentials: {provider}, instances: [{{id: cas-member-0hmi1234}}]")
            }
            _ => "instances: [{id: cas-member-0hmi1234}]".to_owned(),
        };
        let poll = if self.path == "poll" { "poll: {}\n" } else { "" };
        let text = format!("{poll}accounts: [{{name: prod, {account}}}]");
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The section's own map in a configuration.
    fn of<'c>(&self, configuration: &'c mut Value) -> &'c mut serde_yaml::Mapping {
        let mut here = configuration;
        for step in self.path.split('.').filter(|step| !step.is_empty()) {
            here = match step.strip_suffix("[]") {
                Some(list) => &mut here[list][0],
                None => &mut here[step],
            };
        }
        here.as_mapping_mut()
            .unwrap_or_else(|| panic!("no {}", self.path))
    }

    /// The least configuration with this key set.
    fn with(&self, key: &Key, value: Value) -> Value {
        let mut configuration = self.least();
        if key.name == "match" {
            configuration["accounts"][0]["discovery"] = Value::Mapping(serde_yaml::Mapping::new());
        }
        let map = self.of(&mut configuration);
        // Exactly one form of each.
        if key.name == "match" {
            map.remove("id");
        }
        if self.shape.name == "AccessKey" {
            map.remove(key.name.trim_end_matches("_file").trim_end_matches("_env"));
        }
        map.insert(key.name.as_str().into(), value);
        configuration
    }

    fn without(&self, key: &Key) -> Value {
        let mut configuration = self.least();
        self.of(&mut configuration).remove(&key.name);
        configuration
    }
}

fn load(configuration: &Value) -> Result<Config, ConfigError> {
    let text = serde_yaml::to_string(configuration).unwrap();
    let files = Files::memory([("config.yaml", text.as_str())]);
    Config::load(Path::new("config.yaml"), &files, has_endpoint)
}

fn keys() -> Vec<(Section, Key)> {
    let of_section = |section: Section| {
        let keys = section.shape.keys.clone();
        keys.into_iter().map(move |key| (section.clone(), key))
    };
    Section::all().into_iter().flat_map(of_section).collect()
}

/// The only error of a configuration.
fn error(configuration: &Value) -> String {
    let error = load(configuration).expect_err("it loads").to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn the_page_of_the_configuration_is_current() {
    let sections: Vec<_> = Section::all().iter().map(Section::markdown).collect();
    is_current("configuration.md", &[("keys", sections.join("\n"))]);
}

#[test]
fn the_example_shows_every_key() {
    let example = std::fs::read_to_string("config.example.yaml").unwrap();
    let shown: BTreeSet<_> = example
        .lines()
        .filter_map(|line| line.trim_start_matches([' ', '#', '-']).split_once(':'))
        .map(|(key, _)| key)
        .collect();
    for (section, key) in keys() {
        assert!(shown.contains(key.name.as_str()), "{}.{}", section.path, key.name);
    }
}

#[test]
fn the_page_has_the_keys_that_the_program_takes_and_no_others() {
    for section in Section::all() {
        let mut configuration = section.least();
        section
            .of(&mut configuration)
            .insert("no_such_key_anywhere".into(), Value::Null);
        let error = load(&configuration).unwrap_err().to_string();
        let names: Vec<_> = section.shape.keys.iter().map(|key| key.name.as_str()).collect();
        let wanted = format!("the keys here are {}", names.join(", "));
        assert!(
            error.lines().any(|line| line.ends_with(&wanted)),
            "{wanted} in {error}"
        );
    }
}

#[test]
fn what_is_required_is_missed_and_nothing_else_is() {
    for (section, key) in keys() {
        let mut least = section.least();
        let is_there = section.of(&mut least).contains_key(&key.name);
        assert_eq!(
            key.required.is_some() || is_there,
            is_there,
            "{} {key:?}",
            section.path
        );
        if key.required.is_some() {
            assert!(load(&section.without(&key)).is_err(), "{} {key:?}", section.path);
        } else if section.shape.name != "Credentials" {
            load(&section.without(&key)).unwrap_or_else(|error| panic!("{error}: {key:?}"));
        }
    }
}

#[test]
fn a_default_is_what_the_program_takes_when_the_key_is_left_out() {
    let mut defaults = 0;
    for (section, key) in keys() {
        let Some(default) = key.default.as_deref() else {
            continue;
        };
        let value = Key::quoted(default).swap_remove(0);
        let (left_out, given) = (load(&section.least()).unwrap(), load(&section.with(&key, value)));
        assert_eq!(left_out, given.unwrap(), "{}.{}", section.path, key.name);
        defaults += 1;
    }
    assert!(defaults > 10, "{defaults}");
}

#[test]
fn what_is_counted_or_timed_has_its_range_on_the_page() {
    for (section, key) in keys() {
        if ["Span", "u64"].contains(&key.kind.as_str()) {
            assert!(key.range.is_some(), "{}.{}", section.path, key.name);
        }
    }
}

#[test]
fn a_range_is_taken_to_its_ends_and_no_further() {
    let mut ranges = 0;
    for (section, key) in keys() {
        let Some(range) = key.range.as_deref() else {
            continue;
        };
        let (inside, outside) = match (
            Key::quoted(range).as_slice(),
            range.split(' ').collect::<Vec<_>>().as_slice(),
        ) {
            ([first, second], [_, "or", _]) => (vec![first.clone(), second.clone()], vec!["other".into()]),
            ([first, last], [_, "to", _]) => (vec![first.clone(), last.clone()], beyond(first, last)),
            ([], [fewest, "to", most, "bytes" | "characters"]) => {
                let (fewest, most) = (fewest.parse().unwrap(), most.parse().unwrap());
                let text = |length| text(&key, length);
                (
                    vec![text(fewest), text(most)],
                    vec![text(fewest - 1), text(most + 1)],
                )
            }
            _ => panic!("{range} of {key:?}"),
        };
        for value in inside {
            load(&section.with(&key, value)).unwrap_or_else(|error| panic!("{error}: {key:?}"));
        }
        for value in outside {
            let error = error(&section.with(&key, value));
            assert!(error.contains(" must "), "{error}: {key:?}");
        }
        ranges += 1;
    }
    assert!(ranges > 20, "{ranges}");
}

/// The nearest values outside two numbers, or two durations of one unit each.
fn beyond(first: &Value, last: &Value) -> Vec<Value> {
    if let (Some(first), Some(last)) = (first.as_u64(), last.as_u64()) {
        return vec![(first - 1).into(), (last + 1).into()];
    }
    let millis = |value: &Value| {
        let (number, unit) = value
            .as_str()
            .unwrap()
            .split_at(value.as_str().unwrap().len() - 1);
        let day = 24 * 60 * 60;
        let seconds = [("s", 1), ("m", 60), ("h", 60 * 60), ("d", day), ("y", 365 * day)];
        let (_, seconds) = seconds.iter().find(|(name, _)| *name == unit).unwrap();
        number.parse::<u64>().unwrap() * seconds * 1000
    };
    let (first, last) = (millis(first) - 1, millis(last) + 1);
    vec![format!("{first}ms").into(), format!("{last}ms").into()]
}

/// A text of this length that the key takes but for its length.
fn text(key: &Key, length: usize) -> Value {
    let text = match key.name.as_str() {
        "policy" => format!("{{{}}}", " ".repeat(length.saturating_sub(2))),
        _ => "a".repeat(length),
    };
    match (key.name.as_str(), length) {
        ("policy", 1) => "{".into(),
        _ => text.into(),
    }
}
