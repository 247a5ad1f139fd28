//! The HTTP client over real sockets: what becomes of a peer that misbehaves.

use std::time::Duration;

use aliyun_pca_exporter::host::{HttpClient, HttpRequest, HttpResponse, Transport as _, TransportError};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A peer that reads one request from each connection, writes `answer` and hangs up. Dropped, it is gone.
async fn peer(answer: impl Into<Vec<u8>>) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = answer.into();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, tasks)
}

async fn send(url: String) -> Result<HttpResponse, TransportError> {
    let client = HttpClient::direct(Duration::from_secs(5)).unwrap();
    let request = HttpRequest {
        method: Method::POST,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    client.send(request).await
}

async fn error(url: String) -> TransportError {
    match send(url).await {
        Err(error) => error,
        Ok(response) => response.body.await.expect_err("neither head nor body failed"),
    }
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = error(format!("http://{address}/?AccessKeyId=canary")).await;
    assert!(matches!(error, TransportError::Connect(_)), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_a_tls_error() {
    let (address, _peer) = peer("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let error = error(format!("https://{address}/?AccessKeyId=canary")).await;
    assert!(matches!(error, TransportError::Tls(_)), "{error}");
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_closed() {
    let (address, _peer) = peer("").await;
    let error = error(format!("http://{address}/?AccessKeyId=canary")).await;
    assert!(matches!(error, TransportError::Closed(_)), "{error}");
}

#[tokio::test]
async fn a_connection_that_ends_within_the_body_is_closed() {
    let (address, _peer) = peer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Code\"").await;
    let error = error(format!("http://{address}/?AccessKeyId=canary")).await;
    assert!(matches!(error, TransportError::Closed(_)), "{error}");
}

#[tokio::test]
async fn a_body_larger_than_any_of_the_apis_is_refused() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 5_000_000, b' ');
    let (address, _peer) = peer(answer).await;
    let error = error(format!("http://{address}/?AccessKeyId=canary")).await;
    assert!(matches!(error, TransportError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_is_handed_over_and_not_followed() {
    let (target, _target_peer) = peer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: http://{target}/\r\nContent-Length: 0\r\n\r\n");
    let (address, _peer) = peer(redirect).await;
    let response = send(format!("http://{address}/")).await.unwrap();
    assert_eq!(response.status, 302);
}

#[tokio::test]
async fn no_error_shows_the_url_or_a_part_of_it() {
    let (closed, _peer) = peer("").await;
    let (plain, _plain_peer) = peer("no HTTP at all\r\n\r\n").await;
    for url in [
        format!("http://{closed}/?AccessKeyId=canary"),
        format!("https://{plain}/?AccessKeyId=canary"),
        format!("http://{plain}/?AccessKeyId=canary"),
        "http://no-such-host.invalid/?AccessKeyId=canary".to_owned(),
        "not a url canary".to_owned(),
    ] {
        let error = error(url.clone()).await;
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("AccessKeyId"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_peer_that_never_takes_the_connection_is_a_connect_error_well_before_the_call_is_given_up() {
    // A backlog that is full: the system leaves every further connection unanswered.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _filling: Vec<_> = (0..2)
        .map(|_| {
            let waiting = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            waiting.set_nonblocking(true).unwrap();
            let _ = waiting.connect(&address.into());
            waiting
        })
        .collect();
    let given_up = Duration::from_secs(4);
    let client = HttpClient::direct(given_up).unwrap();
    let url = format!("http://{address}/?AccessKeyId=canary");
    let request = HttpRequest {
        method: Method::POST,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let ended = tokio::time::timeout(given_up, client.send(request)).await;
    let error = ended
        .expect("the caller's own deadline came first")
        .err()
        .unwrap();
    assert!(matches!(error, TransportError::Connect(_)), "{error}");
}

#[tokio::test]
async fn every_request_says_who_sends_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sent, received) = tokio::join!(send(url), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        String::from_utf8_lossy(&request[..length]).to_lowercase()
    });
    assert_eq!(sent.unwrap().status, 200);
    let agent = concat!(
        "user-agent: aliyun-pca-exporter/",
        env!("CARGO_PKG_VERSION"),
        "\r\n"
    );
    assert!(received.contains(agent), "{received}");
}
