//! From the TLS of the web configuration and the PEM texts that it names to what rustls serves with.
//!
//! The texts are read whenever they are asked for, so that a rotated certificate needs no restart. Who may connect is
//! decided in `client`.

mod client;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::config::{ClientAuth, Pem, PemSource, Tls};
use crate::host::Files;
use crate::yaml::Place;

/// HTTP/2 and HTTP/1.1 as ALPN names them (RFC 7301).
pub(super) const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// What is wrong with a certificate, a key or a CA, and which key of the web configuration gives it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", place.path())]
pub(super) struct PemError {
    pub(super) place: Place,
    pub(super) message: String,
}

/// The PEM texts, as they are now. No `Debug`: one is the private key.
pub(super) struct Texts {
    certificate: Zeroizing<String>,
    key: Zeroizing<String>,
    client_ca: Option<Zeroizing<String>>,
}

impl Texts {
    /// Reads what the configuration names.
    pub(super) async fn read(tls: &Tls, files: &Files) -> Result<Self, Vec<PemError>> {
        let client_ca = async {
            match tls.client_auth.ca() {
                Some(ca) => ca.read(files).await.map(Some),
                None => Ok(None),
            }
        };
        // At once, since where one hangs the others most likely do.
        match tokio::join!(tls.certificate.read(files), tls.key.read(files), client_ca) {
            (Ok(certificate), Ok(key), Ok(client_ca)) => Ok(Self {
                certificate,
                key,
                client_ca,
            }),
            (certificate, key, client_ca) => {
                let errors = [certificate.err(), key.err(), client_ca.err()];
                Err(errors.into_iter().flatten().collect())
            }
        }
    }

    /// Another one for other texts.
    pub(super) fn digest(&self) -> [u8; 32] {
        let client_ca = self.client_ca.as_ref().map_or("", |text| text.as_str());
        let mut digest = Sha256::new();
        for text in [&self.certificate, &self.key, client_ca] {
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        }
        digest.finalize().into()
    }

    /// What rustls serves with.
    pub(super) fn server_config(&self, tls: &Tls, http2: bool) -> Result<ServerConfig, Vec<PemError>> {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: tls.cipher_suites.clone(),
            kx_groups: tls.curves.clone(),
            ..ring::default_provider()
        });
        let chain = certificates(&tls.certificate, &self.certificate);
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|_| {
            let message = "holds no private key as PEM text; an encrypted one cannot be used";
            tls.key.error(message)
        });
        let verifier = self.verifier(tls, &provider);
        let (chain, key, verifier) = match (chain, key, verifier) {
            (Ok(chain), Ok(key), Ok(verifier)) => (chain, key, verifier),
            (chain, key, verifier) => {
                let errors = [chain.err(), key.err(), verifier.err()];
                return Err(errors.into_iter().flatten().collect());
            }
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&tls.versions)
            .map_err(|error| vec![tls.certificate.error(error.to_string())])?;
        let own = CertifiedKey::from_der(chain, key, builder.crypto_provider())
            .map_err(|error| vec![unfit(tls, &error)])?;
        let kind = own.key.algorithm();
        let mut suites = tls.cipher_suites.iter();
        // Where one version works, nobody is to be shut out because another one cannot: the key may just have rotated.
        let works = suites.any(|suite| {
            tls.versions.contains(&suite.version()) && suite.usable_for_signature_algorithm(kind)
        });
        if !works {
            let message =
                format!("is a key of the kind {kind:?}, with which none of the cipher_suites works");
            return Err(vec![tls.key.error(message)]);
        }
        let asks_for_certificate = verifier.is_some();
        let mut config = match verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        }
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
        if asks_for_certificate {
            // Who comes back with a ticket is not asked for the certificate again, which may have expired meanwhile.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config.ignore_client_order = tls.server_chooses;
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        if http2 {
            config.alpn_protocols.insert(0, H2.to_vec());
        }
        Ok(config)
    }

    fn verifier(
        &self,
        tls: &Tls,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, PemError> {
        let roots = |ca: &Pem| self.roots(ca);
        Ok(match &tls.client_auth {
            ClientAuth::None => None,
            ClientAuth::Any {
                required,
                hint,
                allowed_sans,
            } => {
                let hints = hint
                    .as_ref()
                    .map(roots)
                    .transpose()?
                    .unwrap_or_else(RootCertStore::empty);
                Some(client::any(*required, &hints, allowed_sans, provider))
            }
            ClientAuth::Verified {
                required,
                ca,
                allowed_sans,
            } => {
                let verifier = client::verified(*required, roots(ca)?, allowed_sans, provider);
                Some(verifier.map_err(|error| ca.error(error.to_string()))?)
            }
        })
    }

    fn roots(&self, ca: &Pem) -> Result<RootCertStore, PemError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca, self.client_ca.as_ref().map_or("", |text| text.as_str()))? {
            let added = roots.add(certificate);
            added.map_err(|error| ca.error(format!("holds a certificate that cannot be read: {error}")))?;
        }
        Ok(roots)
    }
}

/// Everything that is wrong with certificate, key and CA, as they are now.
pub(super) async fn errors(tls: &Tls, files: &Files) -> Vec<PemError> {
    let texts = Texts::read(tls, files).await;
    let built = texts.and_then(|texts| texts.server_config(tls, true));
    built.err().unwrap_or_default()
}

/// One certificate or more. The library's own errors are not used: they repeat the text, which may be a key.
fn certificates(pem: &Pem, text: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    read.ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| pem.error("holds no certificate as PEM text"))
}

/// Certificate and key can be read and are of no use all the same.
fn unfit(tls: &Tls, error: &rustls::Error) -> PemError {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            tls.key.error("is not the key of the certificate")
        }
        rustls::Error::General(_) => tls
            .key
            .error("is a key of a kind that cannot be used; take RSA, P-256, P-384 or Ed25519"),
        error => tls.certificate.error(format!("cannot be used: {error}")),
    }
}

impl Pem {
    async fn read(&self, files: &Files) -> Result<Zeroizing<String>, PemError> {
        match &self.source {
            PemSource::Inline(text) => Ok(Zeroizing::new(text.expose().to_owned())),
            PemSource::File(path) => {
                let text = files.read_regular(path).await;
                text.map_err(|error| self.error(format!("{} cannot be read: {error}", path.display())))
            }
        }
    }

    fn error(&self, message: impl Into<String>) -> PemError {
        PemError {
            place: self.place.clone(),
            message: message.into(),
        }
    }
}

impl ClientAuth {
    fn ca(&self) -> Option<&Pem> {
        match self {
            Self::None => None,
            Self::Any { hint, .. } => hint.as_ref(),
            Self::Verified { ca, .. } => Some(ca),
        }
    }
}
