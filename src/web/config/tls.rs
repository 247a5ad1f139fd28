//! From the shape of `tls_server_config` to values that cannot be wrong.
//!
//! What rustls does not offer is an error, as is what would have no effect: nobody shall believe in a protection that
//! is not there. Certificates and keys are not looked at here.

use std::path::Path;

use rustls::crypto::{SupportedKxGroup, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{NamedGroup, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion};

use super::file::{List, Tls as Shape};
use super::pem::Forms;
use super::{ClientAuth, Tls};
use crate::yaml::{Entry, Problems, Reported};

/// The versions of TLS, the oldest first.
const VERSIONS: [(&str, &SupportedProtocolVersion); 2] = [("TLS12", &TLS12), ("TLS13", &TLS13)];

/// The curves, as the toolkit calls them.
const CURVES: [(&str, NamedGroup); 3] = [
    ("X25519", NamedGroup::X25519),
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
];

/// The values of `client_auth_type`; the last is an old name of the one before.
const AUTH_TYPES: [(&str, AuthType); 6] = [
    ("NoClientCert", AuthType::No),
    ("RequestClientCert", AuthType::Request),
    ("VerifyClientCertIfGiven", AuthType::VerifyIfGiven),
    ("RequireAndVerifyClientCert", AuthType::RequireAndVerify),
    ("RequireAnyClientCert", AuthType::RequireAny),
    ("RequireClientCert", AuthType::RequireAny),
];

/// The values of `client_auth_type`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AuthType {
    No,
    Request,
    RequireAny,
    VerifyIfGiven,
    RequireAndVerify,
}

/// The section; none if it is not there.
pub(super) fn tls(
    entry: &Entry<Shape>,
    folder: &Path,
    problems: &mut Problems,
) -> Result<Option<Tls>, Reported> {
    let Some(shape) = entry.get()? else {
        return Ok(None);
    };
    let certificate = Forms::of("cert", &shape.cert, &shape.cert_file).required(folder, problems);
    let key = Forms::of("key", &shape.key, &shape.key_file).required(folder, problems);
    let client_auth = client_auth(shape, folder, problems);
    let versions = versions(shape, problems);
    let cipher_suites = cipher_suites(
        &shape.cipher_suites,
        versions.as_deref().unwrap_or_default(),
        problems,
    );
    let curves = curves(&shape.curve_preferences, problems);
    Ok(Some(Tls {
        certificate: certificate?,
        key: key?,
        client_auth: client_auth?,
        versions: versions?,
        cipher_suites: cipher_suites?,
        curves: curves?,
        server_chooses: shape.prefer_server_cipher_suites.get()?.copied().unwrap_or(true),
    }))
}

fn client_auth(shape: &Shape, folder: &Path, problems: &mut Problems) -> Result<ClientAuth, Reported> {
    let ca = Forms::of("client_ca", &shape.client_ca, &shape.client_ca_file);
    let place = ca.place();
    let ca = ca.optional(folder, problems);
    let allowed_sans = allowed_sans(&shape.client_allowed_sans, problems);
    let kind = shape.client_auth_type.get()?.map_or(Ok(AuthType::No), |text| {
        one_of(text, &AUTH_TYPES).map_err(|error| problems.push(&shape.client_auth_type.place, error))
    })?;
    let (ca, allowed_sans) = (ca?, allowed_sans?);
    let required = matches!(kind, AuthType::RequireAny | AuthType::RequireAndVerify);
    if !required && !allowed_sans.is_empty() {
        let error = "needs the client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert; \
                     with any other a client may come without a certificate";
        return Err(problems.push(&shape.client_allowed_sans.place, error));
    }
    match (kind, ca) {
        (AuthType::No, None) => Ok(ClientAuth::None),
        (AuthType::No, Some(ca)) => {
            let error =
                "has no effect without a client_auth_type; RequireAndVerifyClientCert is the safe one";
            Err(problems.push(&ca.place, error))
        }
        (AuthType::Request | AuthType::RequireAny, hint) => Ok(ClientAuth::Any {
            required,
            hint,
            allowed_sans,
        }),
        (AuthType::VerifyIfGiven | AuthType::RequireAndVerify, Some(ca)) => Ok(ClientAuth::Verified {
            required,
            ca,
            allowed_sans,
        }),
        (AuthType::VerifyIfGiven | AuthType::RequireAndVerify, None) => {
            Err(problems.push(place, "missing; this client_auth_type verifies against it"))
        }
    }
}

