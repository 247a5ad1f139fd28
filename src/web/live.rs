//! The web configuration as its file and the files that it names are now.
//!
//! They are read at each request and handshake, as the Prometheus exporter-toolkit does, and understood again only if
//! they have changed. What is broken stays shut until it is mended; each change is logged once. Whether TLS is spoken
//! at all is settled at the start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::config::{self, WebConfig};
use super::tls::{PemError, Texts};
use crate::host::Files;
use crate::yaml::FileError;

/// A web configuration that is read again whenever it is asked for, by one at a time.
#[derive(Debug)]
pub(super) struct LiveConfig {
    path: PathBuf,
    files: Files,
    speaks_tls: bool,
    /// It said nothing at the start, and may say nothing now.
    blank: bool,
    products: Mutex<Products>,
}

/// What is made of the file and of those that it names.
#[derive(Debug)]
struct Products {
    config: Product<WebConfig>,
    tls: Product<ServerConfig>,
    /// The configuration that `tls` was made for.
    tls_of: Option<Arc<WebConfig>>,
}

/// What is made of some texts, as long as they stay the same.
#[derive(Debug)]
struct Product<T> {
    name: &'static str,
    /// The digest of the texts, or why they could not be read.
    seen: Option<Result<[u8; 32], String>>,
    made: Option<Arc<T>>,
    /// To be made again though the texts are the same.
    outdated: bool,
}

/// The configuration is broken now; the log says why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken;

impl LiveConfig {
    /// Reads the file and those that it names, and says in words what it means; everything that is wrong in any of them
    /// is the error.
    pub(super) async fn load(path: &Path, files: Files) -> Result<(Self, String), FileError> {
        let text = files.read_regular(path).await;
        let text = text.map_err(|error| FileError::unreadable(path, error))?;
        let config = WebConfig::parse_with_files(path, &text, &files).await?;
        let (speaks_tls, summary) = (config.tls.is_some(), config.to_string());
        let mut products = Products {
            config: Product::new("web configuration"),
            tls: Product::new("TLS of the web configuration"),
            tls_of: None,
        };
        products.config.start(digest(&text), config);
        let live = Self {
            path: path.to_owned(),
            files,
            speaks_tls,
            blank: config::is_blank(&text),
            products: Mutex::new(products),
        };
        Ok((live, summary))
    }

    /// Whether connections begin with a TLS handshake.
    pub(super) fn speaks_tls(&self) -> bool {
        self.speaks_tls
    }

    /// What the file says now.
    pub(super) async fn config(&self) -> Result<Arc<WebConfig>, Broken> {
        self.refresh_config(&mut *self.products.lock().await).await
    }

    /// What the next handshake goes by.
    pub(super) async fn tls(&self) -> Result<Arc<ServerConfig>, Broken> {
        let mut products = self.products.lock().await;
        let config = self.refresh_config(&mut products).await?;
        let tls = config.tls.as_ref().ok_or(Broken)?;
        let texts = Texts::read(tls, &self.files).await;
        let texts = texts.map_err(|errors| in_words(&errors));
        let seen = texts.as_ref().map(Texts::digest).map_err(Clone::clone);
        let understand = || {
            texts?
                .server_config(tls, config.http2)
                .map_err(|errors| in_words(&errors))
        };
        if !products
            .tls_of
            .as_ref()
            .is_some_and(|of| Arc::ptr_eq(of, &config))
        {
            // Two configurations can name the same texts.
            products.tls.outdated = true;
            products.tls_of = Some(Arc::clone(&config));
        }
        products.tls.refresh(seen, understand)
    }

    async fn refresh_config(&self, products: &mut Products) -> Result<Arc<WebConfig>, Broken> {
        let text = self.files.read_regular(&self.path).await;
        let text = text.map_err(|error| FileError::unreadable(&self.path, error).to_string());
        let seen = text.as_ref().map(|text| digest(text)).map_err(Clone::clone);
        let understand = || parse(&self.path, &text?, self.speaks_tls, self.blank);
        products.config.refresh(seen, understand)
    }
}

impl<T> Product<T> {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            seen: None,
            made: None,
            outdated: false,
        }
    }

    fn start(&mut self, digest: [u8; 32], made: T) {
        self.seen = Some(Ok(digest));
        self.made = Some(Arc::new(made));
    }

    /// What is made of the texts behind `seen`; the same as before if they are, and nothing else has changed.
    fn refresh(
        &mut self,
        seen: Result<[u8; 32], String>,
        understand: impl FnOnce() -> Result<T, String>,
    ) -> Result<Arc<T>, Broken> {
        let changed = self.seen.as_ref() != Some(&seen);
        if changed || self.outdated {
            let first = self.seen.replace(seen).is_none();
            self.outdated = false;
            self.made = match understand() {
                Ok(made) => {
                    if changed && !first {
                        tracing::info!("the {} has changed and is in force", self.name);
                    }
                    Some(Arc::new(made))
                }
                Err(error) => {
                    tracing::error!(%error, "the {} is broken, nobody is served until it is mended", self.name);
                    None
                }
            };
        }
        self.made.clone().ok_or(Broken)
    }
}

/// What a later text says. It may say nothing where the first one did, and TLS has to stay as it was.
fn parse(path: &Path, text: &str, spoke_tls: bool, was_blank: bool) -> Result<WebConfig, String> {
    let shown = path.display();
    // Most likely it is just being written, and a moment without users would let everybody in.
    if config::is_blank(text) && !was_blank {
        return Err(format!(
            "{shown}: there is nothing in it; write {{}} to switch everything off"
        ));
    }
    let config = WebConfig::parse(path, text).map_err(|error| error.to_string())?;
    match (spoke_tls, config.tls.is_some()) {
        (true, false) => Err(format!(
            "{shown}: tls_server_config is gone; TLS can only be switched off by a restart"
        )),
        (false, true) => Err(format!(
            "{shown}: tls_server_config is new; TLS can only be switched on by a restart"
        )),
        _ => Ok(config),
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn in_words(errors: &[PemError]) -> String {
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}
