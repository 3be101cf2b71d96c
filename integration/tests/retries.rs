//! Retries: App Mesh's policies and its default, what is not retried, and the budget.

use std::time::Duration;

use ferromesh_integration::{
    load::Outcome,
    rig::Modules,
    two_colours::{self, TwoColours},
    upstream::Faults,
};
use http::Method;

fn first(first: u64, status: u16) -> Faults {
    Faults {
        first,
        status,
        ..Faults::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_without_policy_retries_a_503_twice_and_a_500_never() {
    let mesh = TwoColours::start([100, 0]).await.expect("the mesh");
    mesh.blue.inject(first(2, 503));
    let report = mesh.load().connections(1).send(1).await.expect("load");
    report.assert_no_failures("two faults, two retries");
    assert_eq!(mesh.blue.counts().requests, 3);

    mesh.blue.forget();
    mesh.blue.inject(first(3, 503));
    let report = mesh.load().connections(1).send(1).await.expect("load");
    assert_eq!(report.records[0].outcome, Outcome::Answered(503));
    assert_eq!(mesh.blue.counts().requests, 3);

    mesh.blue.forget();
    mesh.blue.inject(first(1, 500));
    let report = mesh.load().connections(1).send(1).await.expect("load");
    assert_eq!(report.records[0].outcome, Outcome::Answered(500));
    assert_eq!(mesh.blue.counts().requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_not_idempotent_is_not_retried_after_it_may_have_been_processed() {
    let route = two_colours::retrying([100, 0], 3);
    let mesh = TwoColours::start_with(Modules::Built, route).await.expect("the mesh");
    mesh.blue.inject(first(1, 500));
    let post = mesh.load().method(Method::POST).body("order").connections(1);
    let report = post.clone().send(1).await.expect("load");
    assert_eq!(report.records[0].outcome, Outcome::Answered(500));
    assert_eq!(mesh.blue.counts().requests, 1);

    mesh.blue.inject(first(1, 500));
    let put = mesh.load().method(Method::PUT).body("order").connections(1);
    put.send(1).await.expect("load").assert_no_failures("an idempotent PUT");
    assert_eq!(mesh.blue.counts().requests, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_altogether_gets_no_more_attempts_than_the_budget_allows() {
    let route = two_colours::retrying([100, 0], 5);
    let mesh = TwoColours::start_with(Modules::Built, route).await.expect("the mesh");
    mesh.blue.inject(Faults {
        percent: 100.0,
        ..Faults::default()
    });
    let load = mesh.load().connections(32).per_second(400).start().await.expect("load");
    tokio::time::sleep(Duration::from_secs(8)).await;
    let report = load.stop().await;
    let sent = report.len() as u64;
    let retries = mesh.blue.counts().requests - sent;
    // 20 % and 3 a second for each of two workers over the window of 10 s.
    let allowed = sent / 5 + 60;
    println!("{sent} requests, {retries} retries, {allowed} allowed");
    assert!(
        retries <= allowed,
        "{retries} retries of {sent} requests, {allowed} allowed"
    );
    assert!(retries > 20, "the budget lets some retries through: {retries}");
}
