//! From an answer's JSON to the model: strict about whose answer it is, lenient about how numbers are written.
//!
//! Errors here never repeat a text of the answer.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::Value;

use super::wire::{self, Instance, Number};
use super::{Answer, CaCertificate, Page};
use crate::aliyun::error::CallError;
use crate::model::{InstanceId, InstanceStatus, UnixMillis};

/// What the answer to `GetCAInstanceStatus` says about the instance that was asked for.
pub(super) fn instance_status(json: &Value, asked: &InstanceId) -> Result<Answer, CallError> {
    let list = instances(json)?;
    let entries = list
        .iter()
        .filter(|entry| entry.get("InstanceId").and_then(Value::as_str) == Some(asked.as_str()))
        .map(|entry| Instance::deserialize(entry).map_err(|error| decode(&format!("an instance's {error}"))))
        .collect::<Result<Vec<_>, _>>()?;
    let duplicated = entries.len() > 1;
    let chosen = entries
        .into_iter()
        .max_by_key(|entry| (entry.status.as_deref() == Some("USED"), entry.after_time.0))
        .ok_or_else(|| decode("the list does not hold the instance that was asked for"))?;
    Ok(Answer {
        status: chosen.into(),
        duplicated,
    })
}

/// The ids of the instances in the answer to `GetCAInstanceStatus`, whatever was asked for.
pub(super) fn instance_ids(json: &Value) -> Result<BTreeSet<InstanceId>, CallError> {
    let ids = instances(json)?.iter().map(|entry| {
        let id = entry.get("InstanceId").and_then(Value::as_str);
        id.filter(|id| !id.is_empty()).map(InstanceId::from)
    });
    ids.collect::<Option<_>>()
        .ok_or_else(|| decode("an instance has no InstanceId"))
}

