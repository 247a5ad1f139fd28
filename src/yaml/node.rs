//! A document as a tree: what was read, before anybody has asked for a type.
//!
//! The order of the document is kept, and doubled keys with it. Positions are not here: the library tells none.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use zeroize::Zeroizing;

/// Values that one document may hold, aliases followed: thousands of instances, and no alias bomb.
const MOST_VALUES: usize = 500_000;

/// Levels of lists and maps. The deepest file of ours needs a dozen.
const DEEPEST: usize = 32;

/// A value whose type nobody has asked for yet. No `Debug`: any text may be a secret.
pub(super) enum Node {
    Nothing,
    Boolean(bool),
    Whole(u64),
    OtherNumber,
    Text(Zeroizing<String>),
    List(Vec<Node>),
    /// In the order of the document, doubled keys included.
    Map(Vec<(Node, Node)>),
    Tagged,
}

/// Grows a `Node` from what a deserializer finds.
#[derive(Clone, Copy)]
pub(super) struct Grow<'l> {
    limits: &'l Limits,
    depth: usize,
}

/// How much a document may hold, and which limit it has exceeded.
pub(super) struct Limits {
    values_left: Cell<usize>,
    exceeded: Cell<Option<&'static str>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            values_left: Cell::new(MOST_VALUES),
            exceeded: Cell::new(None),
        }
    }
}

impl Limits {
    /// The limit that was exceeded, in words.
    pub(super) fn exceeded(&self) -> Option<&'static str> {
        self.exceeded.get()
    }

    fn exceed<T, E: serde::de::Error>(&self, what: &'static str) -> Result<T, E> {
        self.exceeded.set(Some(what));
        Err(E::custom(what))
    }
}

impl<'l> Grow<'l> {
    /// For the root of a document.
    pub(super) fn within(limits: &'l Limits) -> Self {
        Self { limits, depth: 0 }
    }

    fn deeper<E: serde::de::Error>(mut self) -> Result<Self, E> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.limits.exceed("lists and maps nested too deep");
        }
        Ok(self)
    }
}

impl<'de> DeserializeSeed<'de> for Grow<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self.limits.values_left.get().checked_sub(1) {
            Some(left) => self.limits.values_left.set(left),
            None => return self.limits.exceed("too many values, aliases (*) followed"),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Grow<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Boolean(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Whole(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::OtherNumber)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::OtherNumber)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::OtherNumber)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::OtherNumber)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let grow = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(grow)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let grow = self.deeper()?;
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry_seed(grow, grow)? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (IgnoredAny, content) = tagged.variant()?;
        content.newtype_variant::<IgnoredAny>()?;
        Ok(Node::Tagged)
    }
}
