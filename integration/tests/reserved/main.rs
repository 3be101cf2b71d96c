//! Reserved headers: whatever a client writes, and in whatever form, its request goes where it would have gone, as often as
//! it would have been tried, and as whoever it would have come from. At a gateway, at a node's way out and at its way in.

mod forms;
mod http2;
mod place;

use std::net::SocketAddr;

use ferromesh_integration::{
    hostile::{Http2, Request},
    rig::{eventually, process::Process, Namespace, Rig, PATIENCE},
    two_colours::{self, TwoColours},
    upstream::Upstream,
    wire,
};
use place::{assert_source, Place};
use serde_json::{json, Value};

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// Sends bytes from this thread, which is in a namespace or not.
fn exchange(address: &str, bytes: &[u8]) -> String {
    // Nobody listens yet, or nobody answers: no answer.
    runtime().block_on(wire::ask(address, bytes)).unwrap_or_default()
}

/// The same over HTTP/2.
fn exchange_http2(address: &str, host: &str, request: &Request) -> Option<u16> {
    let answer = runtime().block_on(Http2::ask(address, host, request));
    answer.expect("an answer or a refusal")
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_gateway_clients_choose_neither_target_nor_attempts_nor_identity() {
    let mesh = TwoColours::start([70, 30]).await.expect("the mesh");
    let address = mesh.url("").trim_start_matches("http://").to_owned();
    let host = address.clone();
    let place = Place {
        name: "gateway",
        host,
        ask: Box::new(|bytes| {
            let address = address.clone();
            std::thread::spawn(move || exchange(&address, &bytes))
                .join()
                .expect("an answer")
        }),
        ask_http2: Box::new(|request| {
            let address = address.clone();
            std::thread::spawn(move || exchange_http2(&address, &address, &request))
                .join()
                .expect("an answer or a refusal")
        }),
        first: &mesh.blue,
        second: Some(&mesh.green),
        attempts: 3,
    };
    tokio::task::block_in_place(|| {
        place.assert_all();
        // The client's address is appended to what it claims, and so is the last.
        place.forget();
        let forged = "x-forwarded-for: 10.9.9.9\r\nx-forwarded-for: 10.8.8.8\r\nx-forwarded-proto: https\r\n";
        let request = format!(
            "GET / HTTP/1.1\r\nhost: {}\r\n{forged}connection: close\r\n\r\n",
            place.host
        );
        (place.ask)(request.into_bytes());
        let seen = place.seen().pop().expect("a request");
        let all = seen.headers.iter().filter(|(name, _)| name == "x-forwarded-for");
        let all: Vec<_> = all
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect();
        let last = all.join(",");
        let last = last.rsplit(',').next().expect("an address").trim();
        assert!(
            !["10.9.9.9", "10.8.8.8"].contains(&last),
            "a forged address is the last of {all:?}"
        );
        assert_eq!(seen.header("x-forwarded-proto"), Some("http"), "{seen:?}");
    });
    assert_source(&mesh.rig, "colours", "color", &place).await;
}

const APP_PORT: u16 = 9080;
const SECOND_PORT: u16 = 9081;
/// An address that nobody has: the name of a virtual service only has to resolve.
const ANYWHERE: &str = "10.79.1.99";

#[tokio::test(flavor = "multi_thread")]
async fn on_a_nodes_way_out_and_in_clients_choose_neither_target_nor_attempts_nor_identity() {
    let (caller, callee, stranger) = (
        Namespace::create("caller").expect("a namespace"),
        Namespace::create("callee").expect("a namespace"),
        Namespace::create("stranger").expect("a namespace"),
    );
    caller
        .connect([10, 79, 1, 1].into(), &callee, [10, 79, 1, 2].into())
        .expect("a cable");
    stranger
        .connect([10, 79, 2, 1].into(), &callee, [10, 79, 2, 2].into())
        .expect("a cable");
    caller.redirect(&[]).expect("redirection");
    callee.redirect(&[APP_PORT]).expect("redirection");
    let rig = Rig::start().await.expect("a control plane");
    create(&rig).await;
    let _caller = sidecar(&rig, &caller, "caller");
    let _callee = sidecar(&rig, &callee, "blue");
    let blue = start_app(&callee, "blue", SocketAddr::from(([127, 0, 0, 1], APP_PORT)));
    let green = start_app(&callee, "green", SocketAddr::from(([10, 79, 1, 2], SECOND_PORT)));
    let ask = |namespace: &Namespace, address: &str, bytes: Vec<u8>| {
        namespace
            .inside(|| exchange(address, &bytes))
            .expect("inside the namespace")
    };
    let service = format!("{}:9000", two_colours::SERVICE);
    let ask_http2 = |namespace: &Namespace, address: &str, request: Request| {
        namespace
            .inside(|| exchange_http2(address, &service, &request))
            .expect("inside the namespace")
    };
    let out = Place {
        name: "the way out",
        host: service.clone(),
        ask: Box::new(|bytes| ask(&caller, &format!("{ANYWHERE}:9000"), bytes)),
        ask_http2: Box::new(|request| ask_http2(&caller, &format!("{ANYWHERE}:9000"), request)),
        first: &blue.upstream,
        second: Some(&green.upstream),
        attempts: 3,
    };
    let inward = Place {
        name: "the way in",
        host: service.clone(),
        ask: Box::new(|bytes| ask(&stranger, &format!("10.79.2.2:{APP_PORT}"), bytes)),
        ask_http2: Box::new(|request| ask_http2(&stranger, &format!("10.79.2.2:{APP_PORT}"), request)),
        first: &blue.upstream,
        second: None,
        attempts: 1,
    };
    for place in [&out, &inward] {
        eventually(place.name, PATIENCE, async || {
            let plain = format!("GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", place.host);
            let answer = tokio::task::block_in_place(|| (place.ask)(plain.into_bytes()));
            (wire::status(&answer) == Some(200)).then_some(())
        })
        .await
        .expect("both sidecars serve");
    }
    tokio::task::block_in_place(|| {
        out.assert_all();
        inward.assert_all();
    });
    assert_source(&rig, "m", "all", &out).await;
}

async fn create(rig: &Rig) {
    let put = async |path: &str, body: Value| {
        rig.put(path, &body).await.expect(path);
    };
    let listener = |port| json!({"portMapping": {"port": port, "protocol": "http"}});
    let dns = |host| json!({"dns": {"hostname": host}});
    put("meshes", json!({"meshName": "m"})).await;
    for (name, port) in [("blue", APP_PORT), ("green", SECOND_PORT)] {
        let spec = json!({"listeners": [listener(port)], "serviceDiscovery": dns("10.79.1.2")});
        put("meshes/m/virtualNodes", json!({"virtualNodeName": name, "spec": spec})).await;
    }
    let router = json!({"virtualRouterName": "color", "spec": {"listeners": [listener(9000)]}});
    put("meshes/m/virtualRouters", router).await;
    let route = json!({"routeName": "all", "spec": two_colours::route([70, 30])});
    put("meshes/m/virtualRouter/color/routes", route).await;
    let provider = json!({"virtualRouter": {"virtualRouterName": "color"}});
    let service = json!({"virtualServiceName": two_colours::SERVICE, "spec": {"provider": provider}});
    put("meshes/m/virtualServices", service).await;
    let caller = json!({
        "backends": [{"virtualService": {"virtualServiceName": two_colours::SERVICE}}],
        "listeners": [listener(8000)],
        "serviceDiscovery": dns("10.79.1.1"),
    });
    put(
        "meshes/m/virtualNodes",
        json!({"virtualNodeName": "caller", "spec": caller}),
    )
    .await;
}

fn sidecar(rig: &Rig, namespace: &Namespace, node: &str) -> Process {
    let mut command = rig
        .proxy_command(&format!("mesh/m/virtualNode/{node}"))
        .expect("a command");
    command.env("APPMESH_XDS_ENDPOINT", rig.socket());
    let process = rig.spawn(&format!("sidecar-{node}"), namespace.as_envoy(&command));
    process.expect("a sidecar")
}

/// An application in a namespace.
struct App {
    upstream: Upstream,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for App {
    fn drop(&mut self) {
        // Waiting for a runtime's end is not allowed where another one runs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn start_app(namespace: &Namespace, name: &str, address: SocketAddr) -> App {
    let start = || {
        // Its worker is started by this thread and so belongs to the namespace as well.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let upstream = runtime.block_on(Upstream::start_at(name, address));
        App {
            upstream: upstream.expect("an upstream"),
            runtime: Some(runtime),
        }
    };
    namespace.inside(start).expect("inside the namespace")
}
