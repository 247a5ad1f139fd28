//! A dozen instances that tell everything, with their CA certificates, for the demo and the tests alike; and the
//! vendor's own example.

use super::ca_certificate::CaCertificate;
use super::instance::Instance;
use crate::aliyun::sign::acs3;
use crate::model::UnixMillis;

/// The example response of the API's page, byte for byte.
/// <https://www.alibabacloud.com/help/en/ssl-certificate/developer-reference/api-cas-2020-06-30-getcainstancestatus>
pub const EXAMPLE: &str = r#"{
  "RequestId": "25589516-2A56-5159-AB88-4A1D9824E183",
  "InstanceStatusList": [
    {
      "CertTotalCount": 10,
      "Status": "USED",
      "Type": "ROOT",
      "CertIssuedCount": 1,
      "BeforeTime": 1635177600000,
      "Identifier": "a7bb2dd212a2112128cd5cc9b753****",
      "AfterTime": 1792944000000,
      "InstanceId": "cas-member-0hmi****",
      "UseExpireTime": 1637251200000
    }
  ]
}"#;

/// The instance of `EXAMPLE`.
pub const EXAMPLE_ID: &str = "cas-member-0hmi****";

const DAY: i64 = 24 * 60 * 60 * 1000;

/// The instance of `EXAMPLE`.
pub fn example() -> Instance {
    Instance {
        instance_id: EXAMPLE_ID.to_owned(),
        status: Some("USED".to_owned()),
        ca_type: Some("ROOT".to_owned()),
        cert_total_count: Some(10),
        cert_issued_count: Some(1),
        before_time: Some(1_635_177_600_000),
        after_time: Some(1_792_944_000_000),
        use_expire_time: Some(1_637_251_200_000),
        identifier: Some("a7bb2dd212a2112128cd5cc9b753****".to_owned()),
    }
}

/// A dozen telling instances, as they look at `now`. Each one's id says what it is about.
pub fn telling(now: UnixMillis) -> Vec<Instance> {
    let day = |days: i64| Some(now.0.saturating_add(days * DAY));
    // A root in its third year of ten, an intermediate in its second of five; paid for most of this year.
    let root = |name: &str| Instance {
        instance_id: format!("cas-member-{name}"),
        status: Some("USED".to_owned()),
        ca_type: Some("ROOT".to_owned()),
        cert_total_count: Some(10),
        cert_issued_count: Some(3),
        before_time: day(-2 * 365),
        after_time: day(8 * 365),
        use_expire_time: day(300),
        identifier: Some(identifier(name)),
    };
    let sub_root = |name: &str| Instance {
        ca_type: Some("SUB_ROOT".to_owned()),
        cert_total_count: Some(1000),
        cert_issued_count: Some(412),
        before_time: day(-365),
        after_time: day(4 * 365),
        ..root(name)
    };
    let never_enabled = |name: &str, status: &str| Instance {
        status: Some(status.to_owned()),
        cert_issued_count: Some(0),
        before_time: None,
        after_time: None,
        identifier: None,
        ..root(name)
    };
    vec![
        root("healthy-root"),
        sub_root("healthy-sub"),
        Instance {
            after_time: day(20),
            ..sub_root("20-days-left")
        },
        Instance {
            after_time: day(-3),
            ..sub_root("expired")
        },
        Instance {
            use_expire_time: day(-10),
            ..root("subscription-over")
        },
        Instance {
            use_expire_time: day(5),
            ..sub_root("subscription-5-days")
        },
        Instance {
            cert_issued_count: Some(960),
            ..sub_root("quota-nearly-gone")
        },
        Instance {
            cert_issued_count: Some(10),
            ..root("quota-used-up")
        },
        never_enabled("bought-unused", "BUY"),
        Instance {
            status: Some("REVOKE".to_owned()),
            ..sub_root("revoked")
        },
        never_enabled("refunded", "REFUND"),
        Instance {
            status: Some("SUSPENDED".to_owned()),
            ..root("unknown-status")
        },
    ]
}

/// The CA certificates of the telling instances, each with a name of its own: roots issued by themselves,
/// intermediates by the healthy root. The instance with 20 days left is in Frankfurt, and the healthy intermediate has
/// a certificate from before its present one.
pub fn telling_ca_certificates() -> Vec<CaCertificate> {
    // When it is changes nothing about which certificates there are.
    let instances = telling(UnixMillis(0));
    let own = instances.iter().filter_map(|instance| {
        let own = CaCertificate::of(instance)?;
        let is_root = instance.ca_type.as_deref() == Some("ROOT");
        let issuer = if is_root {
            own.cert_identifier.clone()
        } else {
            identifier("healthy-root")
        };
        let name = instance.instance_id.trim_start_matches("cas-member-");
        Some(CaCertificate {
            common_name: Some(format!("Example CA {}", name.replace('-', " "))),
            issuer_identifier: Some(issuer),
            private_ca_region_id: match name {
                "20-days-left" => Some("eu-central-1".to_owned()),
                _ => own.private_ca_region_id,
            },
            ..own
        })
    });
    let former = CaCertificate {
        status: Some("REVOKE".to_owned()),
        common_name: Some("Example CA healthy sub 2024".to_owned()),
        issuer_identifier: Some(identifier("healthy-root")),
        ..CaCertificate::new(&identifier("healthy-sub 2024"), "cas-member-healthy-sub")
    };
    own.chain([former]).collect()
}

/// Any 32 hex digits that differ between certificates.
fn identifier(name: &str) -> String {
    acs3::hash(name.as_bytes()).chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_instance_says_what_the_example_says() {
        let example_body: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
        assert_eq!(
            serde_json::to_value(example()).unwrap(),
            example_body["InstanceStatusList"][0]
        );
    }

    #[test]
    fn no_two_telling_instances_share_an_id_or_an_identifier() {
        let all = telling(UnixMillis(1_765_843_200_000));
        let ids: std::collections::BTreeSet<_> = all.iter().map(|instance| &instance.instance_id).collect();
        let identifiers: Vec<_> = all
            .iter()
            .filter_map(|instance| instance.identifier.as_ref())
            .collect();
        let distinct: std::collections::BTreeSet<_> = identifiers.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (12, identifiers.len()));
    }
}
