//! A stock Envoy as a child process, and the servers behind it.

#[path = "../../../../integration/src/rig/program.rs"]
mod program;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use ferromesh_xds::stream::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::control::PATIENCE;

/// The Envoy to test with.
fn binary() -> PathBuf {
    program::find("FERROMESH_ENVOY", "envoy/1.40.0/envoy", None).unwrap_or_else(|problem| panic!("{problem}"))
}

/// A port of the loopback that nobody uses at the moment.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A server that answers every request with `body`; it lives as long as the test.
pub async fn upstream(body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let (mut pending, mut buf) = (Vec::new(), [0; 4096]);
                while let Ok(n @ 1..) = socket.read(&mut buf).await {
                    pending.extend_from_slice(&buf[..n]);
                    while let Some(end) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
                        pending.drain(..end + 4);
                        if socket.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

/// A name server that says 127.0.0.1 to everything, after a while.
pub async fn slow_dns(delay: Duration) -> SocketAddr {
    let socket = std::sync::Arc::new(tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buf = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut buf).await {
            let (query, socket) = (buf[..len].to_vec(), socket.clone());
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                // Header: the query's id, a response, one question, one answer.
                let mut answer = query[..2].to_vec();
                answer.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
                let name = query[12..].iter().position(|b| *b == 0).unwrap();
                answer.extend(&query[12..12 + name + 5]);
                // The name as in the question, A, IN, 60 s, four bytes.
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
                let _ = socket.send_to(&answer, from).await;
            });
        }
    });
    address
}

pub struct Proxy {
    child: Child,
    admin: u16,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "Envoy's log:\n{}",
                std::fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
    }
}

/// Requests one after the other, from its start to its end.
pub struct Load {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<(u16, String)>>,
}

impl Load {
    pub fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut answers = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                answers.push(get(port, "/").await);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            answers
        });
        Self { stop, task }
    }

    /// Ends it: every request must have been answered with status 200.
    pub async fn none_has_failed(self) {
        self.stop.store(true, Ordering::Relaxed);
        let answers = self.task.await.unwrap();
        let failed: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
        assert!(
            failed.is_empty(),
            "{} of {} failed: {failed:?}",
            failed.len(),
            answers.len()
        );
        assert!(!answers.is_empty());
    }
}

impl Proxy {
    pub async fn start(protocol: Protocol, control_port: u16) -> Self {
        Self::start_with(bootstrap(protocol, control_port, 0)).await
    }

