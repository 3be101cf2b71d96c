//! Two control planes over one etcd: each serves Envoys, each takes every write, either may die, and so may etcd.

use ferromesh_integration::{
    load::Load,
    rig::{eventually, ports, wait_for_status, Etcd, Modules, Proxy, Rig, PATIENCE},
    two_colours::{self, TwoColours, ROUTE, SERVICE},
};
use reqwest::Method;
use serde_json::{json, Value};

/// The mesh with a gateway at each control plane.
struct Pair {
    first: TwoColours,
    gateway: Proxy,
    port: u16,
    second: Rig,
    etcd: Etcd,
}

impl Pair {
    async fn start() -> Self {
        let etcd = Etcd::start().await.expect("etcd");
        let arguments = || etcd.arguments().expect("arguments");
        let rig = || async {
            Rig::start_as(Modules::Built, arguments(), None)
                .await
                .expect("a control plane")
        };
        let second = rig().await;
        let first = TwoColours::start_on(rig().await, two_colours::route([50, 50]))
            .await
            .expect("the mesh, made through the first control plane");
        let port = ports::free().expect("a port");
        let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
        let gateway = json!({"virtualGatewayName": "second", "spec": {"listeners": [listener]}});
        // Read-your-writes, whichever is asked: the mesh was made through the other one a moment ago.
        second
            .put("meshes/colours/virtualGateways", &gateway)
            .await
            .expect("a gateway");
        let route = json!({
            "gatewayRouteName": "all",
            "spec": {"httpRoute": {
                "match": {"prefix": "/"},
                "action": {"target": {"virtualService": {"virtualServiceName": SERVICE}}},
            }},
        });
        let routes = "meshes/colours/virtualGateway/second/gatewayRoutes";
        second.put(routes, &route).await.expect("a gateway route");
        let gateway = second
            .proxy("mesh/colours/virtualGateway/second")
            .await
            .expect("an Envoy");
        wait_for_status(&format!("http://127.0.0.1:{port}/"), 200)
            .await
            .expect("the second gateway answers");
        Self {
            first,
            gateway,
            port,
            second,
            etcd,
        }
    }

    fn loads(&self) -> [Load; 2] {
        let second = Load::to(format!("http://127.0.0.1:{}/", self.port)).noting("x-colour");
        [self.first.load(), second]
    }

    /// Waits until all traffic of a gateway goes to one colour.
    async fn all_to(&self, gateway: usize, colour: &str) {
        eventually("the new weights hold", PATIENCE, async || {
            let load = self.loads().into_iter().nth(gateway)?;
            let notes = load.send(30).await.ok()?.notes();
            (notes.get(colour) == Some(&30)).then_some(())
        })
        .await
        .unwrap_or_else(|error| panic!("gateway {gateway}, {colour}: {error}"));
    }
}

async fn set(rig: &Rig, weights: [u32; 2]) -> Value {
    let body = json!({"spec": two_colours::route(weights)});
    rig.put(ROUTE, &body).await.expect("an update")
}

