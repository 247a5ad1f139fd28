//! Which client certificates are good: any, or those that lead to a CA; and of these, those with an allowed name.
//!
//! Whatever the certificate, the client proves that it has the key to it: that is part of the handshake.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Takes a certificate if `chain` does and a name of it is allowed.
#[derive(Debug)]
struct Verifier {
    /// Who verifies whose certificate it is; nobody if there is none.
    chain: Option<Arc<dyn ClientCertVerifier>>,
    required: bool,
    /// The CAs that clients are told of.
    hints: Vec<DistinguishedName>,
    /// Any name will do if there are none.
    allowed_sans: Vec<String>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Any certificate, whoever signed it.
pub(super) fn any(
    required: bool,
    hints: &RootCertStore,
    allowed_sans: &[String],
    provider: &CryptoProvider,
) -> Arc<dyn ClientCertVerifier> {
    Arc::new(Verifier {
        chain: None,
        required,
        hints: hints.subjects(),
        allowed_sans: allowed_sans.to_vec(),
        algorithms: provider.signature_verification_algorithms,
    })
}

/// A certificate that leads to one of `roots`.
pub(super) fn verified(
    required: bool,
    roots: RootCertStore,
    allowed_sans: &[String],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    let hints = roots.subjects();
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build()?;
    Ok(Arc::new(Verifier {
        chain: Some(chain),
        required,
        hints,
        allowed_sans: allowed_sans.to_vec(),
        algorithms: provider.signature_verification_algorithms,
    }))
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_client_cert(end_entity, intermediates, now)?;
        }
        if self.allowed_sans.is_empty() {
            return Ok(ClientCertVerified::assertion());
        }
        let names = names(end_entity).ok_or(CertificateError::BadEncoding)?;
        if names.iter().any(|name| self.allowed_sans.contains(name)) {
            return Ok(ClientCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The subject alternative names of the kinds that the toolkit compares (DNS, e-mail, IP, URI), as texts; none if the
/// certificate cannot be read.
fn names(certificate: &CertificateDer<'_>) -> Option<Vec<String>> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let names = certificate
        .tbs_certificate()
        .get_extension::<SubjectAltName>()
        .ok()?;
    let Some((_, SubjectAltName(names))) = names else {
        return Some(Vec::new());
    };
    let text = |name: &GeneralName| match name {
        GeneralName::Rfc822Name(name)
        | GeneralName::DnsName(name)
        | GeneralName::UniformResourceIdentifier(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes().len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes.as_bytes()).ok()?).to_string()),
            16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes.as_bytes()).ok()?).to_string()),
            _ => None,
        },
        _ => None,
    };
    Some(names.iter().filter_map(text).collect())
}