    /// With everything but clusters from the server: those in the bootstrap are all it has.
    pub async fn start_without_clusters(protocol: Protocol, control_port: u16, name: &str, at: SocketAddr) -> Self {
        let mut config = bootstrap(protocol, control_port, 0);
        config["dynamic_resources"]
            .as_object_mut()
            .unwrap()
            .remove("cds_config");
        let cluster = serde_json::json!({
            "name": name,
            "connect_timeout": "1s",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {
                    "address": at.ip().to_string(), "port_value": at.port(),
                }}}}]}],
            },
        });
        config["static_resources"]["clusters"]
            .as_array_mut()
            .unwrap()
            .push(cluster);
        Self::start_with(config).await
    }

    async fn start_with(mut bootstrap: serde_json::Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let admin = free_port();
        let config = dir.path().join("envoy.json");
        bootstrap["admin"]["address"]["socket_address"]["port_value"] = admin.into();
        std::fs::write(&config, bootstrap.to_string()).unwrap();
        let log = dir.path().join("envoy.log");
        let child = Command::new(binary())
            .args(["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "info"])
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            admin,
            log,
            _dir: dir,
        }
    }

    /// Stops it or lets it go on, as the signal of that name does.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// Status and body of `GET /` on the port; status 0 when it is refused.
    pub async fn get(&self, port: u16) -> (u16, String) {
        get(port, "/").await
    }

    pub async fn admin(&self, path: &str) -> String {
        get(self.admin, path).await.1
    }

    /// The response's header `x-stamp`, if there is one.
    pub async fn stamp(&self, port: u16) -> Option<String> {
        let (head, _) = exchange(port, "/").await.ok()?;
        let line = head.lines().find_map(|line| line.strip_prefix("x-stamp: "));
        line.map(str::to_owned)
    }

    /// All that this Envoy has by xDS, without times and in an order of its own.
    pub async fn dump(&self) -> serde_json::Value {
        let text = self.admin("/config_dump?include_eds").await;
        let dump: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let configs = dump["configs"].as_array().cloned().unwrap_or_default();
        let is_own = |c: &serde_json::Value| c["@type"].as_str().is_some_and(|t| t.ends_with(".BootstrapConfigDump"));
        // A resource goes by the version of the response in which it changed last; the type's version says what all is.
        let versions: Vec<serde_json::Value> = configs.iter().map(|c| c["version_info"].clone()).collect();
        let mut kept: serde_json::Value = configs.into_iter().filter(|c| !is_own(c)).collect();
        put_in_order(&mut kept);
        serde_json::json!({"versions": versions, "configs": kept})
    }

    pub async fn until_answer(&self, port: u16, body: &str) {
        self.until(&format!("the answer `{body}`"), PATIENCE, || async move {
            self.get(port).await == (200, body.to_owned())
        })
        .await;
    }

    /// Until exactly the clusters of that version are active, and none warms.
    pub async fn until_clusters_are(&self, version: &str, patience: Duration) {
        self.until("warm clusters", patience, || async move {
            let dump: serde_json::Value = serde_json::from_str(&self.admin("/config_dump").await).unwrap_or_default();
            let configs = dump["configs"].as_array().cloned().unwrap_or_default();
            let clusters = configs
                .iter()
                .find(|c| c["@type"].as_str().is_some_and(|t| t.ends_with("ClustersConfigDump")));
            clusters.is_some_and(|c| c["version_info"] == version && c.get("dynamic_warming_clusters").is_none())
        })
        .await;
    }

    pub async fn until<F: std::future::Future<Output = bool>>(
        &self,
        what: &str,
        patience: Duration,
        condition: impl Fn() -> F,
    ) {
        let wait = async {
            while !condition().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(patience, wait).await.is_err() {
            panic!("{what} did not come; {}", self.admin("/config_dump").await);
        }
    }
}

fn put_in_order(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            members.remove("last_updated");
            members.remove("version_info");
            members.values_mut().for_each(put_in_order);
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(put_in_order);
            items.sort_by_key(|item| item.to_string());
        }
        _ => {}
    }
}

/// Head and body of the answer.
async fn exchange(port: u16, path: &str) -> std::io::Result<(String, String)> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.to_owned(), body.to_owned()))
}

async fn get(port: u16, path: &str) -> (u16, String) {
    let Ok((head, body)) = exchange(port, path).await else {
        return (0, String::new());
    };
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    (status, if is_chunked { unchunk(&body) } else { body })
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((len, rest)) = body.split_once("\r\n") {
        let len = usize::from_str_radix(len, 16).unwrap_or(0);
        if len == 0 || rest.len() < len {
            break;
        }
        whole.push_str(&rest[..len]);
        body = rest[len..].trim_start_matches("\r\n");
    }
    whole
}

fn bootstrap(protocol: Protocol, control_port: u16, admin: u16) -> serde_json::Value {
    let api_type = match protocol {
        Protocol::StateOfTheWorld => "GRPC",
        Protocol::Delta => "DELTA_GRPC",
    };
    let address = |port: u16| serde_json::json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    serde_json::json!({
        "node": {"id": "node", "cluster": "cluster", "metadata": {"k": {"a": [1, true, "x"]}}},
        "admin": {"address": address(admin)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": api_type,
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "control_plane"}}],
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {"clusters": [{
            "name": "control_plane",
            "type": "STATIC",
            "connect_timeout": "1s",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http2_protocol_options": {}},
                },
            },
            "load_assignment": {
                "cluster_name": "control_plane",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(control_port)}}]}],
            },
        }]},
    })
}
