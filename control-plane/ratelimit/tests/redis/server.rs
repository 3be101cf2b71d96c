//! A real store on a loopback port, which can be killed, held and started again.

#[path = "../../../../integration/src/rig/program.rs"]
mod program;

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ferromesh_ratelimit::{Client, Redis, RedisConfig, Store, StoreTls};
use rustix::process::{kill_process, Pid, Signal};
use tempfile::TempDir;

/// How long it may take to listen, on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running store; ended when dropped.
pub struct Server {
    process: Option<Child>,
    port: u16,
    /// Certificate and key, where it speaks TLS and wants to see a certificate too.
    tls: Option<(String, String)>,
    folder: TempDir,
}

impl Server {
    pub fn start() -> Self {
        Self::start_as(None)
    }

    /// A store that speaks TLS only, and only with whom shows its own certificate.
    pub fn start_tls() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        Self::start_as(Some((made.cert.pem(), made.signing_key.serialize_pem())))
    }

    fn start_as(tls: Option<(String, String)>) -> Self {
        let mut server = Self {
            tls,
            process: None,
            port: TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a port")
                .port(),
            folder: TempDir::new().expect("a folder"),
        };
        server.restart();
        server
    }

    /// Starts it on the same port, with nothing that it knew before.
    pub fn restart(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let port = self.port.to_string();
        let mut command = Command::new(binary());
        match &self.tls {
            None => command.args(["--port", &port]),
            Some((certificate, key)) => {
                let write = |name: &str, text: &str| {
                    std::fs::write(self.folder.path().join(name), text).expect("written");
                };
                write("certificate.pem", certificate);
                write("key.pem", key);
                command
                    .args(["--port", "0", "--tls-port", &port])
                    .args(["--tls-cert-file", "certificate.pem", "--tls-key-file", "key.pem"])
                    .args(["--tls-ca-cert-file", "certificate.pem", "--tls-auth-clients", "yes"])
            }
        };
        let mut process = command
            .args(["--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--requirepass", "a secret"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .spawn()
            .expect("the store");
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = process.try_wait().expect("its status");
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "it does not start:\n{}",
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(process);
    }

    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// It keeps its connections and answers nothing, or goes on.
    pub fn hold(&self, held: bool) {
        let process = self.process.as_ref().expect("a process");
        let signal = if held { Signal::STOP } else { Signal::CONT };
        kill_process(Pid::from_child(process), signal).expect("a signal");
    }

    /// What the store trusts and shows, and what must be shown to it.
    pub fn certificates(&self) -> StoreTls {
        let (certificate, key) = self.tls.clone().expect("TLS");
        StoreTls {
            authorities: Some(certificate.clone().into_bytes()),
            client: Some((certificate.into_bytes(), key.into_bytes())),
            plaintext: false,
        }
    }

    pub fn tls_url(&self) -> String {
        format!("rediss://:a%20secret@localhost:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://:a%20secret@127.0.0.1:{}", self.port)
    }

    /// One instance's connection, when it is there.
    pub async fn connect(&self) -> Redis {
        self.connect_with(RedisConfig {
            // Tests run beside compilers.
            deadline: Duration::from_secs(5),
            ..RedisConfig::default()
        })
        .await
    }

    pub async fn connect_with(&self, config: RedisConfig) -> Redis {
        let client = Client::open(&self.url(), &StoreTls::default()).expect("a store");
        let redis = Redis::start(client, config);
        until_ready(&redis).await;
        redis
    }

    /// A command of the store's own, apart from what is tested.
    pub async fn ask(&self, command: &str) -> redis::Value {
        let client = redis::Client::open(self.url()).expect("a store");
        let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().expect("a command"));
        words.for_each(|word| {
            command.arg(word);
        });
        command.query_async(&mut connection).await.expect("an answer")
    }

    /// All keys that it holds.
    pub async fn keys(&self) -> Vec<String> {
        redis::from_redis_value(self.ask("KEYS *").await).expect("texts")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub async fn until_ready(redis: &Redis) {
    let begun = Instant::now();
    while !redis.is_ready() {
        assert!(begun.elapsed() < PATIENCE, "no connection");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The store's program.
fn binary() -> PathBuf {
    program::find("FERROMESH_REDIS", "redis/redis-server", Some("redis-server"))
        .unwrap_or_else(|problem| panic!("{problem}"))
}
