//! Which region's calls go to which host.

use crate::aliyun::endpoint::Endpoint;

/// The public endpoint of a region, where one is known.
///
/// Source: the vendor's endpoint list for the Certificate Management Service. Mainland China shares one.
pub fn of_region(region: &str) -> Option<Endpoint> {
    let host = match region {
        "cn-hongkong" | "ap-southeast-1" | "ap-southeast-3" | "ap-southeast-5" | "eu-central-1" => {
            format!("cas.{region}.aliyuncs.com")
        }
        _ if region.starts_with("cn-") => "cas.aliyuncs.com".to_owned(),
        _ => return None,
    };
    Some(
        host.parse()
            .expect("a host made of constants and the names above"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_the_hosts_of_the_vendors_list() {
        for (region, host) in [
            ("cn-hangzhou", "cas.aliyuncs.com"),
            ("cn-beijing", "cas.aliyuncs.com"),
            ("cn-hongkong", "cas.cn-hongkong.aliyuncs.com"),
            ("ap-southeast-1", "cas.ap-southeast-1.aliyuncs.com"),
            ("ap-southeast-3", "cas.ap-southeast-3.aliyuncs.com"),
            ("ap-southeast-5", "cas.ap-southeast-5.aliyuncs.com"),
            ("eu-central-1", "cas.eu-central-1.aliyuncs.com"),
        ] {
            assert_eq!(of_region(region).unwrap().to_string(), format!("https://{host}"));
        }
    }

    #[test]
    fn a_region_without_a_known_host_has_none() {
        assert_eq!(of_region("us-west-1"), None);
    }
}
