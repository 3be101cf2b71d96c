//! The effect of each sample, on both platforms.

use ferromesh_integration::{
    load::Load,
    rig::{eventually, PATIENCE},
    upstream::Faults,
};
use http::Method;

use super::{front::Front, PLATFORMS};

fn fail_first(front: &Front) {
    front.blue.inject(Faults {
        first: 1,
        ..Faults::default()
    });
}

async fn one(load: Load) -> u16 {
    let report = load.send(1).await.expect("load");
    *report.statuses().keys().next().expect("a status")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canary_samples_split_stick_and_let_testers_choose() {
    for platform in PLATFORMS {
        let front = Front::start(platform, "canary").await;
        splits(&front, "x-colour").await;
        for user in 0..20 {
            let user = format!("user-{user}");
            let sticky = Load::to(&front.url)
                .noting("x-colour")
                .header("x-user", &user)
                .send(20)
                .await
                .expect("load");
            assert_eq!(sticky.notes().len(), 1, "{platform:?}: {user} met {:?}", sticky.notes());
        }
    }
}

async fn splits(front: &Front, header: &str) {
    let split = Load::to(&front.url).noting(header).send(3_000).await.expect("load");
    split.assert_no_failures("the split");
    split.assert_share("green", 0.1);
    // The pick is Envoy's to read: the routes match on it.
    let picks = front
        .green
        .seen()
        .iter()
        .filter(|request| request.header("x-ferromesh-pick") == Some("95"))
        .count();
    assert_eq!(picks, front.green.seen().len(), "{:?}", front.platform);
    let tester = Load::to(&front.url)
        .noting(header)
        .header("x-canary", "green")
        .send(50)
        .await
        .expect("load");
    assert_eq!(tester.notes().get("green"), Some(&50), "{:?}", front.platform);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_retry_samples_repeat_only_what_may_be_repeated() {
    for platform in PLATFORMS {
        let front = Front::start(platform, "retry").await;
        fail_first(&front);
        assert_eq!(one(Load::to(&front.url)).await, 200, "{platform:?}: a GET");
        fail_first(&front);
        let post = Load::to(&front.url).method(Method::POST).body("once");
        assert_eq!(
            one(post).await,
            503,
            "{platform:?}: a POST that may have been processed"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_observability_samples_tell_and_count() {
    for platform in PLATFORMS {
        let front = Front::start(platform, "observability").await;
        let told = Load::to(&front.url)
            .noting("x-ferromesh-target")
            .send(20)
            .await
            .expect("load");
        assert_eq!(told.notes().get("blue"), Some(&20), "{platform:?}: {:?}", told.notes());
        assert!(front
            .blue
            .seen()
            .iter()
            .all(|request| request.header("traceparent").is_some_and(|value| value.len() == 55)));
        counted(&front, 20).await;
    }
}

/// Waits for the filter's next flush. Without the tags that the samples speak of, labels are parts of the name.
async fn counted(front: &Front, requests: u64) {
    let filter = "^wasmcustom\\.ferromesh_requests_total;.*virtual_service=color\\.local";
    eventually("the filter's counters are among Envoy's", PATIENCE, async || {
        (front.envoy.admin().sum(filter).await.ok()? == requests).then_some(())
    })
    .await
    .unwrap_or_else(|error| panic!("{:?}: {error:#}", front.platform));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mesh_samples_do_all_of_it_in_one_filter() {
    for platform in PLATFORMS {
        let front = Front::start(platform, "mesh").await;
        splits(&front, "x-ferromesh-target").await;
        fail_first(&front);
        let retried = Load::to(&front.url)
            .header("x-canary", "blue")
            .noting("x-ferromesh-attempts")
            .send(1)
            .await
            .expect("load");
        assert_eq!(retried.notes().get("2"), Some(&1), "{platform:?}");
        counted(&front, 3_051).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_samples_limit_each_user() {
    for platform in PLATFORMS {
        let front = Front::start(platform, "rate-limit").await;
        for user in ["ann", "bob"] {
            let load = Load::to(&front.url).header("x-user", user).connections(1);
            let report = load.send(15).await.expect("load");
            assert_eq!(report.statuses().get(&200), Some(&10), "{platform:?}, {user}");
            assert_eq!(report.statuses().get(&429), Some(&5), "{platform:?}, {user}");
        }
        let nobody = Load::to(&front.url).send(30).await.expect("load");
        assert_eq!(
            nobody.statuses().get(&200),
            Some(&30),
            "{platform:?}: without the header"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_circuit_breaker_samples_keep_requests_from_a_target_that_fails() {
    for platform in PLATFORMS {
        let front = Front::start(platform, "circuit-breaker").await;
        front.blue.inject(Faults {
            percent: 100.0,
            status: 500,
            ..Faults::default()
        });
        let report = Load::to(&front.url).connections(1).send(60).await.expect("load");
        let statuses = report.statuses();
        assert_eq!(statuses.get(&500), Some(&20), "{platform:?}: what the target answered");
        assert_eq!(statuses.get(&503), Some(&40), "{platform:?}: what the filter answered");
        assert_eq!(front.blue.counts().requests, 20, "{platform:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fault_samples_fail_only_those_who_ask_for_it() {
    for platform in PLATFORMS {
        let front = Front::start(platform, "fault").await;
        assert_eq!(one(Load::to(&front.url)).await, 200, "{platform:?}");
        let begun = std::time::Instant::now();
        assert_eq!(
            one(Load::to(&front.url).header("x-fault", "on")).await,
            503,
            "{platform:?}"
        );
        assert!(
            begun.elapsed().as_millis() >= 200,
            "{platform:?}: {:?}",
            begun.elapsed()
        );
        assert_eq!(
            one(Load::to(&front.url).header("x-fault", "off")).await,
            200,
            "{platform:?}"
        );
        assert_eq!(front.blue.seen().len(), 2, "{platform:?}: an aborted request arrived");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_samples_set_and_remove() {
    for platform in PLATFORMS {
        let front = Front::start(platform, "headers").await;
        let report = Load::to(&front.url)
            .header("x-debug", "1")
            .noting("strict-transport-security")
            .send(5)
            .await
            .expect("load");
        assert_eq!(report.notes().get("max-age=31536000"), Some(&5), "{platform:?}");
        for request in front.blue.seen() {
            assert_eq!(request.header("x-debug"), None, "{platform:?}");
            let client = request.header("x-client");
            assert!(
                client.is_some_and(|client| client.starts_with("127.0.0.1")),
                "{client:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trust_boundaries_remove_what_clients_must_not_send() {
    for platform in PLATFORMS {
        let front = Front::start(platform, "observability").await;
        let forged = Load::to(&front.url)
            .header("x-ferromesh-pick", "95")
            .header("x-envoy-max-retries", "9");
        assert_eq!(one(forged).await, 200, "{platform:?}");
        let seen = front.blue.seen();
        let names = seen.iter().flat_map(|request| &request.headers).map(|(name, _)| name);
        let reserved: Vec<_> = names
            .filter(|name| name.starts_with("x-ferromesh-") || *name == "x-envoy-max-retries")
            .collect();
        assert!(reserved.is_empty(), "{platform:?}: {reserved:?} arrived");
        let underscore = Load::to(&front.url).header("x_ferromesh_pick", "95");
        assert_eq!(one(underscore).await, 400, "{platform:?}: an underscore");
    }
}
