//! JSON or XML: how an answer is written. XML is what a caller gets that forgot to ask for JSON.

use std::fmt::Write as _;

use serde_json::Value;

/// The two formats of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
}

impl Format {
    /// The one that a caller asks for; XML is for those who ask for none.
    pub(super) fn named(name: &str) -> Self {
        if name.eq_ignore_ascii_case("json") {
            Self::Json
        } else {
            Self::Xml
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }

    /// The text of `value`; `root` is the name of the XML document.
    pub(super) fn render(self, root: &str, value: &Value) -> String {
        match self {
            Self::Json => value.to_string(),
            Self::Xml => {
                let mut xml = "<?xml version='1.0' encoding='UTF-8'?>".to_owned();
                element(&mut xml, root, value);
                xml
            }
        }
    }
}

/// A list is its element again and again.
fn element(xml: &mut String, name: &str, value: &Value) {
    if let Value::Array(entries) = value {
        for entry in entries {
            element(xml, name, entry);
        }
        return;
    }
    // Writing to a String cannot fail.
    let _ = write!(xml, "<{name}>");
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| element(xml, name, value)),
        Value::String(text) => xml.push_str(&escaped(text)),
        Value::Null => {}
        other => xml.push_str(&other.to_string()),
    }
    let _ = write!(xml, "</{name}>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
