//! Hedging through the control plane: off unless a policy asks for it; then an attempt that takes too long goes on beside
//! the next one.

use std::time::Duration;

use ferromesh_integration::{
    load::Outcome,
    rig::Modules,
    two_colours::{self, TwoColours},
    upstream::Faults,
};
use http::Method;
use serde_json::{json, Value};

/// Time for one attempt.
const PER_TRY: u64 = 200;
/// Time that the slow colour takes: longer than two attempts.
const SLOW: u64 = 900;

fn route(weights: [u32; 2]) -> Value {
    let mut route = two_colours::retrying(weights, 1);
    route["httpRoute"]["retryPolicy"]["perRetryTimeout"] = json!({"unit": "ms", "value": PER_TRY});
    route
}

fn slow() -> Faults {
    Faults {
        delay_millis: SLOW,
        ..Faults::default()
    }
}

async fn mesh(weights: [u32; 2]) -> TwoColours {
    let started = TwoColours::start_with(Modules::Built, route(weights)).await;
    started.expect("the mesh")
}

async fn one(mesh: &TwoColours) -> (Outcome, Duration) {
    let report = mesh.load().connections(1).send(1).await.expect("load");
    (report.records[0].outcome.clone(), report.records[0].latency)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_takes_too_long_is_given_up_unless_a_policy_lets_it_go_on() {
    let mesh = mesh([100, 0]).await;
    mesh.blue.inject(slow());
    let (outcome, took) = one(&mesh).await;
    assert_eq!(outcome, Outcome::Answered(504), "both attempts were given up");
    assert!(took < Duration::from_millis(SLOW), "{took:?}");
    assert_eq!(mesh.attempts(), 2);

    mesh.blue.inject(Faults::default());
    let hedged = json!({"retry": {"hedging": {"onPerTryTimeout": true}}});
    mesh.policy("hedged", &hedged).await.expect("the policy");
    mesh.blue.inject(slow());
    let (outcome, took) = one(&mesh).await;
    assert_eq!(outcome, Outcome::Answered(200), "the first attempt went on");
    assert!(took >= Duration::from_millis(SLOW), "{took:?}");
    assert!(
        took < Duration::from_millis(SLOW + PER_TRY),
        "the first answer counts: {took:?}"
    );
    assert_eq!(mesh.attempts(), 2);

    mesh.blue.forget();
    let post = mesh.load().method(Method::POST).body("order").connections(1);
    post.send(1).await.expect("load");
    assert_eq!(mesh.attempts(), 1, "what is not idempotent is not sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_overlap_stay_at_one_target_and_whoever_asked_for_another_is_told() {
    let mesh = mesh([1, 1]).await;
    let spec = json!({
        "canary": {"onRetry": "anotherTarget", "override": {"header": "x-wanted"}},
        "retry": {"hedging": {"onPerTryTimeout": true}},
    });
    mesh.policy("hedged", &spec).await.expect("the policy");
    mesh.blue.inject(slow());
    let load = mesh.load().connections(1).header("x-wanted", "blue");
    let report = load.send(1).await.expect("load");
    let record = &report.records[0];
    assert_eq!(record.outcome, Outcome::Answered(200));
    assert_eq!(record.note(), Some("blue"));
    assert_eq!((mesh.blue.counts().requests, mesh.green.counts().requests), (2, 0));
    let proxies = mesh.rig.accepted(Method::GET, "/v1/proxies", &Value::Null).await;
    let said = proxies.expect("proxies").to_string();
    assert!(said.contains("its attempts that overlap stay at one target"), "{said}");
}
