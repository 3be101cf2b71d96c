//! Rollbacks over all proxies: what proxies report, and what people see and take back.

mod harness;

use std::sync::{Arc, Mutex};

use ferromesh_api::{CanaryReport, Channel, Comparisons, MayReport, ReportRefused, Reporter};
use ferromesh_model::rollback::{BothCounts, Cause, Rollbacks, Verdict};
use ferromesh_store::{catalog, Store, Transaction};
use harness::Api;
use serde_json::{json, Value};

const PATH: &str = "/v1/reports/canary/mesh/m/virtualNode/a%20b";

/// Takes what the node `a b` says, and nobody else's.
#[derive(Default)]
struct Court(Mutex<Vec<CanaryReport>>);

impl Comparisons for Court {
    fn take(&self, reporter: &Reporter, report: &CanaryReport) -> Result<usize, ReportRefused> {
        if (reporter.mesh.as_str(), reporter.kind.as_str(), reporter.name.as_str()) != ("m", "virtualNode", "a b") {
            return Err(ReportRefused::NotYours("it has no such canary".into()));
        }
        self.0.lock().expect("a lock").push(report.clone());
        Ok(report.canaries.len())
    }

    fn running(&self, owner: &str, mesh: &str, policy: &str) -> Vec<Value> {
        vec![json!({ "of": format!("{owner}:{mesh}/{policy}") })]
    }
}

fn api() -> (Api, Arc<Court>) {
    let court = Arc::new(Court::default());
    let comparisons = Arc::clone(&court);
    let api = Api::with(|mut state| {
        state.comparisons = comparisons;
        state
    });
    (api, court)
}

fn report() -> Value {
    let counts = |requests| json!({"requests": requests, "errors": 1, "slow": 2});
    json!({"sender": u64::MAX, "number": 1, "canaries": [{"key": "k", "canary": counts(2), "baseline": counts(9)}]})
}

#[tokio::test]
async fn takes_a_report_of_the_proxy_that_the_path_names() {
    let (api, court) = api();
    let answer = api.text("POST", PATH, report().to_string()).await;
    assert_eq!((answer.status, answer.body), (200, json!({"counted": 1})));
    let taken = court.0.lock().expect("a lock").clone();
    assert_eq!((taken[0].sender, taken[0].canaries[0].baseline.requests), (u64::MAX, 9));
    let forged = "/v1/reports/canary/mesh/m/virtualNode/c";
    let answer = api.text("POST", forged, report().to_string()).await;
    assert_eq!(answer.refused(), (403, "ForbiddenException", "it has no such canary"));
    let nobody = Api::new();
    assert_eq!(nobody.text("POST", PATH, report().to_string()).await.refused().0, 404);
}

#[tokio::test]
async fn a_connection_reports_for_the_proxies_that_it_speaks_for_however_the_path_is_written() {
    let (api, court) = api();
    let ask = async |path: &str, channel, rule: Option<MayReport>| {
        let mut request = warp::test::request().method("POST").path(path).extension(channel);
        if let Some(rule) = rule {
            request = request.extension(rule);
        }
        let answer = request.body(report().to_string()).reply(&api.routes).await;
        let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
        (answer.status().as_u16(), body["message"].as_str().map(str::to_owned))
    };
    let own = || {
        MayReport::by(|reporter| match reporter.id().as_str() {
            "mesh/m/virtualNode/a b" => Ok(()),
            _ => Err("not yours".to_owned()),
        })
    };
    assert_eq!(ask(PATH, Channel::Tls, Some(own())).await.0, 200);
    let not_yours = (403, Some("not yours".to_owned()));
    for path in [
        "/v1/reports/canary/mesh/m/virtualNode/c",
        "/v1/reports/canary/mesh/m/virtualGateway/a%20b",
        "/v1/reports/canary/mesh/m%40222222222222/virtualNode/a%20b",
        "/v1/reports/proxy/mesh/m/virtualNode/c",
        "/v1/%72eports/proxy/mesh/m/virtualNode/c",
        "/%761/reports/can%61ry/mesh/m/virtualNode/c",
    ] {
        assert_eq!(ask(path, Channel::Local, Some(own())).await, not_yours, "{path}");
        assert_eq!(ask(path, Channel::Tls, Some(own())).await, not_yours, "{path}");
    }
    assert_eq!(
        ask(PATH, Channel::Tls, None).await.0,
        403,
        "nothing is known of the sender"
    );
    assert_eq!(court.0.lock().expect("a lock").len(), 1);
}

