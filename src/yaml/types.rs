//! Reading the types that any file has: texts, numbers, lists, maps. Types of one file are read beside it.

use super::node::Node;
use super::shape::{DOUBLED, Entry, Map, Read, Value};
use super::{Problems, Reported};

impl Read for String {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        let text = value.text().map(str::to_owned);
        text.ok_or_else(|| value.unexpected("a text", value.quotes(), problems))
    }
}

impl Read for bool {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        match value.node {
            Node::Boolean(value) => Ok(*value),
            _ => Err(value.unexpected("true or false", "", problems)),
        }
    }
}

impl Read for u64 {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        match value.node {
            Node::Whole(number) => Ok(*number),
            Node::OtherNumber => Err(value.unexpected(
                "a whole number, 0 or more",
                "write no sign and no point",
                problems,
            )),
            _ => Err(value.unexpected("a whole number", "", problems)),
        }
    }
}

impl<T: Read> Read for Box<T> {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        T::read(value, problems).map(Self::new)
    }
}

impl<T: Read> Read for Vec<Entry<T>> {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        let Node::List(items) = value.node else {
            let advice = match value.node {
                Node::Nothing => "write [] for an empty list, or leave the key out",
                _ => "begin each item with a dash",
            };
            return Err(value.unexpected("a list", advice, problems));
        };
        let items = items.iter().enumerate();
        Ok(items
            .map(|(index, item)| Entry::read(item, value.place.item(index), problems))
            .collect())
    }
}

impl<T: Read> Read for Map<T> {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        let mut map = Self::new();
        for (index, key, node) in value.entries(problems)? {
            let place = value.place.chosen(index, key);
            if map.contains_key(key) {
                problems.push(&place, DOUBLED);
            } else {
                map.insert(key.to_owned(), Entry::read(node, place, problems));
            }
        }
        Ok(map)
    }
}
