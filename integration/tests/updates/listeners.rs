//! Listeners come and go beside those that are in use: of a gateway, and of sidecars in both directions.

use std::{
    net::{Ipv4Addr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ferromesh_integration::{
    load::{Load, Report},
    rig::{eventually, ports, wait_for_status, Network, Rig, Task, PATIENCE},
    two_colours::TwoColours,
};
use serde_json::{json, Value};

/// How long each state is left to serve.
const SERVING: Duration = Duration::from_millis(300);
/// How often each comes and goes.
const ROUNDS: usize = 3;

pub fn listener(port: u16) -> Value {
    json!({"portMapping": {"port": port, "protocol": "http"}})
}

/// The port at which the gateway listens.
pub fn port_of(mesh: &TwoColours) -> u16 {
    let url = mesh.url("/");
    let port = url.trim_end_matches('/').rsplit(':').next();
    port.and_then(|port| port.parse().ok()).expect("the URL has a port")
}

/// Gives the gateway these listeners.
pub async fn set(mesh: &TwoColours, listeners: Vec<Value>) {
    let spec = json!({"spec": {"listeners": listeners}});
    let path = "meshes/colours/virtualGateways/gateway";
    mesh.rig.put(path, &spec).await.expect("the gateway");
}

/// Waits until nobody listens there.
pub async fn until_closed(port: u16) {
    eventually("the listener is gone", PATIENCE, async || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err().then_some(())
    })
    .await
    .expect("the port is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_of_a_gateway_come_and_go_under_load_without_failing_a_request() {
    let mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let load = mesh.load().per_second(300).start().await.expect("load");
    let port = port_of(&mesh);
    for _ in 0..ROUNDS {
        let second = ports::free().expect("a port");
        set(&mesh, vec![listener(port), listener(second)]).await;
        let url = format!("http://127.0.0.1:{second}/");
        wait_for_status(&url, 200).await.expect("the new listener serves");
        tokio::time::sleep(SERVING).await;
        set(&mesh, vec![listener(port)]).await;
        until_closed(second).await;
    }
    let report = load.stop().await;
    report.assert_no_failures("listeners of a gateway");
    assert!(report.len() > 100, "only {} requests", report.len());
}

/// An address that nobody has: the name of a virtual service only has to resolve, Envoy goes by the host.
const ANYWHERE: &str = "10.77.1.99";
const SERVICE: &str = "color.test.local";

#[tokio::test(flavor = "multi_thread")]
async fn listeners_of_sidecars_come_and_go_in_both_directions_under_load_without_failing_a_request() {
    let network = Network::create().expect("a network");
    let rig = Rig::start().await.expect("a control plane");
    let task = |name: &str, host| Task::create(&network, name, Ipv4Addr::new(10, 77, 1, host)).expect("a task");
    let (mut caller, mut callee) = (task("caller", 1), task("callee", 2));
    callee.serve_http("blue", 9080).expect("an application");
    callee.serve_http("second", 9081).expect("an application");
    create(&rig).await;
    caller
        .start_sidecar(&rig, "mesh/m/virtualNode/caller")
        .expect("a sidecar");
    callee
        .start_sidecar(&rig, "mesh/m/virtualNode/blue")
        .expect("a sidecar");
    eventually("a call comes through", PATIENCE, async || {
        (call(&caller, 9000).failures().count() == 0).then_some(())
    })
    .await
    .expect("both sidecars serve");

    let is_over = AtomicBool::new(false);
    let runtime = tokio::runtime::Handle::current();
    let report = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                caller.client(async || {
                    let load = Load::to(format!("http://{ANYWHERE}:9000/")).host(&format!("{SERVICE}:9000"));
                    let running = load.noting("x-colour").per_second(200).start().await?;
                    while !is_over.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Ok(running.stop().await)
                })
            });
            let changed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                for _ in 0..ROUNDS {
                    runtime.block_on(come(&rig));
                    runtime
                        .block_on(eventually("the new port serves", PATIENCE, async || {
                            let report = call(&caller, 9001);
                            (report.notes() == [("second".to_owned(), 1)].into()).then_some(())
                        }))
                        .expect("both sidecars have the new listener");
                    std::thread::sleep(SERVING);
                    runtime.block_on(go(&rig));
                    runtime
                        .block_on(eventually("the new port is gone", PATIENCE, async || {
                            (call(&caller, 9001).failures().count() == 1).then_some(())
                        }))
                        .expect("the caller's sidecar has no such port any more");
                }
            }));
            is_over.store(true, Ordering::Relaxed);
            let report = load.join().expect("the load's thread").expect("load");
            changed.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            report
        })
    });
    report.assert_no_failures("listeners of sidecars");
    assert!(report.len() > 100, "only {} requests", report.len());
    assert_eq!(report.notes().keys().collect::<Vec<_>>(), ["blue"]);
}

