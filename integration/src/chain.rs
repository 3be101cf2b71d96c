//! Three Envoys in a row, each in a network namespace of its own: a virtual gateway, a virtual node `front` whose
//! application calls on, and a virtual node `back`. What a trace goes through.
//!
//! Receivers of telemetry listen on 127.0.0.1 of every namespace, so that the ports are those of the tracers' defaults.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{json, Value};

use crate::{
    load::{Load, Report},
    rig::{eventually, Namespace, Process, Rig, PATIENCE},
    upstream::Upstream,
};

/// The mesh's name.
pub const MESH: &str = "chain";
/// The three proxies, in the order in which a call meets them.
pub const PROXIES: [&str; 3] = ["gateway", "front", "back"];
const APP_PORT: u16 = 9080;
const GATEWAY_PORT: u16 = 8080;
/// An address that nobody has: the proxy goes by the host.
const ANYWHERE: &str = "10.78.2.99";
/// The headers that carry a trace in any of its forms; an application passes them on, as every mesh asks of it.
const TRACE_HEADERS: [&str; 7] = [
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-",
    "x-amzn-trace-id",
    "x-datadog-",
    "x-request-id",
];

/// The three namespaces and what runs in them.
#[derive(Debug)]
pub struct Chain {
    // Dropped in this order: processes before their folder and their namespaces.
    sidecars: Vec<Process>,
    apps: Vec<App>,
    rig: Rig,
    namespaces: [Namespace; 3],
}

impl Chain {
    /// Makes the namespaces, the control plane and the mesh; no proxy runs yet.
    ///
    /// # Errors
    /// Not root, no `ip` or `iptables`, or no built binary.
    pub async fn prepare() -> Result<Self> {
        let [gateway, front, back] = PROXIES.map(Namespace::create);
        let (gateway, front, back) = (gateway?, front?, back?);
        gateway.connect([10, 78, 1, 1].into(), &front, [10, 78, 1, 2].into())?;
        front.connect([10, 78, 2, 1].into(), &back, [10, 78, 2, 2].into())?;
        front.redirect(&[APP_PORT])?;
        back.redirect(&[APP_PORT])?;
        let rig = Rig::start().await?;
        create(&rig).await?;
        Ok(Self {
            sidecars: Vec::new(),
            apps: Vec::new(),
            rig,
            namespaces: [gateway, front, back],
        })
    }

    /// The control plane.
    pub fn rig(&self) -> &Rig {
        &self.rig
    }

    /// The namespace of the gateway and of its clients.
    pub fn client(&self) -> &Namespace {
        &self.namespaces[0]
    }

    /// The application of `back`.
    pub fn back(&self) -> Option<&Upstream> {
        self.apps.iter().find_map(|app| app.upstream.as_ref())
    }

    /// A TCP socket on 127.0.0.1 of each namespace.
    ///
    /// # Errors
    /// The port is taken.
    pub fn tcp(&self, port: u16) -> Result<Vec<TcpListener>> {
        self.each(|| TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
    }

    /// A UDP socket on 127.0.0.1 of each namespace.
    ///
    /// # Errors
    /// The port is taken.
    pub fn udp(&self, port: u16) -> Result<Vec<UdpSocket>> {
        self.each(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)))
    }

    fn each<T: Send>(&self, bind: impl Fn() -> std::io::Result<T> + Send + Sync) -> Result<Vec<T>> {
        let bound = self.namespaces.iter().map(|namespace| Ok(namespace.inside(&bind)??));
        bound.collect()
    }

    /// Starts the applications and the proxies with these variables more, and waits until a call comes through.
    ///
    /// # Errors
    /// It does not; the proxies' logs are in the error.
    pub async fn start(&mut self, variables: &[(&str, &str)]) -> Result<()> {
        let [_, front, back] = &self.namespaces;
        self.apps.push(App::start(front, "front", true)?);
        self.apps.push(App::start(back, "back", false)?);
        for (name, namespace) in PROXIES.iter().zip(&self.namespaces) {
            let kind = if *name == "gateway" {
                "virtualGateway"
            } else {
                "virtualNode"
            };
            let mut command = self.rig.proxy_command(&format!("mesh/{MESH}/{kind}/{name}"))?;
            command
                .env("APPMESH_XDS_ENDPOINT", self.rig.socket())
                .env("ENVOY_CONCURRENCY", "1")
                .envs(variables.iter().copied());
            let process = self
                .rig
                .spawn(&format!("sidecar-{name}"), namespace.as_envoy(&command))?;
            self.sidecars.push(process);
        }
        let through = eventually("a call comes through all three", PATIENCE, async || {
            let report = self.call(1).ok()?;
            (report.failures().count() == 0).then_some(())
        });
        let logs = |process: &Process| crate::rig::process::tail(&process.log());
        through
            .await
            .with_context(|| self.sidecars.iter().map(logs).collect::<Vec<_>>().join("\n----\n"))
    }

    /// Calls of a client beside the gateway, one after the other.
    ///
    /// # Errors
    /// The namespace is gone.
    pub fn call(&self, requests: usize) -> Result<Report> {
        self.namespaces[0].inside(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(
                Load::to(format!("http://127.0.0.1:{GATEWAY_PORT}/"))
                    .connections(1)
                    .timeout(std::time::Duration::from_secs(10))
                    .send(requests),
            )
        })?
    }
}

