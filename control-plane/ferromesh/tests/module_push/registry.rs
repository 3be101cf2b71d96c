//! Debian's `docker-registry` on a loopback port, with a folder of its own.

#[path = "../../../../integration/src/rig/program.rs"]
mod program;

use std::{
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// How long the registry may take to listen, on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The user `me` with the bcrypt hash of `secret word`, at the lowest cost there is.
const USERS: &str = "me:$2b$04$g.r6LkoDZzDHv0TL2HNOAeyCDpSzWV.zPPIgyt6gq5ZGEDIAoZ6Pa\n";

/// A running registry; ended when dropped.
pub struct Registry {
    process: Child,
    /// What it is called in images' names.
    host: &'static str,
    port: u16,
    folder: TempDir,
}

/// What is special about a registry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    /// It wants a user and a password.
    Closed,
    Tls,
}

impl Registry {
    /// A registry that lets everybody do everything.
    pub fn start() -> Self {
        Self::start_as(Kind::Open)
    }

    /// A registry that wants the user `me` with the password `secret word`.
    pub fn start_closed() -> Self {
        Self::start_as(Kind::Closed)
    }

    /// A registry that speaks TLS with a certificate of its own making, [`Registry::certificate`].
    pub fn start_tls() -> Self {
        Self::start_as(Kind::Tls)
    }

    fn start_as(kind: Kind) -> Self {
        let folder = TempDir::new().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let (tls, auth) = match kind {
            Kind::Open => (String::new(), String::new()),
            Kind::Closed => {
                let users = write("users", USERS);
                let auth = format!("auth:\n  htpasswd: {{realm: test, path: '{users}'}}\n");
                (String::new(), auth)
            }
            Kind::Tls => {
                let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
                let certificate = write("certificate.pem", &made.cert.pem());
                let key = write("key.pem", &made.signing_key.serialize_pem());
                let tls = format!("  tls: {{certificate: '{certificate}', key: '{key}'}}\n");
                (tls, String::new())
            }
        };
        // Of 127.0.0.1 the program knows that it is this machine. Of this other form it does not, and speaks TLS.
        let host = if kind == Kind::Tls { "127.1" } else { "127.0.0.1" };
        // Another test's server may take the port between its choice and its use: then there is another one.
        for _ in 0..5 {
            let port = free_port();
            let configuration = folder.path().join("config.yml");
            let text = format!(
                "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n\
                 storage:\n  filesystem: {{rootdirectory: '{}'}}\n\
                 http:\n  addr: 127.0.0.1:{port}\n  secret: for-this-test-only\n{tls}{auth}",
                folder.path().join("data").display()
            );
            std::fs::write(&configuration, text).expect("written");
            let log = std::fs::File::create(folder.path().join("log")).expect("a log");
            let mut process = Command::new(binary())
                .arg("serve")
                .arg(&configuration)
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a log"))
                .stderr(log)
                .spawn()
                .expect("the registry");
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE {
                if process.try_wait().expect("its status").is_some() {
                    break;
                }
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self {
                        process,
                        host,
                        port,
                        folder,
                    };
                }
                thread::sleep(Duration::from_millis(20));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        panic!("the registry does not start:\n{log}");
    }

    /// An image's name: `repository:tag` or `repository@sha256:…` at this registry.
    pub fn name(&self, rest: &str) -> String {
        format!("{}:{}/{rest}", self.host, self.port)
    }

    /// The certificate of a registry that speaks TLS.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// A manifest as the registry's API gives it, with the type that it says it has.
    pub async fn manifest(&self, repository: &str, reference: &str) -> (String, Value) {
        let url = format!("http://127.0.0.1:{}/v2/{repository}/manifests/{reference}", self.port);
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client
            .get(url)
            .header("accept", "application/vnd.oci.image.manifest.v1+json")
            .send()
            .await
            .expect("an answer")
            .error_for_status()
            .expect("a manifest");
        let media_type = answer.headers()["content-type"].to_str().expect("text").to_owned();
        (media_type, answer.json().await.expect("JSON"))
    }

    /// Where the registry keeps a blob.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let digits = digest.strip_prefix("sha256:").expect("a digest");
        self.folder
            .path()
            .join("data/docker/registry/v2/blobs/sha256")
            .join(&digits[..2])
            .join(digits)
            .join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// The registry's program.
fn binary() -> PathBuf {
    program::find(
        "FERROMESH_REGISTRY",
        "registry/bin/docker-registry",
        Some("docker-registry"),
    )
    .unwrap_or_else(|problem| panic!("{problem}"))
}
