//! Real `curl` against the web server, and certificates of a test's own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use aliyun_pca_exporter::host::{Clock, Files, Random};
use aliyun_pca_exporter::store::Store;
use aliyun_pca_exporter::telemetry::{BUILD, Telemetry};
use aliyun_pca_exporter::web::{self, Gate, Site};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use tokio_util::sync::CancellationToken;

use crate::support::{OPENING, command};

/// A CA that issues certificates.
pub(crate) struct Ca {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A folder with a web configuration, its files, and those of the client.
pub(crate) struct Folder(tempfile::TempDir);

/// `curl` as the client of one server.
pub(crate) struct Curl {
    port: u16,
    folder: PathBuf,
}

/// What `curl` got.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 0, or why there is no answer, as curl's manual lists it.
    pub(crate) exit: i32,
    pub(crate) status: u16,
    /// `1.1` or `2`.
    pub(crate) version: String,
    /// Head and body, names of headers in small letters.
    pub(crate) text: String,
    pub(crate) error: String,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // The same for all, so that only the signature tells one from another.
        params.distinguished_name.push(DnType::CommonName, "CA");
        let key = KeyPair::generate().unwrap();
        Self {
            pem: params.self_signed(&key).unwrap().pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Certificate and key of a server at `localhost`.
    pub(crate) fn server(&self) -> (String, String) {
        self.issue(
            &[SanType::DnsName("localhost".try_into().unwrap())],
            ExtendedKeyUsagePurpose::ServerAuth,
        )
    }

    /// Certificate and key of a client with these names.
    pub(crate) fn client(&self, names: &[SanType]) -> (String, String) {
        self.issue(names, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, names: &[SanType], usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "leaf");
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = names.to_vec();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

impl Folder {
    /// With a web configuration.
    pub(crate) fn with(yaml: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("web.yaml", yaml);
        folder
    }

    /// With TLS, certificates of server and client from a new CA, and more lines of `tls_server_config` or of the whole.
    pub(crate) fn with_tls(more: &str) -> Self {
        let folder = Self::with(&format!(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{more}"
        ));
        let ca = Ca::new();
        folder.write("ca.pem", &ca.pem);
        folder.put("server", &ca.server());
        folder.put("client", &ca.client(&[]));
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        Files::disk().replace(&self.path(name), text).unwrap();
    }

    /// Certificate and key as `NAME.pem` and `NAME.key`.
    pub(crate) fn put(&self, name: &str, (certificate, key): &(String, String)) {
        self.write(&format!("{name}.pem"), certificate);
        self.write(&format!("{name}.key"), key);
    }

    pub(crate) async fn gate(&self) -> Result<Gate, String> {
        let gate = Gate::load(&self.path("web.yaml"), Files::disk(), &Random::seeded(1)).await;
        gate.map_err(|error| {
            error
                .to_string()
                .replace(&format!("{}/", self.0.path().display()), "")
        })
    }

    /// Serves while `client`, which may block, runs.
    pub(crate) async fn while_serving<T: Send + 'static>(
        &self,
        client: impl FnOnce(&Curl) -> T + Send + 'static,
    ) -> T {
        let folder = self.0.path().to_owned();
        self.serve(async |address| {
            let port = address.port();
            let client = tokio::task::spawn_blocking(move || client(&Curl { port, folder }));
            client.await.unwrap()
        })
        .await
    }

    /// Serves while `client` runs, then stops, and waits for the end.
    pub(crate) async fn serve<T>(&self, client: impl AsyncFnOnce(SocketAddr) -> T) -> T {
        let gate = self.gate().await.unwrap();
        let listeners = web::bind(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        let address = listeners.addresses()[0];
        let site = Site::new(
            Arc::new(Store::default()),
            Arc::new(Telemetry::new(BUILD).unwrap()),
            Clock::starting_at(OPENING),
            "/metrics".parse().unwrap(),
            BUILD,
            None,
        );
        let stop = CancellationToken::new();
        let client = async {
            let _stop = stop.clone().drop_guard();
            client(address).await
        };
        let served = web::serve(listeners, Arc::new(site), Arc::new(gate), stop.clone());
        tokio::join!(client, served).0
    }
}

impl Curl {
    /// Asks for the metrics over TLS, trusting `ca.pem`.
    pub(crate) fn https(&self, arguments: &[&str]) -> Answer {
        self.ask(
            "https",
            "/metrics",
            &[&["--cacert", "ca.pem"], arguments].concat(),
        )
    }

    /// Asks for the metrics in plain.
    pub(crate) fn http(&self, arguments: &[&str]) -> Answer {
        self.ask("http", "/metrics", arguments)
    }

    pub(crate) fn ask(&self, scheme: &str, path: &str, arguments: &[&str]) -> Answer {
        let (port, url) = (self.port, format!("{scheme}://localhost:{}{path}", self.port));
        let output = command("curl")
            .current_dir(&self.folder)
            .args([
                "--disable",
                "--silent",
                "--show-error",
                "--include",
                "--max-time",
                "30",
            ])
            .args(["--resolve", &format!("localhost:{port}:127.0.0.1")])
            .args(["--write-out", "\n%{http_code} %{http_version}"])
            .args(arguments)
            .arg(&url)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (text, last) = text.rsplit_once('\n').unwrap();
        let (status, version) = last.split_once(' ').unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        Answer {
            exit: output.status.code().unwrap(),
            status: status.parse().unwrap(),
            version: version.to_owned(),
            text: format!("{}\n\n{body}", head.replace('\r', "").to_lowercase()),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Answer {
    /// The status; what happened instead of an answer if there is none.
    pub(crate) fn status(&self) -> Result<u16, &str> {
        if self.exit == 0 {
            Ok(self.status)
        } else {
            Err(&self.error)
        }
    }
}
