//! Odd lists: what an `Oddity` makes of an honest answer that has a list, and of the list's entries.

use serde_json::{Map, Value, json};

use super::oddity::Oddity;

/// What the answers call their lists.
const LISTS: [&str; 2] = ["InstanceStatusList", "List"];

/// What names an entry, the instance first.
const IDS: [&str; 3] = ["InstanceId", "PrivateCaInstanceId", "CertIdentifier"];

/// Of entries and of whole answers.
const NUMBERS: [&str; 7] = [
    "MaxResults",
    "TotalCount",
    "CertTotalCount",
    "CertIssuedCount",
    "BeforeTime",
    "AfterTime",
    "UseExpireTime",
];
const TIMES: &[&str] = NUMBERS.split_at(4).1;

impl Oddity {
    /// The honest object, changed.
    pub(super) fn changed(self, mut honest: Value) -> Value {
        // An answer of another product has no list to spoil.
        let Some(name) = LISTS.into_iter().find(|name| honest.get(name).is_some()) else {
            return honest;
        };
        let list = honest[name].take();
        let first = list.get(0).cloned().unwrap_or_default();
        let spoilt = match self {
            Self::ListNull => Value::Null,
            Self::ListText => json!("none"),
            Self::ListObject => first,
            Self::ListOfNull => json!([null]),
            Self::TopLevelList => return list,
            _ => self.changed_entries(list),
        };
        if let Some(answer) = honest.as_object_mut() {
            self.change_numbers(answer);
            match self {
                Self::ListAbsent => answer.remove(name),
                _ => answer.insert(name.to_owned(), spoilt),
            };
        }
        honest
    }

    fn changed_entries(self, list: Value) -> Value {
        let Value::Array(mut entries) = list else {
            return list;
        };
        for entry in &mut entries {
            if let Value::Object(fields) = entry {
                self.change_numbers(fields);
                self.change_texts(fields);
            }
        }
        if self == Self::IdTwice
            && let Some(Value::Object(first)) = entries.first()
        {
            let mut double = first.clone();
            double.retain(|name, _| IDS.contains(&name.as_str()));
            double.insert("Status".to_owned(), json!("BUY"));
            entries.insert(0, Value::Object(double));
        }
        Value::Array(entries)
    }

    fn change_numbers(self, fields: &mut Map<String, Value>) {
        let change: fn(&Value) -> Value = match self {
            Self::NumbersAsText => |number| json!(number.to_string()),
            // Below 2^53 every whole number is a float, which JSON then writes with `.0`.
            Self::NumbersAsFloats => |number| json!(number.as_f64()),
            Self::NumbersFractional => |number| json!(number.as_f64().map(|number| number + 0.5)),
            Self::NumbersHuge => |_| json!(1e300),
            Self::NumbersNull => |_| Value::Null,
            Self::TimesZero => return put(fields, TIMES, |_| json!(0)),
            _ => return,
        };
        put(fields, &NUMBERS, change);
    }

    fn change_texts(self, fields: &mut Map<String, Value>) {
        match self {
            Self::OtherIdOnly => put(fields, &["InstanceId"], |_| json!("cas-member-other")),
            Self::WordsUnknown => put(fields, &["Status", "Type"], |_| json!("TOMORROW")),
            Self::EntryWithoutId => fields.retain(|name, _| !IDS[..2].contains(&name.as_str())),
            Self::FieldsUnknown => {
                fields.insert("Tomorrow".to_owned(), json!({ "Nested": [1, null, "中"] }));
            }
            _ => {}
        }
    }
}

fn put(fields: &mut Map<String, Value>, names: &[&str], change: fn(&Value) -> Value) {
    for name in names {
        if let Some(value) = fields.get_mut(*name) {
            *value = change(value);
        }
    }
}