/// The answer to `ListPcaCaCertificate`. An entry that names no instance says nothing here; without any entry, an account
/// has no CA certificate.
pub(super) fn ca_certificates(json: &Value) -> Result<Page, CallError> {
    let list = list(json, "List")?;
    let entries = list
        .iter()
        .map(|entry| {
            wire::CaCertificate::deserialize(entry)
                .map_err(|error| decode(&format!("a CA certificate's {error}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let next = match json.get("NextToken") {
        None | Some(Value::Null) => None,
        Some(Value::String(token)) => sent(Some(token.clone())),
        Some(_) => return Err(decode("NextToken is not a text")),
    };
    let certificate = |entry: wire::CaCertificate| {
        Some(CaCertificate {
            instance_id: InstanceId::from(sent(entry.private_ca_instance_id)?.as_str()),
            identifier: sent(entry.cert_identifier),
            common_name: sent(entry.common_name),
            region: sent(entry.private_ca_region_id),
        })
    };
    Ok(Page {
        certificates: entries.into_iter().filter_map(certificate).collect(),
        next,
    })
}

/// The list of `GetCAInstanceStatus`; one that is there and empty means that there is no such instance.
fn instances(json: &Value) -> Result<&Vec<Value>, CallError> {
    let list = list(json, "InstanceStatusList")?;
    if list.is_empty() {
        return Err(CallError::NotFound);
    }
    Ok(list)
}

fn list<'j>(json: &'j Value, name: &str) -> Result<&'j Vec<Value>, CallError> {
    match json.get(name) {
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(decode(&format!("{name} is not a list"))),
        None => Err(decode(&format!("{name} is missing"))),
    }
}

impl From<Instance> for InstanceStatus {
    fn from(wire: Instance) -> Self {
        Self {
            status: sent(wire.status),
            ca_type: sent(wire.ca_type),
            certificates_issued: wire.cert_issued_count.0,
            certificates_quota: wire.cert_total_count.0,
            not_before: time(wire.before_time),
            not_after: time(wire.after_time),
            subscription_expiry: time(wire.use_expire_time),
            certificate_identifier: sent(wire.identifier),
        }
    }
}

/// An empty text says no more than an absent one.
fn sent(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A time of 0 or less is how "none" is written: taken for 1970, it would page somebody.
fn time(number: Number) -> Option<UnixMillis> {
    number.0.filter(|millis| *millis > 0).map(UnixMillis)
}

fn decode(what: &str) -> CallError {
    CallError::Decode(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decoded(answer: &Value) -> Result<Answer, String> {
        instance_status(answer, &"a".into()).map_err(|error| error.to_string())
    }

    fn list(entries: &Value) -> Value {
        list_of("InstanceStatusList", entries)
    }

    fn list_of(name: &str, entries: &Value) -> Value {
        json!({ "RequestId": "r", name: entries })
    }

    #[test]
    fn the_vendors_example_is_read_to_the_digit() {
        let answer: Value = serde_json::from_str(
            r#"{"RequestId":"25589516-2A56-5159-AB88-4A1D9824E183",
             "InstanceStatusList":[{"CertTotalCount":10,"Status":"USED","Type":"ROOT","CertIssuedCount":1,
               "BeforeTime":1635177600000,"Identifier":"a7bb2dd212a2112128cd5cc9b753****","AfterTime":1792944000000,
               "InstanceId":"cas-member-0hmi****","UseExpireTime":1637251200000}]}"#,
        )
        .unwrap();
        let answer = instance_status(&answer, &"cas-member-0hmi****".into()).unwrap();
        let status = InstanceStatus {
            status: Some("USED".to_owned()),
            ca_type: Some("ROOT".to_owned()),
            certificates_issued: Some(1),
            certificates_quota: Some(10),
            not_before: Some(UnixMillis(1_635_177_600_000)),
            not_after: Some(UnixMillis(1_792_944_000_000)),
            subscription_expiry: Some(UnixMillis(1_637_251_200_000)),
            certificate_identifier: Some("a7bb2dd212a2112128cd5cc9b753****".to_owned()),
        };
        assert_eq!(
            answer,
            Answer {
                status,
                duplicated: false
            }
        );
    }

    #[test]
    fn a_field_that_was_not_sent_is_absent() {
        for fields in [
            json!({"InstanceId": "a"}),
            json!({"InstanceId": "a", "Status": null, "Type": "", "BeforeTime": 0, "AfterTime": -1,
                   "UseExpireTime": "0", "CertTotalCount": null}),
        ] {
            assert_eq!(
                decoded(&list(&json!([fields]))).unwrap().status,
                InstanceStatus::default(),
                "{fields}"
            );
        }
    }

    #[test]
    fn a_count_of_zero_is_a_fact() {
        let answer = decoded(&list(&json!([{"InstanceId": "a", "CertIssuedCount": 0}]))).unwrap();
        assert_eq!(answer.status.certificates_issued, Some(0));
    }

    #[test]
    fn an_empty_list_means_that_there_is_no_such_instance() {
        assert!(matches!(
            instance_status(&list(&json!([])), &"a".into()),
            Err(CallError::NotFound)
        ));
    }

    #[test]
    fn a_list_of_another_shape_is_an_error_and_not_an_empty_list() {
        for answer in [
            json!({}),
            json!([]),
            json!("InstanceStatusList"),
            list(&json!(null)),
            list(&json!({})),
            list(&json!({"InstanceStatusList": []})),
            list(&json!("a")),
            list(&json!([null])),
            list(&json!(["a"])),
            list(&json!([{}])),
            list(&json!([{"InstanceId": "b"}])),
            list(&json!([{"InstanceId": "a", "AfterTime": 1.5}])),
            list(&json!([{"InstanceId": "a", "AfterTime": "soon"}])),
            list(&json!([{"InstanceId": "a", "Status": 7}])),
        ] {
            let error = instance_status(&answer, &"a".into()).unwrap_err();
            assert!(matches!(error, CallError::Decode(_)), "{answer}: {error}");
        }
    }

    #[test]
    fn a_bad_entry_about_another_instance_does_no_harm() {
        let answer = list(&json!([{"InstanceId": "b", "AfterTime": "soon"}, null, {"InstanceId": "a"}]));
        assert!(decoded(&answer).is_ok());
    }

    #[test]
    fn of_an_id_twice_the_one_in_use_counts_then_the_later_one() {
        let entry =
            |status: &str, after: i64| json!({"InstanceId": "a", "Status": status, "AfterTime": after});
        for (entries, expected) in [
            (json!([entry("USED", 1), entry("REVOKE", 9)]), 1),
            (json!([entry("REVOKE", 9), entry("USED", 1)]), 1),
            (json!([entry("USED", 3), entry("USED", 2)]), 3),
            (json!([entry("BUY", 2), entry("REVOKE", 3)]), 3),
        ] {
            let answer = decoded(&list(&entries)).unwrap();
            assert_eq!(answer.status.not_after, Some(UnixMillis(expected)), "{entries}");
            assert!(answer.duplicated);
        }
    }

    #[test]
    fn no_text_of_an_answer_stands_in_the_error() {
        for entry in [
            json!({"InstanceId": "a", "Status": ["canary"]}),
            json!({"InstanceId": "a", "AfterTime": "canary"}),
        ] {
            let error = decoded(&list(&json!([entry]))).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_certificate_leads_to_every_instance_of_the_answer() {
        let ids = |entries: Value| {
            instance_ids(&list_of("InstanceStatusList", &entries)).map_err(|error| error.to_string())
        };
        let found = ids(json!([{"InstanceId": "b"}, {"InstanceId": "a"}, {"InstanceId": "a"}])).unwrap();
        assert_eq!(found, BTreeSet::from(["a".into(), "b".into()]));
        for entries in [
            json!([]),
            json!(null),
            json!([{}]),
            json!([{"InstanceId": ""}]),
            json!([{"InstanceId": 7}]),
        ] {
            assert!(ids(entries.clone()).is_err(), "{entries}");
        }
    }

    #[test]
    fn a_page_of_ca_certificates_is_read_as_the_vendor_writes_it() {
        let page = ca_certificates(&json!({
            "RequestId": "15C66C7B-671A-4297-9187-2C4477247A74", "MaxResults": 50, "TotalCount": 2,
            "NextToken": "1d2db86sca4384811e0b5e8707e68181f",
            "List": [
                {"CertIdentifier": "160ae6bb538d538c70c01f81dcf2****", "Status": "ISSUE", "CommonName": "mallica.cn",
                 "IssuerIdentifier": "270ae6bb538d538c70c01f81fg3****", "PrivateCaInstanceId": "cas-member-0hmi****",
                 "PrivateCaRegionId": "eu-central-1", "UserId": "1***"},
                {"PrivateCaInstanceId": "cas-member-1", "CommonName": "", "PrivateCaRegionId": null},
                {"CertIdentifier": "of no instance"},
            ],
        }))
        .unwrap();
        assert_eq!(page.next.as_deref(), Some("1d2db86sca4384811e0b5e8707e68181f"));
        assert_eq!(
            page.certificates,
            [
                CaCertificate {
                    instance_id: "cas-member-0hmi****".into(),
                    identifier: Some("160ae6bb538d538c70c01f81dcf2****".to_owned()),
                    common_name: Some("mallica.cn".to_owned()),
                    region: Some("eu-central-1".to_owned()),
                },
                CaCertificate {
                    instance_id: "cas-member-1".into(),
                    identifier: None,
                    common_name: None,
                    region: None,
                },
            ]
        );
    }

    #[test]
    fn an_account_without_ca_certificates_has_an_empty_page() {
        for token in [json!(null), json!("")] {
            let page = ca_certificates(&json!({"List": [], "NextToken": token})).unwrap();
            assert_eq!(page, Page::default());
        }
    }

    #[test]
    fn a_page_of_another_shape_is_an_error() {
        for answer in [
            json!({}),
            list_of("List", &json!(null)),
            list_of("List", &json!({})),
            list_of("List", &json!([7])),
            list_of("List", &json!([{"PrivateCaInstanceId": 7}])),
            json!({"List": [], "NextToken": 7}),
        ] {
            let error = ca_certificates(&answer).unwrap_err();
            assert!(matches!(error, CallError::Decode(_)), "{answer}: {error}");
        }
    }
}
