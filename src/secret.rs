//! A text that must not be seen: it is redacted in `Debug`, has no `Display`, and is wiped when dropped.
//!
//! Not a vault: whoever holds a `Secret` can `expose` it; the name makes such places easy to find.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use zeroize::Zeroizing;

/// A secret text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

struct SecretVisitor;

impl Secret {
    /// The text itself. Never pass it to a log, an error or a page.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// serde's own error for a wrong type repeats the value, so every kind of value gets an error of ours.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

impl SecretVisitor {
    fn refuse<T, E: Error>(what: &str) -> Result<T, E> {
        Err(E::custom(format_args!(
            "expected a text, found {what}; put the secret in quotes"
        )))
    }
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::from(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret::from(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
        Self::refuse("a boolean")
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
        Self::refuse("a number")
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Secret, E> {
        Self::refuse("a number")
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
        Self::refuse("a number")
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Secret, E> {
        Self::refuse("a number")
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
        Self::refuse("a number")
    }

    fn visit_unit<E: Error>(self) -> Result<Secret, E> {
        Self::refuse("nothing")
    }

    fn visit_none<E: Error>(self) -> Result<Secret, E> {
        Self::refuse("nothing")
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Secret, E> {
        Self::refuse("binary data")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, _: A) -> Result<Secret, A::Error> {
        Self::refuse("a list")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, _: A) -> Result<Secret, A::Error> {
        Self::refuse("a map")
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, _: A) -> Result<Secret, A::Error> {
        Self::refuse("a tag")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_its_debug_text() {
        let shown = format!(
            "{:?} {:#?}",
            Secret::from("hunter2"),
            Some(Secret::from("hunter2"))
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_wrong_type_is_refused_without_its_value() {
        for json in [
            "424242",
            "-424242",
            "4242.42",
            "true",
            "null",
            "[\"424242\"]",
            "{\"424242\": 1}",
        ] {
            let error = serde_json::from_str::<Secret>(json).unwrap_err().to_string();
            assert!(error.contains("put the secret in quotes"), "{json}: {error}");
            assert!(!error.contains("4242"), "{json}: {error}");
        }
    }

    #[test]
    fn a_text_is_taken_as_it_is() {
        assert_eq!(
            serde_json::from_str::<Secret>(r#"" a#b%c ""#).unwrap().expose(),
            " a#b%c "
        );
    }
}
