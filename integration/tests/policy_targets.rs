//! Policies through the control plane at targets that are narrower than others: gateway routes, what they switch off, and
//! retries at another of a route's targets.

use ferromesh_integration::{
    load::Outcome,
    rig::{eventually, status, wait_for_status, Modules, PATIENCE},
    two_colours::{self, TwoColours, SERVICE},
    upstream::Faults,
};
use reqwest::Method;
use serde_json::json;

fn failing() -> Faults {
    Faults {
        percent: 100.0,
        ..Faults::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_to_another_target_where_a_policy_says_so_and_stays_where_none_does() {
    let route = two_colours::retrying([50, 50], 1);
    let mesh = TwoColours::start_with(Modules::Built, route).await.expect("the mesh");
    let plenty = json!({"budget": {"ratio": 1, "minPerSecond": 1000}});
    mesh.policy("p", &json!({"retry": plenty})).await.expect("the policy");
    mesh.blue.inject(failing());
    let report = mesh.load().connections(4).send(200).await.expect("load");
    let failures = report.failures().count();
    // Half of 200, give or take four standard deviations: blue's users stay with blue.
    assert!((71..=129).contains(&failures), "{failures} of 200 failed");
    assert_eq!(mesh.blue.counts().requests, 2 * failures as u64);

    let another = json!({"canary": {"onRetry": "anotherTarget"}, "retry": plenty});
    mesh.blue.inject(Faults::default());
    mesh.policy("q", &another).await.expect("the policy");
    mesh.blue.inject(failing());
    let report = mesh.load().connections(4).send(200).await.expect("load");
    report.assert_no_failures("green answers what blue does not");
    let chosen = mesh.blue.counts().requests;
    assert!((71..=129).contains(&chosen), "{chosen} of 200 were blue's at first");
    assert_eq!(mesh.green.counts().requests, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exact_budget_holds_for_attempts_at_one_target_and_at_others() {
    for on_retry in ["sameTarget", "anotherTarget"] {
        // One other target, so one retry.
        let route = two_colours::retrying([50, 50], 3);
        let mesh = TwoColours::start_with(Modules::Built, route).await.expect("the mesh");
        // One retry a second for 50 seconds, which is longer than the test: 50.
        let budget = json!({"mode": "exact", "ratio": 0, "minPerSecond": 1, "windowSeconds": 50});
        let spec = json!({"canary": {"onRetry": on_retry}, "retry": {"budget": budget}});
        mesh.policy("exact", &spec).await.expect("the policy");
        mesh.blue.inject(failing());
        mesh.green.inject(failing());
        let report = mesh.load().connections(20).send(300).await.expect("load");
        assert_eq!(report.failures().count(), 300);
        assert_eq!(mesh.attempts(), 350, "{on_retry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_for_a_gateway_route_is_for_its_requests_alone_and_takes_back_what_the_gateway_asks() {
    let mesh = TwoColours::start([1, 1]).await.expect("the mesh");
    let spec = json!({"httpRoute": {
        "match": {"prefix": "/open"},
        "action": {"target": {"virtualService": {"virtualServiceName": SERVICE}}},
    }});
    let route = json!({"gatewayRouteName": "open", "spec": spec});
    let routes = "meshes/colours/virtualGateway/gateway/gatewayRoutes";
    mesh.rig.put(routes, &route).await.expect("a gateway route");

    let limits = json!({"limits": [{"name": "few", "requests": 1, "windowSeconds": 3600}]});
    let gateway = json!({"target": {"virtualGateway": "gateway"}, "spec": {"rateLimit": limits}});
    let put = async |name: &str, policy: &serde_json::Value| {
        let path = format!("/v1/policies/colours/{name}");
        mesh.rig.accepted(Method::PUT, &path, policy).await.expect("a policy")
    };
    put("limited", &gateway).await;
    wait_for_status(&mesh.url("/"), 429).await.expect("the limit");
    wait_for_status(&mesh.url("/open"), 429).await.expect("the limit");

    let target = json!({"gatewayRoute": {"gateway": "gateway", "name": "open"}});
    let open = json!({"target": target, "spec": {"off": ["rateLimit"]}});
    let stored = put("open", &open).await;
    assert_eq!(
        stored["spec"],
        json!({"off": ["rateLimit"]}),
        "it is given back as it was written"
    );
    wait_for_status(&mesh.url("/open"), 200).await.expect("no limit");
    let report = mesh.load().send(20).await.expect("load");
    assert!(report
        .records
        .iter()
        .all(|record| record.outcome == Outcome::Answered(429)));
    // Who looks at the proxy sees what lets requests pass.
    let proxies = mesh.rig.accepted(Method::GET, "/v1/proxies", &serde_json::Value::Null);
    let said = proxies.await.expect("proxies").to_string();
    let lint = "rateLimit is off on it: policy open takes back what a wider one asks";
    assert!(said.contains(lint), "{said}");

    // The policy goes on after its gateway route has gone, and holds for one that comes in its place.
    let nowhere = json!({"target": {"gatewayRoute": {"gateway": "gateway", "name": "gone"}}, "spec": {}});
    let refused = mesh
        .rig
        .call(Method::PUT, "/v1/policies/colours/nowhere", nowhere.to_string());
    let refused = refused.await.expect("an answer");
    assert_eq!(refused.status, 404, "{refused:?}");
    assert!(refused.message().contains("target.gatewayRoute"), "{refused:?}");
    mesh.rig.delete(&format!("{routes}/open")).await.expect("it is deleted");
    eventually("the limit holds again", PATIENCE, async || {
        (status(&mesh.url("/open")).await == Some(429)).then_some(())
    })
    .await
    .expect("the limit");
    mesh.rig.put(routes, &route).await.expect("a gateway route");
    wait_for_status(&mesh.url("/open"), 200).await.expect("no limit");
}