async fn put(rig: &Rig, path: &str, body: Value) {
    rig.put(path, &body).await.expect(path);
}

fn blue(listeners: &[u16]) -> Value {
    let listeners: Vec<Value> = listeners.iter().map(|port| listener(*port)).collect();
    json!({"listeners": listeners, "serviceDiscovery": {"dns": {"hostname": "10.77.1.2"}}})
}

fn router(listeners: &[u16]) -> Value {
    let listeners: Vec<Value> = listeners.iter().map(|port| listener(*port)).collect();
    json!({ "listeners": listeners })
}

/// A route from a port of the service to a port of the node.
fn route(port: u16, to: u16) -> Value {
    json!({"httpRoute": {
        "match": {"prefix": "/", "port": port},
        "action": {"weightedTargets": [{"virtualNode": "blue", "weight": 1, "port": to}]},
    }})
}

async fn create(rig: &Rig) {
    put(rig, "meshes", json!({"meshName": "m"})).await;
    let path = "meshes/m/virtualNodes";
    put(rig, path, json!({"virtualNodeName": "blue", "spec": blue(&[9080])})).await;
    let path = "meshes/m/virtualRouters";
    put(
        rig,
        path,
        json!({"virtualRouterName": "color", "spec": router(&[9000])}),
    )
    .await;
    let path = "meshes/m/virtualRouter/color/routes";
    put(rig, path, json!({"routeName": "first", "spec": route(9000, 9080)})).await;
    let provider = json!({"virtualRouter": {"virtualRouterName": "color"}});
    let service = json!({"virtualServiceName": SERVICE, "spec": {"provider": provider}});
    put(rig, "meshes/m/virtualServices", service).await;
    let caller = json!({
        "backends": [{"virtualService": {"virtualServiceName": SERVICE}}],
        "serviceDiscovery": {"dns": {"hostname": "10.77.1.1"}},
        "listeners": [listener(8000)],
    });
    let path = "meshes/m/virtualNodes";
    put(rig, path, json!({"virtualNodeName": "caller", "spec": caller})).await;
}

/// A second port: at the callee's ingress first, then at the caller's egress.
async fn come(rig: &Rig) {
    put(rig, "meshes/m/virtualNodes/blue", json!({"spec": blue(&[9080, 9081])})).await;
    put(
        rig,
        "meshes/m/virtualRouters/color",
        json!({"spec": router(&[9000, 9001])}),
    )
    .await;
    let path = "meshes/m/virtualRouter/color/routes";
    put(rig, path, json!({"routeName": "second", "spec": route(9001, 9081)})).await;
}

/// The other way round.
async fn go(rig: &Rig) {
    let path = "meshes/m/virtualRouter/color/routes/second";
    rig.delete(path).await.expect("deleted");
    put(rig, "meshes/m/virtualRouters/color", json!({"spec": router(&[9000])})).await;
    put(rig, "meshes/m/virtualNodes/blue", json!({"spec": blue(&[9080])})).await;
}

/// One call of the caller's application.
fn call(from: &Task, port: u16) -> Report {
    from.client(async || {
        Load::to(format!("http://{ANYWHERE}:{port}/"))
            .host(&format!("{SERVICE}:{port}"))
            .connections(1)
            .noting("x-colour")
            .timeout(Duration::from_secs(5))
            .send(1)
            .await
    })
    .expect("a call")
}
