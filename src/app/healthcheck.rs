//! `healthcheck`: ask a running daemon whether it works, for container images without a shell or curl.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, StatusCode};

use super::{FAILED, report};
use crate::host::{HttpClient, HttpRequest, Transport as _};

/// How long the daemon may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(url: &str) -> anyhow::Result<ExitCode> {
    let client = HttpClient::direct(TIMEOUT)?;
    match ask(&client, url).await.with_context(|| url.to_owned()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            report(&error);
            Ok(ExitCode::from(FAILED))
        }
    }
}

async fn ask(client: &HttpClient, url: &str) -> anyhow::Result<()> {
    let request = HttpRequest {
        method: Method::GET,
        url: url.to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let answer = tokio::time::timeout(TIMEOUT, client.send(request))
        .await
        .with_context(|| format!("no answer within {} s", TIMEOUT.as_secs()))??;
    ensure!(answer.status == StatusCode::OK, "answered {}", answer.status);
    Ok(())
}
