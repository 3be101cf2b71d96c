//! `howto-http-retries`: ten retries on server errors, and none.

use std::net::SocketAddr;

use ferromesh_integration::{
    rig::{eventually, example::Example, Network, Rig, Task, PATIENCE},
    upstream::Faults,
};
use serde_json::{json, Value};

use crate::{address, ask, file, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn howto_http_retries_answers_what_fails_up_to_ten_times_and_without_policy_nothing() {
    let Some(example) = Example::find_files("howto-http-retries") else {
        return;
    };
    const SERVICE: &str = "color.howto-http-retries.local";
    let network = Network::create().expect("a network");
    let rig = Rig::start().await.expect("a control plane");
    let mut blue = Task::create(&network, "blue", address(2, 2)).expect("a task");
    let mut front = Task::create(&network, "front", address(2, 3)).expect("a task");
    blue.serve_http("blue", 8080).expect("an application");

    let listener = |port| json!([{"portMapping": {"port": port, "protocol": "http"}}]);
    let node = |name: &str, task: &Task, backends: Value| {
        json!({"meshName": "m", "virtualNodeName": name, "spec": {
            "listeners": listener(8080),
            "serviceDiscovery": {"dns": {"hostname": task.address().to_string()}},
            "backends": backends,
        }})
    };
    let create = async |operation: &str, input: Value| rig.aws(operation, &input).await.expect(operation);
    create("create-mesh", json!({"meshName": "m"})).await;
    create("create-virtual-node", node("blue-node", &blue, json!([]))).await;
    let router = json!({"meshName": "m", "virtualRouterName": "color-router", "spec": {"listeners": listener(8080)}});
    create("create-virtual-router", router).await;
    file(
        &rig,
        &example,
        "create-route",
        "blue-route-no-retry.json",
        &[],
        json!({}),
    )
    .await;
    let provider = json!({"virtualRouter": {"virtualRouterName": "color-router"}});
    create(
        "create-virtual-service",
        json!({"meshName": "m", "virtualServiceName": SERVICE, "spec": {"provider": provider}}),
    )
    .await;
    let backends = json!([{"virtualService": {"virtualServiceName": SERVICE}}]);
    create("create-virtual-node", node("front-node", &front, backends)).await;
    blue.start_sidecar(&rig, "mesh/m/virtualNode/blue-node")
        .expect("a sidecar");
    front
        .start_sidecar(&rig, "mesh/m/virtualNode/front-node")
        .expect("a sidecar");

    // The virtual service's name need only resolve; the front's application dials any address.
    let anywhere = SocketAddr::from((address(2, 99), 8080));
    wait_for(&front, anywhere, SERVICE, "/").await;
    let attempts = |failures: u64| {
        blue.http("blue").forget();
        blue.http("blue").inject(Faults {
            first: failures,
            status: 500,
            ..Faults::default()
        });
        let answer = ask(&front, anywhere, SERVICE, "/").expect("an answer");
        (answer.status, blue.http("blue").counts().requests)
    };
    assert_eq!(attempts(1), (500, 1), "without a policy a 500 is passed on at once");

    file(&rig, &example, "update-route", "blue-route.json", &[], json!({})).await;
    eventually("the policy is in force", PATIENCE, async || {
        (attempts(1).0 == 200).then_some(())
    })
    .await
    .expect("one retry");
    // Together within what the retry budget lets through in its window: 30 retries for a lone client.
    for failures in [0, 1, 4, 10] {
        assert_eq!(attempts(failures), (200, failures + 1), "{failures} failures");
    }
    assert_eq!(attempts(11), (500, 11), "ten retries and no more");

    file(
        &rig,
        &example,
        "update-route",
        "blue-route-no-retry.json",
        &[],
        json!({}),
    )
    .await;
    eventually("the policy is gone", PATIENCE, async || {
        (attempts(1).0 == 500).then_some(())
    })
    .await
    .expect("no retries");
}
