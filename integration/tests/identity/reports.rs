//! Reports over real TLS: who may not have a proxy's configuration may not report for it, and what is refused is told.

use ferromesh_integration::rig::{eventually, PATIENCE};
use serde_json::{json, Value};

use crate::world::{Pair, World};

const OWN: &str = "mesh/m/virtualNode/n";
const ANOTHER: &str = "mesh/m/virtualNode/other";

fn reports() -> [(&'static str, Value); 2] {
    let counters = json!({
        "instance": "i", "requests": 10, "errors": 10, "vmFailures": 0, "uptimeSeconds": 1, "isDraining": false,
    });
    let counts = json!({"requests": 9, "errors": 9, "slow": 0});
    let canaries = json!([{"key": "k", "canary": counts, "baseline": counts}]);
    [
        ("proxy", counters),
        ("canary", json!({"sender": 1, "number": 1, "canaries": canaries})),
    ]
}

/// What the answers to both reports for a proxy are.
async fn report(world: &World, proxy: &str, shown: Option<&Pair>) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    for (kind, body) in reports() {
        let path = format!("/v1/reports/{kind}/{proxy}");
        let (status, answer) = world.post_to(&path, shown, &body).await.expect("an answer");
        answers.push((status, answer["message"].as_str().unwrap_or_default().to_owned()));
    }
    answers
}

/// Whether both were let in. Whether they are worth anything is another matter: the proxy has no stream.
fn are_let_in(answers: &[(u16, String)]) -> bool {
    let is_let_in = |(_, message): &(u16, String)| message.ends_with("has no configuration from here yet");
    answers.iter().all(is_let_in)
}

fn are_refused(answers: &[(u16, String)], reason: &str) -> bool {
    answers
        .iter()
        .all(|(status, message)| *status == 403 && message.contains(reason))
}

#[tokio::test]
async fn a_proxy_reports_for_itself_until_its_certificate_is_revoked() {
    let world = World::start().await;
    let own = world.join(OWN).await;
    let of_spire = world.spire.issue(&["spiffe://example.org/ns/m/sa/n"]);
    for shown in [&own, &of_spire] {
        let answers = report(&world, OWN, Some(shown)).await;
        assert!(are_let_in(&answers), "{answers:?}");
        for proxy in [ANOTHER, "mesh/m/virtualGateway/n", "mesh/x/virtualNode/n"] {
            let answers = report(&world, proxy, Some(shown)).await;
            assert!(are_refused(&answers, "does not stand for this proxy"), "{answers:?}");
        }
    }
    let answers = report(&world, OWN, None).await;
    assert!(are_refused(&answers, "no certificate was shown"), "{answers:?}");
    // Without TLS on this machine, as with discovery streams.
    for (kind, body) in reports() {
        let path = format!("/v1/reports/{kind}/{ANOTHER}");
        let answer = world.rig.call(reqwest::Method::POST, &path, body.to_string()).await;
        assert_ne!(answer.expect("an answer").status, 403, "{kind}");
    }

    world.revoke(json!({ "proxy": OWN })).await;
    let waited = eventually("the revocation", PATIENCE, async || {
        let answers = report(&world, OWN, Some(&own)).await;
        are_refused(&answers, "revoked").then_some(())
    });
    waited.await.expect("a revoked proxy reports nothing");
    for (reason, least) in [("another_proxy", 12), ("no_certificate", 2), ("revoked", 2)] {
        let series = format!("ferromesh_reports_refused_total{{reason=\"{reason}\"}}");
        let count = world.metric(&series).await.unwrap_or_default();
        assert!(count >= least, "{reason}: {count}");
    }
    let log = world.rig.log();
    for said in ["report refused", ANOTHER, "spiffe://example.org/ns/m/sa/n"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains("PRIVATE KEY") && !log.contains("fmj_"), "{log}");
    world.rig.shut_down().expect("a clean end");
}

#[tokio::test]
async fn whoever_is_refused_in_the_handshake_or_with_a_token_is_named_in_the_log() {
    let world = World::start().await;
    let id = "spiffe://example.org/ns/m/sa/forgotten";
    let over = world.spire.issue_expired(&[id]);
    let refused = world
        .post_to("/v1/identity/certificates", Some(&over), &json!({}))
        .await;
    refused.expect_err("a certificate that is over makes no connection");
    let series = "ferromesh_connections_refused_total{reason=\"expired\"}";
    assert!(world.metric(series).await.is_some_and(|count| count > 0));

    let token = world.token(OWN, 1).await;
    let key = rcgen::KeyPair::generate().expect("a key");
    let body = json!({"csr": crate::world::request(&key), "token": token});
    assert_eq!(world.post_over_tls(None, &body).await.0, 200);
    assert_eq!(world.post_over_tls(None, &body).await.0, 403);
    let shown = world.spire.issue(&["spiffe://example.org/ns/m/sa/n"]);
    let renewal = json!({"csr": crate::world::request(&key)});
    assert_eq!(world.post_over_tls(Some(&shown), &renewal).await.0, 403);

    let log = world.rig.log();
    for said in [
        id,
        "a client's certificate is refused",
        "join token refused",
        "it is used up",
        OWN,
        "proxy certificate not renewed",
        "spiffe://example.org/ns/m/sa/n",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    let secret = token.rsplit('_').next().expect("a secret");
    assert!(!log.contains(secret) && !log.contains("PRIVATE KEY"), "{log}");
    world.rig.shut_down().expect("a clean end");
}
