//! What a set would do.

use std::collections::BTreeSet;
use std::sync::{mpsc, Arc, Mutex};
use std::time::Duration;

use ferromesh_api::{ApiState, Previewer};
use ferromesh_model::mesh::Mesh;
use serde_json::{json, Value};

use crate::harness::Api;
use crate::{apply, backwards, create, node, post, route};

/// Tells what it was asked.
#[derive(Default)]
struct Asked(Mutex<Vec<Question>>);

/// Whether there was a mesh before and after, and which proxies were asked for.
type Question = (bool, bool, Option<BTreeSet<String>>);

impl Previewer for Asked {
    fn findings(&self, mesh: &Mesh) -> Vec<Value> {
        let nodes = mesh.virtual_nodes.keys();
        nodes
            .map(|name| json!({"code": "FM000", "resource": format!("virtualNode/{name}")}))
            .collect()
    }

    fn configuration(
        &self,
        before: Option<&Mesh>,
        after: Option<&Mesh>,
        only: Option<&BTreeSet<String>>,
    ) -> Vec<Value> {
        self.0
            .lock()
            .unwrap()
            .push((before.is_some(), after.is_some(), only.cloned()));
        vec![json!({"id": "mesh/m/virtualNode/a", "routes": after.map(|mesh| mesh.virtual_routers["r"].routes.len())})]
    }
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_writes_nothing() {
    let asked = Arc::new(Asked::default());
    let previewer = Arc::clone(&asked);
    let api = Api::with(|state| ApiState { previewer, ..state });
    let before = api.stored();
    let set = json!({ "changes": backwards(), "dryRun": true, "clientToken": "dry" });
    let first = post(&api, set).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(api.stored(), before, "nothing is written and no token remembered");
    assert_eq!(first.body["proxies"][0]["routes"], 1);
    assert_eq!(first.body["findings"]["added"].as_array().unwrap().len(), 2);
    apply(&api, backwards()).await;

    let before = api.stored();
    let changes = json!([
        {"action": "update", "kind": "route", "mesh": "m", "parent": "r", "name": "t", "spec": route(&[("a", 5), ("b", 5)], None)},
        {"action": "put", "kind": "virtualNode", "mesh": "m", "name": "a", "spec": node()},
        {"action": "delete", "kind": "policy", "mesh": "m", "name": "p"},
        create("virtualNode", "c", node()),
    ]);
    let body = json!({ "changes": changes, "dryRun": true, "proxies": "connected" });
    let answer = post(&api, body).await.body;
    assert_eq!(
        answer["changes"][0]["diff"],
        json!([
            {"path": "/spec/httpRoute/action/weightedTargets/0/weight", "before": 9, "after": 5},
            {"path": "/spec/httpRoute/action/weightedTargets/1/weight", "before": 1, "after": 5},
        ])
    );
    assert_eq!(answer["changes"][0]["version"], 2);
    assert_eq!(
        (&answer["changes"][1]["action"], &answer["changes"][1]["diff"]),
        (&json!("unchanged"), &json!([]))
    );
    assert_eq!(
        answer["changes"][2]["diff"][1]["before"],
        json!({"route": {"router": "r", "name": "t"}})
    );
    assert_eq!(
        answer["changes"][3]["diff"],
        json!([{"path": "/spec", "after": node()}])
    );
    assert_eq!(
        answer["findings"],
        json!({"added": [{"code": "FM000", "resource": "virtualNode/c"}], "removed": []})
    );
    assert_eq!(api.stored(), before);
    let wrong = json!({ "changes": [create("virtualNode", "a", node())], "dryRun": true });
    assert_eq!(post(&api, wrong).await.error, "ConflictException");
    let none = json!({ "changes": [create("virtualNode", "d", node())], "dryRun": true, "proxies": "none" });
    assert_eq!(post(&api, none).await.body.get("proxies"), None);
    let expected = [(false, true, None), (true, true, Some(BTreeSet::new()))];
    assert_eq!(*asked.0.lock().unwrap(), expected);

    let found = api.text("GET", "/v1/analyze?mesh=m", "").await.body;
    assert_eq!(found["findings"].as_array().unwrap().len(), 2);
    assert_eq!(api.text("GET", "/v1/analyze?mesh=x", "").await.status, 404);
    assert_eq!(api.text("GET", "/v1/analyze", "").await.status, 400);
}

/// Stays with its first question until it is told to go on.
struct Slow {
    asked: Mutex<Option<tokio::sync::oneshot::Sender<()>>>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Previewer for Slow {
    fn findings(&self, _: &Mesh) -> Vec<Value> {
        if let Some(asked) = self.asked.lock().unwrap().take() {
            asked.send(()).unwrap();
            let told = self.go_on.lock().unwrap().recv_timeout(Duration::from_secs(60));
            told.expect("others are answered meanwhile");
        }
        Vec::new()
    }

    fn configuration(&self, _: Option<&Mesh>, _: Option<&Mesh>, _: Option<&BTreeSet<String>>) -> Vec<Value> {
        Vec::new()
    }
}

#[tokio::test]
async fn others_write_while_a_dry_run_is_made_and_it_does_not_see_it() {
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let (go_on, told) = mpsc::channel();
    let previewer = Arc::new(Slow {
        asked: Mutex::new(None),
        go_on: Mutex::new(told),
    });
    let slow = Arc::clone(&previewer);
    let api = Api::with(|state| ApiState { previewer, ..state });
    apply(&api, backwards()).await;
    *slow.asked.lock().unwrap() = Some(asked);
    let revision = api.stored().0;
    let set = json!({ "changes": [create("virtualNode", "c", node())], "dryRun": true });
    let dry_run = post(&api, set);
    let meanwhile = async {
        was_asked.await.unwrap();
        api.put(
            "/meshes/m/virtualNodes",
            json!({"virtualNodeName": "d", "spec": node()}),
        )
        .await;
        go_on.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(dry_run, meanwhile);
    assert_eq!(
        (answer.status, &answer.body["revision"]),
        (200, &json!(revision)),
        "{answer:?}"
    );
    assert_eq!(api.stored().0, revision + 1);
}
