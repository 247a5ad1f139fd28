//! What ours is held against, behind a small hyper server: a ready-made page, or its gauges in a registry of the
//! prometheus crate.
//!
//! Our own web server serves nothing but our own site; this one is the same library, set up in the same way, without
//! routes, limits and negotiation, which is to the rival's advantage.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What is served.
pub(crate) enum Page {
    /// Two buffers, sent as they are.
    Ready { plain: Bytes, compressed: Bytes },
    /// Gathered and encoded at each scrape.
    Registry(Registry),
}

impl Page {
    pub(crate) fn ready(text: &str) -> anyhow::Result<Self> {
        Ok(Self::Ready {
            plain: Bytes::from(text.to_owned()),
            compressed: compress(text)?,
        })
    }

    /// One gauge a family.
    pub(crate) fn registry(text: &str) -> anyhow::Result<Self> {
        let registry = Registry::new();
        let mut gauges = BTreeMap::new();
        let mut help = "";
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("# HELP ") {
                help = head.split_once(' ').context("a HELP has a text")?.1;
            }
            if line.starts_with('#') {
                continue;
            }
            let (series, value) = line.rsplit_once(' ').context("a sample has a value")?;
            let (name, labels) = series
                .split_once('{')
                .context("an instance's sample has labels")?;
            let labels = labels.trim_end_matches("\"}").split("\",");
            let labels: Vec<_> = labels.filter_map(|label| label.split_once("=\"")).collect();
            if !gauges.contains_key(name) {
                let names: Vec<_> = labels.iter().map(|(name, _)| *name).collect();
                let gauge = GaugeVec::new(Opts::new(name, help), &names)?;
                registry.register(Box::new(gauge.clone()))?;
                gauges.insert(name, gauge);
            }
            let values: Vec<_> = labels.iter().map(|(_, value)| *value).collect();
            gauges[name]
                .get_metric_with_label_values(&values)?
                .set(value.parse()?);
        }
        Ok(Self::Registry(registry))
    }

    fn body(&self, gzip: bool) -> anyhow::Result<Bytes> {
        match self {
            Self::Ready { compressed, .. } if gzip => Ok(compressed.clone()),
            Self::Ready { plain, .. } => Ok(plain.clone()),
            Self::Registry(registry) => {
                let text = TextEncoder::new().encode_to_string(&registry.gather())?;
                if gzip { compress(&text) } else { Ok(text.into()) }
            }
        }
    }
}

/// Serves until killed.
#[expect(clippy::print_stdout, reason = "the only line says where it listens")]
pub(crate) async fn serve(page: Page) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let page = Arc::new(page);
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let page = Arc::clone(&page);
        connections.spawn(async move {
            let service = service_fn(|request: hyper::Request<Incoming>| {
                let gzip = request.headers().contains_key(ACCEPT_ENCODING);
                let body = page.body(gzip).expect("a page that was read can be written");
                let mut response = Response::new(Full::new(body));
                if gzip {
                    let value = "gzip".parse().expect("gzip can be a header's value");
                    response.headers_mut().insert(CONTENT_ENCODING, value);
                }
                async { Ok::<_, Infallible>(response) }
            });
            let mut server = http1::Builder::new();
            let connection = server
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // The client goes away in the end.
            let _ = connection.await;
        });
    }
}

/// As ours does.
fn compress(text: &str) -> anyhow::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?.into())
}