fn allowed_sans(entry: &Entry<List<String>>, problems: &mut Problems) -> Result<Vec<String>, Reported> {
    let Some(items) = entry.get()? else {
        return Ok(Vec::new());
    };
    if items.is_empty() {
        return Err(problems.push(&entry.place, "must not be empty, or no client could ever connect"));
    }
    each(items, problems, |name| match name {
        "" => Err("must not be empty".to_owned()),
        name => Ok(name.to_owned()),
    })
}

fn versions(
    shape: &Shape,
    problems: &mut Problems,
) -> Result<Vec<&'static SupportedProtocolVersion>, Reported> {
    let mut index = |entry: &Entry<String>, default: usize| match entry.get()? {
        None => Ok(default),
        Some(text) => VERSIONS.iter().position(|(name, _)| name == text).ok_or_else(|| {
            problems.push(
                &entry.place,
                "must be TLS12 or TLS13; older versions are not offered here",
            )
        }),
    };
    let (oldest, newest) = (
        index(&shape.min_version, 0),
        index(&shape.max_version, VERSIONS.len() - 1),
    );
    let (oldest, newest) = (oldest?, newest?);
    if oldest > newest {
        return Err(problems.push(&shape.max_version.place, "must not be older than min_version"));
    }
    Ok(VERSIONS[oldest..=newest]
        .iter()
        .map(|(_, version)| *version)
        .collect())
}

/// The suites that are listed, or all that rustls offers. Go lets nobody choose among those of TLS 1.3, and ignores
/// them in the list; here the list holds for both versions, and suites of TLS 1.3 are only restricted if one is listed.
fn cipher_suites(
    entry: &Entry<List<String>>,
    versions: &[&'static SupportedProtocolVersion],
    problems: &mut Problems,
) -> Result<Vec<SupportedCipherSuite>, Reported> {
    let all = ring::ALL_CIPHER_SUITES;
    let listed = entry.get()?.map(Vec::as_slice).unwrap_or_default();
    if listed.is_empty() {
        return Ok(all.to_vec());
    }
    let named: Vec<_> = all.iter().map(|suite| (suite_name(*suite), *suite)).collect();
    let spoken = |suite: &SupportedCipherSuite| {
        versions
            .iter()
            .any(|version| version.version == suite.version().version)
    };
    let mut suites = each(listed, problems, |name| {
        let suite = one_of(name, &named)
            .map_err(|error| format!("{error}; no other cipher suite is offered here"))?;
        if spoken(&suite) || versions.is_empty() {
            return Ok(suite);
        }
        Err("belongs to a version of TLS that min_version and max_version leave out".to_owned())
    })?;
    let is = |version| move |suite: &SupportedCipherSuite| suite.version().version == version;
    if !suites.iter().any(is(ProtocolVersion::TLSv1_3)) {
        suites.extend(all.iter().filter(|suite| is(ProtocolVersion::TLSv1_3)(suite)));
    }
    suites.retain(spoken);
    if versions.contains(&&TLS12) && !suites.iter().any(is(ProtocolVersion::TLSv1_2)) {
        let error = "lists no suite of TLS 1.2, so that version would never work; set min_version to TLS13, or list one";
        return Err(problems.push(&entry.place, error));
    }
    Ok(suites)
}

/// As Go and the registry of IANA call a suite; rustls marks those of TLS 1.3.
fn suite_name(suite: SupportedCipherSuite) -> String {
    let name = suite.suite().as_str().unwrap_or_default();
    name.replace("TLS13_", "TLS_")
}

fn curves(
    entry: &Entry<List<String>>,
    problems: &mut Problems,
) -> Result<Vec<&'static dyn SupportedKxGroup>, Reported> {
    let listed = entry.get()?.map(Vec::as_slice).unwrap_or_default();
    if listed.is_empty() {
        return Ok(ring::ALL_KX_GROUPS.to_vec());
    }
    let group = |name| {
        ring::ALL_KX_GROUPS
            .iter()
            .copied()
            .find(|group| group.name() == name)
    };
    let named: Vec<_> = CURVES
        .iter()
        .filter_map(|(name, id)| Some((*name, group(*id)?)))
        .collect();
    each(listed, problems, |name| {
        one_of(name, &named).map_err(|error| format!("{error}; no other curve is offered here"))
    })
}

/// What stands behind a name; the error has all names.
fn one_of<T: Copy, N: AsRef<str>>(text: &str, known: &[(N, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| name.as_ref() == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| name.as_ref()).collect();
        format!("must be one of {}", names.join(", "))
    })
}

/// What `read` makes of each item, if it makes something of all.
fn each<T>(
    items: &[Entry<String>],
    problems: &mut Problems,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Reported> {
    let values: Vec<Result<T, Reported>> = items
        .iter()
        .map(|item| read(item.required(problems)?).map_err(|error| problems.push(&item.place, error)))
        .collect();
    values.into_iter().collect()
}
