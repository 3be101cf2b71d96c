//! A proxy that is not told of an SDS server, in a mesh that names one of its secrets: nothing gets through that listener,
//! and the others work.

use ferromesh_integration::{
    rig::{ports, status, wait_for_status, Modules, Rig},
    two_colours::node,
    upstream::Upstream,
};
use serde_json::{json, Value};

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_with_a_secret_of_no_server_answers_nothing_and_the_others_work() {
    let rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let app = Upstream::start("app").await.expect("an upstream");
    let (plain, closed) = (ports::free().expect("a port"), ports::free().expect("a port"));
    let put = async |path: &str, body: Value| {
        rig.put(path, &body).await.expect("a resource");
    };
    put("meshes", json!({"meshName": "m"})).await;
    let app_node = json!({"virtualNodeName": "app", "spec": node(app.port())});
    put("meshes/m/virtualNodes", app_node).await;
    let provider = json!({"virtualNode": {"virtualNodeName": "app"}});
    let service = json!({"virtualServiceName": "app.local", "spec": {"provider": provider}});
    put("meshes/m/virtualServices", service).await;
    let listener = |port: u16| json!({"portMapping": {"port": port, "protocol": "http"}});
    let mut encrypted = listener(closed);
    encrypted["tls"] = json!({"mode": "STRICT", "certificate": {"sds": {"secretName": "own"}}});
    let spec = json!({"listeners": [listener(plain), encrypted]});
    let gateway = json!({"virtualGatewayName": "g", "spec": spec});
    put("meshes/m/virtualGateways", gateway).await;
    let action = json!({"target": {"virtualService": {"virtualServiceName": "app.local"}}});
    let route = |port: u16| {
        let matched = json!({"prefix": "/", "port": port});
        json!({"gatewayRouteName": format!("on-{port}"), "spec": {"httpRoute": {"match": matched, "action": action}}})
    };
    for port in [plain, closed] {
        put("meshes/m/virtualGateway/g/gatewayRoutes", route(port)).await;
    }
    let proxy = rig.start_proxy("mesh/m/virtualGateway/g").expect("a proxy");
    wait_for_status(&format!("http://127.0.0.1:{plain}/"), 200)
        .await
        .expect("the other listener works");
    // Envoy takes the listener, waits 15 s for the secret, and then ends every connection before TLS is agreed on.
    for scheme in ["http", "https"] {
        let answer = status(&format!("{scheme}://127.0.0.1:{closed}/")).await;
        assert_eq!(answer, None, "{scheme}");
    }
    let filter = format!("^http\\.ingress\\.http\\.{closed}\\.downstream_rq_total$");
    assert_eq!(proxy.admin().sum(&filter).await.expect("statistics"), 0);
}