async fn create(rig: &Rig) -> Result<()> {
    let listener = |port| json!({"portMapping": {"port": port, "protocol": "http"}});
    let mesh = |path: &str| format!("meshes/{MESH}/{path}");
    rig.put("meshes", &json!({"meshName": MESH})).await?;
    let service = |name: &str| {
        let provider = json!({"virtualNode": {"virtualNodeName": name}});
        json!({"virtualServiceName": format!("{name}.test.local"), "spec": {"provider": provider}})
    };
    let node = |name: &str, host: &str, backends: Value| {
        json!({"virtualNodeName": name, "spec": {
            "listeners": [listener(APP_PORT)],
            "serviceDiscovery": {"dns": {"hostname": host}},
            "backends": backends,
        }})
    };
    rig.put(&mesh("virtualNodes"), &node("back", "10.78.2.2", json!([])))
        .await?;
    rig.put(&mesh("virtualServices"), &service("back")).await?;
    let backends = json!([{"virtualService": {"virtualServiceName": "back.test.local"}}]);
    rig.put(&mesh("virtualNodes"), &node("front", "10.78.1.2", backends))
        .await?;
    rig.put(&mesh("virtualServices"), &service("front")).await?;
    let gateway = json!({"virtualGatewayName": "gateway", "spec": {"listeners": [listener(GATEWAY_PORT)]}});
    rig.put(&mesh("virtualGateways"), &gateway).await?;
    let route = json!({"gatewayRouteName": "all", "spec": {"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"target": {"virtualService": {"virtualServiceName": "front.test.local"}}},
    }}});
    rig.put(&mesh("virtualGateway/gateway/gatewayRoutes"), &route).await?;
    Ok(())
}

/// An application in its namespace.
#[derive(Debug)]
struct App {
    upstream: Option<Upstream>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl App {
    fn start(namespace: &Namespace, name: &str, calls_on: bool) -> Result<Self> {
        namespace.inside(|| {
            // Its worker is started by this thread and so belongs to the namespace as well.
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, APP_PORT));
            let upstream = if calls_on {
                let listener = runtime.block_on(tokio::net::TcpListener::bind(address))?;
                runtime.spawn(serve_caller(listener));
                None
            } else {
                Some(runtime.block_on(Upstream::start_at(name, address))?)
            };
            Ok(Self {
                upstream,
                runtime: Some(runtime),
            })
        })?
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // Waiting for a runtime's end is not allowed where another one runs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve_caller(listener: tokio::net::TcpListener) {
    let Ok(client) = reqwest::Client::builder().no_proxy().build() else {
        return;
    };
    while let Ok((stream, _)) = listener.accept().await {
        let client = client.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| call_on(client.clone(), request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Asks `back` and passes its status on.
async fn call_on(client: reqwest::Client, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let mut call = client
        .get(format!("http://{ANYWHERE}:{APP_PORT}/"))
        .header("host", format!("back.test.local:{APP_PORT}"));
    for (name, value) in request.headers() {
        if TRACE_HEADERS.iter().any(|prefix| name.as_str().starts_with(prefix)) {
            call = call.header(name.as_str(), value.as_bytes());
        }
    }
    let answer = call.send().await.map_err(std::io::Error::other)?;
    let mut response = Response::new(Full::from("front\n"));
    *response.status_mut() = http::StatusCode::from_u16(answer.status().as_u16()).unwrap_or_default();
    Ok(response)
}