#[tokio::test]
async fn refuses_reports_that_make_no_sense_and_says_where() {
    let (api, court) = api();
    let with = |pointer: &str, value: Value| {
        let mut report = report();
        *report.pointer_mut(pointer).expect("a member") = value;
        report.to_string()
    };
    let canary = report()["canaries"][0].clone();
    for (body, expected) in [
        (with("/number", json!(0)), "number: must be at least 1"),
        (
            with("/canaries", json!([])),
            "canaries: must have 1 to 500 entries, has 0",
        ),
        (
            with("/canaries", json!(vec![canary; 501])),
            "canaries: must have 1 to 500 entries, has 501",
        ),
        (
            with("/canaries/0/key", json!("")),
            "canaries[0].key: must have 1 to 64 bytes, has 0",
        ),
        (
            with("/canaries/0/canary/errors", json!(3)),
            "canaries[0].canary.errors: must be at most requests, 2, is 3",
        ),
        (
            with("/canaries/0/baseline/slow", json!(10)),
            "canaries[0].baseline.slow: must be at most requests, 9, is 10",
        ),
        (
            with("/canaries/0/baseline/requests", json!(1_u64 << 41)),
            "canaries[0].baseline.requests: must be at most 1099511627776, is 2199023255552",
        ),
        (String::new(), "body: is no report of canaries: "),
        ("[]".into(), "body: is no report of canaries: "),
        ("\u{0}".into(), "body: is no report of canaries: "),
        ("[".repeat(100_000), "body: is no report of canaries: "),
        (
            with("/number", json!(-1)),
            "body: is no report of canaries: invalid value",
        ),
        (
            with("/number", json!(1.5)),
            "body: is no report of canaries: invalid type",
        ),
        (
            with("/canaries/0/canary", json!({"requests": 1})),
            "body: is no report of canaries: missing field `errors`",
        ),
        (
            with("/canaries/0/canary/slow", json!({"more": 1})),
            "body: is no report of canaries: invalid type",
        ),
        (" ".repeat(256 << 10 | 1), "body: must have at most 262144 bytes"),
    ] {
        let answer = api.text("POST", PATH, body.clone()).await;
        let (status, error, message) = answer.refused();
        assert_eq!((status, error), (400, "BadRequestException"), "{message}");
        assert!(message.starts_with(expected), "{message:?} for {expected:?}");
    }
    assert!(court.0.lock().expect("a lock").is_empty());
    assert_eq!(
        api.text("GET", PATH, "").await.refused().0,
        400,
        "there is nothing to read"
    );
}

fn verdict() -> Verdict {
    Verdict {
        virtual_service: "s".into(),
        route: "r".into(),
        canary: "green".into(),
        baseline: "blue".into(),
        cause: Cause::Errors,
        at_unix_millis: 1_000,
        until_unix_millis: Some(2_000),
        rollbacks: 1,
        counts: BothCounts::default(),
    }
}

#[tokio::test]
async fn a_verdict_is_shown_with_its_policy_and_can_be_taken_back() {
    let (api, _) = api();
    api.put("/meshes", json!({"meshName": "m"})).await;
    let policy = |rollback: Value| json!({"target": {"mesh": {}}, "spec": {"canary": {"rollback": rollback}}});
    let rollback = json!({"canary": "green", "baseline": "blue"});
    let put = api
        .text("PUT", "/v1/policies/m/p", policy(rollback.clone()).to_string())
        .await;
    assert_eq!(put.status, 200, "{}", put.body);
    let show = async || api.text("GET", "/v1/policies/m/p/rollback", "").await.body;
    let nothing = json!({"cleared": 0, "rollbacks": [], "comparisons": [{"of": "123456789012:m/p"}]});
    assert_eq!(show().await, nothing);
    assert_eq!(api.text("GET", "/v1/policies/m/p", "").await.body, put.body);

    let mut known = Rollbacks::of("m", "p");
    known.verdicts.insert("k".into(), verdict());
    known.verdicts.insert(
        "l".into(),
        Verdict {
            until_unix_millis: None,
            ..verdict()
        },
    );
    let changes = vec![catalog::put_rollback(&known).expect("a write")];
    let transaction = Transaction {
        compares: vec![],
        changes,
    };
    api.store.commit(transaction).expect("a commit");
    let shown = show().await;
    let list = shown["rollbacks"].as_array().expect("a list");
    assert_eq!(
        (list[0]["inEffect"].clone(), list[1]["inEffect"].clone()),
        (json!(false), json!(true))
    );
    assert_eq!(
        (&list[1]["cause"], &list[1]["atUnixMillis"]),
        (&json!("errors"), &json!(1000))
    );
    let read = api.text("GET", "/v1/policies/m/p", "").await.body;
    assert_eq!(read["status"]["rollbacks"], shown["rollbacks"]);
    // What was read can be written, and changes nothing.
    assert_eq!(
        api.text("PUT", "/v1/policies/m/p", read.to_string()).await.body,
        put.body
    );
    assert_eq!(api.text("GET", "/v1/policies/m/p", "").await.body, read);

    let cleared = api.text("POST", "/v1/policies/m/p/rollback/clear", "").await;
    assert_eq!((cleared.status, &cleared.body["cleared"]), (200, &json!(1)));
    assert_eq!(show().await["rollbacks"], json!([]));
    assert_eq!(api.text("DELETE", "/v1/policies/m/p", "").await.status, 200);
    assert_eq!(catalog::rollback(api.store.as_ref(), "m", "p").expect("a read"), None);
}

#[tokio::test]
async fn only_a_policy_that_rolls_back_over_all_proxies_has_rollbacks() {
    let (api, _) = api();
    api.put("/meshes", json!({"meshName": "m"})).await;
    let alone = json!({"canary": "green", "baseline": "blue", "acrossProxies": false});
    let spec = json!({"canary": {"rollback": alone}});
    for (name, spec) in [("none", json!({})), ("alone", spec)] {
        let body = json!({"target": {"mesh": {}}, "spec": spec}).to_string();
        let put = api.text("PUT", &format!("/v1/policies/m/{name}"), body).await;
        assert_eq!(put.status, 200, "{}", put.body);
    }
    for (name, status, message) in [
        ("none", 400, "policy \"none\" has no spec.canary.rollback"),
        (
            "alone",
            400,
            "policy \"alone\" has spec.canary.rollback.acrossProxies false: each proxy decides alone",
        ),
        ("absent", 404, "policy \"absent\" is not present in mesh \"m\""),
    ] {
        let clear = format!("/v1/policies/m/{name}/rollback/clear");
        let answer = api.text("POST", &clear, "").await;
        assert_eq!((answer.refused().0, answer.refused().2), (status, message));
        let show = format!("/v1/policies/m/{name}/rollback");
        let answer = api.text("GET", &show, "").await;
        assert_eq!((answer.refused().0, answer.refused().2), (status, message));
    }
}
