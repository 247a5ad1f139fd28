//! Where the API answers: scheme, host and port. Which region has which host is the product's business.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Scheme;

/// Scheme, host and port of an API, without a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    https: bool,
    authority: String,
}

/// A text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a host name, with or without scheme and port.
    #[error(
        "expected a host such as cas.aliyuncs.com, with https:// (or http:// for tests) and a port where needed"
    )]
    Malformed,
    /// Neither http nor https.
    #[error("the scheme must be https (or http for tests)")]
    Scheme,
    /// There is more than scheme, host and port.
    #[error("expected only scheme, host and port: no user, path or query")]
    TooMuch,
}

impl Endpoint {
    /// The value of the `Host` header: the port only where it is not the scheme's own.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// `cas.aliyuncs.com`, `http://127.0.0.1:8080`; https where no scheme is given.
impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let uri: Uri = with_scheme.parse().map_err(|_| EndpointError::Malformed)?;
        let https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(EndpointError::Scheme),
        };
        let authority = uri.authority().ok_or(EndpointError::Malformed)?;
        if authority.as_str().contains('@') || uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(EndpointError::TooMuch);
        }
        let host = authority.host().to_ascii_lowercase();
        // `host:99999` parses as an authority without a port.
        let has_port_text = authority.as_str().len() > authority.host().len();
        let port = authority.port_u16();
        if host.is_empty() || has_port_text && port.is_none() {
            return Err(EndpointError::Malformed);
        }
        let port = port.filter(|port| *port != if https { 443 } else { 80 });
        let authority = port.map_or(host.clone(), |port| format!("{host}:{port}"));
        Ok(Self { https, authority })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}",
            if self.https { "https" } else { "http" },
            self.authority
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, url: &str, authority: &str) {
        let endpoint: Endpoint = text.parse().unwrap();
        assert_eq!(
            (endpoint.to_string().as_str(), endpoint.authority()),
            (url, authority)
        );
    }

    #[test]
    fn https_is_meant_where_no_scheme_is_given() {
        reads("cas.aliyuncs.com", "https://cas.aliyuncs.com", "cas.aliyuncs.com");
        reads(
            "cas.aliyuncs.com:8443",
            "https://cas.aliyuncs.com:8443",
            "cas.aliyuncs.com:8443",
        );
    }

    #[test]
    fn the_schemes_own_port_is_left_out_as_http_clients_do() {
        reads(
            "https://cas.aliyuncs.com:443/",
            "https://cas.aliyuncs.com",
            "cas.aliyuncs.com",
        );
        reads("http://127.0.0.1:80", "http://127.0.0.1", "127.0.0.1");
        reads("http://[::1]:8080", "http://[::1]:8080", "[::1]:8080");
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for (text, error) in [
            ("", EndpointError::Malformed),
            ("a b", EndpointError::Malformed),
            ("cas.aliyuncs.com:99999", EndpointError::Malformed),
            ("cas.aliyuncs.com:", EndpointError::Malformed),
            ("ftp://cas.aliyuncs.com", EndpointError::Scheme),
            ("https://key@cas.aliyuncs.com", EndpointError::TooMuch),
            ("https://cas.aliyuncs.com/path", EndpointError::TooMuch),
            ("https://cas.aliyuncs.com/?a=b", EndpointError::TooMuch),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text}");
        }
    }
}
