//! `retry-after` through the control plane: waited for where a policy says so and no longer than it says; and the time
//! between attempts, which has a bound.

use std::time::Duration;

use ferromesh_integration::{
    rig::Modules,
    two_colours::{self, TwoColours},
    upstream::Faults,
};
use serde_json::json;

async fn mesh(retries: u32) -> TwoColours {
    let route = two_colours::retrying([100, 0], retries);
    TwoColours::start_with(Modules::Built, route).await.expect("the mesh")
}

/// Sends one request whose first attempts fail with `status` and ask for `seconds`; the time until it is answered.
async fn after(mesh: &TwoColours, first: u64, status: u16, seconds: u32) -> Duration {
    mesh.blue.inject(Faults {
        first,
        status,
        retry_after: seconds,
        ..Faults::default()
    });
    mesh.blue.forget();
    let report = mesh.load().connections(1).send(1).await.expect("load");
    report.assert_no_failures("fewer faults than retries");
    assert_eq!(mesh.attempts(), first + 1);
    report.records[0].latency
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_asks_for_is_waited_for_up_to_a_bound_and_only_where_a_policy_says_so() {
    const SOON: Duration = Duration::from_millis(900);
    let mesh = mesh(2).await;
    let took = after(&mesh, 1, 503, 1).await;
    assert!(took < SOON, "without a policy nobody looks at it: {took:?}");

    // With the header as a condition a 429 is tried again too, which no event of App Mesh's names.
    let spec = json!({"retry": {"retryAfter": {"maxMillis": 2000}, "headers": [{"name": "retry-after"}]}});
    mesh.policy("waits", &spec).await.expect("the policy");
    for status in [503, 429] {
        let took = after(&mesh, 1, status, 1).await;
        // Envoy adds up to a half, so that not all come at once.
        let bounds = Duration::from_secs(1)..Duration::from_millis(1800);
        assert!(bounds.contains(&took), "{status}: {took:?}");
    }
    let took = after(&mesh, 1, 503, 60).await;
    assert!(took < SOON, "more than the bound is not waited for: {took:?}");
    let took = after(&mesh, 2, 503, 0).await;
    assert!(
        took < SOON,
        "who asks for nothing is tried again after the usual time: {took:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_between_attempts_grows_to_its_bound_and_no_further() {
    let mesh = mesh(10).await;
    let spec = json!({"retry": {"backoff": {"baseMillis": 20, "maxMillis": 40}, "budget": {"minPerSecond": 1000}}});
    mesh.policy("slowly", &spec).await.expect("the policy");
    let mut took = Duration::ZERO;
    for _ in 0..5 {
        took += after(&mesh, 10, 503, 0).await;
    }
    // 50 waits, drawn between 0 and 40 ms each: 20 ms in the mean, and in no case more than 40.
    let bounds = Duration::from_millis(600)..Duration::from_millis(2800);
    assert!(bounds.contains(&took), "{took:?}");
}
