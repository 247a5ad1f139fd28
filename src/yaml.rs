//! Strict reading of YAML: every error at once, each with its path and line, none with a value.
//!
//! A text becomes a tree, `shape` takes typed values out of the tree and collects what is wrong, and then the
//! line of each problem is found by reading the text again along its path: the library tells a position only
//! with an error. Which keys a file has is not known here. The only file that names `serde_yaml`.

mod file_error;
mod node;
mod shape;
mod types;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use node::{Grow, Limits, Node};

pub use file_error::FileError;
pub use shape::{Entry, Fields, Map, Read, Value};
pub(crate) use shape::{key, shape};

/// Errors that are reported one by one. Each costs one more reading of the text.
const MOST_ERRORS: usize = 100;

/// One thing that is wrong in a document; prints as `line: path: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The line, counted from 1.
    pub line: usize,
    /// Such as `accounts[0].labels.team`; empty for the whole document.
    pub path: String,
    /// What is wrong and what would be right; never a value that was read.
    pub message: String,
}

/// Where something stands in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    path: String,
    /// Which entry to take in each list or map on the way; names would not do, as a key may be doubled.
    steps: Vec<usize>,
}

/// What is wrong so far.
#[derive(Debug, Default)]
pub struct Problems(Vec<(Place, String)>);

/// Proof that a problem was reported, so that nothing can be refused without a word.
#[derive(Clone, Copy, Debug)]
pub struct Reported(());

/// Goes along the steps and fails on purpose where they end, for the position in the error.
struct Along<'p>(&'p [usize]);

/// Reads a document of the shape `S` and makes of it what `check` makes of it; or tells all that is wrong, in
/// the order of the document.
pub fn read<S: Read, T>(
    text: &str,
    check: impl FnOnce(&S, &mut Problems) -> Result<T, Reported>,
) -> Result<T, Vec<Error>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = parse(text).map_err(|error| vec![error])?;
    if matches!(root, Node::Nothing) {
        return Err(vec![refuse(1, "there is nothing in it")]);
    }
    let mut problems = Problems::default();
    let value = Value::new(&root, Place::default());
    match S::read(&value, &mut problems).and_then(|shape| check(&shape, &mut problems)) {
        Ok(read) if problems.0.is_empty() => Ok(read),
        _ => Err(locate(text, problems)),
    }
}

/// An error of the document as a whole.
fn refuse(line: usize, message: impl Into<String>) -> Error {
    Error {
        line,
        path: String::new(),
        message: message.into(),
    }
}

/// The tree of a document that is valid YAML.
fn parse(text: &str) -> Result<Node, Error> {
    if let Some((offset, character)) = text.char_indices().find(|(_, character)| !is_allowed(*character)) {
        let line = text[..offset].matches('\n').count() + 1;
        let message = format!(
            "a control character (U+{:04X}), which YAML does not allow",
            u32::from(character)
        );
        return Err(refuse(line, message));
    }
    // This reading looks at no value, so its errors repeat none.
    if let Err(error) = serde_yaml::from_str::<IgnoredAny>(text) {
        let Some(line) = line_of(&error) else {
            let line = line_of_second_document(text);
            return Err(refuse(line, "a second document begins here; give one only"));
        };
        let tab = text.lines().nth(line - 1).is_some_and(|line| line.contains('\t'));
        let hint = if tab { "; indent with spaces, not tabs" } else { "" };
        return Err(refuse(line, format!("not valid YAML: {error}{hint}")));
    }
    let limits = Limits::default();
    Grow::within(&limits)
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .map_err(|error| {
            let line = line_of(&error);
            // The library's own words are not used: they repeat values.
            let message = limits.exceeded().unwrap_or(match line {
                Some(_) => "a value that does not fit its tag; leave tags such as !!int out",
                None => "aliases (*) that repeat too much",
            });
            refuse(line.unwrap_or(1), message)
        })
}

/// The characters of YAML 1.1, 5.1. The library refuses the others too, but without their line.
fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

fn line_of(error: &serde_yaml::Error) -> Option<usize> {
    error.location().map(|location| location.line())
}

fn line_of_second_document(text: &str) -> usize {
    let second = serde_yaml::Deserializer::from_str(text).nth(1);
    let stopped = second.and_then(|document| Along(&[]).deserialize(document).err());
    stopped.as_ref().and_then(line_of).unwrap_or(1)
}

/// The line of a list's item, or of a map's key, which is where one would look for it.
fn line(text: &str, steps: &[usize]) -> usize {
    let stopped = Along(steps).deserialize(serde_yaml::Deserializer::from_str(text));
    stopped.as_ref().err().and_then(line_of).unwrap_or(1)
}

fn locate(text: &str, problems: Problems) -> Vec<Error> {
    let mut problems = problems.0;
    problems.sort_by(|(one, _), (other, _)| one.steps.cmp(&other.steps));
    let rest = problems.len().saturating_sub(MOST_ERRORS);
    let mut errors: Vec<_> = problems
        .into_iter()
        .take(MOST_ERRORS)
        .map(|(place, message)| Error {
            line: line(text, &place.steps),
            path: place.path,
            message,
        })
        .collect();
    if let Some(last) = errors.last().filter(|_| rest > 0) {
        errors.push(refuse(last.line, format!("and {rest} more errors from here on")));
    }
    errors
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl Place {
    /// Such as `accounts[0].labels.team`.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn item(&self, index: usize) -> Self {
        self.step(index, format!("{}[{index}]", self.path))
    }

    fn entry(&self, index: usize, key: &str) -> Self {
        self.step(index, self.path_to(key))
    }

    /// A key of the user's own choice. One that is no plain word is not shown: it may be a whole `key:secret`, whose
    /// blank was forgotten.
    fn chosen(&self, index: usize, key: &str) -> Self {
        if is_plain(key) {
            self.entry(index, key)
        } else {
            self.unnamed(index)
        }
    }

    /// A key whose name had better not be shown.
    fn unnamed(&self, index: usize) -> Self {
        self.step(index, self.path.clone())
    }

    /// A key that is not there: it would stand in the map, whose line is given.
    fn absent(&self, key: &str) -> Self {
        Self {
            path: self.path_to(key),
            steps: self.steps.clone(),
        }
    }

    fn step(&self, index: usize, path: String) -> Self {
        let steps = self.steps.iter().copied().chain([index]).collect();
        Self { path, steps }
    }

    fn path_to(&self, key: &str) -> String {
        match (self.path.as_str(), is_plain(key)) {
            ("", true) => key.to_owned(),
            (path, true) => format!("{path}.{key}"),
            (path, false) => format!("{path}[{key:?}]"),
        }
    }
}

fn is_plain(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !key.is_empty() && key.bytes().all(plain)
}

impl Problems {
    /// Notes what is wrong at a place. The message must not repeat a value.
    pub fn push(&mut self, place: &Place, message: impl Into<String>) -> Reported {
        self.0.push((place.clone(), message.into()));
        Reported(())
    }
}

impl<'de> DeserializeSeed<'de> for Along<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Whatever is not a list or a map fails by itself, as this visitor takes nothing else.
impl<'de> Visitor<'de> for Along<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or a map")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((index, rest)) = self.0.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*index {
            list.next_element::<IgnoredAny>()?;
        }
        list.next_element_seed(Along(rest)).map(Option::unwrap_or_default)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((index, rest)) = self.0.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*index {
            map.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if rest.is_empty() {
            return map.next_key_seed(Along(&[])).map(Option::unwrap_or_default);
        }
        map.next_key::<IgnoredAny>()?;
        map.next_value_seed(Along(rest))
    }
}
