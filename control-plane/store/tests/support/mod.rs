//! A real etcd for tests: its own folder, free ports on loopback, gone with the value.
#![allow(dead_code)] // Each test file uses a part of it.

#[path = "../../../../integration/src/rig/program.rs"]
mod place;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ferromesh_store::{EtcdOptions, EtcdStore};

/// The program.
pub fn program() -> PathBuf {
    place::find("FERROMESH_ETCD", "etcd/etcd", Some("etcd")).unwrap_or_else(|problem| panic!("{problem}"))
}

/// One member.
pub struct Etcd {
    child: Option<Child>,
    client: u16,
    peer: u16,
    more: Vec<String>,
    folder: tempfile::TempDir,
}

impl Etcd {
    /// Starts one.
    pub fn start() -> Self {
        Self::start_with("http", &[])
    }

    /// Starts one with clients' scheme and more flags.
    pub fn start_with(scheme: &str, more: &[String]) -> Self {
        let mut etcd = Self {
            child: None,
            client: free_port(),
            peer: free_port(),
            more: [&[scheme.to_owned()], more].concat(),
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        etcd.resume();
        etcd
    }

    /// `etcd://` and its address.
    pub fn url(&self) -> String {
        format!("etcd://127.0.0.1:{}", self.client)
    }

    /// Options for a store under the default prefix.
    pub fn options(&self) -> EtcdOptions {
        EtcdOptions::parse(&self.url()).expect("an address")
    }

    /// A store under the default prefix, without a copy on disk.
    pub fn store(&self) -> EtcdStore {
        EtcdStore::open(self.options(), None).expect("a store")
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("SIGKILL");
            child.wait().expect("its end");
        }
    }

    /// Starts it again, with the same data and ports, and waits until it listens.
    pub fn resume(&mut self) {
        let (scheme, more) = self.more.split_first().expect("a scheme");
        let client = format!("{scheme}://127.0.0.1:{}", self.client);
        let peer = format!("http://127.0.0.1:{}", self.peer);
        let child = Command::new(program())
            .args(["--name", "one", "--data-dir"])
            .arg(self.folder.path().join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("one={peer}"), "--logger", "zap"])
            .args([
                "--log-level",
                "error",
                "--heartbeat-interval",
                "50",
                "--election-timeout",
                "500",
            ])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; `cargo xtask test` fetches etcd, or set FERROMESH_ETCD",
                    program().display()
                )
            });
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.client)).is_err() {
            assert!(Instant::now() < until, "etcd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// etcd's gateway for JSON, for what a store does not do.
impl Etcd {
    fn post(&self, path: &str, body: &str) -> String {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.client)).expect("a connection");
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: etcd\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{path} {body}: {answer}");
        answer
    }

    /// Writes a key of etcd's own.
    pub fn put(&self, key: &str, value: &str) {
        let (key, value) = (base64(key.as_bytes()), base64(value.as_bytes()));
        self.post("/v3/kv/put", &format!(r#"{{"key":"{key}","value":"{value}"}}"#));
    }

    /// Makes a user with every right, and lets nobody else in.
    pub fn require_password(&self, name: &str, password: &str) {
        self.post(
            "/v3/auth/user/add",
            &format!(r#"{{"name":"{name}","password":"{password}"}}"#),
        );
        self.post("/v3/auth/role/add", r#"{"name":"root"}"#);
        self.post("/v3/auth/user/grant", &format!(r#"{{"user":"{name}","role":"root"}}"#));
        self.post("/v3/auth/enable", "{}");
    }

    /// Loses everything: the same address, another cluster.
    pub fn begin_anew(&mut self) {
        self.kill();
        std::fs::remove_dir_all(self.folder.path().join("data")).expect("its data");
        self.resume();
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).map(|group| {
        let all = group.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let digit = |place: usize| char::from(DIGITS[(all >> (18 - 6 * place) & 63) as usize]);
        (0..4)
            .map(|place| if place <= group.len() { digit(place) } else { '=' })
            .collect::<String>()
    });
    groups.collect()
}
