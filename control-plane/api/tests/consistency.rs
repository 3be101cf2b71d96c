//! Calls that are repeated, that meet each other, and that outlive the process.

mod harness;

use std::sync::{Arc, Mutex, PoisonError};

use ferromesh_api::Clock;
use ferromesh_store::Store;
use harness::{Answer, Api};
use serde_json::{json, Value};

#[tokio::test]
async fn answers_a_repeated_token_with_the_first_result_and_refuses_it_for_anything_else() {
    let api = Api::new();
    let create = json!({"meshName": "m", "clientToken": "t1"});
    let first = api.put("/meshes", create.clone()).await;
    assert_eq!(api.put("/meshes", create.clone()).await, first);
    let other = json!({"meshName": "m2", "clientToken": "t1"});
    assert_eq!(api.call("PUT", "/meshes", other).await.refused().1, "ConflictException");
    let update = json!({"spec": {"egressFilter": {"type": "ALLOW_ALL"}}, "clientToken": "t2"});
    let second = api.put("/meshes/m", update.clone()).await;
    api.put("/meshes/m", json!({"spec": {}})).await;
    assert_eq!(
        api.put("/meshes/m", update.clone()).await,
        second,
        "a late repetition changes nothing"
    );
    let now = api.call("GET", "/meshes/m", Value::Null).await.body;
    assert_eq!((&now["spec"], &now["metadata"]["version"]), (&json!({}), &json!(3)));

    api.call("DELETE", "/meshes/m", Value::Null).await.ok("DeleteMesh");
    let anew = api.put("/meshes", create).await;
    assert_ne!(
        anew["metadata"]["uid"], first["metadata"]["uid"],
        "what was deleted is made anew"
    );
    let without = json!({"meshName": "m"});
    assert_eq!(
        api.call("PUT", "/meshes", without).await.refused().1,
        "ConflictException"
    );
}

#[tokio::test]
async fn keeps_everything_across_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store.redb");
    let open = || std::sync::Arc::new(ferromesh_store::RedbStore::open(&path).expect("the store"));
    let call = |routes: warp::filters::BoxedFilter<(warp::reply::Response,)>,
                method: &'static str,
                path: &'static str,
                body: String| async move {
        let response = warp::test::request()
            .method(method)
            .path(path)
            .body(body)
            .reply(&routes)
            .await;
        serde_json::from_slice::<Value>(response.body()).expect("JSON")
    };
    let first = {
        let routes = ferromesh_api::routes(ferromesh_api::ApiState::new(open()));
        call(
            routes,
            "PUT",
            "/v20190125/meshes",
            r#"{"meshName":"m","clientToken":"t"}"#.to_owned(),
        )
        .await
    };
    let routes = ferromesh_api::routes(ferromesh_api::ApiState::new(open()));
    assert_eq!(
        call(routes.clone(), "GET", "/v20190125/meshes/m", String::new()).await,
        first
    );
    let repeated = call(
        routes,
        "PUT",
        "/v20190125/meshes",
        r#"{"meshName":"m","clientToken":"t"}"#.to_owned(),
    )
    .await;
    assert_eq!(repeated, first, "tokens survive too");
}

#[tokio::test]
async fn creates_a_name_only_once_however_many_ask_at_once() {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "m"})).await;
    let body = || json!({"virtualNodeName": "n", "spec": {}});
    let calls = (0..8).map(|_| api.call("PUT", "/meshes/m/virtualNodes", body()));
    let answers: Vec<Answer> = futures_util::future::join_all(calls).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 409).count(),
        7,
        "{statuses:?}"
    );
}

#[tokio::test]
async fn never_leaves_a_child_in_a_mesh_that_was_deleted_at_the_same_time() {
    let api = Api::new();
    for round in 0..10 {
        let mesh = format!("m{round}");
        api.put("/meshes", json!({"meshName": mesh})).await;
        let (child_path, mesh_path) = (format!("/meshes/{mesh}/virtualNodes"), format!("/meshes/{mesh}"));
        let child = api.call("PUT", &child_path, json!({"virtualNodeName": "n", "spec": {}}));
        let gone = api.call("DELETE", &mesh_path, Value::Null);
        let (child, gone) = futures_util::future::join(child, gone).await;
        let pair = (child.status, gone.status);
        assert!(pair == (200, 409) || pair == (404, 200), "{pair:?}");
    }
}

/// A clock that stands until it is set.
struct SetClock(Mutex<f64>);

impl Clock for SetClock {
    fn now(&self) -> f64 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn clocked() -> (Api, Arc<SetClock>) {
    let clock = Arc::new(SetClock(Mutex::new(1_000_000.5)));
    let api = Api::with(|mut state| {
        state.clock = clock.clone();
        state
    });
    (api, clock)
}

fn set(clock: &SetClock, now: f64) {
    *clock.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
}

#[tokio::test]
async fn forgets_tokens_after_a_day() {
    let (api, clock) = clocked();
    api.put("/meshes", json!({"meshName": "m"})).await;
    let update = |filter: &str, token: &str| json!({"spec": {"egressFilter": {"type": filter}}, "clientToken": token});
    api.put("/meshes/m", update("ALLOW_ALL", "t")).await;
    set(&clock, 1_000_000.5 + 24.0 * 3600.0);
    assert_eq!(
        api.call("PUT", "/meshes/m", update("DROP_ALL", "t")).await.refused().1,
        "ConflictException"
    );
    set(&clock, 1_000_001.5 + 24.0 * 3600.0);
    let updated = api.put("/meshes/m", update("DROP_ALL", "t")).await;
    assert_eq!(updated["metadata"]["version"], 3);
    let tokens = |prefix: &str| api.store.list(prefix, None, None).expect("list").entries.len();
    assert_eq!(
        (tokens("token/by-name/"), tokens("token/by-age/")),
        (1, 1),
        "the old entry is gone, the new one is there"
    );
    assert_eq!(api.put("/meshes/m", update("DROP_ALL", "t")).await, updated);
}

#[tokio::test]
async fn keeps_the_number_of_tokens_bounded() {
    let (api, clock) = clocked();
    api.put("/meshes", json!({"meshName": "m"})).await;
    for number in 0..40 {
        set(&clock, 1_000_000.0 + f64::from(number) * 3600.0);
        api.put("/meshes/m", json!({"clientToken": format!("t{number}")})).await;
    }
    for prefix in ["token/by-name/", "token/by-age/"] {
        let count = api.store.list(prefix, None, None).expect("list").entries.len();
        assert!(count <= 26, "{prefix} holds {count}, one for each of the last 24 hours");
    }
}

#[tokio::test]
async fn never_lets_a_resources_time_go_back() {
    let (api, clock) = clocked();
    let created = api.put("/meshes", json!({"meshName": "m"})).await;
    assert_eq!(created["metadata"]["createdAt"], 1_000_000.5);
    set(&clock, 5.0);
    let updated = api.put("/meshes/m", json!({"spec": {}})).await;
    assert_eq!(updated["metadata"]["lastUpdatedAt"], 1_000_000.5);
}
