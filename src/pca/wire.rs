//! The answer's shape on the wire: every field optional, numbers as lenient as the vendor's own SDKs need them.

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// One entry of `InstanceStatusList`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Instance {
    pub(super) status: Option<String>,
    #[serde(rename = "Type")]
    pub(super) ca_type: Option<String>,
    pub(super) cert_issued_count: Number,
    pub(super) cert_total_count: Number,
    pub(super) before_time: Number,
    pub(super) after_time: Number,
    pub(super) use_expire_time: Number,
    pub(super) identifier: Option<String>,
}

/// One entry of the `List` of CA certificates, as far as it is of use.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CaCertificate {
    pub(super) cert_identifier: Option<String>,
    pub(super) common_name: Option<String>,
    pub(super) private_ca_instance_id: Option<String>,
    pub(super) private_ca_region_id: Option<String>,
}

/// A whole number: as such, as a float without a fraction, or as text; or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number(pub(super) Option<i64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(Some(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        let fits =
            i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
        Ok(Number(Some(fits)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        // Beyond 2^53 a float no longer says which whole number was meant.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() != 0.0 || number.abs() > EXACT {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and below 2^53, as checked above"
        )]
        Ok(Number(Some(number as i64)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Ok(Number(Some(number)));
        }
        // The text itself is the peer's and stays out of the error.
        let number = text
            .parse()
            .map_err(|_| E::invalid_type(Unexpected::Other("another text"), &self))?;
        self.visit_f64(number)
    }

    fn visit_unit<E: Error>(self) -> Result<Number, E> {
        Ok(Number(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Option<i64>, String> {
        serde_json::from_str::<Number>(json)
            .map(|number| number.0)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_may_come_as_integer_whole_float_text_or_null() {
        for json in [
            "1792944000000",
            "1792944000000.0",
            "1.792944e12",
            "\"1792944000000\"",
            "\" 1792944000000.0 \"",
        ] {
            assert_eq!(read(json), Ok(Some(1_792_944_000_000)), "{json}");
        }
        assert_eq!(read("null"), Ok(None));
        assert_eq!(read("-1"), Ok(Some(-1)));
    }

    #[test]
    fn what_is_no_whole_number_is_refused() {
        for json in [
            "1.5",
            "\"1.5\"",
            "\"ten\"",
            "\"\"",
            "true",
            "[1]",
            "{}",
            "1e300",
            "18446744073709551615",
            "\"NaN\"",
            "\"inf\"",
        ] {
            assert!(read(json).is_err(), "{json}: {:?}", read(json));
        }
    }
}
