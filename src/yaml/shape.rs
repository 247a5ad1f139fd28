//! Typed values out of a document's tree, with every problem noted on the way instead of stopping at the first.
//!
//! A file's shape is declared with `shape!`; what its values mean is checked elsewhere.

use std::collections::BTreeMap;

use super::{Node, Place, Problems, Reported};

/// A value of a document and where it stands.
pub struct Value<'d> {
    pub(super) node: &'d Node,
    pub(super) place: Place,
}

/// What can be read from a value.
pub trait Read: Sized {
    /// The value as this type; what is wrong is noted.
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported>;
}

/// An item of a list, or what a key of a map holds.
#[derive(Debug)]
pub struct Entry<T> {
    /// Where it stands; for a key that is not there, where it would.
    pub place: Place,
    held: Held<T>,
}

#[derive(Debug)]
enum Held<T> {
    Absent,
    Broken(Reported),
    Read(T),
}

/// A map whose keys the user chooses.
pub type Map<T> = BTreeMap<String, Entry<T>>;

/// A map whose keys are known, while it is read.
pub struct Fields<'d> {
    place: &'d Place,
    /// The first of each known key, with its index in the map.
    found: BTreeMap<&'static str, (usize, &'d Node)>,
}

/// Declares a struct with one `Entry` for each key of a map, and reads it: an unknown key and a doubled one are
/// problems, a missing one is an absent entry. A key that is a word of Rust is written `r#match`.
macro_rules! shape {
    ($(#[$doc:meta])* $name:ident { $($(#[$key_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[allow(clippy::struct_field_names, reason = "the fields are named as the file has them")]
        pub(crate) struct $name {
            $($(#[$key_doc])* pub(crate) $field: crate::yaml::Entry<$type>,)*
        }

        impl crate::yaml::Read for $name {
            fn read(
                value: &crate::yaml::Value<'_>,
                problems: &mut crate::yaml::Problems,
            ) -> Result<Self, crate::yaml::Reported> {
                let fields = value.fields(&[$(crate::yaml::key(stringify!($field)),)*], problems)?;
                Ok(Self {
                    $($field: fields.entry(crate::yaml::key(stringify!($field)), problems),)*
                })
            }
        }
    };
}
pub(crate) use shape;

/// The key of a field: the same without the mark of a raw identifier.
pub(crate) fn key(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

impl<'d> Value<'d> {
    pub(super) fn new(node: &'d Node, place: Place) -> Self {
        Self { node, place }
    }

    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&'d str> {
        match self.node {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is a number, of any kind.
    pub fn is_number(&self) -> bool {
        matches!(self.node, Node::Whole(_) | Node::OtherNumber)
    }

    /// Notes that something else was expected, with advice where there is any.
    pub fn unexpected(&self, expected: &str, advice: &str, problems: &mut Problems) -> Reported {
        let found = match self.node {
            Node::Nothing => "nothing",
            Node::Boolean(_) => "true or false",
            Node::Whole(_) | Node::OtherNumber => "a number",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
            Node::Tagged => "a YAML tag",
        };
        let separator = if advice.is_empty() { "" } else { "; " };
        problems.push(
            &self.place,
            format!("expected {expected}, found {found}{separator}{advice}"),
        )
    }

    /// The entries of a map, keys as text; other keys are noted.
    pub(super) fn entries(
        &self,
        problems: &mut Problems,
    ) -> Result<Vec<(usize, &'d str, &'d Node)>, Reported> {
        let Node::Map(entries) = self.node else {
            let advice = match self.node {
                Node::Nothing => "write {} for an empty map, or leave the key out",
                _ => "write its keys below it, indented",
            };
            return Err(self.unexpected("a map", advice, problems));
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (index, (key, value)) in entries.iter().enumerate() {
            let key = Value::new(key, self.place.unnamed(index));
            match key.text() {
                Some("<<") => {
                    problems.push(
                        key.place(),
                        "merge keys (<<) are not supported; write the keys out",
                    );
                }
                Some(text) => texts.push((index, text, value)),
                None => {
                    key.unexpected("a text as key", key.quotes(), problems);
                }
            }
        }
        Ok(texts)
    }

    /// The entries of a map with these keys and no others.
    pub fn fields<'v>(
        &'v self,
        known: &[&'static str],
        problems: &mut Problems,
    ) -> Result<Fields<'v>, Reported> {
        let mut found = BTreeMap::new();
        for (index, text, node) in self.entries(problems)? {
            match known.iter().find(|key| **key == text) {
                None => {
                    problems.push(&self.place.unnamed(index), unknown(text, known));
                }
                Some(key) if found.contains_key(key) => {
                    problems.push(&self.place.entry(index, key), DOUBLED);
                }
                Some(key) => {
                    found.insert(*key, (index, node));
                }
            }
        }
        Ok(Fields {
            place: &self.place,
            found,
        })
    }

    pub(super) fn quotes(&self) -> &'static str {
        match self.node {
            Node::Boolean(_) | Node::Whole(_) | Node::OtherNumber => "put it in quotes",
            _ => "",
        }
    }
}

pub(super) const DOUBLED: &str = "doubled key: it is already given above";

/// An unknown key is repeated only if it cannot be a secret that ended up in the wrong place, as in
/// `{access_key_secret:…}` without the space: words of lower case, or nearly a known key.
fn unknown(key: &str, known: &[&str]) -> String {
    const NOT_SHOWN: &str = "unknown key (not shown, as it might be a secret)";
    if key.contains(':') {
        return format!("{NOT_SHOWN}; is a blank missing after its colon?");
    }
    let folded = |key: &str| key.to_ascii_lowercase().replace(['_', '-'], "");
    let nearest = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&folded(key), &folded(known)), *known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min();
    let is_word = key.len() <= 32 && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let shown = if is_word || nearest.is_some_and(|(distance, _)| distance <= 2) {
        format!("unknown key {key:?}").replace('"', "`")
    } else {
        NOT_SHOWN.to_owned()
    };
    match nearest {
        Some((_, nearest)) => format!("{shown}; did you mean `{nearest}`?"),
        None if known.is_empty() => format!("{shown}; there are no keys here"),
        None => format!("{shown}; the keys here are {}", known.join(", ")),
    }
}

impl Fields<'_> {
    /// What a key holds. The key must be one of those that were given as known.
    pub fn entry<T: Read>(&self, key: &'static str, problems: &mut Problems) -> Entry<T> {
        match self.found.get(key) {
            Some((index, node)) => Entry::read(node, self.place.entry(*index, key), problems),
            None => Entry {
                place: self.place.absent(key),
                held: Held::Absent,
            },
        }
    }
}

impl<T> Entry<T> {
    pub(super) fn read(node: &Node, place: Place, problems: &mut Problems) -> Self
    where
        T: Read,
    {
        let value = Value::new(node, place);
        let held = match T::read(&value, problems) {
            Ok(read) => Held::Read(read),
            Err(reported) => Held::Broken(reported),
        };
        Self {
            place: value.place,
            held,
        }
    }

    /// Whether the document says nothing about it.
    pub fn is_absent(&self) -> bool {
        matches!(self.held, Held::Absent)
    }

    /// The value if it is there; an error if it is there and could not be read.
    pub fn get(&self) -> Result<Option<&T>, Reported> {
        match &self.held {
            Held::Absent => Ok(None),
            Held::Broken(reported) => Err(*reported),
            Held::Read(value) => Ok(Some(value)),
        }
    }

    /// The value; that it is missing is noted.
    pub fn required(&self, problems: &mut Problems) -> Result<&T, Reported> {
        self.get()?.ok_or_else(|| problems.push(&self.place, "missing"))
    }
}
