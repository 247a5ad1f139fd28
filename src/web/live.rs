//! The web configuration as its file and the files that it names are now.
//!
//! They are read at each request and handshake, as the Prometheus exporter-toolkit does, and understood again only if
//! they have changed. What is broken stays shut until it is mended; each change is logged once. Whether TLS is spoken
//! at all is settled at the start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};
use zeroize::Zeroizing;

use super::config::{self, WebConfig};
use super::tls::{PemError, Texts};
use crate::host::Files;
use crate::yaml::FileError;

/// A web configuration that is read again whenever it is asked for, by one at a time.
#[derive(Debug)]
pub(super) struct LiveConfig {
    speaks_tls: bool,
    watched: Arc<Mutex<Watched>>,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    files: Files,
    speaks_tls: bool,
    /// It said nothing at the start, and may say nothing now.
    blank: bool,
    config: Product<WebConfig>,
    tls: Product<ServerConfig>,
    /// The configuration that `tls` was made for.
    tls_of: Option<Arc<WebConfig>>,
}

/// The turn of whoever asks.
type Turn = OwnedMutexGuard<Watched>;

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
    /// Reads the file and those that it names; everything that is wrong in any of them is the error.
    pub(super) fn load(path: &Path, files: Files) -> Result<Self, FileError> {
        let text = files.read_regular(path).map(Zeroizing::new);
        let text = text.map_err(|error| FileError::unreadable(path, error))?;
        let config = WebConfig::parse_with_files(path, &text, &files)?;
        let speaks_tls = config.tls.is_some();
        let mut watched = Watched {
            path: path.to_owned(),
            files,
            speaks_tls,
            blank: config::is_blank(&text),
            config: Product::new("web configuration"),
            tls: Product::new("TLS of the web configuration"),
            tls_of: None,
        };
        watched.config.start(digest(&text), config);
        let watched = Arc::new(Mutex::new(watched));
        Ok(Self { speaks_tls, watched })
    }

    /// Whether connections begin with a TLS handshake.
    pub(super) fn speaks_tls(&self) -> bool {
        self.speaks_tls
    }

    /// What the file says now.
    pub(super) async fn config(&self) -> Result<Arc<WebConfig>, Broken> {
        self.refreshed().await.1
    }

    /// What the next handshake goes by.
    pub(super) async fn tls(&self) -> Result<Arc<ServerConfig>, Broken> {
        let (watched, config) = self.refreshed().await;
        let config = config?;
        let asked = Arc::clone(&config);
        let read = move |watched: &Watched| Some(Texts::read(asked.tls.as_ref()?, &watched.files));
        let (mut watched, texts) = aside(watched, read).await;
        watched.refresh_tls(&config, texts.ok_or(Broken)?)
    }

    async fn refreshed(&self) -> (Turn, Result<Arc<WebConfig>, Broken>) {
        let watched = Arc::clone(&self.watched).lock_owned().await;
        let (mut watched, text) = aside(watched, |watched| watched.files.read_regular(&watched.path)).await;
        let config = watched.refresh(text.map(Zeroizing::new));
        (watched, config)
    }
}

impl Watched {
    fn refresh(&mut self, text: io::Result<Zeroizing<String>>) -> Result<Arc<WebConfig>, Broken> {
        let text = text.map_err(|error| FileError::unreadable(&self.path, error).to_string());
        let seen = text.as_ref().map(|text| digest(text)).map_err(Clone::clone);
        let understand = || parse(&self.path, &text?, self.speaks_tls, self.blank);
        self.config.refresh(seen, understand)
    }

    fn refresh_tls(
        &mut self,
        config: &Arc<WebConfig>,
        texts: Result<Texts, Vec<PemError>>,
    ) -> Result<Arc<ServerConfig>, Broken> {
        let tls = config.tls.as_ref().ok_or(Broken)?;
        let texts = texts.map_err(|errors| in_words(&errors));
        let seen = texts.as_ref().map(Texts::digest).map_err(Clone::clone);
        let understand = || {
            texts?
                .server_config(tls, config.http2)
                .map_err(|errors| in_words(&errors))
        };
        if !self.tls_of.as_ref().is_some_and(|of| Arc::ptr_eq(of, config)) {
            // Two configurations can name the same texts.
            self.tls.outdated = true;
            self.tls_of = Some(Arc::clone(config));
        }
        self.tls.refresh(seen, understand)
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

/// Reads files beside the threads that everything else runs on. Whoever asks may go away meanwhile; the turn ends with
/// the reading all the same, so that one such thread hangs at the most.
async fn aside<T: Send + 'static>(
    watched: Turn,
    read: impl FnOnce(&Watched) -> T + Send + 'static,
) -> (Turn, T) {
    let reading = tokio::task::spawn_blocking(move || {
        let read = read(&watched);
        (watched, read)
    });
    reading.await.expect("reading files does not panic")
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
