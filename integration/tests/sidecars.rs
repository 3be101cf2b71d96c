//! Virtual nodes as sidecars, each task in a network namespace of its own with App Mesh's redirection: the
//! application of one calls a virtual service by name, and its Envoy and the other's carry the call.

use std::net::SocketAddr;

use ferromesh_integration::{
    load::{Load, Outcome, Report},
    rig::{eventually, process::Process, Namespace, Rig, PATIENCE},
    upstream::Upstream,
};
use serde_json::{json, Value};

/// Where the callee's application listens, behind its ingress listener.
const APP_PORT: u16 = 9080;
/// An address that nobody has: the name of a virtual service only has to resolve, Envoy goes by the host.
const ANYWHERE: &str = "10.77.1.99";
const SERVICE: &str = "color.test.local";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_a_virtual_service_goes_through_both_sidecars_and_nothing_else_gets_out() {
    let caller = Namespace::create("caller").expect("a namespace");
    let callee = Namespace::create("callee").expect("a namespace");
    let (near, far) = ([10, 77, 1, 1].into(), [10, 77, 1, 2].into());
    caller.connect(near, &callee, far).expect("a cable");
    caller.redirect(&[]).expect("redirection");
    callee.redirect(&[APP_PORT]).expect("redirection");

    let rig = Rig::start().await.expect("a control plane");
    let endpoint = rig.socket();
    create(&rig).await;
    let _caller = sidecar(&rig, &caller, "caller", &endpoint);
    let _callee = sidecar(&rig, &callee, "blue", &endpoint);
    let app = start_app(&callee);

    eventually("a call comes through", PATIENCE, async || {
        let report = call(&caller, SERVICE, 9000, 1);
        (report.failures().count() == 0).then_some(())
    })
    .await
    .expect("both sidecars serve");
    app.upstream.forget();
    let report = call(&caller, SERVICE, 9000, 200);
    report.assert_no_failures("calls between sidecars");
    assert_eq!(report.notes(), [("blue".to_owned(), 200)].into());
    // The caller's Envoy says who answered; the callee's application sees a clean request.
    assert_eq!(report.records[0].noted[1].as_deref(), Some("blue"));
    let seen = app.upstream.seen();
    assert_eq!(seen.len(), 200);
    for seen in seen {
        assert!(seen.header("x-ferromesh-pick").is_none(), "{seen:?}");
        assert!(seen.header("traceparent").is_some(), "{seen:?}");
        assert!(seen.host.starts_with(SERVICE), "{seen:?}");
    }

    // A port of the mesh, but no virtual service of that name.
    let unknown = call(&caller, "nobody.test.local", 9000, 3);
    assert_eq!(unknown.statuses(), [(404, 3)].into());
    // A port that no backend has: the mesh drops what it does not know.
    let dropped = call(&caller, SERVICE, 9999, 3);
    for record in &dropped.records {
        assert!(matches!(record.outcome, Outcome::Failed(_)), "{record:?}");
    }
}

async fn create(rig: &Rig) {
    let put = async |path: &str, body: Value| {
        rig.put(path, &body).await.expect(path);
    };
    put("meshes", json!({"meshName": "m"})).await;
    let listener = |port| json!({"portMapping": {"port": port, "protocol": "http"}});
    let dns = |host| json!({"dns": {"hostname": host}});
    put(
        "meshes/m/virtualNodes",
        json!({"virtualNodeName": "blue", "spec": {
            "listeners": [listener(APP_PORT)],
            "serviceDiscovery": dns("10.77.1.2"),
        }}),
    )
    .await;
    put(
        "meshes/m/virtualRouters",
        json!({"virtualRouterName": "color", "spec": {"listeners": [listener(9000)]}}),
    )
    .await;
    put(
        "meshes/m/virtualRouter/color/routes",
        json!({"routeName": "all", "spec": {"httpRoute": {
            "match": {"prefix": "/"},
            "action": {"weightedTargets": [{"virtualNode": "blue", "weight": 1}]},
        }}}),
    )
    .await;
    put(
        "meshes/m/virtualServices",
        json!({"virtualServiceName": SERVICE, "spec": {
            "provider": {"virtualRouter": {"virtualRouterName": "color"}},
        }}),
    )
    .await;
    put(
        "meshes/m/virtualNodes",
        json!({"virtualNodeName": "caller", "spec": {
            "backends": [{"virtualService": {"virtualServiceName": SERVICE}}],
            "listeners": [listener(8000)],
            "serviceDiscovery": dns("10.77.1.1"),
        }}),
    )
    .await;
}

fn sidecar(rig: &Rig, namespace: &Namespace, node: &str, endpoint: &str) -> Process {
    let mut command = rig
        .proxy_command(&format!("mesh/m/virtualNode/{node}"))
        .expect("a command");
    command.env("APPMESH_XDS_ENDPOINT", endpoint);
    let process = rig.spawn(&format!("sidecar-{node}"), namespace.as_envoy(&command));
    process.expect("a sidecar")
}

/// The callee's application, in its namespace.
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

fn start_app(namespace: &Namespace) -> App {
    namespace
        .inside(|| {
            // Its worker is started by this thread and so belongs to the namespace as well.
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime");
            let address = SocketAddr::from(([127, 0, 0, 1], APP_PORT));
            let upstream = runtime.block_on(Upstream::start_at("blue", address));
            App {
                upstream: upstream.expect("an upstream"),
                runtime: Some(runtime),
            }
        })
        .expect("inside the namespace")
}

/// Calls of the caller's application.
fn call(namespace: &Namespace, service: &str, port: u16, requests: usize) -> Report {
    namespace
        .inside(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(
                Load::to(format!("http://{ANYWHERE}:{port}/"))
                    .host(&format!("{service}:{port}"))
                    .connections(1)
                    .noting("x-colour")
                    .noting("x-ferromesh-target")
                    .timeout(std::time::Duration::from_secs(5))
                    .send(requests),
            )
        })
        .expect("inside the namespace")
        .expect("load")
}
