//! Reserved headers: whatever a client writes, and in whatever form, its request goes where it would have gone, as often as
//! it would have been tried, and as whoever it would have come from. At a gateway, at a node's way out and at its way in.

mod forms;
mod http2;
mod place;

use std::net::{Ipv4Addr, SocketAddr};

use ferromesh_integration::{
    hostile::{Http2, Request},
    rig::{eventually, Network, Rig, Task, PATIENCE},
    two_colours::{self, TwoColours},
    wire,
};
use place::{assert_source, Place};
use serde_json::{json, Value};
use tokio::runtime::Handle;

/// Sends bytes; no answer where nobody listens yet, or nobody answers.
async fn exchange(address: &str, bytes: &[u8]) -> String {
    wire::ask(address, bytes).await.unwrap_or_default()
}

/// The same over HTTP/2.
async fn exchange_http2(address: &str, host: &str, request: &Request) -> Option<u16> {
    let answer = Http2::ask(address, host, request).await;
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
        ask: Box::new(|bytes| Handle::current().block_on(exchange(&address, &bytes))),
        ask_http2: Box::new(|request| Handle::current().block_on(exchange_http2(&address, &address, &request))),
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
    let network = Network::create().expect("a network");
    let task = |name: &str, host| Task::create(&network, name, Ipv4Addr::new(10, 79, 1, host)).expect("a task");
    let (mut caller, mut callee, stranger) = (task("caller", 1), task("callee", 2), task("stranger", 3));
    let rig = Rig::start().await.expect("a control plane");
    create(&rig).await;
    caller
        .start_sidecar(&rig, "mesh/m/virtualNode/caller")
        .expect("a sidecar");
    callee.serve_http("blue", APP_PORT).expect("an application");
    callee
        .start_sidecar(&rig, "mesh/m/virtualNode/blue")
        .expect("a sidecar");
    // After the redirection: no sidecar stands before it.
    let second = SocketAddr::from((callee.address(), SECOND_PORT));
    callee.serve_http_at("green", second).expect("an application");
    let (blue, green) = (callee.http("blue"), callee.http("green"));
    let ask = |task: &Task, address: &str, bytes: Vec<u8>| {
        let answer = task.client(async || Ok(exchange(address, &bytes).await));
        answer.expect("inside the namespace")
    };
    let service = format!("{}:9000", two_colours::SERVICE);
    let ask_http2 = |task: &Task, address: &str, request: Request| {
        let status = task.client(async || Ok(exchange_http2(address, &service, &request).await));
        status.expect("inside the namespace")
    };
    let out = Place {
        name: "the way out",
        host: service.clone(),
        ask: Box::new(|bytes| ask(&caller, &format!("{ANYWHERE}:9000"), bytes)),
        ask_http2: Box::new(|request| ask_http2(&caller, &format!("{ANYWHERE}:9000"), request)),
        first: blue,
        second: Some(green),
        attempts: 3,
    };
    let inward = Place {
        name: "the way in",
        host: service.clone(),
        ask: Box::new(|bytes| ask(&stranger, &format!("10.79.1.2:{APP_PORT}"), bytes)),
        ask_http2: Box::new(|request| ask_http2(&stranger, &format!("10.79.1.2:{APP_PORT}"), request)),
        first: blue,
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