async fn text(rig: &Rig, page: &str) -> String {
    let answer = reqwest::get(format!("http://{}/{page}", rig.address()))
        .await
        .expect("an answer");
    answer.text().await.expect("a text")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_control_planes_serve_one_mesh_and_no_request_fails_when_either_or_etcd_dies() {
    let mut pair = Pair::start().await;
    let [a, b] = pair.loads();
    let loads = [
        a.per_second(100).start().await.expect("load"),
        b.per_second(100).start().await.expect("load"),
    ];
    // A write to either reaches the proxies of both.
    set(&pair.first.rig, [100, 0]).await;
    pair.all_to(1, "blue").await;
    set(&pair.second, [0, 100]).await;
    pair.all_to(0, "green").await;

    // Either dies: the other takes writes, and the one that comes back has them.
    pair.first.rig.kill_control_plane();
    set(&pair.second, [100, 0]).await;
    pair.all_to(1, "blue").await;
    pair.first.rig.start_control_plane().await.expect("a restart");
    pair.all_to(0, "blue").await;
    pair.second.kill_control_plane();
    set(&pair.first.rig, [0, 100]).await;
    pair.all_to(0, "green").await;
    pair.second.start_control_plane().await.expect("a restart");
    pair.all_to(1, "green").await;

    // etcd is away: both serve what they know, and say so.
    let before = pair.second.get(ROUTE).await.expect("the route");
    pair.etcd.kill();
    for rig in [&pair.first.rig, &pair.second] {
        assert_eq!(rig.get(ROUTE).await.expect("reads go on"), before);
        let body = json!({"spec": two_colours::route([1, 1])}).to_string();
        let answer = rig
            .call(Method::PUT, &format!("/v20190125/{ROUTE}"), body)
            .await
            .expect("an answer");
        assert_eq!(
            (answer.status, answer.error.as_str()),
            (503, "ServiceUnavailableException")
        );
        assert!(answer.message().contains("etcd"), "{}", answer.message());
        let ready = text(rig, "readyz").await;
        assert!(
            ready.starts_with("ok\nstore: read-only since ") && ready.contains("etcd"),
            "{ready}"
        );
        assert!(text(rig, "metrics").await.contains("\nferromesh_store_read_only 1\n"));
    }
    // One that starts meanwhile has the last good state from its own copy, and serves new proxies.
    pair.second.kill_control_plane();
    pair.second.start_control_plane().await.expect("a start without etcd");
    assert_eq!(pair.second.get(ROUTE).await.expect("reads go on"), before);
    drop(
        pair.second
            .proxy("mesh/colours/virtualNode/blue")
            .await
            .expect("a new proxy is served"),
    );

    pair.etcd.resume().await.expect("etcd comes back");
    eventually("writes resume", PATIENCE, async || {
        let body = json!({"spec": two_colours::route([100, 0])});
        pair.second.put(ROUTE, &body).await.ok().map(drop)
    })
    .await
    .expect("writes resume");
    pair.all_to(0, "blue").await;
    pair.all_to(1, "blue").await;
    let version = |route: &Value| route["metadata"]["version"].as_u64();
    let after = pair.first.rig.get(ROUTE).await.expect("the route");
    assert!(version(&after) > version(&before));
    assert_eq!(text(&pair.first.rig, "readyz").await, "ok\n");

    for load in loads {
        load.stop()
            .await
            .assert_no_failures("the death of control planes and etcd");
    }
    assert!(pair.gateway.admin().is_live().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn control_planes_over_one_etcd_have_one_authority_and_another_secret_key_is_refused() {
    let etcd = Etcd::start().await.expect("etcd");
    let arguments = etcd.arguments().expect("arguments");
    let folders = [
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    ];
    let mut rigs = Vec::new();
    for folder in &folders {
        let rig = Rig::start_as(Modules::Absent, arguments.clone(), Some(folder.path().to_owned())).await;
        rigs.push(rig.expect("a control plane"));
    }
    let root = |index: usize| std::fs::read_to_string(folders[index].path().join("certificates/root.pem"));
    assert_eq!(root(0).expect("a certificate"), root(1).expect("a certificate"));

    let other = folders[0].path().join("other.key");
    std::fs::write(&other, format!("{}\n", "0a".repeat(32))).expect("a file");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let mut wrong = arguments.clone();
    wrong[3] = other.display().to_string();
    let refused = Rig::start_as(Modules::Absent, wrong, None)
        .await
        .expect_err("another key");
    assert!(format!("{refused:?}").contains("same secret key file"), "{refused:?}");
    let none = arguments[..2].to_vec();
    let refused = Rig::start_as(Modules::Absent, none, None).await.expect_err("no key");
    assert!(
        format!("{refused:?}").contains("--secret-key-file is missing"),
        "{refused:?}"
    );
}
