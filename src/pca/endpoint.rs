//! Which region's calls go to which host.

use crate::aliyun::endpoint::Endpoint;

/// Where an account's calls go.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// Every region's, where the account names one.
    own: Option<Endpoint>,
    /// For a region that none is known of.
    fallback: Endpoint,
}

impl Endpoints {
    /// The account's `own`, or else each region's; for a region that none is known of, that of the account's `region`.
    ///
    /// Returns nothing if none is known of that either.
    pub fn new(own: Option<Endpoint>, region: &str) -> Option<Self> {
        let fallback = own.clone().or_else(|| of_region(region))?;
        Some(Self { own, fallback })
    }

    /// Where to ask about a region's instances.
    pub fn of(&self, region: &str) -> Endpoint {
        let of_region = || of_region(region).unwrap_or_else(|| self.fallback.clone());
        self.own.clone().unwrap_or_else(of_region)
    }

    /// Where to ask about the account as a whole.
    pub fn of_account(&self) -> &Endpoint {
        &self.fallback
    }

    /// Whether it is known where to ask about a region's instances.
    pub fn knows(&self, region: &str) -> bool {
        self.own.is_some() || of_region(region).is_some()
    }
}

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
    fn a_found_region_without_a_known_host_is_asked_about_where_the_account_is() {
        let endpoints = Endpoints::new(None, "eu-central-1").unwrap();
        let of = |region| endpoints.of(region).to_string();
        assert_eq!(of("us-west-1"), "https://cas.eu-central-1.aliyuncs.com");
        assert_eq!(of("cn-hongkong"), "https://cas.cn-hongkong.aliyuncs.com");
        assert!(!endpoints.knows("us-west-1"));
        let own = Endpoints::new(Some("http://localhost:1".parse().unwrap()), "us-west-1").unwrap();
        assert_eq!(own.of("cn-hongkong").to_string(), "http://localhost:1");
    }

    #[test]
    fn a_region_without_a_known_host_has_none() {
        assert_eq!(of_region("us-west-1"), None);
    }
}
