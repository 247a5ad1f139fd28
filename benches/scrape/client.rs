//! A client that scrapes as Prometheus does, on one connection, and throws the page away.

use aliyun_pca_exporter::exposition::Format;
use anyhow::Context as _;
use hyper::header::{ACCEPT, ACCEPT_ENCODING};
use tokio::task::JoinSet;

/// One scraper.
#[derive(Clone)]
pub(crate) struct Client {
    client: reqwest::Client,
    url: String,
}

impl Client {
    pub(crate) fn new(address: std::net::SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            url: format!("http://{address}/metrics"),
        })
    }

    /// Reads a page to its end and returns its length.
    pub(crate) async fn scrape(&self, gzip: bool) -> anyhow::Result<usize> {
        let mut request = self
            .client
            .get(&self.url)
            .header(ACCEPT, Format::Text.content_type());
        if gzip {
            request = request.header(ACCEPT_ENCODING, "gzip");
        }
        let mut response = request.send().await?.error_for_status()?;
        let mut length = 0;
        while let Some(part) = response.chunk().await? {
            length += part.len();
        }
        anyhow::ensure!(length > 0, "an empty page");
        Ok(length)
    }

    /// The page itself.
    pub(crate) async fn page(&self) -> anyhow::Result<String> {
        Ok(self
            .client
            .get(&self.url)
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?)
    }
}

/// All of them scrape at the same moment.
pub(crate) async fn scrape_at_once(clients: &[Client], gzip: bool) -> anyhow::Result<()> {
    let mut scrapes = JoinSet::new();
    for client in clients {
        let client = client.clone();
        scrapes.spawn(async move { client.scrape(gzip).await });
    }
    for scrape in scrapes.join_all().await {
        scrape.context("a scrape")?;
    }
    Ok(())
}
